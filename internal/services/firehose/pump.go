package firehose

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/sources"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// keep is for how long a batch that cannot be delivered is tried again
	// (https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html).
	keep = 24 * time.Hour
	// maxRows bounds the records of a batch.
	maxRows = 100_000
	// pageRows and pageBytes bound what one view of the store reads.
	pageRows  = 2000
	pageBytes = 4 << 20
)

// pumps are the running pumps and readers.
type pumps struct {
	mu      sync.Mutex // guards the fields below
	running map[ref]*pump
	closed  bool
	work    sync.WaitGroup
}

// start starts the pump of a delivery stream, and the reader of its source.
func (ps *pumps) start(s *Service, st *stream) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.closed || ps.running[st.ref()] != nil {
		return
	}
	if ps.running == nil {
		ps.running = map[ref]*pump{}
	}
	// It runs until it is stopped, whatever becomes of the call that made the stream.
	ctx, cancel := context.WithCancel(context.Background())
	p := &pump{Service: s, ref: st.ref(), cancel: cancel}
	ps.running[p.ref] = p
	ps.work.Go(func() { p.run(ctx) })
	if st.Source != "" {
		ps.work.Go(func() {
			(&reader{pump: p, stream: sources.DataStream{Door: p.door, ARN: st.Source}, source: st.Source, role: st.SourceRole, since: st.Created}).run(ctx)
		})
	}
}

// stop stops the pump of a stream that was deleted.
func (ps *pumps) stop(r ref) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if p := ps.running[r]; p != nil {
		p.cancel()
		delete(ps.running, r)
	}
}

// close stops all pumps and waits for them.
func (ps *pumps) close() {
	ps.mu.Lock()
	ps.closed = true
	for _, p := range ps.running {
		p.cancel()
	}
	clear(ps.running)
	ps.mu.Unlock()
	ps.work.Wait()
}

// pump delivers what is in the log of one delivery stream.
type pump struct {
	*Service
	ref    ref
	cancel context.CancelFunc
	// stuck tells that the last try to deliver failed; the reader of the source waits then.
	stuck atomic.Bool
	// tries counts the requests to an endpoint for the batch at hand.
	tries int
}

// plan is a batch: the rows up to Last, delivered as at At.
type plan struct {
	First store.Stamp `json:"first"`
	Last  store.Stamp `json:"last"`
	At    time.Time   `json:"at"`
	// Since is when its first record arrived.
	Since time.Time `json:"since"`
}

// level is what the log holds, as far as the pump has looked.
type level struct {
	first, last store.Stamp
	since       time.Time
	rows, bytes int
}

func (p *pump) run(ctx context.Context) {
	arrived, changed := p.store.Watch(p.ref.log()), p.store.Watch(p.ref.place.stream(p.ref.name))
	defer arrived.Close()
	defer changed.Close()
	var seen level
	for failures := 0; ctx.Err() == nil; {
		st, err := p.known(ctx, p.ref.place, p.ref.name)
		if err == nil && st.ID != p.ref.id {
			err = noStream(p.ref.place, p.ref.name)
		}
		if service.Code(err) == codeNotFound {
			return
		}
		var wait time.Duration
		if err == nil {
			wait, err = p.turn(ctx, st, &seen)
		}
		if err != nil {
			if failures++; ctx.Err() == nil {
				p.failed(ctx, st, err)
			}
			p.stuck.Store(true)
			if clock.Sleep(ctx, p.clock, backoff(failures)) != nil {
				return
			}
			continue
		}
		failures = 0
		p.stuck.Store(false)
		if wait == 0 {
			continue
		}
		t := p.clock.NewTimer(wait)
		select {
		case <-arrived.C():
		case <-changed.C():
		case <-t.C():
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// idle is how long a pump waits that has nothing to do; arrivals wake it before.
const idle = 24 * time.Hour

// turn delivers a batch when there is one; otherwise it returns how long to wait for the next.
func (p *pump) turn(ctx context.Context, st *stream, seen *level) (wait time.Duration, err error) {
	var next plan
	var planned bool
	err = p.store.View(ctx, func(r store.Reader) (err error) {
		next, planned, err = record.Get[plan](r, p.ref.plan())
		return err
	})
	if err != nil {
		return 0, err
	}
	if !planned {
		size, interval := st.buffer()
		if err := p.look(ctx, seen, size); err != nil {
			return 0, err
		}
		now := p.clock.Now().UTC()
		switch due := seen.since.Add(interval); {
		case seen.rows == 0:
			return idle, nil
		case seen.bytes < size && seen.rows < maxRows && now.Before(due):
			return due.Sub(now), nil
		}
		next = plan{First: seen.first, Last: seen.last, At: now, Since: seen.since}
		if err := p.store.Update(ctx, func(tx store.Txn) error {
			if _, err := find(tx, p.ref.place, p.ref.name); err != nil {
				return err
			}
			return record.Set(tx, p.ref.plan(), next)
		}); err != nil {
			return 0, err
		}
	}
	*seen = level{}
	if err := p.deliver(ctx, st, next); err != nil {
		if p.clock.Now().Sub(next.Since) < keep || ctx.Err() != nil {
			return 0, err
		}
		p.log.WarnContext(ctx, "records of a delivery stream are given up: they could not be delivered for a day", slog.String("stream", st.arn()), slog.Any("error", err))
	}
	return 0, p.drop(ctx, next)
}

// look looks at what has been added to the log, until it holds size bytes.
func (p *pump) look(ctx context.Context, seen *level, size int) error {
	for seen.bytes < size && seen.rows < maxRows {
		rows := 0
		err := p.pages(ctx, seen.last, store.Stamp{}, func(at store.Stamp, r row) {
			rows++
			if seen.rows == 0 {
				seen.first, seen.since = at, r.at
			}
			seen.rows++
			seen.bytes += len(r.data)
			seen.last = at
		})
		if err != nil || rows < pageRows {
			return err
		}
	}
	return nil
}

// pages calls fn with a page of the rows behind a stamp, up to another unless that is zero.
func (p *pump) pages(ctx context.Context, behind, last store.Stamp, fn func(at store.Stamp, r row)) error {
	log := p.ref.log()
	span := log.Span()
	if behind != (store.Stamp{}) {
		span.Lo = append(log.Raw(behind[:]), 0)
	}
	if last != (store.Stamp{}) {
		span.Hi = append(log.Raw(last[:]), 0)
	}
	span.Limit = pageRows
	return p.store.View(ctx, func(r store.Reader) error {
		size := 0
		for pair, err := range r.Range(span) {
			if err != nil {
				return err
			}
			var at store.Stamp
			copy(at[:], pair.Key[len(log):])
			found := decodeRow(pair.Value)
			fn(at, found)
			if size += len(found.data); size > pageBytes {
				return nil
			}
		}
		return nil
	})
}

// rows returns the records of a batch.
func (p *pump) rows(ctx context.Context, b plan) (out []*item, err error) {
	behind := store.Stamp{}
	for {
		n := len(out)
		err := p.pages(ctx, behind, b.Last, func(at store.Stamp, r row) {
			behind = at
			out = append(out, &item{id: p.ref.recordID(&at), at: r.at, data: append([]byte{}, r.data...)})
		})
		if err != nil || len(out) == n || behind == b.Last {
			return out, err
		}
	}
}

// deliver writes the objects of a batch.
func (p *pump) deliver(ctx context.Context, st *stream, b plan) error {
	items, err := p.rows(ctx, b)
	if err != nil {
		return err
	}
	if st.Endpoint != nil {
		return p.post(ctx, st, b, items)
	}
	w, err := newWork(st.Bucket.ProcessingConfiguration, st.Bucket.RoleARN)
	if err != nil {
		return err
	}
	objects, err := p.objects(ctx, st, w, b, items)
	if err != nil {
		return err
	}
	return p.writeAll(ctx, st, objects)
}

func (p *pump) writeAll(ctx context.Context, st *stream, objects []*object) error {
	for _, o := range objects {
		if err := p.write(ctx, st, o); err != nil {
			return err
		}
	}
	return nil
}

// drop removes the rows of a batch that has been dealt with.
func (p *pump) drop(ctx context.Context, b plan) error {
	return p.store.Update(ctx, func(tx store.Txn) error {
		log := p.ref.log()
		tx.DeleteRange(log, append(log.Raw(b.Last[:]), 0))
		tx.Delete(p.ref.plan())
		return nil
	})
}

// failed tells of a batch that was not delivered: in the log of the platform, and in the log group that the destination names.
func (p *pump) failed(ctx context.Context, st *stream, err error) {
	p.log.WarnContext(ctx, "a delivery stream could not deliver; it tries again", slog.String("stream", p.ref.place.arn(p.ref.name)), slog.Any("error", err))
	if st == nil {
		return
	}
	if logged := p.tell(ctx, st, err); logged != nil && !errors.Is(logged, context.Canceled) {
		p.log.WarnContext(ctx, "the errors of a delivery stream could not be written to its log group", slog.Any("error", logged))
	}
}

// backoff is the wait after a number of failures.
func backoff(failures int) time.Duration {
	return min(time.Second<<min(failures-1, 10), 5*time.Minute)
}
