package cloudwatch

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/store"
)

const (
	// maxPending bounds the counts that wait while the store takes none.
	maxPending = 100_000
	// commitPoints bounds the points of one commit, far below what a transaction may write.
	commitPoints = 200
)

// start begins to flush what is counted.
func (m *Metrics) start(context.Context) error {
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	go m.run(ctx)
	return nil
}

// close makes what was counted durable; what is in the inbox is so already. On a full disk it is lost, as that keeps nothing from ending in order.
func (m *Metrics) close(ctx context.Context) error {
	if m.stop != nil {
		m.stop()
		<-m.done
	}
	m.flushing.Lock()
	defer m.flushing.Unlock()
	err := m.flushCountsLocked(ctx)
	if errors.Is(err, store.ErrFull) {
		m.deps.Log.WarnContext(ctx, "metrics are lost: there is no room for them", slog.Int("counts", len(m.pending)), slog.Any("error", err))
		return nil
	}
	return err
}

// run flushes on every full minute.
func (m *Metrics) run(ctx context.Context) {
	defer close(m.done)
	for {
		now := m.deps.Clock.Now()
		if clock.Sleep(ctx, m.deps.Clock, now.Truncate(time.Minute).Add(time.Minute).Sub(now)) != nil {
			return
		}
		if err := m.flush(ctx); err != nil && ctx.Err() == nil {
			m.deps.Log.ErrorContext(ctx, "metrics could not be written and are kept for another try", slog.Any("error", err))
		}
	}
}

// flush makes what the meters counted durable, and adds what is in the inbox to its metrics.
func (m *Metrics) flush(ctx context.Context) error {
	m.flushing.Lock()
	defer m.flushing.Unlock()
	if err := m.takeInbox(ctx); err != nil {
		return storeError(err)
	}
	return m.flushCountsLocked(ctx)
}

// flushCountsLocked makes what the meters counted durable.
func (m *Metrics) flushCountsLocked(ctx context.Context) error {
	counts := m.deps.Meters.Drain(ctx, m.deps.Clock.Now())
	for i := range counts {
		c := &counts[i]
		m.pending = append(m.pending, point{
			scope: scope{c.Account, c.Region}, namespace: c.Namespace, name: c.Measure.Name, dimensions: sorted(c.Dimensions), unit: c.Measure.Unit, at: c.Minute, samples: c.Samples,
		})
	}
	if n := len(m.pending) - maxPending; n > 0 {
		m.deps.Log.ErrorContext(ctx, "metrics are lost: they could not be written for too long", slog.Int("counts", n))
		m.pending = slices.Delete(m.pending, 0, n)
	}
	left, err := m.commit(ctx, merged(m.pending))
	m.pending = left
	return err
}

// commit writes points, and returns those that were not written.
func (m *Metrics) commit(ctx context.Context, points []point) (left []point, err error) {
	for len(points) > 0 {
		part := points[:min(len(points), commitPoints)]
		err := m.deps.Store.Update(ctx, func(tx store.Txn) error {
			for i := range part {
				if err := m.write(tx, &part[i]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return points, storeError(err)
		}
		points = points[len(part):]
	}
	return nil, nil
}

// merged adds up points of the same metric, unit and time.
func merged(in []point) []point {
	type id struct {
		scope
		digest
		unit string
		at   int64
		fine bool
	}
	seen := make(map[id]int, len(in))
	var out []point
	for i := range in {
		p := &in[i]
		k := id{p.scope, digestOf(p.namespace, p.name, p.dimensions), p.unit, p.at.Unix(), p.fine}
		if at, ok := seen[k]; ok {
			out[at].samples.Merge(&p.samples)
			continue
		}
		seen[k] = len(out)
		own := *p
		own.samples = meter.Samples{}
		own.samples.Merge(&p.samples)
		out = append(out, own)
	}
	return out
}
