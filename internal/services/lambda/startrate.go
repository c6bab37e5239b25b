package lambda

import "time"

// How fast a function's environments may become more, https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html#scaling-rate: 1,000 at once, and
// as many again every 10 seconds.
const (
	startBurst     = 1000
	startsASecond  = 100
	maxRates       = 1024 // rates that are looked after at least; more than that are forgotten when they are full again
	refillDuration = startBurst / startsASecond * time.Second
)

// startRates are those of the functions that have started environments lately.
type startRates map[string]rate

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
