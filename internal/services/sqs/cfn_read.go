package sqs

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

func (s *Service) readQueueResource(ctx context.Context, id service.Identifier) (*queueProperties, service.Resource, error) {
	url := id[0]
	out, err := call[api.GetQueueAttributesOutput](ctx, s, "GetQueueAttributes", &api.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []string{"All"}})
	if err != nil {
		return nil, service.Resource{}, err
	}
	tags, err := call[api.ListQueueTagsOutput](ctx, s, "ListQueueTags", &api.ListQueueTagsInput{QueueUrl: url})
	if err != nil {
		return nil, service.Resource{}, err
	}
	_, name, err := resolve(ctx, url)
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[queueProperties](out.Attributes, tags)
	p.QueueName = &name
	return p, queueResource(ctx, url, name), nil
}

func (s *Service) listQueueResources(ctx context.Context, _ *queueProperties, next string) (service.Page, error) {
	out, err := call[api.ListQueuesOutput](ctx, s, "ListQueues", &api.ListQueuesInput{NextToken: service.NextToken(next), MaxResults: new(int32(100))})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.QueueUrls, out.NextToken, func(url *string) service.Identifier { return service.Identifier{*url} }), nil
}

// getPolicy returns the policy of a queue, or "".
func (s *Service) getPolicy(ctx context.Context, url string) (string, error) {
	out, err := call[api.GetQueueAttributesOutput](ctx, s, "GetQueueAttributes", &api.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []string{"Policy"}})
	if err != nil {
		return "", err
	}
	return out.Attributes["Policy"], nil
}
