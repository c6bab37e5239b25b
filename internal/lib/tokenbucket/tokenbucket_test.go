package tokenbucket_test

import (
	"testing"
	"time"

	"lambent.dev/lambent/internal/lib/tokenbucket"
)

var start = time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC)

func TestBucketGivesItsBurstAndThenItsRate(t *testing.T) {
	b := tokenbucket.New[string](8)
	l := tokenbucket.Limit{Rate: 2, Burst: 3}
	for i := range 3 {
		if !b.Take("a", l, 1, start) {
			t.Fatalf("take %d of the burst was refused", i+1)
		}
	}
	if b.Take("a", l, 1, start.Add(400*time.Millisecond)) {
		t.Error("four fifths of a token were enough")
	}
	if !b.Take("a", l, 1, start.Add(500*time.Millisecond)) {
		t.Error("a whole token was not enough")
	}
	if !b.Take("b", l, 1, start) {
		t.Error("another bucket was empty")
	}
	if left := b.Left("a", l, start.Add(time.Hour)); left != 3 {
		t.Errorf("a full bucket holds %v", left)
	}
}

func TestWhatWasOverdrawnHasToFlowInAgain(t *testing.T) {
	b := tokenbucket.New[int](8)
	l := tokenbucket.Limit{Rate: 1, Burst: 1}
	b.Spend(1, l, 5, start)
	if left := b.Left(1, l, start.Add(3*time.Second)); left != -1 {
		t.Errorf("left %v, want -1", left)
	}
	if b.Take(1, l, 1, start.Add(4*time.Second)) || !b.Take(1, l, 1, start.Add(5*time.Second)) {
		t.Error("the debt was not paid first")
	}
}

func TestClockThatGoesBackTakesNothingAway(t *testing.T) {
	b := tokenbucket.New[int](8)
	l := tokenbucket.Limit{Rate: 1, Burst: 2}
	b.Take(1, l, 1, start)
	if left := b.Left(1, l, start.Add(-time.Hour)); left != 1 {
		t.Errorf("left %v, want 1", left)
	}
}

func TestBucketsAreBounded(t *testing.T) {
	b := tokenbucket.New[int](2)
	l := tokenbucket.Limit{Rate: 1, Burst: 1}
	for k := range 3 {
		b.Take(k, l, 1, start)
	}
	if !b.Take(0, l, 1, start) {
		t.Error("the first bucket was kept although two more came")
	}
}
