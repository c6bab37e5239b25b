package lambda

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/clock"
)

// setClock is the system's clock as it is after somebody has set it, which timers do not notice. It has no monotonic reading, so that what is wrong with times that come from
// the store is wrong with all.
type setClock struct {
	clock.System

	by atomic.Int64
}

func (c *setClock) set(by time.Duration) { c.by.Add(int64(by)) }

// Now implements [clock.Clock].
func (c *setClock) Now() time.Time { return time.Now().Add(time.Duration(c.by.Load())).Round(0) }

// TestClockThatIsSetLosesNoEvent sets the clock while an event waits for its next try. Set back, it makes the event late by as much, and no older; set forward, it makes the
// event older, whose end is told when that is too old.
func TestClockThatIsSetLosesNoEvent(t *testing.T) {
	for _, tc := range []struct {
		by        time.Duration
		runs      []string
		condition string
	}{
		{-time.Hour, []string{"+0s req-1", "+1h1m0s req-1", "+1h3m0s req-1"}, "RetriesExhausted"},
		{20 * time.Second, []string{"+0s req-1", "+1m0s req-1", "+3m0s req-1"}, "RetriesExhausted"},
		{time.Hour, []string{"+0s req-1", "+1m0s req-1", "+3m0s req-1"}, "RetriesExhausted"},
		{7 * time.Hour, []string{"+0s req-1"}, "EventAgeExceeded"},
	} {
		t.Run(fmt.Sprint(tc.by), func(t *testing.T) {
			onStage(t, func(s *stage) {
				s.answer = fails
				s.function("f", nil)
				s.configure(api.PutFunctionEventInvokeConfigInput{FunctionName: "f", DestinationConfig: destination("", queueARN("bad"))})
				s.send(`{"n":1}`)
				s.clock.set(tc.by)
				time.Sleep(2 * time.Hour)
				s.wantRuns(tc.runs...)
				if d := cmp.Diff([]string{tc.condition}, s.conditions()); d != "" {
					t.Errorf("conditions (-want +got):\n%s", d)
				}
			})
		})
	}
}

// TestClockThatIsSetStopsNoMapping sets the clock back and forth while a queue and a stream are read.
func TestClockThatIsSetStopsNoMapping(t *testing.T) {
	for name, tc := range map[string]struct {
		in   api.CreateEventSourceMappingInput
		send func(s *feeds, data ...string)
	}{
		"queue":  {api.CreateEventSourceMappingInput{EventSourceArn: ptr(testQueue)}, (*feeds).send},
		"stream": {api.CreateEventSourceMappingInput{EventSourceArn: ptr(testStream), StartingPosition: "TRIM_HORIZON"}, (*feeds).put},
		"stream in windows": {
			api.CreateEventSourceMappingInput{EventSourceArn: ptr(testStream), StartingPosition: "TRIM_HORIZON", MaximumBatchingWindowInSeconds: ptr(int32(5))}, (*feeds).put,
		},
	} {
		t.Run(name, func(t *testing.T) {
			onSource(t, func(r *reader) {
				r.create(tc.in)
				for i, by := range []time.Duration{0, -time.Hour, 25 * time.Hour, -30 * 24 * time.Hour} {
					r.clock.set(by)
					tc.send(r.sources, fmt.Sprint(i))
					time.Sleep(6 * time.Second)
				}
				synctest.Wait()
				r.mu.Lock()
				defer r.mu.Unlock()
				var got []string
				for _, e := range r.events {
					_, data, _ := strings.Cut(e, " ")
					got = append(got, data)
				}
				if d := cmp.Diff([]string{"0", "1", "2", "3"}, got); d != "" {
					t.Errorf("events (-want +got):\n%s", d)
				}
			})
		})
	}
}

// TestClockThatIsSetMovesNoTimeout sets the clock while functions run: a function has its time, and no more than that.
func TestClockThatIsSetMovesNoTimeout(t *testing.T) {
	clk := &setClock{}
	f := newFixtureAt(t, clk, nil)
	f.python(t, "f", "import time\ndef handler(e, c):\n    print('began', e, flush=True)\n    time.sleep(e)\n    return e\n", func(in *api.CreateFunctionInput) { in.Timeout = ptr(int32(2)) })
	for i, by := range []time.Duration{-24 * time.Hour, 48 * time.Hour} {
		for seconds, want := range map[string]string{fmt.Sprintf("0.%d", i+1): fmt.Sprintf("0.%d", i+1), fmt.Sprint(3600 + i): timedOut} {
			ended := make(chan *api.InvokeOutput, 1)
			began := time.Now()
			go func() { ended <- f.call(t, "f", seconds) }()
			f.sink.wait(t, "began "+seconds)
			clk.set(by)
			if out := <-ended; !strings.Contains(string(out.Payload), want) {
				t.Errorf("clock set by %v: answered %s, want %s", by, out.Payload, want)
			}
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("clock set by %v: the call took %v", by, took)
			}
		}
	}
}
