package cloudwatch

import (
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/meter"
)

// statistic computes a number from samples; it has none when the samples do not tell.
type statistic func(s *meter.Samples) (float64, bool)

// parseStatistic returns the statistic of a name, such as "Sum" or "p99.9", or nil when there is none of that name.
func parseStatistic(name string) statistic {
	switch name {
	case "SampleCount":
		return func(s *meter.Samples) (float64, bool) { return s.Count, true }
	case "Average":
		return func(s *meter.Samples) (float64, bool) { return s.Average(), true }
	case "Sum":
		return func(s *meter.Samples) (float64, bool) { return s.Sum, true }
	case "Minimum":
		return func(s *meter.Samples) (float64, bool) { return s.Min, true }
	case "Maximum":
		return func(s *meter.Samples) (float64, bool) { return s.Max, true }
	}
	percent, ok := percentOf(name)
	if !ok {
		return nil
	}
	return func(s *meter.Samples) (float64, bool) { return s.Percentile(percent) }
}

// percentOf returns the percent of a percentile: p0 to p100, with at most ten decimals.
func percentOf(name string) (float64, bool) {
	digits, ok := strings.CutPrefix(name, "p")
	if !ok || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	if _, decimals, _ := strings.Cut(digits, "."); len(decimals) > 10 {
		return 0, false
	}
	percent, err := strconv.ParseFloat(digits, 64)
	return percent, err == nil && percent <= 100
}

// validPeriod tells whether a period is one of 1, 5, 10, 20, 30 and multiples of 60 seconds.
func validPeriod(seconds int32) bool {
	switch seconds {
	case 1, 5, 10, 20, 30:
		return true
	}
	return seconds > 0 && seconds%60 == 0
}

func itoa(n int) string { return strconv.Itoa(n) }
