package lambda

import "time"

// How fast a function's environments may become more, https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html#scaling-rate: 1,000 at once, and
// as many again every 10 seconds.
const (
	startBurst     = 1000
	startsASecond  = 100
	maxRates       = 1024 // rates that are looked after at least; more than that are forgotten when they are full again
	refillDuration = startBurst / startsASecond * time.Second
	// suspicion is how long an environment that has ended in the middle of an invocation has the function's next ones start behind everything else: what takes
	// all memory or time that it gets, again and again, would otherwise hold up other functions whenever it starts anew.
	suspicion = 10 * time.Second
	// forgiven is how many such ends one after the other leave a function a claim to parked sandboxes, which it would else use up as fast as they can be made, for itself and for others.
	forgiven = 1
)

// startRate is what a function has left of its burst, and how its environments have fared.
type startRate struct {
	rate

	// failed is when an environment ended last in the middle of an invocation, failures how many did, each within suspicion of the one before.
	failed   time.Time
	failures int
}

// startRates are those of the functions that have started environments lately.
type startRates map[string]startRate

// take tells whether a function may start an environment now, and counts it.
func (s startRates) take(function string, now time.Time) bool {
	r, ok := s[function]
	if !ok {
		s.prune(now)
	}
	allowed := r.take(startBurst, startsASecond, now)
	s[function] = r
	return allowed
}

// fail notes that an environment of a function has ended in the middle of an invocation. A function that is not looked after any more is forgiven.
func (s startRates) fail(function string, now time.Time) {
	if r, ok := s[function]; ok {
		r.failed, r.failures = now, s.failures(function, now)+1
		s[function] = r
	}
}

// failures returns how many environments of a function have failed lately.
func (s startRates) failures(function string, now time.Time) int {
	r := s[function]
	if now.Sub(r.failed) >= suspicion {
		return 0
	}
	return r.failures
}

// prune forgets the functions that have their whole burst again, when there are many.
func (s startRates) prune(now time.Time) {
	if len(s) < maxRates {
		return
	}
	for function, r := range s {
		if now.Sub(r.at) >= refillDuration {
			delete(s, function)
		}
	}
}
