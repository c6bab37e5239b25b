package ec2

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

type endpointProperties struct {
	VpcID             string                `cfn:"VpcId,required,createOnly"`
	ServiceName       *string               `cfn:"ServiceName,createOnly"`
	VpcEndpointType   *string               `cfn:"VpcEndpointType,createOnly"`
	PolicyDocument    any                   `cfn:"PolicyDocument"`
	PrivateDNSEnabled *bool                 `cfn:"PrivateDnsEnabled"`
	RouteTableIDs     []string              `cfn:"RouteTableIds,unordered"`
	SubnetIDs         []string              `cfn:"SubnetIds,unordered"`
	SecurityGroupIDs  []string              `cfn:"SecurityGroupIds,unordered"`
	Tags              []service.TagProperty `cfn:"Tags"`
}

type peeringProperties struct {
	VpcID       string                `cfn:"VpcId,required,createOnly"`
	PeerVpcID   string                `cfn:"PeerVpcId,required,createOnly"`
	PeerOwnerID *string               `cfn:"PeerOwnerId,createOnly"`
	PeerRegion  *string               `cfn:"PeerRegion,createOnly"`
	Tags        []service.TagProperty `cfn:"Tags"`
}

func (s *Service) endpointTypes() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::EC2::VPCEndpoint", service.ResourceSpec[endpointProperties]{
			Attributes: []string{"Id", "CreationTimestamp", "DnsEntries", "NetworkInterfaceIds"}, Create: s.createEndpointResource, Update: s.updateEndpointResource,
			Delete: func(ctx context.Context, c service.ResourceCall, _ *endpointProperties) error {
				_, err := invoke[api.DeleteVpcEndpointsOutput](ctx, s, "DeleteVpcEndpoints", &api.DeleteVpcEndpointsInput{VpcEndpointIds: []string{c.PhysicalID}})
				return err // one that is gone is told of in the answer
			},
			Identifier: []string{"Id"}, Read: s.readEndpoint, Missing: []string{endpoints.absent, endpoints.malformed},
			List: lists[endpointProperties](s, "DescribeVpcEndpoints", func(next *string) any { return &api.DescribeVpcEndpointsInput{NextToken: next, MaxResults: pageSize()} },
				func(o *api.DescribeVpcEndpointsOutput) ([]api.VpcEndpoint, *string) {
					return o.VpcEndpoints, o.NextToken
				}, func(v *api.VpcEndpoint) service.Identifier { return only(v.VpcEndpointId) }),
		}),
		service.NewResourceType("AWS::EC2::VPCPeeringConnection", service.ResourceSpec[peeringProperties]{
			Attributes: []string{"Id"}, Create: s.createPeeringResource,
			Update: onlyTags(s, func(p *peeringProperties) []service.TagProperty { return p.Tags },
				func(_ context.Context, c service.ResourceCall, _ *peeringProperties) (service.Resource, error) {
					return identified(c.PhysicalID, "Id"), nil
				}),
			Delete: func(ctx context.Context, c service.ResourceCall, _ *peeringProperties) error {
				return remove[api.DeleteVpcPeeringConnectionOutput](ctx, s, "DeleteVpcPeeringConnection",
					&api.DeleteVpcPeeringConnectionInput{VpcPeeringConnectionId: c.PhysicalID}, peerings.absent, "InvalidStateTransition")
			},
			Identifier: []string{"Id"}, Read: s.readPeering, Missing: []string{peerings.absent, peerings.malformed},
			List: lists[peeringProperties](s, "DescribeVpcPeeringConnections", func(next *string) any {
				return &api.DescribeVpcPeeringConnectionsInput{NextToken: next, MaxResults: pageSize()}
			},
				func(o *api.DescribeVpcPeeringConnectionsOutput) ([]api.VpcPeeringConnection, *string) {
					return o.VpcPeeringConnections, o.NextToken
				}, func(v *api.VpcPeeringConnection) service.Identifier { return only(v.VpcPeeringConnectionId) }),
		}),
	}
}

// policy is the policy of a template as text, nil for none.
func (p *endpointProperties) policy() (*string, error) {
	text, err := service.Document(p.PolicyDocument)
	return opt.Of(text), err
}

func (s *Service) createEndpointResource(ctx context.Context, c service.ResourceCall, p *endpointProperties) (service.Resource, error) {
	policy, err := p.policy()
	if err != nil {
		return service.Resource{}, err
	}
	in := &api.CreateVpcEndpointInput{
		VpcId: p.VpcID, ServiceName: p.ServiceName, VpcEndpointType: opt.Value(p.VpcEndpointType), PolicyDocument: policy, RouteTableIds: p.RouteTableIDs, SubnetIds: p.SubnetIDs,
		SecurityGroupIds: p.SecurityGroupIDs, TagSpecifications: tagsFor(endpoints.name, c.UserTags(p.Tags)),
	}
	if in.VpcEndpointType == ifaceEndpoint {
		in.PrivateDnsEnabled = new(opt.Value(p.PrivateDNSEnabled))
	}
	out, err := create[api.CreateVpcEndpointOutput](ctx, s, c, "CreateVpcEndpoint", in)
	if err != nil {
		return service.Resource{}, err
	}
	return s.endpointResource(ctx, *out.VpcEndpoint.VpcEndpointId)
}

// without returns the elements of a list that another one has not.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}

func (s *Service) updateEndpointResource(ctx context.Context, c service.ResourceCall, old, p *endpointProperties) (service.Resource, error) {
	policy, err := p.policy()
	if err != nil {
		return service.Resource{}, err
	}
	in := &api.ModifyVpcEndpointInput{
		VpcEndpointId: c.PhysicalID, PolicyDocument: policy, ResetPolicy: new(policy == nil),
		AddRouteTableIds: without(p.RouteTableIDs, old.RouteTableIDs), RemoveRouteTableIds: without(old.RouteTableIDs, p.RouteTableIDs),
		AddSubnetIds: without(p.SubnetIDs, old.SubnetIDs), RemoveSubnetIds: without(old.SubnetIDs, p.SubnetIDs),
		AddSecurityGroupIds: without(p.SecurityGroupIDs, old.SecurityGroupIDs), RemoveSecurityGroupIds: without(old.SecurityGroupIDs, p.SecurityGroupIDs),
	}
	if opt.Value(p.VpcEndpointType) == ifaceEndpoint {
		in.PrivateDnsEnabled = new(opt.Value(p.PrivateDNSEnabled))
	}
	if _, err := create[api.ModifyVpcEndpointOutput](ctx, s, c, "ModifyVpcEndpoint", in); err != nil {
		return service.Resource{}, err
	}
	if err := s.retag(ctx, c, c.PhysicalID, c.UserTags(old.Tags), c.UserTags(p.Tags)); err != nil {
		return service.Resource{}, err
	}
	return s.endpointResource(ctx, c.PhysicalID)
}

func (s *Service) endpointResource(ctx context.Context, id string) (r service.Resource, err error) {
	err = s.view(ctx, func(v *view) error {
		p, err := get(v, &endpoints, id)
		if err != nil {
			return err
		}
		names := each(p.DnsEntries, func(d *api.DnsEntry) []string { return []string{*d.HostedZoneId + ":" + *d.DnsName} })
		r = service.Resource{PhysicalID: id, Attributes: map[string]any{
			"Id": id, "CreationTimestamp": moment(*p.CreationTimestamp), "DnsEntries": anys(names), "NetworkInterfaceIds": anys(p.NetworkInterfaceIds),
		}}
		return nil
	})
	return r, err
}

// createPeeringResource asks to peer, and accepts for a network of the same account.
func (s *Service) createPeeringResource(ctx context.Context, c service.ResourceCall, p *peeringProperties) (service.Resource, error) {
	out, err := create[api.CreateVpcPeeringConnectionOutput](ctx, s, c, "CreateVpcPeeringConnection", &api.CreateVpcPeeringConnectionInput{
		VpcId: p.VpcID, PeerVpcId: &p.PeerVpcID, PeerOwnerId: p.PeerOwnerID, PeerRegion: p.PeerRegion, TagSpecifications: tagsFor(peerings.name, c.AllTags(p.Tags)),
	})
	if err != nil {
		return service.Resource{}, err
	}
	id := *out.VpcPeeringConnection.VpcPeeringConnectionId
	var state api.VpcPeeringConnectionStateReason
	at := scopeOf(ctx)
	err = s.view(ctx, func(v *view) error {
		made, err := get(v, &peerings, id)
		if err == nil {
			state, at = *made.Status, scopeOfSide(made.AccepterVpcInfo)
		}
		return err
	})
	switch {
	case err != nil:
		return service.Resource{}, err
	case state.Code == peeringFailed:
		return service.Resource{}, refuse("NotStabilized", "VpcPeeringConnection %s failed: %s", id, *state.Message)
	case state.Code != peeringPending || at.account != scopeOf(ctx).account:
		return identified(id, "Id"), nil // another account has to accept
	}
	r := *service.RequestFrom(ctx)
	r.Region = at.region
	_, err = invoke[api.AcceptVpcPeeringConnectionOutput](service.WithRequest(ctx, &r), s, "AcceptVpcPeeringConnection", &api.AcceptVpcPeeringConnectionInput{VpcPeeringConnectionId: id})
	return identified(id, "Id"), err
}
