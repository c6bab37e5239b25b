package logs

import (
	"context"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// accountPolicyProperties are the properties of AWS::Logs::AccountPolicy
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-accountpolicy.html).
type accountPolicyProperties struct {
	PolicyName        string  `cfn:"PolicyName,required,createOnly"`
	PolicyType        string  `cfn:"PolicyType,required,createOnly"`
	PolicyDocument    string  `cfn:"PolicyDocument,required"`
	Scope             *string `cfn:"Scope"`
	SelectionCriteria *string `cfn:"SelectionCriteria"`
}

func (l *Logs) accountPolicyType() service.ResourceType {
	return service.NewResourceType("AWS::Logs::AccountPolicy", service.ResourceSpec[accountPolicyProperties]{
		Attributes: []string{"AccountId"},
		Create: func(ctx context.Context, _ service.ResourceCall, p *accountPolicyProperties) (service.Resource, error) {
			return l.putAccountPolicyResource(ctx, p)
		},
		Update: func(ctx context.Context, _ service.ResourceCall, _, p *accountPolicyProperties) (service.Resource, error) {
			return l.putAccountPolicyResource(ctx, p)
		},
		Delete:     l.deleteAccountPolicyResource,
		Identifier: []string{"AccountId", "PolicyType", "PolicyName"}, Read: l.readAccountPolicyResource, List: l.listAccountPolicyResources, Missing: []string{"ResourceNotFoundException"},
	})
}

// accountPolicyResource is a policy as a resource; its id is that of AWS's type, of three parts.
func accountPolicyResource(id service.Identifier) service.Resource {
	return service.Resource{PhysicalID: strings.Join(id, "|"), Attributes: map[string]any{"AccountId": id[0]}}
}

func accountPolicyID(p api.AccountPolicy) service.Identifier {
	return service.Identifier{*p.AccountId, p.PolicyType, *p.PolicyName}
}

func (l *Logs) putAccountPolicyResource(ctx context.Context, p *accountPolicyProperties) (service.Resource, error) {
	out, err := ask[api.PutAccountPolicyOutput](ctx, l, "PutAccountPolicy", reshape.To[api.PutAccountPolicyInput](p))
	if err != nil {
		return service.Resource{}, err
	}
	return accountPolicyResource(accountPolicyID(*out.AccountPolicy)), nil
}

func (l *Logs) deleteAccountPolicyResource(ctx context.Context, _ service.ResourceCall, p *accountPolicyProperties) error {
	return service.Unless(l.call(ctx, "DeleteAccountPolicy", &api.DeleteAccountPolicyInput{PolicyType: p.PolicyType, PolicyName: p.PolicyName}), "ResourceNotFoundException")
}

func (l *Logs) readAccountPolicyResource(ctx context.Context, id service.Identifier) (*accountPolicyProperties, service.Resource, error) {
	out, err := ask[api.DescribeAccountPoliciesOutput](ctx, l, "DescribeAccountPolicies", &api.DescribeAccountPoliciesInput{PolicyType: id[1], PolicyName: &id[2]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	if len(out.AccountPolicies) == 0 || *out.AccountPolicies[0].AccountId != id[0] {
		return nil, service.Resource{}, service.ErrGone
	}
	return reshape.To[accountPolicyProperties](out.AccountPolicies[0]), accountPolicyResource(id), nil
}

func (l *Logs) listAccountPolicyResources(ctx context.Context, _ *accountPolicyProperties, _ string) (service.Page, error) {
	var all []api.AccountPolicy
	for _, kind := range slices.Sorted(maps.Keys(policyKinds)) {
		out, err := ask[api.DescribeAccountPoliciesOutput](ctx, l, "DescribeAccountPolicies", &api.DescribeAccountPoliciesInput{PolicyType: kind})
		if err != nil {
			return service.Page{}, err
		}
		all = append(all, out.AccountPolicies...)
	}
	return service.NewPage(all, nil, func(p *api.AccountPolicy) service.Identifier { return accountPolicyID(*p) }), nil
}
