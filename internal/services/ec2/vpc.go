package ec2

import (
	"context"
	"net/netip"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
)

// vpc is a network.
type vpc struct {
	api.Vpc
	DNSSupport, DNSHostnames, AddressMetrics bool
}

var vpcs = kind[vpc]{
	class: class{name: "vpc", prefix: "vpc", absent: "InvalidVpcID.NotFound", malformed: "InvalidVpcID.Malformed", unknown: "The vpc ID '%s' does not exist"},
	id:    func(v *vpc) string { return *v.VpcId },
	refs: func(v *vpc) []string {
		if *v.DhcpOptionsId == noDHCP {
			return nil
		}
		return []string{*v.DhcpOptionsId}
	},
}

var vpcFields = fields[*api.Vpc]{
	id:   func(v *api.Vpc) *string { return v.VpcId },
	tags: func(v *api.Vpc) []api.Tag { return v.Tags },
	values: map[string]func(*api.Vpc) []string{
		"cidr":            func(v *api.Vpc) []string { return text(v.CidrBlock) },
		"cidr-block":      func(v *api.Vpc) []string { return text(v.CidrBlock) },
		"cidrBlock":       func(v *api.Vpc) []string { return text(v.CidrBlock) },
		"dhcp-options-id": func(v *api.Vpc) []string { return text(v.DhcpOptionsId) },
		"is-default":      func(v *api.Vpc) []string { return flag(v.IsDefault) },
		"isDefault":       func(v *api.Vpc) []string { return flag(v.IsDefault) },
		"owner-id":        func(v *api.Vpc) []string { return text(v.OwnerId) },
		"state":           func(v *api.Vpc) []string { return []string{v.State} },
		"vpc-id":          func(v *api.Vpc) []string { return text(v.VpcId) },
		"cidr-block-association.cidr-block": func(v *api.Vpc) []string {
			return each(v.CidrBlockAssociationSet, func(a *api.VpcCidrBlockAssociation) []string { return text(a.CidrBlock) })
		},
		"cidr-block-association.association-id": func(v *api.Vpc) []string {
			return each(v.CidrBlockAssociationSet, func(a *api.VpcCidrBlockAssociation) []string { return text(a.AssociationId) })
		},
		"cidr-block-association.state": func(v *api.Vpc) []string {
			return each(v.CidrBlockAssociationSet, func(a *api.VpcCidrBlockAssociation) []string { return []string{a.CidrBlockState.State} })
		},
		"ipv6-cidr-block-association.ipv6-cidr-block": func(v *api.Vpc) []string {
			return each(v.Ipv6CidrBlockAssociationSet, func(a *api.VpcIpv6CidrBlockAssociation) []string { return text(a.Ipv6CidrBlock) })
		},
		"ipv6-cidr-block-association.ipv6-pool": func(v *api.Vpc) []string {
			return each(v.Ipv6CidrBlockAssociationSet, func(a *api.VpcIpv6CidrBlockAssociation) []string { return text(a.Ipv6Pool) })
		},
		"ipv6-cidr-block-association.association-id": func(v *api.Vpc) []string {
			return each(v.Ipv6CidrBlockAssociationSet, func(a *api.VpcIpv6CidrBlockAssociation) []string { return text(a.AssociationId) })
		},
		"ipv6-cidr-block-association.state": func(v *api.Vpc) []string {
			return each(v.Ipv6CidrBlockAssociationSet, func(a *api.VpcIpv6CidrBlockAssociation) []string { return []string{a.Ipv6CidrBlockState.State} })
		},
	},
}

// blocks are the IPv4 blocks of a network.
func (v *vpc) blocks() []netip.Prefix {
	var out []netip.Prefix
	for _, a := range v.CidrBlockAssociationSet {
		if p, err := netip.ParsePrefix(*a.CidrBlock); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// blocks6 are the IPv6 blocks of a network.
func (v *vpc) blocks6() []netip.Prefix {
	var out []netip.Prefix
	for _, a := range v.Ipv6CidrBlockAssociationSet {
		if p, err := netip.ParsePrefix(*a.Ipv6CidrBlock); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func showVPC(v *view, r *vpc) (api.Vpc, error) {
	tags, err := v.tagsOf(*r.VpcId)
	r.Tags = tags
	return r.Vpc, err
}

func (s *Service) describeVpcs(ctx context.Context, in *api.DescribeVpcsInput) (*api.DescribeVpcsOutput, error) {
	out, next, err := list(ctx, s, &vpcs, query{in.VpcIds, in.Filters, in.MaxResults, in.NextToken}, &vpcFields, showVPC)
	return &api.DescribeVpcsOutput{Vpcs: out, NextToken: next}, err
}

func (s *Service) createVpc(ctx context.Context, in *api.CreateVpcInput) (*api.CreateVpcOutput, error) {
	if in.CidrBlock == nil {
		return nil, missing("cidrBlock")
	}
	block, err := parseBlock(*in.CidrBlock, "cidrBlock")
	if err != nil {
		return nil, err
	}
	if block.Bits() < widestBlock || block.Bits() > narrowestIPv4 {
		return nil, refuse("InvalidVpc.Range", "The CIDR '%s' is invalid.", *in.CidrBlock)
	}
	if in.InstanceTenancy == "host" {
		return nil, invalid("The tenancy value host is not supported for a VPC. Use default or dedicated.")
	}
	var out api.Vpc
	err = s.update(ctx, func(e *edit) error {
		id, made, err := vpcs.make(e)
		if err == nil && made == nil {
			if made, err = e.makeVPC(id, block); err == nil {
				made.InstanceTenancy = or(in.InstanceTenancy, "default")
				if opt.Value(in.AmazonProvidedIpv6CidrBlock) {
					e.addBlock6(made)
				}
				err = put(e, &vpcs, made)
			}
		}
		if err != nil {
			return err
		}
		if err := e.specified(&vpcs.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = showVPC(e.view, made)
		out.State = "pending"
		return err
	})
	return &api.CreateVpcOutput{Vpc: &out}, err
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// makeVPC makes a network with its main route table, access control list and security group.
func (e *edit) makeVPC(id string, block netip.Prefix) (*vpc, error) {
	options, err := e.defaultDHCP()
	if err != nil {
		return nil, err
	}
	v := &vpc{DNSSupport: true, Vpc: api.Vpc{
		VpcId: &id, OwnerId: &e.account, CidrBlock: new(block.String()), State: "available", IsDefault: new(false), InstanceTenancy: "default", DhcpOptionsId: &options,
		CidrBlockAssociationSet: []api.VpcCidrBlockAssociation{{
			AssociationId: new(e.newID("vpc-cidr-assoc")), CidrBlock: new(block.String()), CidrBlockState: &api.VpcCidrBlockState{State: "associated"},
		}},
		Ipv6CidrBlockAssociationSet: []api.VpcIpv6CidrBlockAssociation{},
	}}
	if err := put(e, &vpcs, v); err != nil {
		return nil, err
	}
	if err := e.makeMainTable(v); err != nil {
		return nil, err
	}
	if err := e.makeDefaultACL(v); err != nil {
		return nil, err
	}
	return v, e.makeDefaultGroup(v)
}

// deleteVpc deletes a network with what its making made, when nothing else is left in it.
func (s *Service) deleteVpc(ctx context.Context, in *api.DeleteVpcInput) (*api.DeleteVpcOutput, error) {
	return &api.DeleteVpcOutput{}, s.update(ctx, func(e *edit) error {
		v, err := get(e.view, &vpcs, in.VpcId)
		if err != nil {
			return err
		}
		users, err := e.usersOf(in.VpcId)
		if err != nil {
			return err
		}
		for _, u := range users {
			own, err := e.dropWith(u)
			if err != nil {
				return err
			}
			if !own {
				return inUse("vpc", in.VpcId)
			}
		}
		if err := e.endPeerings(in.VpcId); err != nil {
			return err
		}
		if err := e.endFlowLogs(in.VpcId); err != nil {
			return err
		}
		drop(e, &vpcs, v)
		return nil
	})
}

// dropWith deletes an object that goes with its network, and reports whether it is such a one.
func (e *edit) dropWith(u user) (bool, error) {
	switch u.kind {
	case routeTables.name:
		t, err := find(e.view, &routeTables, u.id)
		if err != nil || !t.main() {
			return false, err
		}
		drop(e, &routeTables, t)
	case acls.name:
		a, err := find(e.view, &acls, u.id)
		if err != nil || !*a.IsDefault {
			return false, err
		}
		drop(e, &acls, a)
	case groups.name:
		g, err := find(e.view, &groups, u.id)
		if err != nil || *g.GroupName != defaultGroup {
			return false, err
		}
		return true, e.dropGroup(g)
	default:
		return false, nil
	}
	return true, nil
}

// change reads an object that a call names, and stores what fn makes of it.
func change[R any](ctx context.Context, s *Service, k *kind[R], id string, fn func(e *edit, r *R) error) error {
	return s.update(ctx, func(e *edit) error {
		r, err := get(e.view, k, id)
		if err != nil {
			return err
		}
		if err := fn(e, r); err != nil {
			return err
		}
		return put(e, k, r)
	})
}

func (s *Service) modifyVpcAttribute(ctx context.Context, in *api.ModifyVpcAttributeInput) (*api.ModifyVpcAttributeOutput, error) {
	given := 0
	for _, a := range []*api.AttributeBooleanValue{in.EnableDnsHostnames, in.EnableDnsSupport, in.EnableNetworkAddressUsageMetrics} {
		if a != nil {
			given++
		}
	}
	if given > 1 {
		return nil, refuse(codeCombination, "Fields for multiple attribute types specified")
	}
	return &api.ModifyVpcAttributeOutput{}, change(ctx, s, &vpcs, in.VpcId, func(_ *edit, v *vpc) error {
		set(&v.DNSHostnames, in.EnableDnsHostnames)
		set(&v.DNSSupport, in.EnableDnsSupport)
		set(&v.AddressMetrics, in.EnableNetworkAddressUsageMetrics)
		return nil
	})
}

// set gives a setting the value that a call has for it, if any.
func set(to *bool, v *api.AttributeBooleanValue) {
	if v != nil && v.Value != nil {
		*to = *v.Value
	}
}

func (s *Service) describeVpcAttribute(ctx context.Context, in *api.DescribeVpcAttributeInput) (*api.DescribeVpcAttributeOutput, error) {
	out := &api.DescribeVpcAttributeOutput{VpcId: &in.VpcId}
	return out, s.view(ctx, func(v *view) error {
		r, err := get(v, &vpcs, in.VpcId)
		if err != nil {
			return err
		}
		switch in.Attribute {
		case "enableDnsHostnames":
			out.EnableDnsHostnames = &api.AttributeBooleanValue{Value: &r.DNSHostnames}
		case "enableDnsSupport":
			out.EnableDnsSupport = &api.AttributeBooleanValue{Value: &r.DNSSupport}
		case "enableNetworkAddressUsageMetrics":
			out.EnableNetworkAddressUsageMetrics = &api.AttributeBooleanValue{Value: &r.AddressMetrics}
		default:
			return invalid("Value (%s) for parameter attribute is invalid. Unknown attribute.", in.Attribute)
		}
		return nil
	})
}

func (s *Service) modifyVpcTenancy(ctx context.Context, in *api.ModifyVpcTenancyInput) (*api.ModifyVpcTenancyOutput, error) {
	return &api.ModifyVpcTenancyOutput{ReturnValue: new(true)}, change(ctx, s, &vpcs, in.VpcId, func(_ *edit, v *vpc) error {
		v.InstanceTenancy = in.InstanceTenancy
		return nil
	})
}
