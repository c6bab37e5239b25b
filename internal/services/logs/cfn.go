package logs

import (
	"context"
	"maps"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// tag is an element of a Tags property.
type tag struct {
	Key   string `cfn:"Key,required"`
	Value string `cfn:"Value,required"`
}

// groupProperties are the properties of AWS::Logs::LogGroup.
type groupProperties struct {
	LogGroupName              *string `cfn:"LogGroupName,createOnly"`
	LogGroupClass             *string `cfn:"LogGroupClass"`
	KmsKeyId                  *string `cfn:"KmsKeyId"`
	RetentionInDays           *int32  `cfn:"RetentionInDays"`
	DeletionProtectionEnabled *bool   `cfn:"DeletionProtectionEnabled"`
	ResourcePolicyDocument    any     `cfn:"ResourcePolicyDocument"`
	Tags                      []tag   `cfn:"Tags"`
}

// streamProperties are the properties of AWS::Logs::LogStream.
type streamProperties struct {
	LogGroupName  string  `cfn:"LogGroupName,required,createOnly"`
	LogStreamName *string `cfn:"LogStreamName,createOnly"`
}

func (l *Logs) resources() []service.ResourceType {
	return append(append(l.subscriptionTypes(), l.deliveryTypes()...), l.destinationType(), l.metricFilterType(), l.queryDefinitionType(), l.accountPolicyType(), l.transformerType(), l.scheduledQueryType(), l.anomalyDetectorType(),
		service.NewResourceType("AWS::Logs::LogGroup", service.ResourceSpec[groupProperties]{
			Attributes: []string{"Arn"},
			Create:     l.createGroupResource, Update: l.updateGroupResource, Delete: l.deleteGroupResource,
			Identifier: []string{"LogGroupName"}, Read: l.readGroupResource, List: l.listGroupResources, Missing: []string{"ResourceNotFoundException"},
		}),
		service.NewResourceType("AWS::Logs::LogStream", service.ResourceSpec[streamProperties]{
			Create: l.createStreamResource, Delete: l.deleteStreamResource,
			Identifier: []string{"LogGroupName", "LogStreamName"}, Read: l.readStreamResource, List: l.listStreamResources, ListBy: []string{"LogGroupName"}, Missing: []string{"ResourceNotFoundException"},
		}),
	)
}

func (l *Logs) call(ctx context.Context, operation string, in any) error {
	_, err := l.deps.Door.Call(ctx, "logs", operation, in)
	return err
}

func (l *Logs) createGroupResource(ctx context.Context, c service.ResourceCall, p *groupProperties) (service.Resource, error) {
	name := c.Name(512, nil)
	if p.LogGroupName != nil {
		name = *p.LogGroupName
	}
	in := &api.CreateLogGroupInput{LogGroupName: name, KmsKeyId: p.KmsKeyId, Tags: tagsOf(c, p.Tags), DeletionProtectionEnabled: p.DeletionProtectionEnabled}
	if p.LogGroupClass != nil {
		in.LogGroupClass = *p.LogGroupClass
	}
	if err := l.call(ctx, "CreateLogGroup", in); err != nil {
		return service.Resource{}, err
	}
	if err := l.setRetention(ctx, name, p.RetentionInDays); err != nil {
		return service.Resource{}, err
	}
	if p.ResourcePolicyDocument != nil {
		return groupResource(ctx, name), l.setGroupPolicy(ctx, name, p.ResourcePolicyDocument)
	}
	return groupResource(ctx, name), nil
}

func (l *Logs) setRetention(ctx context.Context, name string, days *int32) error {
	if days == nil {
		return l.call(ctx, "DeleteRetentionPolicy", &api.DeleteRetentionPolicyInput{LogGroupName: name})
	}
	return l.call(ctx, "PutRetentionPolicy", &api.PutRetentionPolicyInput{LogGroupName: name, RetentionInDays: *days})
}

func (l *Logs) updateGroupResource(ctx context.Context, c service.ResourceCall, old, p *groupProperties) (service.Resource, error) {
	if err := l.setRetention(ctx, c.PhysicalID, p.RetentionInDays); err != nil {
		return service.Resource{}, err
	}
	if opt.Value(old.DeletionProtectionEnabled) != opt.Value(p.DeletionProtectionEnabled) {
		in := &api.PutLogGroupDeletionProtectionInput{LogGroupIdentifier: c.PhysicalID, DeletionProtectionEnabled: opt.Value(p.DeletionProtectionEnabled)}
		if err := l.call(ctx, "PutLogGroupDeletionProtection", in); err != nil {
			return service.Resource{}, err
		}
	}
	if p.ResourcePolicyDocument != nil || old.ResourcePolicyDocument != nil {
		if err := l.setGroupPolicy(ctx, c.PhysicalID, p.ResourcePolicyDocument); err != nil {
			return service.Resource{}, err
		}
	}
	err := l.setTags(ctx, groupARN(scopeOf(ctx), c.PhysicalID), tagsOf(c, old.Tags), tagsOf(c, p.Tags))
	return groupResource(ctx, c.PhysicalID), err
}

// setTags makes the tags of a resource those that a template wants instead of old.
func (l *Logs) setTags(ctx context.Context, arn string, old, tags map[string]string) error {
	var gone []string
	for k := range old {
		if _, ok := tags[k]; !ok {
			gone = append(gone, k)
		}
	}
	if gone != nil {
		if err := l.call(ctx, "UntagResource", &api.UntagResourceInput{ResourceArn: arn, TagKeys: gone}); err != nil {
			return err
		}
	}
	if len(tags) == 0 {
		return nil
	}
	return l.call(ctx, "TagResource", &api.TagResourceInput{ResourceArn: arn, Tags: tags})
}

func (l *Logs) deleteGroupResource(ctx context.Context, c service.ResourceCall, _ *groupProperties) error {
	return service.Unless(l.call(ctx, "DeleteLogGroup", &api.DeleteLogGroupInput{LogGroupName: c.PhysicalID}), "ResourceNotFoundException")
}

func groupResource(ctx context.Context, name string) service.Resource {
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": groupARN(scopeOf(ctx), name) + ":*"}}
}

func tagsOf(c service.ResourceCall, own []tag) map[string]string {
	out := make(map[string]string, len(own)+len(c.Tags))
	maps.Copy(out, c.Tags)
	for _, t := range own {
		out[t.Key] = t.Value
	}
	return out
}

func (l *Logs) createStreamResource(ctx context.Context, c service.ResourceCall, p *streamProperties) (service.Resource, error) {
	name := c.Name(512, nil)
	if p.LogStreamName != nil {
		name = *p.LogStreamName
	}
	err := l.call(ctx, "CreateLogStream", &api.CreateLogStreamInput{LogGroupName: p.LogGroupName, LogStreamName: name})
	return service.Resource{PhysicalID: name}, err
}

func (l *Logs) deleteStreamResource(ctx context.Context, c service.ResourceCall, p *streamProperties) error {
	return service.Unless(l.call(ctx, "DeleteLogStream", &api.DeleteLogStreamInput{LogGroupName: p.LogGroupName, LogStreamName: c.PhysicalID}), "ResourceNotFoundException")
}
