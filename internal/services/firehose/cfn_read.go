package firehose

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

func (s *Service) readResource(ctx context.Context, id service.Identifier) (*streamProperties, service.Resource, error) {
	out, err := run[api.DescribeDeliveryStreamOutput](ctx, s, "DescribeDeliveryStream", &api.DescribeDeliveryStreamInput{DeliveryStreamName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	d := out.DeliveryStreamDescription
	if d.DeliveryStreamStatus == api.DeliveryStreamStatusDeleting {
		return nil, service.Resource{}, service.ErrGone
	}
	tags, err := run[api.ListTagsForDeliveryStreamOutput](ctx, s, "ListTagsForDeliveryStream", &api.ListTagsForDeliveryStreamInput{DeliveryStreamName: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[streamProperties](d, tags)
	if e := d.DeliveryStreamEncryptionConfiguration; e != nil && e.Status == api.DeliveryStreamEncryptionStatusEnabled {
		p.DeliveryStreamEncryptionConfigurationInput = &encryptionProperty{KeyType: e.KeyType, Key: e.KeyARN}
	}
	for _, to := range d.Destinations {
		if x := to.HttpEndpointDestinationDescription; x != nil {
			p.HTTPEndpointDestinationConfiguration = reshape.To[endpointProperty](x, map[string]any{"S3Configuration": x.S3DestinationDescription})
		} else if x := to.ExtendedS3DestinationDescription; x != nil {
			p.ExtendedS3DestinationConfiguration = reshape.To[extendedProperty](x, map[string]any{"S3BackupConfiguration": x.S3BackupDescription})
		}
	}
	return p, s.resource(ctx, id[0]), nil
}

func (s *Service) listResources(ctx context.Context, _ *streamProperties, next string) (service.Page, error) {
	out, err := run[api.ListDeliveryStreamsOutput](ctx, s, "ListDeliveryStreams", &api.ListDeliveryStreamsInput{ExclusiveStartDeliveryStreamName: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	var last *string
	if n := len(out.DeliveryStreamNames); out.HasMoreDeliveryStreams && n > 0 {
		last = &out.DeliveryStreamNames[n-1]
	}
	return service.NewPage(out.DeliveryStreamNames, last, func(name *string) service.Identifier { return service.Identifier{*name} }), nil
}
