package logs

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// maxCounted bounds what metric filters make of the events of one commit, in bytes, well below a transaction's limit; pointSize is about what one point takes beside the
// values of its dimensions and valueSize what one more value takes.
const (
	maxCounted = 1 << 20
	pointSize  = 200
	valueSize  = 12
)

// intake is one transaction that writes events, with what the metric filters of their groups count.
type intake struct {
	tx  store.Txn
	now int64 // Unix milliseconds
	// points are by metric and minute; size is about what they take, and dropped how many values had no room.
	points  map[counted]*port.MetricDatum
	size    int
	dropped int
	// rules are the policies of the accounts that were met.
	rules map[scope]accountRules
}

// rulesOf returns the policies of an account and region.
func (in *intake) rulesOf(s scope) (accountRules, error) {
	if have, ok := in.rules[s]; ok {
		return have, nil
	}
	rules, err := rulesOf(in.tx, s)
	if err != nil {
		return rules, err
	}
	if in.rules == nil {
		in.rules = map[scope]accountRules{}
	}
	in.rules[s] = rules
	return rules, nil
}

// counted is a metric of a filter in one minute.
type counted struct {
	scope

	namespace, name, unit, dimensions string
	minute                            int64
	// standIn marks the default value of a filter that nothing met.
	standIn bool
}

// ingest runs write in a transaction, and adds to it what the metric filters counted.
func (l *Logs) ingest(ctx context.Context, write func(in *intake) error) error {
	now := l.nowMS()
	return l.deps.Store.Update(ctx, func(tx store.Txn) error {
		in := &intake{tx: tx, now: now}
		if err := write(in); err != nil {
			return err
		}
		return l.putMetrics(ctx, in)
	})
}

// putMetrics hands on what was counted.
func (l *Logs) putMetrics(ctx context.Context, in *intake) error {
	byScope := map[scope][]port.MetricDatum{}
	for at, d := range in.points {
		if met := at; at.standIn {
			if met.standIn = false; in.points[met] != nil {
				continue
			}
		}
		byScope[at.scope] = append(byScope[at.scope], *d)
	}
	for s, data := range byScope {
		if err := l.options.Metrics.PutMetrics(in.tx, s.account, s.region, data); err != nil {
			return err
		}
	}
	if in.dropped > 0 {
		l.deps.Log.WarnContext(ctx, "metric filters left log events out, whose dimensions have too many values", slog.Int("values", in.dropped))
	}
	return nil
}

// record writes events to a stream, counts those that the group's metric filters want, and sends those on that its subscription filters want.
func (l *Logs) record(ctx context.Context, in *intake, s scope, g *group, st stream, lines []line) (stream, error) {
	rules, err := in.rulesOf(s)
	if err != nil {
		return st, err
	}
	subscriptions := g.Subscriptions
	if sub, ok := rules.subscription.filter(g.Name); ok {
		subscriptions = append(slices.Clone(subscriptions), sub)
	}
	if len(g.MetricFilters)+len(subscriptions) > 0 {
		look, err := l.looks(s, g, &rules, subscriptions, st, lines)
		if err != nil {
			return st, err
		}
		if err := l.filter(ctx, in, s, g, st, subscriptions, look); err != nil {
			return st, err
		}
	}
	return write(in.tx, s, g.ID, st, lines, in.now)
}

// looks returns how filters see events: as they came, or for those that ask for it as the group's transformer makes them.
func (l *Logs) looks(s scope, g *group, rules *accountRules, subscriptions []subscription, st stream, lines []line) (func(transformed bool) batch, error) {
	plain := newBatch(lines)
	wanted := slices.ContainsFunc(g.MetricFilters, func(f metricFilter) bool { return f.Transformed }) || slices.ContainsFunc(subscriptions, func(sub subscription) bool { return sub.Transformed })
	if !wanted {
		return func(bool) batch { return plain }, nil
	}
	t, _, err := l.transformerOf(g, rules)
	if err != nil || t == nil {
		return func(bool) batch { return plain }, err
	}
	made := plain.transformed(t, s, g.Name, st.Name)
	return func(transformed bool) batch {
		if transformed {
			return made
		}
		return plain
	}, nil
}

// filter shows events to the filters of a group.
func (l *Logs) filter(ctx context.Context, in *intake, s scope, g *group, st stream, subscriptions []subscription, look func(transformed bool) batch) error {
	for i := range g.MetricFilters {
		f, err := g.MetricFilters[i].compile()
		if err != nil {
			return err
		}
		in.count(s, f, look(f.Transformed))
	}
	for _, sub := range subscriptions {
		to, ok, err := sub.resolved(in.tx)
		if err == nil && ok {
			err = l.publish(ctx, in.tx, s, g.Name, to, st, look(sub.Transformed))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cell is how one value of a metric is told from another in one minute. Its dimensions are a key.
type cell struct {
	minute     int64
	dimensions string
	value      float64
}

// count counts the events that meet a filter, at their time, and its default value in the minutes where none does. An event whose value is no number, or that lacks the value of a
// dimension, counts nothing.
func (in *intake) count(s scope, f *compiledFilter, b batch) {
	cells := map[cell]float64{}
	for i, e := range b.lines {
		c := cell{minute: floorMinute(e.ms)}
		find, met := f.pattern.open(b.messages[i])
		switch {
		case met && f.read(find, &c):
			cells[c]++
		case !met && f.Default != nil:
			in.add(s, f, cell{minute: c.minute, value: *f.Default}, 1, true)
		}
	}
	for c, n := range cells {
		in.add(s, f, c, n, false)
	}
}

// floorMinute returns the beginning of the minute of a time, both in Unix milliseconds.
func floorMinute(ms int64) int64 {
	return time.UnixMilli(ms).Truncate(time.Minute).UnixMilli()
}

// read reads the value and the dimensions of an event into a cell.
func (f *compiledFilter) read(find finder, c *cell) bool {
	c.value = f.value
	if f.selector != "" {
		v := find(f.selector)
		n, err := strconv.ParseFloat(v.text, 64)
		if v.is != scalar || err != nil || !measurable(n) {
			return false
		}
		c.value = n
	}
	if len(f.dimensions) == 0 {
		return true
	}
	k := key.New()
	for _, d := range f.dimensions {
		v := find(d[1])
		if v.is != scalar && v.is != truth || !dimensional(v.text) {
			return false
		}
		k = k.Str(d[0]).Str(v.text)
	}
	c.dimensions = string(k)
	return true
}

// add adds a value that occurred n times, or one that stands in for none.
func (in *intake) add(s scope, f *compiledFilter, c cell, n float64, standIn bool) {
	at := counted{scope: s, namespace: f.Namespace, name: f.Metric, unit: f.Unit, dimensions: c.dimensions, minute: c.minute, standIn: standIn}
	d := in.points[at]
	if d != nil && standIn {
		return
	}
	size := valueSize
	if d == nil {
		size += pointSize + len(f.Namespace) + len(f.Metric) + len(c.dimensions)
	}
	if in.size+size > maxCounted {
		in.dropped++
		return
	}
	in.size += size
	if d == nil {
		d = &port.MetricDatum{Namespace: f.Namespace, Name: f.Metric, Dimensions: f.named(c.dimensions), Unit: f.Unit, At: time.UnixMilli(c.minute).UTC(), StandIn: standIn}
		if in.points == nil {
			in.points = map[counted]*port.MetricDatum{}
		}
		in.points[at] = d
	}
	one := meter.Of(c.value, n)
	d.Samples.Merge(&one)
}

// named returns the dimensions in a cell.
func (f *compiledFilter) named(dimensions string) []meter.Dimension {
	d := key.Decode([]byte(dimensions))
	out := make([]meter.Dimension, len(f.dimensions))
	for i := range out {
		out[i] = meter.Dimension{Name: d.Str(), Value: d.Str()}
	}
	return out
}

// dimensional tells whether a text is a value of a dimension
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_Dimension.html).
func dimensional(text string) bool {
	if len(text) > 1024 {
		return false
	}
	seen := false
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
		seen = seen || text[i] != ' '
	}
	return seen
}
