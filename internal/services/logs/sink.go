package logs

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// flushInterval is how long a line may wait in the buffer.
	flushInterval = 200 * time.Millisecond
	// maxBuffered bounds the buffer, in bytes of messages and overhead.
	maxBuffered = 8 << 20
	// maxStream is how much of that one stream may take, and fairStream what each may have even when the others have filled the buffer, so that a function that
	// logs without end makes nobody else wait. Both are in bytes.
	maxStream  = 1 << 20
	fairStream = 64 << 10
	// maxCommit bounds one commit of the sink, in bytes, well below a transaction's limit; maxCommitStreams bounds the streams in it.
	maxCommit        = 1 << 20
	maxCommitStreams = 256
)

// sink buffers lines of functions. Its goroutine runs from start to close.
type sink struct {
	logs *Logs

	mu sync.Mutex // guards the fields below
	// changed is closed and renewed whenever pending or flushing change.
	changed  chan struct{}
	pending  map[target]*queue
	order    []target
	size     int
	flushing bool
	closed   bool
	wake     chan struct{} // holds one wake-up for the goroutine

	done chan struct{}
	stop context.CancelFunc
}

// target is the stream that lines go to.
type target struct {
	scope
	group, stream string
}

// queue is what waits of one stream, size its bytes.
type queue struct {
	lines []line
	size  int
}

func newSink(l *Logs) *sink {
	return &sink{logs: l, changed: make(chan struct{}), pending: make(map[target]*queue), wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// PutLog implements [port.LogSink].
func (l *Logs) PutLog(ctx context.Context, account, region, group, stream string, lines []port.LogLine) error {
	return l.sink.put(ctx, target{scope{account, region}, group, stream}, lines)
}

// Flush implements [port.LogSink].
func (l *Logs) Flush(ctx context.Context) error { return l.sink.Flush(ctx) }

// put adds lines to the buffer, waiting for room before each batch: one batch may pass the bounds.
func (k *sink) put(ctx context.Context, t target, lines []port.LogLine) error {
	if err := k.room(ctx, t); err != nil {
		return err
	}
	defer k.mu.Unlock()
	q, ok := k.pending[t]
	if !ok {
		q = &queue{}
	}
	before := q.size
	for _, in := range lines {
		message := in.Message
		if len(message) > maxEventBytes-eventOverhead {
			message = message[:maxEventBytes-eventOverhead]
		}
		if message == "" {
			continue
		}
		q.lines = append(q.lines, line{in.Time.UnixMilli(), message})
		q.size += len(message) + eventOverhead
	}
	if q.size == before {
		return nil
	}
	k.size += q.size - before
	if !ok {
		k.order = append(k.order, t)
		k.pending[t] = q
	}
	select {
	case k.wake <- struct{}{}:
	default:
	}
	return nil
}

// room waits until the buffer has room for a stream, and returns with k.mu held unless it fails.
func (k *sink) room(ctx context.Context, t target) error {
	k.mu.Lock()
	for k.fullLocked(t) && !k.closed {
		changed := k.changed
		k.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
		k.mu.Lock()
	}
	if k.closed {
		k.mu.Unlock()
		return errors.New("the log sink is closed")
	}
	return nil
}

// fullLocked tells whether a stream has to wait.
func (k *sink) fullLocked(t target) bool {
	q := k.pending[t]
	return q != nil && (q.size > maxStream || k.size > maxBuffered && q.size > fairStream)
}

// Flush waits until every line that was accepted before is durable.
func (k *sink) Flush(ctx context.Context) error { return k.drain(ctx) }

func (k *sink) start(context.Context) error {
	ctx, stop := context.WithCancel(context.Background())
	k.stop = stop
	go k.run(ctx)
	return nil
}

// close makes what is buffered durable and ends the goroutine.
func (k *sink) close(ctx context.Context) error {
	k.mu.Lock()
	k.closed = true
	k.notifyLocked()
	k.mu.Unlock()
	err := k.drain(ctx)
	if k.stop != nil {
		k.stop()
		<-k.done
	}
	return err
}

func (k *sink) run(ctx context.Context) {
	defer close(k.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.wake:
		}
		if clock.Sleep(ctx, k.logs.deps.Clock, flushInterval) != nil {
			return
		}
		if err := k.drain(ctx); err != nil && ctx.Err() == nil {
			k.logs.deps.Log.ErrorContext(ctx, "log lines could not be written and are kept for another try", slog.Any("error", err))
			k.retry()
		}
	}
}

func (k *sink) retry() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// part is the lines of one stream in a commit.
type part struct {
	target

	lines []line
}

// drain commits the lines that are pending now, and leaves those that come meanwhile to the next one: a stream that never stops would keep it for ever, and is slowed
// down to what the buffer has of it for each [flushInterval]. One drain commits at a time; others wait for it.
func (k *sink) drain(ctx context.Context) error {
	left := k.waiting()
	for {
		parts, wait := k.take(left)
		switch {
		case wait != nil:
			select {
			case <-wait:
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		case parts == nil:
			return nil
		}
		err := k.logs.commit(ctx, parts)
		k.settle(parts, err)
		if err != nil {
			return err
		}
		for _, p := range parts {
			left[p.target] -= len(p.lines)
		}
	}
}

// waiting is how many lines of each stream are pending.
func (k *sink) waiting() map[target]int {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make(map[target]int, len(k.pending))
	for t, q := range k.pending {
		out[t] = len(q.lines)
	}
	return out
}

// take claims lines for one commit, at most so many of each stream, or returns a channel to wait on while another drain holds some.
func (k *sink) take(most map[target]int) ([]part, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.flushing {
		return nil, k.changed
	}
	var parts []part
	size := 0
	for _, t := range k.order {
		all := k.pending[t].lines
		all = all[:min(len(all), most[t])]
		n := 0
		for n < len(all) && n < maxBatchEvents && (size == 0 || size+len(all[n].message)+eventOverhead <= maxCommit) {
			size += len(all[n].message) + eventOverhead
			n++
		}
		if n > 0 {
			parts = append(parts, part{t, all[:n:n]})
		}
		if n < len(all) || len(parts) == maxCommitStreams {
			break
		}
	}
	k.flushing = parts != nil
	return parts, nil
}

// settle removes lines that are durable from the buffer; after an error they stay where they are. A stream with more of them goes behind the others.
func (k *sink) settle(parts []part, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flushing = false
	if err == nil {
		settled := make(map[target]bool, len(parts))
		for _, p := range parts {
			settled[p.target] = true
		}
		k.order = slices.DeleteFunc(k.order, func(t target) bool { return settled[t] })
		for _, p := range parts {
			q, done := k.pending[p.target], 0
			for _, e := range p.lines {
				done += len(e.message) + eventOverhead
			}
			k.size -= done
			q.size -= done
			if q.lines = q.lines[len(p.lines):]; len(q.lines) > 0 {
				k.order = append(k.order, p.target)
			} else {
				delete(k.pending, p.target)
			}
		}
	}
	k.notifyLocked()
}

func (k *sink) notifyLocked() {
	close(k.changed)
	k.changed = make(chan struct{})
}

// commit writes lines to their streams in one transaction, and makes groups and streams that are missing.
func (l *Logs) commit(ctx context.Context, parts []part) error {
	return l.ingest(ctx, func(in *intake) error {
		for _, p := range parts {
			if err := l.commitPart(ctx, in, p); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *Logs) commitPart(ctx context.Context, in *intake, p part) error {
	g, ok, err := record.Get[group](in.tx, p.scope.group(p.target.group))
	if err != nil {
		return err
	}
	if !ok {
		if g, err = l.newGroup(p.target.group); err != nil {
			return err
		}
		if err := record.Set(in.tx, p.scope.group(g.Name), g); err != nil {
			return err
		}
	}
	st, ok, err := record.Get[stream](in.tx, p.scope.stream(g.ID, p.target.stream))
	if err != nil {
		return err
	}
	if !ok {
		st = stream{Name: p.target.stream, Created: in.now}
	}
	_, err = l.record(ctx, in, p.scope, &g, st, p.lines)
	return err
}
