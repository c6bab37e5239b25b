package sources

import (
	"context"
	"hash/fnv"
	"log/slog"
	"sync"
	"time"

	"lambent.dev/lambent/internal/service"
)

// shardReader reads one shard and deals its records out to lanes.
type shardReader struct {
	*streamReader
	id       string
	at       Position
	iterator string
	// since leaves out older records: a table's stream can only be read from its beginning when nothing of it has been read yet.
	since   time.Time
	lanes   []*lane
	tracker tracker
}

func newShard(r *streamReader, id string, c checkpoint, at Position) *shardReader {
	s := &shardReader{streamReader: r, id: id, at: at}
	s.tracker = tracker{shard: s, saved: c, window: c.Window, changed: make(chan struct{}, 1), idle: make(chan struct{})}
	if r.Start == Latest && at.Kind == TrimHorizon && c.After == "" && !at.child {
		s.since = r.Since.Truncate(time.Second)
	}
	n := r.Parallel
	if r.Tumbling > 0 {
		n = 1
	}
	for range max(n, 1) {
		s.lanes = append(s.lanes, &lane{shardReader: s, records: make(chan []*streamRecord, 1), window: c.Window})
	}
	return s
}

// open finds the shard's place. fresh writes a first checkpoint, so that a mapping which starts at the end of a stream knows later that it had begun.
func (s *shardReader) open(ctx context.Context, fresh bool) (err error) {
	if s.iterator, err = s.source.iterator(ctx, s.id, s.at); err != nil || !fresh {
		return err
	}
	return s.save(ctx, s.id, s.tracker.saved, nil)
}

// run reads until the shard ends, which it reports, or the worker stops.
func (s *shardReader) run() (ended bool) {
	var lanes, commits sync.WaitGroup
	for _, l := range s.lanes {
		lanes.Go(l.run)
	}
	commits.Go(s.tracker.run)
	ended = s.read()
	for _, l := range s.lanes {
		close(l.records)
	}
	lanes.Wait()
	ended = ended && s.soft.Err() == nil
	s.tracker.close(ended)
	commits.Wait()
	return ended
}

// read reads the shard and hands its records to the lanes. It reports whether it came to the end of the shard.
func (s *shardReader) read() bool {
	arrived, stop := s.Arrivals.Arrivals(s.Source.String())
	defer func() { stop() }()
	failures := 0
	for s.soft.Err() == nil {
		list, next, err := s.next()
		if err != nil {
			if s.soft.Err() != nil {
				return false
			}
			failures++
			if !s.recover(err, failures) {
				return false
			}
			continue
		}
		failures = 0
		if !s.deal(list) {
			return false
		}
		if s.iterator = next; next == "" {
			return true
		}
		if len(list) == 0 && !s.wait(arrived) && s.soft.Err() == nil {
			stop()
			arrived, stop = s.Arrivals.Arrivals(s.Source.String())
		}
	}
	return false
}

// next reads the next records.
func (s *shardReader) next() (list []*streamRecord, next string, err error) {
	ctx, err := s.Caller(s.soft)
	if err != nil {
		return nil, "", err
	}
	if s.iterator == "" {
		if s.iterator, err = s.source.iterator(ctx, s.id, s.at); err != nil {
			return nil, "", err
		}
	}
	return s.source.read(ctx, s.iterator, s.id, s.BatchSize*len(s.lanes))
}

// recover deals with an error of the source: an iterator that has expired is replaced, records that are gone are skipped with a warning.
func (s *shardReader) recover(err error, failures int) bool {
	switch service.Code(err) {
	case "ExpiredIteratorException":
		if s.iterator = ""; s.at.Kind == Latest {
			// Nothing has been read since the mapping began: go on from its time.
			s.at = s.restart()
			s.since = s.Since.Truncate(time.Second)
		}
		if failures == 1 {
			return true
		}
	case "TrimmedDataAccessException":
		s.Log.Warn("records were lost: they were older than the stream keeps them before the function took them", slog.String("shard", s.id))
		s.iterator, s.at = "", Position{Kind: TrimHorizon}
	}
	s.failed("read a stream for a function", err)
	return s.pause(failures)
}

// deal hands records to their lanes, in order; it waits while a lane is full.
func (s *shardReader) deal(list []*streamRecord) bool {
	if len(list) == 0 {
		return true
	}
	parts := make([][]*streamRecord, len(s.lanes))
	for _, r := range list {
		s.tracker.add(r)
		if r.arrived.Before(s.since) {
			s.tracker.done(progress{}, r)
			continue
		}
		i := s.laneOf(r)
		parts[i] = append(parts[i], r)
	}
	s.at = Position{Kind: AfterSequence, Sequence: list[len(list)-1].sequence}
	for i, part := range parts {
		if len(part) == 0 {
			continue
		}
		select {
		case s.lanes[i].records <- part:
		case <-s.soft.Done():
			return false
		}
	}
	return true
}

// laneOf is the lane of a record: records of one partition key stay in order.
func (s *shardReader) laneOf(r *streamRecord) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(r.partition))
	return int(h.Sum32() % uint32(len(s.lanes)))
}

// tracker knows which of a shard's records are dealt with, and writes the checkpoint.
type tracker struct {
	shard   *shardReader
	changed chan struct{} // receives a value when there is something to write
	idle    chan struct{} // closed when nothing more will come

	mu     sync.Mutex      // guards the fields below
	open   []*streamRecord // read and not yet behind the checkpoint, in order
	after  string
	window *windowState
	failed []*Failure
	dirty  bool
	ended  bool

	saved checkpoint // what is in the store; only run uses it after the start
}

func (t *tracker) add(r *streamRecord) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = append(t.open, r)
}

// progress is what changes beside the records that are dealt with.
type progress struct {
	// failed tells of a batch that was given up.
	failed *Failure
	// window is the tumbling window as it is then, if there are windows.
	window   *windowState
	windowed bool
}

// done notes that records are dealt with.
func (t *tracker) done(p progress, records ...*streamRecord) {
	t.mu.Lock()
	for _, r := range records {
		r.done = true
	}
	n := 0
	for n < len(t.open) && t.open[n].done {
		n++
	}
	if n > 0 {
		t.after, t.open = t.open[n-1].sequence, t.open[n:]
	}
	if p.failed != nil {
		t.failed = append(t.failed, p.failed)
	}
	if p.windowed {
		t.window = p.window
	}
	t.dirty = true
	t.mu.Unlock()
	t.signal()
}

func (t *tracker) signal() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// close ends the tracker when nothing more will come; ended tells that the shard has ended and all of it was dealt with.
func (t *tracker) close(ended bool) {
	t.mu.Lock()
	t.ended = ended && len(t.open) == 0
	t.dirty = t.dirty || t.ended
	t.mu.Unlock()
	close(t.idle)
}

// run writes the checkpoint whenever it has moved. Several moves may share one commit.
func (t *tracker) run() {
	for {
		select {
		case <-t.changed:
			t.flush()
		case <-t.idle:
			t.flush()
			return
		}
	}
}

func (t *tracker) flush() {
	for failures := 1; ; failures++ {
		t.mu.Lock()
		next, failed, dirty := checkpoint{After: t.after, Done: t.ended, Window: t.window}, t.failed, t.dirty
		if next.After == "" {
			next.After = t.saved.After
		}
		t.mu.Unlock()
		if !dirty {
			return
		}
		err := t.shard.save(context.WithoutCancel(t.shard.hard), t.shard.id, next, failed)
		if err == nil {
			t.saved = next
			t.mu.Lock()
			t.failed = t.failed[len(failed):]
			t.dirty = len(t.failed) > 0 || t.after != next.After && t.after != "" || t.window != next.Window || t.ended != next.Done
			t.mu.Unlock()
			continue
		}
		t.shard.failed("write the checkpoint of a stream", err)
		if !t.shard.pause(failures) {
			return
		}
	}
}
