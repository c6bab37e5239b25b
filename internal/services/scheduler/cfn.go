package scheduler

import (
	"context"
	"maps"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/scheduler"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// scheduleProperties are the properties of AWS::Scheduler::Schedule
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-scheduler-schedule.html).
type scheduleProperties struct {
	Name                       *string        `cfn:"Name,createOnly"`
	GroupName                  *string        `cfn:"GroupName"`
	Description                *string        `cfn:"Description"`
	ScheduleExpression         string         `cfn:"ScheduleExpression,required"`
	ScheduleExpressionTimezone *string        `cfn:"ScheduleExpressionTimezone"`
	StartDate                  *string        `cfn:"StartDate"`
	EndDate                    *string        `cfn:"EndDate"`
	State                      *string        `cfn:"State"`
	KmsKeyArn                  *string        `cfn:"KmsKeyArn"`
	FlexibleTimeWindow         windowProperty `cfn:"FlexibleTimeWindow,required"`
	Target                     targetProperty `cfn:"Target,required"`
}

type windowProperty struct {
	Mode                   string `cfn:"Mode,required"`
	MaximumWindowInMinutes *int32 `cfn:"MaximumWindowInMinutes"`
}

type targetProperty struct {
	Arn              string  `cfn:"Arn,required"`
	RoleArn          string  `cfn:"RoleArn,required"`
	Input            *string `cfn:"Input"`
	DeadLetterConfig *struct {
		Arn *string `cfn:"Arn"`
	} `cfn:"DeadLetterConfig"`
	RetryPolicy *struct {
		MaximumEventAgeInSeconds *int32 `cfn:"MaximumEventAgeInSeconds"`
		MaximumRetryAttempts     *int32 `cfn:"MaximumRetryAttempts"`
	} `cfn:"RetryPolicy"`
	EventBridgeParameters *struct {
		DetailType string `cfn:"DetailType,required"`
		Source     string `cfn:"Source,required"`
	} `cfn:"EventBridgeParameters"`
	KinesisParameters *struct {
		PartitionKey string `cfn:"PartitionKey,required"`
	} `cfn:"KinesisParameters"`
	SqsParameters *struct {
		MessageGroupID *string `cfn:"MessageGroupId"`
	} `cfn:"SqsParameters"`
}

func (p *targetProperty) target() *api.Target {
	t := &api.Target{Arn: p.Arn, RoleArn: p.RoleArn, Input: p.Input}
	if x := p.DeadLetterConfig; x != nil {
		t.DeadLetterConfig = &api.DeadLetterConfig{Arn: x.Arn}
	}
	if x := p.RetryPolicy; x != nil {
		t.RetryPolicy = &api.RetryPolicy{MaximumEventAgeInSeconds: x.MaximumEventAgeInSeconds, MaximumRetryAttempts: x.MaximumRetryAttempts}
	}
	if x := p.EventBridgeParameters; x != nil {
		t.EventBridgeParameters = &api.EventBridgeParameters{DetailType: x.DetailType, Source: x.Source}
	}
	if x := p.KinesisParameters; x != nil {
		t.KinesisParameters = &api.KinesisParameters{PartitionKey: x.PartitionKey}
	}
	if x := p.SqsParameters; x != nil {
		t.SqsParameters = &api.SqsParameters{MessageGroupId: x.MessageGroupID}
	}
	return t
}

// groupProperties are the properties of AWS::Scheduler::ScheduleGroup.
type groupProperties struct {
	Name *string               `cfn:"Name,createOnly"`
	Tags []service.TagProperty `cfn:"Tags"`
}

func (s *Service) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::Scheduler::Schedule", service.ResourceSpec[scheduleProperties]{
			Attributes: []string{"Arn"},
			Create:     s.createScheduleResource, Update: s.updateScheduleResource, Delete: s.deleteScheduleResource,
			Identifier: []string{"Name"}, Read: s.readScheduleResource, Reread: s.rereadScheduleResource, Missing: []string{codeNotFound},
		}),
		service.NewResourceType("AWS::Scheduler::ScheduleGroup", service.ResourceSpec[groupProperties]{
			Attributes: []string{"Arn", "CreationDate", "LastModificationDate", "State"},
			Create:     s.createGroupResource, Update: s.updateGroupResource, Delete: s.deleteGroupResource,
			Identifier: []string{"Name"}, Read: s.readGroupResource, List: s.listGroupResources, Missing: []string{codeNotFound},
		}),
	}
}

func call[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, s.deps.Door, "scheduler", operation, in)
}

// date reads a date property.
func date(name string, text *string) (*time.Time, error) {
	if text == nil {
		return nil, nil
	}
	t, err := time.Parse(time.RFC3339, *text)
	if err != nil {
		return nil, invalid("%s must be a time in the form 2026-12-24T18:00:00Z, and is %q.", name, *text)
	}
	return &t, nil
}

// wanted returns the call that makes a schedule as a template says.
func (p *scheduleProperties) wanted(name string) (*api.CreateScheduleInput, error) {
	start, err := date("StartDate", p.StartDate)
	if err != nil {
		return nil, err
	}
	end, err := date("EndDate", p.EndDate)
	return &api.CreateScheduleInput{
		Name: name, GroupName: p.GroupName, Description: p.Description, ScheduleExpression: p.ScheduleExpression, ScheduleExpressionTimezone: p.ScheduleExpressionTimezone,
		StartDate: start, EndDate: end, State: opt.Value(p.State), KmsKeyArn: p.KmsKeyArn, Target: p.Target.target(),
		FlexibleTimeWindow: &api.FlexibleTimeWindow{Mode: p.FlexibleTimeWindow.Mode, MaximumWindowInMinutes: p.FlexibleTimeWindow.MaximumWindowInMinutes},
	}, err
}

func (s *Service) createScheduleResource(ctx context.Context, c service.ResourceCall, p *scheduleProperties) (service.Resource, error) {
	name := c.Name(64, nil)
	if p.Name != nil {
		name = *p.Name
	}
	in, err := p.wanted(name)
	if err != nil {
		return service.Resource{}, err
	}
	in.ClientToken = &c.Token
	out, err := call[api.CreateScheduleOutput](ctx, s, "CreateSchedule", in)
	if err != nil {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": out.ScheduleArn}}, nil
}

// updateScheduleResource changes a schedule. One that goes to another group is made there first.
func (s *Service) updateScheduleResource(ctx context.Context, c service.ResourceCall, old, p *scheduleProperties) (service.Resource, error) {
	if groupName(old.GroupName) != groupName(p.GroupName) {
		p.Name = &c.PhysicalID
		r, err := s.createScheduleResource(ctx, c, p)
		if err != nil {
			return r, err
		}
		return r, s.deleteScheduleResource(ctx, c, old)
	}
	in, err := p.wanted(c.PhysicalID)
	if err != nil {
		return service.Resource{}, err
	}
	out, err := call[api.UpdateScheduleOutput](ctx, s, "UpdateSchedule", &api.UpdateScheduleInput{
		Name: in.Name, GroupName: in.GroupName, Description: in.Description, ScheduleExpression: in.ScheduleExpression, ScheduleExpressionTimezone: in.ScheduleExpressionTimezone,
		StartDate: in.StartDate, EndDate: in.EndDate, State: in.State, KmsKeyArn: in.KmsKeyArn, Target: in.Target, FlexibleTimeWindow: in.FlexibleTimeWindow,
	})
	if err != nil {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: c.PhysicalID, Attributes: map[string]any{"Arn": out.ScheduleArn}}, nil
}

func (s *Service) deleteScheduleResource(ctx context.Context, c service.ResourceCall, p *scheduleProperties) error {
	_, err := call[api.DeleteScheduleOutput](ctx, s, "DeleteSchedule", &api.DeleteScheduleInput{Name: c.PhysicalID, GroupName: p.GroupName})
	return service.Unless(err, codeNotFound)
}

func tagList(tags map[string]string) []api.Tag {
	out := make([]api.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: k, Value: tags[k]})
	}
	return out
}

func (s *Service) createGroupResource(ctx context.Context, c service.ResourceCall, p *groupProperties) (service.Resource, error) {
	name := c.Name(64, nil)
	if p.Name != nil {
		name = *p.Name
	}
	if _, err := call[api.CreateScheduleGroupOutput](ctx, s, "CreateScheduleGroup", &api.CreateScheduleGroupInput{Name: name, ClientToken: &c.Token, Tags: tagList(c.UserTags(p.Tags))}); err != nil {
		return service.Resource{}, err
	}
	return s.groupResource(ctx, name)
}

func (s *Service) groupResource(ctx context.Context, name string) (service.Resource, error) {
	g, err := call[api.GetScheduleGroupOutput](ctx, s, "GetScheduleGroup", &api.GetScheduleGroupInput{Name: name})
	if err != nil {
		return service.Resource{}, err
	}
	return service.Resource{PhysicalID: name, Attributes: map[string]any{
		"Arn": *g.Arn, "CreationDate": g.CreationDate.Format(time.RFC3339), "LastModificationDate": g.LastModificationDate.Format(time.RFC3339), "State": g.State,
	}}, nil
}

func (s *Service) updateGroupResource(ctx context.Context, c service.ResourceCall, old, p *groupProperties) (service.Resource, error) {
	arn := placeOf(ctx).groupARN(c.PhysicalID)
	err := service.Retag(c.UserTags(old.Tags), c.UserTags(p.Tags), func(keys []string) error {
		_, err := call[api.UntagResourceOutput](ctx, s, "UntagResource", &api.UntagResourceInput{ResourceArn: arn, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[api.TagResourceOutput](ctx, s, "TagResource", &api.TagResourceInput{ResourceArn: arn, Tags: tagList(tags)})
		return err
	})
	if err != nil {
		return service.Resource{}, err
	}
	return s.groupResource(ctx, c.PhysicalID)
}

func (s *Service) deleteGroupResource(ctx context.Context, c service.ResourceCall, _ *groupProperties) error {
	_, err := call[api.DeleteScheduleGroupOutput](ctx, s, "DeleteScheduleGroup", &api.DeleteScheduleGroupInput{Name: c.PhysicalID})
	return service.Unless(err, codeNotFound)
}
