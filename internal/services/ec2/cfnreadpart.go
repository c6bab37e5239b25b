package ec2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// The resources of this file are parts of others, such as an entry of a list or a block of a network; they are read with those.

func (s *Service) readEgressGateway(ctx context.Context, id service.Identifier) (*egressGatewayProperties, service.Resource, error) {
	g, err := one(ctx, s, "DescribeEgressOnlyInternetGateways", &api.DescribeEgressOnlyInternetGatewaysInput{EgressOnlyInternetGatewayIds: id},
		func(o *api.DescribeEgressOnlyInternetGatewaysOutput) []api.EgressOnlyInternetGateway {
			return o.EgressOnlyInternetGateways
		})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[egressGatewayProperties](g)
	for _, a := range g.Attachments {
		p.VpcID = *a.VpcId
	}
	return p, identified(id[0], "Id"), nil
}

func (s *Service) readVPNGateway(ctx context.Context, id service.Identifier) (*vpnGatewayProperties, service.Resource, error) {
	g, err := one(ctx, s, "DescribeVpnGateways", &api.DescribeVpnGatewaysInput{VpnGatewayIds: id}, func(o *api.DescribeVpnGatewaysOutput) []api.VpnGateway { return o.VpnGateways })
	if err != nil {
		return nil, service.Resource{}, err
	}
	if g.State == api.VpnStateDeleted {
		return nil, service.Resource{}, service.ErrGone
	}
	return reshape.To[vpnGatewayProperties](g), identified(id[0], "VPNGatewayId"), nil
}

// readVPCBlock reads a block of a network by its association and the network.
func (s *Service) readVPCBlock(ctx context.Context, id service.Identifier) (*vpcBlockProperties, service.Resource, error) {
	v, err := one(ctx, s, "DescribeVpcs", &api.DescribeVpcsInput{VpcIds: id[1:]}, func(o *api.DescribeVpcsOutput) []api.Vpc { return o.Vpcs })
	if err != nil {
		return nil, service.Resource{}, err
	}
	for _, a := range v.CidrBlockAssociationSet {
		if *a.AssociationId == id[0] {
			return &vpcBlockProperties{VpcID: id[1], CidrBlock: a.CidrBlock}, identified(id[0], "Id"), nil
		}
	}
	for _, a := range v.Ipv6CidrBlockAssociationSet {
		if *a.AssociationId == id[0] {
			return &vpcBlockProperties{VpcID: id[1], Ipv6: new(true)}, service.Resource{PhysicalID: id[0], Attributes: map[string]any{"Id": id[0], "Ipv6CidrBlock": *a.Ipv6CidrBlock}}, nil
		}
	}
	return nil, service.Resource{}, service.ErrGone
}

func (s *Service) readSubnetBlock(ctx context.Context, id service.Identifier) (*subnetBlockProperties, service.Resource, error) {
	v, err := one(ctx, s, "DescribeSubnets", &api.DescribeSubnetsInput{Filters: where("ipv6-cidr-block-association.association-id", id[0])}, func(o *api.DescribeSubnetsOutput) []api.Subnet { return o.Subnets })
	if err != nil {
		return nil, service.Resource{}, err
	}
	for _, a := range v.Ipv6CidrBlockAssociationSet {
		if *a.AssociationId == id[0] {
			return &subnetBlockProperties{SubnetID: *v.SubnetId, Ipv6CidrBlock: opt.Value(a.Ipv6CidrBlock)}, identified(id[0], "Id"), nil
		}
	}
	return nil, service.Resource{}, service.ErrGone
}

func (s *Service) readAddressAssociation(ctx context.Context, id service.Identifier) (*addressAssociationProperties, service.Resource, error) {
	a, err := one(ctx, s, "DescribeAddresses", &api.DescribeAddressesInput{Filters: where("association-id", id[0])}, func(o *api.DescribeAddressesOutput) []api.Address { return o.Addresses })
	if err != nil {
		return nil, service.Resource{}, err
	}
	return &addressAssociationProperties{AllocationID: a.AllocationId, EIP: a.PublicIp, NetworkInterfaceID: a.NetworkInterfaceId}, identified(id[0], "Id"), nil
}

func (s *Service) readACLAssociation(ctx context.Context, id service.Identifier) (*subnetACLProperties, service.Resource, error) {
	l, err := one(ctx, s, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{Filters: where("association.association-id", id[0])}, func(o *api.DescribeNetworkAclsOutput) []api.NetworkAcl { return o.NetworkAcls })
	if err != nil {
		return nil, service.Resource{}, err
	}
	for _, a := range l.Associations {
		if *a.NetworkAclAssociationId == id[0] {
			return &subnetACLProperties{SubnetID: *a.SubnetId, NetworkAclID: *a.NetworkAclId}, identified(id[0], "AssociationId"), nil
		}
	}
	return nil, service.Resource{}, service.ErrGone
}

// rereadEntry reads the entry of a list that a stack made, which has a number there and no id of its own.
func (s *Service) rereadEntry(ctx context.Context, _ service.ResourceCall, recorded *entryProperties) (*entryProperties, error) {
	l, err := one(ctx, s, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{NetworkAclIds: []string{recorded.NetworkAclID}}, func(o *api.DescribeNetworkAclsOutput) []api.NetworkAcl { return o.NetworkAcls })
	if err != nil {
		return nil, err
	}
	for i := range l.Entries {
		e := &l.Entries[i]
		if int64(*e.RuleNumber) != recorded.RuleNumber || *e.Egress != opt.Value(recorded.Egress) {
			continue
		}
		p := reshape.To[entryProperties](e, map[string]any{"Icmp": e.IcmpTypeCode})
		p.NetworkAclID = recorded.NetworkAclID
		return p, nil
	}
	return nil, service.ErrGone
}

// readDHCPAssociation reads which options a network uses.
func (s *Service) readDHCPAssociation(ctx context.Context, id service.Identifier) (*dhcpAssociationProperties, service.Resource, error) {
	v, err := one(ctx, s, "DescribeVpcs", &api.DescribeVpcsInput{VpcIds: id[1:]}, func(o *api.DescribeVpcsOutput) []api.Vpc { return o.Vpcs })
	if err == nil && opt.Value(v.DhcpOptionsId) != id[0] {
		err = service.ErrGone
	}
	if err != nil {
		return nil, service.Resource{}, err
	}
	return &dhcpAssociationProperties{VpcID: id[1], DhcpOptionsID: id[0]}, service.Resource{PhysicalID: id.String()}, nil
}

// readGatewayAssociation reads the table of a gateway.
func (s *Service) readGatewayAssociation(ctx context.Context, id service.Identifier) (*gatewayAssociationProperties, service.Resource, error) {
	t, err := one(ctx, s, "DescribeRouteTables", &api.DescribeRouteTablesInput{Filters: where("association.gateway-id", id[0])}, func(o *api.DescribeRouteTablesOutput) []api.RouteTable { return o.RouteTables })
	if err != nil {
		return nil, service.Resource{}, err
	}
	for _, a := range t.Associations {
		if opt.Value(a.GatewayId) == id[0] {
			return &gatewayAssociationProperties{RouteTableID: *t.RouteTableId, GatewayID: id[0]}, identified(*a.RouteTableAssociationId, "AssociationId"), nil
		}
	}
	return nil, service.Resource{}, service.ErrGone
}

// rereadPropagation reads which of the tables of a stack still take the routes of a private gateway. That has no id of its own.
func (s *Service) rereadPropagation(ctx context.Context, _ service.ResourceCall, recorded *propagationProperties) (*propagationProperties, error) {
	out, err := invoke[api.DescribeRouteTablesOutput](ctx, s, "DescribeRouteTables", &api.DescribeRouteTablesInput{Filters: []api.Filter{{Name: new("route-table-id"), Values: recorded.RouteTableIDs}}})
	if err != nil {
		return nil, err
	}
	p := &propagationProperties{VpnGatewayID: recorded.VpnGatewayID}
	for _, t := range out.RouteTables {
		for _, g := range t.PropagatingVgws {
			if opt.Value(g.GatewayId) == recorded.VpnGatewayID {
				p.RouteTableIDs = append(p.RouteTableIDs, *t.RouteTableId)
			}
		}
	}
	if p.RouteTableIDs == nil {
		return nil, service.ErrGone
	}
	return p, nil
}
