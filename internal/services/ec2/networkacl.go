package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/order"
)

// acl is a network access control list, with the subnets that are under it.
type acl struct{ api.NetworkAcl }

// maxEntry is the highest number that an entry may have; lastEntry is that of the entry that denies what no other allows.
const (
	maxEntry  = 32766
	lastEntry = 32767
)

var acls = kind[acl]{
	class: class{name: "network-acl", prefix: "acl", absent: "InvalidNetworkAclID.NotFound", malformed: "InvalidNetworkAclID.Malformed", unknown: "The networkAcl ID '%s' does not exist"},
	id:    func(a *acl) string { return *a.NetworkAclId },
	refs:  func(a *acl) []string { return []string{*a.VpcId} },
}

var aclFields = fields[*api.NetworkAcl]{
	id:   func(a *api.NetworkAcl) *string { return a.NetworkAclId },
	tags: func(a *api.NetworkAcl) []api.Tag { return a.Tags },
	values: map[string]func(*api.NetworkAcl) []string{
		"default":        func(a *api.NetworkAcl) []string { return flag(a.IsDefault) },
		"network-acl-id": func(a *api.NetworkAcl) []string { return text(a.NetworkAclId) },
		"owner-id":       func(a *api.NetworkAcl) []string { return text(a.OwnerId) },
		"vpc-id":         func(a *api.NetworkAcl) []string { return text(a.VpcId) },
		"association.association-id": func(a *api.NetworkAcl) []string {
			return each(a.Associations, func(s *api.NetworkAclAssociation) []string { return text(s.NetworkAclAssociationId) })
		},
		"association.network-acl-id": func(a *api.NetworkAcl) []string {
			return each(a.Associations, func(s *api.NetworkAclAssociation) []string { return text(s.NetworkAclId) })
		},
		"association.subnet-id": func(a *api.NetworkAcl) []string {
			return each(a.Associations, func(s *api.NetworkAclAssociation) []string { return text(s.SubnetId) })
		},
		"entry.cidr":        ofEntries(func(n *api.NetworkAclEntry) []string { return text(n.CidrBlock) }),
		"entry.ipv6-cidr":   ofEntries(func(n *api.NetworkAclEntry) []string { return text(n.Ipv6CidrBlock) }),
		"entry.egress":      ofEntries(func(n *api.NetworkAclEntry) []string { return flag(n.Egress) }),
		"entry.protocol":    ofEntries(func(n *api.NetworkAclEntry) []string { return text(n.Protocol) }),
		"entry.rule-action": ofEntries(func(n *api.NetworkAclEntry) []string { return []string{n.RuleAction} }),
		"entry.rule-number": ofEntries(func(n *api.NetworkAclEntry) []string { return number(n.RuleNumber) }),
		"entry.port-range.from": ofEntries(func(n *api.NetworkAclEntry) []string {
			if n.PortRange == nil {
				return nil
			}
			return numberIf(n.PortRange.From)
		}),
		"entry.port-range.to": ofEntries(func(n *api.NetworkAclEntry) []string {
			if n.PortRange == nil {
				return nil
			}
			return numberIf(n.PortRange.To)
		}),
		"entry.icmp.type": ofEntries(func(n *api.NetworkAclEntry) []string {
			if n.IcmpTypeCode == nil {
				return nil
			}
			return numberIf(n.IcmpTypeCode.Type)
		}),
		"entry.icmp.code": ofEntries(func(n *api.NetworkAclEntry) []string {
			if n.IcmpTypeCode == nil {
				return nil
			}
			return numberIf(n.IcmpTypeCode.Code)
		}),
	},
}

func ofEntries(value func(*api.NetworkAclEntry) []string) func(*api.NetworkAcl) []string {
	return func(a *api.NetworkAcl) []string { return each(a.Entries, value) }
}

// of returns the index of the association with a subnet, or -1.
func (a *acl) of(subnetID string) int {
	return slices.IndexFunc(a.Associations, func(s api.NetworkAclAssociation) bool { return *s.SubnetId == subnetID })
}

func showACL(v *view, a *acl) (out api.NetworkAcl, err error) {
	out = a.NetworkAcl
	out.Tags, err = v.tagsOf(*a.NetworkAclId)
	return out, err
}

func (s *Service) describeNetworkAcls(ctx context.Context, in *api.DescribeNetworkAclsInput) (*api.DescribeNetworkAclsOutput, error) {
	out, next, err := list(ctx, s, &acls, query{in.NetworkAclIds, in.Filters, in.MaxResults, in.NextToken}, &aclFields, showACL)
	return &api.DescribeNetworkAclsOutput{NetworkAcls: out, NextToken: next}, err
}

// forAll is the entry of a list that is about all addresses.
func forAll(egress bool, number int32, action string) api.NetworkAclEntry {
	return api.NetworkAclEntry{Egress: &egress, RuleNumber: &number, RuleAction: action, CidrBlock: new("0.0.0.0/0"), Protocol: new(allProtocols)}
}

// newACL returns a list that denies everything.
func newACL(s scope, id, vpcID string) *acl {
	return &acl{api.NetworkAcl{
		NetworkAclId: &id, VpcId: &vpcID, OwnerId: &s.account, IsDefault: new(false), Associations: []api.NetworkAclAssociation{},
		Entries: []api.NetworkAclEntry{forAll(true, lastEntry, "deny"), forAll(false, lastEntry, "deny")},
	}}
}

// add puts an entry in its place.
func (a *acl) add(n api.NetworkAclEntry) {
	a.Entries = append(a.Entries, n)
	order.Stable(a.Entries, func(x, y api.NetworkAclEntry) int {
		if *x.Egress != *y.Egress {
			if *x.Egress {
				return -1
			}
			return 1
		}
		return int(*x.RuleNumber - *y.RuleNumber)
	})
}

// entry returns the index of an entry, or -1.
func (a *acl) entry(egress bool, number int32) int {
	return slices.IndexFunc(a.Entries, func(n api.NetworkAclEntry) bool { return *n.Egress == egress && *n.RuleNumber == number })
}

// makeDefaultACL makes the list of a network that allows everything.
func (e *edit) makeDefaultACL(v *vpc) error {
	a := newACL(e.scope, e.newID(acls.prefix), *v.VpcId)
	*a.IsDefault = true
	a.add(forAll(true, 100, "allow"))
	a.add(forAll(false, 100, "allow"))
	return put(e, &acls, a)
}

// defaultACL returns the list that subnets of a network begin under.
func (v *view) defaultACL(vpcID string) (*acl, error) {
	there, err := using(v, &acls, vpcID)
	if err != nil {
		return nil, err
	}
	for _, a := range there {
		if *a.IsDefault {
			return a, nil
		}
	}
	return nil, acls.notFound(vpcID)
}

// protectByDefault puts a subnet under the default list of its network.
func (e *edit) protectByDefault(vpcID, subnetID string) error {
	a, err := e.defaultACL(vpcID)
	if err != nil {
		return err
	}
	a.Associations = append(a.Associations, api.NetworkAclAssociation{NetworkAclAssociationId: new(e.newID("aclassoc")), NetworkAclId: a.NetworkAclId, SubnetId: &subnetID})
	return put(e, &acls, a)
}

func (s *Service) createNetworkAcl(ctx context.Context, in *api.CreateNetworkAclInput) (*api.CreateNetworkAclOutput, error) {
	var out api.NetworkAcl
	return &api.CreateNetworkAclOutput{NetworkAcl: &out, ClientToken: in.ClientToken}, s.update(ctx, func(e *edit) error {
		id, made, err := acls.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			if _, err := get(e.view, &vpcs, in.VpcId); err != nil {
				return err
			}
			made = newACL(e.scope, id, in.VpcId)
			if err := put(e, &acls, made); err != nil {
				return err
			}
		}
		if err := e.specified(&acls.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = showACL(e.view, made)
		return err
	})
}

func (s *Service) deleteNetworkAcl(ctx context.Context, in *api.DeleteNetworkAclInput) (*api.DeleteNetworkAclOutput, error) {
	return &api.DeleteNetworkAclOutput{}, s.update(ctx, func(e *edit) error {
		a, err := get(e.view, &acls, in.NetworkAclId)
		if err != nil {
			return err
		}
		if *a.IsDefault {
			return invalid("cannot delete default network ACL %s", in.NetworkAclId)
		}
		if len(a.Associations) > 0 {
			return inUse("networkAcl", in.NetworkAclId)
		}
		drop(e, &acls, a)
		return nil
	})
}

// entryOf checks an entry of a list.
func entryOf(in *api.CreateNetworkAclEntryInput) (n api.NetworkAclEntry, err error) {
	if in.RuleNumber < 1 || in.RuleNumber > maxEntry {
		return n, invalid("Value (%d) for parameter ruleNumber is invalid. The rule number must be between 1 and %d.", in.RuleNumber, maxEntry)
	}
	n = api.NetworkAclEntry{Egress: &in.Egress, RuleNumber: &in.RuleNumber, RuleAction: in.RuleAction}
	switch {
	case (in.CidrBlock == nil) == (in.Ipv6CidrBlock == nil):
		return n, missing("cidrBlock or ipv6CidrBlock")
	case in.CidrBlock != nil:
		p, err := parseBlock(*in.CidrBlock, "cidrBlock")
		if err != nil {
			return n, err
		}
		n.CidrBlock = new(p.String())
	default:
		p, err := netip.ParsePrefix(*in.Ipv6CidrBlock)
		if err != nil || !p.Addr().Is6() {
			return n, invalid("Value (%s) for parameter ipv6CidrBlock is invalid. This is not a valid IPv6 CIDR block.", *in.Ipv6CidrBlock)
		}
		n.Ipv6CidrBlock = new(p.Masked().String())
	}
	number, err := protocolNumber(in.Protocol)
	if err != nil {
		return n, err
	}
	n.Protocol = &number
	switch number {
	case "6", "17":
		if in.PortRange == nil || in.PortRange.From == nil || in.PortRange.To == nil {
			return n, missing("portRange")
		}
		if *in.PortRange.From < 0 || *in.PortRange.To > 65535 || *in.PortRange.From > *in.PortRange.To {
			return n, invalid("Invalid TCP/UDP port range (%d:%d)", *in.PortRange.From, *in.PortRange.To)
		}
		n.PortRange = in.PortRange
	case "1", "58":
		if in.IcmpTypeCode == nil {
			return n, missing("icmpTypeCode")
		}
		n.IcmpTypeCode = in.IcmpTypeCode
	}
	return n, nil
}

// protocolNumber returns the number of a protocol, which lists show.
func protocolNumber(name string) (string, error) {
	for number, n := range protocolNames {
		if strings.EqualFold(n, name) {
			return number, nil
		}
	}
	if strings.EqualFold(name, "all") {
		return allProtocols, nil
	}
	if n, err := strconv.Atoi(name); err != nil || n < -1 || n > 255 {
		return "", invalid("Invalid value '%s' for IP protocol. Unknown protocol.", name)
	}
	return name, nil
}

func (s *Service) createNetworkAclEntry(ctx context.Context, in *api.CreateNetworkAclEntryInput) (*api.CreateNetworkAclEntryOutput, error) {
	n, err := entryOf(in)
	if err != nil {
		return nil, err
	}
	return &api.CreateNetworkAclEntryOutput{}, change(ctx, s, &acls, in.NetworkAclId, func(_ *edit, a *acl) error {
		if a.entry(in.Egress, in.RuleNumber) >= 0 {
			return refuse("NetworkAclEntryAlreadyExists", "The network acl entry identified by %d already exists.", in.RuleNumber)
		}
		a.add(n)
		return nil
	})
}

func (s *Service) replaceNetworkAclEntry(ctx context.Context, in *api.ReplaceNetworkAclEntryInput) (*api.ReplaceNetworkAclEntryOutput, error) {
	n, err := entryOf(&api.CreateNetworkAclEntryInput{
		NetworkAclId: in.NetworkAclId, RuleNumber: in.RuleNumber, Protocol: in.Protocol, RuleAction: in.RuleAction, Egress: in.Egress, CidrBlock: in.CidrBlock,
		Ipv6CidrBlock: in.Ipv6CidrBlock, IcmpTypeCode: in.IcmpTypeCode, PortRange: in.PortRange,
	})
	if err != nil {
		return nil, err
	}
	return &api.ReplaceNetworkAclEntryOutput{}, change(ctx, s, &acls, in.NetworkAclId, func(_ *edit, a *acl) error {
		i := a.entry(in.Egress, in.RuleNumber)
		if i < 0 {
			return noEntry(in.NetworkAclId, in.RuleNumber)
		}
		a.Entries[i] = n
		return nil
	})
}

func noEntry(id string, number int32) error {
	return refuse("InvalidNetworkAclEntry.NotFound", "The network acl entry identified by %d in network acl %s does not exist", number, id)
}

func (s *Service) deleteNetworkAclEntry(ctx context.Context, in *api.DeleteNetworkAclEntryInput) (*api.DeleteNetworkAclEntryOutput, error) {
	return &api.DeleteNetworkAclEntryOutput{}, change(ctx, s, &acls, in.NetworkAclId, func(_ *edit, a *acl) error {
		i := a.entry(in.Egress, in.RuleNumber)
		if i < 0 || in.RuleNumber > maxEntry {
			return noEntry(in.NetworkAclId, in.RuleNumber)
		}
		a.Entries = slices.Delete(a.Entries, i, i+1)
		return nil
	})
}

// replaceNetworkAclAssociation puts a subnet under another list. The association is a new one then.
func (s *Service) replaceNetworkAclAssociation(ctx context.Context, in *api.ReplaceNetworkAclAssociationInput) (*api.ReplaceNetworkAclAssociationOutput, error) {
	out := &api.ReplaceNetworkAclAssociationOutput{}
	return out, s.update(ctx, func(e *edit) error {
		to, err := get(e.view, &acls, in.NetworkAclId)
		if err != nil {
			return err
		}
		there, err := using(e.view, &acls, *to.VpcId)
		if err != nil {
			return err
		}
		for _, from := range there {
			i := slices.IndexFunc(from.Associations, func(s api.NetworkAclAssociation) bool { return *s.NetworkAclAssociationId == in.AssociationId })
			if i < 0 {
				continue
			}
			moved := api.NetworkAclAssociation{NetworkAclAssociationId: new(e.newID("aclassoc")), NetworkAclId: to.NetworkAclId, SubnetId: from.Associations[i].SubnetId}
			from.Associations = slices.Delete(from.Associations, i, i+1)
			if err := put(e, &acls, from); err != nil {
				return err
			}
			if opt.Value(from.NetworkAclId) == *to.NetworkAclId {
				to = from
			}
			to.Associations = append(to.Associations, moved)
			out.NewAssociationId = moved.NetworkAclAssociationId
			return put(e, &acls, to)
		}
		return refuse(codeNoAssoc, "The association ID '%s' does not exist", in.AssociationId)
	})
}
