package sqs

import (
	"context"
	"errors"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html). Batches need what their entries need.
func (s *Service) access() map[string]service.Access {
	return map[string]service.Access{
		"AddPermission":                onURL(s, "AddPermission", func(in *api.AddPermissionInput) string { return in.QueueUrl }),
		"CancelMessageMoveTask":        service.OnAll("sqs:CancelMessageMoveTask", s.cancelTargets),
		"ChangeMessageVisibility":      draining(onURL(s, "ChangeMessageVisibility", func(in *api.ChangeMessageVisibilityInput) string { return in.QueueUrl })),
		"ChangeMessageVisibilityBatch": draining(onURL(s, "ChangeMessageVisibility", func(in *api.ChangeMessageVisibilityBatchInput) string { return in.QueueUrl })),
		"CreateQueue": service.OnAll("sqs:CreateQueue", func(ctx context.Context, in *api.CreateQueueInput) ([]service.Target, error) {
			targets := []service.Target{{ARN: placeOf(ctx).arn(in.QueueName)}}
			if len(in.Tags) > 0 {
				targets = append(targets, service.Target{Action: "sqs:TagQueue", ARN: targets[0].ARN})
			}
			return targets, nil
		}),
		"DeleteMessage":      onURL(s, "DeleteMessage", func(in *api.DeleteMessageInput) string { return in.QueueUrl }),
		"DeleteMessageBatch": onURL(s, "DeleteMessage", func(in *api.DeleteMessageBatchInput) string { return in.QueueUrl }),
		"DeleteQueue":        onURL(s, "DeleteQueue", func(in *api.DeleteQueueInput) string { return in.QueueUrl }),
		"GetQueueAttributes": onURL(s, "GetQueueAttributes", func(in *api.GetQueueAttributesInput) string { return in.QueueUrl }),
		"GetQueueUrl": service.OnAll("sqs:GetQueueUrl", func(ctx context.Context, in *api.GetQueueUrlInput) ([]service.Target, error) {
			p := placeOf(ctx)
			if in.QueueOwnerAWSAccountId != nil {
				p.account = *in.QueueOwnerAWSAccountId
			}
			return s.targets(ctx, p, in.QueueName)
		}),
		"ListDeadLetterSourceQueues": onURL(s, "ListDeadLetterSourceQueues", func(in *api.ListDeadLetterSourceQueuesInput) string { return in.QueueUrl }),
		"ListMessageMoveTasks":       onARN(s, "ListMessageMoveTasks", func(in *api.ListMessageMoveTasksInput) string { return in.SourceArn }),
		"ListQueueTags":              onURL(s, "ListQueueTags", func(in *api.ListQueueTagsInput) string { return in.QueueUrl }),
		"ListQueues":                 service.OnAny("sqs:ListQueues"),
		"PurgeQueue":                 onURL(s, "PurgeQueue", func(in *api.PurgeQueueInput) string { return in.QueueUrl }),
		"ReceiveMessage":             draining(onURL(s, "ReceiveMessage", func(in *api.ReceiveMessageInput) string { return in.QueueUrl })),
		"RemovePermission":           onURL(s, "RemovePermission", func(in *api.RemovePermissionInput) string { return in.QueueUrl }),
		"SendMessage":                onURL(s, "SendMessage", func(in *api.SendMessageInput) string { return in.QueueUrl }),
		"SendMessageBatch":           onURL(s, "SendMessage", func(in *api.SendMessageBatchInput) string { return in.QueueUrl }),
		"SetQueueAttributes":         onURL(s, "SetQueueAttributes", func(in *api.SetQueueAttributesInput) string { return in.QueueUrl }),
		"StartMessageMoveTask":       service.OnAll("sqs:StartMessageMoveTask", s.startTargets),
		"TagQueue":                   onURL(s, "TagQueue", func(in *api.TagQueueInput) string { return in.QueueUrl }),
		"UntagQueue":                 onURL(s, "UntagQueue", func(in *api.UntagQueueInput) string { return in.QueueUrl }),
	}
}

// onURL returns the rule of an operation on the queue of a URL. A queue's policy may open it to anyone, so callers without credentials are evaluated too.
func onURL[In any](s *Service, action string, url func(in In) string) service.Access {
	a := service.OnAll("sqs:"+action, func(ctx context.Context, in In) ([]service.Target, error) {
		p, name, err := resolve(ctx, url(in))
		if err != nil {
			return nil, err
		}
		return s.targets(ctx, p, name)
	})
	a.Anonymous = true
	return a
}

// draining marks calls by which a queue is worked off: they are let through when the disk is full.
func draining(a service.Access) service.Access {
	a.MakesRoom = true
	return a
}

func onARN[In any](s *Service, action string, arn func(in In) string) service.Access {
	return service.OnAll("sqs:"+action, func(ctx context.Context, in In) ([]service.Target, error) {
		p, name, ok := resolveARN(arn(in))
		if !ok {
			return []service.Target{{ARN: arn(in)}}, nil
		}
		return s.targets(ctx, p, name)
	})
}

// targets returns the target of a call on a queue, with the queue's policy.
func (s *Service) targets(ctx context.Context, p place, name string) ([]service.Target, error) {
	t := service.Target{ARN: p.arn(name), Owner: p.account}
	q := s.queues.known(p.queue(name))
	if q == nil {
		var err error
		if q, err = s.viewNamed(ctx, p, name); err != nil {
			var known *service.Error
			if errors.As(err, &known) {
				return []service.Target{t}, nil // the operation says that there is no such queue to those who may ask
			}
			return nil, err
		}
	}
	t.Policy = q.policy
	return []service.Target{t}, nil
}

// startTargets: who moves messages must be allowed to receive and delete them at the source, and to send them to the destination.
func (s *Service) startTargets(ctx context.Context, in *api.StartMessageMoveTaskInput) ([]service.Target, error) {
	source, err := s.arnTargets(ctx, in.SourceArn)
	if err != nil || in.DestinationArn == nil {
		return source, err
	}
	destination, err := s.arnTargets(ctx, *in.DestinationArn)
	for i := range destination {
		destination[i].Action = "sqs:SendMessage"
	}
	return append(source, destination...), err
}

func (s *Service) arnTargets(ctx context.Context, arn string) ([]service.Target, error) {
	p, name, ok := resolveARN(arn)
	if !ok {
		return []service.Target{{ARN: arn}}, nil
	}
	return s.targets(ctx, p, name)
}

func (s *Service) cancelTargets(ctx context.Context, in *api.CancelMessageMoveTaskInput) ([]service.Target, error) {
	_, source, err := openTaskHandle(in.TaskHandle)
	if err != nil {
		return nil, err
	}
	if p, _, ok := resolveARN(source); !ok || p != placeOf(ctx) {
		return nil, noResource("SourceArn") // tasks are only for queues of one's own
	}
	return s.arnTargets(ctx, source)
}
