package main

import (
	"fmt"
	"syscall"
	"time"

	"lambent.dev/lambent/bench/lab"
	"lambent.dev/lambent/internal/lib/vtl"
)

// renders are how many renders a round has.
const renders = 2000

// render prints what it costs to render the template of 5 KB, in this process.
func (b *bench) render() error {
	text := template()
	t, err := vtl.Parse(text)
	if err != nil {
		return err
	}
	context := vtl.NewMap()
	context.Put("requestId", "c6af9ac6-7b61-11e6-9a41-93e8deadbeef")
	var rounds []time.Duration
	for range b.rounds {
		before := processorTime()
		for range renders {
			vars := vtl.Variables(vtl.Request{Body: `{"name":"ann"}`}, context, vtl.NewMap())
			if _, err := t.Render(vars, vtl.Limits{}); err != nil {
				return err
			}
		}
		rounds = append(rounds, (processorTime()-before)/renders)
	}
	m := lab.Median(rounds)
	lab.Row(fmt.Sprintf("rendering a mapping template of %.1f KB with 100 paths and 101 references, processor time", float64(len(text))/1e3), "≤ 20 µs", fmt.Sprintf("%.1f µs", float64(m)/1e3), m <= 20*time.Microsecond)
	return nil
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
