package eventbridge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

const (
	// routeKind is the job that brings an event to rules later: those that did not fit in a commit, those of another bus, those of a schedule or a replay.
	routeKind = "eventbridge.route"
	// targetQueue delivers to targets that cannot be part of the commit.
	targetQueue = "eventbridge.target"
	// maxDeliveries and maxDeliveryBytes bound what one transaction delivers.
	maxDeliveries    = 1000
	maxDeliveryBytes = 2 << 20
)

// plan is an event with the rules and archives that take it, decided before the transaction.
type plan struct {
	router   *router
	event    *event
	rules    []*rule
	archives []*archiveRule
	// refused says why a target cannot have the event.
	refused map[*target]error
	// rest tells that the event came to the bus before, and these are the rules that were left.
	rest bool
}

// plan decides what happens to an event on a bus, which is nil when nothing does. only are the names of the rules that may take it; nil means those that match.
func (s *Service) plan(ctx context.Context, k busKey, e *event, only []string) (*plan, error) {
	r, err := s.routers.get(ctx, k)
	if err != nil || !r.exists {
		return nil, err
	}
	if only == nil && s.options.Schemas != nil {
		s.options.Schemas.Discover(ctx, k.account, k.region, k.name, e.JSON)
	}
	p := &plan{router: r, event: e, rest: only != nil}
	if only != nil {
		for _, name := range only {
			if x := r.named(name); x != nil {
				p.rules = append(p.rules, x)
			}
		}
	} else {
		if p.rules, err = r.rules.matches(e); err != nil {
			return nil, err
		}
		if p.archives, err = r.archivesFor(e); err != nil {
			return nil, err
		}
	}
	if len(p.rules)+len(p.archives) == 0 && !p.logsUnmatched() {
		return nil, nil
	}
	return p, s.ask(ctx, p)
}

// ask finds out which targets do not let the rule in.
func (s *Service) ask(ctx context.Context, p *plan) error {
	for _, x := range p.rules {
		for _, t := range x.targets {
			var err error
			switch {
			case !t.direct():
				continue
			case t.at.Service == "lambda":
				err = s.options.Functions.CheckInvoke(ctx, x.source, t.Arn)
			default:
				err = s.options.Queues.CheckSend(ctx, x.source, t.Arn)
			}
			if err == nil {
				continue
			}
			if !errors.As(err, new(*service.Error)) {
				return err
			}
			if p.refused == nil {
				p.refused = map[*target]error{}
			}
			p.refused[t] = err
		}
	}
	return nil
}

// direct tells whether the event can reach the target within the commit: a function or a queue that the rule calls without a role.
func (t *target) direct() bool {
	return t.RoleArn == nil && (t.at.Service == "lambda" || t.at.Service == "sqs")
}

// commit makes events durable with what they lead to.
func (s *Service) commit(ctx context.Context, plans []*plan) error {
	if len(plans) == 0 {
		return nil
	}
	return storeError(s.options.Queues.Send(ctx, func(tx store.Txn, send func(string, *port.QueueMessage) error) error {
		budget := &budget{maxDeliveries, maxDeliveryBytes}
		for _, p := range plans {
			for _, a := range p.archives {
				if err := s.keep(tx, p.router.place, a, p.event); err != nil {
					return err
				}
			}
			if err := s.logArrival(ctx, tx, p); err != nil {
				return err
			}
			if err := s.deliver(ctx, tx, send, p, budget); err != nil {
				return err
			}
		}
		return nil
	}))
}

// budget is what a transaction may still deliver.
type budget struct{ deliveries, bytes int }

func (b *budget) spent() bool { return b.deliveries <= 0 || b.bytes <= 0 }

// deliver writes the deliveries of an event. Those that do not fit are left to a job of the same commit.
func (s *Service) deliver(ctx context.Context, tx store.Txn, send func(string, *port.QueueMessage) error, p *plan, b *budget) error {
	for i, x := range p.rules {
		if b.spent() {
			rest := make([]string, 0, len(p.rules)-i)
			for _, x := range p.rules[i:] {
				rest = append(rest, x.name)
			}
			return (&routeJob{Account: p.router.account, Region: p.router.region, Bus: p.router.name, Event: p.event, Rules: rest}).enqueue(tx)
		}
		for _, t := range x.targets {
			n, err := s.deliverOne(ctx, tx, send, p, x, t)
			if err != nil {
				return err
			}
			b.deliveries--
			b.bytes -= n
		}
	}
	return nil
}

// deliverOne writes one delivery, and returns its size in bytes.
func (s *Service) deliverOne(ctx context.Context, tx store.Txn, send func(string, *port.QueueMessage) error, p *plan, x *rule, t *target) (int, error) {
	input, err := t.inputOf(x, p.event)
	m := s.message(x, t, p.event, input)
	if err := s.logStart(ctx, tx, p, t, m); err != nil {
		return 0, err
	}
	if err != nil {
		return len(p.event.JSON), s.queue.Refuse(ctx, tx, m, err)
	}
	if err := p.refused[t]; err != nil {
		return len(p.event.JSON), s.queue.Refuse(ctx, tx, m, err)
	}
	switch {
	case isBus(t.at):
		return len(p.event.JSON), s.forward(ctx, tx, p, x, t, m)
	case isDestination(t.at), isStage(t.at):
		return len(input), s.calls.Enqueue(tx, m)
	case !t.direct():
		return len(input), s.queue.Enqueue(tx, m)
	case t.at.Service == "lambda":
		traced := *service.RequestFrom(ctx)
		traced.Trace = p.event.Trace
		if err := s.options.Functions.EnqueueAsync(service.WithRequest(ctx, &traced), tx, x.source, t.Arn, input); err != nil {
			return len(input), err
		}
		return len(input), s.reported(ctx, tx, m, 1, nil)
	}
	err = send(t.Arn, &port.QueueMessage{Body: string(input), Group: m.Group, Trace: p.event.Trace, Sender: principal})
	switch {
	case errors.As(err, new(*service.Error)):
		err = s.queue.Refuse(ctx, tx, m, err)
	case err == nil:
		err = s.reported(ctx, tx, m, 1, nil)
	}
	return len(input), err
}

// message returns the delivery of an event to a target.
func (s *Service) message(x *rule, t *target, e *event, input []byte) *deliver.Message {
	m := &deliver.Message{
		Target: t.Arn, From: x.source, Role: opt.Value(t.RoleArn), Trace: e.Trace, Stream: e.ID, PartitionKey: e.ID, Body: input,
		Retry: t.retry(),
	}
	if t.SqsParameters != nil {
		m.Group = opt.Value(t.SqsParameters.MessageGroupId)
	}
	if h := t.HttpParameters; h != nil {
		m.HTTP = &deliver.HTTP{Path: h.PathParameterValues, Header: h.HeaderParameters, Query: h.QueryStringParameters}
	}
	if t.partition != nil {
		if v, ok := t.partition.Get(e.JSON); ok {
			m.PartitionKey = plain(v)
		}
	}
	if q := deadLetter(t.DeadLetterConfig); q != "" {
		m.DeadLetter = &deliver.DeadLetter{Queue: q, Attributes: map[string]deliver.Attribute{
			"RULE_ARN": {Type: "String", Text: x.arn}, "TARGET_ARN": {Type: "String", Text: t.Arn},
		}}
		// The queue gets the event, unless that is the input already or there is no room for both.
		if !bytes.Equal(input, e.JSON) && len(input)+2*len(e.JSON) < deliver.MaxBody {
			m.DeadLetter.Body = e.JSON
		}
	}
	return m
}

// plain returns a JSON value as text: a string without its quotes.
func plain(v []byte) string {
	var s string
	if json.Unmarshal(v, &s) != nil {
		return string(v)
	}
	return s
}

// The retry policy of a target that has none (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-retry-policy.html).
const (
	defaultRetries = 185
	defaultAge     = 86_400 // seconds
)

func (t *target) retry() *deliver.Retry {
	attempts, age := int32(defaultRetries), int32(defaultAge)
	if p := t.RetryPolicy; p != nil {
		if p.MaximumRetryAttempts != nil {
			attempts = *p.MaximumRetryAttempts
		}
		if p.MaximumEventAgeInSeconds != nil {
			age = *p.MaximumEventAgeInSeconds
		}
	}
	return &deliver.Retry{Attempts: int(attempts), Age: seconds(age)}
}

// forward leaves an event to another bus. An event goes over one bus only.
func (s *Service) forward(ctx context.Context, tx store.Txn, p *plan, x *rule, t *target, m *deliver.Message) error {
	if p.event.Forwarded {
		s.deps.Log.InfoContext(ctx, "event not forwarded: it came from another bus, and events go over one bus only",
			slog.String("event", p.event.ID), slog.String("rule", x.arn), slog.String("bus", t.Arn))
		return nil
	}
	on := *p.event
	on.Forwarded = true
	_, name := t.at.Split()
	return (&routeJob{Account: t.at.Account, Region: t.at.Region, Bus: name, Event: &on, From: &x.source, Role: opt.Value(t.RoleArn), DeadLetter: m.DeadLetter, Report: m.Report}).enqueue(tx)
}

// routeJob brings an event to rules of a bus.
type routeJob struct {
	Account, Region, Bus string
	Event                *event
	// Rules are the names of the rules that take the event; none means those that match.
	Rules []string `json:",omitempty"`
	// From is the rule on another bus that sends the event, with the Role that it uses.
	From *port.Source `json:",omitempty"`
	Role string       `json:",omitempty"`
	// DeadLetter is where an event goes that the other bus does not take.
	DeadLetter *deliver.DeadLetter `json:",omitempty"`
	// Report is what the bus of From logs about the event.
	Report json.RawMessage `json:",omitempty"`
}

func (j *routeJob) enqueue(tx store.Txn) error {
	b, err := pack(j, j.Event.JSON)
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: routeKind, Payload: b})
}

// route runs a routeJob.
func (s *Service) route(ctx context.Context, job events.Job) error {
	j := routeJob{Event: &event{}}
	var err error
	if j.Event.JSON, err = unpack(job.Payload, &j); err != nil {
		return events.Permanent(err)
	}
	k := busKey{place{j.Account, j.Region}, j.Bus}
	ctx = s.inside(ctx, k.place)
	if j.From != nil {
		if err := s.mayForward(ctx, k, &j); err != nil {
			if deliver.Retryable(err) {
				return err
			}
			return events.Done(func(ctx context.Context, tx store.Txn) error { return s.queue.Refuse(ctx, tx, j.message(k), err) })
		}
	}
	p, err := s.plan(ctx, k, j.Event, j.Rules)
	if err == nil && p != nil {
		err = s.commit(ctx, []*plan{p})
	}
	if err != nil || j.Report == nil || j.From == nil {
		return err
	}
	return events.Done(func(ctx context.Context, tx store.Txn) error { return s.reported(ctx, tx, j.message(k), 1, nil) })
}

// message is the event on its way to another bus.
func (j *routeJob) message(k busKey) *deliver.Message {
	return &deliver.Message{Target: k.busARN(k.name), From: *j.From, Role: j.Role, Trace: j.Event.Trace, Body: j.Event.JSON, DeadLetter: j.DeadLetter, Report: j.Report}
}

// mayForward tells whether a rule may send events to a bus.
func (s *Service) mayForward(ctx context.Context, k busKey, j *routeJob) error {
	ctx, err := s.options.Sender.Caller(ctx, *j.From, j.Role, j.Event.ID, k.busARN(k.name))
	if err != nil {
		return err
	}
	t, err := s.busTarget(ctx, k, "events:PutEvents")
	if err != nil {
		return err
	}
	return s.deps.Door.Allow(ctx, t)
}

// inside returns a context for work of the service itself in an account and region.
func (s *Service) inside(ctx context.Context, p place) context.Context {
	return service.WithRequest(ctx, &service.Request{
		Account: p.account, Region: p.region, Time: s.now(), Secure: true, Principal: service.ServiceCaller(principal, "", p.account),
	})
}

// dropped notes a delivery that was given up.
func (s *Service) dropped(ctx context.Context, tx store.Txn, m *deliver.Message, attempts int, cause error) error {
	s.deps.Log.WarnContext(ctx, "event not delivered to the target of a rule", slog.String("rule", m.From.ARN), slog.String("target", m.Target),
		slog.Int("attempts", attempts), slog.Bool("dead_letter_queue", m.DeadLetter != nil), slog.Any("error", cause))
	return s.logDropped(ctx, tx, m, attempts, cause)
}
