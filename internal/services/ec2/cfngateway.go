package ec2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

type internetGatewayProperties struct {
	Tags []service.TagProperty `cfn:"Tags"`
}

type egressGatewayProperties struct {
	VpcID string                `cfn:"VpcId,required,createOnly"`
	Tags  []service.TagProperty `cfn:"Tags"`
}

type attachmentProperties struct {
	VpcID             string  `cfn:"VpcId,required,createOnly"`
	InternetGatewayID *string `cfn:"InternetGatewayId"`
	VpnGatewayID      *string `cfn:"VpnGatewayId"`
}

type vpnGatewayProperties struct {
	Type          string                `cfn:"Type,required,createOnly"`
	AmazonSideAsn *int64                `cfn:"AmazonSideAsn,createOnly"`
	Tags          []service.TagProperty `cfn:"Tags"`
}

type natGatewayProperties struct {
	SubnetID         *string               `cfn:"SubnetId,createOnly"`
	AllocationID     *string               `cfn:"AllocationId,createOnly"`
	ConnectivityType *string               `cfn:"ConnectivityType,createOnly"`
	PrivateIPAddress *string               `cfn:"PrivateIpAddress,createOnly"`
	MaxDrainSeconds  *int64                `cfn:"MaxDrainDurationSeconds,writeOnly"`
	Tags             []service.TagProperty `cfn:"Tags"`
}

func (s *Service) gatewayTypes() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::EC2::InternetGateway", service.ResourceSpec[internetGatewayProperties]{
			Attributes: []string{"InternetGatewayId"},
			Create: func(ctx context.Context, c service.ResourceCall, p *internetGatewayProperties) (service.Resource, error) {
				out, err := create[api.CreateInternetGatewayOutput](ctx, s, c, "CreateInternetGateway", &api.CreateInternetGatewayInput{TagSpecifications: tagsFor("internet-gateway", c.AllTags(p.Tags))})
				if err != nil {
					return service.Resource{}, err
				}
				return identified(*out.InternetGateway.InternetGatewayId, "InternetGatewayId"), nil
			},
			Update: onlyTags(s, func(p *internetGatewayProperties) []service.TagProperty { return p.Tags },
				func(_ context.Context, c service.ResourceCall, _ *internetGatewayProperties) (service.Resource, error) {
					return identified(c.PhysicalID, "InternetGatewayId"), nil
				}),
			Delete: func(ctx context.Context, c service.ResourceCall, _ *internetGatewayProperties) error {
				return remove[api.DeleteInternetGatewayOutput](ctx, s, "DeleteInternetGateway", &api.DeleteInternetGatewayInput{InternetGatewayId: c.PhysicalID}, internetGateways.absent)
			},
			Identifier: []string{"InternetGatewayId"}, Read: s.readInternetGateway, Missing: []string{internetGateways.absent, internetGateways.malformed},
			List: lists[internetGatewayProperties](s, "DescribeInternetGateways", func(next *string) any {
				return &api.DescribeInternetGatewaysInput{NextToken: next, MaxResults: pageSize()}
			},
				func(o *api.DescribeInternetGatewaysOutput) ([]api.InternetGateway, *string) {
					return o.InternetGateways, o.NextToken
				}, func(v *api.InternetGateway) service.Identifier { return only(v.InternetGatewayId) }),
		}),
		service.NewResourceType("AWS::EC2::EgressOnlyInternetGateway", service.ResourceSpec[egressGatewayProperties]{
			Attributes: []string{"Id"},
			Create: func(ctx context.Context, c service.ResourceCall, p *egressGatewayProperties) (service.Resource, error) {
				out, err := create[api.CreateEgressOnlyInternetGatewayOutput](ctx, s, c, "CreateEgressOnlyInternetGateway", &api.CreateEgressOnlyInternetGatewayInput{
					VpcId: p.VpcID, TagSpecifications: tagsFor("egress-only-internet-gateway", c.AllTags(p.Tags)),
				})
				if err != nil {
					return service.Resource{}, err
				}
				return identified(*out.EgressOnlyInternetGateway.EgressOnlyInternetGatewayId, "Id"), nil
			},
			Update: onlyTags(s, func(p *egressGatewayProperties) []service.TagProperty { return p.Tags },
				func(_ context.Context, c service.ResourceCall, _ *egressGatewayProperties) (service.Resource, error) {
					return identified(c.PhysicalID, "Id"), nil
				}),
			Delete: func(ctx context.Context, c service.ResourceCall, _ *egressGatewayProperties) error {
				return remove[api.DeleteEgressOnlyInternetGatewayOutput](ctx, s, "DeleteEgressOnlyInternetGateway",
					&api.DeleteEgressOnlyInternetGatewayInput{EgressOnlyInternetGatewayId: c.PhysicalID}, egressGateways.absent)
			},
			Identifier: []string{"Id"}, Read: s.readEgressGateway, Missing: []string{egressGateways.absent, egressGateways.malformed},
			List: lists[egressGatewayProperties](s, "DescribeEgressOnlyInternetGateways", func(next *string) any {
				return &api.DescribeEgressOnlyInternetGatewaysInput{NextToken: next, MaxResults: pageSize()}
			},
				func(o *api.DescribeEgressOnlyInternetGatewaysOutput) ([]api.EgressOnlyInternetGateway, *string) {
					return o.EgressOnlyInternetGateways, o.NextToken
				}, func(v *api.EgressOnlyInternetGateway) service.Identifier { return only(v.EgressOnlyInternetGatewayId) }),
		}),
		service.NewResourceType("AWS::EC2::VPCGatewayAttachment", service.ResourceSpec[attachmentProperties]{
			Attributes: []string{"AttachmentType"}, Create: s.createAttachment, Update: s.updateAttachment,
			Delete: func(ctx context.Context, _ service.ResourceCall, p *attachmentProperties) error {
				return s.detach(ctx, p)
			},
			Identifier: []string{"AttachmentType", "VpcId"}, Read: s.readAttachment, Missing: []string{vpcs.absent},
			List: s.listAttachments,
		}),
		service.NewResourceType("AWS::EC2::VPNGateway", service.ResourceSpec[vpnGatewayProperties]{
			Attributes: []string{"VPNGatewayId"},
			Create: func(ctx context.Context, c service.ResourceCall, p *vpnGatewayProperties) (service.Resource, error) {
				out, err := create[api.CreateVpnGatewayOutput](ctx, s, c, "CreateVpnGateway", &api.CreateVpnGatewayInput{
					Type: p.Type, AmazonSideAsn: p.AmazonSideAsn, TagSpecifications: tagsFor("vpn-gateway", c.AllTags(p.Tags)),
				})
				if err != nil {
					return service.Resource{}, err
				}
				return identified(*out.VpnGateway.VpnGatewayId, "VPNGatewayId"), nil
			},
			Update: onlyTags(s, func(p *vpnGatewayProperties) []service.TagProperty { return p.Tags },
				func(_ context.Context, c service.ResourceCall, _ *vpnGatewayProperties) (service.Resource, error) {
					return identified(c.PhysicalID, "VPNGatewayId"), nil
				}),
			Delete: func(ctx context.Context, c service.ResourceCall, _ *vpnGatewayProperties) error {
				return remove[api.DeleteVpnGatewayOutput](ctx, s, "DeleteVpnGateway", &api.DeleteVpnGatewayInput{VpnGatewayId: c.PhysicalID}, vpnGateways.absent)
			},
			Identifier: []string{"VPNGatewayId"}, Read: s.readVPNGateway, Missing: []string{vpnGateways.absent, vpnGateways.malformed},
			List: lists[vpnGatewayProperties](s, "DescribeVpnGateways", func(*string) any { return &api.DescribeVpnGatewaysInput{} },
				func(o *api.DescribeVpnGatewaysOutput) ([]api.VpnGateway, *string) { return o.VpnGateways, nil }, func(v *api.VpnGateway) service.Identifier { return only(v.VpnGatewayId) }),
		}),
		service.NewResourceType("AWS::EC2::NatGateway", service.ResourceSpec[natGatewayProperties]{
			Attributes: []string{"NatGatewayId", "EniId"}, Create: s.createNATResource,
			Update: onlyTags(s, func(p *natGatewayProperties) []service.TagProperty { return p.Tags },
				func(ctx context.Context, c service.ResourceCall, _ *natGatewayProperties) (service.Resource, error) {
					return s.natResource(ctx, c.PhysicalID)
				}),
			Delete: func(ctx context.Context, c service.ResourceCall, _ *natGatewayProperties) error {
				return remove[api.DeleteNatGatewayOutput](ctx, s, "DeleteNatGateway", &api.DeleteNatGatewayInput{NatGatewayId: c.PhysicalID}, natGateways.absent)
			},
			Identifier: []string{"NatGatewayId"}, Read: s.readNATGateway, Missing: []string{natGateways.absent, natGateways.malformed},
			List: lists[natGatewayProperties](s, "DescribeNatGateways", func(next *string) any { return &api.DescribeNatGatewaysInput{NextToken: next, MaxResults: pageSize()} },
				func(o *api.DescribeNatGatewaysOutput) ([]api.NatGateway, *string) { return o.NatGateways, o.NextToken }, func(v *api.NatGateway) service.Identifier { return only(v.NatGatewayId) }),
		}),
	}
}

// attachment is the id of an attachment: what kind of gateway, and the network.
func (p *attachmentProperties) resource() service.Resource {
	kind := "IGW"
	if p.VpnGatewayID != nil {
		kind = "VGW"
	}
	return service.Resource{PhysicalID: kind + "|" + p.VpcID, Attributes: map[string]any{"AttachmentType": kind}}
}

func (s *Service) createAttachment(ctx context.Context, c service.ResourceCall, p *attachmentProperties) (service.Resource, error) {
	if (p.InternetGatewayID == nil) == (p.VpnGatewayID == nil) {
		return service.Resource{}, refuse("ValidationError", "Exactly one of InternetGatewayId and VpnGatewayId must be specified")
	}
	var err error
	if p.InternetGatewayID != nil {
		_, err = create[api.AttachInternetGatewayOutput](ctx, s, c, "AttachInternetGateway", &api.AttachInternetGatewayInput{InternetGatewayId: *p.InternetGatewayID, VpcId: p.VpcID})
	} else {
		_, err = create[api.AttachVpnGatewayOutput](ctx, s, c, "AttachVpnGateway", &api.AttachVpnGatewayInput{VpnGatewayId: *p.VpnGatewayID, VpcId: p.VpcID})
	}
	return p.resource(), err
}

func (s *Service) updateAttachment(ctx context.Context, c service.ResourceCall, old, p *attachmentProperties) (service.Resource, error) {
	if err := s.detach(ctx, old); err != nil {
		return service.Resource{}, err
	}
	return s.createAttachment(ctx, c, p)
}

func (s *Service) detach(ctx context.Context, p *attachmentProperties) error {
	if p.VpnGatewayID != nil {
		return remove[api.DetachVpnGatewayOutput](ctx, s, "DetachVpnGateway", &api.DetachVpnGatewayInput{VpnGatewayId: *p.VpnGatewayID, VpcId: p.VpcID},
			vpnGateways.absent, vpcs.absent, "InvalidVpnGatewayAttachment.NotFound")
	}
	return remove[api.DetachInternetGatewayOutput](ctx, s, "DetachInternetGateway", &api.DetachInternetGatewayInput{InternetGatewayId: opt.Value(p.InternetGatewayID), VpcId: p.VpcID},
		internetGateways.absent, vpcs.absent, codeAttached)
}

func (s *Service) createNATResource(ctx context.Context, c service.ResourceCall, p *natGatewayProperties) (service.Resource, error) {
	out, err := create[api.CreateNatGatewayOutput](ctx, s, c, "CreateNatGateway", &api.CreateNatGatewayInput{
		SubnetId: p.SubnetID, AllocationId: p.AllocationID, ConnectivityType: opt.Value(p.ConnectivityType), PrivateIpAddress: p.PrivateIPAddress,
		TagSpecifications: tagsFor("natgateway", c.AllTags(p.Tags)),
	})
	if err != nil {
		return service.Resource{}, err
	}
	return s.natResource(ctx, *out.NatGateway.NatGatewayId)
}

// natResource reads the attributes of a gateway, which must not have failed.
func (s *Service) natResource(ctx context.Context, id string) (r service.Resource, err error) {
	err = s.view(ctx, func(v *view) error {
		n, err := get(v, &natGateways, id)
		if err != nil {
			return err
		}
		if n.State == "failed" {
			return refuse("NotStabilized", "NatGateway %s is in state failed and hence failed to stabilize. Detailed failure message: %s", id, *n.FailureMessage)
		}
		r = identified(id, "NatGatewayId")
		for _, a := range n.NatGatewayAddresses {
			r.Attributes["EniId"] = opt.Value(a.NetworkInterfaceId)
		}
		return nil
	})
	return r, err
}
