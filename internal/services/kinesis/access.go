package kinesis

import (
	"context"
	"errors"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonkinesisdatastreams.html).
func (s *Service) access() map[string]service.Access {
	return map[string]service.Access{
		"AddTagsToStream": onStream(s, "AddTagsToStream", func(in *api.AddTagsToStreamInput) target { return target{in.StreamName, in.StreamARN, in.StreamId} }),
		"CreateStream": service.OnAll("kinesis:CreateStream", func(ctx context.Context, in *api.CreateStreamInput) ([]service.Target, error) {
			targets := []service.Target{{ARN: placeOf(ctx).arn(in.StreamName)}}
			if len(in.Tags) > 0 {
				targets = append(targets, service.Target{Action: "kinesis:AddTagsToStream", ARN: targets[0].ARN})
			}
			return targets, nil
		}),
		"DecreaseStreamRetentionPeriod": onStream(s, "DecreaseStreamRetentionPeriod", func(in *api.DecreaseStreamRetentionPeriodInput) target {
			return target{in.StreamName, in.StreamARN, in.StreamId}
		}),
		"DeleteResourcePolicy": onResource(s, "DeleteResourcePolicy", func(in *api.DeleteResourcePolicyInput) string { return in.ResourceARN }),
		"DeleteStream":         onStream(s, "DeleteStream", func(in *api.DeleteStreamInput) target { return target{in.StreamName, in.StreamARN, in.StreamId} }),
		"DeregisterStreamConsumer": onConsumer(s, "DeregisterStreamConsumer", func(in *api.DeregisterStreamConsumerInput) consumerNamed {
			return consumerNamed{in.StreamARN, in.ConsumerName, in.ConsumerARN, in.StreamId}
		}),
		"DescribeAccountSettings": service.OnAny("kinesis:DescribeAccountSettings"),
		"DescribeLimits":          service.OnAny("kinesis:DescribeLimits"),
		"DescribeStream":          onStream(s, "DescribeStream", func(in *api.DescribeStreamInput) target { return target{in.StreamName, in.StreamARN, in.StreamId} }),
		"DescribeStreamConsumer": onConsumer(s, "DescribeStreamConsumer", func(in *api.DescribeStreamConsumerInput) consumerNamed {
			return consumerNamed{in.StreamARN, in.ConsumerName, in.ConsumerARN, in.StreamId}
		}),
		"DescribeStreamSummary": onStream(s, "DescribeStreamSummary", func(in *api.DescribeStreamSummaryInput) target {
			return target{in.StreamName, in.StreamARN, in.StreamId}
		}),
		"DisableEnhancedMonitoring": onStream(s, "DisableEnhancedMonitoring", func(in *api.DisableEnhancedMonitoringInput) target {
			return target{in.StreamName, in.StreamARN, in.StreamId}
		}),
		"EnableEnhancedMonitoring": onStream(s, "EnableEnhancedMonitoring", func(in *api.EnableEnhancedMonitoringInput) target {
			return target{in.StreamName, in.StreamARN, in.StreamId}
		}),
		"GetRecords": service.OnAll("kinesis:GetRecords", func(ctx context.Context, in *api.GetRecordsInput) ([]service.Target, error) {
			it, err := parseIterator(in.ShardIterator)
			if err != nil {
				return nil, err
			}
			return s.streamTargets(ctx, target{arn: &it.stream})
		}),
		"GetResourcePolicy": onResource(s, "GetResourcePolicy", func(in *api.GetResourcePolicyInput) string { return in.ResourceARN }),
		"GetShardIterator":  onStream(s, "GetShardIterator", func(in *api.GetShardIteratorInput) target { return target{in.StreamName, in.StreamARN, in.StreamId} }),
		"IncreaseStreamRetentionPeriod": onStream(s, "IncreaseStreamRetentionPeriod", func(in *api.IncreaseStreamRetentionPeriodInput) target {
			return target{in.StreamName, in.StreamARN, in.StreamId}
		}),
		"ListShards": service.OnAll("kinesis:ListShards", func(ctx context.Context, in *api.ListShardsInput) ([]service.Target, error) {
			if in.NextToken == nil {
				return s.streamTargets(ctx, target{in.StreamName, in.StreamARN, in.StreamId})
			}
			t, err := s.readToken(*in.NextToken, "ListShards")
			if err != nil {
				return nil, err
			}
			return s.streamTargets(ctx, target{arn: &t.Stream})
		}),
		"ListStreamConsumers": onStream(s, "ListStreamConsumers", func(in *api.ListStreamConsumersInput) target { return target{arn: &in.StreamARN, id: in.StreamId} }),
		"ListStreams":         service.OnAny("kinesis:ListStreams"),
		"ListTagsForResource": onResource(s, "ListTagsForResource", func(in *api.ListTagsForResourceInput) string { return in.ResourceARN }),
		"ListTagsForStream":   onStream(s, "ListTagsForStream", func(in *api.ListTagsForStreamInput) target { return target{in.StreamName, in.StreamARN, in.StreamId} }),
		"MergeShards":         onStream(s, "MergeShards", func(in *api.MergeShardsInput) target { return target{in.StreamName, in.StreamARN, in.StreamId} }),
		"PutRecord":           onStream(s, "PutRecord", func(in *api.PutRecordInput) target { return target{in.StreamName, in.StreamARN, in.StreamId} }),
		"PutRecords":          onStream(s, "PutRecords", func(in *api.PutRecordsInput) target { return target{in.StreamName, in.StreamARN, in.StreamId} }),
		"PutResourcePolicy":   onResource(s, "PutResourcePolicy", func(in *api.PutResourcePolicyInput) string { return in.ResourceARN }),
		"RegisterStreamConsumer": onStream(s, "RegisterStreamConsumer", func(in *api.RegisterStreamConsumerInput) target {
			return target{arn: &in.StreamARN, id: in.StreamId}
		}),
		"RemoveTagsFromStream": onStream(s, "RemoveTagsFromStream", func(in *api.RemoveTagsFromStreamInput) target {
			return target{in.StreamName, in.StreamARN, in.StreamId}
		}),
		"SplitShard": onStream(s, "SplitShard", func(in *api.SplitShardInput) target { return target{in.StreamName, in.StreamARN, in.StreamId} }),
		"StartStreamEncryption": onStream(s, "StartStreamEncryption", func(in *api.StartStreamEncryptionInput) target {
			return target{in.StreamName, in.StreamARN, in.StreamId}
		}),
		"StopStreamEncryption": onStream(s, "StopStreamEncryption", func(in *api.StopStreamEncryptionInput) target {
			return target{in.StreamName, in.StreamARN, in.StreamId}
		}),
		"SubscribeToShard": onConsumer(s, "SubscribeToShard", func(in *api.SubscribeToShardInput) consumerNamed {
			return consumerNamed{arn: &in.ConsumerARN, id: in.StreamId}
		}),
		"TagResource":           onResource(s, "TagResource", func(in *api.TagResourceInput) string { return in.ResourceARN }),
		"UntagResource":         onResource(s, "UntagResource", func(in *api.UntagResourceInput) string { return in.ResourceARN }),
		"UpdateAccountSettings": service.OnAny("kinesis:UpdateAccountSettings"),
		"UpdateMaxRecordSize":   onStream(s, "UpdateMaxRecordSize", func(in *api.UpdateMaxRecordSizeInput) target { return target{arn: in.StreamARN, id: in.StreamId} }),
		"UpdateShardCount":      onStream(s, "UpdateShardCount", func(in *api.UpdateShardCountInput) target { return target{in.StreamName, in.StreamARN, in.StreamId} }),
		"UpdateStreamMode":      onStream(s, "UpdateStreamMode", func(in *api.UpdateStreamModeInput) target { return target{arn: &in.StreamARN, id: in.StreamId} }),
		"UpdateStreamWarmThroughput": onStream(s, "UpdateStreamWarmThroughput", func(in *api.UpdateStreamWarmThroughputInput) target {
			return target{in.StreamName, in.StreamARN, in.StreamId}
		}),
	}
}

func onStream[In any](s *Service, action string, of func(in In) target) service.Access {
	return service.OnAll("kinesis:"+action, func(ctx context.Context, in In) ([]service.Target, error) { return s.streamTargets(ctx, of(in)) })
}

func onConsumer[In any](s *Service, action string, of func(in In) consumerNamed) service.Access {
	return service.OnAll("kinesis:"+action, func(ctx context.Context, in In) ([]service.Target, error) {
		return s.consumerTargets(ctx, of(in))
	})
}

// onResource returns the rule of an operation on a stream or a consumer.
func onResource[In any](s *Service, action string, of func(in In) string) service.Access {
	return service.OnAll("kinesis:"+action, func(ctx context.Context, in In) ([]service.Target, error) {
		arn := of(in)
		what, err := resourceOf(ctx, arn, nil)
		switch {
		case err != nil:
			return nil, err
		case what.consumer == "":
			return s.streamTargets(ctx, target{arn: &what.stream})
		}
		return s.consumerTargets(ctx, consumerNamed{arn: &arn})
	})
}

// streamTargets returns the target of a call on a stream, with the stream's policy. That there is no such stream the operation says, to those who may ask.
func (s *Service) streamTargets(ctx context.Context, t target) ([]service.Target, error) {
	p, name, err := t.locate(ctx)
	if err != nil {
		return nil, err
	}
	out := service.Target{ARN: p.arn(name), Owner: p.account}
	st, err := s.named(ctx, p, name)
	if err != nil {
		return []service.Target{out}, unlessKnown(err)
	}
	out.Policy = st.Policy
	return []service.Target{out}, nil
}

func (s *Service) consumerTargets(ctx context.Context, n consumerNamed) ([]service.Target, error) {
	streamARN, name, err := n.of(ctx)
	if err != nil {
		return nil, err
	}
	p, _, ok := parseARN(streamARN)
	if !ok {
		return nil, invalid("StreamARN %s is not the ARN of a stream.", streamARN)
	}
	out := service.Target{ARN: streamARN + "/consumer/" + name, Owner: p.account}
	if n.arn != nil {
		out.ARN = *n.arn
	}
	st, c, err := s.consumer(ctx, n)
	if err != nil {
		return []service.Target{out}, unlessKnown(err)
	}
	out.ARN, out.Policy = c.arn(st), c.Policy
	return []service.Target{out}, nil
}

// unlessKnown keeps an error that is not one of the service.
func unlessKnown(err error) error {
	var known *service.Error
	if errors.As(err, &known) {
		return nil
	}
	return err
}
