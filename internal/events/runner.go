package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

const (
	// maxFill bounds the payload bytes that one look into the store brings to memory.
	maxFill = 4 << 20
	// storeRetry is the wait before the outcome of a job is written again after the store refused it.
	storeRetry = time.Second
)

// task is a job with the place where it lies.
type task struct {
	job Job
	row key.Key
	// slot is what must not run twice at a time: the group, or the stamp.
	slot string
}

// runner runs the jobs of one kind.
type runner struct {
	q    *Queue
	kind Kind
	keys layout
	// freed receives a value when a handler ended.
	freed chan struct{}
	// cursor is the least key of the ready index that has not been met; only loop uses it.
	cursor []byte
	turn   int // which index is looked into first; only loop uses it

	mu      sync.Mutex // guards the fields below
	running map[string]struct{}
}

func newRunner(q *Queue, k Kind) *runner {
	r := &runner{q: q, kind: k, keys: layoutOf(k.Name), freed: make(chan struct{}, 1), running: map[string]struct{}{}}
	r.cursor = r.keys.ready()
	return r
}

func (r *runner) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.running)
}

// loop starts jobs until ctx ends. work is the context of the handlers.
func (r *runner) loop(ctx, work context.Context) {
	w := r.q.store.Watch(r.keys.base)
	defer w.Close()
	for ctx.Err() == nil {
		next, err := r.fill(ctx, work)
		if err != nil && ctx.Err() == nil {
			r.q.log.ErrorContext(ctx, "cannot read jobs", slog.String("kind", r.kind.Name), slog.String("error", err.Error()))
			next = r.q.clk.Now().Add(storeRetry)
			if errors.Is(err, store.ErrClosed) || errors.Is(err, store.ErrFailed) {
				return
			}
		}
		r.sleep(ctx, w, next)
	}
}

// maxSleep bounds a sleep until the next job is due. A timer counts the time that the machine runs: after the machine was suspended, or its clock was set, the job is
// due before the timer fires.
const maxSleep = time.Minute

// sleep waits for something to do; next is when the next job is due, if not zero.
func (r *runner) sleep(ctx context.Context, w *store.Watcher, next time.Time) {
	var due <-chan time.Time
	if !next.IsZero() {
		t := r.q.clk.NewTimer(min(next.Sub(r.q.clk.Now()), maxSleep))
		defer t.Stop()
		due = t.C()
	}
	select {
	case <-ctx.Done():
	case <-w.C():
	case <-r.freed:
	case <-due:
	}
}

// fill starts what can be started, and returns when the next job is due.
func (r *runner) fill(ctx, work context.Context) (time.Time, error) {
	// The copy is taken before the view: what ended later is still in it, what ended earlier is not in the view.
	r.mu.Lock()
	busy := maps.Clone(r.running)
	r.mu.Unlock()
	if len(busy) >= r.kind.Concurrency {
		return time.Time{}, nil
	}
	l := look{r: r, now: r.q.clk.Now(), busy: busy, free: r.kind.Concurrency - len(busy), cursor: r.cursor}
	err := r.q.store.View(ctx, l.read)
	if err != nil {
		return time.Time{}, err
	}
	r.cursor = l.cursor
	r.turn++
	for _, t := range l.tasks {
		r.mu.Lock()
		r.running[t.slot] = struct{}{}
		r.mu.Unlock()
		r.q.work.Go(func() { r.run(work, t) })
	}
	if l.size >= maxFill {
		return l.now, nil
	}
	return l.next, nil
}

// look is one look into the store for jobs to start.
type look struct {
	r      *runner
	now    time.Time
	busy   map[string]struct{}
	free   int
	tasks  []task
	size   int
	cursor []byte
	next   time.Time
}

// read visits the three indexes, beginning with another one each time so that none starves.
func (l *look) read(rd store.Reader) error {
	steps := []func(store.Reader) error{l.readTimers, l.readGroups, l.readReady}
	for i := range steps {
		if err := steps[(i+l.r.turn)%len(steps)](rd); err != nil {
			return err
		}
	}
	return nil
}

func (l *look) full() bool { return l.free <= 0 || l.size >= maxFill }

// add takes a job; a row that cannot be read is reported and skipped, it stays in the store.
func (l *look) add(row, stamp, value []byte, slot string) {
	j, err := decode(l.r.kind.Name, stamp, value)
	if err != nil {
		l.r.q.log.Error("job skipped", slog.String("kind", l.r.kind.Name), slog.String("id", idOf(stamp)), slog.String("error", err.Error()))
		return
	}
	if j.Enqueued.IsZero() {
		j.Enqueued = l.now
	}
	l.tasks = append(l.tasks, task{job: j, row: slices.Clone(row), slot: slot})
	l.size += len(value)
	l.free--
	l.busy[slot] = struct{}{}
}

func (l *look) readReady(rd store.Reader) error {
	if l.full() {
		return nil
	}
	for p, err := range rd.Range(store.Span{Lo: l.cursor, Hi: l.r.keys.ready().End(), Limit: l.free}) {
		if err != nil {
			return err
		}
		l.cursor = append(slices.Clone(p.Key), 0)
		l.add(p.Key, stampOf(p.Key), p.Value, string(stampOf(p.Key)))
		if l.full() {
			return nil
		}
	}
	return nil
}

func (l *look) readTimers(rd store.Reader) error {
	prefix := l.r.keys.timers()
	for p, err := range rd.Range(prefix.Span()) {
		if err != nil {
			return err
		}
		due := key.Decode(p.Key).Skip(prefix).Time()
		if due.After(l.now) {
			l.dueAt(due)
			return nil
		}
		if l.full() {
			return nil
		}
		slot := string(stampOf(p.Key))
		if _, taken := l.busy[slot]; !taken {
			l.add(p.Key, stampOf(p.Key), p.Value, slot)
		}
	}
	return nil
}

func (l *look) readGroups(rd store.Reader) error {
	prefix := l.r.keys.heads()
	for p, err := range rd.Range(prefix.Span()) {
		if err != nil {
			return err
		}
		d := key.Decode(p.Key).Skip(prefix)
		due, group := fromUnixNano(d.Int()), d.Str()
		if due.After(l.now) {
			l.dueAt(due)
			return nil
		}
		if l.full() {
			return nil
		}
		if _, taken := l.busy["group "+group]; taken {
			continue
		}
		span := l.r.keys.group(group).Span()
		span.Limit = 1
		for row, err := range rd.Range(span) {
			if err != nil {
				return err
			}
			l.add(row.Key, stampOf(row.Key), row.Value, "group "+group)
		}
	}
	return nil
}

func (l *look) dueAt(t time.Time) {
	if l.next.IsZero() || t.Before(l.next) {
		l.next = t
	}
}

// run runs one job and writes its outcome.
func (r *runner) run(ctx context.Context, t task) {
	// An outcome removes the row of the job or moves it, so that what waits in queues can be worked off on a full disk.
	settling := store.MakingRoom(ctx)
	if r.kind.MakesRoom {
		ctx = settling
	}
	defer func() {
		r.mu.Lock()
		delete(r.running, t.slot)
		r.mu.Unlock()
		select {
		case r.freed <- struct{}{}:
		default:
		}
	}()
	t.job.Attempt++
	var err error
	if r.tooOld(t.job) {
		t.job.Attempt--
		err = Permanent(fmt.Errorf("job is older than %s", r.kind.MaxAge))
	} else {
		err = r.handle(ctx, t.job)
	}
	if err != nil && ctx.Err() != nil {
		return // the queue ended the handler: the try does not count
	}
	for {
		end := r.q.store.Update(settling, func(tx store.Txn) error { return r.settle(ctx, tx, t, err) })
		if end == nil || ctx.Err() != nil || errors.Is(end, store.ErrClosed) || errors.Is(end, store.ErrFailed) {
			return
		}
		r.q.log.ErrorContext(ctx, "cannot write the outcome of a job", slog.String("kind", r.kind.Name),
			slog.String("id", t.job.ID), slog.String("error", end.Error()))
		if clock.Sleep(ctx, r.q.clk, storeRetry) != nil {
			return
		}
	}
}

// tooOld reports whether a job that failed before has become too old to be tried again.
func (r *runner) tooOld(j Job) bool {
	return j.Attempt > 1 && r.kind.MaxAge > 0 && r.q.clk.Now().Sub(j.Enqueued) > r.kind.MaxAge
}

// handle calls the handler and turns a panic into an error.
func (r *runner) handle(ctx context.Context, j Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.q.log.ErrorContext(ctx, "job handler panicked", slog.String("kind", j.Kind), slog.String("id", j.ID),
				slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			err = fmt.Errorf("handler panicked: %v", p)
		}
	}()
	return r.kind.Handle(ctx, j)
}
