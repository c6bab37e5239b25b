package kinesis

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

func (s *Service) readStreamResource(ctx context.Context, id service.Identifier) (*streamProperties, service.Resource, error) {
	out, err := run[api.DescribeStreamSummaryOutput](ctx, s, "DescribeStreamSummary", &api.DescribeStreamSummaryInput{StreamName: &id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	d := out.StreamDescriptionSummary
	if d.StreamStatus == api.StreamStatusDeleting {
		return nil, service.Resource{}, service.ErrGone
	}
	tags, err := run[api.ListTagsForResourceOutput](ctx, s, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceARN: d.StreamARN})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[streamProperties](d, tags)
	p.Name = &id[0]
	if d.StreamModeDetails == nil || d.StreamModeDetails.StreamMode != api.StreamModeOnDemand {
		p.ShardCount = &d.OpenShardCount
	}
	for _, m := range d.EnhancedMonitoring {
		p.DesiredShardLevelMetrics = append(p.DesiredShardLevelMetrics, m.ShardLevelMetrics...)
	}
	if d.EncryptionType != "" && d.EncryptionType != api.EncryptionTypeNone && d.KeyId != nil {
		p.StreamEncryption = &encryptionProperty{Type: d.EncryptionType, Key: *d.KeyId}
	}
	return p, service.Resource{PhysicalID: id[0], Attributes: map[string]any{"Arn": d.StreamARN}}, nil
}

func (s *Service) listStreamResources(ctx context.Context, _ *streamProperties, next string) (service.Page, error) {
	out, err := run[api.ListStreamsOutput](ctx, s, "ListStreams", &api.ListStreamsInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.StreamNames, out.NextToken, func(name *string) service.Identifier { return service.Identifier{*name} }), nil
}

func (s *Service) readConsumerResource(ctx context.Context, id service.Identifier) (*consumerProperties, service.Resource, error) {
	in := &api.DescribeStreamConsumerInput{ConsumerARN: &id[0]}
	out, err := run[api.DescribeStreamConsumerOutput](ctx, s, "DescribeStreamConsumer", in)
	if err != nil {
		return nil, service.Resource{}, err
	}
	tags, err := run[api.ListTagsForResourceOutput](ctx, s, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceARN: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	r, err := s.consumerResource(ctx, in)
	return reshape.To[consumerProperties](out.ConsumerDescription, tags), r, err
}

func (s *Service) listConsumerResources(ctx context.Context, p *consumerProperties, next string) (service.Page, error) {
	out, err := run[api.ListStreamConsumersOutput](ctx, s, "ListStreamConsumers", &api.ListStreamConsumersInput{StreamARN: p.StreamARN, NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.Consumers, out.NextToken, func(c *api.Consumer) service.Identifier { return service.Identifier{c.ConsumerARN} }), nil
}

func (s *Service) readPolicyResource(ctx context.Context, id service.Identifier) (*policyProperties, service.Resource, error) {
	out, err := run[api.GetResourcePolicyOutput](ctx, s, "GetResourcePolicy", &api.GetResourcePolicyInput{ResourceARN: id[0]})
	if err == nil && (out.Policy == "" || out.Policy == "{}") {
		err = service.ErrGone
	}
	if err != nil {
		return nil, service.Resource{}, err
	}
	return &policyProperties{ResourceArn: id[0], ResourcePolicy: reshape.Document(out.Policy)}, service.Resource{PhysicalID: id[0]}, nil
}
