package ec2

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
)

// rule is a rule of a security group.
type rule struct{ api.SecurityGroupRule }

var rules = kind[rule]{
	class: class{
		name: "security-group-rule", prefix: "sgr", absent: "InvalidSecurityGroupRuleId.NotFound", malformed: "InvalidSecurityGroupRuleId.Malformed",
		unknown: "The security group rule ID '%s' does not exist",
	},
	id: func(r *rule) string { return *r.SecurityGroupRuleId },
	refs: func(r *rule) []string {
		out := []string{*r.GroupId}
		if r.ReferencedGroupInfo != nil {
			out = append(out, *r.ReferencedGroupInfo.GroupId)
		}
		if r.PrefixListId != nil {
			out = append(out, *r.PrefixListId)
		}
		return out
	},
}

var ruleFields = fields[*api.SecurityGroupRule]{
	id:   func(r *api.SecurityGroupRule) *string { return r.SecurityGroupRuleId },
	tags: func(r *api.SecurityGroupRule) []api.Tag { return r.Tags },
	values: map[string]func(*api.SecurityGroupRule) []string{
		"group-id":               func(r *api.SecurityGroupRule) []string { return text(r.GroupId) },
		"security-group-rule-id": func(r *api.SecurityGroupRule) []string { return text(r.SecurityGroupRuleId) },
	},
}

// traffic is what a rule is about: a protocol, and its ports or ICMP types.
type traffic struct {
	protocol string
	from, to int32
}

// allProtocols stands for every protocol.
const allProtocols = "-1"

func everything() traffic { return traffic{allProtocols, -1, -1} }

// protocolNames are the protocols that have names (https://www.iana.org/assignments/protocol-numbers).
var protocolNames = map[string]string{"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}

// trafficOf checks the protocol and the ports of a permission.
func trafficOf(protocol *string, from, to *int32) (t traffic, err error) {
	if protocol == nil || *protocol == "" {
		return t, missing("ipProtocol")
	}
	name := strings.ToLower(*protocol)
	if named := protocolNames[name]; named != "" {
		name = named
	}
	switch name {
	case allProtocols, "all":
		return everything(), nil
	case "tcp", "udp":
		if from == nil || to == nil {
			return t, invalid("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
		}
		if *from < 0 || *to > 65535 || *from > *to {
			if *from == -1 && *to == -1 {
				return traffic{name, 0, 65535}, nil
			}
			return t, invalid("Invalid TCP/UDP port range (%d:%d)", *from, *to)
		}
		return traffic{name, *from, *to}, nil
	case "icmp", "icmpv6":
		t = traffic{name, -1, -1}
		if from != nil {
			t.from = *from
		}
		if to != nil {
			t.to = *to
		}
		if t.from < -1 || t.from > 255 || t.to < -1 || t.to > 255 {
			return t, invalid("ICMP type (%d) or code (%d) out of range", t.from, t.to)
		}
		return t, nil
	}
	if n, err := strconv.Atoi(name); err != nil || n < 0 || n > 255 {
		return t, invalid("Invalid value '%s' for IP protocol. Unknown protocol.", *protocol)
	}
	return traffic{name, -1, -1}, nil
}

func (e *edit) newRule(groupID string, egress bool, t traffic) *rule {
	id := e.newID(rules.prefix)
	return &rule{api.SecurityGroupRule{
		SecurityGroupRuleId: &id, SecurityGroupRuleArn: new(e.arn(rules.name, id)), GroupId: &groupID, GroupOwnerId: &e.account, IsEgress: &egress,
		IpProtocol: &t.protocol, FromPort: &t.from, ToPort: &t.to,
	}}
}

// rulesOf returns the rules of a group, those that were made in one call in their order of the call's list where their peers do not differ.
func (v *view) rulesOf(groupID string) ([]*rule, error) {
	there, err := using(v, &rules, groupID)
	there = slices.DeleteFunc(there, func(r *rule) bool { return *r.GroupId != groupID })
	slices.SortStableFunc(there, func(a, b *rule) int { return cmp.Compare(a.key(), b.key()) })
	return there, err
}

// peer is the other side of a rule, as text.
func (r *rule) peer() string {
	switch {
	case r.CidrIpv4 != nil:
		return *r.CidrIpv4
	case r.CidrIpv6 != nil:
		return *r.CidrIpv6
	case r.PrefixListId != nil:
		return *r.PrefixListId
	case r.ReferencedGroupInfo != nil:
		return *r.ReferencedGroupInfo.GroupId
	}
	return ""
}

// key is the same for rules that say the same.
func (r *rule) key() string {
	return fmt.Sprintf("%t %s %05d %05d %s", *r.IsEgress, *r.IpProtocol, *r.FromPort, *r.ToPort, r.peer())
}

// String is how messages name a rule.
func (r *rule) String() string {
	what := "ALL"
	if *r.IpProtocol != allProtocols {
		what = fmt.Sprintf("%s, from port: %d, to port: %d", strings.ToUpper(*r.IpProtocol), *r.FromPort, *r.ToPort)
	}
	return fmt.Sprintf("peer: %s, %s, ALLOW", r.peer(), what)
}

// expand returns the rules that permissions of a call stand for: one for each peer.
func (e *edit) expand(g *group, egress bool, in []api.IpPermission) ([]*rule, error) {
	var out []*rule
	for _, p := range in {
		t, err := trafficOf(p.IpProtocol, p.FromPort, p.ToPort)
		if err != nil {
			return nil, err
		}
		before := len(out)
		add := func(description *string, set func(r *rule) error) error {
			r := e.newRule(*g.GroupId, egress, t)
			if err := setDescription(r, description); err != nil {
				return err
			}
			out = append(out, r)
			return set(r)
		}
		if err := e.peers(g, &p, add); err != nil {
			return nil, err
		}
		if len(out) == before {
			return nil, missing("ipRanges, ipv6Ranges, prefixListIds or groups")
		}
	}
	if len(out) == 0 {
		return nil, missing("ipPermissions")
	}
	return out, nil
}

// peers calls add for each peer of a permission, with what sets it in a rule.
func (e *edit) peers(g *group, p *api.IpPermission, add func(description *string, set func(r *rule) error) error) error {
	for _, x := range p.IpRanges {
		if err := add(x.Description, func(r *rule) error { return r.setIPv4(x.CidrIp) }); err != nil {
			return err
		}
	}
	for _, x := range p.Ipv6Ranges {
		if err := add(x.Description, func(r *rule) error { return r.setIPv6(x.CidrIpv6) }); err != nil {
			return err
		}
	}
	for _, x := range p.PrefixListIds {
		err := add(x.Description, func(r *rule) error {
			r.PrefixListId = x.PrefixListId
			_, err := e.prefixList(opt.Value(x.PrefixListId))
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, x := range p.UserIdGroupPairs {
		if err := add(x.Description, func(r *rule) error { return e.setGroup(r, g, &x) }); err != nil {
			return err
		}
	}
	return nil
}

func setDescription(r *rule, description *string) error {
	if description == nil || *description == "" {
		return nil
	}
	r.Description = description
	if len(*description) > 255 || !groupText.MatchString(*description) {
		return invalid("Invalid rule description. Valid descriptions are strings less than 256 characters from the following set: a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*")
	}
	return nil
}

func (r *rule) setIPv4(cidr *string) error {
	text := opt.Value(cidr)
	if !strings.Contains(text, "/") {
		return invalid("CIDR block %s is malformed", text)
	}
	p, err := netip.ParsePrefix(text)
	if err != nil || !p.Addr().Is4() {
		return invalid("CIDR block %s is malformed", text)
	}
	r.CidrIpv4 = new(p.Masked().String())
	return nil
}

func (r *rule) setIPv6(cidr *string) error {
	p, err := netip.ParsePrefix(opt.Value(cidr))
	if err != nil || !p.Addr().Is6() {
		return invalid("CIDR block %s is malformed", opt.Value(cidr))
	}
	r.CidrIpv6 = new(p.Masked().String())
	return nil
}

// setGroup lets a rule name a group of the same network.
func (e *edit) setGroup(r *rule, g *group, pair *api.UserIdGroupPair) error {
	var named *group
	var err error
	switch {
	case pair.UserId != nil && *pair.UserId != "" && *pair.UserId != e.account:
		return refuse(codeUnsupported, "Rules name security groups of their own account, and not of account %s", *pair.UserId)
	case pair.GroupId != nil:
		named, err = get(e.view, &groups, *pair.GroupId)
	case pair.GroupName != nil:
		if named, err = e.groupNamed(*g.VpcId, *pair.GroupName); err == nil && named == nil {
			err = groups.notFound(*pair.GroupName)
		}
	default:
		err = missing("groupId")
	}
	if err != nil {
		return err
	}
	if *named.VpcId != *g.VpcId {
		return refuse("InvalidGroup.NotFound", "You have specified two resources that belong to different networks.")
	}
	r.ReferencedGroupInfo = &api.ReferencedSecurityGroup{GroupId: named.GroupId, UserId: &e.account}
	return nil
}

// permissions returns the rules of a direction as lists of peers with the same protocol and ports.
func permissions(from []*rule, egress bool) []api.IpPermission {
	out := []api.IpPermission{}
	var last traffic
	for _, r := range from {
		if *r.IsEgress != egress {
			continue
		}
		t := traffic{*r.IpProtocol, *r.FromPort, *r.ToPort}
		if len(out) == 0 || t != last {
			out = append(out, newPermission(t))
			last = t
		}
		p := &out[len(out)-1]
		switch {
		case r.CidrIpv4 != nil:
			p.IpRanges = append(p.IpRanges, api.IpRange{CidrIp: r.CidrIpv4, Description: r.Description})
		case r.CidrIpv6 != nil:
			p.Ipv6Ranges = append(p.Ipv6Ranges, api.Ipv6Range{CidrIpv6: r.CidrIpv6, Description: r.Description})
		case r.PrefixListId != nil:
			p.PrefixListIds = append(p.PrefixListIds, api.PrefixListId{PrefixListId: r.PrefixListId, Description: r.Description})
		case r.ReferencedGroupInfo != nil:
			p.UserIdGroupPairs = append(p.UserIdGroupPairs, api.UserIdGroupPair{GroupId: r.ReferencedGroupInfo.GroupId, UserId: r.ReferencedGroupInfo.UserId, Description: r.Description})
		}
	}
	return out
}

func newPermission(t traffic) api.IpPermission {
	p := api.IpPermission{
		IpProtocol: &t.protocol, IpRanges: []api.IpRange{}, Ipv6Ranges: []api.Ipv6Range{}, PrefixListIds: []api.PrefixListId{}, UserIdGroupPairs: []api.UserIdGroupPair{},
	}
	if t.protocol != allProtocols {
		p.FromPort, p.ToPort = &t.from, &t.to
	}
	return p
}
