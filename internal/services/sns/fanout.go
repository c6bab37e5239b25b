package sns

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// fanoutKind is the job that goes on with a publish that does not fit in one transaction.
const fanoutKind = "sns-fanout"

const (
	// maxDeliveries and maxDeliveryBytes bound what one transaction delivers.
	maxDeliveries    = 1000
	maxDeliveryBytes = 2 << 20
	// maxJobTargets bounds the subscriptions that one job names.
	maxJobTargets = 5000
)

// sender adds a message to a queue in a transaction.
type sender = func(queue string, m *port.QueueMessage) error

// plan is a message with the subscriptions that get it, decided before the transaction.
type plan struct {
	t  *topic
	m  *sealed
	to []delivery
	// done is how many of the deliveries the transaction made; others were left to jobs.
	done int
	// repeats is what a FIFO topic keeps of the message that this one repeats, whose id and number the publisher is told; nil for a new message.
	repeats *fifoRow
}

// delivery is a message for one subscription.
type delivery struct {
	x *subscriber
	// refused says why the endpoint cannot have the message, which then goes to the dead-letter queue.
	refused error
	// dead says that the dead-letter queue takes messages of the topic.
	dead bool
}

// plan decides which subscriptions get messages, and whether their endpoints let the topic in.
func (s *Service) plan(ctx context.Context, t *topic, all []*message) ([]*plan, error) {
	decided := map[*subscriber]delivery{}
	out := make([]*plan, 0, len(all))
	for _, m := range all {
		subscribers, err := t.matches(m)
		if err != nil {
			return nil, err
		}
		p := &plan{t: t, m: s.seal(t, m)}
		for _, x := range subscribers {
			d, ok := decided[x]
			if !ok {
				if d, err = s.decide(ctx, t, x); err != nil {
					return nil, err
				}
				decided[x] = d
			}
			p.to = append(p.to, d)
		}
		if err := p.sign(ctx); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// sign makes the signatures that the first transaction needs, a millisecond of work each, so that it does not make them while it holds what others want, or again after a conflict.
func (p *plan) sign(ctx context.Context) error {
	for i, d := range p.to {
		if i == maxDeliveries {
			return nil
		}
		signed := d.x.Protocol == protocolLambda || (d.x.Protocol == protocolSQS || d.x.Protocol == protocolFirehose) && !d.x.raw() && p.m.version != ""
		if d.refused != nil || !signed {
			continue
		}
		if _, _, err := p.m.signature(ctx, p.m.bodyFor(d.x.Protocol)); err != nil {
			return err
		}
	}
	return nil
}

// decide asks whether the endpoint of a subscription lets the topic in.
func (s *Service) decide(ctx context.Context, t *topic, x *subscriber) (delivery, error) {
	d := delivery{x: x}
	// The signing key must be there before the transaction, which cannot make it: dead letters are signed in it.
	_, err := s.signer(ctx)
	if err != nil {
		return d, err
	}
	switch x.Protocol {
	case protocolSQS:
		err = s.options.Queues.CheckSend(ctx, t.source(), x.Endpoint)
	case protocolLambda:
		err = s.options.Functions.CheckInvoke(ctx, t.source(), x.Endpoint)
	case protocolFirehose:
		err = s.options.Deliveries.CheckPut(ctx, t.source(), x.role(), x.Endpoint)
	}
	if err != nil && !errors.As(err, new(*service.Error)) {
		return d, err
	}
	d.refused = err
	if x.dead != "" {
		d.dead = s.options.Queues.CheckSend(ctx, t.source(), x.dead) == nil
	}
	return d, nil
}

// deliver writes deliveries of a message; those that do not fit in the transaction become jobs of it.
func (s *Service) deliver(ctx context.Context, tx store.Txn, send sender, p *plan) error {
	size := 0
	p.done, p.m.failed = 0, nil // the transaction may have run before
	for i, d := range p.to {
		if i == maxDeliveries || size > maxDeliveryBytes {
			return s.goOnLater(tx, p, p.to[i:])
		}
		n, err := s.deliverOne(ctx, tx, send, p.m, d)
		if err != nil {
			return err
		}
		size += n
		p.done++
	}
	return nil
}

// deliverOne writes one delivery, and returns its size in bytes. A message that the endpoint does not take goes to the dead-letter queue.
func (s *Service) deliverOne(ctx context.Context, tx store.Txn, send sender, m *sealed, d delivery) (int, error) {
	x := d.x
	if d.refused != nil {
		return s.bury(ctx, send, m, d, d.refused)
	}
	switch x.Protocol {
	case protocolSQS:
		q, err := m.queueMessage(ctx, x)
		if err != nil {
			return 0, err
		}
		if err := send(x.Endpoint, q); err != nil {
			var known *service.Error
			if errors.As(err, &known) {
				return s.bury(ctx, send, m, d, err)
			}
			return 0, err
		}
		return len(q.Body), nil
	case protocolLambda:
		event, err := m.event(ctx, x)
		if err != nil {
			return 0, err
		}
		return len(event), s.options.Functions.EnqueueAsync(ctx, tx, m.t.source(), x.Endpoint, event)
	case protocolHTTP, protocolHTTPS:
		return s.postLater(ctx, tx, m, x)
	case protocolEmail, protocolEmailJSON, protocolSMS, protocolApplication:
		return s.keepInOutbox(ctx, tx, m, x)
	}
	return s.stream(ctx, tx, send, m, d)
}

// stream puts a message into a delivery stream, on a line of its own
// (https://docs.aws.amazon.com/sns/latest/dg/firehose-working-with-stream-delivery-destinations.html).
func (s *Service) stream(ctx context.Context, tx store.Txn, send sender, m *sealed, d delivery) (int, error) {
	line := m.bodyFor(protocolFirehose)
	if !d.x.raw() {
		var err error
		if line, err = m.envelope(ctx, d.x); err != nil {
			return 0, err
		}
	}
	err := s.options.Deliveries.Put(tx, d.x.Endpoint, []byte(line+"\n"))
	if errors.As(err, new(*service.Error)) {
		return s.bury(ctx, send, m, d, err)
	}
	return len(line), err
}

// bury sends a message to the dead-letter queue of a subscription, when it has one.
func (s *Service) bury(ctx context.Context, send sender, m *sealed, d delivery, cause error) (int, error) {
	if m.failed == nil {
		m.failed = map[*subscriber]error{}
	}
	m.failed[d.x] = cause
	if d.x.dead == "" || !d.dead {
		s.deps.Log.InfoContext(ctx, "message dropped", slog.String("topic", m.TopicARN), slog.String("subscription", d.x.ID), slog.String("endpoint", d.x.Endpoint), slog.String("reason", cause.Error()))
		return 0, nil
	}
	q, err := m.queueMessage(ctx, d.x)
	if err != nil {
		return 0, err
	}
	if err := send(d.x.dead, q); err != nil {
		var known *service.Error
		if !errors.As(err, &known) {
			return 0, err
		}
		s.deps.Log.InfoContext(ctx, "message dropped", slog.String("topic", m.TopicARN), slog.String("subscription", d.x.ID), slog.String("dead_letter_queue", d.x.dead), slog.String("reason", err.Error()))
	}
	return len(q.Body), nil
}

// fanoutJob is the payload of a job that goes on with a publish.
type fanoutJob struct {
	Account, Region, Topic string
	Message                *message
	To                     []string // subscription ids
}

// goOnLater leaves deliveries to jobs of the same commit. Those of a FIFO topic run in the order of their publishes.
func (s *Service) goOnLater(tx store.Txn, p *plan, rest []delivery) error {
	for len(rest) > 0 {
		n := min(len(rest), maxJobTargets)
		j := fanoutJob{Account: p.t.place.account, Region: p.t.place.region, Topic: p.t.Name, Message: p.m.message}
		for _, d := range rest[:n] {
			j.To = append(j.To, d.x.ID)
		}
		rest = rest[n:]
		b, err := json.Marshal(j)
		if err != nil {
			return err
		}
		job := events.Job{Kind: fanoutKind, Payload: b}
		if p.t.fifo() {
			job.Group = p.t.arn
		}
		if err := events.Enqueue(tx, job); err != nil {
			return err
		}
	}
	return nil
}

// goOn delivers what a publish left to a job.
func (s *Service) goOn(ctx context.Context, job events.Job) error {
	var j fanoutJob
	if err := json.Unmarshal(job.Payload, &j); err != nil {
		return events.Permanent(err)
	}
	where := place{j.Account, j.Region}
	ctx = s.inside(ctx, where)
	t, err := s.viewTopic(ctx, where.arn(j.Topic))
	if service.Code(err) == codeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	p := &plan{t: t, m: s.seal(t, j.Message)}
	for _, id := range j.To {
		x := t.byID[id]
		if x == nil || !x.Confirmed {
			continue // it ended meanwhile
		}
		d, err := s.decide(ctx, t, x)
		if err != nil {
			return err
		}
		p.to = append(p.to, d)
	}
	if err := s.options.Queues.Send(ctx, func(tx store.Txn, send func(string, *port.QueueMessage) error) error {
		return s.deliver(ctx, tx, send, p)
	}); err != nil {
		return storeError(err)
	}
	s.tellAll(ctx, p)
	return nil
}

// inside returns a context for work of the service itself in an account and region.
func (s *Service) inside(ctx context.Context, p place) context.Context {
	return service.WithRequest(ctx, &service.Request{
		Account: p.account, Region: p.region, Time: s.deps.Clock.Now(), Secure: true, Principal: service.ServiceCaller("sns.amazonaws.com", "", p.account),
	})
}
