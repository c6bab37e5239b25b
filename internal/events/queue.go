package events

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/store"
)

// drainTime is how long Close waits for running handlers before it ends their contexts.
const drainTime = 10 * time.Second

// Queue runs the jobs of the kinds that are registered with it.
type Queue struct {
	store store.Store
	clk   clock.Clock
	log   *slog.Logger

	mu      sync.Mutex // guards the fields below
	runners map[string]*runner
	started bool
	stop    context.CancelFunc // ends dispatching
	kill    context.CancelFunc // ends the handlers' context
	closed  chan struct{}      // made by the first Close, closed when it is done

	// loops counts the goroutines that dispatch, work those that run handlers.
	loops, work sync.WaitGroup
}

// New returns a queue over s. Nothing runs before Start.
func New(s store.Store, clk clock.Clock, log *slog.Logger) *Queue {
	return &Queue{store: s, clk: clk, log: log, runners: map[string]*runner{}}
}

// Register adds kinds of jobs. It must be called before Start.
func (q *Queue) Register(kinds ...Kind) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, k := range kinds {
		switch {
		case q.started:
			return fmt.Errorf("register kind %s: the queue runs already", k.Name)
		case k.Name == "" || k.Handle == nil:
			return fmt.Errorf("register kind %q: it needs a name and a handler", k.Name)
		case q.runners[k.Name] != nil:
			return fmt.Errorf("register kind %s: it is registered twice", k.Name)
		}
		q.runners[k.Name] = newRunner(q, k.withDefaults())
	}
	return nil
}

// Start begins to run jobs, those from before this process among them. No more are started
// when ctx ends; Close is needed nevertheless.
func (q *Queue) Start(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.started {
		return errors.New("start queue: it runs already")
	}
	q.started = true
	var work context.Context
	work, q.kill = context.WithCancel(context.WithoutCancel(ctx))
	ctx, q.stop = context.WithCancel(ctx)
	for _, r := range q.runners {
		q.loops.Go(func() { r.loop(ctx, work) })
	}
	return nil
}

// Close stops starting jobs and waits for those that run; after 10 s it ends their contexts.
// What was not finished runs again after the next Start. It is idempotent. Call it before the store is closed.
func (q *Queue) Close() error {
	q.mu.Lock()
	if done := q.closed; done != nil {
		q.mu.Unlock()
		<-done
		return nil
	}
	q.closed = make(chan struct{})
	defer close(q.closed)
	started := q.started
	q.started = true
	q.mu.Unlock()
	if !started {
		return nil
	}
	q.stop()
	q.loops.Wait()
	idle := make(chan struct{})
	go func() {
		q.work.Wait()
		close(idle)
	}()
	t := q.clk.NewTimer(drainTime)
	defer t.Stop()
	select {
	case <-idle:
	case <-t.C():
		q.log.Warn("jobs did not end in time")
	}
	q.kill()
	<-idle
	return nil
}

// Depth tells how much work a kind has.
type Depth struct {
	Kind string
	// Running is how many handlers run.
	Running int
	// Waiting is how many jobs are in the store, those that run among them; it is counted up to MaxCount.
	Waiting int
}

// MaxCount is the greatest number that Depths counts to.
const MaxCount = 10_000

// Depths returns the depth of every registered kind, by name.
func (q *Queue) Depths(ctx context.Context) ([]Depth, error) {
	q.mu.Lock()
	runners := slices.SortedFunc(maps.Values(q.runners), func(a, b *runner) int { return strings.Compare(a.kind.Name, b.kind.Name) })
	q.mu.Unlock()
	var out []Depth
	for _, r := range runners {
		name := r.kind.Name
		d := Depth{Kind: name, Running: r.count()}
		err := q.store.View(ctx, func(rd store.Reader) error {
			d.Waiting = 0
			for _, p := range []string{"r", "t", "g"} {
				span := r.keys.base.Str(p).Span()
				span.Limit = MaxCount - d.Waiting
				for _, err := range rd.Range(span) {
					if err != nil {
						return err
					}
					d.Waiting++
				}
				if d.Waiting >= MaxCount {
					return nil
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("count jobs of kind %s: %w", name, err)
		}
		out = append(out, d)
	}
	return out, nil
}
