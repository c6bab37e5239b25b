package demand

import (
	"testing"
	"time"
)

func TestAverageRisesWithEventsAndFallsWithoutThem(t *testing.T) {
	var a Average
	now := time.Unix(1_000_000, 0)
	if got := a.At(now); got != 0 {
		t.Errorf("nothing happened, and the average is %v", got)
	}
	for range 600 {
		now = now.Add(100 * time.Millisecond)
		a.Add(now)
	}
	if got := a.At(now); got < 5 || got > 10 {
		t.Errorf("after a minute of 10 a second the average is %v", got)
	}
	if got := a.During(time.Second, now); got < 5 || got > 10 {
		t.Errorf("%d are expected within a second", got)
	}
	if got := a.During(time.Second, now.Add(time.Hour)); got != 1 {
		t.Errorf("an hour later %d are expected within a second", got)
	}
	if !a.Last.Equal(now) {
		t.Errorf("the last event was at %v", a.Last)
	}
}
