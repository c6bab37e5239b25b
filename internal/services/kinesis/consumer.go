package kinesis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxConsumers is how many consumers a stream has
// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html).
const maxConsumers = 20

// consumerRecord is a registered consumer as it is stored.
type consumerRecord struct {
	Name    string            `json:"name"`
	Created time.Time         `json:"created"`
	Tags    map[string]string `json:"tags,omitempty"`
	Policy  string            `json:"policy,omitempty"`
}

func (c *consumerRecord) arn(st *stream) string {
	return st.arn() + "/consumer/" + c.Name + ":" + strconv.FormatInt(c.Created.Unix(), 10)
}

func (c *consumerRecord) api(st *stream) api.Consumer {
	return api.Consumer{ConsumerName: c.Name, ConsumerARN: c.arn(st), ConsumerStatus: api.ConsumerStatusActive, ConsumerCreationTimestamp: c.Created}
}

// parseConsumerARN returns the ARN of the stream and the name of the consumer in the ARN of a consumer.
func parseConsumerARN(text string) (streamARN, name string, ok bool) {
	streamARN, rest, ok := strings.Cut(text, "/consumer/")
	if !ok {
		return "", "", false
	}
	name, _, ok = strings.Cut(rest, ":")
	if _, _, isStream := parseARN(streamARN); !isStream || !ok || name == "" {
		return "", "", false
	}
	return streamARN, name, true
}

// findConsumer returns the consumer of a name.
func findConsumer(r store.Reader, st *stream, name string) (consumerRecord, error) {
	c, ok, err := record.Get[consumerRecord](r, st.ref().consumer(name))
	if err == nil && !ok {
		err = noConsumer(st.place, name)
	}
	return c, err
}

// consumerNamed is how a request names a consumer.
type consumerNamed struct{ stream, name, arn, id *string }

// of returns the ARN of the stream and the name of the consumer that a request means.
func (n consumerNamed) of(ctx context.Context) (streamARN, name string, err error) {
	switch {
	case n.id != nil:
		return "", "", service.Unsupported(codeInvalid, service.RequestFrom(ctx).Operation, "StreamId")
	case n.arn != nil:
		streamARN, name, ok := parseConsumerARN(*n.arn)
		if !ok {
			return "", "", invalid("ConsumerARN %s is not the ARN of a consumer.", *n.arn)
		}
		if n.stream != nil && *n.stream != streamARN || n.name != nil && *n.name != name {
			return "", "", invalid("ConsumerARN and StreamARN with ConsumerName name different consumers. Give one of them.")
		}
		return streamARN, name, nil
	case n.stream != nil && n.name != nil:
		return *n.stream, *n.name, nil
	}
	return "", "", invalid("Either ConsumerARN or both StreamARN and ConsumerName must be specified.")
}

// withConsumer looks up the consumer that a request means.
func (s *Service) consumer(ctx context.Context, n consumerNamed) (st *stream, c consumerRecord, err error) {
	streamARN, name, err := n.of(ctx)
	if err != nil {
		return nil, c, err
	}
	if st, err = s.known(ctx, target{arn: &streamARN}); err != nil {
		return nil, c, err
	}
	err = s.store.View(ctx, func(r store.Reader) (err error) {
		c, err = findConsumer(r, st, name)
		return err
	})
	if err == nil && n.arn != nil && c.arn(st) != *n.arn {
		err = noConsumer(st.place, *n.arn)
	}
	return st, c, storeError(err)
}

func countConsumers(r store.Reader, ref streamRef) (n int, err error) {
	for _, err := range r.Range(ref.consumers().Span()) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

func (s *Service) registerStreamConsumer(ctx context.Context, in *api.RegisterStreamConsumerInput) (*api.RegisterStreamConsumerOutput, error) {
	c := consumerRecord{Name: in.ConsumerName, Created: s.clock.Now().UTC(), Tags: in.Tags}
	out := &api.RegisterStreamConsumerOutput{}
	if err := checkTags(nil, in.Tags); err != nil {
		return nil, err
	}
	err := s.change(ctx, target{arn: &in.StreamARN, id: in.StreamId}, func(tx store.Txn, st *stream) error {
		k := st.ref().consumer(c.Name)
		taken, err := record.Has(tx, k)
		if err != nil {
			return err
		}
		if taken {
			return service.Errorf(codeInUse, "Consumer %s under stream %s already exists for account %s.", c.Name, st.Name, st.place.account)
		}
		n, err := countConsumers(tx, st.ref())
		if err != nil {
			return err
		}
		if n >= maxConsumers {
			return service.Errorf(codeLimit, "Stream %s under account %s has %d registered consumers, which is the limit. Deregister one.", st.Name, st.place.account, n)
		}
		out.Consumer = new(c.api(st))
		return record.Set(tx, k, c)
	})
	if err != nil {
		return nil, err
	}
	// The call answers with the state in which AWS's consumers begin; the next one shows it ACTIVE.
	out.Consumer.ConsumerStatus = api.ConsumerStatusCreating
	return out, nil
}

func (s *Service) deregisterStreamConsumer(ctx context.Context, in *api.DeregisterStreamConsumerInput) (*api.DeregisterStreamConsumerOutput, error) {
	st, c, err := s.consumer(ctx, consumerNamed{in.StreamARN, in.ConsumerName, in.ConsumerARN, in.StreamId})
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, target{arn: new(st.arn())}, func(tx store.Txn, st *stream) error {
		if _, err := findConsumer(tx, st, c.Name); err != nil {
			return err
		}
		tx.Delete(st.ref().consumer(c.Name))
		return nil
	})
	if err == nil {
		s.subscriptions.end(c.arn(st))
	}
	return &api.DeregisterStreamConsumerOutput{}, err
}

func (s *Service) describeStreamConsumer(ctx context.Context, in *api.DescribeStreamConsumerInput) (*api.DescribeStreamConsumerOutput, error) {
	st, c, err := s.consumer(ctx, consumerNamed{in.StreamARN, in.ConsumerName, in.ConsumerARN, in.StreamId})
	if err != nil {
		return nil, err
	}
	return &api.DescribeStreamConsumerOutput{ConsumerDescription: &api.ConsumerDescription{
		ConsumerName: c.Name, ConsumerARN: c.arn(st), ConsumerStatus: api.ConsumerStatusActive, ConsumerCreationTimestamp: c.Created, StreamARN: st.arn(),
	}}, nil
}

func (s *Service) listStreamConsumers(ctx context.Context, in *api.ListStreamConsumersInput) (*api.ListStreamConsumersOutput, error) {
	st, err := s.known(ctx, target{arn: &in.StreamARN, id: in.StreamId})
	if err != nil {
		return nil, err
	}
	if in.StreamCreationTimestamp != nil && in.StreamCreationTimestamp.Unix() != st.Created.Unix() {
		return nil, noStream(st.place, st.Name)
	}
	limit := 100
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	t := pageToken{List: "ListStreamConsumers", Stream: st.arn(), ID: st.ID}
	span := st.ref().consumers().Span()
	if in.NextToken != nil {
		if t, err = s.readToken(*in.NextToken, t.List); err != nil {
			return nil, err
		}
		if t.Stream != st.arn() || t.ID != st.ID {
			return nil, invalid("The NextToken is of another stream.")
		}
		span.Lo = append(st.ref().consumer(t.After), 0)
	}
	out := &api.ListStreamConsumersOutput{}
	err = s.store.View(ctx, func(r store.Reader) error {
		out = &api.ListStreamConsumersOutput{Consumers: []api.Consumer{}}
		for row, err := range record.Range[consumerRecord](r, span) {
			if err != nil {
				return err
			}
			if len(out.Consumers) == limit {
				t.After = out.Consumers[limit-1].ConsumerName
				out.NextToken = s.token(t)
				return nil
			}
			out.Consumers = append(out.Consumers, row.Value.api(st))
		}
		return nil
	})
	return out, storeError(err)
}

// resource is what tags and policies are on: a stream, or one of its consumers.
type resource struct {
	stream   string // ARN
	consumer string // name; empty for the stream
}

// resourceOf reads the ARN of a stream or a consumer.
func resourceOf(ctx context.Context, text string, id *string) (resource, error) {
	if id != nil {
		return resource{}, service.Unsupported(codeInvalid, service.RequestFrom(ctx).Operation, "StreamId")
	}
	if _, _, ok := parseARN(text); ok {
		return resource{stream: text}, nil
	}
	if streamARN, name, ok := parseConsumerARN(text); ok {
		return resource{streamARN, name}, nil
	}
	if a, err := arn.Parse(text); err != nil || a.Service != "kinesis" {
		return resource{}, invalid("ResourceARN %s is not the ARN of a stream or a consumer.", text)
	}
	return resource{}, invalid("ResourceARN %s names neither a stream nor a consumer.", text)
}

// attached are what streams and consumers have in common.
type attached struct {
	tags   *map[string]string
	policy *string
	arn    string
}

// changeResource changes the tags or the policy of a stream or a consumer.
func (s *Service) changeResource(ctx context.Context, text string, id *string, fn func(a attached) error) error {
	what, err := resourceOf(ctx, text, id)
	if err != nil {
		return err
	}
	return s.change(ctx, target{arn: &what.stream}, func(tx store.Txn, st *stream) error {
		if what.consumer == "" {
			return fn(attached{&st.Tags, &st.Policy, st.arn()})
		}
		c, err := findConsumer(tx, st, what.consumer)
		if err != nil {
			return err
		}
		if c.arn(st) != text {
			return noConsumer(st.place, text)
		}
		if err := fn(attached{&c.Tags, &c.Policy, text}); err != nil {
			return err
		}
		return record.Set(tx, st.ref().consumer(c.Name), c)
	})
}

// viewResource returns the tags and the policy of a stream or a consumer.
func (s *Service) viewResource(ctx context.Context, text string, id *string) (tags map[string]string, policy string, err error) {
	what, err := resourceOf(ctx, text, id)
	if err != nil {
		return nil, "", err
	}
	if what.consumer == "" {
		st, err := s.known(ctx, target{arn: &what.stream})
		if err != nil {
			return nil, "", err
		}
		return st.Tags, st.Policy, nil
	}
	_, c, err := s.consumer(ctx, consumerNamed{arn: &text})
	if err != nil {
		return nil, "", fmt.Errorf("look up a consumer: %w", err)
	}
	return c.Tags, c.Policy, nil
}
