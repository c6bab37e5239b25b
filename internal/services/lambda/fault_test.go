package lambda

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// faulty is a function with a fault, and what its caller and its log are told.
type faulty struct {
	runtime, handler, file, source string
	timeout                        int32
	// payload and log are parts of the answer and of the log.
	payload, log string
}

// timedOut is part of the answer for a function whose time was up, atLast the answer of the one that answers in the end.
const (
	timedOut = `"errorType":"Sandbox.Timedout"`
	atLast   = `"at last"`
)

// faults are functions that do what no function should, in the languages in which it differs.
func faults() map[string]faulty {
	python := func(f faulty) faulty { f.runtime, f.file = "python3.11", "app.py"; return f }
	node := func(f faulty) faulty { f.runtime, f.file = "nodejs20.x", "app.js"; return f }
	ruby := func(f faulty) faulty { f.runtime, f.file = "ruby3.3", "app.rb"; return f }
	shell := func(f faulty) faulty { f.runtime, f.file = "provided.al2023", "bootstrap"; return f }
	const (
		exited   = `"errorType":"Runtime.ExitError"`
		tooLarge = `{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}`
	)
	// answer is the part of a Runtime API client that takes one event, with the id in $id.
	const answer = `#!/bin/sh
api=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime
id=$(curl -sD- -o/dev/null $api/invocation/next | tr -d '\r' | sed -n 's/^lambda-runtime-aws-request-id: //Ip')
`
	return map[string]faulty{
		"python, handler missing":   python(faulty{source: "x = 1\n", payload: `"errorType": "Runtime.HandlerNotFound"`}),
		"python, file missing":      python(faulty{handler: "other.handler", source: "x = 1\n", payload: `"errorType": "Runtime.ImportModuleError"`}),
		"python, raises at import":  python(faulty{source: "raise ValueError('never')\n", payload: `"errorType": "ValueError"`, log: "ValueError: never"}),
		"python, syntax":            python(faulty{source: "def handler(:\n", payload: `"errorType": "Runtime.UserCodeSyntaxError"`}),
		"python, exits at import":   python(faulty{source: "import os\nos._exit(7)\n", payload: exited, log: "Error Type: Runtime.ExitError"}),
		"python, leaves at import":  python(faulty{source: "import sys\nsys.exit(0)\n", payload: "Error: Runtime exited without providing a reason", log: "Error Type: Runtime.ExitError"}),
		"python, sys.exit":          python(faulty{source: "import sys\ndef handler(e, c): sys.exit(4)\n", payload: exited, log: "Error Type: Runtime.ExitError"}),
		"python, segmentation":      python(faulty{source: "import ctypes\ndef handler(e, c): ctypes.string_at(0)\n", payload: "signal: segmentation fault", log: "Error Type: Runtime.ExitError"}),
		"python, a byte too large":  python(faulty{source: "def handler(e, c): return 'x' * (6291556 - 1)\n", payload: tooLarge}),
		"python, hangs in init":     python(faulty{source: "import time\nprint('loading', flush=True)\ntime.sleep(3600)\n", timeout: 1, payload: timedOut, log: "loading"}),
		"python, ignores SIGTERM":   python(faulty{source: "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ndef handler(e, c): time.sleep(3600)\n", timeout: 1, payload: timedOut, log: "Status: timeout"}),
		"node, handler missing":     node(faulty{source: "exports.other = 1\n", payload: `"errorType":"Runtime.HandlerNotFound"`}),
		"node, throws at import":    node(faulty{source: "throw new RangeError('never')\n", payload: `"errorType":"RangeError"`, log: "never"}),
		"node, exits":               node(faulty{source: "exports.handler = async () => process.exit(5)\n", payload: "exit status 5", log: "Error Type: Runtime.ExitError"}),
		"node, throws later":        node(faulty{source: "exports.handler = () => new Promise(() => setTimeout(() => { throw new Error('late') }, 1))\n", payload: `late`}),
		"node, aborts":              node(faulty{source: "exports.handler = async () => process.abort()\n", payload: "signal: aborted", log: "Error Type: Runtime.ExitError"}),
		"node, a byte too large":    node(faulty{source: "exports.handler = async () => 'x'.repeat(6291556 - 1)\n", payload: tooLarge}),
		"node, ignores SIGTERM":     node(faulty{source: "process.on('SIGTERM', () => {})\nexports.handler = () => { for (;;) ; }\n", timeout: 1, payload: timedOut}),
		"ruby, handler missing":     ruby(faulty{source: "X = 1\n", payload: "\"errorMessage\":\"undefined method `handler'\",\"errorType\":\"Init<NameError>\""}),
		"ruby, raises at load":      ruby(faulty{source: "raise 'never'\n", payload: `never`}),
		"ruby, exits":               ruby(faulty{source: "def handler(event:, context:) = exit!(6)\n", payload: "exit status 6", log: "Error Type: Runtime.ExitError"}),
		"shell, ends at once":       shell(faulty{source: "#!/bin/sh\nexit 3\n", payload: "exit status 3", log: "Error Type: Runtime.ExitError"}),
		"shell, no interpreter":     shell(faulty{source: "#!/nowhere\n", payload: `"errorType":"Runtime.InvalidEntrypoint"`}),
		"shell, never asks":         shell(faulty{source: "#!/bin/sh\nsleep 3600\n", timeout: 1, payload: timedOut}),
		"shell, answers another id": shell(faulty{source: answer + "curl -sS -d 1 $api/invocation/other/response\nsleep 3600\n", timeout: 3, payload: timedOut, log: "InvalidRequestID"}),
		"shell, asks before it answers": shell(faulty{
			source: answer + "curl -sS $api/invocation/next\ncurl -sS -d '\"at last\"' $api/invocation/$id/response\nsleep 3600\n", timeout: 3, payload: atLast,
		}),
		"shell, unknown path":        shell(faulty{source: answer + "curl -sS -d 1 $api/nothing\nsleep 3600\n", timeout: 3, payload: timedOut, log: "is not part of the Runtime API"}),
		"shell, cuts its answer":     shell(faulty{source: answer + "printf 'POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\\r\\nContent-Length: 100\\r\\n\\r\\nhalf' $id | timeout 1 bash -c 'exec 3<>/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}; cat >&3'\nsleep 3600\n", payload: `"errorType":"Runtime.TruncatedResponse"`}),
		"shell, no HTTP":             shell(faulty{source: answer + "timeout 1 bash -c 'exec 3<>/dev/tcp/${AWS_LAMBDA_RUNTIME_API%:*}/${AWS_LAMBDA_RUNTIME_API#*:}; printf \"\\0\\1\\2\\r\\n\\r\\n\" >&3; cat <&3'\nsleep 3600\n", timeout: 3, payload: timedOut, log: "InvalidRequest"}),
		"shell, no JSON as an error": shell(faulty{source: answer + "curl -sS -d '{' $api/invocation/$id/error\nsleep 3600\n", timeout: 3, payload: "an error that is not JSON"}),
	}
}

// TestFaultyFunctionsHarmThemselvesAlone invokes functions with faults. Each is answered in AWS's shape within its time, and so again; and a function without one answers
// at the end from the environment that it had before.
func TestFaultyFunctionsHarmThemselvesAlone(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "good", "import os\ndef handler(e, c): return os.getpid()\n", nil)
	was := string(f.call(t, "good", `{}`).Payload)
	t.Run("faults", func(t *testing.T) {
		for name, tc := range faults() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				f.fault(t, strings.NewReplacer(",", "", " ", "-", ".", "-").Replace(name), &tc)
			})
		}
	})
	if got := string(f.call(t, "good", `{}`).Payload); got != was {
		t.Errorf("the function without a fault answers %s, want %s", got, was)
	}
}

// fault invokes a function with a fault, twice unless that would take its time again.
func (f *fixture) fault(t *testing.T, name string, tc *faulty) {
	t.Helper()
	handler := tc.handler
	if handler == "" {
		handler = "app.handler"
	}
	f.create(t, name, tc.runtime, handler, map[string]string{tc.file: tc.source}, func(in *api.CreateFunctionInput) {
		in.Timeout = ptr(int32(10))
		if tc.timeout > 0 {
			in.Timeout = ptr(tc.timeout)
		}
	})
	times := 2
	if tc.payload == timedOut {
		times = 1
	}
	for range times {
		out := f.call(t, name, `{}`)
		if !strings.Contains(string(out.Payload), tc.payload) {
			t.Errorf("answered %.300s, want %s", out.Payload, tc.payload)
		}
		if failed := orZero(out.FunctionError) == "Unhandled"; failed == (tc.payload == atLast) {
			t.Errorf("function error %q", orZero(out.FunctionError))
		}
		if log := f.sink.ofFunction(name); !strings.Contains(log, tc.log) {
			t.Errorf("log lacks %q:\n%s", tc.log, log)
		}
	}
}

// ofFunction is the log of a function.
func (s *lines) ofFunction(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for where, list := range s.streams {
		if strings.Contains(where, " /aws/lambda/"+name+" ") {
			all = append(all, list...)
		}
	}
	return strings.Join(all, "\n")
}

// TestCorruptArchivesMakeNoFunction cuts and changes an archive at every part of it: each is refused, or holds what it held.
func TestCorruptArchivesMakeNoFunction(t *testing.T) {
	f := newFixture(t, nil)
	whole := zipOf(t, map[string]string{"app.py": "def handler(e, c): return 'whole'\n"})
	made := 0
	for i := range whole {
		broken := append([]byte(nil), whole...)
		broken[i] ^= 0xff
		for _, archive := range [][]byte{broken, whole[:i]} {
			_, err := f.createFunction(f.ctx, &api.CreateFunctionInput{
				FunctionName: "f", Runtime: "provided.al2023", Handler: ptr("x"), Role: testRole, Code: &api.FunctionCode{ZipFile: archive},
			})
			if err == nil {
				made++
				_, err = f.deleteFunction(f.ctx, &api.DeleteFunctionInput{FunctionName: "f"})
			}
			if err != nil && service.Code(err) != "InvalidParameterValueException" {
				t.Errorf("byte %d of %d: %v", i, len(whole), err)
			}
		}
	}
	t.Logf("%d of %d were archives still", made, 2*len(whole))
}

// TestQueuedInvocationEndsWithThePlatform has a function work for a quarter of an hour when the platform is told to end: the event is not counted as failed, since it runs again.
func TestQueuedInvocationEndsWithThePlatform(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "slow", "import time\ndef handler(event, context):\n    print('at work')\n    time.sleep(800)\n", func(in *api.CreateFunctionInput) { in.Timeout = ptr(int32(900)) })
	ctx, end := context.WithCancel(f.ctx)
	c := &call{ref: ref{scope: scopeOf(f.ctx), name: "slow"}, payload: []byte("{}"), requestID: "r", again: true}
	if err := f.load(ctx, c); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		out, err := f.run(ctx, c)
		if err == nil {
			err = fmt.Errorf("an outcome: %+v", out)
		}
		done <- err
	}()
	f.sink.wait(t, "at work")
	end()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
