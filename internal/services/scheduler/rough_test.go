package scheduler

import (
	"strings"
	"testing"
	"time"
)

func TestClockThatJumpsRunsNothingTwice(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		if err := h.create(`{"ScheduleExpression":"cron(0 * * * ? *)"}`); err != nil {
			t.Fatal(err)
		}
		h.advance(time.Hour, time.Minute) // 13:00
		if got := h.seen(); len(got) != 1 {
			t.Fatalf("at 13:00: %q", got)
		}
		h.clock.Step(-30 * time.Minute)   // 12:30 again
		h.advance(time.Hour, time.Minute) // past 13:00 for the second time
		if got := h.seen(); len(got) != 0 {
			t.Errorf("13:00 came twice and was met again: %q", got)
		}
		h.advance(30*time.Minute, time.Minute) // 14:00
		if got := h.seen(); len(got) != 1 || !strings.HasPrefix(got[0], "14:00:00") {
			t.Errorf("at 14:00: %q", got)
		}
		h.clock.Step(3*time.Hour + 30*time.Minute) // 17:30, over three times
		h.advance(20*time.Minute, time.Minute)
		if got := h.seen(); len(got) != 1 || !strings.HasPrefix(got[0], "17:31:00") {
			t.Errorf("after a jump over 15:00, 16:00 and 17:00: %q, want one late run within a minute", got)
		}
		h.advance(time.Hour, time.Minute)
		if got := h.seen(); len(got) != 1 || !strings.HasPrefix(got[0], "18:00:00") {
			t.Errorf("at 18:00: %q", got)
		}
	})
}
