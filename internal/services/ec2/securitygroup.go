package ec2

import (
	"context"
	"regexp"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
)

// group is a security group. Its rules are objects of their own.
type group struct{ api.SecurityGroup }

// defaultGroup is the name of the group that every network has.
const defaultGroup = "default"

var groups = kind[group]{
	class: class{name: "security-group", prefix: "sg", absent: "InvalidGroup.NotFound", malformed: "InvalidGroupId.Malformed", unknown: "The security group '%s' does not exist"},
	id:    func(g *group) string { return *g.GroupId },
	refs:  func(g *group) []string { return []string{*g.VpcId} },
}

var groupFields = fields[*api.SecurityGroup]{
	id:     func(g *api.SecurityGroup) *string { return g.GroupId },
	tags:   func(g *api.SecurityGroup) []api.Tag { return g.Tags },
	values: groupValues(),
}

// groupValues are what groups are filtered by: members of them, and of their rules of both directions.
func groupValues() map[string]func(*api.SecurityGroup) []string {
	out := map[string]func(*api.SecurityGroup) []string{
		"description": func(g *api.SecurityGroup) []string { return text(g.Description) },
		"group-id":    func(g *api.SecurityGroup) []string { return text(g.GroupId) },
		"group-name":  func(g *api.SecurityGroup) []string { return text(g.GroupName) },
		"owner-id":    func(g *api.SecurityGroup) []string { return text(g.OwnerId) },
		"vpc-id":      func(g *api.SecurityGroup) []string { return text(g.VpcId) },
	}
	ofPairs := func(value func(*api.UserIdGroupPair) []string) func(*api.IpPermission) []string {
		return func(p *api.IpPermission) []string { return each(p.UserIdGroupPairs, value) }
	}
	for name, value := range map[string]func(*api.IpPermission) []string{
		"cidr": func(p *api.IpPermission) []string {
			return each(p.IpRanges, func(r *api.IpRange) []string { return text(r.CidrIp) })
		},
		"ipv6-cidr": func(p *api.IpPermission) []string {
			return each(p.Ipv6Ranges, func(r *api.Ipv6Range) []string { return text(r.CidrIpv6) })
		},
		"prefix-list-id": func(p *api.IpPermission) []string {
			return each(p.PrefixListIds, func(r *api.PrefixListId) []string { return text(r.PrefixListId) })
		},
		"from-port":  func(p *api.IpPermission) []string { return numberIf(p.FromPort) },
		"to-port":    func(p *api.IpPermission) []string { return numberIf(p.ToPort) },
		"protocol":   func(p *api.IpPermission) []string { return text(p.IpProtocol) },
		"group-id":   ofPairs(func(u *api.UserIdGroupPair) []string { return text(u.GroupId) }),
		"group-name": ofPairs(func(u *api.UserIdGroupPair) []string { return text(u.GroupName) }),
		"user-id":    ofPairs(func(u *api.UserIdGroupPair) []string { return text(u.UserId) }),
	} {
		out["ip-permission."+name] = func(g *api.SecurityGroup) []string { return each(g.IpPermissions, value) }
		out["egress.ip-permission."+name] = func(g *api.SecurityGroup) []string { return each(g.IpPermissionsEgress, value) }
	}
	return out
}

func numberIf(n *int32) []string {
	if n == nil {
		return nil
	}
	return number(n)
}

func showGroup(v *view, g *group) (out api.SecurityGroup, err error) {
	out = g.SecurityGroup
	if out.Tags, err = v.tagsOf(*g.GroupId); err != nil {
		return out, err
	}
	rules, err := v.rulesOf(*g.GroupId)
	out.IpPermissions, out.IpPermissionsEgress = permissions(rules, false), permissions(rules, true)
	return out, err
}

func (s *Service) describeSecurityGroups(ctx context.Context, in *api.DescribeSecurityGroupsInput) (*api.DescribeSecurityGroupsOutput, error) {
	ids := slices.Clone(in.GroupIds)
	if len(in.GroupNames) > 0 {
		err := s.view(ctx, func(v *view) error {
			for _, name := range in.GroupNames {
				g, err := v.defaultNetworkGroup(name)
				if err != nil {
					return err
				}
				ids = append(ids, *g.GroupId)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	out, next, err := list(ctx, s, &groups, query{ids, in.Filters, in.MaxResults, in.NextToken}, &groupFields, showGroup)
	return &api.DescribeSecurityGroupsOutput{SecurityGroups: out, NextToken: next}, err
}

// groupNamed returns the group of a network with a name, or nil.
func (v *view) groupNamed(vpcID, name string) (*group, error) {
	there, err := using(v, &groups, vpcID)
	if err != nil {
		return nil, err
	}
	for _, g := range there {
		if *g.GroupName == name {
			return g, nil
		}
	}
	return nil, nil
}

// defaultNetworkGroup returns the group of the default network with a name: calls without a network mean that one.
func (v *view) defaultNetworkGroup(name string) (*group, error) {
	network, err := v.defaultVPC()
	if err != nil {
		return nil, err
	}
	if network == nil {
		return nil, refuse("VPCIdNotSpecified", "No default VPC for this user")
	}
	g, err := v.groupNamed(*network.VpcId, name)
	if err == nil && g == nil {
		err = refuse(groups.absent, "The security group '%s' does not exist in default VPC '%s'", name, *network.VpcId)
	}
	return g, err
}

// findGroup returns the group that a call names by its id or, in the default network, by its name.
func (v *view) findGroup(id, name *string) (*group, error) {
	switch {
	case id != nil && *id != "":
		return get(v, &groups, *id)
	case name != nil && *name != "":
		return v.defaultNetworkGroup(*name)
	}
	return nil, missing("groupName or groupId")
}

// groupsIn returns groups of a network, the default one when none is named.
func (v *view) groupsIn(vpcID string, ids []string) ([]api.GroupIdentifier, error) {
	if len(ids) == 0 {
		g, err := v.groupNamed(vpcID, defaultGroup)
		if err != nil {
			return nil, err
		}
		return []api.GroupIdentifier{{GroupId: g.GroupId, GroupName: g.GroupName}}, nil
	}
	var out []api.GroupIdentifier
	for _, id := range ids {
		g, err := get(v, &groups, id)
		if err != nil {
			return nil, err
		}
		if *g.VpcId != vpcID {
			return nil, invalid("You have specified two resources that belong to different networks.")
		}
		if !slices.ContainsFunc(out, func(o api.GroupIdentifier) bool { return *o.GroupId == id }) {
			out = append(out, api.GroupIdentifier{GroupId: g.GroupId, GroupName: g.GroupName})
		}
	}
	return out, nil
}

// groupText is what names and descriptions of groups are made of
// (https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html).
var groupText = regexp.MustCompile(`^[a-zA-Z0-9 ._\-:/()#,@\[\]+=&;{}!$*]{1,255}$`)

func checkGroupText(parameter, value string) error {
	if len(value) > 255 || len(value) == 0 {
		return invalid("Value (%s) for parameter %s is invalid. It must be between 1 and 255 characters long", value, parameter)
	}
	if !groupText.MatchString(value) {
		return invalid("Value (%s) for parameter %s is invalid. Character sets beyond ASCII are not supported. Valid characters are a-z, A-Z, 0-9, spaces, and ._-:/()#,@[]+=&;{}!$*", value, parameter)
	}
	return nil
}

func (s *Service) createSecurityGroup(ctx context.Context, in *api.CreateSecurityGroupInput) (*api.CreateSecurityGroupOutput, error) {
	if err := checkGroupText("GroupName", in.GroupName); err != nil {
		return nil, err
	}
	if err := checkGroupText("GroupDescription", in.Description); err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(in.GroupName, "sg-"):
		return nil, invalid("Value (%s) for parameter GroupName is invalid. Group names may not be in the format sg-*", in.GroupName)
	case strings.EqualFold(in.GroupName, defaultGroup):
		return nil, invalid("Cannot use reserved security group name: %s", defaultGroup)
	}
	out := &api.CreateSecurityGroupOutput{}
	return out, s.update(ctx, func(e *edit) error {
		id, made, err := groups.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			vpcID, err := e.networkOr(in.VpcId)
			if err != nil {
				return err
			}
			there, err := e.groupNamed(vpcID, in.GroupName)
			if err != nil {
				return err
			}
			if there != nil {
				return refuse("InvalidGroup.Duplicate", "The security group '%s' already exists for VPC '%s'", in.GroupName, vpcID)
			}
			if err := e.makeGroup(id, vpcID, in.GroupName, in.Description); err != nil {
				return err
			}
		}
		out.GroupId, out.SecurityGroupArn = &id, new(e.arn(groups.name, id))
		if err := e.specified(&groups.class, id, in.TagSpecifications); err != nil {
			return err
		}
		if len(in.TagSpecifications) > 0 {
			out.Tags, err = e.tagsOf(id)
		}
		return err
	})
}

// networkOr returns the id of the network that a call names, or of the default one.
func (v *view) networkOr(id *string) (string, error) {
	if id != nil {
		_, err := get(v, &vpcs, *id)
		return *id, err
	}
	network, err := v.defaultVPC()
	if err == nil && network == nil {
		err = refuse("VPCIdNotSpecified", "No default VPC for this user")
	}
	if err != nil {
		return "", err
	}
	return *network.VpcId, nil
}

// makeGroup makes a group from which everything may go out.
func (e *edit) makeGroup(id, vpcID, name, description string) error {
	err := put(e, &groups, &group{api.SecurityGroup{
		GroupId: &id, GroupName: &name, Description: &description, VpcId: &vpcID, OwnerId: &e.account, SecurityGroupArn: new(e.arn(groups.name, id)),
	}})
	if err != nil {
		return err
	}
	out := e.newRule(id, true, everything())
	out.CidrIpv4 = new("0.0.0.0/0")
	return put(e, &rules, out)
}

// makeDefaultGroup makes the group of a network in which all of its members may reach each other.
func (e *edit) makeDefaultGroup(v *vpc) error {
	id := e.newID(groups.prefix)
	if err := e.makeGroup(id, *v.VpcId, defaultGroup, "default VPC security group"); err != nil {
		return err
	}
	in := e.newRule(id, false, everything())
	in.ReferencedGroupInfo = &api.ReferencedSecurityGroup{GroupId: &id, UserId: &e.account}
	return put(e, &rules, in)
}

func (s *Service) deleteSecurityGroup(ctx context.Context, in *api.DeleteSecurityGroupInput) (*api.DeleteSecurityGroupOutput, error) {
	out := &api.DeleteSecurityGroupOutput{Return: new(true)}
	return out, s.update(ctx, func(e *edit) error {
		g, err := e.findGroup(in.GroupId, in.GroupName)
		if err != nil {
			return err
		}
		out.GroupId = g.GroupId
		if *g.GroupName == defaultGroup {
			return refuse("CannotDelete", "the specified group: \"%s\" name: \"%s\" cannot be deleted by a user", *g.GroupId, defaultGroup)
		}
		users, err := e.usersOf(*g.GroupId)
		if err != nil {
			return err
		}
		own, err := e.rulesOf(*g.GroupId)
		if err != nil {
			return err
		}
		for _, u := range users {
			if u.kind != rules.name || !slices.ContainsFunc(own, func(r *rule) bool { return *r.SecurityGroupRuleId == u.id }) {
				return refuse(codeDependency, "resource %s has a dependent object", *g.GroupId)
			}
		}
		return e.dropGroup(g)
	})
}

// dropGroup deletes a group with its rules, and the rules of others that name it.
func (e *edit) dropGroup(g *group) error {
	there, err := using(e.view, &rules, *g.GroupId)
	if err != nil {
		return err
	}
	for _, r := range there {
		drop(e, &rules, r)
	}
	drop(e, &groups, g)
	return nil
}

var groupForVPCFields = fields[*api.SecurityGroupForVpc]{
	id:   func(g *api.SecurityGroupForVpc) *string { return g.GroupId },
	tags: func(g *api.SecurityGroupForVpc) []api.Tag { return g.Tags },
	values: map[string]func(*api.SecurityGroupForVpc) []string{
		"group-id":       func(g *api.SecurityGroupForVpc) []string { return text(g.GroupId) },
		"description":    func(g *api.SecurityGroupForVpc) []string { return text(g.Description) },
		"group-name":     func(g *api.SecurityGroupForVpc) []string { return text(g.GroupName) },
		"owner-id":       func(g *api.SecurityGroupForVpc) []string { return text(g.OwnerId) },
		"primary-vpc-id": func(g *api.SecurityGroupForVpc) []string { return text(g.PrimaryVpcId) },
	},
}

func (s *Service) getSecurityGroupsForVpc(ctx context.Context, in *api.GetSecurityGroupsForVpcInput) (*api.GetSecurityGroupsForVpcOutput, error) {
	out := &api.GetSecurityGroupsForVpcOutput{}
	return out, s.view(ctx, func(v *view) error {
		if _, err := get(v, &vpcs, in.VpcId); err != nil {
			return err
		}
		there, err := using(v, &groups, in.VpcId)
		if err != nil {
			return err
		}
		var shapes []api.SecurityGroupForVpc
		for _, g := range there {
			tags, err := v.tagsOf(*g.GroupId)
			if err != nil {
				return err
			}
			shapes = append(shapes, api.SecurityGroupForVpc{
				GroupId: g.GroupId, GroupName: g.GroupName, Description: g.Description, OwnerId: g.OwnerId, PrimaryVpcId: g.VpcId, Tags: tags,
			})
		}
		out.SecurityGroupForVpcs, out.NextToken, err = choose(shapes, query{filters: in.Filters, max: in.MaxResults, token: in.NextToken}, &groupForVPCFields)
		return err
	})
}

// describeSecurityGroupReferences answers which networks behind a peering name groups. Rules name groups of their own network only, so that there are none.
func (s *Service) describeSecurityGroupReferences(ctx context.Context, in *api.DescribeSecurityGroupReferencesInput) (*api.DescribeSecurityGroupReferencesOutput, error) {
	return &api.DescribeSecurityGroupReferencesOutput{SecurityGroupReferenceSet: []api.SecurityGroupReference{}}, s.view(ctx, func(v *view) error {
		for _, id := range in.GroupId {
			if _, err := get(v, &groups, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// sourceOf returns the permission of a call that describes one by members of its own instead of a list.
func sourceOf(protocol *string, from, to *int32, cidr, groupName, owner *string) []api.IpPermission {
	if protocol == nil && cidr == nil && groupName == nil {
		return nil
	}
	p := api.IpPermission{IpProtocol: protocol, FromPort: from, ToPort: to}
	if cidr != nil {
		p.IpRanges = []api.IpRange{{CidrIp: cidr}}
	}
	if groupName != nil {
		p.UserIdGroupPairs = []api.UserIdGroupPair{{GroupName: groupName, UserId: owner}}
		if protocol == nil {
			p.IpProtocol = new("-1")
		}
	}
	return []api.IpPermission{p}
}
