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
	if s.failures("bad", now) != 0 {
		t.Error("suspect before it has failed")
	}
	s.fail("bad", now)
	s.take("bad", now.Add(time.Second))
	if s.failures("bad", now.Add(9*time.Second)) != 1 || s.failures("good", now) != 0 || s.failures("unknown", now) != 0 {
		t.Error("not suspect, or others are")
	}
	if s.failures("bad", now.Add(10*time.Second)) != 0 {
		t.Error("suspect for ever")
	}
	s.fail("bad", now.Add(9*time.Second))
	if s.failures("bad", now.Add(18*time.Second)) != 2 {
		t.Error("two failures one after the other are not two")
	}
	s.fail("bad", now.Add(20*time.Second))
	if s.failures("bad", now.Add(20*time.Second)) != 1 {
		t.Error("old failures count")
	}
	if s.fail("unknown", now); len(s) != 2 {
		t.Error("a function that started nothing is looked after")
	}
}
