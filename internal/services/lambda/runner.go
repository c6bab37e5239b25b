package lambda

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/sources"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// mappingID names a mapping.
type mappingID struct {
	scope

	uuid string
}

// runner owns the workers of all mappings, and writes the states that they have reached.
type runner struct {
	sources.Owners[mappingID]

	l *Lambda
}

func newRunner(l *Lambda) *runner {
	r := &runner{l: l}
	r.Owners = sources.Owners[mappingID]{Store: l.deps.Store, Clock: l.deps.Clock, Log: l.deps.Log, Prefix: eventSources(), List: listMappings, Apply: r.apply}
	return r
}

// listMappings tells the revisions of all mappings.
func listMappings(rd store.Reader, tell func(id mappingID, revision string)) error {
	root := eventSources()
	for row, err := range record.Range[eventSource](rd, root.Span()) {
		if err != nil {
			return err
		}
		d := key.Decode(row.Key).Skip(root)
		tell(mappingID{scope{d.Str(), d.Str()}, row.Value.UUID}, row.Value.Revision)
	}
	return nil
}

// apply makes the worker what the record says, and writes the state that is reached.
func (r *runner) apply(ctx context.Context, id mappingID, worker **sources.Worker, changed chan struct{}) (gone bool, err error) {
	var e eventSource
	found := false
	err = r.l.deps.Store.View(ctx, func(rd store.Reader) (err error) {
		e, found, err = record.Get[eventSource](rd, id.eventSource(id.uuid))
		return err
	})
	if err != nil {
		return false, err
	}
	if *worker != nil {
		(*worker).Stop(ctx)
		*worker = nil
	}
	if !found {
		return true, nil
	}
	if e.State == stateDeleting {
		return true, r.l.deps.Store.Update(ctx, func(tx store.Txn) error {
			sources.Forget(tx, e.UUID)
			tx.Delete(resultKey(e.UUID))
			tx.Delete(id.eventSource(e.UUID))
			return nil
		})
	}
	if !e.Enabled {
		return false, r.reach(ctx, id, &e, stateDisabled)
	}
	c, err := r.l.workerConfig(ctx, &e)
	if err != nil {
		return false, err
	}
	*worker = sources.Start(ctx, c, r.l.workerDeps(id.scope, &e))
	if !(*worker).Await(ctx, changed) {
		return false, nil
	}
	return false, r.reach(ctx, id, &e, stateEnabled)
}

// reach writes the state of a mapping whose record is still the one that was applied.
func (r *runner) reach(ctx context.Context, id mappingID, e *eventSource, state string) error {
	return r.l.deps.Store.Update(ctx, func(tx store.Txn) error {
		now, ok, err := record.Get[eventSource](tx, id.eventSource(id.uuid))
		if err != nil || !ok || now.Revision != e.Revision || now.State == state {
			return err
		}
		now.State = state
		return record.Set(tx, id.eventSource(id.uuid), now)
	})
}

// workerConfig is what the worker of a mapping knows.
func (l *Lambda) workerConfig(ctx context.Context, e *eventSource) (sources.Config, error) {
	source, err := arn.Parse(e.Source)
	if err != nil {
		return sources.Config{}, err
	}
	r, err := parseARN(e.Function)
	if err != nil {
		return sources.Config{}, err
	}
	role := "" // of a function that is gone
	if s, err := l.snapshot(ctx, r); err == nil {
		role = s.version.Role
	}
	c := sources.Config{
		UUID: e.UUID, Source: source, Function: e.Function, Role: role, BatchSize: int(e.BatchSize), Window: seconds(e.Window), Partial: e.Partial,
		Concurrency: min(maxConcurrency, l.o.Concurrency), Start: e.Start, Since: e.Created, Parallel: int(e.Parallel), Retries: int(e.Retries),
		MaxAge: sources.Forever, Bisect: e.Bisect, Tumbling: seconds(e.Tumbling),
	}
	if e.Concurrency != nil {
		c.Concurrency = int(*e.Concurrency)
	}
	if e.MaxAge != sources.Forever {
		c.MaxAge = seconds(e.MaxAge)
	}
	if e.Start == sources.AtTimestamp {
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
func (l *Lambda) workerDeps(s scope, e *eventSource) sources.Deps {
	function, uuid := e.Function, e.UUID
	d := sources.Deps{
		Door: l.deps.Door, Store: l.deps.Store, Clock: l.deps.Clock, Log: l.deps.Log, Arrivals: l.o.Arrivals,
		Caller: (&roleCache{l: l, function: function, target: e.Source}).context,
		Invoke: func(ctx context.Context, payload []byte, trace string) (sources.Answer, error) {
			return l.invokeMapped(ctx, function, payload, trace)
		},
		Age: func(waited time.Duration) {
			if r, err := parseARN(function); err == nil {
				l.metersOf(r, "").add(l.deps.Clock.Now(), iteratorAge, meter.Milliseconds(waited))
			}
		},
		Result: func(result string) { l.setResult(context.WithoutCancel(l.runner.Context()), s, uuid, result) },
	}
	if a, err := arn.Parse(e.Source); err == nil && a.Service == "sqs" {
		d.QueueURL = l.sender.QueueURL(a)
	}
	if target := e.OnFailure; target != "" {
		d.Failed = func(ctx context.Context, tx store.Txn, f *sources.Failure) error {
			return l.mappingFailed(ctx, tx, function, uuid, target, f)
		}
	}
	return d
}

// invokeMapped runs a function for a mapping. No resource policy is asked: Lambda reads the source for the function, with the function's role.
func (l *Lambda) invokeMapped(ctx context.Context, function string, payload []byte, trace string) (sources.Answer, error) {
	r, err := parseARN(function)
	if err != nil {
		return sources.Answer{}, err
	}
	c := &call{ref: r, payload: payload}
	if c.requestID, err = l.newID(); err != nil {
		return sources.Answer{}, err
	}
	if err := l.load(ctx, c); err != nil {
		return sources.Answer{}, err
	}
	if err := c.trace(trace, l.deps.Clock.Now()); err != nil {
		l.deps.Log.WarnContext(ctx, "event source mapping: the function is in a loop", slog.String("function", function), slog.Any("error", err))
		return sources.Answer{RequestID: c.requestID, Version: c.version.Number, Failure: "Unhandled", Payload: errorDocument("RecursiveInvocationException", err.Error())}, nil
	}
	out, err := l.execute(ctx, c)
	if err != nil {
		return sources.Answer{}, err
	}
	return sources.Answer{RequestID: c.requestID, Version: c.version.Number, Payload: out.payload, Failure: out.failure}, nil
}

// mappingFailed writes the delivery of a failed batch.
func (l *Lambda) mappingFailed(ctx context.Context, tx store.Txn, function, uuid, target string, f *sources.Failure) error {
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
