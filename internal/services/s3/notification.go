package s3

import (
	"context"
	"net/http"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// rule sends events of some names, for keys with a prefix and a suffix, to a function.
type rule struct {
	ID       string   `json:"id"`
	Function string   `json:"function"`
	Events   []string `json:"events"`
	Prefix   string   `json:"prefix,omitempty"`
	Suffix   string   `json:"suffix,omitempty"`
	// Filtered tells which filter rules were given, so that they are shown again as they were put.
	HasPrefix bool `json:"has_prefix,omitempty"`
	HasSuffix bool `json:"has_suffix,omitempty"`
}

// eventNames are the events that happen here, with the wildcards that stand for them
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html).
func eventNames() []string {
	return []string{
		"s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload",
		"s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated",
		"s3:ObjectTagging:*", "s3:ObjectTagging:Put", "s3:ObjectTagging:Delete",
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
	rules, err := s.parseRules(in.NotificationConfiguration)
	if err != nil {
		return nil, err
	}
	var b *bucket
	err = s.view(ctx, in.Bucket, in.ExpectedBucketOwner, func(_ store.Reader, found *bucket) error {
		b = found
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !deref(in.SkipDestinationValidation) {
		if err := s.checkDestinations(ctx, b, rules); err != nil {
			return nil, err
		}
	}
	err = s.update(ctx, in.Bucket, in.ExpectedBucketOwner, func(tx store.Txn, b *bucket) error {
		if len(rules) == 0 {
			tx.Delete(b.confKey(notificationConf))
			return nil
		}
		return record.Set(tx, b.confKey(notificationConf), rules)
	})
	return answerOf(&api.PutBucketNotificationConfigurationOutput{}, err)
}

// parseRules checks a notification configuration.
func (s *Service) parseRules(c *api.NotificationConfiguration) ([]rule, error) {
	switch {
	case len(c.QueueConfigurations) > 0:
		return nil, unsupported("PutBucketNotificationConfiguration", "QueueConfiguration")
	case len(c.TopicConfigurations) > 0:
		return nil, unsupported("PutBucketNotificationConfiguration", "TopicConfiguration")
	case c.EventBridgeConfiguration != nil:
		return nil, unsupported("PutBucketNotificationConfiguration", "EventBridgeConfiguration")
	case len(c.LambdaFunctionConfigurations) > 100:
		return nil, invalidArgument("The maximum number of notification configurations is 100")
	}
	var rules []rule
	for _, l := range c.LambdaFunctionConfigurations {
		r, err := parseRule(l)
		if err != nil {
			return nil, err
		}
		if r.ID == "" {
			r.ID = s.newID()
		}
		for i := range rules {
			if rules[i].ID == r.ID {
				return nil, invalidArgument("Same ID used for multiple configurations. IDs must be unique")
			}
			if rules[i].overlaps(&r) {
				return nil, invalidArgument("Configurations overlap. Configurations on the same bucket cannot share a common event type. Two of them are for %s and %s", rules[i].Function, r.Function)
			}
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func parseRule(l api.LambdaFunctionConfiguration) (rule, error) {
	r := rule{ID: deref(l.Id), Function: l.LambdaFunctionArn, Events: l.Events}
	if len(l.Events) == 0 {
		return r, malformedXML()
	}
	for _, e := range l.Events {
		if !slices.Contains(eventNames(), e) {
			return r, invalidArgument("The event '%s' is not supported for notifications. Lambent sends: %s", e, strings.Join(eventNames(), ", "))
		}
	}
	if l.Filter == nil || l.Filter.Key == nil {
		return r, nil
	}
	for _, f := range l.Filter.Key.FilterRules {
		switch strings.ToLower(f.Name) {
		case "prefix":
			if r.HasPrefix {
				return r, invalidArgument("Cannot specify more than one prefix rule in a filter.")
			}
			r.Prefix, r.HasPrefix = deref(f.Value), true
		case "suffix":
			if r.HasSuffix {
				return r, invalidArgument("Cannot specify more than one suffix rule in a filter.")
			}
			r.Suffix, r.HasSuffix = deref(f.Value), true
		default:
			return r, invalidArgument("filter rule name must be either prefix or suffix")
		}
	}
	return r, nil
}

func (s *Service) checkDestinations(ctx context.Context, b *bucket, rules []rule) error {
	for _, r := range rules {
		if err := s.functions.CheckInvoke(ctx, b.source(), r.Function); err != nil {
			reason := err.Error()
			if e, ok := asError(err); ok {
				reason = e.Message
			}
			return &service.Error{
				Code: "InvalidArgument", Status: http.StatusBadRequest, Err: err,
				Message: "Unable to validate the following destination configurations: " + r.Function + " (" + reason +
					"). Let s3.amazonaws.com call it with lambda AddPermission (AWS::Lambda::Permission) first.",
			}
		}
	}
	return nil
}

// source is the bucket as the one on whose behalf S3 calls a function.
func (b *bucket) source() port.Source {
	return port.Source{Service: "s3.amazonaws.com", ARN: b.arn(), Account: b.Account}
}

func (s *Service) getBucketNotificationConfiguration(ctx context.Context, in *api.GetBucketNotificationConfigurationInput) (*api.GetBucketNotificationConfigurationOutput, error) {
	rules, err := getConf[[]rule](ctx, s, in.Bucket, in.ExpectedBucketOwner, notificationConf, nil)
	if err != nil {
		return nil, err
	}
	out := &api.GetBucketNotificationConfigurationOutput{}
	for _, r := range rules {
		l := api.LambdaFunctionConfiguration{Id: ptr(r.ID), LambdaFunctionArn: r.Function, Events: r.Events}
		var filters []api.FilterRule
		if r.HasPrefix {
			filters = append(filters, api.FilterRule{Name: "Prefix", Value: ptr(r.Prefix)})
		}
		if r.HasSuffix {
			filters = append(filters, api.FilterRule{Name: "Suffix", Value: ptr(r.Suffix)})
		}
		if filters != nil {
			l.Filter = &api.NotificationConfigurationFilter{Key: &api.S3KeyFilter{FilterRules: filters}}
		}
		out.LambdaFunctionConfigurations = append(out.LambdaFunctionConfigurations, l)
	}
	return out, nil
}
