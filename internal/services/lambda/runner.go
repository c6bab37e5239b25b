package lambda

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/lambda/mapping"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// runner owns the workers of all mappings: it follows their records, starts and stops workers, and writes the state that a mapping has reached. There is one
// goroutine for each mapping, which does one thing after the other.
type runner struct {
	l     *Lambda
	stop  context.CancelFunc
	ctx   context.Context //nolint:containedctx // the lifetime of the runner's goroutines
	owned sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	owners map[string]*owner
}

// owner runs one mapping.
type owner struct {
	scope scope
	uuid  string
	// changed receives a value when the record has another revision.
	changed  chan struct{}
	revision string // that the owner was told of last; only the runner's loop uses it
}

func newRunner(l *Lambda) *runner { return &runner{l: l, owners: map[string]*owner{}} }

// start starts the workers of the enabled mappings, and follows changes from then on.
func (r *runner) start(ctx context.Context) {
	r.ctx, r.stop = context.WithCancel(context.WithoutCancel(ctx))
	w := r.l.deps.Store.Watch(eventSources())
	r.owned.Go(func() {
		defer w.Close()
		for r.ctx.Err() == nil {
			if err := r.follow(); err != nil && r.ctx.Err() == nil {
				r.l.deps.Log.ErrorContext(r.ctx, "cannot read the event source mappings", slog.Any("error", err))
				if clock.Sleep(r.ctx, r.l.deps.Clock, time.Second) != nil {
					return
				}
				continue
			}
			select {
			case <-w.C():
			case <-r.ctx.Done():
			}
		}
	})
}

// close stops all workers; what they have begun is left after stopTime.
func (r *runner) close() {
	if r.stop != nil {
		r.stop()
	}
	r.owned.Wait()
}

// follow tells the owners of records that have changed.
func (r *runner) follow() error {
	root := eventSources()
	return r.l.deps.Store.View(r.ctx, func(rd store.Reader) error {
		for row, err := range record.Range[eventSource](rd, root.Span()) {
			if err != nil {
				return err
			}
			d := key.Decode(row.Key).Skip(root)
			s := scope{d.Str(), d.Str()}
			r.tell(s, &row.Value)
		}
		return nil
	})
}

func (r *runner) tell(s scope, e *eventSource) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.owners[e.UUID]
	if o == nil {
		o = &owner{scope: s, uuid: e.UUID, changed: make(chan struct{}, 1)}
		r.owners[e.UUID] = o
		r.owned.Go(func() {
			r.own(o)
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.owners, o.uuid)
		})
	}
	if o.revision != e.Revision {
		o.revision = e.Revision
		select {
		case o.changed <- struct{}{}:
		default:
		}
	}
}

// stopTime is how long a worker may go on with what it has begun when the platform stops.
const stopTime = 2 * time.Second

// own runs a mapping until it is deleted or the runner stops.
func (r *runner) own(o *owner) {
	var worker *mapping.Worker
	defer func() {
		if worker != nil {
			ctx, cancel := withTimeout(context.WithoutCancel(r.ctx), r.l.deps.Clock, stopTime)
			worker.Stop(ctx)
			cancel()
		}
	}()
	for {
		select {
		case <-o.changed:
		case <-r.ctx.Done():
			return
		}
		for failures := 1; ; failures++ {
			gone, err := r.apply(o, &worker)
			if gone {
				return
			}
			if err == nil {
				break
			}
			r.l.deps.Log.ErrorContext(r.ctx, "cannot run an event source mapping", slog.String("mapping", o.uuid), slog.Any("error", err))
			if clock.Sleep(r.ctx, r.l.deps.Clock, min(time.Second<<min(failures-1, 6), time.Minute)) != nil {
				return
			}
		}
	}
}

// apply makes the worker what the record says, and writes the state that is reached. gone tells that the mapping does not exist any more.
func (r *runner) apply(o *owner, worker **mapping.Worker) (gone bool, err error) {
	var e eventSource
	found := false
	err = r.l.deps.Store.View(r.ctx, func(rd store.Reader) (err error) {
		e, found, err = record.Get[eventSource](rd, o.scope.eventSource(o.uuid))
		return err
	})
	if err != nil {
		return false, err
	}
	if *worker != nil {
		(*worker).Stop(r.ctx)
		*worker = nil
	}
	if !found {
		return true, nil
	}
	if e.State == stateDeleting {
		return true, r.l.deps.Store.Update(r.ctx, func(tx store.Txn) error {
			mapping.Forget(tx, e.UUID)
			tx.Delete(resultKey(e.UUID))
			tx.Delete(o.scope.eventSource(e.UUID))
			return nil
		})
	}
	if !e.Enabled {
		return false, r.reach(o, &e, stateDisabled)
	}
	c, err := r.l.workerConfig(r.ctx, &e)
	if err != nil {
		return false, err
	}
	*worker = mapping.Start(r.ctx, c, r.l.workerDeps(o.scope, &e))
	select {
	case <-(*worker).Ready():
		return false, r.reach(o, &e, stateEnabled)
	case <-r.ctx.Done():
		return false, nil
	case <-o.changed:
		// Something else is wanted before the source could be read.
		select {
		case o.changed <- struct{}{}:
		default:
		}
		return false, nil
	}
}

// reach writes the state of a mapping whose record is still the one that was applied.
func (r *runner) reach(o *owner, e *eventSource, state string) error {
	return r.l.deps.Store.Update(r.ctx, func(tx store.Txn) error {
		now, ok, err := record.Get[eventSource](tx, o.scope.eventSource(o.uuid))
		if err != nil || !ok || now.Revision != e.Revision || now.State == state {
			return err
		}
		now.State = state
		return record.Set(tx, o.scope.eventSource(o.uuid), now)
	})
}

// workerConfig is what the worker of a mapping knows.
func (l *Lambda) workerConfig(ctx context.Context, e *eventSource) (mapping.Config, error) {
	source, err := arn.Parse(e.Source)
	if err != nil {
		return mapping.Config{}, err
	}
	r, err := parseARN(e.Function)
	if err != nil {
		return mapping.Config{}, err
	}
	role := "" // of a function that is gone
	if s, err := l.snapshot(ctx, r); err == nil {
		role = s.version.Role
	}
	c := mapping.Config{
		UUID: e.UUID, Source: source, Function: e.Function, Role: role, BatchSize: int(e.BatchSize), Window: seconds(e.Window), Partial: e.Partial,
		Concurrency: min(maxConcurrency, l.o.Concurrency), Start: e.Start, Since: e.Created, Parallel: int(e.Parallel), Retries: int(e.Retries),
		MaxAge: mapping.Forever, Bisect: e.Bisect, Tumbling: seconds(e.Tumbling),
	}
	if e.Concurrency != nil {
		c.Concurrency = int(*e.Concurrency)
	}
	if e.MaxAge != mapping.Forever {
		c.MaxAge = seconds(e.MaxAge)
	}
	if e.Start == mapping.AtTimestamp {
		c.Since = e.StartAt
	}
	for i, text := range e.Filters {
		p, err := pattern.Compile(text, pattern.EventBridge)
		if err != nil {
			return c, err
		}
		if c.Filters == nil {
			c.Filters = &pattern.Set[int]{}
		}
		c.Filters.Add(i, p)
	}
	return c, nil
}

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }

// workerDeps are the collaborators of the worker of a mapping.
func (l *Lambda) workerDeps(s scope, e *eventSource) mapping.Deps {
	function, uuid := e.Function, e.UUID
	d := mapping.Deps{
		Door: l.deps.Door, Store: l.deps.Store, Clock: l.deps.Clock, Log: l.deps.Log, Arrivals: l.o.Arrivals,
		Caller: (&roleCache{l: l, function: function, target: e.Source}).context,
		Invoke: func(ctx context.Context, payload []byte, trace string) (mapping.Answer, error) {
			return l.invokeMapped(ctx, function, payload, trace)
		},
		Result: func(result string) { l.setResult(context.WithoutCancel(l.runner.ctx), s, uuid, result) },
	}
	if a, err := arn.Parse(e.Source); err == nil && a.Service == "sqs" {
		d.QueueURL = l.sender.QueueURL(a)
	}
	if target := e.OnFailure; target != "" {
		d.Failed = func(ctx context.Context, tx store.Txn, f *mapping.Failure) error {
			return l.mappingFailed(ctx, tx, function, uuid, target, f)
		}
	}
	return d
}

// invokeMapped runs a function for a mapping. No resource policy is asked: Lambda reads the source for the function, with the function's role.
func (l *Lambda) invokeMapped(ctx context.Context, function string, payload []byte, trace string) (mapping.Answer, error) {
	r, err := parseARN(function)
	if err != nil {
		return mapping.Answer{}, err
	}
	c := &call{ref: r, payload: payload}
	if c.requestID, err = l.newID(); err != nil {
		return mapping.Answer{}, err
	}
	if err := l.load(ctx, c); err != nil {
		return mapping.Answer{}, err
	}
	if err := c.trace(trace, l.deps.Clock.Now()); err != nil {
		l.deps.Log.WarnContext(ctx, "event source mapping: the function is in a loop", slog.String("function", function), slog.Any("error", err))
		return mapping.Answer{RequestID: c.requestID, Version: c.version.Number, Failure: "Unhandled", Payload: errorDocument("RecursiveInvocationException", err.Error())}, nil
	}
	out, err := l.execute(ctx, c)
	if err != nil {
		return mapping.Answer{}, err
	}
	return mapping.Answer{RequestID: c.requestID, Version: c.version.Number, Payload: out.payload, Failure: out.failure}, nil
}

// mappingFailed writes the delivery of a failed batch.
func (l *Lambda) mappingFailed(ctx context.Context, tx store.Txn, function, uuid, target string, f *mapping.Failure) error {
	r, err := parseARN(function)
	if err != nil {
		return err
	}
	_, v, err := resolve(tx, r)
	if service.Code(err) == errNoFunction.Code {
		l.deps.Log.WarnContext(ctx, "failed batch not delivered: its function is gone", slog.String("function", function), slog.String("destination", target))
		return nil
	} else if err != nil {
		return err
	}
	now := l.deps.Clock.Now().UTC()
	m := &deliver.Message{Target: target, From: r.source(), Role: v.Role, ID: f.RequestID, Body: f.Document}
	if strings.HasPrefix(target, "arn:aws:s3:") {
		m.Body = append(append(append(f.Document[:len(f.Document)-1:len(f.Document)-1], `,"payload":`...), f.Payload...), '}')
		m.Key = "aws/lambda/" + uuid + "/" + f.Shard + "/" + now.Format("2006/01/02/2006-01-02T15.04.05-") + m.ID
	}
	return l.post(ctx, tx, m)
}

// roleCache keeps the session of a function's role for a while: it is asked for with every call to the source.
type roleCache struct {
	l                *Lambda
	function, target string

	mu   sync.Mutex      // guards the fields below
	ctx  context.Context //nolint:containedctx // carries nothing but a request
	role string
	made time.Time
}

// sessionTime is how long a session is used before the role's trust is asked for again.
const sessionTime = time.Minute

// context returns ctx with the role's session.
func (c *roleCache) context(ctx context.Context) (context.Context, error) {
	r, err := parseARN(c.function)
	if err != nil {
		return nil, err
	}
	s, err := c.l.snapshot(ctx, r)
	if err != nil {
		return nil, err
	}
	now := c.l.deps.Clock.Now()
	c.mu.Lock()
	cached, fresh := c.ctx, c.role == s.version.Role && now.Sub(c.made) < sessionTime
	c.mu.Unlock()
	if cached == nil || !fresh {
		if cached, err = c.l.roleContext(ctx, c.function, c.target); err != nil {
			return nil, err
		}
		c.mu.Lock()
		c.ctx, c.role, c.made = context.WithoutCancel(cached), s.version.Role, now
		c.mu.Unlock()
	}
	return withRequestOf(ctx, cached), nil
}

// withRequestOf returns ctx with the request of another context.
func withRequestOf(ctx, of context.Context) context.Context {
	return service.WithRequest(ctx, service.RequestFrom(of))
}
