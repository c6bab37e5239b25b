package lab

import (
	"fmt"
	"slices"
	"time"
)

// Row prints one row of the table.
func Row(what, target, measured string, met bool) {
	verdict := "met"
	if !met {
		verdict = "**missed**"
	}
	fmt.Printf("| %s | %s | %s | %s |\n", what, target, measured, verdict)
}

// Median sorts the values and returns the middle one.
func Median(values []time.Duration) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// Ms writes a duration in milliseconds.
func Ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/1e6) }

// Percentile sorts the values and returns the one that p percent of them do not exceed.
func Percentile(values []time.Duration, p int) time.Duration {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)*p/100, len(values)-1)]
}
