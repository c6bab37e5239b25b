package deliver

import (
	"context"
	"errors"
	"time"

	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
)

// MaxBody is the largest body of a message that a queue takes, in bytes.
const MaxBody = events.MaxPayload - 16<<10

// Queue delivers messages as durable jobs of one kind. A service has one for each way of giving up that it has; its fields are set once.
type Queue struct {
	// Name is the kind of the jobs, such as "s3.notification".
	Name   string
	Sender *Sender
	// Send, when set, makes try attempt (from 1) of a delivery in place of the sender, for targets that a service calls in a way of its own. [Retryable] must tell
	// what its errors mean.
	Send func(ctx context.Context, m *Message, attempt int) error
	// MaxAge and MaxAttempts bound the tries of a message; 0 means no bound. A message that its target refuses is not tried again in any case.
	MaxAge      time.Duration
	MaxAttempts int
	// Concurrency is how many messages are on their way at the same time; 0 means 64.
	Concurrency int
	// Backoff returns the wait before try attempt+1; nil means 1 s doubling to 5 min.
	Backoff func(attempt int) time.Duration
	// Dropped, when set, runs in the transaction that gives a message up, after attempts tries, with the last error. The message then goes
	// to its dead-letter queue, when it has one.
	Dropped func(ctx context.Context, tx store.Txn, m *Message, attempts int, cause error) error
	// Reported, when set, is told of each try of a message that has a report: cause is nil when it was accepted, and the message is then gone in the same transaction; otherwise
	// it is tried again.
	Reported func(ctx context.Context, tx store.Txn, m *Message, attempt int, cause error) error
}

// Enqueue writes m in tx: it is delivered once tx is durable, at least once, and never when tx fails. It refuses a message of more than
// [events.MaxPayload] bytes.
func (q *Queue) Enqueue(tx store.Txn, m *Message) error { return q.EnqueueAt(tx, m, time.Time{}) }

// EnqueueAt is Enqueue for a message that is not to be delivered before due.
func (q *Queue) EnqueueAt(tx store.Txn, m *Message, due time.Time) error {
	b, err := m.encode()
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: q.Name, Payload: b, Group: m.Order, NotBefore: due})
}

// Kind returns the kind of job that the service registers.
func (q *Queue) Kind() events.Kind {
	k := events.Kind{
		Name: q.Name, Handle: q.handle, Concurrency: q.Concurrency, MaxAge: q.MaxAge, MaxAttempts: q.MaxAttempts, Backoff: q.Backoff,
		Exhausted: q.exhausted,
	}
	if k.Concurrency == 0 {
		k.Concurrency = 64
	}
	return k
}

func (q *Queue) handle(ctx context.Context, j events.Job) error {
	m, err := decode(j.Payload)
	if err != nil {
		return events.Permanent(err)
	}
	if m.ID == "" {
		m.ID = uuid.Of(j.Kind, j.ID)
	}
	if q.Send != nil {
		err = q.Send(ctx, m, j.Attempt)
	} else {
		err = q.Sender.Send(ctx, m)
	}
	if err != nil && (!Retryable(err) || m.Retry != nil && q.exhaustedBy(m.Retry, j) != "") {
		return events.Permanent(err)
	}
	if m.Report == nil || q.Reported == nil {
		return err
	}
	return q.report(ctx, m, j.Attempt, err)
}

// report tells of a try that has not given the message up.
func (q *Queue) report(ctx context.Context, m *Message, attempt int, cause error) error {
	if cause == nil {
		return events.Done(func(ctx context.Context, tx store.Txn) error { return q.Reported(ctx, tx, m, attempt, nil) })
	}
	err := q.Sender.store.Update(ctx, func(tx store.Txn) error { return q.Reported(ctx, tx, m, attempt, cause) })
	return errors.Join(cause, err)
}

// The bounds that end the tries of a message, as dead-letter queues are told.
const (
	byAttempts = "MaximumRetryAttempts"
	byAge      = "MaximumEventAgeInSeconds"
)

// exhaustedBy tells which bound does not let a job be tried again; empty means none.
func (q *Queue) exhaustedBy(r *Retry, j events.Job) string {
	switch {
	case j.Attempt > r.Attempts:
		return byAttempts
	case q.Sender.clock.Now().Sub(j.Enqueued) >= r.Age:
		return byAge
	}
	return ""
}

func (q *Queue) exhausted(ctx context.Context, tx store.Txn, j events.Job, cause error) error {
	m, err := decode(j.Payload)
	if err != nil {
		return nil //nolint:nilerr // the queue has logged that the row cannot be read, and drops it
	}
	bound := ""
	if m.Retry != nil && Retryable(cause) {
		bound = q.exhaustedBy(m.Retry, j)
	}
	return q.giveUp(ctx, tx, m, j.Attempt, bound, cause)
}

// Refuse gives a message up that the target is known not to take, without a try.
func (q *Queue) Refuse(ctx context.Context, tx store.Txn, m *Message, cause error) error {
	return q.giveUp(ctx, tx, m, 1, "", cause)
}

// giveUp tells of a message that was given up, and sends it to its dead-letter queue.
func (q *Queue) giveUp(ctx context.Context, tx store.Txn, m *Message, attempts int, bound string, cause error) error {
	if q.Dropped != nil {
		if err := q.Dropped(ctx, tx, m, attempts, cause); err != nil {
			return err
		}
	}
	if m.DeadLetter == nil {
		return nil
	}
	return q.Enqueue(tx, m.deadLetter(attempts-1, bound, cause))
}
