package cloudwatch

import (
	"cmp"
	"context"
	"slices"
	"time"

	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// inboxRows bounds the rows of the inbox that one commit takes.
	inboxRows = 64
	// standInAfter is how long after its minute a stand-in counts: what is counted at the minute's end is committed by then, and the alarms of the next minute see it.
	standInAfter = time.Minute + evaluateAfter/2
)

// Inbox takes what other services count into their transactions.
type Inbox struct{}

var _ port.MetricSink = Inbox{}

// arrival is a point in the inbox.
type arrival struct {
	Namespace, Name string
	Dimensions      []meter.Dimension `json:",omitempty"`
	Unit            string
	At              time.Time
	Point           []byte // encoded samples
}

// PutMetrics implements [port.MetricSink].
func (Inbox) PutMetrics(tx store.Txn, account, region string, data []port.MetricDatum) error {
	s := scope{account, region}
	var all []arrival
	for i := range data {
		d := &data[i]
		a := arrival{Namespace: d.Namespace, Name: d.Name, Dimensions: sorted(d.Dimensions), Unit: cmp.Or(d.Unit, noUnit), At: d.At.Truncate(time.Minute), Point: encode(&d.Samples)}
		if !d.StandIn {
			all = append(all, a)
			continue
		}
		if err := record.Set(tx, s.standIn(digestOf(a.Namespace, a.Name, a.Dimensions), a.Unit, a.At), a); err != nil {
			return err
		}
	}
	for part := range slices.Chunk(all, commitPoints) {
		if err := record.Append(tx, s.inbox(), part); err != nil {
			return err
		}
	}
	return nil
}

// point returns what an arrival is.
func (a *arrival) point(s scope) (p point, err error) {
	p = point{scope: s, namespace: a.Namespace, name: a.Name, dimensions: a.Dimensions, unit: a.Unit, at: a.At}
	p.samples, err = decode(a.Point)
	return p, err
}

// takeInbox adds what is in the inbox to its metrics, and the stand-ins of minutes that are over and have nothing else.
func (m *Metrics) takeInbox(ctx context.Context) error {
	if err := m.take(ctx, inbox(), m.takeRows); err != nil {
		return err
	}
	return m.take(ctx, standIns(), m.takeStandIns)
}

// take runs add on the rows of a prefix, some in each transaction, until all were looked at. add returns how many it has dealt with.
func (m *Metrics) take(ctx context.Context, prefix key.Key, add func(tx store.Txn, keys [][]byte) (int, error)) error {
	for lo := []byte(prefix); ; {
		var keys [][]byte
		err := m.deps.Store.View(ctx, func(r store.Reader) error {
			keys = nil
			for row, err := range r.Range(store.Span{Lo: lo, Hi: prefix.End(), Limit: inboxRows}) {
				if err != nil {
					return err
				}
				keys = append(keys, slices.Clone(row.Key))
			}
			return nil
		})
		if err != nil || len(keys) == 0 {
			return err
		}
		done := 0
		err = m.deps.Store.Update(ctx, func(tx store.Txn) (err error) {
			done, err = add(tx, keys)
			return err
		})
		if err != nil {
			return err
		}
		lo = append(keys[done-1], 0)
	}
}

// takeRows adds rows of the inbox to their metrics and deletes them, as many as one commit may have points of. A row that is gone was added by another flush.
func (m *Metrics) takeRows(tx store.Txn, keys [][]byte) (done int, err error) {
	var points []point
	for done < len(keys) && len(points) < commitPoints {
		k := keys[done]
		done++
		row, ok, err := record.Get[[]arrival](tx, k)
		if err != nil {
			return done, err
		}
		if !ok {
			continue
		}
		d := key.Decode(k).Skip(inbox())
		s := scope{d.Str(), d.Str()}
		for i := range row {
			p, err := row[i].point(s)
			if err != nil {
				return done, err
			}
			points = append(points, p)
		}
		tx.Delete(k)
	}
	points = merged(points)
	for i := range points {
		if err := m.write(tx, &points[i]); err != nil {
			return done, err
		}
	}
	return done, nil
}

// takeStandIns deletes the stand-ins of minutes that are over, and adds them to those metrics that have nothing in the minute.
func (m *Metrics) takeStandIns(tx store.Txn, keys [][]byte) (int, error) {
	for _, k := range keys {
		d := key.Decode(k).Skip(standIns())
		s := scope{d.Str(), d.Str()}
		if m.deps.Clock.Now().Before(time.Unix(d.Int(), 0).Add(standInAfter)) {
			continue
		}
		a, ok, err := record.Get[arrival](tx, k)
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		tx.Delete(k)
		if err := m.standIn(tx, s, &a); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// standIn adds a point unless its metric has something in the minute.
func (m *Metrics) standIn(tx store.Txn, s scope, a *arrival) error {
	p, err := a.point(s)
	if err != nil {
		return err
	}
	have, err := readPoint(tx, s.point(digestOf(p.namespace, p.name, p.dimensions), p.unit, tiers()[1], p.at))
	if err != nil || have.Count > 0 {
		return err
	}
	return m.write(tx, &p)
}
