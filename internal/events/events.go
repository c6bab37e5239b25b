// Package events runs durable work: the transactional outbox, retries and timers.
//
// A service that must do something later (deliver an object's event, invoke a function asynchronously,
// expire an item) writes a [Job] in the same transaction as the state that caused it. When that
// transaction is durable the queue of the job's kind wakes up and runs the kind's handler;
// the job is removed when the handler succeeds, and tried again after a back-off when it fails. A job
// therefore runs at least once, in any process that registered its kind, and never for a
// transaction that did not commit. Nothing polls: wake-ups come from the store's watch, due times from the clock.
package events

import (
	"context"
	"time"

	"lambent.dev/lambent/internal/store"
)

// Job is one piece of durable work.
type Job struct {
	// Kind names the handler.
	Kind string
	// ID is given by Enqueue: unique, and ordered by commit within a kind.
	ID string
	// Group, when not empty, orders the work: jobs of one kind and group run one at a time, in the order of their commits.
	Group string
	// Payload is the handler's own encoding. It must stay under 1 MiB.
	Payload []byte
	// NotBefore is the earliest time to run; the zero time means at once.
	NotBefore time.Time
	// Enqueued is the time of the transaction, set by Enqueue.
	Enqueued time.Time
	// Attempt counts from 1 when the handler runs.
	Attempt int
}

// Kind describes how jobs of one name are run. Register it before Start.
type Kind struct {
	Name string
	// Handle does the work; it must bear being run twice for one job. An error wrapped by
	// [Permanent] ends the job at once.
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
}
