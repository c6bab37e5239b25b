package ec2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

type routeTableProperties struct {
	VpcID string                `cfn:"VpcId,required,createOnly"`
	Tags  []service.TagProperty `cfn:"Tags"`
}

type routeProperties struct {
	RouteTableID                string  `cfn:"RouteTableId,required,createOnly"`
	DestinationCidrBlock        *string `cfn:"DestinationCidrBlock,createOnly"`
	DestinationIpv6CidrBlock    *string `cfn:"DestinationIpv6CidrBlock,createOnly"`
	DestinationPrefixListID     *string `cfn:"DestinationPrefixListId,createOnly"`
	GatewayID                   *string `cfn:"GatewayId"`
	NatGatewayID                *string `cfn:"NatGatewayId"`
	EgressOnlyInternetGatewayID *string `cfn:"EgressOnlyInternetGatewayId"`
	NetworkInterfaceID          *string `cfn:"NetworkInterfaceId"`
	VpcPeeringConnectionID      *string `cfn:"VpcPeeringConnectionId"`
	VpcEndpointID               *string `cfn:"VpcEndpointId"`
}

type subnetAssociationProperties struct {
	RouteTableID string `cfn:"RouteTableId,required,createOnly"`
	SubnetID     string `cfn:"SubnetId,required,createOnly"`
}

type gatewayAssociationProperties struct {
	RouteTableID string `cfn:"RouteTableId,required"`
	GatewayID    string `cfn:"GatewayId,required,createOnly"`
}

type propagationProperties struct {
	RouteTableIDs []string `cfn:"RouteTableIds,required,unordered"`
	VpnGatewayID  string   `cfn:"VpnGatewayId,required"`
}

func (s *Service) routeTypes() []service.ResourceType {
	show := func(_ context.Context, c service.ResourceCall, _ *routeTableProperties) (service.Resource, error) {
		return identified(c.PhysicalID, "RouteTableId"), nil
	}
	return []service.ResourceType{
		service.NewResourceType("AWS::EC2::RouteTable", service.ResourceSpec[routeTableProperties]{
			Attributes: []string{"RouteTableId"},
			Create: func(ctx context.Context, c service.ResourceCall, p *routeTableProperties) (service.Resource, error) {
				out, err := create[api.CreateRouteTableOutput](ctx, s, c, "CreateRouteTable", &api.CreateRouteTableInput{
					VpcId: p.VpcID, TagSpecifications: tagsFor("route-table", c.AllTags(p.Tags)),
				})
				if err != nil {
					return service.Resource{}, err
				}
				return identified(*out.RouteTable.RouteTableId, "RouteTableId"), nil
			},
			Update: onlyTags(s, func(p *routeTableProperties) []service.TagProperty { return p.Tags }, show),
			Delete: func(ctx context.Context, c service.ResourceCall, _ *routeTableProperties) error {
				return remove[api.DeleteRouteTableOutput](ctx, s, "DeleteRouteTable", &api.DeleteRouteTableInput{RouteTableId: c.PhysicalID}, routeTables.absent)
			},
			Identifier: []string{"RouteTableId"}, Read: s.readRouteTable, Missing: []string{routeTables.absent, routeTables.malformed},
			List: lists[routeTableProperties](s, "DescribeRouteTables", func(next *string) any { return &api.DescribeRouteTablesInput{NextToken: next, MaxResults: pageSize()} },
				func(o *api.DescribeRouteTablesOutput) ([]api.RouteTable, *string) { return o.RouteTables, o.NextToken }, func(v *api.RouteTable) service.Identifier { return only(v.RouteTableId) }),
		}),
		service.NewResourceType("AWS::EC2::Route", service.ResourceSpec[routeProperties]{
			Attributes: []string{"CidrBlock"}, Create: s.createRouteResource, Update: s.updateRouteResource, Delete: s.deleteRouteResource,
			Identifier: []string{"RouteTableId", "CidrBlock"}, Read: s.readRoute, Missing: []string{routeTables.absent, routeTables.malformed}, ListBy: []string{"RouteTableId"},
			List: s.listRoutes,
			After: []service.Order{
				{Type: "AWS::EC2::VPCGatewayAttachment", Theirs: "InternetGatewayId", Own: "GatewayId"}, {Type: "AWS::EC2::VPCGatewayAttachment", Theirs: "VpnGatewayId", Own: "GatewayId"},
			},
		}),
		service.NewResourceType("AWS::EC2::SubnetRouteTableAssociation", service.ResourceSpec[subnetAssociationProperties]{
			Attributes: []string{"Id"},
			Create: func(ctx context.Context, c service.ResourceCall, p *subnetAssociationProperties) (service.Resource, error) {
				return s.createAssociation(ctx, c, &api.AssociateRouteTableInput{RouteTableId: p.RouteTableID, SubnetId: &p.SubnetID}, "Id")
			},
			Delete: func(ctx context.Context, c service.ResourceCall, _ *subnetAssociationProperties) error {
				return s.deleteAssociation(ctx, c)
			},
			Identifier: []string{"Id"}, Read: s.readAssociation, Missing: []string{codeNoAssoc},
			List: func(ctx context.Context, _ *subnetAssociationProperties, next string) (service.Page, error) {
				out, err := invoke[api.DescribeRouteTablesOutput](ctx, s, "DescribeRouteTables", &api.DescribeRouteTablesInput{NextToken: service.NextToken(next), MaxResults: pageSize()})
				if err != nil {
					return service.Page{}, err
				}
				var all []api.RouteTableAssociation
				for _, t := range out.RouteTables {
					all = append(all, t.Associations...)
				}
				return service.NewPage(all, out.NextToken, func(a *api.RouteTableAssociation) service.Identifier {
					if a.SubnetId == nil {
						return nil
					}
					return only(a.RouteTableAssociationId)
				}), nil
			},
		}),
		service.NewResourceType("AWS::EC2::GatewayRouteTableAssociation", service.ResourceSpec[gatewayAssociationProperties]{
			Attributes: []string{"AssociationId"},
			Create: func(ctx context.Context, c service.ResourceCall, p *gatewayAssociationProperties) (service.Resource, error) {
				return s.createAssociation(ctx, c, &api.AssociateRouteTableInput{RouteTableId: p.RouteTableID, GatewayId: &p.GatewayID}, "AssociationId")
			},
			Update: func(ctx context.Context, c service.ResourceCall, _, p *gatewayAssociationProperties) (service.Resource, error) {
				out, err := create[api.ReplaceRouteTableAssociationOutput](ctx, s, c, "ReplaceRouteTableAssociation", &api.ReplaceRouteTableAssociationInput{
					AssociationId: c.PhysicalID, RouteTableId: p.RouteTableID,
				})
				if err != nil {
					return service.Resource{}, err
				}
				return identified(*out.NewAssociationId, "AssociationId"), nil
			},
			Delete: func(ctx context.Context, c service.ResourceCall, _ *gatewayAssociationProperties) error {
				return s.deleteAssociation(ctx, c)
			},
			Identifier: []string{"GatewayId"}, Read: s.readGatewayAssociation,
		}),
		service.NewResourceType("AWS::EC2::VPNGatewayRoutePropagation", service.ResourceSpec[propagationProperties]{
			Attributes: []string{"Id"},
			Create: func(ctx context.Context, c service.ResourceCall, p *propagationProperties) (service.Resource, error) {
				return s.propagate(ctx, c.Name(128, nil), &propagationProperties{}, p)
			},
			Update: func(ctx context.Context, c service.ResourceCall, old, p *propagationProperties) (service.Resource, error) {
				return s.propagate(ctx, c.PhysicalID, old, p)
			},
			Delete: func(ctx context.Context, c service.ResourceCall, p *propagationProperties) error {
				_, err := s.propagate(ctx, c.PhysicalID, p, &propagationProperties{})
				return err
			},
			Identifier: []string{"Id"}, Reread: s.rereadPropagation, Missing: []string{routeTables.absent},
		}),
	}
}

// destination is what a route's id is made of beside its table.
func (p *routeProperties) destination() string {
	return opt.Value(p.DestinationCidrBlock) + opt.Value(p.DestinationIpv6CidrBlock) + opt.Value(p.DestinationPrefixListID)
}

func (p *routeProperties) resource() service.Resource {
	return service.Resource{PhysicalID: p.RouteTableID + "|" + p.destination(), Attributes: map[string]any{"CidrBlock": p.destination()}}
}

func (s *Service) createRouteResource(ctx context.Context, c service.ResourceCall, p *routeProperties) (service.Resource, error) {
	_, err := create[api.CreateRouteOutput](ctx, s, c, "CreateRoute", &api.CreateRouteInput{
		RouteTableId: p.RouteTableID, DestinationCidrBlock: p.DestinationCidrBlock, DestinationIpv6CidrBlock: p.DestinationIpv6CidrBlock, DestinationPrefixListId: p.DestinationPrefixListID,
		GatewayId: p.GatewayID, NatGatewayId: p.NatGatewayID, EgressOnlyInternetGatewayId: p.EgressOnlyInternetGatewayID, NetworkInterfaceId: p.NetworkInterfaceID,
		VpcPeeringConnectionId: p.VpcPeeringConnectionID, VpcEndpointId: p.VpcEndpointID,
	})
	if c.Retry {
		err = service.Unless(err, "RouteAlreadyExists")
	}
	return p.resource(), err
}

func (s *Service) updateRouteResource(ctx context.Context, _ service.ResourceCall, _, p *routeProperties) (service.Resource, error) {
	_, err := invoke[api.ReplaceRouteOutput](ctx, s, "ReplaceRoute", &api.ReplaceRouteInput{
		RouteTableId: p.RouteTableID, DestinationCidrBlock: p.DestinationCidrBlock, DestinationIpv6CidrBlock: p.DestinationIpv6CidrBlock, DestinationPrefixListId: p.DestinationPrefixListID,
		GatewayId: p.GatewayID, NatGatewayId: p.NatGatewayID, EgressOnlyInternetGatewayId: p.EgressOnlyInternetGatewayID, NetworkInterfaceId: p.NetworkInterfaceID,
		VpcPeeringConnectionId: p.VpcPeeringConnectionID, VpcEndpointId: p.VpcEndpointID,
	})
	return p.resource(), err
}

func (s *Service) deleteRouteResource(ctx context.Context, _ service.ResourceCall, p *routeProperties) error {
	return remove[api.DeleteRouteOutput](ctx, s, "DeleteRoute", &api.DeleteRouteInput{
		RouteTableId: p.RouteTableID, DestinationCidrBlock: p.DestinationCidrBlock, DestinationIpv6CidrBlock: p.DestinationIpv6CidrBlock, DestinationPrefixListId: p.DestinationPrefixListID,
	}, codeNoRoute, routeTables.absent)
}

func (s *Service) createAssociation(ctx context.Context, c service.ResourceCall, in *api.AssociateRouteTableInput, attribute string) (service.Resource, error) {
	out, err := create[api.AssociateRouteTableOutput](ctx, s, c, "AssociateRouteTable", in)
	if err != nil {
		return service.Resource{}, err
	}
	return identified(*out.AssociationId, attribute), nil
}

func (s *Service) deleteAssociation(ctx context.Context, c service.ResourceCall) error {
	return remove[api.DisassociateRouteTableOutput](ctx, s, "DisassociateRouteTable", &api.DisassociateRouteTableInput{AssociationId: c.PhysicalID}, codeNoAssoc)
}

// propagate lets a private gateway add routes to the tables of a template, and no more to those of the one before.
func (s *Service) propagate(ctx context.Context, id string, old, p *propagationProperties) (service.Resource, error) {
	for _, table := range old.RouteTableIDs {
		err := remove[api.DisableVgwRoutePropagationOutput](ctx, s, "DisableVgwRoutePropagation",
			&api.DisableVgwRoutePropagationInput{GatewayId: old.VpnGatewayID, RouteTableId: table}, routeTables.absent)
		if err != nil {
			return service.Resource{}, err
		}
	}
	for _, table := range p.RouteTableIDs {
		if _, err := invoke[api.EnableVgwRoutePropagationOutput](ctx, s, "EnableVgwRoutePropagation", &api.EnableVgwRoutePropagationInput{GatewayId: p.VpnGatewayID, RouteTableId: table}); err != nil {
			return service.Resource{}, err
		}
	}
	return identified(id, "Id"), nil
}
