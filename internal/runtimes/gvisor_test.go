package runtimes

import (
	"os/exec"
	"testing"
	"time"

	"lambent.dev/lambent/internal/sandbox"
)

// TestFunctionsRunInGVisor has the built-in clients answer with gVisor as their kernel; `make gvisor` brings runsc.
func TestFunctionsRunInGVisor(t *testing.T) {
	runsc, err := exec.LookPath("runsc")
	if err != nil {
		t.Skip("gVisor's runsc is not in PATH: see make gvisor")
	}
	b := newBench(t, sandbox.Options{GVisor: runsc})
	if r := b.host.Report(); r.Mode != "gvisor" {
		t.Skipf("%s", r)
	}
	for id, source := range map[string]map[string]string{
		"python3.11":      {"app.py": "import platform\ndef handler(event, context):\n    return [event, 'gvisor' in platform.release()]\n"},
		"nodejs20.x":      {"app.js": "exports.handler = async event => [event, require('os').release().includes('gvisor')]\n"},
		"provided.al2023": {"bootstrap": "#!/bin/sh\nbase=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation\nwhile :; do\n  event=$(curl -sS -D /tmp/h $base/next)\n  id=$(grep -i request-id /tmp/h | tr -d '[:space:]' | cut -d: -f2)\n  curl -sS -o /dev/null $base/$id/response -d \"[$event, $(uname -r | grep -q gvisor && echo true)]\"\ndone\n"},
	} {
		t.Run(id, func(t *testing.T) {
			s, out := b.spec(t, id, "app.handler", source)
			s.Limits.MemoryMB = 512
			began := time.Now()
			e := b.begin(t, &s)
			answer, err := e.Invoke(t.Context(), event("1", `"hi"`))
			if err != nil || string(answer.Body) != `["hi",true]` && string(answer.Body) != `["hi", true]` {
				t.Fatalf("%s, %v\n%s", answer.Body, err, out)
			}
			t.Logf("started and answered in %v", time.Since(began).Round(time.Millisecond))
		})
	}
}
