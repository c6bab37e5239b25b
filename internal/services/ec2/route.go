package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
)

// Origins of routes.
const (
	routeCreated = "CreateRoute"
)

// destination is where a route leads: an IPv4 block, an IPv6 block or a prefix list.
type destination struct{ ipv4, ipv6, list *string }

// String is how messages name a destination.
func (d destination) String() string {
	return opt.Value(d.ipv4) + opt.Value(d.ipv6) + opt.Value(d.list)
}

func (d destination) is(r *api.Route) bool {
	return opt.Value(d.ipv4) == opt.Value(r.DestinationCidrBlock) && opt.Value(d.ipv6) == opt.Value(r.DestinationIpv6CidrBlock) &&
		opt.Value(d.list) == opt.Value(r.DestinationPrefixListId)
}

// canonical checks a destination, and returns it as it is kept.
func (d destination) canonical(v *view) (destination, error) {
	given := 0
	for _, p := range []*string{d.ipv4, d.ipv6, d.list} {
		if p != nil {
			given++
		}
	}
	switch {
	case given == 0:
		return d, missing("destinationCidrBlock or destinationIpv6CidrBlock or destinationPrefixListId")
	case given > 1:
		return d, refuse(codeCombination, "The parameters destinationCidrBlock, destinationIpv6CidrBlock and destinationPrefixListId cannot be used together")
	case d.ipv4 != nil:
		p, err := parseBlock(*d.ipv4, "destinationCidrBlock")
		if err != nil {
			return d, err
		}
		return destination{ipv4: new(p.String())}, nil
	case d.ipv6 != nil:
		p, err := netip.ParsePrefix(*d.ipv6)
		if err != nil || !p.Addr().Is6() {
			return d, invalid("Value (%s) for parameter destinationIpv6CidrBlock is invalid. This is not a valid IPv6 CIDR block.", *d.ipv6)
		}
		return destination{ipv6: new(p.Masked().String())}, nil
	}
	_, err := v.prefixList(*d.list)
	return d, err
}

// routeTarget is what routes of a call lead through: exactly one of these.
type routeTarget struct{ gateway, nat, egress, iface, peering, endpoint *string }

// route returns the route through a target, which must be there and fit to the network.
func (v *view) route(d destination, t routeTarget, table *routeTable) (r api.Route, err error) {
	r = api.Route{DestinationCidrBlock: d.ipv4, DestinationIpv6CidrBlock: d.ipv6, DestinationPrefixListId: d.list, Origin: routeCreated}
	given := 0
	for _, p := range []*string{t.gateway, t.nat, t.egress, t.iface, t.peering, t.endpoint} {
		if p != nil {
			given++
		}
	}
	if given != 1 {
		return r, refuse(codeCombination, "Exactly one of gatewayId, natGatewayId, egressOnlyInternetGatewayId, networkInterfaceId, vpcPeeringConnectionId must be provided.")
	}
	switch {
	case t.gateway != nil:
		r.GatewayId = t.gateway
		return r, v.gatewayOf(*table.VpcId, *table.RouteTableId, *t.gateway)
	case t.nat != nil:
		r.NatGatewayId = t.nat
		n, err := find(v, &natGateways, *t.nat)
		if err == nil && (n == nil || n.State != "available") {
			err = refuse("InvalidNatGatewayID.NotFound", "The natGateway ID '%s' does not exist", *t.nat)
		}
		return r, err
	case t.egress != nil:
		r.EgressOnlyInternetGatewayId = t.egress
		if d.ipv6 == nil {
			return r, invalid("Egress-only internet gateways take IPv6 destinations only")
		}
		_, err := get(v, &egressGateways, *t.egress)
		return r, err
	case t.iface != nil:
		r.NetworkInterfaceId = t.iface
		_, err := get(v, &interfaces, *t.iface)
		return r, err
	case t.peering != nil:
		r.VpcPeeringConnectionId = t.peering
		_, err := get(v, &peerings, *t.peering)
		return r, err
	}
	_, err = get(v, &endpoints, *t.endpoint)
	if err == nil {
		err = refuse(codeUnsupported, "Routes lead to gateway endpoints by the route tables of the endpoint, and to endpoints of other types not at all")
	}
	return r, err
}

// gatewayOf makes sure that a gateway is attached to a network.
func (v *view) gatewayOf(vpcID, tableID, id string) error {
	var attached bool
	switch {
	case strings.HasPrefix(id, "igw-"):
		g, err := find(v, &internetGateways, id)
		if err != nil {
			return err
		}
		if g == nil {
			return refuse("InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", id)
		}
		attached = g.attachedTo() == vpcID
	case strings.HasPrefix(id, "vgw-"):
		g, err := find(v, &vpnGateways, id)
		if err != nil {
			return err
		}
		if g == nil {
			return refuse("InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", id)
		}
		attached = g.attachedTo() == vpcID
	default:
		return refuse("InvalidGatewayID.NotFound", "The gateway ID '%s' does not exist", id)
	}
	if !attached {
		return invalid("route table %s and network gateway %s belong to different networks", tableID, id)
	}
	return nil
}

// routeState tells whether what a route leads through is there.
func (v *view) routeState(vpcID string, r *api.Route) (state string, err error) {
	there := true
	switch {
	case r.GatewayId != nil:
		switch err := v.gatewayOf(vpcID, "", *r.GatewayId); {
		case err == nil:
		case isRefusal(err):
			there = false
		default:
			return "", err
		}
	case r.NatGatewayId != nil:
		var n *natGateway
		n, err = find(v, &natGateways, *r.NatGatewayId)
		there = n != nil && n.State == "available"
	case r.EgressOnlyInternetGatewayId != nil:
		var g *egressGateway
		g, err = find(v, &egressGateways, *r.EgressOnlyInternetGatewayId)
		there = g != nil
	case r.NetworkInterfaceId != nil:
		// An interface that is attached to nothing takes no packets.
		var i *iface
		i, err = find(v, &interfaces, *r.NetworkInterfaceId)
		there = i != nil && i.Attachment != nil
	case r.VpcPeeringConnectionId != nil:
		var p *peering
		p, err = find(v, &peerings, *r.VpcPeeringConnectionId)
		there = p != nil && p.Status.Code == "active"
	}
	if there {
		return "active", err
	}
	return "blackhole", err
}

func (s *Service) createRoute(ctx context.Context, in *api.CreateRouteInput) (*api.CreateRouteOutput, error) {
	return &api.CreateRouteOutput{Return: new(true)}, change(ctx, s, &routeTables, in.RouteTableId, func(e *edit, t *routeTable) error {
		d, err := destination{in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId}.canonical(e.view)
		if err != nil {
			return err
		}
		r, err := e.route(d, routeTarget{in.GatewayId, in.NatGatewayId, in.EgressOnlyInternetGatewayId, in.NetworkInterfaceId, in.VpcPeeringConnectionId, in.VpcEndpointId}, t)
		if err != nil {
			return err
		}
		network, err := get(e.view, &vpcs, *t.VpcId)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(slices.Concat(network.localRoutes(), t.Routes), func(r api.Route) bool { return d.is(&r) }) {
			return refuse("RouteAlreadyExists", "The route identified by %s already exists.", d)
		}
		t.Routes = append(t.Routes, r)
		return nil
	})
}

func (s *Service) replaceRoute(ctx context.Context, in *api.ReplaceRouteInput) (*api.ReplaceRouteOutput, error) {
	return &api.ReplaceRouteOutput{}, change(ctx, s, &routeTables, in.RouteTableId, func(e *edit, t *routeTable) error {
		d, err := destination{in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId}.canonical(e.view)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(t.Routes, func(r api.Route) bool { return d.is(&r) })
		if i < 0 {
			return refuse("InvalidParameterValue", "There is no route defined for '%s' in the route table. Use CreateRoute instead.", d)
		}
		t.Routes[i], err = e.route(d, routeTarget{in.GatewayId, in.NatGatewayId, in.EgressOnlyInternetGatewayId, in.NetworkInterfaceId, in.VpcPeeringConnectionId, in.VpcEndpointId}, t)
		return err
	})
}

func (s *Service) deleteRoute(ctx context.Context, in *api.DeleteRouteInput) (*api.DeleteRouteOutput, error) {
	return &api.DeleteRouteOutput{}, change(ctx, s, &routeTables, in.RouteTableId, func(e *edit, t *routeTable) error {
		d := destination{in.DestinationCidrBlock, in.DestinationIpv6CidrBlock, in.DestinationPrefixListId}
		if d.list == nil {
			var err error
			if d, err = d.canonical(e.view); err != nil {
				return err
			}
		}
		i := slices.IndexFunc(t.Routes, func(r api.Route) bool { return d.is(&r) })
		if i < 0 {
			network, err := get(e.view, &vpcs, *t.VpcId)
			if err == nil && slices.ContainsFunc(network.localRoutes(), func(r api.Route) bool { return d.is(&r) }) {
				err = invalid("cannot remove local route %s in route table %s", d, in.RouteTableId)
			} else if err == nil {
				err = refuse(codeNoRoute, "no route with destination-cidr-block %s in route table %s", d, in.RouteTableId)
			}
			return err
		}
		t.Routes = slices.Delete(t.Routes, i, i+1)
		return nil
	})
}

// enableVgwRoutePropagation lets a private gateway add routes to a table. No connection of one is kept here, so that there are none to add.
func (s *Service) enableVgwRoutePropagation(ctx context.Context, in *api.EnableVgwRoutePropagationInput) (*api.EnableVgwRoutePropagationOutput, error) {
	return &api.EnableVgwRoutePropagationOutput{}, change(ctx, s, &routeTables, in.RouteTableId, func(e *edit, t *routeTable) error {
		if err := e.gatewayOf(*t.VpcId, in.RouteTableId, in.GatewayId); err != nil {
			return err
		}
		if !slices.ContainsFunc(t.PropagatingVgws, func(p api.PropagatingVgw) bool { return *p.GatewayId == in.GatewayId }) {
			t.PropagatingVgws = append(t.PropagatingVgws, api.PropagatingVgw{GatewayId: &in.GatewayId})
		}
		return nil
	})
}

func (s *Service) disableVgwRoutePropagation(ctx context.Context, in *api.DisableVgwRoutePropagationInput) (*api.DisableVgwRoutePropagationOutput, error) {
	return &api.DisableVgwRoutePropagationOutput{}, change(ctx, s, &routeTables, in.RouteTableId, func(_ *edit, t *routeTable) error {
		t.PropagatingVgws = slices.DeleteFunc(t.PropagatingVgws, func(p api.PropagatingVgw) bool { return *p.GatewayId == in.GatewayId })
		return nil
	})
}
