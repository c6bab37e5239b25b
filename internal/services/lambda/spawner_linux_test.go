package lambda

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/lambda"
)

// children are the processes that this one has started.
func children(t *testing.T) (pids []int) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		list, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%s/children", task.Name()))
		if err != nil {
			continue // the thread has ended
		}
		for f := range strings.FieldsSeq(string(list)) {
			pid, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// TestInvocationsGoOnWhenTheSpawnerIsKilled kills the process that starts sandboxes while a function runs and another waits: what runs fails as if its process had ended,
// and what comes then is served by new sandboxes of a new spawner.
func TestInvocationsGoOnWhenTheSpawnerIsKilled(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "import time\ndef handler(e, c):\n    if e.get('stay'):\n        print('staying', flush=True)\n        time.sleep(50)\n    return 'ok'\n", func(in *api.CreateFunctionInput) { in.Timeout = ptr(int32(60)) })
	if out := f.call(t, "f", `{}`); string(out.Payload) != `"ok"` {
		t.Fatalf("%s", out.Payload)
	}
	ended := make(chan *api.InvokeOutput, 1)
	go func() {
		out, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f", Payload: []byte(`{"stay":true}`)})
		if err != nil {
			t.Error(err)
		}
		ended <- out
	}()
	f.sink.wait(t, "staying")
	for _, pid := range children(t) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	if out := <-ended; orZero(out.FunctionError) != "Unhandled" || !strings.Contains(string(out.Payload), "signal: killed") {
		t.Errorf("what ran ended as %q %s", orZero(out.FunctionError), out.Payload)
	}
	if out := f.call(t, "f", `{}`); string(out.Payload) != `"ok"` {
		t.Errorf("the next call answered %s", out.Payload)
	}
}
