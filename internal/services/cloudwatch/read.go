package cloudwatch

import (
	"time"

	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// span is the time that a read is about: from start, in periods, until end, which is not part of it.
type span struct {
	start, end time.Time
	period     time.Duration
}

// spanOf rounds the start of a read down: to minutes, and further back to what is still kept there, 5 minutes and hours; a period below a minute, to that period
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricStatistics.html, StartTime).
func spanOf(start, end time.Time, period int32, now time.Time) span {
	p := span{start, end, time.Duration(period) * time.Second}
	to := time.Hour
	switch age := now.Sub(start); {
	case age <= tiers()[0].kept && p.period < time.Minute:
		to = p.period
	case age <= tiers()[1].kept:
		to = time.Minute
	case age <= tiers()[2].kept:
		to = 5 * time.Minute
	}
	p.start = start.Truncate(to)
	return p
}

// tier returns the coarsest tier that adds up to the periods of a span; for a metric without points of a second no finer one than minutes.
func (p *span) tier(fine bool) tier {
	all := tiers()
	for i := len(all) - 1; i > 0; i-- {
		if t := all[i]; p.period%t.period == 0 && p.start.Truncate(t.period).Equal(p.start) {
			return t
		}
	}
	if fine {
		return all[0]
	}
	return all[1]
}

// value is the samples of one period.
type value struct {
	at      time.Time
	samples meter.Samples
}

// lookUp returns the record of a metric, and its digest.
func lookUp(r store.Reader, s scope, namespace, name string, dimensions []meter.Dimension) (metric, digest, error) {
	d := digestOf(namespace, name, dimensions)
	m, _, err := record.Get[metric](r, s.metric(namespace, name, d))
	return m, d, err
}

// read returns the samples of a metric under a unit, period by period, from the first to the last. Periods without any are left out.
func (p *span) read(r store.Reader, s scope, m *metric, d digest, unit string) (out []value, err error) {
	t := p.tier(m.Fine)
	prefix := s.points(d, unit, t)
	for pair, err := range r.Range(store.Span{Lo: s.point(d, unit, t, p.start), Hi: s.point(d, unit, t, p.end)}) {
		if err != nil {
			return nil, err
		}
		at := time.Unix(key.Decode(pair.Key).Skip(prefix).Int(), 0).UTC()
		got, err := decode(pair.Value)
		if err != nil {
			return nil, err
		}
		at = at.Add(-(at.Sub(p.start) % p.period))
		if n := len(out); n > 0 && out[n-1].at.Equal(at) {
			out[n-1].samples.Merge(&got)
			continue
		}
		out = append(out, value{at, got})
	}
	return out, nil
}
