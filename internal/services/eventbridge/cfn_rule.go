package eventbridge

import (
	"context"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// ruleProperties are the properties of AWS::Events::Rule
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-events-rule.html).
type ruleProperties struct {
	Name               *string               `cfn:"Name,createOnly"`
	EventBusName       *string               `cfn:"EventBusName,createOnly"`
	Description        *string               `cfn:"Description"`
	EventPattern       any                   `cfn:"EventPattern"`
	ScheduleExpression *string               `cfn:"ScheduleExpression"`
	State              *string               `cfn:"State"`
	RoleArn            *string               `cfn:"RoleArn"`
	Tags               []service.TagProperty `cfn:"Tags"`
	Targets            []targetProperty      `cfn:"Targets,unordered"`
}

// targetProperty is a target of a rule. Parameters of targets that rules do not reach here are not among its members.
type targetProperty struct {
	ID                string               `cfn:"Id,required"`
	Arn               string               `cfn:"Arn,required"`
	RoleArn           *string              `cfn:"RoleArn"`
	Input             *string              `cfn:"Input"`
	InputPath         *string              `cfn:"InputPath"`
	InputTransformer  *transformerProperty `cfn:"InputTransformer"`
	KinesisParameters *kinesisProperty     `cfn:"KinesisParameters"`
	SqsParameters     *sqsProperty         `cfn:"SqsParameters"`
	HTTPParameters    *httpProperty        `cfn:"HttpParameters"`
	DeadLetterConfig  *deadLetterProperty  `cfn:"DeadLetterConfig"`
	RetryPolicy       *retryProperty       `cfn:"RetryPolicy"`
}

type transformerProperty struct {
	InputPathsMap map[string]string `cfn:"InputPathsMap"`
	InputTemplate string            `cfn:"InputTemplate,required"`
}

type kinesisProperty struct {
	PartitionKeyPath string `cfn:"PartitionKeyPath,required"`
}

type sqsProperty struct {
	MessageGroupID *string `cfn:"MessageGroupId"`
}

type httpProperty struct {
	HeaderParameters      map[string]string `cfn:"HeaderParameters"`
	PathParameterValues   []string          `cfn:"PathParameterValues"`
	QueryStringParameters map[string]string `cfn:"QueryStringParameters"`
}

type retryProperty struct {
	MaximumEventAgeInSeconds *int32 `cfn:"MaximumEventAgeInSeconds"`
	MaximumRetryAttempts     *int32 `cfn:"MaximumRetryAttempts"`
}

func (p *targetProperty) target() api.Target {
	t := api.Target{Id: p.ID, Arn: p.Arn, RoleArn: p.RoleArn, Input: p.Input, InputPath: p.InputPath, DeadLetterConfig: p.DeadLetterConfig.config()}
	if x := p.InputTransformer; x != nil {
		t.InputTransformer = &api.InputTransformer{InputPathsMap: x.InputPathsMap, InputTemplate: x.InputTemplate}
	}
	if x := p.KinesisParameters; x != nil {
		t.KinesisParameters = &api.KinesisParameters{PartitionKeyPath: x.PartitionKeyPath}
	}
	if x := p.SqsParameters; x != nil {
		t.SqsParameters = &api.SqsParameters{MessageGroupId: x.MessageGroupID}
	}
	if x := p.HTTPParameters; x != nil {
		t.HttpParameters = &api.HttpParameters{HeaderParameters: x.HeaderParameters, PathParameterValues: x.PathParameterValues, QueryStringParameters: x.QueryStringParameters}
	}
	if x := p.RetryPolicy; x != nil {
		t.RetryPolicy = &api.RetryPolicy{MaximumEventAgeInSeconds: x.MaximumEventAgeInSeconds, MaximumRetryAttempts: x.MaximumRetryAttempts}
	}
	return t
}

func (s *Service) createRuleResource(ctx context.Context, c service.ResourceCall, p *ruleProperties) (service.Resource, error) {
	name := c.Name(64, nil)
	if p.Name != nil {
		name = *p.Name
	}
	if !c.Retry {
		// PutRule changes a rule that is there.
		in := &api.DescribeRuleInput{Name: name, EventBusName: p.EventBusName}
		if _, err := call[api.DescribeRuleOutput](ctx, s, "DescribeRule", in); err == nil {
			return service.Resource{}, exists("A rule named %s exists already. Choose another name, or leave Name out.", name)
		}
	}
	return s.setRule(ctx, c, name, nil, p)
}

// setRule puts a rule with its targets.
func (s *Service) setRule(ctx context.Context, c service.ResourceCall, name string, old, p *ruleProperties) (service.Resource, error) {
	pattern, err := document(p.EventPattern)
	if err != nil {
		return service.Resource{}, err
	}
	at, bus := busNamed(ctx, p.EventBusName)
	arn := at.ruleARN(bus, name)
	out := service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": arn}}
	if bus != defaultBus {
		out.PhysicalID = bus + "|" + name
	}
	_, err = call[api.PutRuleOutput](ctx, s, "PutRule", &api.PutRuleInput{
		Name: name, EventBusName: p.EventBusName, Description: p.Description, EventPattern: pattern, ScheduleExpression: p.ScheduleExpression, State: opt.Value(p.State), RoleArn: p.RoleArn,
		Tags: tagList(c.UserTags(p.Tags)),
	})
	if err != nil {
		return out, err
	}
	if old != nil {
		if err := s.removeOldTargets(ctx, name, old, p); err != nil {
			return out, err
		}
		if err := s.retag(ctx, arn, c.UserTags(old.Tags), c.UserTags(p.Tags)); err != nil {
			return out, err
		}
	}
	if len(p.Targets) == 0 {
		return out, nil
	}
	in := &api.PutTargetsInput{Rule: name, EventBusName: p.EventBusName}
	for i := range p.Targets {
		in.Targets = append(in.Targets, p.Targets[i].target())
	}
	_, err = call[api.PutTargetsOutput](ctx, s, "PutTargets", in)
	return out, err
}

// removeOldTargets removes the targets that a rule no longer has.
func (s *Service) removeOldTargets(ctx context.Context, name string, old, p *ruleProperties) error {
	var gone []string
	for _, t := range old.Targets {
		kept := false
		for _, have := range p.Targets {
			kept = kept || have.ID == t.ID
		}
		if !kept {
			gone = append(gone, t.ID)
		}
	}
	if gone == nil {
		return nil
	}
	_, err := call[api.RemoveTargetsOutput](ctx, s, "RemoveTargets", &api.RemoveTargetsInput{Rule: name, EventBusName: p.EventBusName, Ids: gone})
	return err
}

// ruleName returns the name in the physical id of a rule.
func ruleName(id string) string {
	if _, name, ok := strings.Cut(id, "|"); ok {
		return name
	}
	return id
}

func (s *Service) updateRuleResource(ctx context.Context, c service.ResourceCall, old, p *ruleProperties) (service.Resource, error) {
	return s.setRule(ctx, c, ruleName(c.PhysicalID), old, p)
}

func (s *Service) deleteRuleResource(ctx context.Context, c service.ResourceCall, p *ruleProperties) error {
	name := ruleName(c.PhysicalID)
	now, err := call[api.ListTargetsByRuleOutput](ctx, s, "ListTargetsByRule", &api.ListTargetsByRuleInput{Rule: name, EventBusName: p.EventBusName})
	if err != nil {
		return service.Unless(err, codeNotFound)
	}
	if len(now.Targets) > 0 {
		in := &api.RemoveTargetsInput{Rule: name, EventBusName: p.EventBusName}
		for _, t := range now.Targets {
			in.Ids = append(in.Ids, t.Id)
		}
		if _, err := call[api.RemoveTargetsOutput](ctx, s, "RemoveTargets", in); err != nil {
			return service.Unless(err, codeNotFound)
		}
	}
	_, err = call[api.DeleteRuleOutput](ctx, s, "DeleteRule", &api.DeleteRuleInput{Name: name, EventBusName: p.EventBusName})
	return service.Unless(err, codeNotFound)
}
