package cloudwatch

import (
	"cmp"
	"slices"
	"time"

	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// seenEvery is how exactly a metric knows when it last had data.
const seenEvery = 10 * time.Minute

// metric is the record of a metric.
type metric struct {
	Dimensions []meter.Dimension `json:",omitempty"`
	Units      []string
	// Fine tells that it has points of a second.
	Fine bool `json:",omitempty"`
	// Seen is about when it last had data.
	Seen time.Time
}

// tier is a period and how long points of it are kept.
type tier struct{ period, kept time.Duration }

// tiers returns the tiers, from the finest to the coarsest.
func tiers() [4]tier {
	const day = 24 * time.Hour
	return [...]tier{{time.Second, 3 * time.Hour}, {time.Minute, 15 * day}, {5 * time.Minute, 63 * day}, {time.Hour, 455 * day}}
}

// point is one set of samples of a metric.
type point struct {
	scope

	namespace, name string
	dimensions      []meter.Dimension // sorted
	unit            string
	at              time.Time
	fine            bool // it is kept by the second, too
	samples         meter.Samples
}

// sorted returns dimensions in their order.
func sorted(in []meter.Dimension) []meter.Dimension {
	out := slices.Clone(in)
	slices.SortFunc(out, func(a, b meter.Dimension) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value))
	})
	return out
}

// write adds a point to its metric, in every tier that still keeps it.
func (m *Metrics) write(tx store.Txn, p *point) error {
	now := m.deps.Clock.Now()
	d := digestOf(p.namespace, p.name, p.dimensions)
	if err := m.see(tx, p, d, now); err != nil {
		return err
	}
	for _, t := range tiers() {
		if t.period == time.Second && !p.fine || now.Sub(p.at) > t.kept {
			continue
		}
		k := p.point(d, p.unit, t, p.at.Truncate(t.period))
		s, err := readPoint(tx, k)
		if err != nil {
			return err
		}
		s.Merge(&p.samples)
		tx.Set(k, encode(&s))
	}
	return nil
}

// see notes in the record of a metric that it has data, and schedules the sweep of the first metric of an account.
func (m *Metrics) see(tx store.Txn, p *point, d digest, now time.Time) error {
	k := p.metric(p.namespace, p.name, d)
	r, ok, err := record.Get[metric](tx, k)
	if err != nil {
		return err
	}
	if ok && slices.Contains(r.Units, p.unit) && (r.Fine || !p.fine) && now.Sub(r.Seen) < seenEvery {
		return nil
	}
	if !ok {
		r.Dimensions = p.dimensions
		if err := m.scheduleSweep(tx, p.scope); err != nil {
			return err
		}
	}
	if !slices.Contains(r.Units, p.unit) {
		r.Units = append(r.Units, p.unit)
		slices.Sort(r.Units)
	}
	r.Fine, r.Seen = r.Fine || p.fine, now
	return record.Set(tx, k, r)
}
