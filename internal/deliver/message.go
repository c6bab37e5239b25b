package deliver

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lambent.dev/lambent/internal/service/port"
)

// Message is one event for one target. Target, From and Body are always set; the other fields are for the targets that have a place for them
// and are left out for the others.
type Message struct {
	// Target is the ARN of what receives the message.
	Target string
	// From is the service and the resource on whose behalf the message is sent.
	From port.Source
	// Role is the ARN of the role that From.Service assumes for the call. Empty means that the service calls as itself.
	Role string `json:",omitempty"`
	// ID is the request id of the delivery, a UUID. A queue derives one when it is empty.
	ID string `json:",omitempty"`
	// Order keeps messages of a [Queue] with the same Order in the order of their commits, one at a time. Empty means no order.
	Order string `json:",omitempty"`
	// Trace is the tracing header (X-Amzn-Trace-Id) that goes with the message, to functions, queues, buses and state machines.
	Trace string `json:",omitempty"`
	// Group and Deduplication are the message group and deduplication ids of queues and topics.
	Group         string `json:",omitempty"`
	Deduplication string `json:",omitempty"`
	// Attributes are the message attributes of queues and topics.
	Attributes map[string]Attribute `json:",omitempty"`
	// Subject is the subject of a topic's message.
	Subject string `json:",omitempty"`
	// PartitionKey is that of a data stream's record; empty means the message's id.
	PartitionKey string `json:",omitempty"`
	// Event describes the entry of an event bus, whose detail is the body.
	Event *Event `json:",omitempty"`
	// Execution is the name of the state machine's execution; empty means the message's id.
	Execution string `json:",omitempty"`
	// Stream is the stream of a log group; it is made when it is missing. Empty means the message's id.
	Stream string `json:",omitempty"`
	// HTTP adds to the request of a target that is called over HTTP.
	HTTP *HTTP `json:",omitempty"`
	// Key is the object's key in a bucket.
	Key string `json:",omitempty"`
	// Retry bounds the tries of a [Queue] beside the bounds of the queue itself.
	Retry *Retry `json:",omitempty"`
	// DeadLetter is where a [Queue] sends the message when it gives it up.
	DeadLetter *DeadLetter `json:",omitempty"`
	// Report, when set, has the queue tell what becomes of the message ([Queue.Reported]), and with what it is told.
	Report json.RawMessage `json:",omitempty"`
	// Body is the message itself.
	Body []byte `json:"-"`
}

// Retry is a retry policy as rules and schedules have it.
type Retry struct {
	// Attempts is how often a delivery that failed is tried again.
	Attempts int
	// Age is how long after its first try a delivery is tried again.
	Age time.Duration
}

// DeadLetter is a queue for messages that were given up, and what it is told beside the error.
type DeadLetter struct {
	// Queue is the ARN of an SQS queue.
	Queue string
	// Role is the ARN of the role that the service assumes to send to it; empty means that it sends as itself.
	Role string `json:",omitempty"`
	// Attributes are added to those that tell about the error: ERROR_CODE, ERROR_MESSAGE, RETRY_ATTEMPTS and, when the retries are used up,
	// EXHAUSTED_RETRY_CONDITION (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html).
	Attributes map[string]Attribute `json:",omitempty"`
	// Body is what the queue gets in place of the message's body; nil means the body.
	Body []byte `json:",omitempty"`
}

// HTTP is what a delivery adds to a request: the values for the wildcards of the path, headers and query parameters.
type HTTP struct {
	Path          []string          `json:",omitempty"`
	Header, Query map[string]string `json:",omitempty"`
}

// Attribute is a message attribute.
type Attribute struct {
	// Type is String, Number or Binary, each with an optional label behind a dot.
	Type string
	// Text is the value unless the type is Binary.
	Text string `json:",omitempty"`
	// Binary is the value of a Binary attribute.
	Binary []byte `json:",omitempty"`
}

// Event is what an event bus wants to know beside the detail.
type Event struct {
	Source, DetailType string
	Resources          []string `json:",omitempty"`
	// Time is when it happened; zero means when the bus takes it.
	Time time.Time `json:",omitzero"`
}

// encode writes the length of a JSON head, the head, and the body as it is.
func (m *Message) encode() ([]byte, error) {
	head, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	b := binary.AppendUvarint(make([]byte, 0, len(head)+len(m.Body)+binary.MaxVarintLen32), uint64(len(head)))
	return append(append(b, head...), m.Body...), nil
}

var errBadMessage = errors.New("decode message: bad length")

func decode(b []byte) (*Message, error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, errBadMessage
	}
	end := size + int(n)
	var m Message
	if err := json.Unmarshal(b[size:end], &m); err != nil {
		return nil, fmt.Errorf("decode message: %w", err)
	}
	m.Body = b[end:]
	return &m, nil
}
