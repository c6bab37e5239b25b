package firehose

import (
	"context"
	"errors"
	"maps"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/service"
)

// streamProperties are the properties of AWS::KinesisFirehose::DeliveryStream
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kinesisfirehose-deliverystream.html).
type streamProperties struct {
	DeliveryStreamName                         *string               `cfn:"DeliveryStreamName,createOnly"`
	DeliveryStreamType                         *string               `cfn:"DeliveryStreamType,createOnly"`
	KinesisStreamSourceConfiguration           *sourceProperty       `cfn:"KinesisStreamSourceConfiguration,createOnly,writeOnly"`
	DeliveryStreamEncryptionConfigurationInput *encryptionProperty   `cfn:"DeliveryStreamEncryptionConfigurationInput"`
	S3DestinationConfiguration                 *destinationProperty  `cfn:"S3DestinationConfiguration,writeOnly"`
	ExtendedS3DestinationConfiguration         *extendedProperty     `cfn:"ExtendedS3DestinationConfiguration"`
	HTTPEndpointDestinationConfiguration       *endpointProperty     `cfn:"HttpEndpointDestinationConfiguration"`
	Tags                                       []service.TagProperty `cfn:"Tags"`
}

// endpointProperty is HttpEndpointDestinationConfiguration.
type endpointProperty struct {
	Endpoint struct {
		URL  string  `cfn:"Url,required"`
		Name *string `cfn:"Name"`
		Key  *string `cfn:"AccessKey,writeOnly"`
	} `cfn:"EndpointConfiguration,required"`
	Hints   *hintsProperty   `cfn:"BufferingHints"`
	Logging *loggingProperty `cfn:"CloudWatchLoggingOptions"`
	Request *struct {
		Encoding   string `cfn:"ContentEncoding"`
		Attributes []struct {
			Name  string `cfn:"AttributeName,required"`
			Value string `cfn:"AttributeValue,required"`
		} `cfn:"CommonAttributes"`
	} `cfn:"RequestConfiguration"`
	Processing *processingProperty `cfn:"ProcessingConfiguration"`
	Role       *string             `cfn:"RoleARN"`
	Retry      *struct {
		Seconds *int32 `cfn:"DurationInSeconds"`
	} `cfn:"RetryOptions"`
	BackupMode string               `cfn:"S3BackupMode"`
	Bucket     *destinationProperty `cfn:"S3Configuration,required"`
}

type sourceProperty struct {
	Stream string `cfn:"KinesisStreamARN,required"`
	Role   string `cfn:"RoleARN,required"`
}

type encryptionProperty struct {
	KeyType string  `cfn:"KeyType,required"`
	Key     *string `cfn:"KeyARN"`
}

type hintsProperty struct {
	Size     *int32 `cfn:"SizeInMBs"`
	Interval *int32 `cfn:"IntervalInSeconds"`
}

type loggingProperty struct {
	Enabled *bool   `cfn:"Enabled"`
	Group   *string `cfn:"LogGroupName"`
	Stream  *string `cfn:"LogStreamName"`
}

type objectEncryptionProperty struct {
	No  string `cfn:"NoEncryptionConfig"`
	KMS *struct {
		Key string `cfn:"AWSKMSKeyARN,required"`
	} `cfn:"KMSEncryptionConfig"`
}

type destinationProperty struct {
	Role        string                    `cfn:"RoleARN,required"`
	Bucket      string                    `cfn:"BucketARN,required"`
	Prefix      *string                   `cfn:"Prefix"`
	ErrorPrefix *string                   `cfn:"ErrorOutputPrefix"`
	Hints       *hintsProperty            `cfn:"BufferingHints"`
	Compression string                    `cfn:"CompressionFormat"`
	Encryption  *objectEncryptionProperty `cfn:"EncryptionConfiguration"`
	Logging     *loggingProperty          `cfn:"CloudWatchLoggingOptions"`
}

type extendedProperty struct {
	Role        string                    `cfn:"RoleARN,required"`
	Bucket      string                    `cfn:"BucketARN,required"`
	Prefix      *string                   `cfn:"Prefix"`
	ErrorPrefix *string                   `cfn:"ErrorOutputPrefix"`
	Hints       *hintsProperty            `cfn:"BufferingHints"`
	Compression string                    `cfn:"CompressionFormat"`
	Encryption  *objectEncryptionProperty `cfn:"EncryptionConfiguration"`
	Logging     *loggingProperty          `cfn:"CloudWatchLoggingOptions"`
	Processing  *processingProperty       `cfn:"ProcessingConfiguration"`
	BackupMode  string                    `cfn:"S3BackupMode"`
	Backup      *destinationProperty      `cfn:"S3BackupConfiguration"`
	Dynamic     *dynamicProperty          `cfn:"DynamicPartitioningConfiguration"`
	Extension   *string                   `cfn:"FileExtension"`
	Zone        *string                   `cfn:"CustomTimeZone"`
}

type processingProperty struct {
	Enabled    *bool               `cfn:"Enabled"`
	Processors []processorProperty `cfn:"Processors"`
}

type processorProperty struct {
	Type       string              `cfn:"Type,required"`
	Parameters []parameterProperty `cfn:"Parameters"`
}

type parameterProperty struct {
	Name  string `cfn:"ParameterName,required"`
	Value string `cfn:"ParameterValue,required"`
}

type dynamicProperty struct {
	Enabled *bool `cfn:"Enabled"`
	Retry   *struct {
		Seconds *int32 `cfn:"DurationInSeconds"`
	} `cfn:"RetryOptions"`
}

func (s *Service) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::KinesisFirehose::DeliveryStream", service.ResourceSpec[streamProperties]{
			Attributes: []string{"Arn"},
			Create:     s.createResource, Update: s.updateResource, Delete: s.deleteResource,
			Identifier: []string{"DeliveryStreamName"}, Read: s.readResource, List: s.listResources, Missing: []string{codeNotFound},
		}),
	}
}

func (h *hintsProperty) api() *api.BufferingHints {
	if h == nil {
		return nil
	}
	return &api.BufferingHints{SizeInMBs: h.Size, IntervalInSeconds: h.Interval}
}

func (l *loggingProperty) api() *api.CloudWatchLoggingOptions {
	if l == nil {
		return nil
	}
	return &api.CloudWatchLoggingOptions{Enabled: l.Enabled, LogGroupName: l.Group, LogStreamName: l.Stream}
}

func (e *objectEncryptionProperty) api() *api.EncryptionConfiguration {
	if e == nil {
		return nil
	}
	out := &api.EncryptionConfiguration{NoEncryptionConfig: e.No}
	if e.KMS != nil {
		out.KMSEncryptionConfig = &api.KMSEncryptionConfig{AWSKMSKeyARN: e.KMS.Key}
	}
	return out
}

func (d *destinationProperty) api() *api.S3DestinationConfiguration {
	if d == nil {
		return nil
	}
	return &api.S3DestinationConfiguration{
		RoleARN: d.Role, BucketARN: d.Bucket, Prefix: d.Prefix, ErrorOutputPrefix: d.ErrorPrefix, BufferingHints: d.Hints.api(), CompressionFormat: d.Compression,
		EncryptionConfiguration: d.Encryption.api(), CloudWatchLoggingOptions: d.Logging.api(),
	}
}

func (p *processingProperty) api() *api.ProcessingConfiguration {
	if p == nil {
		return nil
	}
	out := &api.ProcessingConfiguration{Enabled: p.Enabled}
	for _, one := range p.Processors {
		made := api.Processor{Type: one.Type}
		for _, v := range one.Parameters {
			made.Parameters = append(made.Parameters, api.ProcessorParameter{ParameterName: v.Name, ParameterValue: v.Value})
		}
		out.Processors = append(out.Processors, made)
	}
	return out
}

func (e *endpointProperty) api() *api.HttpEndpointDestinationConfiguration {
	if e == nil {
		return nil
	}
	out := &api.HttpEndpointDestinationConfiguration{
		EndpointConfiguration:    &api.HttpEndpointConfiguration{Url: e.Endpoint.URL, Name: e.Endpoint.Name, AccessKey: e.Endpoint.Key},
		CloudWatchLoggingOptions: e.Logging.api(), ProcessingConfiguration: e.Processing.api(), RoleARN: e.Role, S3BackupMode: e.BackupMode, S3Configuration: e.Bucket.api(),
	}
	if e.Hints != nil {
		out.BufferingHints = &api.HttpEndpointBufferingHints{SizeInMBs: e.Hints.Size, IntervalInSeconds: e.Hints.Interval}
	}
	if e.Retry != nil {
		out.RetryOptions = &api.HttpEndpointRetryOptions{DurationInSeconds: e.Retry.Seconds}
	}
	if r := e.Request; r != nil {
		out.RequestConfiguration = &api.HttpEndpointRequestConfiguration{ContentEncoding: r.Encoding}
		for _, a := range r.Attributes {
			out.RequestConfiguration.CommonAttributes = append(out.RequestConfiguration.CommonAttributes, api.HttpEndpointCommonAttribute{AttributeName: a.Name, AttributeValue: a.Value})
		}
	}
	return out
}

func (d *extendedProperty) api() *api.ExtendedS3DestinationConfiguration {
	if d == nil {
		return nil
	}
	out := &api.ExtendedS3DestinationConfiguration{
		RoleARN: d.Role, BucketARN: d.Bucket, Prefix: d.Prefix, ErrorOutputPrefix: d.ErrorPrefix, BufferingHints: d.Hints.api(), CompressionFormat: d.Compression,
		EncryptionConfiguration: d.Encryption.api(), CloudWatchLoggingOptions: d.Logging.api(), S3BackupMode: d.BackupMode, S3BackupConfiguration: d.Backup.api(),
		FileExtension: d.Extension, CustomTimeZone: d.Zone,
	}
	out.ProcessingConfiguration = d.Processing.api()
	if p := d.Dynamic; p != nil {
		out.DynamicPartitioningConfiguration = &api.DynamicPartitioningConfiguration{Enabled: p.Enabled}
		if p.Retry != nil {
			out.DynamicPartitioningConfiguration.RetryOptions = &api.RetryOptions{DurationInSeconds: p.Retry.Seconds}
		}
	}
	return out
}

func tagsOf(tags map[string]string) (out []api.Tag) {
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: k, Value: new(tags[k])})
	}
	return out
}

func run[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.door, "firehose", operation, in)
}

func (s *Service) resource(ctx context.Context, name string) service.Resource {
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": placeOf(ctx).arn(name)}}
}

func (s *Service) createResource(ctx context.Context, c service.ResourceCall, p *streamProperties) (service.Resource, error) {
	in := &api.CreateDeliveryStreamInput{
		DeliveryStreamName: c.Name(64, nil), S3DestinationConfiguration: p.S3DestinationConfiguration.api(),
		ExtendedS3DestinationConfiguration: p.ExtendedS3DestinationConfiguration.api(), HttpEndpointDestinationConfiguration: p.HTTPEndpointDestinationConfiguration.api(),
		Tags: tagsOf(c.AllTags(p.Tags)),
	}
	if p.DeliveryStreamName != nil {
		in.DeliveryStreamName = *p.DeliveryStreamName
	}
	if p.DeliveryStreamType != nil {
		in.DeliveryStreamType = *p.DeliveryStreamType
	}
	if k := p.KinesisStreamSourceConfiguration; k != nil {
		in.KinesisStreamSourceConfiguration = &api.KinesisStreamSourceConfiguration{KinesisStreamARN: k.Stream, RoleARN: k.Role}
	}
	if e := p.DeliveryStreamEncryptionConfigurationInput; e != nil {
		in.DeliveryStreamEncryptionConfigurationInput = &api.DeliveryStreamEncryptionConfigurationInput{KeyType: e.KeyType, KeyARN: e.Key}
	}
	_, err := run[api.CreateDeliveryStreamOutput](ctx, s, "CreateDeliveryStream", in)
	if c.Retry && service.Code(err) == codeInUse {
		err = nil // by an earlier try of this step
	}
	return s.resource(ctx, in.DeliveryStreamName), err
}

func (s *Service) updateResource(ctx context.Context, c service.ResourceCall, old, p *streamProperties) (service.Resource, error) {
	now, err := run[api.DescribeDeliveryStreamOutput](ctx, s, "DescribeDeliveryStream", &api.DescribeDeliveryStreamInput{DeliveryStreamName: c.PhysicalID})
	if err != nil {
		return service.Resource{}, err
	}
	update, err := p.update()
	if err != nil {
		return service.Resource{}, err
	}
	update.DeliveryStreamName, update.CurrentDeliveryStreamVersionId, update.DestinationId = c.PhysicalID, now.DeliveryStreamDescription.VersionId, destinationID
	if _, err := run[api.UpdateDestinationOutput](ctx, s, "UpdateDestination", update); err != nil {
		return service.Resource{}, err
	}
	if err := s.updateEncryption(ctx, c.PhysicalID, old, p); err != nil {
		return service.Resource{}, err
	}
	return s.resource(ctx, c.PhysicalID), s.updateTags(ctx, c, old, p)
}

// update returns the update to the destination that the properties name, with all its members.
func (p *streamProperties) update() (*api.UpdateDestinationInput, error) {
	d := newDestination(p.S3DestinationConfiguration.api(), p.ExtendedS3DestinationConfiguration.api())
	if e := p.HTTPEndpointDestinationConfiguration.api(); e != nil && d == nil {
		update := &api.HttpEndpointDestinationUpdate{S3Update: &api.S3DestinationUpdate{}}
		whole, bucket := newEndpoint(e)
		return &api.UpdateDestinationInput{HttpEndpointDestinationUpdate: update}, errors.Join(overlay(update, whole), overlay(update.S3Update, bucket))
	} else if d == nil || e != nil {
		return nil, invalid("Exactly one destination configuration is supported for a Firehose.")
	}
	update := &api.ExtendedS3DestinationUpdate{}
	if err := overlay(update, d); err != nil {
		return nil, err
	}
	if b := d.S3BackupConfiguration; b != nil {
		update.S3BackupUpdate = &api.S3DestinationUpdate{}
		if err := overlay(update.S3BackupUpdate, b); err != nil {
			return nil, err
		}
	}
	return &api.UpdateDestinationInput{ExtendedS3DestinationUpdate: update}, nil
}

func (s *Service) updateEncryption(ctx context.Context, name string, old, p *streamProperties) (err error) {
	switch e := p.DeliveryStreamEncryptionConfigurationInput; {
	case e != nil:
		_, err = run[api.StartDeliveryStreamEncryptionOutput](ctx, s, "StartDeliveryStreamEncryption", &api.StartDeliveryStreamEncryptionInput{
			DeliveryStreamName: name, DeliveryStreamEncryptionConfigurationInput: &api.DeliveryStreamEncryptionConfigurationInput{KeyType: e.KeyType, KeyARN: e.Key},
		})
	case old.DeliveryStreamEncryptionConfigurationInput != nil:
		_, err = run[api.StopDeliveryStreamEncryptionOutput](ctx, s, "StopDeliveryStreamEncryption", &api.StopDeliveryStreamEncryptionInput{DeliveryStreamName: name})
	}
	return err
}

func (s *Service) updateTags(ctx context.Context, c service.ResourceCall, old, p *streamProperties) error {
	return service.Retag(c.AllTags(old.Tags), c.AllTags(p.Tags), func(keys []string) error {
		_, err := run[api.UntagDeliveryStreamOutput](ctx, s, "UntagDeliveryStream", &api.UntagDeliveryStreamInput{DeliveryStreamName: c.PhysicalID, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := run[api.TagDeliveryStreamOutput](ctx, s, "TagDeliveryStream", &api.TagDeliveryStreamInput{DeliveryStreamName: c.PhysicalID, Tags: tagsOf(tags)})
		return err
	})
}

func (s *Service) deleteResource(ctx context.Context, c service.ResourceCall, _ *streamProperties) error {
	_, err := run[api.DeleteDeliveryStreamOutput](ctx, s, "DeleteDeliveryStream", &api.DeleteDeliveryStreamInput{DeliveryStreamName: c.PhysicalID})
	return service.Unless(err, codeNotFound)
}
