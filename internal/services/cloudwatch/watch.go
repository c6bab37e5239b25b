package cloudwatch

import (
	"time"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
)

// The ways to treat missing data (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html).
const (
	missingBreaches = "breaching"
	missingIsFine   = "notBreaching"
	missingKeeps    = "ignore"
	missingUnknown  = "missing"
)

// watched is the statistic of a metric that an alarm watches.
type watched struct {
	namespace, name string
	dimensions      []meter.Dimension
	unit            string
	stat            string
	period          time.Duration
}

// watched returns what an alarm watches.
func (w *metricAlarm) watched() watched {
	if len(w.Metrics) == 0 {
		out := watched{
			namespace: opt.Value(w.Namespace), name: opt.Value(w.MetricName), unit: w.Unit, stat: w.Statistic,
			period: time.Duration(opt.Value(w.Period)) * time.Second, dimensions: metricDimensions(w.Dimensions),
		}
		if w.ExtendedStatistic != nil {
			out.stat = *w.ExtendedStatistic
		}
		return out
	}
	for i := range w.Metrics {
		if q := &w.Metrics[i]; q.MetricStat != nil && (q.ReturnData == nil || *q.ReturnData) {
			x := q.MetricStat
			return watched{
				namespace: opt.Value(x.Metric.Namespace), name: opt.Value(x.Metric.MetricName), unit: x.Unit, stat: x.Stat,
				period: time.Duration(x.Period) * time.Second, dimensions: metricDimensions(x.Metric.Dimensions),
			}
		}
	}
	return watched{}
}

func metricDimensions(in []api.Dimension) []meter.Dimension {
	out := make([]meter.Dimension, len(in))
	for i, d := range in {
		out[i] = meter.Dimension{Name: d.Name, Value: d.Value}
	}
	return sorted(out)
}

// cadence is how often an alarm is evaluated: every ten seconds for periods below a minute, every hour for windows of more than a day, and every minute
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html).
func (w *metricAlarm) cadence() time.Duration {
	period := w.watched().period
	switch {
	case period < time.Minute:
		return 10 * time.Second
	case period*time.Duration(w.Evaluation) > 24*time.Hour:
		return time.Hour
	}
	return time.Minute
}

// missing is how an alarm treats missing data; those on tables always ignore it, as on AWS.
func (w *metricAlarm) missing(namespace string) string {
	if namespace == "AWS/DynamoDB" {
		return missingKeeps
	}
	if w.Missing == nil {
		return missingUnknown
	}
	return *w.Missing
}

// slot is one period of an evaluation.
type slot struct {
	at      time.Time
	there   bool
	value   float64
	samples float64
}

// slots returns the periods that an evaluation looks at, the newest first: those of the alarm, and some more whose data stands in for data that is missing.
func (w *metricAlarm) slots(r store.Reader, s scope, now time.Time) ([]slot, error) {
	q := w.watched()
	found, d, err := lookUp(r, s, q.namespace, q.name, q.dimensions)
	if err != nil {
		return nil, err
	}
	n := int(w.Evaluation) + spare(q.period, found.Fine)
	end := now.Truncate(w.cadence())
	p := span{start: end.Add(-time.Duration(n) * q.period), end: end, period: q.period}
	out := make([]slot, n)
	for i := range out {
		out[i].at = end.Add(-time.Duration(i+1) * q.period)
	}
	compute := parseStatistic(q.stat)
	for _, unit := range found.Units {
		if q.unit != "" && q.unit != unit {
			continue
		}
		values, err := p.read(r, s, &found, d, unit)
		if err != nil {
			return nil, err
		}
		for i := range values {
			x := &out[int(end.Sub(values[i].at)/q.period)-1]
			if v, ok := compute(&values[i].samples); ok && !x.there { // of many units, the first counts
				x.there, x.value, x.samples = true, v, values[i].samples.Count
			}
		}
	}
	return out, nil
}

// spare is how many periods an evaluation looks further back. AWS does not tell the number; its examples have two. Data of a minute must be found by periods below it for longer, as it lies at the minute's
// beginning.
func spare(period time.Duration, fine bool) int {
	if period < time.Minute && !fine {
		return int(2 * time.Minute / period)
	}
	if period > time.Hour {
		return 0
	}
	return 2
}
