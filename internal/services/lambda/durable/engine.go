package durable

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
)

// Deps is what the engine needs.
type Deps struct {
	Store  store.Store
	Blobs  blob.Store
	Clock  clock.Clock
	Random io.Reader
	Log    *slog.Logger
	// Invoke runs a function once. An error means that it was not run: a *service.Error with a status below 500, other than that of throttling, that it
	// never can be.
	Invoke func(ctx context.Context, c *Call) (Answer, error)
	// Resolve finds what a chained invocation of an execution names, and decides whether its function's role may invoke it. trace is the tracing header
	// of the execution. A *service.Error with a status below 500 fails the operation.
	Resolve func(ctx context.Context, from Ref, trace string, in *api.ChainedInvokeOptions) (*Target, error)
	// Ended is called by a durable job when an execution that an event has started has ended; it may answer with [events.Done].
	Ended func(ctx context.Context, e *Ended) error
	// Changed is called in the transaction in which an execution begins or ends.
	Changed func(tx store.Txn, s Status) error
	// Concurrency is how many invocations run at a time; 0 means 256.
	Concurrency int
}

// Target is a version of a function.
type Target struct {
	Account, Region, Function, Version string
	// Revision is that of a published version; empty for $LATEST.
	Revision string `json:",omitempty"`
	// Trace is the tracing header that its invocations have.
	Trace string `json:",omitempty"`
	// Tenant is the one for whom it runs, of a function that isolates them.
	Tenant string `json:",omitempty"`
	// Durable is set for durable functions.
	Durable *Config `json:",omitempty"`
}

// Config is the configuration of a durable function: the timeout of its executions in seconds, and for how many days their history is kept.
type Config struct{ Timeout, Retention int32 }

// Call is one invocation.
type Call struct {
	Target

	RequestID string
	Payload   []byte
}

// Answer is what a function has answered: its response, or an error document when Failed is set.
type Answer struct {
	Payload []byte
	Failed  bool
}

// Ended is the end of an execution that an event has started.
type Ended struct {
	Ref
	Result

	// Qualifier is that by which the function was invoked, RequestID that of the call.
	Qualifier, RequestID, Trace string
	Input                       string
}

// Status is what has become of an execution.
type Status struct {
	Ref
	Status string
	Start  time.Time
	End    time.Time // zero for one that runs
}

// Engine keeps and drives executions. It has no state of its own.
type Engine struct{ deps Deps }

// New returns an engine. Its jobs must be run for anything to happen.
func New(d Deps) *Engine {
	if d.Concurrency == 0 {
		d.Concurrency = 256
	}
	return &Engine{deps: d}
}

// The kinds of jobs.
const (
	runName   = "lambda.durable.run"
	timerName = "lambda.durable.timer"
	chainName = "lambda.durable.chain"
	endedName = "lambda.durable.ended"
	stopName  = "lambda.durable.stop"
)

// Jobs are the kinds of durable work of the engine.
func (e *Engine) Jobs() []events.Kind {
	return []events.Kind{
		{Name: runName, Handle: e.run, Concurrency: e.deps.Concurrency},
		{Name: timerName, Handle: e.fireTimer, Concurrency: 16},
		{Name: chainName, Handle: e.runChained, Concurrency: e.deps.Concurrency},
		{Name: endedName, Handle: e.tellEnded, Concurrency: 16},
		{Name: stopName, Handle: e.stopChildren, Concurrency: 16},
	}
}

// now has the resolution of the API's times.
func (e *Engine) now() time.Time { return e.deps.Clock.Now().UTC().Truncate(time.Millisecond) }

func (e *Engine) newID() (string, error) { return uuid.New(e.deps.Random) }

// newToken is a random text that the API accepts as a token.
func (e *Engine) newToken() (string, error) {
	var b [24]byte
	if _, err := io.ReadFull(e.deps.Random, b[:]); err != nil {
		return "", fmt.Errorf("make a token: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b[:]), nil
}
