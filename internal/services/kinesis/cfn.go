package kinesis

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/service"
)

// streamProperties are the properties of AWS::Kinesis::Stream
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-kinesis-stream.html).
type streamProperties struct {
	Name                     *string               `cfn:"Name,createOnly"`
	ShardCount               *int32                `cfn:"ShardCount"`
	StreamModeDetails        *modeProperty         `cfn:"StreamModeDetails"`
	RetentionPeriodHours     *int32                `cfn:"RetentionPeriodHours"`
	MaxRecordSizeInKiB       *int32                `cfn:"MaxRecordSizeInKiB"`
	WarmThroughputMiBps      *int32                `cfn:"WarmThroughputMiBps,writeOnly"`
	DesiredShardLevelMetrics []string              `cfn:"DesiredShardLevelMetrics,unordered"`
	StreamEncryption         *encryptionProperty   `cfn:"StreamEncryption"`
	Tags                     []service.TagProperty `cfn:"Tags"`
}

type modeProperty struct {
	Mode string `cfn:"StreamMode,required"`
}

type encryptionProperty struct {
	Type string `cfn:"EncryptionType,required"`
	Key  string `cfn:"KeyId,required"`
}

// consumerProperties are the properties of AWS::Kinesis::StreamConsumer.
type consumerProperties struct {
	ConsumerName string                `cfn:"ConsumerName,required,createOnly"`
	StreamARN    string                `cfn:"StreamARN,required,createOnly"`
	Tags         []service.TagProperty `cfn:"Tags"`
}

// policyProperties are the properties of AWS::Kinesis::ResourcePolicy.
type policyProperties struct {
	ResourceArn    string `cfn:"ResourceArn,required,createOnly"`
	ResourcePolicy any    `cfn:"ResourcePolicy,required"`
}

func (s *Service) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::Kinesis::Stream", service.ResourceSpec[streamProperties]{
			Attributes: []string{"Arn"},
			Create:     s.createStreamResource, Update: s.updateStreamResource, Delete: s.deleteStreamResource,
			Identifier: []string{"Name"}, Read: s.readStreamResource, List: s.listStreamResources, Missing: []string{"ResourceNotFoundException"},
		}),
		service.NewResourceType("AWS::Kinesis::StreamConsumer", service.ResourceSpec[consumerProperties]{
			Attributes: []string{"ConsumerARN", "ConsumerCreationTimestamp", "ConsumerName", "ConsumerStatus", "StreamARN"},
			Create:     s.createConsumerResource, Update: s.updateConsumerResource, Delete: s.deleteConsumerResource,
			Identifier: []string{"ConsumerARN"}, Read: s.readConsumerResource, List: s.listConsumerResources, ListBy: []string{"StreamARN"}, Missing: []string{"ResourceNotFoundException"},
		}),
		service.NewResourceType("AWS::Kinesis::ResourcePolicy", service.ResourceSpec[policyProperties]{
			Create: s.createPolicyResource, Update: s.updatePolicyResource, Delete: s.deletePolicyResource,
			Identifier: []string{"ResourceArn"}, Read: s.readPolicyResource, Missing: []string{"ResourceNotFoundException"},
		}),
	}
}

func run[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.door, "kinesis", operation, in)
}

// maxName is the greatest length of a stream's name.
const maxName = 128

func (p *streamProperties) onDemand() bool {
	return p.StreamModeDetails != nil && p.StreamModeDetails.Mode == api.StreamModeOnDemand
}

// shards is how many shards a template asks for; nil leaves it to the mode.
func (p *streamProperties) shards() *int32 {
	if p.ShardCount == nil && !p.onDemand() {
		return new(int32(1)) // what CloudFormation makes of a stream without a count
	}
	return p.ShardCount
}

func (p *streamProperties) retention() int32 {
	if p.RetentionPeriodHours == nil {
		return minRetention
	}
	return *p.RetentionPeriodHours
}

func (s *Service) createStreamResource(ctx context.Context, c service.ResourceCall, p *streamProperties) (service.Resource, error) {
	name := c.Name(maxName, nil)
	if p.Name != nil {
		name = *p.Name
	}
	in := &api.CreateStreamInput{
		StreamName: name, ShardCount: p.shards(), Tags: c.AllTags(p.Tags), MaxRecordSizeInKiB: p.MaxRecordSizeInKiB, WarmThroughputMiBps: p.WarmThroughputMiBps,
	}
	if p.StreamModeDetails != nil {
		in.StreamModeDetails = &api.StreamModeDetails{StreamMode: p.StreamModeDetails.Mode}
	}
	_, err := run[api.CreateStreamOutput](ctx, s, "CreateStream", in)
	if c.Retry && service.Code(err) == codeInUse {
		err = nil // by an earlier try of this step
	}
	if err != nil {
		return service.Resource{}, err
	}
	c.PhysicalID = name
	fresh := &streamProperties{ShardCount: p.ShardCount, StreamModeDetails: p.StreamModeDetails, MaxRecordSizeInKiB: p.MaxRecordSizeInKiB, WarmThroughputMiBps: p.WarmThroughputMiBps, Tags: p.Tags}
	return s.updateStreamResource(ctx, c, fresh, p)
}

// updateStreamResource makes the calls by which a stream of old properties gets others.
func (s *Service) updateStreamResource(ctx context.Context, c service.ResourceCall, old, p *streamProperties) (service.Resource, error) {
	name := c.PhysicalID
	for _, step := range []func(ctx context.Context, name string, old, p *streamProperties) error{
		s.updateMode, s.updateCount, s.updateRetention, s.updateRecordSize, s.updateMetrics, s.updateEncryption,
	} {
		if err := step(ctx, name, old, p); err != nil {
			return service.Resource{}, err
		}
	}
	arn := placeOf(ctx).arn(name)
	if err := s.updateTags(ctx, arn, c.AllTags(old.Tags), c.AllTags(p.Tags)); err != nil {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": arn}}, nil
}

func (s *Service) updateMode(ctx context.Context, name string, old, p *streamProperties) error {
	mode, arn := api.StreamModeProvisioned, placeOf(ctx).arn(name)
	if p.onDemand() {
		mode = api.StreamModeOnDemand
	}
	switch warm := p.WarmThroughputMiBps; {
	case old.onDemand() != p.onDemand():
		_, err := run[api.UpdateStreamModeOutput](ctx, s, "UpdateStreamMode", &api.UpdateStreamModeInput{
			StreamARN: arn, StreamModeDetails: &api.StreamModeDetails{StreamMode: mode}, WarmThroughputMiBps: warm,
		})
		return err
	case warm != nil && (old.WarmThroughputMiBps == nil || *old.WarmThroughputMiBps != *warm):
		_, err := run[api.UpdateStreamWarmThroughputOutput](ctx, s, "UpdateStreamWarmThroughput", &api.UpdateStreamWarmThroughputInput{StreamARN: &arn, WarmThroughputMiBps: *warm})
		return err
	}
	return nil
}

// updateCount scales a stream, in steps of at most double and at least half.
func (s *Service) updateCount(ctx context.Context, name string, old, p *streamProperties) error {
	wanted := p.shards()
	if before := old.shards(); wanted == nil || p.onDemand() || !old.onDemand() && before != nil && *before == *wanted {
		return nil
	}
	for {
		now, err := run[api.DescribeStreamSummaryOutput](ctx, s, "DescribeStreamSummary", &api.DescribeStreamSummaryInput{StreamName: &name})
		if err != nil {
			return err
		}
		open := now.StreamDescriptionSummary.OpenShardCount
		if open == *wanted {
			return nil
		}
		step := max(min(*wanted, 2*open), (open+1)/2)
		if _, err := run[api.UpdateShardCountOutput](ctx, s, "UpdateShardCount", &api.UpdateShardCountInput{
			StreamName: &name, TargetShardCount: step, ScalingType: api.ScalingTypeUniformScaling,
		}); err != nil {
			return err
		}
	}
}

func (s *Service) updateRetention(ctx context.Context, name string, old, p *streamProperties) (err error) {
	switch hours := p.retention(); {
	case hours > old.retention():
		_, err = run[api.IncreaseStreamRetentionPeriodOutput](ctx, s, "IncreaseStreamRetentionPeriod", &api.IncreaseStreamRetentionPeriodInput{StreamName: &name, RetentionPeriodHours: hours})
	case hours < old.retention():
		_, err = run[api.DecreaseStreamRetentionPeriodOutput](ctx, s, "DecreaseStreamRetentionPeriod", &api.DecreaseStreamRetentionPeriodInput{StreamName: &name, RetentionPeriodHours: hours})
	}
	return err
}

func (s *Service) updateRecordSize(ctx context.Context, name string, old, p *streamProperties) error {
	size := func(p *streamProperties) int32 {
		if p.MaxRecordSizeInKiB == nil {
			return defaultRecord
		}
		return *p.MaxRecordSizeInKiB
	}
	if size(old) == size(p) {
		return nil
	}
	_, err := run[api.UpdateMaxRecordSizeOutput](ctx, s, "UpdateMaxRecordSize", &api.UpdateMaxRecordSizeInput{StreamARN: new(placeOf(ctx).arn(name)), MaxRecordSizeInKiB: size(p)})
	return err
}

func (s *Service) updateMetrics(ctx context.Context, name string, old, p *streamProperties) error {
	before, wanted := expandMetrics(old.DesiredShardLevelMetrics), expandMetrics(p.DesiredShardLevelMetrics)
	gone := slices.DeleteFunc(slices.Clone(before), func(m string) bool { return slices.Contains(wanted, m) })
	if len(gone) > 0 {
		if _, err := run[api.DisableEnhancedMonitoringOutput](ctx, s, "DisableEnhancedMonitoring", &api.DisableEnhancedMonitoringInput{StreamName: &name, ShardLevelMetrics: gone}); err != nil {
			return err
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	_, err := run[api.EnableEnhancedMonitoringOutput](ctx, s, "EnableEnhancedMonitoring", &api.EnableEnhancedMonitoringInput{StreamName: &name, ShardLevelMetrics: wanted})
	return err
}

func (s *Service) updateEncryption(ctx context.Context, name string, old, p *streamProperties) (err error) {
	switch {
	case p.StreamEncryption != nil:
		_, err = run[api.StartStreamEncryptionOutput](ctx, s, "StartStreamEncryption", &api.StartStreamEncryptionInput{
			StreamName: &name, EncryptionType: p.StreamEncryption.Type, KeyId: p.StreamEncryption.Key,
		})
	case old.StreamEncryption != nil:
		_, err = run[api.StopStreamEncryptionOutput](ctx, s, "StopStreamEncryption", &api.StopStreamEncryptionInput{
			StreamName: &name, EncryptionType: old.StreamEncryption.Type, KeyId: old.StreamEncryption.Key,
		})
	}
	return err
}

// updateTags changes the tags of a stream or a consumer.
func (s *Service) updateTags(ctx context.Context, arn string, old, tags map[string]string) error {
	return service.Retag(old, tags, func(keys []string) error {
		_, err := run[api.UntagResourceOutput](ctx, s, "UntagResource", &api.UntagResourceInput{ResourceARN: arn, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := run[api.TagResourceOutput](ctx, s, "TagResource", &api.TagResourceInput{ResourceARN: arn, Tags: tags})
		return err
	})
}

func (s *Service) deleteStreamResource(ctx context.Context, c service.ResourceCall, _ *streamProperties) error {
	_, err := run[api.DeleteStreamOutput](ctx, s, "DeleteStream", &api.DeleteStreamInput{StreamName: &c.PhysicalID, EnforceConsumerDeletion: new(true)})
	return service.Unless(err, codeNotFound)
}

func (s *Service) createConsumerResource(ctx context.Context, c service.ResourceCall, p *consumerProperties) (service.Resource, error) {
	_, err := run[api.RegisterStreamConsumerOutput](ctx, s, "RegisterStreamConsumer", &api.RegisterStreamConsumerInput{
		StreamARN: p.StreamARN, ConsumerName: p.ConsumerName, Tags: c.AllTags(p.Tags),
	})
	if c.Retry && service.Code(err) == codeInUse {
		err = nil // by an earlier try of this step
	}
	if err != nil {
		return service.Resource{}, err
	}
	return s.consumerResource(ctx, &api.DescribeStreamConsumerInput{StreamARN: &p.StreamARN, ConsumerName: &p.ConsumerName})
}

func (s *Service) consumerResource(ctx context.Context, in *api.DescribeStreamConsumerInput) (service.Resource, error) {
	out, err := run[api.DescribeStreamConsumerOutput](ctx, s, "DescribeStreamConsumer", in)
	if err != nil {
		return service.Resource{}, err
	}
	d := out.ConsumerDescription
	return service.Resource{PhysicalID: d.ConsumerARN, Attributes: map[string]any{
		"ConsumerARN": d.ConsumerARN, "ConsumerCreationTimestamp": d.ConsumerCreationTimestamp.UTC().Format(time.RFC3339), "ConsumerName": d.ConsumerName,
		"ConsumerStatus": d.ConsumerStatus, "StreamARN": d.StreamARN,
	}}, nil
}

func (s *Service) updateConsumerResource(ctx context.Context, c service.ResourceCall, old, p *consumerProperties) (service.Resource, error) {
	if err := s.updateTags(ctx, c.PhysicalID, c.AllTags(old.Tags), c.AllTags(p.Tags)); err != nil {
		return service.Resource{}, err
	}
	return s.consumerResource(ctx, &api.DescribeStreamConsumerInput{ConsumerARN: &c.PhysicalID})
}

func (s *Service) deleteConsumerResource(ctx context.Context, c service.ResourceCall, _ *consumerProperties) error {
	_, err := run[api.DeregisterStreamConsumerOutput](ctx, s, "DeregisterStreamConsumer", &api.DeregisterStreamConsumerInput{ConsumerARN: &c.PhysicalID})
	return service.Unless(err, codeNotFound)
}

func (s *Service) createPolicyResource(ctx context.Context, c service.ResourceCall, p *policyProperties) (service.Resource, error) {
	return s.updatePolicyResource(ctx, c, nil, p)
}

func (s *Service) updatePolicyResource(ctx context.Context, _ service.ResourceCall, _, p *policyProperties) (service.Resource, error) {
	text, ok := p.ResourcePolicy.(string)
	if !ok {
		b, err := json.Marshal(p.ResourcePolicy)
		if err != nil {
			return service.Resource{}, fmt.Errorf("property ResourcePolicy: %w", err)
		}
		text = string(b)
	}
	_, err := run[api.PutResourcePolicyOutput](ctx, s, "PutResourcePolicy", &api.PutResourcePolicyInput{ResourceARN: p.ResourceArn, Policy: text})
	return service.Resource{PhysicalID: p.ResourceArn}, err
}

func (s *Service) deletePolicyResource(ctx context.Context, c service.ResourceCall, _ *policyProperties) error {
	_, err := run[api.DeleteResourcePolicyOutput](ctx, s, "DeleteResourcePolicy", &api.DeleteResourcePolicyInput{ResourceARN: c.PhysicalID})
	return service.Unless(err, codeNotFound)
}
