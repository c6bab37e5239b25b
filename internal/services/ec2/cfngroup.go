package ec2

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

type groupProperties struct {
	GroupDescription string                `cfn:"GroupDescription,required,createOnly"`
	GroupName        *string               `cfn:"GroupName,createOnly"`
	VpcID            *string               `cfn:"VpcId,createOnly"`
	Ingress          []ruleProperties      `cfn:"SecurityGroupIngress,unordered"`
	Egress           []ruleProperties      `cfn:"SecurityGroupEgress,unordered"`
	Tags             []service.TagProperty `cfn:"Tags"`
}

// ruleProperties are those of a rule in a group of a template.
type ruleProperties struct {
	IPProtocol                 string  `cfn:"IpProtocol,required"`
	FromPort                   *int64  `cfn:"FromPort"`
	ToPort                     *int64  `cfn:"ToPort"`
	CidrIP                     *string `cfn:"CidrIp"`
	CidrIPv6                   *string `cfn:"CidrIpv6"`
	Description                *string `cfn:"Description"`
	SourcePrefixListID         *string `cfn:"SourcePrefixListId"`
	SourceSecurityGroupID      *string `cfn:"SourceSecurityGroupId"`
	SourceSecurityGroupName    *string `cfn:"SourceSecurityGroupName"`
	SourceSecurityGroupOwnerID *string `cfn:"SourceSecurityGroupOwnerId"`
	DestinationPrefixListID    *string `cfn:"DestinationPrefixListId"`
	DestinationSecurityGroupID *string `cfn:"DestinationSecurityGroupId"`
}

// ingressProperties are those of a rule that a template has on its own.
type ingressProperties struct {
	GroupID                    *string `cfn:"GroupId,createOnly"`
	GroupName                  *string `cfn:"GroupName,createOnly"`
	IPProtocol                 string  `cfn:"IpProtocol,required,createOnly"`
	FromPort                   *int64  `cfn:"FromPort,createOnly"`
	ToPort                     *int64  `cfn:"ToPort,createOnly"`
	CidrIP                     *string `cfn:"CidrIp,createOnly"`
	CidrIPv6                   *string `cfn:"CidrIpv6,createOnly"`
	Description                *string `cfn:"Description"`
	SourcePrefixListID         *string `cfn:"SourcePrefixListId,createOnly"`
	SourceSecurityGroupID      *string `cfn:"SourceSecurityGroupId,createOnly"`
	SourceSecurityGroupName    *string `cfn:"SourceSecurityGroupName,createOnly"`
	SourceSecurityGroupOwnerID *string `cfn:"SourceSecurityGroupOwnerId,createOnly"`
}

type egressProperties struct {
	GroupID                    string  `cfn:"GroupId,required,createOnly"`
	IPProtocol                 string  `cfn:"IpProtocol,required,createOnly"`
	FromPort                   *int64  `cfn:"FromPort,createOnly"`
	ToPort                     *int64  `cfn:"ToPort,createOnly"`
	CidrIP                     *string `cfn:"CidrIp,createOnly"`
	CidrIPv6                   *string `cfn:"CidrIpv6,createOnly"`
	Description                *string `cfn:"Description"`
	DestinationPrefixListID    *string `cfn:"DestinationPrefixListId,createOnly"`
	DestinationSecurityGroupID *string `cfn:"DestinationSecurityGroupId,createOnly"`
}

func (p *ingressProperties) rule() ruleProperties {
	return ruleProperties{
		IPProtocol: p.IPProtocol, FromPort: p.FromPort, ToPort: p.ToPort, CidrIP: p.CidrIP, CidrIPv6: p.CidrIPv6, Description: p.Description, SourcePrefixListID: p.SourcePrefixListID,
		SourceSecurityGroupID: p.SourceSecurityGroupID, SourceSecurityGroupName: p.SourceSecurityGroupName, SourceSecurityGroupOwnerID: p.SourceSecurityGroupOwnerID,
	}
}

func (p *egressProperties) rule() ruleProperties {
	return ruleProperties{
		IPProtocol: p.IPProtocol, FromPort: p.FromPort, ToPort: p.ToPort, CidrIP: p.CidrIP, CidrIPv6: p.CidrIPv6, Description: p.Description,
		DestinationPrefixListID: p.DestinationPrefixListID, DestinationSecurityGroupID: p.DestinationSecurityGroupID,
	}
}

// permission is the rule as a call has it.
func (p *ruleProperties) permission() api.IpPermission {
	out := api.IpPermission{IpProtocol: &p.IPProtocol, FromPort: short(p.FromPort), ToPort: short(p.ToPort)}
	if p.CidrIP != nil {
		out.IpRanges = []api.IpRange{{CidrIp: p.CidrIP, Description: p.Description}}
	}
	if p.CidrIPv6 != nil {
		out.Ipv6Ranges = []api.Ipv6Range{{CidrIpv6: p.CidrIPv6, Description: p.Description}}
	}
	if id := first(p.SourcePrefixListID, p.DestinationPrefixListID); id != nil {
		out.PrefixListIds = []api.PrefixListId{{PrefixListId: id, Description: p.Description}}
	}
	if id := first(p.SourceSecurityGroupID, p.DestinationSecurityGroupID); id != nil || p.SourceSecurityGroupName != nil {
		out.UserIdGroupPairs = []api.UserIdGroupPair{{GroupId: id, GroupName: p.SourceSecurityGroupName, UserId: p.SourceSecurityGroupOwnerID, Description: p.Description}}
	}
	return out
}

func short(n *int64) *int32 {
	if n == nil {
		return nil
	}
	return new(int32(*n))
}

func permissionsOf(list []ruleProperties) []api.IpPermission {
	var out []api.IpPermission
	for i := range list {
		out = append(out, list[i].permission())
	}
	return out
}

func (s *Service) groupTypes() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::EC2::SecurityGroup", service.ResourceSpec[groupProperties]{
			Attributes: []string{"GroupId", "Id", "VpcId"}, Create: s.createGroupResource, Update: s.updateGroupResource,
			Delete: func(ctx context.Context, c service.ResourceCall, _ *groupProperties) error {
				return remove[api.DeleteSecurityGroupOutput](ctx, s, "DeleteSecurityGroup", &api.DeleteSecurityGroupInput{GroupId: &c.PhysicalID}, groups.absent)
			},
			Identifier: []string{"Id"}, Read: s.readGroup, Missing: []string{groups.absent, groups.malformed},
			List: lists[groupProperties](s, "DescribeSecurityGroups", func(next *string) any {
				return &api.DescribeSecurityGroupsInput{NextToken: next, MaxResults: pageSize()}
			},
				func(o *api.DescribeSecurityGroupsOutput) ([]api.SecurityGroup, *string) {
					return o.SecurityGroups, o.NextToken
				}, func(v *api.SecurityGroup) service.Identifier { return only(v.GroupId) }),
		}),
		service.NewResourceType("AWS::EC2::SecurityGroupIngress", service.ResourceSpec[ingressProperties]{
			Attributes: []string{"Id"},
			Create: func(ctx context.Context, c service.ResourceCall, p *ingressProperties) (service.Resource, error) {
				r := p.rule()
				out, err := create[api.AuthorizeSecurityGroupIngressOutput](ctx, s, c, "AuthorizeSecurityGroupIngress", &api.AuthorizeSecurityGroupIngressInput{
					GroupId: p.GroupID, GroupName: p.GroupName, IpPermissions: []api.IpPermission{r.permission()},
				})
				if err != nil {
					return service.Resource{}, err
				}
				return identified(*out.SecurityGroupRules[0].SecurityGroupRuleId, "Id"), nil
			},
			Update: func(ctx context.Context, c service.ResourceCall, _, p *ingressProperties) (service.Resource, error) {
				_, err := invoke[api.UpdateSecurityGroupRuleDescriptionsIngressOutput](ctx, s, "UpdateSecurityGroupRuleDescriptionsIngress", &api.UpdateSecurityGroupRuleDescriptionsIngressInput{
					GroupId: p.GroupID, GroupName: p.GroupName, SecurityGroupRuleDescriptions: []api.SecurityGroupRuleDescription{{SecurityGroupRuleId: &c.PhysicalID, Description: p.Description}},
				})
				return identified(c.PhysicalID, "Id"), err
			},
			Delete: func(ctx context.Context, c service.ResourceCall, p *ingressProperties) error {
				return remove[api.RevokeSecurityGroupIngressOutput](ctx, s, "RevokeSecurityGroupIngress", &api.RevokeSecurityGroupIngressInput{
					GroupId: p.GroupID, GroupName: p.GroupName, SecurityGroupRuleIds: []string{c.PhysicalID},
				}, groups.absent, rules.absent)
			},
			Identifier: []string{"Id"}, Read: s.readIngress, Missing: []string{rules.absent, rules.malformed},
			List: listRules[ingressProperties](s, false),
		}),
		service.NewResourceType("AWS::EC2::SecurityGroupEgress", service.ResourceSpec[egressProperties]{
			Attributes: []string{"Id"},
			Create: func(ctx context.Context, c service.ResourceCall, p *egressProperties) (service.Resource, error) {
				r := p.rule()
				out, err := create[api.AuthorizeSecurityGroupEgressOutput](ctx, s, c, "AuthorizeSecurityGroupEgress", &api.AuthorizeSecurityGroupEgressInput{
					GroupId: p.GroupID, IpPermissions: []api.IpPermission{r.permission()},
				})
				if err != nil {
					return service.Resource{}, err
				}
				return identified(*out.SecurityGroupRules[0].SecurityGroupRuleId, "Id"), nil
			},
			Update: func(ctx context.Context, c service.ResourceCall, _, p *egressProperties) (service.Resource, error) {
				_, err := invoke[api.UpdateSecurityGroupRuleDescriptionsEgressOutput](ctx, s, "UpdateSecurityGroupRuleDescriptionsEgress", &api.UpdateSecurityGroupRuleDescriptionsEgressInput{
					GroupId: &p.GroupID, SecurityGroupRuleDescriptions: []api.SecurityGroupRuleDescription{{SecurityGroupRuleId: &c.PhysicalID, Description: p.Description}},
				})
				return identified(c.PhysicalID, "Id"), err
			},
			Delete: func(ctx context.Context, c service.ResourceCall, p *egressProperties) error {
				return remove[api.RevokeSecurityGroupEgressOutput](ctx, s, "RevokeSecurityGroupEgress", &api.RevokeSecurityGroupEgressInput{
					GroupId: p.GroupID, SecurityGroupRuleIds: []string{c.PhysicalID},
				}, groups.absent, rules.absent)
			},
			Identifier: []string{"Id"}, Read: s.readEgress, Missing: []string{rules.absent, rules.malformed},
			List: listRules[egressProperties](s, true),
		}),
	}
}

func (s *Service) createGroupResource(ctx context.Context, c service.ResourceCall, p *groupProperties) (service.Resource, error) {
	name := c.Name(255, nil)
	if p.GroupName != nil {
		name = *p.GroupName
	}
	out, err := create[api.CreateSecurityGroupOutput](ctx, s, c, "CreateSecurityGroup", &api.CreateSecurityGroupInput{
		GroupName: name, Description: p.GroupDescription, VpcId: p.VpcID, TagSpecifications: tagsFor(groups.name, c.AllTags(p.Tags)),
	})
	if err != nil {
		return service.Resource{}, err
	}
	id := *out.GroupId
	if err := s.setRules(ctx, c, id, new(groupProperties), p); err != nil {
		return service.Resource{}, err
	}
	return s.groupResource(ctx, id, p)
}

func (s *Service) updateGroupResource(ctx context.Context, c service.ResourceCall, old, p *groupProperties) (service.Resource, error) {
	if err := s.setRules(ctx, c, c.PhysicalID, old, p); err != nil {
		return service.Resource{}, err
	}
	if err := s.retag(ctx, c, c.PhysicalID, c.AllTags(old.Tags), c.AllTags(p.Tags)); err != nil {
		return service.Resource{}, err
	}
	return s.groupResource(ctx, c.PhysicalID, p)
}

// groupResource reads the attributes of a group. One without a network in the template is referred to by its name, as AWS has it.
func (s *Service) groupResource(ctx context.Context, id string, p *groupProperties) (r service.Resource, err error) {
	err = s.view(ctx, func(v *view) error {
		g, err := get(v, &groups, id)
		if err != nil {
			return err
		}
		r = service.Resource{PhysicalID: id, Attributes: map[string]any{"GroupId": id, "Id": id, "VpcId": *g.VpcId}}
		if p.VpcID == nil {
			r.Ref = *g.GroupName
		}
		return nil
	})
	return r, err
}

// anywhere is what may go out of a group whose template does not say.
func anywhere() []ruleProperties {
	return []ruleProperties{{IPProtocol: allProtocols, CidrIP: new("0.0.0.0/0")}}
}

// setRules brings the rules of a group from those of a template to those of another. Rules that the template does not name stay.
func (s *Service) setRules(ctx context.Context, c service.ResourceCall, id string, old, p *groupProperties) error {
	oldOut, newOut := old.Egress, p.Egress
	if len(oldOut) == 0 {
		oldOut = anywhere()
	}
	if len(newOut) == 0 {
		newOut = anywhere()
	}
	in, err := s.planRules(ctx, id, false, old.Ingress, p.Ingress)
	if err != nil {
		return err
	}
	out, err := s.planRules(ctx, id, true, oldOut, newOut)
	if err != nil {
		return err
	}
	if len(in.remove) > 0 {
		if _, err := invoke[api.RevokeSecurityGroupIngressOutput](ctx, s, "RevokeSecurityGroupIngress", &api.RevokeSecurityGroupIngressInput{GroupId: &id, SecurityGroupRuleIds: in.remove}); err != nil {
			return err
		}
	}
	if len(out.remove) > 0 {
		if _, err := invoke[api.RevokeSecurityGroupEgressOutput](ctx, s, "RevokeSecurityGroupEgress", &api.RevokeSecurityGroupEgressInput{GroupId: id, SecurityGroupRuleIds: out.remove}); err != nil {
			return err
		}
	}
	if len(in.add) > 0 {
		if _, err := create[api.AuthorizeSecurityGroupIngressOutput](ctx, s, c, "AuthorizeSecurityGroupIngress", &api.AuthorizeSecurityGroupIngressInput{GroupId: &id, IpPermissions: in.add}); err != nil {
			return err
		}
	}
	if len(out.add) > 0 {
		if _, err := create[api.AuthorizeSecurityGroupEgressOutput](ctx, s, c, "AuthorizeSecurityGroupEgress", &api.AuthorizeSecurityGroupEgressInput{GroupId: id, IpPermissions: out.add}); err != nil {
			return err
		}
	}
	return nil
}

// rulePlan is what is to be done to the rules of a direction.
type rulePlan struct {
	remove []string
	add    []api.IpPermission
}

// planRules compares the rules that a group has with those of its templates.
func (s *Service) planRules(ctx context.Context, id string, egress bool, old, p []ruleProperties) (plan rulePlan, err error) {
	err = s.view(ctx, func(v *view) error {
		g, err := get(v, &groups, id)
		if err != nil {
			return err
		}
		there, err := v.rulesOf(id)
		if err != nil {
			return err
		}
		e := &edit{view: v} // to read what permissions stand for; it writes nothing
		before, err := e.expandAll(g, egress, old)
		if err != nil {
			return err
		}
		after, err := e.expandAll(g, egress, p)
		if err != nil {
			return err
		}
		same := func(a *rule) func(*rule) bool {
			return func(b *rule) bool { return a.key() == b.key() && opt.Value(a.Description) == opt.Value(b.Description) }
		}
		for _, r := range there {
			byKey := func(o *rule) bool { return o.key() == r.key() }
			wanted := slices.ContainsFunc(after, same(r))
			if *r.IsEgress == egress && !wanted && (slices.ContainsFunc(before, byKey) || slices.ContainsFunc(after, byKey)) {
				plan.remove = append(plan.remove, *r.SecurityGroupRuleId)
			}
		}
		for i, r := range after {
			if !slices.ContainsFunc(there, same(r)) && !slices.ContainsFunc(after[:i], same(r)) {
				plan.add = append(plan.add, permissions([]*rule{r}, egress)...)
			}
		}
		return nil
	})
	return plan, err
}

// expandAll is expand for rules of a template, of which there may be none.
func (e *edit) expandAll(g *group, egress bool, list []ruleProperties) ([]*rule, error) {
	if len(list) == 0 {
		return nil, nil
	}
	return e.expand(g, egress, permissionsOf(list))
}
