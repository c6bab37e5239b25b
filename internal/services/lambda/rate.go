package lambda

import "time"

// rate is what is left of a number that grows with time up to its burst: a token bucket. The zero rate is full.
type rate struct {
	left float64
	at   time.Time
}

// refill brings r up to date. A clock that is set back adds nothing.
func (r *rate) refill(burst, perSecond float64, now time.Time) {
	if r.at.IsZero() {
		r.left = burst
	} else {
		r.left = min(burst, r.left+max(now.Sub(r.at), 0).Seconds()*perSecond)
	}
	r.at = now
}

// take takes one, unless nothing is left.
func (r *rate) take(burst, perSecond float64, now time.Time) bool {
	r.refill(burst, perSecond, now)
	if r.left < 1 {
		return false
	}
	r.left--
	return true
}
