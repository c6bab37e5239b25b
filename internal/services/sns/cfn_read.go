package sns

import (
	"context"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

func (s *Service) readTopicResource(ctx context.Context, id service.Identifier) (*topicProperties, service.Resource, error) {
	arn := id[0]
	_, name, err := parseARN(arn, "TopicArn")
	if err != nil {
		return nil, service.Resource{}, err
	}
	out, err := call[api.GetTopicAttributesOutput](ctx, s, "GetTopicAttributes", &api.GetTopicAttributesInput{TopicArn: arn})
	if err != nil {
		return nil, service.Resource{}, err
	}
	tags, err := call[api.ListTagsForResourceOutput](ctx, s, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil {
		return nil, service.Resource{}, err
	}
	protection, err := call[api.GetDataProtectionPolicyOutput](ctx, s, "GetDataProtectionPolicy", &api.GetDataProtectionPolicyInput{ResourceArn: arn})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[topicProperties](out.Attributes, tags, protection)
	p.TopicName = &name
	p.DeliveryStatusLogging = feedback(out.Attributes)
	p.Subscription, err = s.subscribed(ctx, arn)
	return p, p.resource(arn, name), err
}

// feedback returns the DeliveryStatusLogging of a topic with attributes.
func feedback(attributes map[string]string) (out []feedbackProperty) {
	protocols := map[string]string{"HTTP": "http/s", "SQS": "sqs", "Lambda": "lambda", "Firehose": "firehose", "Application": "application"}
	for _, prefix := range slices.Sorted(maps.Keys(protocols)) {
		f := feedbackProperty{
			Protocol: protocols[prefix], Success: opt.Of(attributes[prefix+"SuccessFeedbackRoleArn"]), Failure: opt.Of(attributes[prefix+"FailureFeedbackRoleArn"]),
			Rate: opt.Of(attributes[prefix+"SuccessFeedbackSampleRate"]),
		}
		if f.Success != nil || f.Failure != nil {
			out = append(out, f)
		}
	}
	return out
}

// subscribed returns the subscriptions of a topic.
func (s *Service) subscribed(ctx context.Context, arn string) (out []inlineSubscription, err error) {
	var next *string
	for {
		page, err := call[api.ListSubscriptionsByTopicOutput](ctx, s, "ListSubscriptionsByTopic", &api.ListSubscriptionsByTopicInput{TopicArn: arn, NextToken: next})
		if err != nil {
			return nil, err
		}
		for _, x := range page.Subscriptions {
			out = append(out, inlineSubscription{Endpoint: opt.Value(x.Endpoint), Protocol: opt.Value(x.Protocol)})
		}
		if next = page.NextToken; next == nil {
			return out, nil
		}
	}
}

func (s *Service) listTopicResources(ctx context.Context, _ *topicProperties, next string) (service.Page, error) {
	out, err := call[api.ListTopicsOutput](ctx, s, "ListTopics", &api.ListTopicsInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Topics, out.NextToken, func(t *api.Topic) service.Identifier { return service.Identifier{opt.Value(t.TopicArn)} }), nil
}

func (s *Service) readSubscriptionResource(ctx context.Context, id service.Identifier) (*subscriptionProperties, service.Resource, error) {
	out, err := call[api.GetSubscriptionAttributesOutput](beside(ctx, id[0]), s, "GetSubscriptionAttributes", &api.GetSubscriptionAttributesInput{SubscriptionArn: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[subscriptionProperties](out.Attributes), subscriptionResource(id[0]), nil
}

func (s *Service) listSubscriptionResources(ctx context.Context, _ *subscriptionProperties, next string) (service.Page, error) {
	out, err := call[api.ListSubscriptionsOutput](ctx, s, "ListSubscriptions", &api.ListSubscriptionsInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Subscriptions, out.NextToken, func(x *api.Subscription) service.Identifier {
		if !strings.HasPrefix(opt.Value(x.SubscriptionArn), "arn:") { // not confirmed yet
			return nil
		}
		return service.Identifier{*x.SubscriptionArn}
	}), nil
}

// getPolicy returns the policy of a topic; empty when it is the one that every topic begins with.
func (s *Service) getPolicy(ctx context.Context, arn string) (string, error) {
	out, err := call[api.GetTopicAttributesOutput](ctx, s, "GetTopicAttributes", &api.GetTopicAttributesInput{TopicArn: arn})
	if err != nil {
		return "", err
	}
	return out.Attributes["Policy"], nil
}
