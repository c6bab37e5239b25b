package ec2

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
)

// maxRules is how many rules of a direction a group may have
// (https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html).
const maxRules = 60

func showRule(v *view, r *rule) (out api.SecurityGroupRule, err error) {
	out = r.SecurityGroupRule
	out.Tags, err = v.tagsOf(*r.SecurityGroupRuleId)
	return out, err
}

func (s *Service) describeSecurityGroupRules(ctx context.Context, in *api.DescribeSecurityGroupRulesInput) (*api.DescribeSecurityGroupRulesOutput, error) {
	q := query{in.SecurityGroupRuleIds, in.Filters, in.MaxResults, in.NextToken}
	out, next, err := list(ctx, s, &rules, q, &ruleFields, showRule)
	return &api.DescribeSecurityGroupRulesOutput{SecurityGroupRules: out, NextToken: next}, err
}

func (s *Service) authorizeSecurityGroupIngress(ctx context.Context, in *api.AuthorizeSecurityGroupIngressInput) (*api.AuthorizeSecurityGroupIngressOutput, error) {
	p := in.IpPermissions
	if len(p) == 0 {
		p = sourceOf(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId)
	}
	out, err := s.authorize(ctx, in.GroupId, in.GroupName, false, p, in.TagSpecifications)
	return &api.AuthorizeSecurityGroupIngressOutput{Return: new(true), SecurityGroupRules: out}, err
}

func (s *Service) authorizeSecurityGroupEgress(ctx context.Context, in *api.AuthorizeSecurityGroupEgressInput) (*api.AuthorizeSecurityGroupEgressOutput, error) {
	p := in.IpPermissions
	if len(p) == 0 {
		p = sourceOf(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId)
	}
	out, err := s.authorize(ctx, &in.GroupId, nil, true, p, in.TagSpecifications)
	return &api.AuthorizeSecurityGroupEgressOutput{Return: new(true), SecurityGroupRules: out}, err
}

// authorize adds rules to a group; all or none of them.
func (s *Service) authorize(ctx context.Context, id, name *string, egress bool, p []api.IpPermission, tags []api.TagSpecification) (out []api.SecurityGroupRule, err error) {
	err = s.update(ctx, func(e *edit) error {
		out = nil
		g, err := e.findGroup(id, name)
		if err != nil {
			return err
		}
		added, err := e.expand(g, egress, p)
		if err != nil {
			return err
		}
		there, err := e.rulesOf(*g.GroupId)
		if err != nil {
			return err
		}
		there = slices.DeleteFunc(there, func(r *rule) bool { return *r.IsEgress != egress })
		for _, r := range added {
			i := slices.IndexFunc(there, func(o *rule) bool { return o.key() == r.key() })
			if i >= 0 && *there[i].SecurityGroupRuleId != *r.SecurityGroupRuleId {
				return refuse(codeDuplicate, "the specified rule \"%s\" already exists", r)
			}
			there = append(there, r)
			if err := put(e, &rules, r); err != nil {
				return err
			}
			if err := e.specified(&rules.class, *r.SecurityGroupRuleId, tags); err != nil {
				return err
			}
			shown, err := showRule(e.view, r)
			if err != nil {
				return err
			}
			out = append(out, shown)
		}
		if len(there) > maxRules {
			return refuse("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
		}
		return nil
	})
	return out, err
}

func (s *Service) revokeSecurityGroupIngress(ctx context.Context, in *api.RevokeSecurityGroupIngressInput) (*api.RevokeSecurityGroupIngressOutput, error) {
	p := in.IpPermissions
	if len(p) == 0 {
		p = sourceOf(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId)
	}
	out, unknown, err := s.revoke(ctx, in.GroupId, in.GroupName, false, p, in.SecurityGroupRuleIds)
	return &api.RevokeSecurityGroupIngressOutput{Return: new(true), RevokedSecurityGroupRules: out, UnknownIpPermissions: unknown}, err
}

func (s *Service) revokeSecurityGroupEgress(ctx context.Context, in *api.RevokeSecurityGroupEgressInput) (*api.RevokeSecurityGroupEgressOutput, error) {
	p := in.IpPermissions
	if len(p) == 0 {
		p = sourceOf(in.IpProtocol, in.FromPort, in.ToPort, in.CidrIp, in.SourceSecurityGroupName, in.SourceSecurityGroupOwnerId)
	}
	out, unknown, err := s.revoke(ctx, &in.GroupId, nil, true, p, in.SecurityGroupRuleIds)
	return &api.RevokeSecurityGroupEgressOutput{Return: new(true), RevokedSecurityGroupRules: out, UnknownIpPermissions: unknown}, err
}

// revoke takes rules from a group, by their ids or by what they say; all or none of them. Of what the group does not have, AWS tells in an error, but for groups of the default
// network in the answer.
func (s *Service) revoke(ctx context.Context, id, name *string, egress bool, p []api.IpPermission, ids []string) (out []api.RevokedSecurityGroupRule, unknown []api.IpPermission, err error) {
	if len(ids) > 0 && len(p) > 0 {
		return nil, nil, refuse(codeCombination, "The parameters ipPermissions and securityGroupRuleIds cannot be used together")
	}
	err = s.update(ctx, func(e *edit) error {
		out, unknown = []api.RevokedSecurityGroupRule{}, []api.IpPermission{}
		g, err := e.findGroup(id, name)
		if err != nil {
			return err
		}
		network, err := get(e.view, &vpcs, *g.VpcId)
		if err != nil {
			return err
		}
		there, err := e.rulesOf(*g.GroupId)
		if err != nil {
			return err
		}
		there = slices.DeleteFunc(there, func(r *rule) bool { return *r.IsEgress != egress })
		chosen, absent, err := e.chosen(g, egress, there, p, ids)
		if err != nil {
			return err
		}
		if len(absent) > 0 && !*network.IsDefault {
			return refuse(codeNoRule, "The specified rule does not exist in this security group.")
		}
		unknown = permissions(absent, egress)
		for _, r := range chosen {
			drop(e, &rules, r)
			shown := api.RevokedSecurityGroupRule{
				SecurityGroupRuleId: r.SecurityGroupRuleId, GroupId: r.GroupId, IsEgress: r.IsEgress, IpProtocol: r.IpProtocol, FromPort: r.FromPort, ToPort: r.ToPort,
				CidrIpv4: r.CidrIpv4, CidrIpv6: r.CidrIpv6, PrefixListId: r.PrefixListId, Description: r.Description,
			}
			if r.ReferencedGroupInfo != nil {
				shown.ReferencedGroupId = r.ReferencedGroupInfo.GroupId
			}
			out = append(out, shown)
		}
		return nil
	})
	return out, unknown, err
}

// chosen returns the rules of a group that a call names, and what the call names beside them.
func (e *edit) chosen(g *group, egress bool, there []*rule, p []api.IpPermission, ids []string) (out, absent []*rule, err error) {
	for _, id := range ids {
		if err := rules.check(id); err != nil {
			return nil, nil, err
		}
		i := slices.IndexFunc(there, func(r *rule) bool { return *r.SecurityGroupRuleId == id })
		if i < 0 {
			return nil, nil, rules.notFound(id)
		}
		out = append(out, there[i])
	}
	if len(ids) > 0 {
		return out, nil, nil
	}
	named, err := e.expand(g, egress, p)
	if err != nil {
		return nil, nil, err
	}
	for _, n := range named {
		if i := slices.IndexFunc(there, func(r *rule) bool { return r.key() == n.key() }); i >= 0 {
			out = append(out, there[i])
		} else {
			absent = append(absent, n)
		}
	}
	return out, absent, nil
}

// modifySecurityGroupRules gives rules of a group new content; their ids and directions stay.
func (s *Service) modifySecurityGroupRules(ctx context.Context, in *api.ModifySecurityGroupRulesInput) (*api.ModifySecurityGroupRulesOutput, error) {
	return &api.ModifySecurityGroupRulesOutput{Return: new(true)}, s.update(ctx, func(e *edit) error {
		g, err := get(e.view, &groups, in.GroupId)
		if err != nil {
			return err
		}
		for _, u := range in.SecurityGroupRules {
			old, err := get(e.view, &rules, u.SecurityGroupRuleId)
			if err == nil && *old.GroupId != in.GroupId {
				err = rules.notFound(u.SecurityGroupRuleId)
			}
			if err != nil {
				return err
			}
			if u.SecurityGroupRule == nil {
				return missing("securityGroupRule")
			}
			if err := e.modifyRule(g, old, u.SecurityGroupRule); err != nil {
				return err
			}
		}
		return nil
	})
}

// modifyRule gives a rule new content. What the call leaves out stays as it was.
func (e *edit) modifyRule(g *group, old *rule, to *api.SecurityGroupRuleRequest) error {
	p := api.IpPermission{IpProtocol: first(to.IpProtocol, old.IpProtocol), FromPort: first(to.FromPort, old.FromPort), ToPort: first(to.ToPort, old.ToPort)}
	if to.CidrIpv4 == nil && to.CidrIpv6 == nil && to.PrefixListId == nil && to.ReferencedGroupId == nil {
		to = &api.SecurityGroupRuleRequest{CidrIpv4: old.CidrIpv4, CidrIpv6: old.CidrIpv6, PrefixListId: old.PrefixListId, Description: to.Description}
		if old.ReferencedGroupInfo != nil {
			to.ReferencedGroupId = old.ReferencedGroupInfo.GroupId
		}
	}
	switch {
	case to.CidrIpv4 != nil:
		p.IpRanges = []api.IpRange{{CidrIp: to.CidrIpv4, Description: to.Description}}
	case to.CidrIpv6 != nil:
		p.Ipv6Ranges = []api.Ipv6Range{{CidrIpv6: to.CidrIpv6, Description: to.Description}}
	case to.PrefixListId != nil:
		p.PrefixListIds = []api.PrefixListId{{PrefixListId: to.PrefixListId, Description: to.Description}}
	case to.ReferencedGroupId != nil:
		p.UserIdGroupPairs = []api.UserIdGroupPair{{GroupId: to.ReferencedGroupId, Description: to.Description}}
	}
	fresh, err := e.expand(g, *old.IsEgress, []api.IpPermission{p})
	if err != nil {
		return err
	}
	r := fresh[0]
	there, err := e.rulesOf(*g.GroupId)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(there, func(o *rule) bool { return o.key() == r.key() && *o.SecurityGroupRuleId != *old.SecurityGroupRuleId }) {
		return refuse(codeDuplicate, "the specified rule \"%s\" already exists", r)
	}
	r.SecurityGroupRuleId, r.SecurityGroupRuleArn = old.SecurityGroupRuleId, old.SecurityGroupRuleArn
	return put(e, &rules, r)
}

// first returns the first of two that is there.
func first[T any](a, b *T) *T {
	if a != nil {
		return a
	}
	return b
}

func (s *Service) updateSecurityGroupRuleDescriptionsIngress(ctx context.Context, in *api.UpdateSecurityGroupRuleDescriptionsIngressInput) (*api.UpdateSecurityGroupRuleDescriptionsIngressOutput, error) {
	return &api.UpdateSecurityGroupRuleDescriptionsIngressOutput{Return: new(true)}, s.describeRules(ctx, in.GroupId, in.GroupName, false, in.IpPermissions, in.SecurityGroupRuleDescriptions)
}

func (s *Service) updateSecurityGroupRuleDescriptionsEgress(ctx context.Context, in *api.UpdateSecurityGroupRuleDescriptionsEgressInput) (*api.UpdateSecurityGroupRuleDescriptionsEgressOutput, error) {
	return &api.UpdateSecurityGroupRuleDescriptionsEgressOutput{Return: new(true)}, s.describeRules(ctx, in.GroupId, in.GroupName, true, in.IpPermissions, in.SecurityGroupRuleDescriptions)
}

// describeRules gives rules of a group new descriptions.
func (s *Service) describeRules(ctx context.Context, id, name *string, egress bool, p []api.IpPermission, by []api.SecurityGroupRuleDescription) error {
	return s.update(ctx, func(e *edit) error {
		g, err := e.findGroup(id, name)
		if err != nil {
			return err
		}
		there, err := e.rulesOf(*g.GroupId)
		if err != nil {
			return err
		}
		there = slices.DeleteFunc(there, func(r *rule) bool { return *r.IsEgress != egress })
		write := func(description *string, is func(r *rule) bool, absent error) error {
			i := slices.IndexFunc(there, is)
			if i < 0 {
				return absent
			}
			there[i].Description = nil
			if err := setDescription(there[i], description); err != nil {
				return err
			}
			return put(e, &rules, there[i])
		}
		for _, d := range by {
			id := opt.Value(d.SecurityGroupRuleId)
			if err := write(d.Description, func(r *rule) bool { return *r.SecurityGroupRuleId == id }, rules.notFound(id)); err != nil {
				return err
			}
		}
		if len(by) > 0 {
			return nil
		}
		named, err := e.expand(g, egress, p)
		if err != nil {
			return err
		}
		for _, n := range named {
			absent := refuse(codeNoRule, "The specified rule does not exist in this security group.")
			if err := write(n.Description, func(r *rule) bool { return r.key() == n.key() }, absent); err != nil {
				return err
			}
		}
		return nil
	})
}
