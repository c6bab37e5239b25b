package lambda

import (
	"strconv"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// TestInvocationsAreTakenAtTheirRate takes slots and gives them back at once, so that nothing but the rate can refuse one.
func TestInvocationsAreTakenAtTheirRate(t *testing.T) {
	now := time.Unix(0, 0)
	for name, tc := range map[string]struct {
		accountRate int
		quota       quota
		taken       int // at once
		reason      string
		later       int // in the second after that
	}{
		"an account":                             {100, quota{unreserved: 5}, 100, reasonCaller, 100},
		"an account without limit":               {0, quota{unreserved: 5}, 500, "", 500},
		"reserved":                               {0, quota{reserved: ptr(2), unreserved: 5}, 20, reasonReservedRate, 20},
		"nothing is reserved":                    {0, quota{reserved: ptr(0), unreserved: 5}, 0, reasonReserved, 0},
		"provisioned, of an account with others": {50, quota{provisioned: 1, unreserved: 5}, 50, reasonCaller, 50},
		"provisioned and reserved":               {0, quota{provisioned: 1, reserved: ptr(1)}, 20, reasonReservedRate, 20},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSlots(tc.accountRate)
			count := func(at time.Time) (n int, reason string) {
				for n < 500 {
					release, _, reason := s.take(ref{name: "f"}, poolKey{function: "f"}, tc.quota, at)
					if reason != "" {
						return n, reason
					}
					release()
					n++
				}
				return n, ""
			}
			if n, reason := count(now); n != tc.taken || reason != tc.reason {
				t.Errorf("%d at once, then %q; want %d, then %q", n, reason, tc.taken, tc.reason)
			}
			if n, _ := count(now.Add(time.Second)); n != tc.later {
				t.Errorf("%d a second later, want %d", n, tc.later)
			}
			if _, _, reason := s.take(ref{name: "f"}, poolKey{function: "f"}, tc.quota, time.Time{}); reason == reasonCaller || reason == reasonReservedRate {
				t.Errorf("a queued event is refused: %s", reason)
			}
		})
	}
}

func TestRatesThatAreFullAgainAreForgotten(t *testing.T) {
	rates, now := map[string]rate{}, time.Unix(0, 0)
	for i := range 3000 {
		now = now.Add(time.Second)
		takeRate(rates, strconv.Itoa(i), 10, now)
	}
	if len(rates) > maxRates+1 {
		t.Errorf("%d rates are kept", len(rates))
	}
}

// TestCallerIsToldThatItCallsTooOften invokes a function whose rate is used up: nothing comes back as long as it was used in the future.
func TestCallerIsToldThatItCallsTooOften(t *testing.T) {
	f := newFixture(t, nil)
	f.python(t, "f", "def handler(e, c): return 1\n", nil)
	if _, err := f.putFunctionConcurrency(f.ctx, &api.PutFunctionConcurrencyInput{FunctionName: "f", ReservedConcurrentExecutions: 1}); err != nil {
		t.Fatal(err)
	}
	f.call(t, "f", `{}`)
	f.slots.mu.Lock()
	f.slots.rates.functions[ref{scope: scopeOf(f.ctx), name: "f"}.function()] = rate{at: time.Now().Add(time.Hour)}
	f.slots.mu.Unlock()
	_, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f"})
	if e, ok := err.(*service.Error); !ok || e.Status != 429 || e.Detail.(*api.TooManyRequestsException).Reason != reasonReservedRate {
		t.Errorf("error %#v", err)
	}
}
