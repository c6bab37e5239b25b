package respcache_test

import (
	"testing"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/gateway/respcache"
)

func TestAnswersEndAndAreBounded(t *testing.T) {
	now := clock.NewFake(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC))
	c := respcache.New(now)
	defer c.Close()
	c.Put("k", respcache.Entry{Status: 200, Body: []byte("x")}, time.Minute)
	c.Put("large", respcache.Entry{Body: make([]byte, 2<<20)}, time.Minute)
	c.Put("none", respcache.Entry{}, 0)
	if e, ok := c.Get("k"); !ok || e.Status != 200 || string(e.Body) != "x" {
		t.Errorf("got %+v, %v", e, ok)
	}
	for _, k := range []string{"large", "none"} {
		if _, ok := c.Get(k); ok {
			t.Errorf("%s is kept", k)
		}
	}
	now.Advance(time.Minute)
	if _, ok := c.Get("k"); ok {
		t.Error("the answer did not end")
	}
	c.Put("k", respcache.Entry{Status: 201}, time.Minute)
	c.Delete("k")
	if _, ok := c.Get("k"); ok {
		t.Error("the answer was not forgotten")
	}
}
