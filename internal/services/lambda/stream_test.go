package lambda

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// parts answers in two parts, with time between them.
const parts = `
exports.handler = awslambda.streamifyResponse(async (event, stream) => {
  if (event.rawPath) {
    stream = awslambda.HttpResponseStream.from(stream, {statusCode: 201, headers: {'x-own': 'yes'}, cookies: ['a=b']})
  }
  if (event.fail) { throw new Error('no') }
  stream.write('first')
  await new Promise((done) => setTimeout(done, 200))
  stream.write(' second')
  stream.end()
})
`

// node creates a function of one JavaScript file.
func (f *fixture) node(t testing.TB, name, source string) {
	t.Helper()
	f.create(t, name, "nodejs20.x", "app.handler", map[string]string{"app.js": source}, nil)
}

// received collects what a stream of events sends.
func received(ctx context.Context, t testing.TB, out *api.InvokeWithResponseStreamOutput) (chunks []string, end *api.InvokeWithResponseStreamCompleteEvent) {
	t.Helper()
	err := out.EventStream(ctx, func(e *api.InvokeWithResponseStreamResponseEvent) error {
		if e.PayloadChunk != nil {
			chunks = append(chunks, string(e.PayloadChunk.Payload))
		}
		if e.InvokeComplete != nil {
			end = e.InvokeComplete
		}
		return nil
	})
	if err != nil || end == nil {
		t.Fatalf("the stream did not end well: %v", err)
	}
	return chunks, end
}

func TestStreamedInvocationSendsPartsAsTheyCome(t *testing.T) {
	f := newFixture(t, nil)
	f.node(t, "f", parts)
	out, err := f.invokeWithResponseStream(f.ctx, &api.InvokeWithResponseStreamInput{FunctionName: "f", LogType: "Tail"})
	if err != nil {
		t.Fatal(err)
	}
	chunks, end := received(f.ctx, t, out)
	if len(chunks) < 2 || strings.Join(chunks, "") != "first second" || end.ErrorCode != nil || orZero(end.LogResult) == "" {
		t.Errorf("parts %q, end %+v", chunks, end)
	}
	out, err = f.invokeWithResponseStream(f.ctx, &api.InvokeWithResponseStreamInput{FunctionName: "f", Payload: []byte(`{"fail":true}`)})
	if err != nil {
		t.Fatal(err)
	}
	if _, end := received(f.ctx, t, out); orZero(end.ErrorCode) != "Unhandled" || !strings.Contains(orZero(end.ErrorDetails), `"errorMessage":"no"`) {
		t.Errorf("end of a failure %q %q", orZero(end.ErrorCode), orZero(end.ErrorDetails))
	}
	if _, err := f.invokeWithResponseStream(f.ctx, &api.InvokeWithResponseStreamInput{FunctionName: "none"}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("a function that does not exist: %v", err)
	}
}

func TestAnswerInOnePieceIsOnePart(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "def handler(e, c): return {'a': 1}\n", nil)
	out, err := f.invokeWithResponseStream(f.ctx, &api.InvokeWithResponseStreamInput{FunctionName: "f"})
	if err != nil {
		t.Fatal(err)
	}
	if chunks, end := received(f.ctx, t, out); len(chunks) != 1 || chunks[0] != `{"a": 1}` || end.ErrorCode != nil || end.LogResult != nil {
		t.Errorf("parts %q, end %+v", chunks, end)
	}
}

func TestCallerWhoGoesAwayLeavesTheFunctionUsable(t *testing.T) {
	f := newFixture(t, nil)
	f.node(t, "f", parts)
	ctx, cancel := context.WithCancel(f.ctx)
	out, err := f.invokeWithResponseStream(ctx, &api.InvokeWithResponseStreamInput{FunctionName: "f"})
	if err != nil || out.EventStream == nil {
		t.Fatal(err)
	}
	cancel()
	if got := f.call(t, "f", `{}`); string(got.Payload) != "first second" || got.FunctionError != nil {
		t.Errorf("the next call answered %s", got.Payload)
	}
}

func TestStreamingFunctionURLSendsPartsAsTheyCome(t *testing.T) {
	f := newFixture(t, nil)
	f.node(t, "f", parts)
	at, _ := f.url(t, &api.CreateFunctionUrlConfigInput{FunctionName: "f", AuthType: "NONE", InvokeMode: "RESPONSE_STREAM"})
	f.door.open()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	first := make([]byte, 64)
	n, err := got.Body.Read(first)
	if err != nil || string(first[:n]) != "first" {
		t.Errorf("first part %q, %v", first[:n], err)
	}
	rest, err := io.ReadAll(got.Body)
	if err != nil || string(rest) != " second" {
		t.Errorf("rest %q, %v", rest, err)
	}
	if got.StatusCode != http.StatusCreated || got.Header.Get("X-Own") != "yes" || got.Header.Get("Set-Cookie") != "a=b" {
		t.Errorf("head %d %v", got.StatusCode, got.Header)
	}
}

func TestBufferedFunctionURLTakesAStreamedAnswerAsAWhole(t *testing.T) {
	f := newFixture(t, nil)
	f.node(t, "f", parts)
	at, _ := f.url(t, &api.CreateFunctionUrlConfigInput{FunctionName: "f", AuthType: "NONE"})
	f.door.open()
	if got := ask(t, http.MethodGet, at, ""); got.status != http.StatusCreated || got.body != "first second" || got.header.Get("Content-Length") != "12" {
		t.Errorf("answer %+v", got)
	}
}

func TestTracedFunctionsAreSampled(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "import os\ndef handler(e, c): return os.environ['_X_AMZN_TRACE_ID']\n", func(in *api.CreateFunctionInput) {
		in.TracingConfig = &api.TracingConfig{Mode: "Active"}
	})
	if got := f.call(t, "f", `{}`); !strings.Contains(string(got.Payload), "Sampled=1") {
		t.Errorf("trace %s", got.Payload)
	}
}
