package durable

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// execution is the record of an execution.
type execution struct {
	Ref
	// Revision is that of the published version, which keeps the execution from going on with another function of the same name; empty for $LATEST.
	Revision string `json:",omitempty"`
	Status   string
	Start    time.Time
	End      time.Time `json:",omitzero"`
	// Timeout is in seconds, Retention in days after the end.
	Timeout, Retention int32
	Trace              string `json:",omitempty"`
	Tenant             string `json:",omitempty"`
	// Input is the hash of the input, by which a repeated start is known.
	Input  string
	Result body
	Error  *Failure `json:",omitempty"`
	// Event tells that an event started the execution, whose end may have destinations; Qualifier and RequestID are those of the call.
	Event     bool   `json:",omitempty"`
	Qualifier string `json:",omitempty"`
	RequestID string `json:",omitempty"`
	// Parent waits for the end.
	Parent *parent `json:",omitempty"`

	// Token is what the next checkpoint has to bring; empty while the function does not run. Last is the checkpoint before.
	Token string `json:",omitempty"`
	Last  *checkpointed
	// Operations is the sequence number of the next operation, Pending how many operations the execution can wait for.
	Operations uint64
	Pending    int
	// Events counts the history, Stored the bytes of payloads.
	Events int32
	Stored int64
	// Updated are the operations of which the function does not know the news. Told are those that the envelope of an invocation
	// has told, until that has ended well.
	Updated, Told []string `json:",omitempty"`
	// Queued tells that there is a run job, Timer when the timer job is due.
	Queued bool
	Timer  time.Time `json:",omitzero"`
	// Failed counts the invocations that failed since the last checkpoint.
	Failed int `json:",omitempty"`
}

// parent is the operation of another execution that a chained invocation is for.
type parent struct {
	Ref
	Operation string
}

// checkpointed is what a repeated checkpoint is answered with.
type checkpointed struct {
	Client, Token string // which it brought
	Time          time.Time
	Operations    []string
	// News tells that some of the operations have changed by themselves. A function that suspends right afterwards may not have seen it.
	News bool `json:",omitempty"`
}

func (e *execution) running() bool { return e.Status == api.ExecutionStatusRunning }

// load returns the record of an execution. What the ARN says beside the id must be right too.
func load(rd store.Reader, r Ref) (*execution, error) {
	e, ok, err := record.Get[execution](rd, r.executionKey())
	if err != nil {
		return nil, err
	}
	if !ok || e.Ref != r {
		return nil, errNotFound
	}
	return &e, nil
}

var errNotFound = errors.New("no such execution")

// Failure is the error of an operation or an execution, in the form of envelopes.
type Failure struct {
	ErrorMessage *string  `json:",omitempty"`
	ErrorType    *string  `json:",omitempty"`
	ErrorData    *string  `json:",omitempty"`
	StackTrace   []string `json:",omitempty"`
}

func newFailure(kind, message string) *Failure {
	return &Failure{ErrorType: &kind, ErrorMessage: &message}
}

// maxFailure is the most bytes that an error may have as JSON.
const maxFailure = 32768

// failureOf takes an error of the API.
func failureOf(in *api.ErrorObject) (*Failure, error) {
	if in == nil {
		return nil, nil
	}
	f := Failure(*in)
	b, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("measure error: %w", err)
	}
	if len(b) > maxFailure {
		return nil, invalid("Error object size must be less than %d bytes.", maxFailure)
	}
	return &f, nil
}

func (f *Failure) object() *api.ErrorObject {
	if f == nil {
		return nil
	}
	o := api.ErrorObject(*f)
	return &o
}
