// Package metertest compares what data planes counted with what a test expects.
package metertest

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/meter"
)

// patience is how long what is counted may take to come: it is counted after the answer.
const patience = 30 * time.Second

// Await drains a registry until each metric in want has come as often as want says, and compares: "Name Dimension=value …" is
// how a metric is named, and "sum/count" what it is to have. Values are compared as they are printed with %g; "*" as a sum stands for any.
func Await(t testing.TB, r *meter.Registry, want map[string]string) {
	t.Helper()
	all, c := map[string]*meter.Samples{}, clock.System{}
	for deadline := c.Now().Add(patience); ; {
		for _, n := range r.Drain(t.Context(), c.Now()) {
			name := named(&n)
			if all[name] == nil {
				all[name] = &meter.Samples{}
			}
			all[name].Merge(&n.Samples)
		}
		got := map[string]string{}
		for name, text := range want {
			if s := all[name]; s != nil {
				got[name] = shown(s, text)
			}
		}
		if maps.Equal(got, want) {
			return
		}
		if c.Now().After(deadline) || clock.Sleep(t.Context(), c, time.Millisecond) != nil {
			t.Fatalf("counted %v\nwant    %v", got, want)
		}
	}
}

// named is the name of a metric in a test.
func named(c *meter.Count) string {
	parts := []string{c.Measure.Name}
	for _, d := range c.Dimensions {
		parts = append(parts, d.Name+"="+d.Value)
	}
	return strings.Join(parts, " ")
}

// shown is how samples are written, with a sum of any value where want has one.
func shown(s *meter.Samples, want string) string {
	if len(want) > 0 && want[0] == '*' {
		return fmt.Sprintf("*/%g", s.Count)
	}
	return fmt.Sprintf("%g/%g", s.Sum, s.Count)
}
