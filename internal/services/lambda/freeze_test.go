package lambda

import (
	"strings"
	"testing"
	"time"
)

// ticking counts in a thread of its own, also between invocations.
const ticking = `
import threading, time
ticks = 0
def tick():
    global ticks
    while True:
        ticks += 1
        time.sleep(0.01)
threading.Thread(target=tick, daemon=True).start()
def handler(event, context):
    return ticks
`

func TestIdleFunctionIsFrozenAndAnswersAgain(t *testing.T) {
	f := newFixture(t, func(o *Options) { o.FreezeIdle = true })
	f.python(t, "f", ticking, nil)
	f.call(t, "f", `{}`)
	r, err := parseRef(f.ctx, "f", nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.snapshot(f.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	f.pools.mu.Lock()
	w := f.pools.idle[s.key][0]
	f.pools.mu.Unlock()
	if !w.env.CanFreeze() {
		t.Skip("environments cannot be frozen here")
	}
	limit := time.After(20 * time.Second)
	for !w.env.Frozen() {
		select {
		case <-time.After(time.Millisecond):
		case <-limit:
			t.Fatal("it is not frozen")
		}
	}
	out := f.call(t, "f", `{}`)
	if orZero(out.FunctionError) != "" || w.env.Frozen() {
		t.Errorf("answered %s", out.Payload)
	}
	if log := tailOf(t, out); strings.Contains(log, "Init Duration") {
		t.Errorf("it was started again:\n%s", log)
	}
}
