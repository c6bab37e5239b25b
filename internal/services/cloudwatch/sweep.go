package cloudwatch

import (
	"context"
	"time"

	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// sweepKind is the durable job that removes points that are past their time.
	sweepKind = "cloudwatch.sweep"
	// sweepEvery is how often it runs for an account and region.
	sweepEvery = 3 * time.Hour
	// sweepMetrics bounds the metrics of one transaction of a sweep.
	sweepMetrics = 200
)

// scheduleSweep makes sure that a sweep of an account and region is to come.
func (m *Metrics) scheduleSweep(tx store.Txn, s scope) error {
	scheduled, err := record.Has(tx, s.swept())
	if err != nil || scheduled {
		return err
	}
	tx.Set(s.swept(), nil)
	return m.enqueueSweep(tx, s)
}

func (m *Metrics) enqueueSweep(tx store.Txn, s scope) error {
	return events.Enqueue(tx, events.Job{Kind: sweepKind, Payload: key.New(s.account, s.region), NotBefore: m.deps.Clock.Now().Add(sweepEvery)})
}

// sweep removes the points and the history of an account and region that are past their time, and metrics without any. It schedules the next sweep while there are metrics or history.
func (m *Metrics) sweep(ctx context.Context, job events.Job) error {
	d := key.Decode(job.Payload)
	s := scope{d.Str(), d.Str()}
	if err := d.Done(); err != nil {
		return events.Permanent(err)
	}
	if err := m.sweepHistory(ctx, s); err != nil {
		return err
	}
	for from := []byte(s.metrics()); from != nil; {
		err := m.deps.Store.Update(ctx, func(tx store.Txn) (err error) {
			from, err = m.sweepPart(tx, s, from)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sweepPart sweeps some metrics, and returns where to go on; nil at the end.
func (m *Metrics) sweepPart(tx store.Txn, s scope, from []byte) (next []byte, err error) {
	span := s.metrics().Span()
	span.Lo, span.Limit = from, sweepMetrics
	now, n := m.deps.Clock.Now(), 0
	for row, err := range record.Range[metric](tx, span) {
		if err != nil {
			return nil, err
		}
		n++
		next = append(append([]byte(nil), row.Key...), 0)
		m.sweepMetric(tx, s, row.Key, &row.Value, now)
	}
	if n == sweepMetrics {
		return next, nil
	}
	for _, rest := range []key.Key{s.metrics(), s.agedHistories()} {
		for _, err := range tx.Range(store.Span{Lo: rest, Hi: rest.End(), Limit: 1}) {
			if err != nil {
				return nil, err
			}
			return nil, m.enqueueSweep(tx, s)
		}
	}
	tx.Delete(s.swept())
	return nil, nil
}

// sweepMetric removes the old points of a metric, and the metric with its last.
func (m *Metrics) sweepMetric(tx store.Txn, s scope, k []byte, r *metric, now time.Time) {
	var d digest
	copy(d[:], k[len(k)-len(d):])
	all := tiers()
	for _, unit := range r.Units {
		for _, t := range all {
			tx.DeleteRange(s.points(d, unit, t), s.point(d, unit, t, now.Add(-t.kept)))
		}
	}
	if now.Sub(r.Seen) > all[len(all)-1].kept+seenEvery {
		tx.Delete(k)
	}
}
