package ec2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

type addressProperties struct {
	Domain *string               `cfn:"Domain"`
	Tags   []service.TagProperty `cfn:"Tags"`
}

type addressAssociationProperties struct {
	AllocationID       *string `cfn:"AllocationId,createOnly"`
	EIP                *string `cfn:"EIP,createOnly"`
	NetworkInterfaceID *string `cfn:"NetworkInterfaceId,createOnly"`
}

type interfaceProperties struct {
	SubnetID         string                `cfn:"SubnetId,required,createOnly"`
	Description      *string               `cfn:"Description"`
	GroupSet         []string              `cfn:"GroupSet,unordered"`
	PrivateIPAddress *string               `cfn:"PrivateIpAddress,createOnly"`
	Secondary        *int64                `cfn:"SecondaryPrivateIpAddressCount,createOnly"`
	SourceDestCheck  *bool                 `cfn:"SourceDestCheck"`
	Tags             []service.TagProperty `cfn:"Tags"`
}

func (s *Service) addressTypes() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::EC2::EIP", service.ResourceSpec[addressProperties]{
			Attributes: []string{"AllocationId", "PublicIp"}, Create: s.createAddressResource, Update: s.updateAddressResource, Delete: s.deleteAddressResource,
			Identifier: []string{"PublicIp", "AllocationId"}, Read: s.readAddress, Missing: []string{"InvalidAddress.NotFound"},
			List: lists[addressProperties](s, "DescribeAddresses", func(*string) any { return &api.DescribeAddressesInput{} },
				func(o *api.DescribeAddressesOutput) ([]api.Address, *string) { return o.Addresses, nil }, func(v *api.Address) service.Identifier { return service.Identifier{*v.PublicIp, *v.AllocationId} }),
		}),
		service.NewResourceType("AWS::EC2::EIPAssociation", service.ResourceSpec[addressAssociationProperties]{
			Attributes: []string{"Id"},
			Create: func(ctx context.Context, c service.ResourceCall, p *addressAssociationProperties) (service.Resource, error) {
				out, err := create[api.AssociateAddressOutput](ctx, s, c, "AssociateAddress", &api.AssociateAddressInput{
					AllocationId: p.AllocationID, PublicIp: p.EIP, NetworkInterfaceId: p.NetworkInterfaceID,
				})
				if err != nil {
					return service.Resource{}, err
				}
				return identified(*out.AssociationId, "Id"), nil
			},
			Delete: func(ctx context.Context, c service.ResourceCall, _ *addressAssociationProperties) error {
				return remove[api.DisassociateAddressOutput](ctx, s, "DisassociateAddress", &api.DisassociateAddressInput{AssociationId: &c.PhysicalID}, codeNoAssoc)
			},
			Identifier: []string{"Id"}, Read: s.readAddressAssociation, Missing: []string{"InvalidAddress.NotFound"},
		}),
		service.NewResourceType("AWS::EC2::NetworkInterface", service.ResourceSpec[interfaceProperties]{
			Attributes: []string{"Id", "PrimaryPrivateIpAddress", "SecondaryPrivateIpAddresses", "VpcId"}, Create: s.createInterfaceResource, Update: s.updateInterfaceResource,
			Delete: func(ctx context.Context, c service.ResourceCall, _ *interfaceProperties) error {
				return remove[api.DeleteNetworkInterfaceOutput](ctx, s, "DeleteNetworkInterface", &api.DeleteNetworkInterfaceInput{NetworkInterfaceId: c.PhysicalID}, interfaces.absent)
			},
			Identifier: []string{"Id"}, Read: s.readInterface, Missing: []string{interfaces.absent, interfaces.malformed},
			List: lists[interfaceProperties](s, "DescribeNetworkInterfaces", func(next *string) any {
				return &api.DescribeNetworkInterfacesInput{NextToken: next, MaxResults: pageSize()}
			},
				func(o *api.DescribeNetworkInterfacesOutput) ([]api.NetworkInterface, *string) {
					return o.NetworkInterfaces, o.NextToken
				}, func(v *api.NetworkInterface) service.Identifier { return only(v.NetworkInterfaceId) }),
		}),
	}
}

func (s *Service) createAddressResource(ctx context.Context, c service.ResourceCall, p *addressProperties) (service.Resource, error) {
	out, err := create[api.AllocateAddressOutput](ctx, s, c, "AllocateAddress", &api.AllocateAddressInput{Domain: "vpc", TagSpecifications: tagsFor(addresses.name, c.AllTags(p.Tags))})
	if err != nil {
		return service.Resource{}, err
	}
	return addressResource(*out.PublicIp, *out.AllocationId), nil
}

// addressResource is known by the address itself, which is what Ref returns.
func addressResource(ip, allocation string) service.Resource {
	return service.Resource{PhysicalID: ip, Attributes: map[string]any{"AllocationId": allocation, "PublicIp": ip}}
}

// allocationOf returns the allocation of an address.
func (s *Service) allocationOf(ctx context.Context, ip string) (id string, err error) {
	err = s.view(ctx, func(v *view) error {
		a, err := v.findAddress(nil, &ip)
		if err == nil {
			id = *a.AllocationId
		}
		return err
	})
	return id, err
}

func (s *Service) updateAddressResource(ctx context.Context, c service.ResourceCall, old, p *addressProperties) (service.Resource, error) {
	id, err := s.allocationOf(ctx, c.PhysicalID)
	if err != nil {
		return service.Resource{}, err
	}
	return addressResource(c.PhysicalID, id), s.retag(ctx, c, id, c.AllTags(old.Tags), c.AllTags(p.Tags))
}

func (s *Service) deleteAddressResource(ctx context.Context, c service.ResourceCall, _ *addressProperties) error {
	id, err := s.allocationOf(ctx, c.PhysicalID)
	if err != nil {
		return service.Unless(err, "InvalidAddress.NotFound")
	}
	return remove[api.ReleaseAddressOutput](ctx, s, "ReleaseAddress", &api.ReleaseAddressInput{AllocationId: &id}, addresses.absent)
}

func (s *Service) createInterfaceResource(ctx context.Context, c service.ResourceCall, p *interfaceProperties) (service.Resource, error) {
	out, err := create[api.CreateNetworkInterfaceOutput](ctx, s, c, "CreateNetworkInterface", &api.CreateNetworkInterfaceInput{
		SubnetId: p.SubnetID, Description: p.Description, Groups: p.GroupSet, PrivateIpAddress: p.PrivateIPAddress, SecondaryPrivateIpAddressCount: short(p.Secondary),
		TagSpecifications: tagsFor(interfaces.name, c.AllTags(p.Tags)),
	})
	if err != nil {
		return service.Resource{}, err
	}
	id := *out.NetworkInterface.NetworkInterfaceId
	if err := s.setInterface(ctx, id, p); err != nil {
		return service.Resource{}, err
	}
	return s.interfaceResource(ctx, id)
}

// setInterface gives an interface what can change of it.
func (s *Service) setInterface(ctx context.Context, id string, p *interfaceProperties) error {
	for _, in := range []*api.ModifyNetworkInterfaceAttributeInput{
		{NetworkInterfaceId: id, SourceDestCheck: truth(p.SourceDestCheck, true)},
		{NetworkInterfaceId: id, Description: &api.AttributeValue{Value: new(opt.Value(p.Description))}},
		{NetworkInterfaceId: id, Groups: p.GroupSet},
	} {
		if _, err := invoke[api.ModifyNetworkInterfaceAttributeOutput](ctx, s, "ModifyNetworkInterfaceAttribute", in); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) updateInterfaceResource(ctx context.Context, c service.ResourceCall, old, p *interfaceProperties) (service.Resource, error) {
	if err := s.setInterface(ctx, c.PhysicalID, p); err != nil {
		return service.Resource{}, err
	}
	if err := s.retag(ctx, c, c.PhysicalID, c.AllTags(old.Tags), c.AllTags(p.Tags)); err != nil {
		return service.Resource{}, err
	}
	return s.interfaceResource(ctx, c.PhysicalID)
}

func (s *Service) interfaceResource(ctx context.Context, id string) (r service.Resource, err error) {
	err = s.view(ctx, func(v *view) error {
		i, err := get(v, &interfaces, id)
		if err != nil {
			return err
		}
		others := each(i.PrivateIpAddresses[1:], func(a *api.NetworkInterfacePrivateIpAddress) []string { return text(a.PrivateIpAddress) })
		r = service.Resource{PhysicalID: id, Attributes: map[string]any{
			"Id": id, "VpcId": *i.VpcId, "PrimaryPrivateIpAddress": *i.PrivateIpAddress, "SecondaryPrivateIpAddresses": anys(others),
		}}
		return nil
	})
	return r, err
}
