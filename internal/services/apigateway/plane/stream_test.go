package plane

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service/port"
)

// InvokeStream implements [port.FunctionStreams]: a function answers what the test says, or the body that it gives.
func (f *fixture) InvokeStream(ctx context.Context, from port.Source, function string, payload []byte) (*port.Streamed, error) {
	f.mu.Lock()
	body := f.streamed
	f.mu.Unlock()
	switch b := body.(type) {
	case nil:
	case *silentBody:
		b.ended = ctx.Done()
		return &port.Streamed{Body: b}, nil
	default:
		context.AfterFunc(ctx, func() { _ = b.Close() })
		return &port.Streamed{Body: b}, nil
	}
	got, err := f.Invoke(ctx, from, function, payload)
	if err != nil {
		return nil, err
	}
	if got.Error != "" {
		r, w := io.Pipe()
		_ = w.CloseWithError(&port.FunctionError{Kind: got.Error, Document: got.Payload})
		return &port.Streamed{Body: r}, nil
	}
	return &port.Streamed{Body: io.NopCloser(strings.NewReader(string(got.Payload)))}, nil
}

// stream lets functions answer with what the test writes.
func (f *fixture) stream() *io.PipeWriter {
	r, w := io.Pipe()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.streamed = r
	return w
}

const endOfHead = "\x00\x00\x00\x00\x00\x00\x00\x00"

// streamed is a method that passes on the answer of a function or a backend while it arrives.
func streamed(uri string) aws.Method {
	i := &aws.Integration{Type: "AWS_PROXY", HttpMethod: ptr("POST"), Uri: ptr(uri), ResponseTransferMode: "STREAM"}
	if strings.HasPrefix(uri, "http") {
		i.Type, i.HttpMethod = "HTTP_PROXY", ptr("GET")
	}
	return aws.Method{AuthorizationType: ptr("NONE"), MethodIntegration: i}
}

// open sends GET /prod/a and returns the answer, whose body arrives while it is read.
func (f *fixture) open() *http.Response {
	f.t.Helper()
	c, err := net.Dial("tcp", f.url)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, "GET /prod/a HTTP/1.1\r\nHost: api1.execute-api.eu-west-1.localhost\r\n\r\n"); err != nil {
		f.t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return answer
}

// next reads n bytes of a body.
func next(t *testing.T, r io.Reader, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const streamURI = "arn:aws:apigateway:eu-west-1:lambda:path/2021-11-15/functions/arn:aws:lambda:eu-west-1:111122223333:function:f/response-streaming-invocations"

func TestFunctionAnswersWhileItRuns(t *testing.T) {
	f := newFixture(t)
	f.deploy("api1", oneMethod(streamed(streamURI)).tree(), aws.Stage{AccessLogSettings: &aws.AccessLogSettings{
		DestinationArn: ptr("arn:aws:logs:eu-west-1:111122223333:log-group:access"), Format: ptr("$context.status $context.responseLength $context.integration.responseTransferMode"),
	}})
	w := f.stream()
	go func() {
		_, _ = io.WriteString(w, `{"statusCode":201,"headers":{"x-one":"1"},"multiValueHeaders":{"x-two":["a","b"]},"cookies":["c=1","d=2"]}`+endOfHead+"first")
	}()
	got := f.open()
	if got.StatusCode != http.StatusCreated || got.Header.Get("X-One") != "1" || len(got.Header["X-Two"]) != 2 || len(got.Header["Set-Cookie"]) != 2 || got.Header.Get("X-Amzn-Requestid") == "" {
		t.Errorf("head %d %v", got.StatusCode, got.Header)
	}
	if text := next(t, got.Body, 5); text != "first" {
		t.Errorf("first part %q", text)
	}
	go func() {
		_, _ = io.WriteString(w, "second")
		_ = w.Close()
	}()
	if rest, err := io.ReadAll(got.Body); err != nil || string(rest) != "second" {
		t.Errorf("rest %q, %v", rest, err)
	}
	f.plane.o.Access.Close()
	if lines := f.logged(); len(lines) != 1 || !strings.HasSuffix(lines[0], "201 11 STREAMED") {
		t.Errorf("access log %q", lines)
	}
}

func TestStreamThatFailsClosesTheConnection(t *testing.T) {
	f := newFixture(t)
	f.deploy("api1", oneMethod(streamed(streamURI)).tree(), aws.Stage{})
	w := f.stream()
	go func() {
		_, _ = io.WriteString(w, "{}"+endOfHead+"first")
		_ = w.CloseWithError(&port.FunctionError{Kind: "Unhandled", Document: []byte(`{"errorMessage":"no"}`)})
	}()
	got := f.open()
	if b, err := io.ReadAll(got.Body); err == nil {
		t.Errorf("a stream that failed ended well: %q", b)
	}
}

func TestSilentStreamIsEnded(t *testing.T) {
	for _, c := range []struct {
		endpoint string
		limit    time.Duration
	}{{aws.EndpointTypeRegional, idle}, {aws.EndpointTypeEdge, edgeIdle}} {
		t.Run(c.endpoint, func(t *testing.T) {
			f := newFixture(t)
			f.api.Endpoint.Types = []string{c.endpoint}
			f.deploy("api1", oneMethod(streamed(streamURI)).tree(), aws.Stage{})
			f.streamed = &silentBody{clock: f.clock, limit: c.limit, parts: []string{"{}" + endOfHead + "first"}}
			got := f.open()
			next(t, got.Body, 5)
			if b, err := io.ReadAll(got.Body); err == nil {
				t.Errorf("a silent stream ended well: %q", b)
			}
		})
	}
}

// silentBody is a body that says nothing any more after its parts, for as long as a stream may be silent.
type silentBody struct {
	clock *clock.Fake
	limit time.Duration
	parts []string
	ended <-chan struct{}
}

// Read implements [io.Reader].
func (b *silentBody) Read(p []byte) (int, error) {
	if len(b.parts) > 0 {
		n := copy(p, b.parts[0])
		b.parts = b.parts[1:]
		return n, nil
	}
	b.clock.Advance(b.limit)
	<-b.ended
	return 0, context.Canceled
}

// Close implements [io.Closer].
func (b *silentBody) Close() error { return nil }

func TestMalformedStreamIsABadGateway(t *testing.T) {
	for name, answer := range map[string]string{
		"no head":       `{"statusCode":200,"body":"whole"}`,
		"no JSON":       "{" + endOfHead,
		"a status":      `{"statusCode":"x"}` + endOfHead,
		"a header":      `{"headers":{"a b":"x"}}` + endOfHead,
		"a large head":  `{"headers":{"a":"` + strings.Repeat("x", maxStreamHead) + `"}}` + endOfHead,
		"no answer":     "",
		"a failure":     `{"errorMessage":"no"}`,
		"zeros too few": "{}\x00\x00\x00\x00\x00\x00\x00 rest",
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.deploy("api1", oneMethod(streamed(streamURI)).tree(), aws.Stage{})
			f.answer("f", answer)
			checkResponse(t, f.send("GET /prod/a HTTP/1.1\n"), "502\nx-amzn-ErrorType: InternalServerErrorException\n\n{\"message\": \"Internal server error\"}")
		})
	}
}

func TestBackendAnswersWhileItRuns(t *testing.T) {
	more := make(chan struct{})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "first")
		_ = http.NewResponseController(w).Flush()
		<-more
		_, _ = io.WriteString(w, strings.Repeat("x", maxBody)) // beyond what an answer may have that is not streamed
	}))
	defer backend.Close()
	f := newFixture(t)
	f.deploy("api1", oneMethod(streamed(backend.URL)).tree(), aws.Stage{})
	got := f.open()
	if got.StatusCode != http.StatusAccepted || got.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("head %d %v", got.StatusCode, got.Header)
	}
	if text := next(t, got.Body, 5); text != "first" {
		t.Errorf("first part %q", text)
	}
	close(more)
	if n, err := io.Copy(io.Discard, got.Body); err != nil || n != maxBody {
		t.Errorf("%d bytes more, %v", n, err)
	}
}

func TestStreamsAreNotCached(t *testing.T) {
	f := newFixture(t)
	f.deploy("api1", oneMethod(streamed(streamURI)).tree(), aws.Stage{
		CacheClusterEnabled: ptr(true), MethodSettings: map[string]aws.MethodSetting{"*/*": {CachingEnabled: ptr(true), CacheTtlInSeconds: ptr(int32(60))}},
	})
	for _, want := range []string{"one", "two"} {
		f.answer("f", "{}"+endOfHead+want)
		if got := f.body("GET /prod/a HTTP/1.1\n"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
