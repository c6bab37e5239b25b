package runtimes

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/runtimes/rapi"
	"lambent.dev/lambent/internal/sandbox"
)

// extensionProgram registers as an extension and writes every event that it hears. MODE makes it misbehave.
const extensionProgram = `
import http.client, json, os, sys
name = os.path.basename(sys.argv[0])
c = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, fields, body=None):
    c.request(method, "/2020-01-01/extension/" + path, body, fields)
    r = c.getresponse()
    return r, r.read()
r, body = call("POST", "register", {"Lambda-Extension-Name": name, "Lambda-Extension-Accept-Feature": "accountId"}, json.dumps({"events": ["INVOKE", "SHUTDOWN"]}))
print("registered", r.status, body.decode(), os.environ.get("WHO"), os.getcwd(), flush=True)
me = {"Lambda-Extension-Identifier": r.headers["Lambda-Extension-Identifier"]}
if os.environ.get("MODE") == "init-error":
    call("POST", "init/error", {**me, "Lambda-Extension-Function-Error-Type": "Extension.NoLicence"}, "{}")
if os.environ.get("MODE") == "die":
    import signal
    signal.setitimer(signal.ITIMER_REAL, 0.05)
while True:
    r, body = call("GET", "event/next", me)
    event = json.loads(body)
    print("event", event["eventType"], event.get("requestId", event.get("shutdownReason")), flush=True)
    if event["eventType"] == "SHUTDOWN" and os.environ.get("MODE") == "stay":
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)
    if event["eventType"] == "SHUTDOWN" or os.environ.get("MODE") == "exit":
        print("gone", flush=True)
        break
`

// extended starts a python function with an extension.
func (b *bench) extended(t *testing.T, mode string, perm os.FileMode) (*Environment, *output) {
	t.Helper()
	s, out := b.spec(t, "python3.11", "app.handler", map[string]string{"app.py": "def handler(e, c):\n    print('handled', flush=True)\n    return 1\n"}, "WHO=me", "MODE="+mode)
	s.Layers, s.Account = b.extensionLayer(t, &s, perm), "123456789012"
	return b.begin(t, &s), out
}

// extensionLayer is a folder of layers with the extension.
func (b *bench) extensionLayer(t *testing.T, s *Spec, perm os.FileMode) string {
	t.Helper()
	layers := t.TempDir()
	dir := filepath.Join(layers, "extensions")
	err := errors.Join(os.Chmod(layers, 0o755), os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "watcher"), []byte("#!"+s.Runtime.argv[0]+"\n"+extensionProgram), perm))
	if err != nil {
		t.Fatal(err)
	}
	return layers
}

func TestExtensionHearsOfInvocationsAndOfTheEnd(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	for _, parked := range []bool{false, true} {
		if b.parked = parked; parked && !b.host.CanPark() {
			t.Skip("cells cannot be parked here: that takes root and a memory controller")
		}
		e, out := b.extended(t, "", 0o755)
		for _, id := range []string{"id-1", "id-2"} {
			inv := event(id, `{}`)
			if answer, err := e.Invoke(t.Context(), inv); err != nil || string(answer.Body) != "1" {
				t.Fatalf("%s %v\n%s", answer.Body, err, out)
			}
		}
		if err := e.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		e.Shutdown("spindown")
		var seen []string
		for line := range strings.Lines(out.String()) {
			if line = strings.TrimSpace(line); line != "handled" {
				seen = append(seen, line)
			}
		}
		want := `registered 200 {"accountId":"123456789012","functionName":"f","functionVersion":"","handler":"app.handler"} me /|event INVOKE id-1|event INVOKE id-2|event SHUTDOWN spindown|gone`
		if got := strings.Join(seen, "|"); got != want {
			t.Errorf("parked %v: extension wrote\n%s, want\n%s", parked, got, want)
		}
	}
}

func TestExtensionThatFailsEndsTheEnvironment(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	for _, tc := range []struct {
		mode string
		perm os.FileMode
		kind string
	}{{"init-error", 0o755, "Extension.InitError"}, {"die", 0o755, "Extension.Crash"}, {"", 0o644, "Extension.LaunchError"}} {
		e, out := b.extended(t, tc.mode, tc.perm)
		err := e.WaitReady(t.Context())
		for err == nil { // the extension dies while it waits
			select {
			case <-e.session.Over():
				err = e.WaitReady(t.Context())
			case <-t.Context().Done():
				t.Fatal("the extension did not end")
			}
		}
		var failed *rapi.InitError
		if !errors.As(err, &failed) || failed.Type != tc.kind {
			t.Errorf("%s: error %v, want %s\n%s", tc.mode, err, tc.kind, out)
		}
	}
}

// TestExtensionThatEndsDuringAnInvocationEndsTheEnvironment has an extension end that does not wait for an event, which shows when the invocation's time is up.
func TestExtensionThatEndsDuringAnInvocationEndsTheEnvironment(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	e, out := b.extended(t, "exit", 0o755)
	if err := e.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	inv := event("id-1", `{}`)
	inv.Deadline = time.Now().Add(2 * time.Second)
	if answer, err := e.Invoke(t.Context(), inv); err != nil || string(answer.Body) != "1" {
		t.Fatalf("%s %v\n%s", answer.Body, err, out)
	}
	<-e.Done()
}

func TestExtensionThatIsNotDoneInTimeEndsTheEnvironment(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	e, _ := b.extended(t, "", 0o755)
	if err := e.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	e.session.Extensions().Expect(rapi.About{}, []string{"never"}) // an extension that hangs
	go e.settle(time.Now().Add(50 * time.Millisecond))
	<-e.Done()
	if err := e.WaitReady(t.Context()); err == nil {
		t.Error("the environment is ready")
	}
}

// TestWrapperStartsTheRuntime has a script of the function start the runtime, with variables of its own.
func TestWrapperStartsTheRuntime(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	for _, parked := range []bool{false, true} {
		if b.parked = parked; parked && !b.host.CanPark() {
			t.Skip("cells cannot be parked here: that takes root and a memory controller")
		}
		e, out := b.start(t, "python3.11", "app.handler", map[string]string{
			"app.py": "import os\ndef handler(e, c): return os.environ['ADDED']\n", "wrap": "#!/bin/sh\nexport ADDED=by-wrapper\nexec \"$@\"\n",
		}, "AWS_LAMBDA_EXEC_WRAPPER=/var/task/wrap")
		answer, err := e.Invoke(t.Context(), event("1", `{}`))
		if err != nil || string(answer.Body) != `"by-wrapper"` {
			t.Errorf("parked %v: %s %v\n%s", parked, answer.Body, err, out)
		}
	}
}

// TestEnvironmentThatIgnoresTheEndIsEnded has neither the function nor its extension go when they are told.
func TestEnvironmentThatIgnoresTheEndIsEnded(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	s, out := b.spec(t, "python3.11", "app.handler", map[string]string{
		"app.py": "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef handler(e, c): return 1\n",
	}, "WHO=me", "MODE=stay")
	s.Layers = b.extensionLayer(t, &s, 0o755)
	e := b.begin(t, &s)
	if answer, err := e.Invoke(t.Context(), event("id-1", `{}`)); err != nil || string(answer.Body) != "1" {
		t.Fatalf("%s %v\n%s", answer.Body, err, out)
	}
	if err := e.WaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	e.Shutdown("spindown")
	<-e.Done()
	if took := time.Since(began); took < shutdownTime || !strings.Contains(out.String(), "SHUTDOWN spindown") {
		t.Errorf("ended after %v, want the whole of %v\n%s", took, shutdownTime, out)
	}
}
