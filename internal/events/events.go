// Package events runs durable work: the transactional outbox, retries and timers.
//
// A service that must do something later (deliver an object's event, invoke a function asynchronously,
// expire an item) calls [Enqueue] in the same transaction as the state that caused it. When that
// transaction is durable the [Queue] wakes up and runs the handler of the job's kind;
// the job is removed when the handler succeeds, and tried again after a back-off when it fails. A job
// therefore runs at least once, and never for a transaction that did not commit. Nothing polls: wake-ups
// come from the store's watch, due times from the clock.
//
// # Order
//
// Jobs of a kind start in the order of their commits and run side by side, up to the kind's
// concurrency. Jobs of one [Job.Group] run one at a time in the order of their commits: one that
// fails is tried again before the next.
//
// # Keys
//
// Everything of a kind lies under ("events", kind), so that one watch covers it:
//
//	r stamp         a job to run at once
//	t due stamp     a job to run at a time, or again at a time
//	n name stamp    the newest stamp of a name is that of its job plus one
//	g group stamp   a job of a group
//	h group         when the group's first job is due: the group is not empty
//	d due group     the same, by time
//
// A row keeps its stamp, which is the job's ID, when it moves from r to t. The queue reads r behind a cursor: stamps grow
// with commits, so nothing appears before it.
//
// # Bounds
//
// A queue holds in memory what it runs and nothing else: what waits, waits in the store. It is deliberately not for several
// processes on one store: the rows carry no lease. A try that the death of the process cut short is not counted.
package events

import (
	"context"
	"errors"
	"fmt"
	"time"

	"lambent.dev/lambent/internal/store"
)

// MaxPayload is the largest payload of a job in bytes.
const MaxPayload = store.MaxValue - 4<<10

// Job is one piece of durable work.
type Job struct {
	// Kind names the handler.
	Kind string
	// ID is given by Enqueue: unique, and ordered by commit within a kind.
	ID string
	// Name, when not empty, lets a job be replaced and cancelled: a kind has at most one job of a name. A
	// transaction enqueues a name once.
	Name string
	// Group, when not empty, orders the work: jobs of one kind and group run one at a time, in the order of
	// their commits. A job has a name or a group, not both.
	Group string
	// Payload is the handler's own encoding, up to MaxPayload bytes.
	Payload []byte
	// NotBefore is the earliest time to run; the zero time means at once.
	NotBefore time.Time
	// Enqueued is the time from which the job's age counts. When it is left zero, it is the time
	// when the queue first met the job.
	Enqueued time.Time
	// Attempt counts from 1 when the handler runs.
	Attempt int
}

// Kind describes how jobs of one name are run. Register it before Start.
type Kind struct {
	Name string
	// Handle does the work; it must bear being run twice for one job. An error wrapped by
	// [Permanent] ends the job at once, one made by [Done] ends it well. Its context ends when the queue stops waiting for it.
	Handle func(ctx context.Context, job Job) error
	// Concurrency is how many jobs of the kind run at the same time; 0 means 16.
	Concurrency int
	// MaxAttempts bounds the tries; 0 means no bound.
	MaxAttempts int
	// MaxAge bounds the time since Enqueued after which a failed job is not tried again; 0 means no bound.
	MaxAge time.Duration
	// Backoff returns the wait before try attempt+1; nil means 1 s doubling to 5 min.
	Backoff func(attempt int) time.Duration
	// Exhausted, when set, runs in the transaction that drops a job whose tries are used up, with the last error.
	Exhausted func(ctx context.Context, tx store.Txn, job Job, cause error) error
	// MakesRoom tells that the work leads to more room on the disk than it takes: Handle gets a context of [store.MakingRoom].
	MakesRoom bool
}

func (k Kind) withDefaults() Kind {
	if k.Concurrency <= 0 {
		k.Concurrency = 16
	}
	if k.Backoff == nil {
		k.Backoff = defaultBackoff
	}
	return k
}

func defaultBackoff(attempt int) time.Duration {
	if attempt > 9 {
		return 5 * time.Minute
	}
	return min(time.Second<<(attempt-1), 5*time.Minute)
}

// Permanent marks err as one that another try cannot mend. It returns nil for nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// Done is what a handler returns instead of nil when the end of its job changes something: write runs in the transaction that removes the job, so that both
// happen or neither. It may run several times. A handler that must plan its own next try enqueues another job there.
func Done(write func(ctx context.Context, tx store.Txn) error) error { return &done{write} }

type done struct {
	write func(ctx context.Context, tx store.Txn) error
}

func (d *done) Error() string { return "done" }

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

func isPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

// Enqueue writes job in tx: it runs once tx is durable, and never when tx fails. A job with a
// name takes the place of the job that has the name.
func Enqueue(tx store.Txn, job Job) error {
	switch {
	case job.Kind == "":
		return errors.New("enqueue job: it has no kind")
	case job.Name != "" && job.Group != "":
		return fmt.Errorf("enqueue job of kind %s: it has both a name and a group", job.Kind)
	case len(job.Payload) > MaxPayload:
		return fmt.Errorf("enqueue job of kind %s: %w: a payload of %d bytes, the limit is %d",
			job.Kind, store.ErrTooLarge, len(job.Payload), MaxPayload)
	}
	job.Attempt = 0
	if job.Group != "" {
		return enqueueGrouped(tx, job)
	}
	if job.Name != "" {
		if err := Cancel(tx, job.Kind, job.Name); err != nil {
			return err
		}
	}
	l := layoutOf(job.Kind)
	tx.Append(l.place(job.NotBefore), encode(job))
	if job.Name != "" {
		tx.Append(l.name(job.Name), encodeTime(job.NotBefore))
	}
	return nil
}

func enqueueGrouped(tx store.Txn, job Job) error {
	l := layoutOf(job.Kind)
	tx.Append(l.group(job.Group), encode(job))
	_, err := tx.Get(l.head(job.Group))
	if errors.Is(err, store.ErrNotFound) {
		l.setHead(tx, job.Group, job.NotBefore)
		return nil
	}
	return err
}

// Cancel removes the job of kind that has name, when there is one. A handler that runs already is
// not stopped, but it is not run again.
func Cancel(tx store.Txn, kind, name string) error {
	l := layoutOf(kind)
	for p, err := range tx.Range(l.name(name).Span()) {
		if err != nil {
			return fmt.Errorf("cancel job: %w", err)
		}
		due, err := decodeTime(p.Value)
		if err != nil {
			return fmt.Errorf("cancel job: %w", err)
		}
		tx.Delete(p.Key)
		tx.Delete(l.place(due).Raw(jobStamp(stampOf(p.Key))))
	}
	return nil
}
