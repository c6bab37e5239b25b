package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// notification is the notification configuration of a bucket.
type notification struct {
	Rules []rule `json:"rules,omitempty"`
	// Bus tells that every event goes to the default event bus too.
	Bus bool `json:"bus,omitempty"`
}

// rule sends events of some names, for keys with a prefix and a suffix, to a function, queue or topic.
type rule struct {
	ID     string   `json:"id"`
	Target string   `json:"target"`
	Events []string `json:"events"`
	Prefix string   `json:"prefix,omitempty"`
	Suffix string   `json:"suffix,omitempty"`
	// HasPrefix and HasSuffix tell which filter rules were given, so that they are shown again as they were put.
	HasPrefix bool `json:"has_prefix,omitempty"`
	HasSuffix bool `json:"has_suffix,omitempty"`
}

func isFunction(target string) bool { return strings.Contains(target, ":lambda:") }

// eventNames are the events that a configuration can name, with the wildcards that stand for them
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html). Those about lost objects,
// expired restores and replication times never happen here.
func eventNames() []string {
	return []string{
		"s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload",
		"s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated",
		"s3:ObjectRestore:*", "s3:ObjectRestore:Post", "s3:ObjectRestore:Completed", "s3:ObjectRestore:Delete",
		"s3:ObjectTagging:*", "s3:ObjectTagging:Put", "s3:ObjectTagging:Delete", "s3:ObjectAcl:Put",
		"s3:LifecycleExpiration:*", "s3:LifecycleExpiration:Delete", "s3:LifecycleExpiration:DeleteMarkerCreated", "s3:LifecycleTransition", "s3:IntelligentTiering",
		"s3:Replication:*", "s3:Replication:OperationFailedReplication", "s3:Replication:OperationNotTracked", "s3:Replication:OperationMissedThreshold",
		"s3:Replication:OperationReplicatedAfterThreshold", "s3:ReducedRedundancyLostObject",
	}
}

// matches tells whether a rule is for an event (without "s3:") of a key.
func (r *rule) matches(event, key string) bool {
	return strings.HasPrefix(key, r.Prefix) && strings.HasSuffix(key, r.Suffix) &&
		slices.ContainsFunc(r.Events, func(e string) bool { return covers(e, "s3:"+event) })
}

// covers tells whether pattern, an event name that may end in "*", stands for event.
func covers(pattern, event string) bool {
	if p, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(event, p)
	}
	return pattern == event
}

// overlaps tells whether an event of a key could match both rules. S3 refuses that for one bucket.
func (r *rule) overlaps(o *rule) bool {
	shared := slices.ContainsFunc(r.Events, func(a string) bool {
		return slices.ContainsFunc(o.Events, func(b string) bool { return covers(a, b) || covers(b, a) })
	})
	return shared &&
		(strings.HasPrefix(r.Prefix, o.Prefix) || strings.HasPrefix(o.Prefix, r.Prefix)) &&
		(strings.HasSuffix(r.Suffix, o.Suffix) || strings.HasSuffix(o.Suffix, r.Suffix))
}

func (s *Service) putBucketNotificationConfiguration(ctx context.Context, in *api.PutBucketNotificationConfigurationInput) (*api.PutBucketNotificationConfigurationOutput, error) {
	if in.NotificationConfiguration == nil {
		return nil, malformedXML()
	}
	n, err := s.parseNotification(in.NotificationConfiguration)
	if err != nil {
		return nil, err
	}
	b, err := s.lookUp(ctx, in.Bucket, in.ExpectedBucketOwner)
	if err != nil {
		return nil, err
	}
	if !deref(in.SkipDestinationValidation) {
		if err := s.checkDestinations(ctx, b, n.Rules); err != nil {
			return nil, err
		}
	}
	err = s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		b.Notifies = len(n.Rules) > 0 || n.Bus
		tx.Delete(b.confKey(notificationConf))
		if b.Notifies {
			if err := record.Set(tx, b.confKey(notificationConf), n); err != nil {
				return err
			}
		}
		return record.Set(tx, nameKey(b.Name), *b)
	})
	if err == nil {
		s.warnOfLoops(ctx, b, n.Rules)
	}
	return answerOf(&api.PutBucketNotificationConfigurationOutput{}, err)
}

// warnOfLoops logs the functions that every new object of the bucket calls: one that writes into the bucket calls itself without end
// (https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html).
func (s *Service) warnOfLoops(ctx context.Context, b *bucket, rules []rule) {
	for _, r := range rules {
		creates := slices.ContainsFunc(r.Events, func(e string) bool { return strings.HasPrefix(e, "s3:ObjectCreated:") })
		if creates && isFunction(r.Target) && r.Prefix == "" && r.Suffix == "" {
			s.log.WarnContext(ctx, "every new object calls a function, which must not write into the same bucket or it calls itself without end; use two buckets, or a prefix",
				slog.String("bucket", b.Name), slog.String("function", r.Target))
		}
	}
}

// parseNotification checks a notification configuration.
func (s *Service) parseNotification(c *api.NotificationConfiguration) (notification, error) {
	n := notification{Bus: c.EventBridgeConfiguration != nil}
	type given struct {
		id     *string
		target string
		events []string
		filter *api.NotificationConfigurationFilter
		kind   string
	}
	var all []given
	for _, l := range c.LambdaFunctionConfigurations {
		all = append(all, given{l.Id, l.LambdaFunctionArn, l.Events, l.Filter, "lambda"})
	}
	for _, q := range c.QueueConfigurations {
		all = append(all, given{q.Id, q.QueueArn, q.Events, q.Filter, "sqs"})
	}
	for _, t := range c.TopicConfigurations {
		all = append(all, given{t.Id, t.TopicArn, t.Events, t.Filter, "sns"})
	}
	if len(all) > 100 {
		return n, invalidArgument("The maximum number of notification configurations is 100")
	}
	for _, g := range all {
		r := rule{ID: deref(g.id), Target: g.target, Events: g.events}
		if err := parseRule(&r, g.filter); err != nil {
			return n, err
		}
		name, err := arn.Parse(g.target)
		switch {
		case err != nil || name.Service != g.kind:
			return n, invalidValue(destinationElement(g.kind), g.target, "The ARN could not be parsed")
		case strings.HasSuffix(g.target, ".fifo"):
			return n, invalidArgument("FIFO queues and topics are not supported as destinations: %s", g.target)
		}
		if r.ID == "" {
			r.ID = s.newID()
		}
		for i := range n.Rules {
			if n.Rules[i].ID == r.ID {
				return n, invalidArgument("Same ID used for multiple configurations. IDs must be unique")
			}
			if n.Rules[i].overlaps(&r) {
				return n, invalidArgument("Configurations overlap. Configurations on the same bucket cannot share a common event type. Two of them are for %s and %s", n.Rules[i].Target, r.Target)
			}
		}
		n.Rules = append(n.Rules, r)
	}
	return n, nil
}

func parseRule(r *rule, filter *api.NotificationConfigurationFilter) error {
	if len(r.Events) == 0 {
		return malformedXML()
	}
	for _, e := range r.Events {
		if !slices.Contains(eventNames(), e) {
			return invalidArgument("The event '%s' is not supported for notifications. It can be: %s", e, strings.Join(eventNames(), ", "))
		}
	}
	if filter == nil || filter.Key == nil {
		return nil
	}
	for _, f := range filter.Key.FilterRules {
		if f.Name == "" || f.Value == nil {
			return malformedXML()
		}
		switch strings.ToLower(f.Name) {
		case "prefix":
			if r.HasPrefix {
				return invalidArgument("Cannot specify more than one prefix rule in a filter.")
			}
			r.Prefix, r.HasPrefix = deref(f.Value), true
		case "suffix":
			if r.HasSuffix {
				return invalidArgument("Cannot specify more than one suffix rule in a filter.")
			}
			r.Suffix, r.HasSuffix = deref(f.Value), true
		default:
			return invalidValue("FilterRule.Name", f.Name, "filter rule name must be either prefix or suffix")
		}
	}
	return nil
}

// testEvent is what a queue or a topic gets when it becomes a destination.
type testEvent struct {
	Service   string
	Event     string
	Time      string
	Bucket    string
	RequestID string `json:"RequestId"`
	HostID    string `json:"HostId"`
}

// destinationElement is what S3's errors call a destination of a kind.
func destinationElement(kind string) string {
	switch kind {
	case "sqs":
		return "Queue"
	case "sns":
		return "Topic"
	}
	return "CloudFunction"
}

// checkDestinations makes sure that S3 may send to each destination: queues and topics get a test event, and a function's policy is asked.
func (s *Service) checkDestinations(ctx context.Context, b *bucket, rules []rule) error {
	id := service.RequestFrom(ctx).ID
	test, err := json.Marshal(testEvent{"Amazon S3", "s3:TestEvent", s.now().Format(eventTime), b.Name, id, canonicalID(id)})
	if err != nil {
		return fmt.Errorf("encode test event: %w", err)
	}
	var tested []string
	var told []string
	var bad Fields
	var cause error
	for _, r := range rules {
		var err error
		switch {
		case isFunction(r.Target):
			err = s.functions.CheckInvoke(ctx, b.source(), r.Target)
		case !slices.Contains(tested, r.Target):
			err = s.sender.Send(ctx, &deliver.Message{Target: r.Target, From: b.source(), Body: test})
		}
		tested = append(tested, r.Target)
		if err == nil {
			continue
		}
		reason := err.Error()
		if e, ok := asError(err); ok {
			reason = e.Message
		}
		n := strconv.Itoa(len(bad)/2 + 1)
		bad = append(bad, [2]string{"ArgumentName" + n, r.Target}, [2]string{"ArgumentValue" + n, reason})
		told = append(told, r.Target+" ("+reason+")")
		cause = errors.Join(cause, err)
	}
	if cause == nil {
		return nil
	}
	return &service.Error{
		Code: "InvalidArgument", Status: http.StatusBadRequest, Err: cause,
		Message: "Unable to validate the following destination configurations: " + strings.Join(told, ", ") +
			". Their policies must let s3.amazonaws.com send to them, with this bucket as aws:SourceArn.",
		Detail: &bad,
	}
}

// source is the bucket as the one on whose behalf S3 calls a function.
func (b *bucket) source() port.Source {
	return port.Source{Service: "s3.amazonaws.com", ARN: b.arn(), Account: b.Account}
}

func (s *Service) getBucketNotificationConfiguration(ctx context.Context, in *api.GetBucketNotificationConfigurationInput) (*api.GetBucketNotificationConfigurationOutput, error) {
	n, err := getConf[notification](ctx, s, in.Bucket, in.ExpectedBucketOwner, notificationConf, nil)
	if err != nil {
		return nil, err
	}
	out := &api.GetBucketNotificationConfigurationOutput{}
	if n.Bus {
		out.EventBridgeConfiguration = &api.EventBridgeConfiguration{}
	}
	for i := range n.Rules {
		r := &n.Rules[i]
		switch {
		case isFunction(r.Target):
			out.LambdaFunctionConfigurations = append(out.LambdaFunctionConfigurations, api.LambdaFunctionConfiguration{Id: &r.ID, LambdaFunctionArn: r.Target, Events: r.Events, Filter: r.filter()})
		case strings.Contains(r.Target, ":sqs:"):
			out.QueueConfigurations = append(out.QueueConfigurations, api.QueueConfiguration{Id: &r.ID, QueueArn: r.Target, Events: r.Events, Filter: r.filter()})
		default:
			out.TopicConfigurations = append(out.TopicConfigurations, api.TopicConfiguration{Id: &r.ID, TopicArn: r.Target, Events: r.Events, Filter: r.filter()})
		}
	}
	return out, nil
}

// filter returns the filter of a rule as it was put.
func (r *rule) filter() *api.NotificationConfigurationFilter {
	var filters []api.FilterRule
	if r.HasPrefix {
		filters = append(filters, api.FilterRule{Name: "Prefix", Value: ptr(r.Prefix)})
	}
	if r.HasSuffix {
		filters = append(filters, api.FilterRule{Name: "Suffix", Value: ptr(r.Suffix)})
	}
	if filters == nil {
		return nil
	}
	return &api.NotificationConfigurationFilter{Key: &api.S3KeyFilter{FilterRules: filters}}
}
