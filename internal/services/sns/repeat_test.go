package sns

import (
	"context"
	"errors"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// conflicting are queues whose next transaction runs twice: the first run comes to nothing, as after a conflict, and between is called before the second.
type conflicting struct {
	port.Queues

	between func()
}

var errConflict = errors.New("this run comes to nothing")

func (c *conflicting) Send(ctx context.Context, fn func(tx store.Txn, send func(string, *port.QueueMessage) error) error) error {
	between := c.between
	if c.between = nil; between == nil {
		return c.Queues.Send(ctx, fn)
	}
	err := c.Queues.Send(ctx, func(tx store.Txn, send func(string, *port.QueueMessage) error) error {
		return errors.Join(fn(tx, send), errConflict)
	})
	if !errors.Is(err, errConflict) {
		return err
	}
	between()
	return c.Queues.Send(ctx, fn)
}

// What a run of the transaction that came to nothing found out about repeats must not reach the message that the next run publishes.
func TestPublishKeepsItsIDAfterAConflict(t *testing.T) {
	group := "g"
	for name, between := range map[string]func(h *harness, topic string){
		"the window ends": func(h *harness, _ string) { h.clock.Advance(5*time.Minute + time.Second) },
		"the scope changes": func(h *harness, topic string) {
			do[api.SetTopicAttributesOutput](t, h, "sns", "SetTopicAttributes", &api.SetTopicAttributesInput{TopicArn: topic, AttributeName: "FifoThroughputScope", AttributeValue: new("MessageGroup")})
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHarness(t, nil)
			queues := &conflicting{Queues: h.impl.options.Queues}
			h.impl.options.Queues = queues
			topic := h.topic(t, "t.fifo", map[string]string{"FifoTopic": "true", "ContentBasedDeduplication": "true"})
			publish := func() *api.PublishOutput {
				return do[api.PublishOutput](t, h, "sns", "Publish", &api.PublishInput{TopicArn: &topic, Message: "x", MessageGroupId: &group})
			}
			first := publish()
			queues.between = func() {}
			if again := publish(); *again.MessageId != *first.MessageId || *again.SequenceNumber != *first.SequenceNumber {
				t.Errorf("the repeat is %s %s, and not %s %s", *again.MessageId, *again.SequenceNumber, *first.MessageId, *first.SequenceNumber)
			}
			queues.between = func() { between(h, topic) }
			if fresh := publish(); *fresh.MessageId == *first.MessageId || *fresh.SequenceNumber <= *first.SequenceNumber {
				t.Errorf("the new message is %s %s, which the first was: %s %s", *fresh.MessageId, *fresh.SequenceNumber, *first.MessageId, *first.SequenceNumber)
			}
		})
	}
}
