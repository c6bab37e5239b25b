package logs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// flushInterval is how long a line may wait in the buffer.
	flushInterval = 200 * time.Millisecond
	// maxBuffered bounds the buffer, in bytes of messages and overhead.
	maxBuffered = 8 << 20
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
	pending  map[target][]line
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

func newSink(l *Logs) *sink {
	return &sink{logs: l, changed: make(chan struct{}), pending: make(map[target][]line), wake: make(chan struct{}, 1), done: make(chan struct{})}
}

// PutLog implements [port.LogSink].
func (l *Logs) PutLog(ctx context.Context, account, region, group, stream string, lines []port.LogLine) error {
	return l.sink.put(ctx, target{scope{account, region}, group, stream}, lines)
}

// Flush implements [port.LogSink].
func (l *Logs) Flush(ctx context.Context) error { return l.sink.Flush(ctx) }

// put adds lines to the buffer, waiting for room before each batch: one batch may pass the bound.
func (k *sink) put(ctx context.Context, t target, lines []port.LogLine) error {
	if err := k.room(ctx); err != nil {
		return err
	}
	defer k.mu.Unlock()
	all, ok := k.pending[t]
	before := len(all)
	for _, in := range lines {
		message := in.Message
		if len(message) > maxEventBytes-eventOverhead {
			message = message[:maxEventBytes-eventOverhead]
		}
		if message == "" {
			continue
		}
		all = append(all, line{in.Time.UnixMilli(), message})
		k.size += len(message) + eventOverhead
	}
	if len(all) == before {
		return nil
	}
	if !ok {
		k.order = append(k.order, t)
	}
	k.pending[t] = all
	select {
	case k.wake <- struct{}{}:
	default:
	}
	return nil
}

// room waits until the buffer has room, and returns with k.mu held unless it fails.
func (k *sink) room(ctx context.Context) error {
	k.mu.Lock()
	for k.size > maxBuffered && !k.closed {
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

// drain commits pending lines until none is left. One drain runs at a time; others wait for it.
func (k *sink) drain(ctx context.Context) error {
	for {
		parts, wait := k.take()
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
	}
}

// take claims lines for one commit, or returns a channel to wait on while another drain holds some.
func (k *sink) take() ([]part, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.flushing {
		return nil, k.changed
	}
	var parts []part
	size := 0
	for _, t := range k.order {
		all := k.pending[t]
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

// settle removes lines that are durable from the buffer; after an error they stay where they are.
func (k *sink) settle(parts []part, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flushing = false
	if err == nil {
		k.order = k.order[len(parts):]
		for _, p := range parts {
			for _, e := range p.lines {
				k.size -= len(e.message) + eventOverhead
			}
			if rest := k.pending[p.target][len(p.lines):]; len(rest) > 0 {
				k.pending[p.target] = rest
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
	now := l.nowMS()
	return l.deps.Store.Update(ctx, func(tx store.Txn) error {
		for _, p := range parts {
			if err := l.commitPart(tx, p, now); err != nil {
				return err
			}
		}
		return nil
	})
}

func (l *Logs) commitPart(tx store.Txn, p part, now int64) error {
	g, ok, err := record.Get[group](tx, p.scope.group(p.target.group))
	if err != nil {
		return err
	}
	if !ok {
		if g, err = l.newGroup(p.target.group); err != nil {
			return err
		}
		if err := record.Set(tx, p.scope.group(g.Name), g); err != nil {
			return err
		}
	}
	st, ok, err := record.Get[stream](tx, p.scope.stream(g.ID, p.target.stream))
	if err != nil {
		return err
	}
	if !ok {
		st = stream{Name: p.target.stream, Created: now}
	}
	_, err = write(tx, p.scope, g.ID, st, p.lines, now)
	return err
}
