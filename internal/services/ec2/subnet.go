package ec2

import (
	"context"
	"net/netip"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
)

// subnet is a part of a network, in one zone.
type subnet struct{ api.Subnet }

var subnets = kind[subnet]{
	class: class{name: "subnet", prefix: "subnet", absent: "InvalidSubnetID.NotFound", malformed: "InvalidSubnetID.Malformed", unknown: "The subnet ID '%s' does not exist"},
	id:    func(s *subnet) string { return *s.SubnetId },
	refs:  func(s *subnet) []string { return []string{*s.VpcId} },
}

var subnetFields = fields[*api.Subnet]{
	id:   func(s *api.Subnet) *string { return s.SubnetId },
	tags: func(s *api.Subnet) []api.Tag { return s.Tags },
	values: map[string]func(*api.Subnet) []string{
		"availability-zone":               func(s *api.Subnet) []string { return text(s.AvailabilityZone) },
		"availabilityZone":                func(s *api.Subnet) []string { return text(s.AvailabilityZone) },
		"availability-zone-id":            func(s *api.Subnet) []string { return text(s.AvailabilityZoneId) },
		"availabilityZoneId":              func(s *api.Subnet) []string { return text(s.AvailabilityZoneId) },
		"available-ip-address-count":      func(s *api.Subnet) []string { return number(s.AvailableIpAddressCount) },
		"cidr":                            func(s *api.Subnet) []string { return text(s.CidrBlock) },
		"cidr-block":                      func(s *api.Subnet) []string { return text(s.CidrBlock) },
		"cidrBlock":                       func(s *api.Subnet) []string { return text(s.CidrBlock) },
		"customer-owned-ipv4-pool":        func(*api.Subnet) []string { return nil },
		"default-for-az":                  func(s *api.Subnet) []string { return flag(s.DefaultForAz) },
		"defaultForAz":                    func(s *api.Subnet) []string { return flag(s.DefaultForAz) },
		"enable-dns64":                    func(s *api.Subnet) []string { return flag(s.EnableDns64) },
		"enable-lni-at-device-index":      func(*api.Subnet) []string { return nil },
		"ipv6-native":                     func(s *api.Subnet) []string { return flag(s.Ipv6Native) },
		"map-customer-owned-ip-on-launch": func(s *api.Subnet) []string { return flag(s.MapCustomerOwnedIpOnLaunch) },
		"map-public-ip-on-launch":         func(s *api.Subnet) []string { return flag(s.MapPublicIpOnLaunch) },
		"outpost-arn":                     func(*api.Subnet) []string { return nil },
		"owner-id":                        func(s *api.Subnet) []string { return text(s.OwnerId) },
		"state":                           func(s *api.Subnet) []string { return []string{s.State} },
		"subnet-arn":                      func(s *api.Subnet) []string { return text(s.SubnetArn) },
		"subnet-id":                       func(s *api.Subnet) []string { return text(s.SubnetId) },
		"vpc-id":                          func(s *api.Subnet) []string { return text(s.VpcId) },
		"private-dns-name-options-on-launch.hostname-type": func(s *api.Subnet) []string {
			return []string{s.PrivateDnsNameOptionsOnLaunch.HostnameType}
		},
		"private-dns-name-options-on-launch.enable-resource-name-dns-a-record": func(s *api.Subnet) []string {
			return flag(s.PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsARecord)
		},
		"private-dns-name-options-on-launch.enable-resource-name-dns-aaaa-record": func(s *api.Subnet) []string {
			return flag(s.PrivateDnsNameOptionsOnLaunch.EnableResourceNameDnsAAAARecord)
		},
		"ipv6-cidr-block-association.association-id": func(s *api.Subnet) []string {
			return each(s.Ipv6CidrBlockAssociationSet, func(a *api.SubnetIpv6CidrBlockAssociation) []string { return text(a.AssociationId) })
		},
		"ipv6-cidr-block-association.ipv6-cidr-block": func(s *api.Subnet) []string {
			return each(s.Ipv6CidrBlockAssociationSet, func(a *api.SubnetIpv6CidrBlockAssociation) []string { return text(a.Ipv6CidrBlock) })
		},
		"ipv6-cidr-block-association.state": func(s *api.Subnet) []string {
			return each(s.Ipv6CidrBlockAssociationSet, func(a *api.SubnetIpv6CidrBlockAssociation) []string { return []string{a.Ipv6CidrBlockState.State} })
		},
	},
}

// block is the IPv4 block of a subnet.
func (s *subnet) block() netip.Prefix {
	p, _ := netip.ParsePrefix(opt.Value(s.CidrBlock)) // it was checked when it came in; a subnet without one has none
	return p
}

// blocks6 are the IPv6 blocks of a subnet.
func (s *subnet) blocks6() []netip.Prefix {
	var out []netip.Prefix
	for _, a := range s.Ipv6CidrBlockAssociationSet {
		if p, err := netip.ParsePrefix(*a.Ipv6CidrBlock); err == nil {
			out = append(out, p)
		}
	}
	return out
}

func showSubnet(v *view, s *subnet) (out api.Subnet, err error) {
	out = s.Subnet
	if out.Tags, err = v.tagsOf(*s.SubnetId); err != nil {
		return out, err
	}
	taken, err := v.takenIn(*s.SubnetId)
	out.AvailableIpAddressCount = new(int32(usable(s.block()) - len(taken)))
	return out, err
}

func (s *Service) describeSubnets(ctx context.Context, in *api.DescribeSubnetsInput) (*api.DescribeSubnetsOutput, error) {
	out, next, err := list(ctx, s, &subnets, query{in.SubnetIds, in.Filters, in.MaxResults, in.NextToken}, &subnetFields, showSubnet)
	return &api.DescribeSubnetsOutput{Subnets: out, NextToken: next}, err
}

func (s *Service) createSubnet(ctx context.Context, in *api.CreateSubnetInput) (*api.CreateSubnetOutput, error) {
	if in.CidrBlock == nil {
		return nil, missing("cidrBlock")
	}
	var out api.Subnet
	return &api.CreateSubnetOutput{Subnet: &out}, s.update(ctx, func(e *edit) error {
		id, made, err := subnets.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			if made, err = e.subnetOf(id, in); err != nil {
				return err
			}
			if err := e.makeSubnet(made); err != nil {
				return err
			}
		}
		if err := e.specified(&subnets.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = showSubnet(e.view, made)
		return err
	})
}

// subnetOf checks what a call asks for and returns the subnet.
func (e *edit) subnetOf(id string, in *api.CreateSubnetInput) (*subnet, error) {
	v, err := get(e.view, &vpcs, in.VpcId)
	if err != nil {
		return nil, err
	}
	block, err := parseBlock(*in.CidrBlock, "cidrBlock")
	if err != nil {
		return nil, err
	}
	if block.Bits() < widestBlock || block.Bits() > narrowestIPv4 || !within(block, v.blocks()) {
		return nil, refuse("InvalidSubnet.Range", "The CIDR '%s' is invalid.", *in.CidrBlock)
	}
	z := zonesOf(e.region)[0]
	if in.AvailabilityZone != nil || in.AvailabilityZoneId != nil {
		if z, err = zoneNamed(e.region, in.AvailabilityZone, in.AvailabilityZoneId); err != nil {
			return nil, err
		}
	}
	others, err := using(e.view, &subnets, in.VpcId)
	if err != nil {
		return nil, err
	}
	var taken []netip.Prefix
	for _, o := range others {
		taken = append(taken, o.block())
	}
	if overlaps(block, taken) {
		return nil, refuse("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", *in.CidrBlock)
	}
	sub := newSubnet(e.scope, id, in.VpcId, block, z)
	if in.Ipv6CidrBlock != nil {
		if _, err := e.addSubnetBlock6(sub, v, *in.Ipv6CidrBlock); err != nil {
			return nil, err
		}
	}
	return sub, nil
}

func newSubnet(s scope, id, vpcID string, block netip.Prefix, z zone) *subnet {
	return &subnet{api.Subnet{
		SubnetId: &id, SubnetArn: new(s.arn("subnet", id)), VpcId: &vpcID, OwnerId: &s.account, CidrBlock: new(block.String()), State: "available",
		AvailabilityZone: &z.name, AvailabilityZoneId: &z.id, DefaultForAz: new(false), MapPublicIpOnLaunch: new(false), MapCustomerOwnedIpOnLaunch: new(false),
		AssignIpv6AddressOnCreation: new(false), EnableDns64: new(false), Ipv6Native: new(false), Ipv6CidrBlockAssociationSet: []api.SubnetIpv6CidrBlockAssociation{},
		PrivateDnsNameOptionsOnLaunch: &api.PrivateDnsNameOptionsOnLaunch{
			HostnameType: "ip-name", EnableResourceNameDnsARecord: new(false), EnableResourceNameDnsAAAARecord: new(false),
		},
	}}
}

// makeSubnet stores a new subnet, and puts it under the default access control list of its network.
func (e *edit) makeSubnet(s *subnet) error {
	if err := put(e, &subnets, s); err != nil {
		return err
	}
	return e.protectByDefault(*s.VpcId, *s.SubnetId)
}

// deleteSubnet deletes a subnet in which no interface is left.
func (s *Service) deleteSubnet(ctx context.Context, in *api.DeleteSubnetInput) (*api.DeleteSubnetOutput, error) {
	return &api.DeleteSubnetOutput{}, s.update(ctx, func(e *edit) error {
		sub, err := get(e.view, &subnets, in.SubnetId)
		if err != nil {
			return err
		}
		users, err := e.usersOf(in.SubnetId)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return inUse("subnet", in.SubnetId)
		}
		if err := e.forgetSubnet(sub); err != nil {
			return err
		}
		if err := e.endFlowLogs(in.SubnetId); err != nil {
			return err
		}
		drop(e, &subnets, sub)
		return nil
	})
}

// forgetSubnet takes a subnet that goes from the route table and the access control list of its own.
func (e *edit) forgetSubnet(s *subnet) error {
	tables, err := using(e.view, &routeTables, *s.VpcId)
	if err != nil {
		return err
	}
	for _, t := range tables {
		if i := t.of(*s.SubnetId); i >= 0 {
			t.Associations = slices.Delete(t.Associations, i, i+1)
			if err := put(e, &routeTables, t); err != nil {
				return err
			}
		}
	}
	lists, err := using(e.view, &acls, *s.VpcId)
	if err != nil {
		return err
	}
	for _, a := range lists {
		if i := a.of(*s.SubnetId); i >= 0 {
			a.Associations = slices.Delete(a.Associations, i, i+1)
			if err := put(e, &acls, a); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) modifySubnetAttribute(ctx context.Context, in *api.ModifySubnetAttributeInput) (*api.ModifySubnetAttributeOutput, error) {
	return &api.ModifySubnetAttributeOutput{}, change(ctx, s, &subnets, in.SubnetId, func(_ *edit, sub *subnet) error {
		if in.AssignIpv6AddressOnCreation != nil && opt.Value(in.AssignIpv6AddressOnCreation.Value) && len(sub.Ipv6CidrBlockAssociationSet) == 0 {
			return invalid("Invalid value 'true' for assignIpv6AddressOnCreation. The subnet does not have an IPv6 CIDR block")
		}
		set(sub.MapPublicIpOnLaunch, in.MapPublicIpOnLaunch)
		set(sub.AssignIpv6AddressOnCreation, in.AssignIpv6AddressOnCreation)
		set(sub.EnableDns64, in.EnableDns64)
		names := sub.PrivateDnsNameOptionsOnLaunch
		set(names.EnableResourceNameDnsARecord, in.EnableResourceNameDnsARecordOnLaunch)
		set(names.EnableResourceNameDnsAAAARecord, in.EnableResourceNameDnsAAAARecordOnLaunch)
		names.HostnameType = or(in.PrivateDnsHostnameTypeOnLaunch, names.HostnameType)
		return nil
	})
}

// addSubnetBlock6 gives a subnet an IPv6 block of its network.
func (e *edit) addSubnetBlock6(s *subnet, v *vpc, cidr string) (a api.SubnetIpv6CidrBlockAssociation, err error) {
	block, err := parseBlock6(cidr, "ipv6CidrBlock", 64)
	if err != nil {
		return a, err
	}
	text := block.String()
	for _, a := range s.Ipv6CidrBlockAssociationSet {
		if e.reserved && *a.Ipv6CidrBlock == text {
			return a, nil // an earlier try of the same deploy
		}
	}
	if len(s.Ipv6CidrBlockAssociationSet) > 0 {
		return a, refuse("SubnetLimitExceeded", "The subnet '%s' has an IPv6 CIDR block already", *s.SubnetId)
	}
	if !within(block, v.blocks6()) {
		return a, refuse("InvalidSubnet.Range", "The CIDR '%s' is invalid.", cidr)
	}
	others, err := using(e.view, &subnets, *v.VpcId)
	if err != nil {
		return a, err
	}
	for _, o := range others {
		if overlaps(block, o.blocks6()) {
			return a, refuse("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", cidr)
		}
	}
	a = api.SubnetIpv6CidrBlockAssociation{
		AssociationId: new(e.newID("subnet-cidr-assoc")), Ipv6CidrBlock: &text, Ipv6CidrBlockState: &api.SubnetCidrBlockState{State: "associated"},
		Ipv6AddressAttribute: "public", IpSource: "amazon",
	}
	s.Ipv6CidrBlockAssociationSet = append(s.Ipv6CidrBlockAssociationSet, a)
	return a, nil
}

func (s *Service) associateSubnetCidrBlock(ctx context.Context, in *api.AssociateSubnetCidrBlockInput) (*api.AssociateSubnetCidrBlockOutput, error) {
	if in.Ipv6CidrBlock == nil {
		return nil, missing("ipv6CidrBlock")
	}
	out := &api.AssociateSubnetCidrBlockOutput{SubnetId: &in.SubnetId}
	return out, change(ctx, s, &subnets, in.SubnetId, func(e *edit, sub *subnet) error {
		v, err := get(e.view, &vpcs, *sub.VpcId)
		if err != nil {
			return err
		}
		a, err := e.addSubnetBlock6(sub, v, *in.Ipv6CidrBlock)
		a.Ipv6CidrBlockState = &api.SubnetCidrBlockState{State: "associating"}
		out.Ipv6CidrBlockAssociation = &a
		return err
	})
}

func (s *Service) disassociateSubnetCidrBlock(ctx context.Context, in *api.DisassociateSubnetCidrBlockInput) (*api.DisassociateSubnetCidrBlockOutput, error) {
	out := &api.DisassociateSubnetCidrBlockOutput{}
	return out, s.update(ctx, func(e *edit) error {
		all, err := all(e.view, &subnets)
		if err != nil {
			return err
		}
		for i := range all {
			sub := &all[i]
			at := slices.IndexFunc(sub.Ipv6CidrBlockAssociationSet, func(a api.SubnetIpv6CidrBlockAssociation) bool { return *a.AssociationId == in.AssociationId })
			if at < 0 {
				continue
			}
			a := sub.Ipv6CidrBlockAssociationSet[at]
			a.Ipv6CidrBlockState = &api.SubnetCidrBlockState{State: "disassociating"}
			out.SubnetId, out.Ipv6CidrBlockAssociation = sub.SubnetId, &a
			sub.Ipv6CidrBlockAssociationSet = slices.Delete(sub.Ipv6CidrBlockAssociationSet, at, at+1)
			*sub.AssignIpv6AddressOnCreation = false
			return put(e, &subnets, sub)
		}
		return refuse("InvalidSubnetCidrBlockAssociationID.NotFound", "The subnet CIDR block association ID '%s' does not exist", in.AssociationId)
	})
}
