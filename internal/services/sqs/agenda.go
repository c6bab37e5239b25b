package sqs

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

const (
	// tendBatch is how many rows one transaction of the agenda works on.
	tendBatch = 256
	// startPage is how many queues are looked at in one view when the service starts.
	startPage = 256
	// tendRetry is the wait after a failure.
	tendRetry = time.Second
)

// agenda tends queues when something is due: hidden messages become visible, messages past their retention and used deduplication ids go away.
type agenda struct {
	s      *Service
	cancel context.CancelFunc
	done   sync.WaitGroup
	// changed holds a value when the first time may be another.
	changed chan struct{}

	mu sync.Mutex // guards the fields below
	// byQueue has the entry of each queue that has something due, by the memory of the queue.
	byQueue map[*live]*appointment
	order   appointments
}

// appointment is the time at which a queue is tended.
type appointment struct {
	q     *queue
	at    int64 // Unix milliseconds
	index int
}

func (a *agenda) init(s *Service) {
	a.s, a.changed, a.byQueue = s, make(chan struct{}, 1), map[*live]*appointment{}
}

func (a *agenda) start(ctx context.Context) error {
	ctx, a.cancel = context.WithCancel(context.WithoutCancel(ctx))
	a.done.Go(func() {
		a.openAll(ctx)
		a.run(ctx)
	})
	return nil
}

func (a *agenda) close() {
	if a.cancel != nil {
		a.cancel()
		a.done.Wait()
	}
}

// at has a queue tended at ms, or earlier when it has an earlier appointment.
func (a *agenda) at(q *queue, ms int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	have := a.byQueue[q.live]
	switch {
	case have == nil:
		have = &appointment{q: q, at: ms}
		a.byQueue[q.live] = have
		heap.Push(&a.order, have)
	case ms < have.at:
		have.at, have.q = ms, q
		heap.Fix(&a.order, have.index)
	default:
		return
	}
	if have.index == 0 {
		select {
		case a.changed <- struct{}{}:
		default:
		}
	}
}

// touch has a queue tended now, because its settings changed.
func (a *agenda) touch(q *queue) { a.at(q, a.s.nowMS()) }

// drop forgets a queue that was deleted.
func (a *agenda) drop(q *queue) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if have := a.byQueue[q.live]; have != nil {
		heap.Remove(&a.order, have.index)
		delete(a.byQueue, q.live)
	}
}

// next returns a queue whose time has come, or when the first one's will.
func (a *agenda) next(now int64) (q *queue, at int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.order) == 0 {
		return nil, 0
	}
	first := a.order[0]
	if first.at > now {
		return nil, first.at
	}
	heap.Pop(&a.order)
	delete(a.byQueue, first.q.live)
	return first.q, first.at
}

func (a *agenda) run(ctx context.Context) {
	for ctx.Err() == nil {
		now := a.s.nowMS()
		q, at := a.next(now)
		if q != nil {
			a.tend(ctx, q)
			continue
		}
		a.sleep(ctx, now, at)
	}
}

// maxSleep bounds a sleep: a timer does not count the time for which the machine is suspended, nor that by which its clock is set.
const maxSleep = time.Minute

// sleep waits until at, if not 0, or until the first time is another.
func (a *agenda) sleep(ctx context.Context, now, at int64) {
	var due <-chan time.Time
	if at > 0 {
		t := a.s.clock.NewTimer(min(time.Duration(at-now)*time.Millisecond, maxSleep))
		defer t.Stop()
		due = t.C()
	}
	select {
	case <-ctx.Done():
	case <-a.changed:
	case <-due:
	}
}

// openAll makes an appointment with each queue that was there before.
func (a *agenda) openAll(ctx context.Context) {
	prefix := allQueues()
	for lo := []byte(prefix); ctx.Err() == nil; {
		n := 0
		err := a.s.store.View(ctx, func(r store.Reader) error {
			for p, err := range r.Range(store.Span{Lo: lo, Hi: prefix.End(), Limit: startPage}) {
				if err != nil {
					return err
				}
				d := key.Decode(p.Key).Skip(prefix)
				where := place{d.Str(), d.Str()}
				q, err := a.s.parsed(where, p.Key, p.Value)
				if err != nil {
					return err
				}
				lo = append(p.Key[:len(p.Key):len(p.Key)], 0)
				n++
				a.at(q, a.s.nowMS())
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			a.s.log.ErrorContext(ctx, "cannot look through the queues", slog.String("error", err.Error()))
			return
		}
		if n < startPage {
			return
		}
	}
}

// tend does what is due in a queue and makes the next appointment.
func (a *agenda) tend(ctx context.Context, q *queue) {
	next, err := a.s.tend(store.MakingRoom(ctx), q)
	switch {
	case err == nil && next > 0:
		a.at(q, next)
	case err == nil, ctx.Err() != nil, errors.Is(err, store.ErrClosed), errors.Is(err, store.ErrFailed):
	default:
		a.s.log.ErrorContext(ctx, "cannot tend a queue", slog.String("queue", q.arn), slog.String("error", err.Error()))
		a.at(q, a.s.nowMS()+tendRetry.Milliseconds())
	}
}

// tend does what is due in a queue, and returns when something is due again, 0 for never.
func (s *Service) tend(ctx context.Context, known *queue) (next int64, err error) {
	steps := []func(w *work, q *queue) (int64, error){(*work).showDue, (*work).expire, func(w *work, q *queue) (int64, error) { return w.forget(q, tendBatch) }}
	for _, step := range steps {
		at, err := s.tendStep(ctx, known, step)
		if err != nil {
			return 0, err
		}
		if at > 0 && (next == 0 || at < next) {
			next = at
		}
	}
	return next, nil
}

// tendStep repeats a step until nothing of it is due.
func (s *Service) tendStep(ctx context.Context, known *queue, step func(w *work, q *queue) (int64, error)) (int64, error) {
	for {
		var at int64
		now := s.nowMS()
		err := s.update(ctx, func(w *work) error {
			at = 0
			q, err := s.find(w.tx, known.place, known.Name)
			if err != nil || q == nil || q.ID != known.ID {
				return err
			}
			at, err = step(w, q)
			return err
		})
		if err != nil || at == 0 || at > now {
			return at, err
		}
	}
}

// showDue makes messages visible whose delay or visibility timeout is over, and returns when the next one's is.
func (w *work) showDue(q *queue) (int64, error) {
	seen := q.live.at()
	prefix := q.base("mh")
	var due []concealed
	next := int64(0)
	reached := w.now + 1
	for p, err := range w.tx.Range(store.Span{Lo: prefix.Uint(uint64(seen.moved)), Hi: prefix.End(), Limit: tendBatch + 1}) {
		if err != nil {
			return 0, err
		}
		at, number := lotAt(prefix, p.Key)
		if at > w.now {
			next = at
			break
		}
		if len(due) >= tendBatch {
			next, reached = at, at
			break
		}
		for id := range idsIn(p.Value) {
			due = append(due, concealed{id, at, number})
		}
		w.tx.Delete(p.Key)
	}
	changed := newGroups(q)
	if err := w.reveal(q, due, changed); err != nil {
		return 0, err
	}
	if err := changed.refresh(w); err != nil {
		return 0, err
	}
	w.tx.OnCommit(func() { q.live.advance(seen, reached, nil) })
	return next, nil
}

// expire deletes messages past their retention, and returns when the next one will be.
func (w *work) expire(q *queue) (int64, error) {
	seen := q.live.at()
	span := q.base("ms").Span()
	if seen.oldest != nil {
		span.Lo = seen.oldest
	}
	span.Limit = tendBatch + 1
	changed := newGroups(q)
	next, n := int64(0), 0
	oldest := key.Key(span.Lo)
	for p, err := range w.tx.Range(span) {
		if err != nil {
			return 0, err
		}
		id := idAt(p.Key)
		oldest = key.Key(p.Key)
		if next = id.enqueued() + q.retention*1000; next > w.now || n == tendBatch {
			break
		}
		n++
		next = 0
		st, err := decodeState(p.Value)
		if err != nil {
			return 0, err
		}
		w.remove(q, id, st)
		changed.add(st.group)
	}
	if err := changed.refresh(w); err != nil {
		return 0, err
	}
	w.tx.OnCommit(func() { q.live.advance(seen, 0, key.Key(nil).Raw(oldest)) })
	return next, nil
}

// appointments is a heap by time.
type appointments []*appointment

func (a appointments) Len() int           { return len(a) }
func (a appointments) Less(i, j int) bool { return a[i].at < a[j].at }
func (a appointments) Swap(i, j int) {
	a[i], a[j] = a[j], a[i]
	a[i].index, a[j].index = i, j
}

// Push implements [heap.Interface].
func (a *appointments) Push(x any) {
	e := x.(*appointment)
	e.index = len(*a)
	*a = append(*a, e)
}

// Pop implements [heap.Interface].
func (a *appointments) Pop() any {
	old := *a
	e := old[len(old)-1]
	*a = old[:len(old)-1]
	return e
}
