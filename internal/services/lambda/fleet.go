package lambda

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/runtimes/rapi"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// fleetWaiters bounds the invocations of one version that wait for another environment.
const fleetWaiters = 1000

// fleets are the environments of the versions that run on capacity providers. Each takes several invocations at a time. They follow the records of
// the versions: a version has as many environments as it wants at least, and more while its invocations find all workers busy, up to its own bound and
// to that of its capacity provider.
type fleets struct {
	*follower

	news news // of workers that wait for an invocation, and of starts that are over

	mu     sync.Mutex // guards the fields below
	all    map[poolKey]*fleet
	closed bool
}

// fleet is the environments of one version.
type fleet struct {
	ref      ref
	version  version
	managed  managed
	vcpus    float64 // that the capacity provider allows for all of its versions
	workers  []*worker
	starting int
	waiting  int  // invocations that wait for an environment
	retired  bool // the version is gone, or was published again: its environments end with their last invocation
	backoff  backoff
}

func newFleets(l *Lambda) *fleets {
	f := &fleets{all: map[poolKey]*fleet{}}
	f.follower = newFollower(l, "managed instances", allManaged(), f.tend)
	return f
}

// close ends all environments.
func (f *fleets) close() {
	f.follower.close()
	f.mu.Lock()
	f.closed = true
	var all []*worker
	for _, e := range f.all {
		all = append(all, e.workers...)
	}
	clear(f.all)
	f.mu.Unlock()
	for _, w := range all {
		f.l.pools.end(w)
	}
}

// tend starts the environments that are missing, and ends those that are too many.
func (f *fleets) tend(ctx context.Context) (time.Duration, error) {
	wanted := map[poolKey]*fleet{}
	err := f.l.deps.Store.View(ctx, func(rd store.Reader) error {
		clear(wanted)
		return allFleets(rd, wanted)
	})
	if err != nil {
		return 0, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for k, e := range f.all {
		if wanted[k] != nil {
			continue
		}
		e.retired = true
		if f.endLocked(e, func(w *worker) bool { return w.running == 0 }); len(e.workers) == 0 {
			delete(f.all, k)
		}
	}
	for k, e := range wanted {
		if old := f.all[k]; old != nil {
			old.managed, old.vcpus = e.managed, e.vcpus
		} else {
			f.all[k] = e
		}
	}
	now := f.l.deps.Clock.Now()
	var next time.Duration
	for _, e := range f.all {
		if e.retired {
			continue
		}
		if d := f.scaleLocked(ctx, e, now); d > 0 && (next == 0 || d < next) {
			next = d
		}
	}
	return next, nil
}

// scaleLocked starts and ends environments of one version. It returns after how long there may be more to do; 0 for never. f.mu is held.
func (f *fleets) scaleLocked(ctx context.Context, e *fleet, now time.Time) (next time.Duration) {
	least, most := e.managed.bounds()
	if e.managed.Pending {
		least = max(least, 1)
	}
	f.endLocked(e, func(w *worker) bool { return !w.usable() && w.running == 0 })
	usable := 0
	for _, w := range e.workers {
		if w.usable() {
			usable++
		}
	}
	if e.managed.Pending && usable > 0 && e.starting == 0 {
		// It has been switched on again before its environments were gone.
		e.managed.Pending = false
		f.wg.Go(func() { f.decide(ctx, e, nil) })
	}
	surplus := max(0, usable-most)
	f.endLocked(e, func(w *worker) bool {
		idle := now.Sub(w.since) >= f.l.o.IdleTimeout && usable > least
		if w.running > 0 || !idle && surplus == 0 {
			return false
		}
		surplus, usable = max(0, surplus-1), usable-1
		return true
	})
	for _, w := range e.workers {
		if d := w.since.Add(f.l.o.IdleTimeout).Sub(now); usable > least && d > 0 && (next == 0 || d < next) {
			next = d
		}
	}
	if d := e.backoff.retry.Sub(now); d > 0 {
		return d
	}
	missing := min(max(least-usable, 0), startsAtOnce) - e.starting
	if missing <= 0 && e.waiting > 0 && e.starting == 0 {
		missing = 1
	}
	for range missing {
		if usable+e.starting >= most || !f.roomLocked(e) {
			break
		}
		e.starting++
		first := e.managed.Pending
		f.wg.Go(func() { f.launch(ctx, e, first) })
	}
	return next
}

// endLocked ends the environments for which gone is true. f.mu is held.
func (f *fleets) endLocked(e *fleet, gone func(w *worker) bool) {
	e.workers = slices.DeleteFunc(e.workers, func(w *worker) bool {
		out := gone(w)
		if out {
			f.wg.Go(func() { f.l.pools.end(w) })
		}
		return out
	})
}

// roomLocked tells whether a version's capacity provider has processors left for another of its environments. f.mu is held.
func (f *fleets) roomLocked(e *fleet) bool {
	var used float64
	for _, other := range f.all {
		if other.managed.Provider == e.managed.Provider {
			used += float64(len(other.workers)+other.starting) * other.version.processors()
		}
	}
	return used+e.version.processors() <= e.vcpus
}

// launch starts one environment. The first one of a version decides about its state.
func (f *fleets) launch(ctx context.Context, e *fleet, first bool) {
	w, err := f.initialise(ctx, e)
	if first && ctx.Err() == nil {
		f.decide(ctx, e, err)
	} else if err != nil && ctx.Err() == nil {
		f.l.deps.Log.WarnContext(ctx, "managed environment could not be started", slog.String("function", e.ref.arn()), slog.Any("error", err))
	}
	f.mu.Lock()
	e.starting--
	keep := err == nil && !f.closed && ctx.Err() == nil && f.all[keyOf(e.ref, &e.version)] == e && !e.retired
	switch {
	case keep:
		e.backoff = backoff{}
		w.since = f.l.deps.Clock.Now()
		e.workers = append(e.workers, w)
	case err != nil:
		e.backoff.failed(f.l.deps.Clock.Now())
	}
	f.mu.Unlock()
	if keep {
		f.replaced(ctx, w.env.Done())
	} else if w != nil {
		f.l.pools.end(w)
	}
	f.news.announce()
	f.poke()
}

// decide writes the state of a version whose first environment is there, or failed with err.
func (f *fleets) decide(ctx context.Context, e *fleet, err error) {
	if saved := f.l.prepared(ctx, e.ref, &e.version, failedState(err), e.saveRow(err == nil)); saved != nil {
		f.l.deps.Log.ErrorContext(ctx, "the state of a version could not be written", slog.String("function", e.ref.arn()), slog.Any("error", saved))
	}
}

// saveRow returns what writes the record after the first environment was initialised, or failed to be.
func (e *fleet) saveRow(active bool) func(tx store.Txn) error {
	row := e.ref.managed(e.ref.name).Str(e.version.Number)
	return func(tx store.Txn) error {
		if !active {
			tx.Delete(row)
			return nil
		}
		m, ok, err := record.Get[managed](tx, row)
		if err != nil || !ok {
			return err
		}
		m.Pending = false
		return record.Set(tx, row, m)
	}
}

// initialise starts an environment and waits until a worker of it is ready.
func (f *fleets) initialise(ctx context.Context, e *fleet) (*worker, error) {
	if !f.l.pools.reserve() {
		return nil, errNoRoom
	}
	began := f.l.deps.Clock.Now()
	w, err := f.l.startWorker(ctx, e.ref, &e.version, launch{kind: managedInstances})
	if err != nil {
		f.l.pools.free()
		return nil, err
	}
	ready, cancel := withTimeout(ctx, f.l.deps.Clock, max(provisionLimit, time.Duration(e.version.Timeout)*time.Second))
	err = w.env.WaitReady(ready)
	cancel()
	w.log.initialised(managedInstances, err, f.l.deps.Clock.Now().Sub(began))
	if err != nil {
		f.l.pools.end(w)
		return nil, err
	}
	return w, nil
}

// take returns the environment of a version that has most idle workers; nil when the caller has to wait for one. It fails when there is nothing to wait for.
func (f *fleets) take(k poolKey) (*worker, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	e := f.all[k]
	if f.closed {
		return nil, serviceError("The invocation was not carried out", errClosing)
	}
	if e == nil || e.retired {
		return nil, nil //nolint:nilnil // the platform has just started: its environments come
	}
	var best *worker
	most, growing := 0, e.starting > 0
	for _, w := range e.workers {
		growing = growing || w.env.Gathering()
		if idle := w.env.IdleWorkers(); idle > most && w.usable() {
			best, most = w, idle
		}
	}
	if best != nil {
		best.running++
		return best, nil
	}
	_, limit := e.managed.bounds()
	full := len(e.workers) >= limit || !f.roomLocked(e)
	if full && !growing || e.waiting >= fleetWaiters {
		return nil, throttled(reasonAccount)
	}
	return nil, nil //nolint:nilnil // none is idle, but one may come
}

// put gives an environment back.
func (f *fleets) put(w *worker) {
	f.mu.Lock()
	defer f.mu.Unlock()
	w.running--
	w.since = f.l.deps.Clock.Now()
	if e := f.all[w.key]; w.running == 0 && (e == nil || e.retired || !w.usable()) {
		f.poke()
	}
}

// wait counts an invocation that waits for an environment, until the function that it returns is called.
func (f *fleets) wait(k poolKey) (done func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.poke()
	e := f.all[k]
	if e == nil {
		return func() {}
	}
	e.waiting++
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		e.waiting--
	}
}

// runManaged carries an invocation out on a capacity provider. It waits for another environment at most as long as one may take to be initialised.
func (l *Lambda) runManaged(ctx context.Context, c *call) (outcome, error) {
	limit, cancel := withTimeout(ctx, l.deps.Clock, initLimit)
	defer cancel()
	for {
		news := l.fleets.news.next()
		w, err := l.fleets.take(c.key)
		if err != nil {
			return outcome{}, err
		}
		if w != nil {
			out, err := l.share(ctx, w, c)
			l.fleets.put(w)
			if errors.Is(err, rapi.ErrBusy) {
				continue
			}
			return out, err
		}
		done := l.fleets.wait(c.key)
		select {
		case <-news:
		case <-limit.Done():
			done()
			return outcome{}, throttled(reasonAccount)
		}
		done()
	}
}

// share hands the event to an environment that has other invocations at the same time. It fails with rapi.ErrBusy when the environment has none to spare.
func (l *Lambda) share(ctx context.Context, w *worker, c *call) (outcome, error) {
	began := l.deps.Clock.Now()
	timeout := time.Duration(c.version.Timeout) * time.Second
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer clock.AfterFunc(l.deps.Clock, timeout, func() { cancel(errTimeout) })()
	answer, err := w.env.Invoke(ctx, &rapi.Invocation{
		RequestID: c.requestID, FunctionARN: c.arn, TraceID: c.traceID, ClientContext: c.clientContext, Deadline: began.Add(timeout), Payload: c.payload,
		Stream: c.stream, Begun: func() { w.log.started(c.requestID, c.version.Number, c.traceID) },
	})
	if errors.Is(err, rapi.ErrBusy) {
		return outcome{}, err
	}
	r := report{requestID: c.requestID, duration: l.deps.Clock.Now().Sub(began), memory: c.version.Memory, peak: l.fleets.peak(w, began)}
	out := outcome{payload: answer.Body}
	switch {
	case err != nil:
		// The environment goes on, also after a timeout; one whose process has ended is replaced.
		r.status, out.failure = "error", "Unhandled"
		out.payload = l.failure(w, c, err, &r).document
	case answer.Failed:
		out.failure = "Unhandled"
	case answer.Streamed:
		out.contentType = answer.ContentType
	}
	out.took = r.duration
	w.log.ended(&r)
	if c.wantsTail {
		out.tail = w.log.linesOf(c.requestID)
	}
	return out, nil
}

// peak is the most memory that an environment has used, see worker.peakBytes.
func (f *fleets) peak(w *worker, now time.Time) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return w.peakBytes(now)
}

// allFleets finds the versions that run on capacity providers.
func allFleets(rd store.Reader, wanted map[poolKey]*fleet) error {
	for row, err := range record.Range[managed](rd, allManaged().Span()) {
		if err != nil {
			return err
		}
		s, err := managedScope(row.Key)
		if err != nil {
			return err
		}
		r := managedRef(s, row.Key)
		v, ok, err := record.Get[version](rd, r.scope.version(r.name, r.qualifier))
		if err != nil {
			return err
		}
		p, _, err := record.Get[capacityProvider](rd, s.capacityProvider(row.Value.name()))
		if err != nil {
			return err
		}
		if ok && v.Capacity != nil {
			wanted[keyOf(r, &v)] = &fleet{ref: r, version: v, managed: row.Value, vcpus: float64(p.MaxVCPUs)}
		}
	}
	return nil
}
