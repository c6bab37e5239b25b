package logs

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

const (
	// servicePrincipal is as whom the service delivers log events.
	servicePrincipal = "logs.amazonaws.com"
	// maxSubscriptions is how many subscription filters a group has
	// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html).
	maxSubscriptions = 2
	// deliverFor is how long a delivery is tried again
	// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html).
	deliverFor = 24 * time.Hour
	// maxDelivered bounds the messages of one delivery, in bytes; one event may be larger.
	maxDelivered = 512 << 10
	// functionGroups begins the names of the groups that functions log to.
	functionGroups = "/aws/lambda/"
)

// subscription is a subscription filter; it is part of its group's record.
type subscription struct {
	Name         string
	Pattern      string `json:",omitempty"`
	Destination  string
	Role         string `json:",omitempty"`
	Distribution string
	Created      int64 // Unix milliseconds
	// Account marks the filter of an account policy.
	Account bool `json:",omitempty"`
	// Transformed has the filter look at, and deliver, what the group's transformer makes of the events.
	Transformed bool `json:",omitempty"`
}

func (l *Logs) putSubscriptionFilter(ctx context.Context, in *api.PutSubscriptionFilterInput) (*api.PutSubscriptionFilterOutput, error) {
	sub, err := l.newSubscription(ctx, in)
	if err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	err = l.deps.Store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, s, in.LogGroupName)
		if err != nil {
			return err
		}
		if owner, name, ok := destinationOf(sub.Destination); ok {
			_, err := getDestination(r, owner, name)
			return err
		}
		rules, err := rulesOf(r, s)
		if err != nil {
			return err
		}
		return checkLoop(r, s, g.Name, sub.Destination, rules.subscription)
	})
	if err != nil {
		return nil, err
	}
	if err := l.try(ctx, s, in.LogGroupName, sub); err != nil {
		return nil, err
	}
	return &api.PutSubscriptionFilterOutput{}, l.changeGroup(ctx, in.LogGroupName, func(_ store.Txn, _ scope, g *group) error {
		i := slices.IndexFunc(g.Subscriptions, func(have subscription) bool { return have.Name == sub.Name })
		switch {
		case i >= 0:
			sub.Created = g.Subscriptions[i].Created
			g.Subscriptions[i] = sub
			return nil
		case len(g.Subscriptions) >= maxSubscriptions:
			return service.Errorf("LimitExceededException", "Resource limit exceeded. A log group has at most %d subscription filters: delete one of %s first.", maxSubscriptions, g.Name)
		}
		g.Subscriptions = append(g.Subscriptions, sub)
		order.Sort(g.Subscriptions, func(a, b subscription) int { return cmp.Compare(a.Name, b.Name) })
		return nil
	})
}

// newSubscription checks what a filter is made of.
func (l *Logs) newSubscription(ctx context.Context, in *api.PutSubscriptionFilterInput) (subscription, error) {
	sub := subscription{Name: in.FilterName, Pattern: in.FilterPattern, Destination: in.DestinationArn, Role: opt.Value(in.RoleArn), Distribution: cmp.Or(in.Distribution, "ByLogStream"), Created: l.nowMS(), Transformed: opt.Value(in.ApplyOnTransformedLogs)}
	for name, given := range map[string]bool{
		"fieldSelectionCriteria": opt.Value(in.FieldSelectionCriteria) != "", "emitSystemFields": len(in.EmitSystemFields) > 0,
	} {
		if given {
			return sub, service.Unsupported("InvalidParameterException", "PutSubscriptionFilter", name)
		}
	}
	if _, err := parsePattern(sub.Pattern); err != nil {
		return sub, err
	}
	to, err := arn.Parse(sub.Destination)
	if err != nil {
		return sub, invalid("destinationArn %q is not an ARN.", sub.Destination)
	}
	switch to.Service {
	case "lambda":
		if sub.Role != "" {
			return sub, invalid("destinationArn for vendor lambda cannot be used with roleArn")
		}
		return sub, nil
	case "kinesis", "firehose":
		if sub.Role == "" {
			return sub, invalid("destinationArn for vendor %s cannot be used without roleArn", to.Service)
		}
		return sub, l.options.Roles.CheckPassRole(ctx, sub.Role, servicePrincipal)
	}
	if owner, _, ok := destinationOf(sub.Destination); ok {
		if owner.region != scopeOf(ctx).region {
			return sub, invalid("The destination must be in the region of the log group, %s.", scopeOf(ctx).region)
		}
		if sub.Role == "" {
			return sub, nil
		}
		return sub, l.options.Roles.CheckPassRole(ctx, sub.Role, servicePrincipal)
	}
	return sub, invalid("PutSubscriptionFilter operation cannot work with destinationArn for vendor %s", to.Service)
}

// try asks whether a destination takes what the filter would send. A destination with a name was asked when it was made.
func (l *Logs) try(ctx context.Context, s scope, groupName string, sub subscription) error {
	m := l.message(s, groupName, sub)
	if strings.HasPrefix(sub.Destination, "arn:aws:lambda:") {
		if err := l.options.Sender.Try(ctx, m.From, m.Target); err != nil {
			return refusedBy(err, "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function.")
		}
		return nil
	}
	if _, _, named := destinationOf(sub.Destination); named {
		return nil
	}
	what := kindOfStream(sub.Destination)
	return l.tryStream(ctx, m, "Could not deliver test message to specified "+what+". Check if the given "+strings.Replace(what, "K", "k", 1)+" is in ACTIVE state.")
}

func kindOfStream(target string) string {
	if strings.HasPrefix(target, "arn:aws:firehose:") {
		return "Firehose stream"
	}
	return "Kinesis stream"
}

// tryStream sends a stream a test message, as AWS does. refusal is what the caller is told when it is not taken.
func (l *Logs) tryStream(ctx context.Context, m *deliver.Message, refusal string) error {
	body, err := json.Marshal(envelope{
		Type: "CONTROL_MESSAGE", Owner: "CloudwatchLogs", Filters: []string{},
		Events: []delivered{{Time: l.nowMS(), Message: "CWL CONTROL MESSAGE: Checking health of destination " + kindOfStream(m.Target) + "."}},
	})
	if err != nil {
		return err
	}
	m.Body = pack(body)
	if err := l.options.Sender.Send(ctx, m); err != nil {
		return refusedBy(err, refusal)
	}
	return nil
}

// refusedBy tells what AWS tells, and behind it why.
func refusedBy(err error, message string) error {
	var known *service.Error
	if !errors.As(err, &known) {
		return err
	}
	return invalid("%s (%s: %s)", message, known.Code, known.Message)
}

func (l *Logs) describeSubscriptionFilters(ctx context.Context, in *api.DescribeSubscriptionFiltersInput) (*api.DescribeSubscriptionFiltersOutput, error) {
	out := &api.DescribeSubscriptionFiltersOutput{SubscriptionFilters: []api.SubscriptionFilter{}}
	limit := limitOf(in.Limit, 50)
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, scopeOf(ctx), in.LogGroupName)
		if err != nil {
			return err
		}
		for _, sub := range g.Subscriptions {
			if !strings.HasPrefix(sub.Name, opt.Value(in.FilterNamePrefix)) || sub.Name <= opt.Value(in.NextToken) {
				continue
			}
			if len(out.SubscriptionFilters) == limit {
				out.NextToken = out.SubscriptionFilters[limit-1].FilterName
				return nil
			}
			out.SubscriptionFilters = append(out.SubscriptionFilters, api.SubscriptionFilter{
				FilterName: ptr(sub.Name), LogGroupName: ptr(g.Name), FilterPattern: ptr(sub.Pattern), DestinationArn: ptr(sub.Destination), RoleArn: opt.Of(sub.Role),
				Distribution: sub.Distribution, ApplyOnTransformedLogs: ptr(sub.Transformed), CreationTime: ptr(sub.Created),
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Logs) deleteSubscriptionFilter(ctx context.Context, in *api.DeleteSubscriptionFilterInput) (*api.DeleteSubscriptionFilterOutput, error) {
	err := l.changeGroup(ctx, in.LogGroupName, func(_ store.Txn, _ scope, g *group) error {
		before := len(g.Subscriptions)
		g.Subscriptions = slices.DeleteFunc(g.Subscriptions, func(have subscription) bool { return have.Name == in.FilterName })
		if len(g.Subscriptions) == before {
			return notFound("subscription filter")
		}
		return nil
	})
	return &api.DeleteSubscriptionFilterOutput{}, err
}

// envelope is what subscribers get
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html#LambdaFunctionExample).
type envelope struct {
	Type    string      `json:"messageType"`
	Owner   string      `json:"owner"`
	Group   string      `json:"logGroup"`
	Stream  string      `json:"logStream"`
	Filters []string    `json:"subscriptionFilters"`
	Level   string      `json:"policyLevel,omitempty"` // of a filter of the account
	Events  []delivered `json:"logEvents"`
}

type delivered struct {
	ID      string `json:"id"`
	Time    int64  `json:"timestamp"`
	Message string `json:"message"`
}

// message returns a message of a filter, without its body.
func (l *Logs) message(s scope, groupName string, sub subscription) *deliver.Message {
	return &deliver.Message{
		Target: sub.Destination, Role: sub.Role,
		From: port.Source{Service: servicePrincipal, ARN: groupARN(s, groupName) + ":*", Account: s.account},
	}
}

// publish enqueues deliveries of the events that a filter wants, several in one.
func (l *Logs) publish(ctx context.Context, tx store.Txn, s scope, groupName string, sub subscription, st stream, b batch) error {
	wanted, err := parsePattern(sub.Pattern)
	if err != nil {
		return err
	}
	var some []delivered
	size := 0
	for i, e := range b.lines {
		if !wanted.met(b.messages[i]) {
			continue
		}
		if size += len(e.message); size > maxDelivered && len(some) > 0 {
			if err := l.enqueue(ctx, tx, s, groupName, sub, st.Name, some); err != nil {
				return err
			}
			some, size = nil, len(e.message)
		}
		at := event{position: position{e.ms, st.Name, st.Seq + uint64(i)}}
		some = append(some, delivered{ID: eventID(at), Time: e.ms, Message: e.message})
	}
	if len(some) == 0 {
		return nil
	}
	return l.enqueue(ctx, tx, s, groupName, sub, st.Name, some)
}

func (l *Logs) enqueue(ctx context.Context, tx store.Txn, s scope, groupName string, sub subscription, streamName string, events []delivered) error {
	e := envelope{Type: "DATA_MESSAGE", Owner: s.account, Group: groupName, Stream: streamName, Filters: []string{sub.Name}, Events: events}
	if sub.Account {
		e.Level = "ACCOUNT_LEVEL_POLICY"
	}
	body, err := json.Marshal(e)
	if err != nil {
		return err
	}
	m := l.message(s, groupName, sub)
	m.Body = pack(body)
	if sub.Distribution == "ByLogStream" {
		m.PartitionKey = streamName
	}
	if strings.HasPrefix(sub.Destination, "arn:aws:lambda:") {
		m.Body = append(base64.StdEncoding.AppendEncode([]byte(`{"awslogs":{"data":"`), m.Body), `"}}`...)
	}
	if len(m.Body) > deliver.MaxBody {
		l.deps.Log.WarnContext(ctx, "log events are too large for their subscription filter and are not delivered", slog.String("log_group", groupName),
			slog.String("filter", sub.Name), slog.Int("bytes", len(m.Body)), slog.Int("limit", deliver.MaxBody))
		return nil
	}
	return l.deliveries.Enqueue(tx, m)
}

// pack compresses a message as subscribers expect it.
func pack(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body) // a buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// dropped tells the operator of deliveries that were given up.
func (l *Logs) dropped(ctx context.Context, _ store.Txn, m *deliver.Message, attempts int, cause error) error {
	l.deps.Log.WarnContext(ctx, "log events or the news of a scheduled query could not be delivered", slog.String("source", m.From.ARN),
		slog.String("destination", m.Target), slog.Int("attempts", attempts), slog.Any("error", cause))
	return nil
}
