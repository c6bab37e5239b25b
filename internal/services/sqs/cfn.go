package sqs

import (
	"context"
	"fmt"
	"strconv"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
)

// queueProperties are the properties of AWS::SQS::Queue
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html).
type queueProperties struct {
	QueueName                     *string               `cfn:"QueueName,createOnly"`
	FifoQueue                     *bool                 `cfn:"FifoQueue,createOnly"`
	ContentBasedDeduplication     *bool                 `cfn:"ContentBasedDeduplication"`
	DeduplicationScope            *string               `cfn:"DeduplicationScope"`
	DelaySeconds                  *int64                `cfn:"DelaySeconds"`
	FifoThroughputLimit           *string               `cfn:"FifoThroughputLimit"`
	KmsDataKeyReusePeriodSeconds  *int64                `cfn:"KmsDataKeyReusePeriodSeconds"`
	KmsMasterKeyID                *string               `cfn:"KmsMasterKeyId"`
	MaximumMessageSize            *int64                `cfn:"MaximumMessageSize"`
	MessageRetentionPeriod        *int64                `cfn:"MessageRetentionPeriod"`
	ReceiveMessageWaitTimeSeconds *int64                `cfn:"ReceiveMessageWaitTimeSeconds"`
	RedriveAllowPolicy            any                   `cfn:"RedriveAllowPolicy"`
	RedrivePolicy                 any                   `cfn:"RedrivePolicy"`
	SqsManagedSseEnabled          *bool                 `cfn:"SqsManagedSseEnabled"`
	Tags                          []service.TagProperty `cfn:"Tags"`
	VisibilityTimeout             *int64                `cfn:"VisibilityTimeout"`
}

// policyProperties are the properties of AWS::SQS::QueuePolicy.
type policyProperties struct {
	PolicyDocument any      `cfn:"PolicyDocument,required"`
	Queues         []string `cfn:"Queues,required"`
}

// inlineProperties are the properties of AWS::SQS::QueueInlinePolicy.
type inlineProperties struct {
	PolicyDocument any    `cfn:"PolicyDocument,required"`
	Queue          string `cfn:"Queue,required,createOnly"`
}

func (s *Service) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::SQS::Queue", service.ResourceSpec[queueProperties]{
			Attributes: []string{"Arn", "QueueName", "QueueUrl"},
			Create:     s.createQueueResource, Update: s.updateQueueResource, Delete: s.deleteQueueResource,
			Identifier: []string{"QueueUrl"}, Read: s.readQueueResource, List: s.listQueueResources, Missing: []string{codeNoQueue},
		}),
		service.NewPolicyType("AWS::SQS::QueuePolicy", service.PolicySpec[policyProperties]{
			Policy: func(p *policyProperties) any { return p.PolicyDocument },
			On:     func(p *policyProperties) []string { return p.Queues },
			Fill:   func(p *policyProperties, policy any, on []string) { p.PolicyDocument, p.Queues = policy, on },
			Set:    s.setPolicy, Get: s.getPolicy, Gone: codeNoQueue,
		}),
		service.NewPolicyType("AWS::SQS::QueueInlinePolicy", service.PolicySpec[inlineProperties]{
			Policy: func(p *inlineProperties) any { return p.PolicyDocument },
			On:     func(p *inlineProperties) []string { return []string{p.Queue} },
			Fill:   func(p *inlineProperties, policy any, on []string) { p.PolicyDocument, p.Queue = policy, on[0] },
			Set:    s.setPolicy, Get: s.getPolicy, Gone: codeNoQueue, Inline: true, Identifier: "Queue",
		}),
	}
}

func call[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.door, "sqs", operation, in)
}

// attributes returns the attributes that a template asks for, by name.
func (p *queueProperties) attributes() (map[string]string, error) {
	out := map[string]string{}
	for name, v := range map[string]*int64{
		"DelaySeconds": p.DelaySeconds, "KmsDataKeyReusePeriodSeconds": p.KmsDataKeyReusePeriodSeconds, "MaximumMessageSize": p.MaximumMessageSize,
		"MessageRetentionPeriod": p.MessageRetentionPeriod, "ReceiveMessageWaitTimeSeconds": p.ReceiveMessageWaitTimeSeconds, "VisibilityTimeout": p.VisibilityTimeout,
	} {
		if v != nil {
			out[name] = strconv.FormatInt(*v, 10)
		}
	}
	for name, v := range map[string]*bool{"ContentBasedDeduplication": p.ContentBasedDeduplication, "SqsManagedSseEnabled": p.SqsManagedSseEnabled} {
		if v != nil {
			out[name] = strconv.FormatBool(*v)
		}
	}
	for name, v := range map[string]*string{"DeduplicationScope": p.DeduplicationScope, "FifoThroughputLimit": p.FifoThroughputLimit, "KmsMasterKeyId": p.KmsMasterKeyID} {
		if v != nil {
			out[name] = *v
		}
	}
	for name, v := range map[string]any{"RedrivePolicy": p.RedrivePolicy, "RedriveAllowPolicy": p.RedriveAllowPolicy} {
		if v == nil {
			continue
		}
		text, err := service.Document(v)
		if err != nil {
			return nil, fmt.Errorf("property %s: %w", name, err)
		}
		out[name] = text
	}
	return out, nil
}

func (s *Service) createQueueResource(ctx context.Context, c service.ResourceCall, p *queueProperties) (service.Resource, error) {
	fifo := p.FifoQueue != nil && *p.FifoQueue
	name := c.Name(maxQueueName, nil)
	if fifo {
		name = c.Name(maxQueueName-len(fifoSuffix), nil) + fifoSuffix
	}
	if p.QueueName != nil {
		name = *p.QueueName
	}
	attributes, err := p.attributes()
	if err != nil {
		return service.Resource{}, err
	}
	if fifo {
		attributes["FifoQueue"] = "true"
	}
	if !c.Retry {
		// CreateQueue takes a queue that is there for its own.
		if _, err := call[api.GetQueueUrlOutput](ctx, s, "GetQueueUrl", &api.GetQueueUrlInput{QueueName: name}); err == nil {
			return service.Resource{}, service.Errorf(codeExists, "A queue named %s exists already. Choose another name, or leave QueueName out.", name)
		}
	}
	out, err := call[api.CreateQueueOutput](ctx, s, "CreateQueue", &api.CreateQueueInput{QueueName: name, Attributes: attributes, Tags: c.UserTags(p.Tags)})
	if err != nil {
		return service.Resource{}, err
	}
	return queueResource(ctx, *out.QueueUrl, name), nil
}

func queueResource(ctx context.Context, url, name string) service.Resource {
	return service.Resource{PhysicalID: url, Attributes: map[string]any{"Arn": placeOf(ctx).arn(name), "QueueName": name, "QueueUrl": url}}
}

func (s *Service) updateQueueResource(ctx context.Context, c service.ResourceCall, old, p *queueProperties) (service.Resource, error) {
	_, name, err := resolve(ctx, c.PhysicalID)
	if err != nil {
		return service.Resource{}, err
	}
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
			forget(attributes, name)
		}
	}
	if len(attributes) > 0 {
		if _, err := call[api.SetQueueAttributesOutput](ctx, s, "SetQueueAttributes", &api.SetQueueAttributesInput{QueueUrl: c.PhysicalID, Attributes: attributes}); err != nil {
			return service.Resource{}, err
		}
	}
	return queueResource(ctx, c.PhysicalID, name), s.updateTags(ctx, c.PhysicalID, c.UserTags(old.Tags), c.UserTags(p.Tags))
}

// forget says what becomes of an attribute that a template no longer names. Most have their defaults again; CloudFormation leaves some as they are, and has a default of its own for the size
// of messages (recorded).
func forget(attributes map[string]string, name string) {
	switch name {
	case "DeduplicationScope", "FifoThroughputLimit", "SqsManagedSseEnabled":
	case "MaximumMessageSize":
		attributes[name] = "262144"
	default:
		attributes[name] = ""
	}
}

func (s *Service) updateTags(ctx context.Context, url string, old, tags map[string]string) error {
	return service.Retag(old, tags, func(keys []string) error {
		_, err := call[api.UntagQueueOutput](ctx, s, "UntagQueue", &api.UntagQueueInput{QueueUrl: url, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[api.TagQueueOutput](ctx, s, "TagQueue", &api.TagQueueInput{QueueUrl: url, Tags: tags})
		return err
	})
}

func (s *Service) deleteQueueResource(ctx context.Context, c service.ResourceCall, _ *queueProperties) error {
	_, err := call[api.DeleteQueueOutput](ctx, s, "DeleteQueue", &api.DeleteQueueInput{QueueUrl: c.PhysicalID})
	return service.Unless(err, codeNoQueue)
}

// setPolicy puts a policy on a queue; an empty one takes it away.
func (s *Service) setPolicy(ctx context.Context, url string, policy string) error {
	_, err := call[api.SetQueueAttributesOutput](ctx, s, "SetQueueAttributes", &api.SetQueueAttributesInput{QueueUrl: url, Attributes: map[string]string{"Policy": policy}})
	return err
}
