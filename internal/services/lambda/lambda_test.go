package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	blobmem "lambent.dev/lambent/internal/blob/mem"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/runtimes"
	"lambent.dev/lambent/internal/runtimes/code"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
)

// scratch is a folder for what several tests share.
var scratch string

func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "lambda-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	return m.Run()
}

const testRole = "arn:aws:iam::000000000000:role/r"

// lines is a log sink that keeps what it gets.
type lines struct {
	mu  sync.Mutex // guards the fields below
	all []string
	// streams holds the lines of each stream, by "account region group stream".
	streams map[string][]string
	// told is closed with the next lines; nil while nobody waits.
	told chan struct{}
}

// wait returns when a line has the text.
func (s *lines) wait(t *testing.T, text string) {
	t.Helper()
	for {
		s.mu.Lock()
		if strings.Contains(strings.Join(s.all, "\n"), text) {
			s.mu.Unlock()
			return
		}
		if s.told == nil {
			s.told = make(chan struct{})
		}
		told := s.told
		s.mu.Unlock()
		select {
		case <-told:
		case <-t.Context().Done():
			t.Fatalf("no line has %q", text)
		}
	}
}

func (s *lines) PutLog(_ context.Context, account, region, group, stream string, list []port.LogLine) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.streams == nil {
		s.streams = map[string][]string{}
	}
	where := account + " " + region + " " + group + " " + stream
	for _, l := range list {
		text, ended := strings.CutSuffix(l.Message, "\n")
		if !ended {
			return fmt.Errorf("the event %q does not end with a newline", l.Message)
		}
		s.all = append(s.all, text)
		s.streams[where] = append(s.streams[where], text)
	}
	if s.told != nil {
		close(s.told)
		s.told = nil
	}
	return nil
}

func (s *lines) Flush(context.Context) error { return nil }

func (s *lines) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.all, "\n")
}

// door allows the account's root everything, and others what the policy documents name the calling service for.
type door struct {
	mu     sync.Mutex // guards the fields below
	public bool       // allows everybody everything
	asked  []service.Target
}

func (d *door) Call(context.Context, string, string, any) (any, error) {
	return nil, service.Errorf("NotHere", "no calls in this test")
}

func (d *door) Allow(ctx context.Context, t service.Target) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, t)
	p := service.RequestFrom(ctx).Principal
	if d.public || p.Kind == service.Root || strings.Contains(t.Policy, p.Service) && p.Service != "" {
		return nil
	}
	return service.Errorf("AccessDeniedException", "denied").WithStatus(403)
}

// fixture is a service on memory, with real sandboxes.
type fixture struct {
	*Lambda
	svc    service.Service
	host   *sandbox.Host
	store  store.Store
	sink   *lines
	door   *door
	ctx    context.Context
	counts meter.Registry
}

func newFixture(t testing.TB, change func(o *Options)) *fixture {
	t.Helper()
	return newFixtureAt(t, clock.System{}, change)
}

// newFixtureAt is newFixture with a clock.
func newFixtureAt(t testing.TB, clk clock.Clock, change func(o *Options)) *fixture {
	t.Helper()
	host, err := sandbox.Open(t.Context(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := runtimes.NewCatalog(runtimes.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	folders, err := code.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{store: mem.New(), sink: &lines{}, door: &door{}}
	f.host = host
	launcher := runtimes.NewLauncher(runtimes.LauncherOptions{Host: host, Clock: clock.System{}, MaxParked: 256 << 20})
	o := Options{Launcher: launcher, Runtimes: catalog, Code: folders, Logs: f.sink}
	if change != nil {
		change(&o)
	}
	f.svc, f.Lambda = New(service.Deps{
		Store: f.store, Blobs: blobmem.New(), Door: f.door, Clock: clk, Random: rand.Reader, Log: slog.New(slog.DiscardHandler),
		BaseURL: "http://127.0.0.1:4566", Account: "000000000000", Region: "us-east-1",
		Meters: &f.counts,
	}, o)
	if err := f.svc.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.svc.Close(context.Background()); err != nil {
			t.Error(err)
		}
		launcher.Close()
		if err := host.Close(); err != nil {
			t.Error(err)
		}
	})
	f.ctx = service.WithRequest(t.Context(), &service.Request{Account: "000000000000", Region: "us-east-1", Principal: service.Principal{Kind: service.Root}})
	return f
}

func zipOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o755)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// python creates a function of one Python file.
func (f *fixture) python(t testing.TB, name, source string, change func(in *api.CreateFunctionInput)) {
	t.Helper()
	f.create(t, name, "python3.11", "app.handler", map[string]string{"app.py": source}, change)
}

func (f *fixture) create(t testing.TB, name, runtime, handler string, files map[string]string, change func(in *api.CreateFunctionInput)) {
	t.Helper()
	if _, err := f.o.Runtimes.Lookup(t.Context(), runtime); err != nil {
		t.Skip(err)
	}
	in := &api.CreateFunctionInput{
		FunctionName: name, Runtime: runtime, Handler: ptr(handler), Role: testRole, Code: &api.FunctionCode{ZipFile: zipOf(t, files)},
	}
	if change != nil {
		change(in)
	}
	if _, err := f.createFunction(f.ctx, in); err != nil {
		t.Fatal(err)
	}
}

func (f *fixture) call(t testing.TB, name, payload string) *api.InvokeOutput {
	t.Helper()
	out, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: name, Payload: []byte(payload), LogType: "Tail"})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tailOf(t testing.TB, out *api.InvokeOutput) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(orZero(out.LogResult))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestInvokeReturnsAnswerAndLog(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "hello", "import os\ndef handler(event, context):\n    print('seen', event['n'])\n    return {'n': event['n'] + 1, 'id': context.aws_request_id, 'pid': os.getpid(), 'region': os.environ['AWS_REGION']}\n", nil)
	first := f.call(t, "hello", `{"n":1}`)
	second := f.call(t, "arn:aws:lambda:us-east-1:000000000000:function:hello:$LATEST", `{"n":2}`)
	var a, b struct {
		N, Pid int
		ID     string
		Region string
	}
	if err := json.Unmarshal(first.Payload, &a); err != nil {
		t.Fatalf("%s: %v", first.Payload, err)
	}
	if err := json.Unmarshal(second.Payload, &b); err != nil {
		t.Fatalf("%s: %v", second.Payload, err)
	}
	if a.N != 2 || b.N != 3 || a.Pid != b.Pid || a.ID == b.ID || a.Region != "us-east-1" {
		t.Errorf("answers %+v and %+v: want one process and two requests", a, b)
	}
	tail := tailOf(t, first)
	for _, want := range []string{"START RequestId: " + a.ID + " Version: $LATEST\nseen 1\nEND RequestId: " + a.ID + "\nREPORT RequestId: " + a.ID, "Init Duration: ", "Memory Size: 128 MB"} {
		if !strings.Contains(tail, want) {
			t.Errorf("log of the first call lacks %q:\n%s", want, tail)
		}
	}
	if tail := tailOf(t, second); strings.Contains(tail, "Init Duration") || strings.Contains(tail, "seen 1") {
		t.Errorf("log of the second call:\n%s", tail)
	}
	for where := range f.sink.streams {
		if !strings.HasPrefix(where, "000000000000 us-east-1 /aws/lambda/hello ") || !strings.Contains(where, "[$LATEST]") {
			t.Errorf("log went to %s", where)
		}
	}
}

func TestFailuresHaveAWSShapes(t *testing.T) {
	f := newFixture(t, nil)
	source := `
import os, time
def handler(event, context):
    kind = event['kind']
    if kind == 'raise': raise ValueError('bad thing')
    if kind == 'exit': os._exit(3)
    if kind == 'sleep': time.sleep(60)
    if kind == 'large': return 'x' * (7 << 20)
    if kind == 'memory':
        kept = []
        while True: kept.append(bytearray(16 << 20))
    return kind
`
	f.python(t, "fails", source, func(in *api.CreateFunctionInput) { in.Timeout = ptr(int32(2)) })
	for _, tc := range []struct{ kind, want, log string }{
		{"raise", `"errorType": "ValueError"`, "[ERROR] ValueError: bad thing"},
		{"exit", `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited with error: exit status 3"}`, "Status: error\tError Type: Runtime.ExitError"},
		{"sleep", `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ID Error: Task timed out after 2.00 seconds"}`, "Status: timeout"},
		{"large", `{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}`, "REPORT"},
		{"memory", `{"errorType":"Runtime.OutOfMemory","errorMessage":"RequestId: ID Error: Runtime exited with error: signal: killed"}`, "Error Type: Runtime.OutOfMemory"},
	} {
		t.Run(tc.kind, func(t *testing.T) {
			if tc.kind == "memory" && !f.host.Report().Layer(sandbox.LayerMemory).Active {
				t.Skip(f.host.Report().Layer(sandbox.LayerMemory).Detail)
			}
			ctx := service.WithRequest(f.ctx, &service.Request{ID: "id-" + tc.kind, Account: "000000000000", Region: "us-east-1"})
			out, err := f.invoke(ctx, &api.InvokeInput{FunctionName: "fails", Payload: []byte(`{"kind":"` + tc.kind + `"}`), LogType: "Tail"})
			if err != nil {
				t.Fatal(err)
			}
			if orZero(out.FunctionError) != "Unhandled" || orZero(out.StatusCode) != 200 {
				t.Errorf("status %d, error %q", orZero(out.StatusCode), orZero(out.FunctionError))
			}
			if want := strings.ReplaceAll(tc.want, "ID", "id-"+tc.kind); !strings.Contains(string(out.Payload), want) {
				t.Errorf("payload %.300s\nwant %s", out.Payload, want)
			}
			if tail := tailOf(t, out); !strings.Contains(tail, tc.log) {
				t.Errorf("log lacks %q:\n%s", tc.log, tail)
			}
			if ok := f.call(t, "fails", `{"kind":"fine"}`); string(ok.Payload) != `"fine"` {
				t.Errorf("the next call answered %s", ok.Payload)
			}
		})
	}
}

func TestBrokenInitialisationIsReported(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "import", "import missing_module\ndef handler(e, c): pass\n", nil)
	out := f.call(t, "import", `{}`)
	if want := `"errorMessage": "Unable to import module 'app': No module named 'missing_module'", "errorType": "Runtime.ImportModuleError"`; !strings.Contains(string(out.Payload), want) {
		t.Errorf("payload %s\nwant %s", out.Payload, want)
	}
	f.python(t, "sdk", "raise ModuleNotFoundError(\"No module named 'boto3'\")\n", nil)
	if out := f.call(t, "sdk", `{}`); !strings.Contains(tailOf(t, out), "LAMBENT WARNING: AWS's runtimes bring boto3 along; here functions have it in their package, or from: lambent runtime sdk python") {
		t.Errorf("the log does not say where boto3 comes from: %s", tailOf(t, out))
	}
	f.python(t, "raises", "raise Exception('Runtime ' + 'startup fails')\n", nil)
	out = f.call(t, "raises", `{}`)
	for _, want := range []string{`, in import_module\n    return _bootstrap._gcd_import(name[level:], package, level)\n", `, `in _call_with_frames_removed\n`, `app.py\", line 1, in <module>\n    raise Exception('Runtime ' + 'startup fails')\n"]`} {
		if !strings.Contains(string(out.Payload), want) {
			t.Errorf("payload %s\nwant %s", out.Payload, want)
		}
	}
	f.create(t, "wrapped", "python3.12", "app.handler", map[string]string{"app.py": "def handler(e, c): pass\n"}, func(in *api.CreateFunctionInput) {
		in.Environment = &api.Environment{Variables: map[string]string{"AWS_LAMBDA_EXEC_WRAPPER": "/nowhere.sh"}}
	})
	out = f.call(t, "wrapped", `{}`)
	if want := `Error: Runtime exited with error: exit status 127"`; !strings.Contains(string(out.Payload), want) || !strings.Contains(tailOf(t, out), "AWS_LAMBDA_EXEC_WRAPPER names did not start") {
		t.Errorf("payload %s\nlog %s\nwant %s", out.Payload, tailOf(t, out), want)
	}
	f.create(t, "nothing", "provided.al2023", "x", map[string]string{"readme": "no bootstrap"}, nil)
	out = f.call(t, "nothing", `{}`)
	if want := `"errorType":"Runtime.InvalidEntrypoint"`; !strings.Contains(string(out.Payload), want) {
		t.Errorf("payload %s\nwant %s", out.Payload, want)
	}
}

func TestDryRunChecksAndRunsNothing(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "def handler(event, context): print('ran')\n", nil)
	out, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f", InvocationType: api.InvocationTypeDryRun, Payload: []byte(`{}`)})
	if err != nil || orZero(out.StatusCode) != 204 || len(out.Payload) > 0 {
		t.Errorf("answered %+v, %v", out, err)
	}
	for name, in := range map[string]api.InvokeInput{
		"ResourceNotFoundException":      {FunctionName: "f", Qualifier: ptr("7")},
		"InvalidRequestContentException": {FunctionName: "f", Payload: []byte("no JSON")},
	} {
		in.InvocationType = api.InvocationTypeDryRun
		if _, err := f.invoke(f.ctx, &in); service.Code(err) != name {
			t.Errorf("error %v, want %s", err, name)
		}
	}
	f.call(t, "f", `{}`)
	if n := strings.Count(f.sink.text(), "ran"); n != 1 {
		t.Errorf("it ran %d times", n)
	}
}

func TestReservedConcurrencyThrottles(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "slow", "import time\ndef handler(e, c):\n    time.sleep(e)\n", nil)
	if _, err := f.putFunctionConcurrency(f.ctx, &api.PutFunctionConcurrencyInput{FunctionName: "slow", ReservedConcurrentExecutions: 1}); err != nil {
		t.Fatal(err)
	}
	f.call(t, "slow", `0`)
	slow := ref{scope: scopeOf(f.ctx), name: "slow"}
	release, _, reason := f.slots.take(slow, poolKey{function: slow.function(), version: latest}, quota{reserved: ptr(1)}, time.Time{})
	if reason != "" {
		t.Fatal(reason)
	}
	_, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "slow", Payload: []byte(`0`)})
	if e, ok := err.(*service.Error); !ok || e.Status != 429 || e.Code != "TooManyRequestsException" || e.Detail.(*api.TooManyRequestsException).Reason != reasonReserved {
		t.Errorf("error %#v", err)
	}
	release()
	f.call(t, "slow", `0`)
	if _, err := f.putFunctionConcurrency(f.ctx, &api.PutFunctionConcurrencyInput{FunctionName: "slow", ReservedConcurrentExecutions: 901}); service.Code(err) != "InvalidParameterValueException" {
		t.Errorf("reserving all: %v", err)
	}
}

func TestUpdateIsSeenByTheNextCall(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "import os\ndef handler(e, c): return os.environ.get('WHO', 'nobody')\n", nil)
	if got := f.call(t, "f", `{}`); string(got.Payload) != `"nobody"` {
		t.Fatalf("%s", got.Payload)
	}
	published, err := f.publishVersion(f.ctx, &api.PublishVersionInput{FunctionName: "f"})
	if err != nil || orZero(published.Version) != "1" {
		t.Fatalf("published %+v, %v", published, err)
	}
	if _, err := f.createAlias(f.ctx, &api.CreateAliasInput{FunctionName: "f", Name: "live", FunctionVersion: "1"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.updateFunctionConfiguration(f.ctx, &api.UpdateFunctionConfigurationInput{FunctionName: "f", Environment: &api.Environment{Variables: map[string]string{"WHO": "me"}}}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"f": `"me"`, "f:live": `"nobody"`, "f:1": `"nobody"`} {
		if got := f.call(t, name, `{}`); string(got.Payload) != want {
			t.Errorf("%s answered %s, want %s", name, got.Payload, want)
		}
	}
	if _, err := f.updateFunctionCode(f.ctx, &api.UpdateFunctionCodeInput{FunctionName: "f", ZipFile: zipOf(t, map[string]string{"app.py": "def handler(e, c): return 'new'\n"})}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"f": `"new"`, "f:live": `"nobody"`} {
		if got := f.call(t, name, `{}`); string(got.Payload) != want {
			t.Errorf("%s answered %s, want %s", name, got.Payload, want)
		}
	}
}

func TestBadInputIsRefusedByName(t *testing.T) {
	f := newFixture(t, nil)
	good := func() *api.CreateFunctionInput {
		return &api.CreateFunctionInput{
			FunctionName: "f", Runtime: "provided.al2023", Handler: ptr("x"), Role: testRole,
			Code: &api.FunctionCode{ZipFile: zipOf(t, map[string]string{"bootstrap": "#!/bin/sh\n"})},
		}
	}
	for name, tc := range map[string]struct {
		change     func(in *api.CreateFunctionInput)
		code, want string
	}{
		"runtime": {func(in *api.CreateFunctionInput) { in.Runtime = "cobol85" }, "InvalidParameterValueException", "Value cobol85 at 'runtime'"},
		"dotnet":  {func(in *api.CreateFunctionInput) { in.Runtime = "dotnet10" }, "InvalidParameterValueException", "the runtime dotnet10 is not installed"},
		"zip":     {func(in *api.CreateFunctionInput) { in.Code.ZipFile = []byte("x") }, "InvalidParameterValueException", "Could not unzip uploaded file."},
		"climb":   {func(in *api.CreateFunctionInput) { in.Code.ZipFile = zipOf(t, map[string]string{"../x": ""}) }, "InvalidParameterValueException", "leaves the folder"},
		"key":     {func(in *api.CreateFunctionInput) { in.KMSKeyArn = ptr("arn") }, "InvalidParameterValueException", "parameter KMSKeyArn of CreateFunction"},
		"vpc":     {func(in *api.CreateFunctionInput) { in.VpcConfig = &api.VpcConfig{SubnetIds: []string{"s"}} }, "InvalidParameterValueException", "must coexist"},
		"subnet": {func(in *api.CreateFunctionInput) {
			in.VpcConfig = &api.VpcConfig{SubnetIds: []string{"bad-format"}, SecurityGroupIds: []string{"sg-1"}}
		}, "ValidationException", "1 validation error detected: Value '[bad-format]' at 'vpcConfig.subnetIds' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 1024, Member must have length greater than or equal to 0, Member must satisfy regular expression pattern: subnet-[0-9a-z]*]"},
		"group": {func(in *api.CreateFunctionInput) {
			in.VpcConfig = &api.VpcConfig{SubnetIds: []string{"subnet-1"}, SecurityGroupIds: []string{"bad-format"}}
		}, "ValidationException", "at 'vpcConfig.securityGroupIds' failed to satisfy constraint"},
		"image": {func(in *api.CreateFunctionInput) { in.ImageConfig = &api.ImageConfig{} }, "InvalidParameterValueException", "packageType Image"},
		"dlq": {
			func(in *api.CreateFunctionInput) {
				in.DeadLetterConfig = &api.DeadLetterConfig{TargetArn: ptr("arn:aws:s3:::b")}
			}, "InvalidParameterValueException", "is not a queue of SQS or a topic of SNS",
		},
		"variable": {func(in *api.CreateFunctionInput) {
			in.Environment = &api.Environment{Variables: map[string]string{"AWS_REGION": "x"}}
		}, "InvalidParameterValueException", "Reserved keys used in this request: AWS_REGION"},
		"large environment": {func(in *api.CreateFunctionInput) {
			in.Environment = &api.Environment{Variables: map[string]string{"BIG": strings.Repeat("x", 5000)}}
		}, "InvalidParameterValueException", "exceeded the 4KB limit. String measured: {\"BIG\":"},
	} {
		t.Run(name, func(t *testing.T) {
			in := good()
			tc.change(in)
			_, err := f.createFunction(f.ctx, in)
			if service.Code(err) != tc.code || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %s with %q", err, tc.code, tc.want)
			}
		})
	}
	if _, err := f.createFunction(f.ctx, good()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.createFunction(f.ctx, good()); service.Code(err) != "ResourceConflictException" {
		t.Errorf("second create: %v", err)
	}
	if _, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f", Payload: []byte(`{`)}); service.Code(err) != "InvalidRequestContentException" {
		t.Errorf("broken payload: %v", err)
	}
	if _, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "missing"}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("missing function: %v", err)
	}
}

// TestTagsAreShownToThoseWhoMayListThem gets a function as somebody who may get it, and not list its tags.
func TestTagsAreShownToThoseWhoMayListThem(t *testing.T) {
	f := newFixture(t, nil)
	f.create(t, "f", "provided.al2023", "x", map[string]string{"bootstrap": ""}, func(in *api.CreateFunctionInput) { in.Tags = map[string]string{"a": "b"} })
	if out, err := f.getFunction(f.ctx, &api.GetFunctionInput{FunctionName: "f"}); err != nil || out.Tags["a"] != "b" || out.TagsError != nil {
		t.Errorf("root is shown %v, %+v, %v", out.Tags, out.TagsError, err)
	}
	ctx := service.WithRequest(f.ctx, &service.Request{Account: "000000000000", Region: "us-east-1", Principal: service.Principal{Kind: service.User}})
	out, err := f.getFunction(ctx, &api.GetFunctionInput{FunctionName: "f"})
	if err != nil || out.Tags != nil || out.TagsError == nil || out.TagsError.ErrorCode != "AccessDeniedException" {
		t.Errorf("another is shown %v, %+v, %v", out.Tags, out.TagsError, err)
	}
}

func TestPermissionsMakeThePolicy(t *testing.T) {
	f := newFixture(t, nil)
	f.create(t, "f", "provided.al2023", "x", map[string]string{"bootstrap": ""}, nil)
	from := port.Source{Service: "s3.amazonaws.com", ARN: "arn:aws:s3:::b", Account: "000000000000"}
	arn := "arn:aws:lambda:us-east-1:000000000000:function:f"
	if err := f.CheckInvoke(f.ctx, from, arn); service.Code(err) != "AccessDeniedException" {
		t.Errorf("without a permission: %v", err)
	}
	add := &api.AddPermissionInput{FunctionName: "f", StatementId: "s3", Action: "lambda:InvokeFunction", Principal: "s3.amazonaws.com", SourceArn: ptr("arn:aws:s3:::b")}
	if _, err := f.addPermission(f.ctx, add); err != nil {
		t.Fatal(err)
	}
	if err := f.CheckInvoke(f.ctx, from, arn); err != nil {
		t.Errorf("with the permission: %v", err)
	}
	if _, err := f.addPermission(f.ctx, add); service.Code(err) != "ResourceConflictException" {
		t.Errorf("the same statement again: %v", err)
	}
	p, err := f.getPolicy(f.ctx, &api.GetPolicyInput{FunctionName: "f"})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"s3","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + arn + `","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}}]}`
	if orZero(p.Policy) != want {
		t.Errorf("policy %s\nwant   %s", orZero(p.Policy), want)
	}
	if _, err := f.removePermission(f.ctx, &api.RemovePermissionInput{FunctionName: "f", StatementId: "other"}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("removing a statement that is not there: %v", err)
	}
	if _, err := f.removePermission(f.ctx, &api.RemovePermissionInput{FunctionName: "f", StatementId: "s3"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.getPolicy(f.ctx, &api.GetPolicyInput{FunctionName: "f"}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("policy after the last statement: %v", err)
	}
}

func TestAPolicyIsPutAsAWhole(t *testing.T) {
	f := newFixture(t, nil)
	f.create(t, "f", "provided.al2023", "x", map[string]string{"bootstrap": ""}, nil)
	from := port.Source{Service: "s3.amazonaws.com", ARN: "arn:aws:s3:::b", Account: "000000000000"}
	arn := "arn:aws:lambda:us-east-1:000000000000:function:f"
	if _, err := f.addPermission(f.ctx, &api.AddPermissionInput{FunctionName: "f", StatementId: "sns", Action: "lambda:InvokeFunction", Principal: "sns.amazonaws.com"}); err != nil {
		t.Fatal(err)
	}
	put := func(text string) (*api.PutResourcePolicyOutput, error) {
		return f.putResourcePolicy(f.ctx, &api.PutResourcePolicyInput{ResourceArn: arn, Policy: text})
	}
	for name, text := range map[string]string{
		"no JSON": "{", "no statements": `{"Version": "2012-10-17", "Statement": []}`, "no principal": `{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}}`,
	} {
		if _, err := put(text); service.Code(err) != "InvalidParameterValueException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	const one = `{"Sid":"in","Effect":"Allow","Principal":{"Service":["s3.amazonaws.com","events.amazonaws.com"]},"Action":["lambda:InvokeFunction"],"Resource":"*","Condition":{"StringLike":{"aws:SourceArn":["arn:aws:s3:::*"]}}}`
	first, err := put(`{"Version": "2012-10-17", "Statement": ` + one + `}`)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Version":"2012-10-17","Statement":[` + one + `]}`
	if orZero(first.Policy) != want {
		t.Errorf("policy %s\nwant   %s", orZero(first.Policy), want)
	}
	if err := f.CheckInvoke(f.ctx, from, arn); err != nil {
		t.Errorf("with the policy: %v", err)
	}
	if err := f.CheckInvoke(f.ctx, port.Source{Service: "sns.amazonaws.com"}, arn); service.Code(err) != "AccessDeniedException" {
		t.Errorf("by the permission that was there before: %v", err)
	}
	if _, err := f.addPermission(f.ctx, &api.AddPermissionInput{FunctionName: "f", StatementId: "sns", Action: "lambda:InvokeFunction", Principal: "sns.amazonaws.com"}); err != nil {
		t.Errorf("a permission beside it: %v", err)
	}
	got, err := f.getResourcePolicy(f.ctx, &api.GetResourcePolicyInput{ResourceArn: arn})
	if err != nil || !strings.HasPrefix(orZero(got.Policy), strings.TrimSuffix(want, "]}")+",") {
		t.Errorf("policy %s, %v", orZero(got.Policy), err)
	}
	if _, err := f.deleteResourcePolicy(f.ctx, &api.DeleteResourcePolicyInput{ResourceArn: arn, RevisionId: first.RevisionId}); service.Code(err) != "PreconditionFailedException" {
		t.Errorf("deletion of an older revision: %v", err)
	}
	if _, err := f.deleteResourcePolicy(f.ctx, &api.DeleteResourcePolicyInput{ResourceArn: arn, RevisionId: got.RevisionId}); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"get":    second(f.getResourcePolicy(f.ctx, &api.GetResourcePolicyInput{ResourceArn: arn})),
		"delete": second(f.deleteResourcePolicy(f.ctx, &api.DeleteResourcePolicyInput{ResourceArn: arn})),
	} {
		if service.Code(err) != "ResourceNotFoundException" {
			t.Errorf("%s of none: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestAsyncInvocationRunsAfterItsCommit(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "def handler(e, c):\n    print('event', e['n'])\n", nil)
	if _, err := f.addPermission(f.ctx, &api.AddPermissionInput{FunctionName: "f", StatementId: "s3", Action: "lambda:InvokeFunction", Principal: "s3.amazonaws.com"}); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 8)
	kind := f.asyncKind()
	handle := kind.Handle
	kind.Handle = func(ctx context.Context, job events.Job) error {
		err := handle(ctx, job)
		var refused *service.Error
		if errors.As(err, &refused) {
			done <- err
		} else {
			done <- nil // the event has ended
		}
		return err
	}
	q := events.New(f.store, clock.System{}, slog.New(slog.DiscardHandler))
	if err := q.Register(kind); err != nil {
		t.Fatal(err)
	}
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	arn := "arn:aws:lambda:us-east-1:000000000000:function:f"
	for _, tc := range []struct {
		from, log string
		denied    bool
	}{{"s3.amazonaws.com", "event 1", false}, {"sns.amazonaws.com", "event 1", true}} {
		err := f.store.Update(t.Context(), func(tx store.Txn) error {
			return f.EnqueueAsync(t.Context(), tx, port.Source{Service: tc.from}, arn, []byte(`{"n":1}`))
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-done; (err != nil) != tc.denied {
			t.Errorf("event from %s: %v", tc.from, err)
		}
	}
	out, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f", Payload: []byte(`{"n":2}`), InvocationType: "Event"})
	if err != nil || orZero(out.StatusCode) != 202 {
		t.Fatalf("event by the API: %+v, %v", out, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if text := f.sink.text(); strings.Count(text, "event 1") != 1 || strings.Count(text, "event 2") != 1 {
		t.Errorf("log:\n%s", text)
	}
}

func TestFunctionReachesThePlatformOnly(t *testing.T) {
	served := make(chan string, 8)
	f := newFixture(t, func(o *Options) {
		o.Serve = func(l net.Listener) {
			_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				served <- r.Host
				_, _ = w.Write([]byte("platform"))
			}))
		}
	})
	if !f.host.Report().Isolated() {
		t.Skip(f.host.Report())
	}
	other, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	f.python(t, "f", `
import os, socket, urllib.request
def handler(e, c):
    out = [urllib.request.urlopen(os.environ['AWS_ENDPOINT_URL']).read().decode()]
    for host, port in [('127.0.0.1', e), ('169.254.169.254', 80), ('10.255.255.1', 80)]:
        try:
            socket.create_connection((host, port), 1)
            out.append('open')
        except OSError as x:
            out.append('closed')
    return out
`, func(in *api.CreateFunctionInput) { in.Timeout = ptr(int32(10)) })
	port := other.Addr().(*net.TCPAddr).AddrPort().Port()
	out := f.call(t, "f", string(mustJSON(t, port)))
	if string(out.Payload) != `["platform", "closed", "closed", "closed"]` {
		t.Errorf("payload %s", out.Payload)
	}
	if host := <-served; host != "127.0.0.1:4566" {
		t.Errorf("the platform was called as %s", host)
	}
}

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestListingPagesThroughFunctions(t *testing.T) {
	f := newFixture(t, nil)
	for _, name := range []string{"c", "a", "b"} {
		f.create(t, name, "provided.al2", "x", map[string]string{"bootstrap": name}, nil)
	}
	var got []string
	in := &api.ListFunctionsInput{MaxItems: ptr(int32(2))}
	for {
		out, err := f.listFunctions(f.ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range out.Functions {
			got = append(got, orZero(c.FunctionName))
		}
		if in.Marker = out.NextMarker; in.Marker == nil {
			break
		}
	}
	if !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("functions %v", got)
	}
	if _, err := f.deleteFunction(f.ctx, &api.DeleteFunctionInput{FunctionName: "b"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.getFunction(f.ctx, &api.GetFunctionInput{FunctionName: "b"}); service.Code(err) != "ResourceNotFoundException" {
		t.Errorf("get after delete: %v", err)
	}
}

// BenchmarkWarmInvoke measures an invocation of a warm function through the handler, the store, the Runtime API and the log.
func BenchmarkWarmInvoke(b *testing.B) {
	f := newFixture(b, nil)
	f.python(b, "f", "def handler(e, c): return e\n", nil)
	f.call(b, "f", `{}`)
	in := &api.InvokeInput{FunctionName: "f", Payload: []byte(`{"a":1}`)}
	took := make([]time.Duration, 0, b.N)
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		if _, err := f.invoke(f.ctx, in); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkColdInvoke measures an invocation that has to start an environment.
func BenchmarkColdInvoke(b *testing.B) {
	f := newFixture(b, nil)
	f.python(b, "f", "def handler(e, c): return e\n", nil)
	in := &api.InvokeInput{FunctionName: "f", Payload: []byte(`{"a":1}`)}
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		began := time.Now()
		if _, err := f.invoke(f.ctx, in); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		f.pools.retire(ref{scope: scopeOf(f.ctx), name: "f"}, "")
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
}
