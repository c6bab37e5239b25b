package sources

import (
	"context"
	"log/slog"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// The starting positions of a stream.
const (
	Latest      = "LATEST"
	TrimHorizon = "TRIM_HORIZON"
	AtTimestamp = "AT_TIMESTAMP"
)

// Forever stands for a limit that there is not.
const Forever = -1

// Config is what a worker knows of its mapping.
type Config struct {
	// UUID names the mapping.
	UUID string
	// Source is the queue or stream that is read, Function the ARN of what is called.
	Source   arn.ARN
	Function string
	// Role is the function's role, which Kinesis records name.
	Role string
	// BatchSize and Window bound a batch: it is full, or its first record has waited for the window.
	BatchSize int
	Window    time.Duration
	// Filters, when not nil, hold the patterns of which a record must match one.
	Filters *pattern.Set[int]
	// Partial tells that the function reports which records of a batch it failed on.
	Partial bool
	// Concurrency bounds the batches of a queue that are handed over at the same time.
	Concurrency int

	// Start is where a stream without a checkpoint begins, Since when the mapping was made, or the time of [AtTimestamp].
	Start string
	Since time.Time
	// Parallel is how many batches of a shard are handed over at the same time.
	Parallel int
	// Retries is how often a batch that the function failed on is tried again, MaxAge how old a record may become; [Forever] means no bound.
	Retries int
	MaxAge  time.Duration
	// Bisect halves a batch that failed.
	Bisect bool
	// Tumbling is the length of the windows over which the function keeps a state; 0 means none.
	Tumbling time.Duration
}

// Answer is what came of an invocation.
type Answer struct {
	RequestID, Version string
	Payload            []byte
	// Failure is "Unhandled" or "Handled" when the function failed.
	Failure string
}

// Deps are a worker's collaborators.
type Deps struct {
	Door  service.Door
	Store store.Store
	Clock clock.Clock
	Log   *slog.Logger
	// Arrivals tells when the source has something new.
	Arrivals port.Arrivals
	// QueueURL is the URL of the source, if it is a queue.
	QueueURL string
	// Caller returns a context for calls with the function's role.
	Caller func(ctx context.Context) (context.Context, error)
	// Invoke hands an event to the function. An error means that the function was not run, and that another try may help. trace is a tracing header or empty.
	Invoke func(ctx context.Context, payload []byte, trace string) (Answer, error)
	// Age, when set, is told how long the last record of a stream's batch has waited when the batch is handed over.
	Age func(time.Duration)
	// Failed writes a document for the on-failure destination in tx; nil when there is none.
	Failed func(ctx context.Context, tx store.Txn, f *Failure) error
	// Result is told the last processing result, whenever it changes.
	Result func(result string)
}

// NoResult is the last processing result of a mapping that has not handed anything over.
const NoResult = "No records processed"

// OK is the last processing result of a mapping that has no problem.
const OK = "OK"

// problem is what the other last processing results begin with.
const problem = "PROBLEM: "

// maxEvent is the most bytes of records in one event, which leaves room for what encloses them.
const maxEvent = 6<<20 - 64<<10

// safetyNet is how long a worker sleeps at most. It is shorter than the life of every kind of iterator, of which each read gets a new one.
const safetyNet = 4 * time.Minute

// backoff returns the wait after a number of failures: from half a second, doubling to a minute.
func backoff(failures int) time.Duration {
	return min(500*time.Millisecond<<min(failures-1, 10), time.Minute)
}

// describe is an error as a last processing result.
func describe(err error) string {
	text := err.Error()
	return problem + text[:min(len(text), 500)]
}
