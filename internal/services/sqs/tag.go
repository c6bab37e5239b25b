package sqs

import (
	"context"
	"maps"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

const (
	maxTagKey   = 128 // characters, https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-queue-tags.html
	maxTagValue = 256
)

func tooManyTags() error {
	return service.Errorf(codeValue, "Too many tags added for queue: a queue has at most %d.", maxTags)
}

// checkTags refuses tags that a queue cannot have. Those of CloudFormation are the only ones of AWS.
func checkTags(tags map[string]string) error {
	for k, v := range tags {
		switch {
		case k == "" || len([]rune(k)) > maxTagKey || len([]rune(v)) > maxTagValue:
			return invalid(k, "Tags", "A tag has a key of 1 to %d characters and a value of up to %d.", maxTagKey, maxTagValue)
		case strings.HasPrefix(strings.ToLower(k), "aws:") && !strings.HasPrefix(k, "aws:cloudformation:"):
			return invalid(k, "Tags", "Keys that begin with aws: are reserved for system use.")
		}
	}
	return nil
}

func (s *Service) tagQueue(ctx context.Context, in *api.TagQueueInput) (*api.TagQueueOutput, error) {
	p, name, err := resolve(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	err = s.change(ctx, p, name, func(_ store.Txn, _ *queue, r *queueRecord) error {
		if r.Tags == nil {
			r.Tags = map[string]string{}
		}
		maps.Copy(r.Tags, in.Tags)
		if len(r.Tags) > maxTags {
			return tooManyTags()
		}
		return nil
	})
	return &api.TagQueueOutput{}, err
}

func (s *Service) untagQueue(ctx context.Context, in *api.UntagQueueInput) (*api.UntagQueueOutput, error) {
	p, name, err := resolve(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, p, name, func(_ store.Txn, _ *queue, r *queueRecord) error {
		for _, k := range in.TagKeys {
			delete(r.Tags, k)
		}
		return nil
	})
	return &api.UntagQueueOutput{}, err
}

func (s *Service) listQueueTags(ctx context.Context, in *api.ListQueueTagsInput) (*api.ListQueueTagsOutput, error) {
	q, err := s.view(ctx, in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return &api.ListQueueTagsOutput{Tags: q.Tags}, nil
}
