package ec2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

type vpcProperties struct {
	CidrBlock          *string               `cfn:"CidrBlock,required,createOnly"`
	EnableDNSHostnames *bool                 `cfn:"EnableDnsHostnames"`
	EnableDNSSupport   *bool                 `cfn:"EnableDnsSupport"`
	InstanceTenancy    *string               `cfn:"InstanceTenancy,createOnly"`
	Tags               []service.TagProperty `cfn:"Tags"`
}

type subnetProperties struct {
	VpcID                       string                `cfn:"VpcId,required,createOnly"`
	CidrBlock                   *string               `cfn:"CidrBlock,createOnly"`
	Ipv6CidrBlock               *string               `cfn:"Ipv6CidrBlock"`
	AvailabilityZone            *string               `cfn:"AvailabilityZone,createOnly"`
	AvailabilityZoneID          *string               `cfn:"AvailabilityZoneId,createOnly"`
	MapPublicIPOnLaunch         *bool                 `cfn:"MapPublicIpOnLaunch"`
	AssignIpv6AddressOnCreation *bool                 `cfn:"AssignIpv6AddressOnCreation"`
	EnableDNS64                 *bool                 `cfn:"EnableDns64"`
	Names                       *launchNameProperties `cfn:"PrivateDnsNameOptionsOnLaunch"`
	Tags                        []service.TagProperty `cfn:"Tags"`
}

type launchNameProperties struct {
	HostnameType *string `cfn:"HostnameType"`
	A            *bool   `cfn:"EnableResourceNameDnsARecord"`
	AAAA         *bool   `cfn:"EnableResourceNameDnsAAAARecord"`
}

type vpcBlockProperties struct {
	VpcID     string  `cfn:"VpcId,required,createOnly"`
	CidrBlock *string `cfn:"CidrBlock,createOnly"`
	Ipv6      *bool   `cfn:"AmazonProvidedIpv6CidrBlock,createOnly"`
}

type subnetBlockProperties struct {
	SubnetID      string `cfn:"SubnetId,required,createOnly"`
	Ipv6CidrBlock string `cfn:"Ipv6CidrBlock,required,createOnly"`
}

func (s *Service) networkTypes() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::EC2::VPC", service.ResourceSpec[vpcProperties]{
			Attributes: []string{"VpcId", "CidrBlock", "CidrBlockAssociations", "DefaultNetworkAcl", "DefaultSecurityGroup", "Ipv6CidrBlocks"},
			Changing:   []string{"CidrBlockAssociations", "Ipv6CidrBlocks"},
			Create:     s.createVPCResource, Update: s.updateVPCResource,
			Delete: func(ctx context.Context, c service.ResourceCall, _ *vpcProperties) error {
				return remove[api.DeleteVpcOutput](ctx, s, "DeleteVpc", &api.DeleteVpcInput{VpcId: c.PhysicalID}, vpcs.absent)
			},
			Identifier: []string{"VpcId"}, Read: s.readVPC, Missing: []string{vpcs.absent, vpcs.malformed},
			List: lists[vpcProperties](s, "DescribeVpcs", func(next *string) any { return &api.DescribeVpcsInput{NextToken: next, MaxResults: pageSize()} },
				func(o *api.DescribeVpcsOutput) ([]api.Vpc, *string) { return o.Vpcs, o.NextToken }, func(v *api.Vpc) service.Identifier { return only(v.VpcId) }),
		}),
		service.NewResourceType("AWS::EC2::Subnet", service.ResourceSpec[subnetProperties]{
			Attributes: []string{"SubnetId", "VpcId", "AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "Ipv6CidrBlocks", "NetworkAclAssociationId"},
			Changing:   []string{"Ipv6CidrBlocks", "NetworkAclAssociationId"},
			Create:     s.createSubnetResource, Update: s.updateSubnetResource,
			Delete: func(ctx context.Context, c service.ResourceCall, _ *subnetProperties) error {
				return remove[api.DeleteSubnetOutput](ctx, s, "DeleteSubnet", &api.DeleteSubnetInput{SubnetId: c.PhysicalID}, subnets.absent)
			},
			Identifier: []string{"SubnetId"}, Read: s.readSubnet, Missing: []string{subnets.absent, subnets.malformed},
			List: lists[subnetProperties](s, "DescribeSubnets", func(next *string) any { return &api.DescribeSubnetsInput{NextToken: next, MaxResults: pageSize()} },
				func(o *api.DescribeSubnetsOutput) ([]api.Subnet, *string) { return o.Subnets, o.NextToken }, func(v *api.Subnet) service.Identifier { return only(v.SubnetId) }),
		}),
		service.NewResourceType("AWS::EC2::VPCCidrBlock", service.ResourceSpec[vpcBlockProperties]{
			Attributes: []string{"Id", "Ipv6CidrBlock"}, Create: s.createVPCBlock,
			Delete: func(ctx context.Context, c service.ResourceCall, _ *vpcBlockProperties) error {
				return remove[api.DisassociateVpcCidrBlockOutput](ctx, s, "DisassociateVpcCidrBlock",
					&api.DisassociateVpcCidrBlockInput{AssociationId: c.PhysicalID}, "InvalidCidrBlockAssociationID.NotFound")
			},
			Identifier: []string{"Id", "VpcId"}, Read: s.readVPCBlock, Missing: []string{vpcs.absent, vpcs.malformed},
		}),
		service.NewResourceType("AWS::EC2::SubnetCidrBlock", service.ResourceSpec[subnetBlockProperties]{
			Attributes: []string{"Id"}, Create: s.createSubnetBlock,
			Delete: func(ctx context.Context, c service.ResourceCall, _ *subnetBlockProperties) error {
				return remove[api.DisassociateSubnetCidrBlockOutput](ctx, s, "DisassociateSubnetCidrBlock",
					&api.DisassociateSubnetCidrBlockInput{AssociationId: c.PhysicalID}, "InvalidSubnetCidrBlockAssociationID.NotFound")
			},
			Identifier: []string{"Id"}, Read: s.readSubnetBlock, Missing: []string{subnets.absent},
		}),
	}
}

func (s *Service) createVPCResource(ctx context.Context, c service.ResourceCall, p *vpcProperties) (service.Resource, error) {
	out, err := create[api.CreateVpcOutput](ctx, s, c, "CreateVpc", &api.CreateVpcInput{
		CidrBlock: p.CidrBlock, InstanceTenancy: opt.Value(p.InstanceTenancy), TagSpecifications: tagsFor("vpc", c.AllTags(p.Tags)),
	})
	if err != nil {
		return service.Resource{}, err
	}
	id := *out.Vpc.VpcId
	if err := s.setVPCAttributes(ctx, id, p); err != nil {
		return service.Resource{}, err
	}
	return s.vpcResource(ctx, id)
}

func (s *Service) setVPCAttributes(ctx context.Context, id string, p *vpcProperties) error {
	for _, in := range []*api.ModifyVpcAttributeInput{
		{VpcId: id, EnableDnsSupport: truth(p.EnableDNSSupport, true)}, {VpcId: id, EnableDnsHostnames: truth(p.EnableDNSHostnames, false)},
	} {
		if _, err := invoke[api.ModifyVpcAttributeOutput](ctx, s, "ModifyVpcAttribute", in); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) updateVPCResource(ctx context.Context, c service.ResourceCall, old, p *vpcProperties) (service.Resource, error) {
	if err := s.setVPCAttributes(ctx, c.PhysicalID, p); err != nil {
		return service.Resource{}, err
	}
	if err := s.retag(ctx, c, c.PhysicalID, c.AllTags(old.Tags), c.AllTags(p.Tags)); err != nil {
		return service.Resource{}, err
	}
	return s.vpcResource(ctx, c.PhysicalID)
}

// vpcResource reads the attributes of a network.
func (s *Service) vpcResource(ctx context.Context, id string) (r service.Resource, err error) {
	err = s.view(ctx, func(v *view) error {
		network, err := get(v, &vpcs, id)
		if err != nil {
			return err
		}
		list, err := v.defaultACL(id)
		if err != nil {
			return err
		}
		g, err := v.groupNamed(id, defaultGroup)
		if err != nil {
			return err
		}
		r = service.Resource{PhysicalID: id, Attributes: map[string]any{
			"VpcId": id, "CidrBlock": *network.CidrBlock, "DefaultNetworkAcl": *list.NetworkAclId, "DefaultSecurityGroup": *g.GroupId,
			"CidrBlockAssociations": anys(each(network.CidrBlockAssociationSet, func(a *api.VpcCidrBlockAssociation) []string { return text(a.AssociationId) })),
			"Ipv6CidrBlocks":        anys(each(network.Ipv6CidrBlockAssociationSet, func(a *api.VpcIpv6CidrBlockAssociation) []string { return text(a.Ipv6CidrBlock) })),
		}}
		return nil
	})
	return r, err
}

func (s *Service) createSubnetResource(ctx context.Context, c service.ResourceCall, p *subnetProperties) (service.Resource, error) {
	out, err := create[api.CreateSubnetOutput](ctx, s, c, "CreateSubnet", &api.CreateSubnetInput{
		VpcId: p.VpcID, CidrBlock: p.CidrBlock, Ipv6CidrBlock: p.Ipv6CidrBlock, AvailabilityZone: p.AvailabilityZone, AvailabilityZoneId: p.AvailabilityZoneID,
		TagSpecifications: tagsFor("subnet", c.AllTags(p.Tags)),
	})
	if err != nil {
		return service.Resource{}, err
	}
	id := *out.Subnet.SubnetId
	if err := s.setSubnetAttributes(ctx, id, p); err != nil {
		return service.Resource{}, err
	}
	return s.subnetResource(ctx, id)
}

func (s *Service) setSubnetAttributes(ctx context.Context, id string, p *subnetProperties) error {
	in := &api.ModifySubnetAttributeInput{
		SubnetId: id, MapPublicIpOnLaunch: truth(p.MapPublicIPOnLaunch, false), EnableDns64: truth(p.EnableDNS64, false),
		AssignIpv6AddressOnCreation: truth(p.AssignIpv6AddressOnCreation, false),
	}
	if n := p.Names; n != nil {
		in.PrivateDnsHostnameTypeOnLaunch = opt.Value(n.HostnameType)
		in.EnableResourceNameDnsARecordOnLaunch, in.EnableResourceNameDnsAAAARecordOnLaunch = truth(n.A, false), truth(n.AAAA, false)
	}
	_, err := invoke[api.ModifySubnetAttributeOutput](ctx, s, "ModifySubnetAttribute", in)
	return err
}

func (s *Service) updateSubnetResource(ctx context.Context, c service.ResourceCall, old, p *subnetProperties) (service.Resource, error) {
	if opt.Value(old.Ipv6CidrBlock) != opt.Value(p.Ipv6CidrBlock) {
		if err := s.changeSubnetBlock(ctx, c, old, p); err != nil {
			return service.Resource{}, err
		}
	}
	if err := s.setSubnetAttributes(ctx, c.PhysicalID, p); err != nil {
		return service.Resource{}, err
	}
	if err := s.retag(ctx, c, c.PhysicalID, c.AllTags(old.Tags), c.AllTags(p.Tags)); err != nil {
		return service.Resource{}, err
	}
	return s.subnetResource(ctx, c.PhysicalID)
}

// changeSubnetBlock gives a subnet another IPv6 block, or none.
func (s *Service) changeSubnetBlock(ctx context.Context, c service.ResourceCall, old, p *subnetProperties) error {
	var gone []string
	err := s.view(ctx, func(v *view) error {
		sub, err := get(v, &subnets, c.PhysicalID)
		if err != nil {
			return err
		}
		for _, a := range sub.Ipv6CidrBlockAssociationSet {
			if *a.Ipv6CidrBlock == opt.Value(old.Ipv6CidrBlock) {
				gone = append(gone, *a.AssociationId)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, id := range gone {
		if _, err := invoke[api.DisassociateSubnetCidrBlockOutput](ctx, s, "DisassociateSubnetCidrBlock", &api.DisassociateSubnetCidrBlockInput{AssociationId: id}); err != nil {
			return err
		}
	}
	if p.Ipv6CidrBlock == nil {
		return nil
	}
	_, err = create[api.AssociateSubnetCidrBlockOutput](ctx, s, c, "AssociateSubnetCidrBlock", &api.AssociateSubnetCidrBlockInput{SubnetId: c.PhysicalID, Ipv6CidrBlock: p.Ipv6CidrBlock})
	return err
}

func (s *Service) subnetResource(ctx context.Context, id string) (r service.Resource, err error) {
	err = s.view(ctx, func(v *view) error {
		sub, err := get(v, &subnets, id)
		if err != nil {
			return err
		}
		association, err := v.aclAssociation(sub)
		r = service.Resource{PhysicalID: id, Attributes: map[string]any{
			"SubnetId": id, "VpcId": *sub.VpcId, "AvailabilityZone": *sub.AvailabilityZone, "AvailabilityZoneId": *sub.AvailabilityZoneId, "CidrBlock": *sub.CidrBlock,
			"Ipv6CidrBlocks":          anys(each(sub.Ipv6CidrBlockAssociationSet, func(a *api.SubnetIpv6CidrBlockAssociation) []string { return text(a.Ipv6CidrBlock) })),
			"NetworkAclAssociationId": association,
		}}
		return err
	})
	return r, err
}

// aclAssociation returns the id by which a subnet is under its access control list.
func (v *view) aclAssociation(sub *subnet) (string, error) {
	lists, err := using(v, &acls, *sub.VpcId)
	if err != nil {
		return "", err
	}
	for _, a := range lists {
		if i := a.of(*sub.SubnetId); i >= 0 {
			return *a.Associations[i].NetworkAclAssociationId, nil
		}
	}
	return "", nil
}

func (s *Service) createVPCBlock(ctx context.Context, c service.ResourceCall, p *vpcBlockProperties) (service.Resource, error) {
	out, err := create[api.AssociateVpcCidrBlockOutput](ctx, s, c, "AssociateVpcCidrBlock", &api.AssociateVpcCidrBlockInput{
		VpcId: p.VpcID, CidrBlock: p.CidrBlock, AmazonProvidedIpv6CidrBlock: p.Ipv6,
	})
	if err != nil {
		return service.Resource{}, err
	}
	if a := out.Ipv6CidrBlockAssociation; a != nil {
		return service.Resource{PhysicalID: *a.AssociationId, Attributes: map[string]any{"Id": *a.AssociationId, "Ipv6CidrBlock": *a.Ipv6CidrBlock}}, nil
	}
	return identified(*out.CidrBlockAssociation.AssociationId, "Id"), nil
}

func (s *Service) createSubnetBlock(ctx context.Context, c service.ResourceCall, p *subnetBlockProperties) (service.Resource, error) {
	out, err := create[api.AssociateSubnetCidrBlockOutput](ctx, s, c, "AssociateSubnetCidrBlock", &api.AssociateSubnetCidrBlockInput{
		SubnetId: p.SubnetID, Ipv6CidrBlock: &p.Ipv6CidrBlock,
	})
	if err != nil {
		return service.Resource{}, err
	}
	return identified(*out.Ipv6CidrBlockAssociation.AssociationId, "Id"), nil
}
