package sns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	api "lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// topicProperties are the properties of AWS::SNS::Topic
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sns-topic.html).
type topicProperties struct {
	TopicName                 *string               `cfn:"TopicName,createOnly"`
	FifoTopic                 *bool                 `cfn:"FifoTopic,createOnly"`
	ArchivePolicy             any                   `cfn:"ArchivePolicy"`
	ContentBasedDeduplication *bool                 `cfn:"ContentBasedDeduplication"`
	DataProtectionPolicy      any                   `cfn:"DataProtectionPolicy"`
	DeliveryStatusLogging     []feedbackProperty    `cfn:"DeliveryStatusLogging,unordered"`
	DisplayName               *string               `cfn:"DisplayName"`
	FifoThroughputScope       *string               `cfn:"FifoThroughputScope"`
	KmsMasterKeyID            *string               `cfn:"KmsMasterKeyId"`
	SignatureVersion          *string               `cfn:"SignatureVersion"`
	Subscription              []inlineSubscription  `cfn:"Subscription,unordered"`
	Tags                      []service.TagProperty `cfn:"Tags"`
	TracingConfig             *string               `cfn:"TracingConfig"`
}

type inlineSubscription struct {
	Endpoint string `cfn:"Endpoint,required"`
	Protocol string `cfn:"Protocol,required"`
}

// subscriptionProperties are the properties of AWS::SNS::Subscription.
type subscriptionProperties struct {
	DeliveryPolicy      any     `cfn:"DeliveryPolicy"`
	Endpoint            *string `cfn:"Endpoint,createOnly"`
	FilterPolicy        any     `cfn:"FilterPolicy"`
	FilterPolicyScope   *string `cfn:"FilterPolicyScope"`
	Protocol            string  `cfn:"Protocol,required,createOnly"`
	RawMessageDelivery  *bool   `cfn:"RawMessageDelivery"`
	RedrivePolicy       any     `cfn:"RedrivePolicy"`
	Region              *string `cfn:"Region,writeOnly"`
	ReplayPolicy        any     `cfn:"ReplayPolicy"`
	SubscriptionRoleArn *string `cfn:"SubscriptionRoleArn"`
	TopicArn            string  `cfn:"TopicArn,required,createOnly"`
}

// topicPolicyProperties are the properties of AWS::SNS::TopicPolicy.
type topicPolicyProperties struct {
	PolicyDocument any      `cfn:"PolicyDocument,required"`
	Topics         []string `cfn:"Topics,required"`
}

// inlinePolicyProperties are the properties of AWS::SNS::TopicInlinePolicy.
type inlinePolicyProperties struct {
	PolicyDocument any    `cfn:"PolicyDocument,required"`
	TopicArn       string `cfn:"TopicArn,required,createOnly"`
}

func (s *Service) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::SNS::Topic", service.ResourceSpec[topicProperties]{
			Attributes: []string{"DisplayName", "TopicArn", "TopicName"},
			Create:     s.createTopicResource, Update: s.updateTopicResource, Delete: s.deleteTopicResource,
			Identifier: []string{"TopicArn"}, Read: s.readTopicResource, List: s.listTopicResources, Missing: []string{codeNotFound},
		}),
		service.NewResourceType("AWS::SNS::Subscription", service.ResourceSpec[subscriptionProperties]{
			Attributes: []string{"Arn"},
			Create:     s.createSubscriptionResource, Update: s.updateSubscriptionResource, Delete: s.deleteSubscriptionResource,
			Identifier: []string{"Arn"}, Read: s.readSubscriptionResource, List: s.listSubscriptionResources, Missing: []string{codeNotFound},
		}),
		service.NewPolicyType("AWS::SNS::TopicPolicy", service.PolicySpec[topicPolicyProperties]{
			Policy: func(p *topicPolicyProperties) any { return p.PolicyDocument },
			On:     func(p *topicPolicyProperties) []string { return p.Topics },
			Fill:   func(p *topicPolicyProperties, policy any, on []string) { p.PolicyDocument, p.Topics = policy, on },
			Set:    s.setPolicy, Get: s.getPolicy, Gone: codeNotFound,
		}),
		service.NewPolicyType("AWS::SNS::TopicInlinePolicy", service.PolicySpec[inlinePolicyProperties]{
			Policy: func(p *inlinePolicyProperties) any { return p.PolicyDocument },
			On:     func(p *inlinePolicyProperties) []string { return []string{p.TopicArn} },
			Fill:   func(p *inlinePolicyProperties, policy any, on []string) { p.PolicyDocument, p.TopicArn = policy, on[0] },
			Set:    s.setPolicy, Get: s.getPolicy, Gone: codeNotFound, Inline: true, Identifier: "TopicArn",
		}),
	}
}

func call[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.deps.Door, "sns", operation, in)
}

// feedbackProperty is an element of DeliveryStatusLogging.
type feedbackProperty struct {
	Protocol string  `cfn:"Protocol,required"`
	Success  *string `cfn:"SuccessFeedbackRoleArn"`
	Failure  *string `cfn:"FailureFeedbackRoleArn"`
	Rate     *string `cfn:"SuccessFeedbackSampleRate"`
}

// attributes adds the attributes of the element to out.
func (f *feedbackProperty) attributes(out map[string]string) error {
	prefix, ok := map[string]string{"http/s": "HTTP", "sqs": "SQS", "lambda": "Lambda", "firehose": "Firehose", "application": "Application"}[f.Protocol]
	if !ok {
		return invalid("DeliveryStatusLogging Reason: Protocol %s is not http/s, sqs, lambda, firehose or application", f.Protocol)
	}
	return texts(out, nil, map[string]*string{prefix + "SuccessFeedbackRoleArn": f.Success, prefix + "FailureFeedbackRoleArn": f.Failure, prefix + "SuccessFeedbackSampleRate": f.Rate}, nil)
}

// texts adds documents, texts and booleans that are set to out.
func texts(out map[string]string, documents map[string]any, strings map[string]*string, bools map[string]*bool) error {
	for name, v := range documents {
		if v == nil {
			continue
		}
		text, err := service.Document(v)
		if err != nil {
			return fmt.Errorf("property %s: %w", name, err)
		}
		out[name] = text
	}
	for name, v := range strings {
		if v != nil {
			out[name] = *v
		}
	}
	for name, v := range bools {
		if v != nil {
			out[name] = strconv.FormatBool(*v)
		}
	}
	return nil
}

func (p *topicProperties) attributes() (map[string]string, error) {
	out := map[string]string{}
	err := texts(out, map[string]any{"ArchivePolicy": p.ArchivePolicy}, map[string]*string{
		"DisplayName": p.DisplayName, "FifoThroughputScope": p.FifoThroughputScope, "KmsMasterKeyId": p.KmsMasterKeyID, "SignatureVersion": p.SignatureVersion,
		"TracingConfig": p.TracingConfig,
	}, map[string]*bool{"ContentBasedDeduplication": p.ContentBasedDeduplication})
	for i := range p.DeliveryStatusLogging {
		err = errors.Join(err, p.DeliveryStatusLogging[i].attributes(out))
	}
	return out, err
}

func tagList(tags map[string]string) []api.Tag {
	var out []api.Tag
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: k, Value: tags[k]})
	}
	return out
}

func (s *Service) createTopicResource(ctx context.Context, c service.ResourceCall, p *topicProperties) (service.Resource, error) {
	fifo := p.FifoTopic != nil && *p.FifoTopic
	name := c.Name(256, nil)
	if fifo {
		name = c.Name(256-len(fifoSuffix), nil) + fifoSuffix
	}
	if p.TopicName != nil {
		name = *p.TopicName
	}
	attributes, err := p.attributes()
	if err != nil {
		return service.Resource{}, err
	}
	if fifo {
		attributes["FifoTopic"] = "true"
	}
	arn := placeOf(ctx).arn(name)
	if !c.Retry {
		// CreateTopic takes a topic that is there for its own.
		if _, err := call[api.GetTopicAttributesOutput](ctx, s, "GetTopicAttributes", &api.GetTopicAttributesInput{TopicArn: arn}); err == nil {
			return service.Resource{}, service.Errorf("AlreadyExists", "A topic named %s exists already. Choose another name, or leave TopicName out.", name)
		}
	}
	in := &api.CreateTopicInput{Name: name, Attributes: attributes, Tags: tagList(c.AllTags(p.Tags))}
	if p.DataProtectionPolicy != nil {
		text, err := service.Document(p.DataProtectionPolicy)
		if err != nil {
			return service.Resource{}, err
		}
		in.DataProtectionPolicy = &text
	}
	if _, err := call[api.CreateTopicOutput](ctx, s, "CreateTopic", in); err != nil {
		return service.Resource{}, err
	}
	return p.resource(arn, name), s.subscribeAll(ctx, arn, nil, p.Subscription)
}

func (p *topicProperties) resource(arn, name string) service.Resource {
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"DisplayName": opt.Value(p.DisplayName), "TopicArn": arn, "TopicName": name}}
}

// subscribeAll subscribes what a topic's property names, and ends what it does not name any more.
func (s *Service) subscribeAll(ctx context.Context, arn string, old, now []inlineSubscription) error {
	for _, x := range now {
		if _, err := call[api.SubscribeOutput](ctx, s, "Subscribe", &api.SubscribeInput{TopicArn: arn, Protocol: x.Protocol, Endpoint: &x.Endpoint}); err != nil {
			return err
		}
	}
	for _, x := range old {
		if slices.Contains(now, x) {
			continue
		}
		// Subscribing again tells the ARN.
		out, err := call[api.SubscribeOutput](ctx, s, "Subscribe", &api.SubscribeInput{TopicArn: arn, Protocol: x.Protocol, Endpoint: &x.Endpoint, ReturnSubscriptionArn: new(true)})
		if err != nil {
			return err
		}
		if _, err := call[api.UnsubscribeOutput](ctx, s, "Unsubscribe", &api.UnsubscribeInput{SubscriptionArn: *out.SubscriptionArn}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) updateTopicResource(ctx context.Context, c service.ResourceCall, old, p *topicProperties) (service.Resource, error) {
	before, err := old.attributes()
	if err != nil {
		return service.Resource{}, err
	}
	attributes, err := p.attributes()
	if err != nil {
		return service.Resource{}, err
	}
	for name := range before {
		if _, ok := attributes[name]; !ok {
			attributes[name] = "" // what a template no longer says has its default again
		}
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		value := attributes[name]
		if before[name] == value {
			continue
		}
		if _, err := call[api.SetTopicAttributesOutput](ctx, s, "SetTopicAttributes", &api.SetTopicAttributesInput{TopicArn: c.PhysicalID, AttributeName: name, AttributeValue: &value}); err != nil {
			return service.Resource{}, err
		}
	}
	if p.DataProtectionPolicy != nil {
		text, err := service.Document(p.DataProtectionPolicy)
		if err != nil {
			return service.Resource{}, err
		}
		if _, err := call[api.PutDataProtectionPolicyOutput](ctx, s, "PutDataProtectionPolicy", &api.PutDataProtectionPolicyInput{ResourceArn: c.PhysicalID, DataProtectionPolicy: text}); err != nil {
			return service.Resource{}, err
		}
	}
	if err := s.updateTags(ctx, c.PhysicalID, c.AllTags(old.Tags), c.AllTags(p.Tags)); err != nil {
		return service.Resource{}, err
	}
	_, name, err := parseARN(c.PhysicalID, "TopicArn")
	if err != nil {
		return service.Resource{}, err
	}
	return p.resource(c.PhysicalID, name), s.subscribeAll(ctx, c.PhysicalID, old.Subscription, p.Subscription)
}

func (s *Service) updateTags(ctx context.Context, arn string, old, tags map[string]string) error {
	return service.Retag(old, tags, func(keys []string) error {
		_, err := call[api.UntagResourceOutput](ctx, s, "UntagResource", &api.UntagResourceInput{ResourceArn: arn, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[api.TagResourceOutput](ctx, s, "TagResource", &api.TagResourceInput{ResourceArn: arn, Tags: tagList(tags)})
		return err
	})
}

func (s *Service) deleteTopicResource(ctx context.Context, c service.ResourceCall, _ *topicProperties) error {
	_, err := call[api.DeleteTopicOutput](ctx, s, "DeleteTopic", &api.DeleteTopicInput{TopicArn: c.PhysicalID})
	return err
}

func (p *subscriptionProperties) attributes() (map[string]string, error) {
	out := map[string]string{}
	err := texts(out, map[string]any{
		"DeliveryPolicy": p.DeliveryPolicy, "FilterPolicy": p.FilterPolicy, "RedrivePolicy": p.RedrivePolicy, "ReplayPolicy": p.ReplayPolicy,
	}, map[string]*string{"FilterPolicyScope": p.FilterPolicyScope, "SubscriptionRoleArn": p.SubscriptionRoleArn}, map[string]*bool{"RawMessageDelivery": p.RawMessageDelivery})
	return out, err
}

func (s *Service) createSubscriptionResource(ctx context.Context, _ service.ResourceCall, p *subscriptionProperties) (service.Resource, error) {
	attributes, err := p.attributes()
	if err != nil {
		return service.Resource{}, err
	}
	if region := opt.Value(p.Region); region != "" {
		ctx = service.InRegion(ctx, region)
	}
	in := &api.SubscribeInput{TopicArn: p.TopicArn, Protocol: p.Protocol, Endpoint: p.Endpoint, Attributes: attributes, ReturnSubscriptionArn: new(true)}
	out, err := call[api.SubscribeOutput](ctx, s, "Subscribe", in)
	if err != nil {
		return service.Resource{}, err
	}
	return subscriptionResource(*out.SubscriptionArn), nil
}

// beside returns the context of calls about a subscription, which is in the region of its topic.
func beside(ctx context.Context, subscription string) context.Context {
	a, err := arn.Parse(subscription)
	if err != nil { // one that waits for its confirmation
		return ctx
	}
	return service.InRegion(ctx, a.Region)
}

func subscriptionResource(arn string) service.Resource {
	return service.Resource{PhysicalID: arn, Attributes: map[string]any{"Arn": arn}}
}

func (s *Service) updateSubscriptionResource(ctx context.Context, c service.ResourceCall, old, p *subscriptionProperties) (service.Resource, error) {
	before, err := old.attributes()
	if err != nil {
		return service.Resource{}, err
	}
	attributes, err := p.attributes()
	if err != nil {
		return service.Resource{}, err
	}
	for name := range before {
		if _, ok := attributes[name]; !ok {
			attributes[name] = subscriptionDefaults[name]
		}
	}
	ctx = beside(ctx, c.PhysicalID)
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		value := attributes[name]
		if before[name] == value {
			continue
		}
		in := &api.SetSubscriptionAttributesInput{SubscriptionArn: c.PhysicalID, AttributeName: name, AttributeValue: &value}
		if _, err := call[api.SetSubscriptionAttributesOutput](ctx, s, "SetSubscriptionAttributes", in); err != nil {
			return service.Resource{}, err
		}
	}
	return subscriptionResource(c.PhysicalID), nil
}

func (s *Service) deleteSubscriptionResource(ctx context.Context, c service.ResourceCall, _ *subscriptionProperties) error {
	_, err := call[api.UnsubscribeOutput](beside(ctx, c.PhysicalID), s, "Unsubscribe", &api.UnsubscribeInput{SubscriptionArn: c.PhysicalID})
	return err
}

// setPolicy puts a policy on a topic; an empty one gives it the default again.
func (s *Service) setPolicy(ctx context.Context, arn, policy string) error {
	_, err := call[api.SetTopicAttributesOutput](ctx, s, "SetTopicAttributes", &api.SetTopicAttributesInput{TopicArn: arn, AttributeName: "Policy", AttributeValue: &policy})
	return err
}
