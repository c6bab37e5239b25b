package cloudwatch

import (
	"math"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
)

// verdict is what an evaluation found.
type verdict struct {
	// value is the state; empty to keep the one there is.
	value string
	// considered are the periods that it is about, the newest first, and filled how many of them have no data.
	considered []slot
	filled     int
	// counted are those of considered that decided.
	counted []slot
}

// decide evaluates periods, the newest first, of which the first ones are the alarm's own
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html, "How alarm state is evaluated when data is missing"):
// the newest data counts, also from before the alarm's own periods; only where there is less than it needs, missing data does.
func (w *metricAlarm) decide(slots []slot, missing string) verdict {
	n, m := int(w.Evaluation), int(w.Evaluation)
	if w.Datapoints != nil {
		m = int(*w.Datapoints)
	}
	var v verdict
	var bad, good []slot
	oldest := 0 // how old the oldest breaching period is
	for i, x := range slots {
		if !x.there || len(v.considered) == n {
			continue
		}
		v.considered = append(v.considered, x)
		if w.breaches(x.value) {
			bad, oldest = append(bad, x), i+1
		} else {
			good = append(good, x)
		}
	}
	v.filled = n - len(v.considered)
	v.judge(bad, good, m, oldest, missing)
	if v.filled > 0 && len(v.considered) == 0 {
		v.considered = slots[:min(n, len(slots))]
	}
	return v
}

// judge sets the state that breaching, other and missing periods make.
func (v *verdict) judge(bad, good []slot, m, oldest int, missing string) {
	alarm := func() { v.value, v.counted = api.StateValueAlarm, bad }
	fine := func() { v.value, v.counted = api.StateValueOk, good }
	switch {
	case len(bad) >= m:
		alarm()
	case v.filled == 0 || len(good) > 0 && missing != missingBreaches:
		fine()
	case missing == missingBreaches && len(bad)+v.filled >= m:
		alarm()
	case missing == missingBreaches, missing == missingIsFine:
		fine()
	case missing == missingKeeps:
	case len(bad) == 0:
		v.value = api.StateValueInsufficientData
	case oldest >= m: // all that is newer breaches or is missing
		alarm()
	}
}

// breaches compares a value with the threshold.
func (w *metricAlarm) breaches(v float64) bool {
	switch w.Comparison {
	case api.ComparisonOperatorGreaterThanThreshold:
		return v > w.Threshold
	case api.ComparisonOperatorGreaterThanOrEqualToThreshold:
		return v >= w.Threshold
	case api.ComparisonOperatorLessThanThreshold:
		return v < w.Threshold
	}
	return v <= w.Threshold
}

// tooFew tells whether a percentile comes from too few samples to say something, for an alarm that ignores it then
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/percentiles-with-low-samples.html).
func (w *metricAlarm) tooFew(stat string, slots []slot) bool {
	percent, ok := percentOf(stat)
	if !ok || w.LowSamples == nil || *w.LowSamples != missingKeeps {
		return false
	}
	share := percent / 100
	need := 10 / math.Min(share, 1-share)
	for _, x := range slots {
		if x.there && x.samples < need {
			return true
		}
	}
	return false
}
