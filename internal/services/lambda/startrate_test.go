package lambda

import (
	"testing"
	"time"
)

func TestFunctionIsSuspectForAWhileAfterAFailure(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	s := startRates{}
	s.take("bad", now)
	s.take("good", now)
	if s.suspect("bad", now) {
		t.Error("suspect before it has failed")
	}
	s.fail("bad", now)
	s.take("bad", now.Add(time.Second))
	if !s.suspect("bad", now.Add(9*time.Second)) || s.suspect("good", now) || s.suspect("unknown", now) {
		t.Error("not suspect, or others are")
	}
	if s.suspect("bad", now.Add(10*time.Second)) {
		t.Error("suspect for ever")
	}
	if s.fail("unknown", now); len(s) != 2 {
		t.Error("a function that started nothing is looked after")
	}
}
