// Package demand averages how often something is asked for.
package demand

import (
	"math"
	"time"
)

// memory is the time over which demand is averaged.
const memory = time.Minute

// Average is an exponentially weighted average of events a second. The zero value has seen none.
type Average struct {
	// Last is when the last event was; zero for never.
	Last time.Time

	rate float64
}

// Add counts one event.
func (a *Average) Add(now time.Time) {
	a.rate = a.At(now) + 1/memory.Seconds()
	a.Last = now
}

// At is the average at a time, in events a second. It falls while there are none.
func (a *Average) At(now time.Time) float64 {
	return a.rate * math.Exp(-now.Sub(a.Last).Seconds()/memory.Seconds())
}

// During is how many events, rounded up, are to be expected within d.
func (a *Average) During(d time.Duration, now time.Time) int {
	return int(math.Ceil(a.At(now) * d.Seconds()))
}
