package logs

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// subscriptionProperties are the properties of AWS::Logs::SubscriptionFilter
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-subscriptionfilter.html).
type subscriptionProperties struct {
	FilterName             *string  `cfn:"FilterName,createOnly"`
	LogGroupName           string   `cfn:"LogGroupName,required,createOnly"`
	FilterPattern          string   `cfn:"FilterPattern,required"`
	DestinationArn         string   `cfn:"DestinationArn,required"`
	RoleArn                *string  `cfn:"RoleArn"`
	Distribution           *string  `cfn:"Distribution"`
	ApplyOnTransformedLogs *bool    `cfn:"ApplyOnTransformedLogs"`
	FieldSelectionCriteria *string  `cfn:"FieldSelectionCriteria"`
	EmitSystemFields       []string `cfn:"EmitSystemFields"`
}

// policyProperties are the properties of AWS::Logs::ResourcePolicy.
type policyProperties struct {
	PolicyName     string `cfn:"PolicyName,required,createOnly"`
	PolicyDocument string `cfn:"PolicyDocument,required"`
}

func (l *Logs) subscriptionTypes() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::Logs::SubscriptionFilter", service.ResourceSpec[subscriptionProperties]{
			Create: l.createSubscriptionResource, Update: l.updateSubscriptionResource, Delete: l.deleteSubscriptionResource,
			Identifier: []string{"FilterName", "LogGroupName"}, Read: l.readSubscriptionResource, List: l.listSubscriptionResources, ListBy: []string{"LogGroupName"},
			Missing: []string{"ResourceNotFoundException"},
		}),
		service.NewResourceType("AWS::Logs::ResourcePolicy", service.ResourceSpec[policyProperties]{
			Create: l.putPolicyResource, Update: func(ctx context.Context, c service.ResourceCall, _, p *policyProperties) (service.Resource, error) {
				return l.putPolicyResource(ctx, c, p)
			}, Delete: l.deletePolicyResource,
			Identifier: []string{"PolicyName"}, Read: l.readPolicyResource, List: l.listPolicyResources, Missing: []string{"ResourceNotFoundException"},
		}),
	}
}

func (l *Logs) createSubscriptionResource(ctx context.Context, c service.ResourceCall, p *subscriptionProperties) (service.Resource, error) {
	name := c.Name(512, nil)
	if p.FilterName != nil {
		name = *p.FilterName
	}
	return l.putSubscriptionResource(ctx, name, p)
}

func (l *Logs) updateSubscriptionResource(ctx context.Context, c service.ResourceCall, _, p *subscriptionProperties) (service.Resource, error) {
	return l.putSubscriptionResource(ctx, c.PhysicalID, p)
}

func (l *Logs) putSubscriptionResource(ctx context.Context, name string, p *subscriptionProperties) (service.Resource, error) {
	err := l.call(ctx, "PutSubscriptionFilter", &api.PutSubscriptionFilterInput{
		LogGroupName: p.LogGroupName, FilterName: name, FilterPattern: p.FilterPattern, DestinationArn: p.DestinationArn, RoleArn: p.RoleArn, Distribution: opt.Value(p.Distribution),
		ApplyOnTransformedLogs: p.ApplyOnTransformedLogs, FieldSelectionCriteria: p.FieldSelectionCriteria, EmitSystemFields: p.EmitSystemFields,
	})
	return service.Resource{PhysicalID: name}, err
}

func (l *Logs) deleteSubscriptionResource(ctx context.Context, c service.ResourceCall, p *subscriptionProperties) error {
	return service.Unless(l.call(ctx, "DeleteSubscriptionFilter", &api.DeleteSubscriptionFilterInput{LogGroupName: p.LogGroupName, FilterName: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Logs) readSubscriptionResource(ctx context.Context, id service.Identifier) (*subscriptionProperties, service.Resource, error) {
	out, err := ask[api.DescribeSubscriptionFiltersOutput](ctx, l, "DescribeSubscriptionFilters", &api.DescribeSubscriptionFiltersInput{LogGroupName: id[1], FilterNamePrefix: &id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	// The first filter with the prefix is the one that is the prefix, if it is there.
	if len(out.SubscriptionFilters) == 0 || opt.Value(out.SubscriptionFilters[0].FilterName) != id[0] {
		return nil, service.Resource{}, service.ErrGone
	}
	return reshape.To[subscriptionProperties](out.SubscriptionFilters[0]), service.Resource{PhysicalID: id[0]}, nil
}

func (l *Logs) listSubscriptionResources(ctx context.Context, p *subscriptionProperties, next string) (service.Page, error) {
	out, err := ask[api.DescribeSubscriptionFiltersOutput](ctx, l, "DescribeSubscriptionFilters", &api.DescribeSubscriptionFiltersInput{LogGroupName: p.LogGroupName, NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.SubscriptionFilters, out.NextToken, func(f *api.SubscriptionFilter) service.Identifier {
		return service.Identifier{opt.Value(f.FilterName), p.LogGroupName}
	}), nil
}

func (l *Logs) putPolicyResource(ctx context.Context, _ service.ResourceCall, p *policyProperties) (service.Resource, error) {
	err := l.call(ctx, "PutResourcePolicy", &api.PutResourcePolicyInput{PolicyName: &p.PolicyName, PolicyDocument: &p.PolicyDocument})
	return service.Resource{PhysicalID: p.PolicyName}, err
}

func (l *Logs) deletePolicyResource(ctx context.Context, c service.ResourceCall, _ *policyProperties) error {
	return service.Unless(l.call(ctx, "DeleteResourcePolicy", &api.DeleteResourcePolicyInput{PolicyName: &c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Logs) readPolicyResource(ctx context.Context, id service.Identifier) (*policyProperties, service.Resource, error) {
	out, err := ask[api.DescribeResourcePoliciesOutput](ctx, l, "DescribeResourcePolicies", &api.DescribeResourcePoliciesInput{})
	if err != nil {
		return nil, service.Resource{}, err
	}
	for _, p := range out.ResourcePolicies {
		if opt.Value(p.PolicyName) == id[0] {
			return reshape.To[policyProperties](p), service.Resource{PhysicalID: id[0]}, nil
		}
	}
	return nil, service.Resource{}, service.ErrGone
}

func (l *Logs) listPolicyResources(ctx context.Context, _ *policyProperties, next string) (service.Page, error) {
	out, err := ask[api.DescribeResourcePoliciesOutput](ctx, l, "DescribeResourcePolicies", &api.DescribeResourcePoliciesInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.ResourcePolicies, out.NextToken, func(p *api.ResourcePolicy) service.Identifier { return service.Identifier{opt.Value(p.PolicyName)} }), nil
}
