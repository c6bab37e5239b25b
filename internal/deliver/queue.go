package deliver

import (
	"context"
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
	// MaxAge and MaxAttempts bound the tries of a message; 0 means no bound. A message that its target refuses is not tried again in any case.
	MaxAge      time.Duration
	MaxAttempts int
	// Concurrency is how many messages are on their way at the same time; 0 means 64.
	Concurrency int
	// Backoff returns the wait before try attempt+1; nil means 1 s doubling to 5 min.
	Backoff func(attempt int) time.Duration
	// Dropped, when set, runs in the transaction that gives a message up, after attempts tries, with the last error.
	Dropped func(ctx context.Context, tx store.Txn, m *Message, attempts int, cause error) error
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
	if err := q.Sender.Send(ctx, m); err != nil {
		if Retryable(err) {
			return err
		}
		return events.Permanent(err)
	}
	return nil
}

func (q *Queue) exhausted(ctx context.Context, tx store.Txn, j events.Job, cause error) error {
	if q.Dropped == nil {
		return nil
	}
	m, err := decode(j.Payload)
	if err != nil {
		return nil //nolint:nilerr // the queue has logged that the row cannot be read, and drops it
	}
	return q.Dropped(ctx, tx, m, j.Attempt, cause)
}
