package ec2

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
)

// routeTable is a route table with its associations. Its routes are those that were made; the local ones and those to gateway endpoints follow from the network and the endpoints.
type routeTable struct{ api.RouteTable }

var routeTables = kind[routeTable]{
	class: class{name: "route-table", prefix: "rtb", absent: "InvalidRouteTableID.NotFound", malformed: "InvalidRouteTableId.Malformed", unknown: "The routeTable ID '%s' does not exist"},
	id:    func(t *routeTable) string { return *t.RouteTableId },
	refs: func(t *routeTable) []string {
		out := []string{*t.VpcId}
		for _, r := range t.Routes {
			if r.DestinationPrefixListId != nil {
				out = append(out, *r.DestinationPrefixListId)
			}
		}
		return out
	},
}

var routeTableFields = fields[*api.RouteTable]{
	id:   func(t *api.RouteTable) *string { return t.RouteTableId },
	tags: func(t *api.RouteTable) []api.Tag { return t.Tags },
	values: map[string]func(*api.RouteTable) []string{
		"owner-id":                               func(t *api.RouteTable) []string { return text(t.OwnerId) },
		"route-table-id":                         func(t *api.RouteTable) []string { return text(t.RouteTableId) },
		"vpc-id":                                 func(t *api.RouteTable) []string { return text(t.VpcId) },
		"association.gateway-id":                 ofAssociations(func(a *api.RouteTableAssociation) []string { return text(a.GatewayId) }),
		"association.route-table-association-id": ofAssociations(func(a *api.RouteTableAssociation) []string { return text(a.RouteTableAssociationId) }),
		"association.route-table-id":             ofAssociations(func(a *api.RouteTableAssociation) []string { return text(a.RouteTableId) }),
		"association.subnet-id":                  ofAssociations(func(a *api.RouteTableAssociation) []string { return text(a.SubnetId) }),
		"association.main":                       ofAssociations(func(a *api.RouteTableAssociation) []string { return flag(a.Main) }),
		"route.destination-cidr-block":           ofRoutes(func(r *api.Route) []string { return text(r.DestinationCidrBlock) }),
		"route.destination-ipv6-cidr-block":      ofRoutes(func(r *api.Route) []string { return text(r.DestinationIpv6CidrBlock) }),
		"route.destination-prefix-list-id":       ofRoutes(func(r *api.Route) []string { return text(r.DestinationPrefixListId) }),
		"route.egress-only-internet-gateway-id":  ofRoutes(func(r *api.Route) []string { return text(r.EgressOnlyInternetGatewayId) }),
		"route.gateway-id":                       ofRoutes(func(r *api.Route) []string { return text(r.GatewayId) }),
		"route.instance-id":                      ofRoutes(func(*api.Route) []string { return nil }),
		"route.nat-gateway-id":                   ofRoutes(func(r *api.Route) []string { return text(r.NatGatewayId) }),
		"route.transit-gateway-id":               ofRoutes(func(*api.Route) []string { return nil }),
		"route.origin":                           ofRoutes(func(r *api.Route) []string { return []string{r.Origin} }),
		"route.state":                            ofRoutes(func(r *api.Route) []string { return []string{r.State} }),
		"route.vpc-peering-connection-id":        ofRoutes(func(r *api.Route) []string { return text(r.VpcPeeringConnectionId) }),
	},
}

func ofAssociations(value func(*api.RouteTableAssociation) []string) func(*api.RouteTable) []string {
	return func(t *api.RouteTable) []string { return each(t.Associations, value) }
}

func ofRoutes(value func(*api.Route) []string) func(*api.RouteTable) []string {
	return func(t *api.RouteTable) []string { return each(t.Routes, value) }
}

// main tells whether the table is that of all subnets of its network without one of their own.
func (t *routeTable) main() bool {
	return slices.ContainsFunc(t.Associations, func(a api.RouteTableAssociation) bool { return *a.Main })
}

// of returns the index of the association with a subnet or gateway, or -1.
func (t *routeTable) of(id string) int {
	return slices.IndexFunc(t.Associations, func(a api.RouteTableAssociation) bool {
		return opt.Value(a.SubnetId) == id || opt.Value(a.GatewayId) == id
	})
}

func showRouteTable(v *view, t *routeTable) (out api.RouteTable, err error) {
	out = t.RouteTable
	if out.Tags, err = v.tagsOf(*t.RouteTableId); err != nil {
		return out, err
	}
	network, err := find(v, &vpcs, *t.VpcId)
	if err != nil {
		return out, err
	}
	out.Routes = network.localRoutes()
	for _, r := range t.Routes {
		if r.State, err = v.routeState(*t.VpcId, &r); err != nil {
			return out, err
		}
		out.Routes = append(out.Routes, r)
	}
	there, err := using(v, &endpoints, *t.RouteTableId)
	if err != nil {
		return out, err
	}
	for _, p := range there {
		out.Routes = append(out.Routes, api.Route{DestinationPrefixListId: new(awsPrefixList(v.region, *p.ServiceName)), GatewayId: p.VpcEndpointId, Origin: "CreateRoute", State: "active"})
	}
	return out, nil
}

// localRoutes lead to the network itself.
func (v *vpc) localRoutes() []api.Route {
	out := []api.Route{}
	local := api.Route{GatewayId: new("local"), Origin: "CreateRouteTable", State: "active"}
	for _, b := range v.CidrBlockAssociationSet {
		local.DestinationCidrBlock = b.CidrBlock
		out = append(out, local)
	}
	local.DestinationCidrBlock = nil
	for _, b := range v.Ipv6CidrBlockAssociationSet {
		local.DestinationIpv6CidrBlock = b.Ipv6CidrBlock
		out = append(out, local)
	}
	return out
}

func (s *Service) describeRouteTables(ctx context.Context, in *api.DescribeRouteTablesInput) (*api.DescribeRouteTablesOutput, error) {
	out, next, err := list(ctx, s, &routeTables, query{in.RouteTableIds, in.Filters, in.MaxResults, in.NextToken}, &routeTableFields, showRouteTable)
	return &api.DescribeRouteTablesOutput{RouteTables: out, NextToken: next}, err
}

func newRouteTable(s scope, id, vpcID string) *routeTable {
	return &routeTable{api.RouteTable{
		RouteTableId: &id, VpcId: &vpcID, OwnerId: &s.account, Associations: []api.RouteTableAssociation{}, PropagatingVgws: []api.PropagatingVgw{},
	}}
}

// associate adds an association with a subnet or gateway, or the main one without either.
func (t *routeTable) associate(id string, subnetID, gatewayID *string) {
	t.Associations = append(t.Associations, api.RouteTableAssociation{
		RouteTableAssociationId: &id, RouteTableId: t.RouteTableId, SubnetId: subnetID, GatewayId: gatewayID, Main: new(subnetID == nil && gatewayID == nil),
		AssociationState: &api.RouteTableAssociationState{State: "associated"},
	})
}

func (e *edit) makeMainTable(v *vpc) error {
	t := newRouteTable(e.scope, e.newID("rtb"), *v.VpcId)
	t.associate(e.newID("rtbassoc"), nil, nil)
	return put(e, &routeTables, t)
}

// mainTable returns the main route table of a network.
func (v *view) mainTable(vpcID string) (*routeTable, error) {
	tables, err := using(v, &routeTables, vpcID)
	if err != nil {
		return nil, err
	}
	for _, t := range tables {
		if t.main() {
			return t, nil
		}
	}
	return nil, routeTables.notFound(vpcID)
}

func (s *Service) createRouteTable(ctx context.Context, in *api.CreateRouteTableInput) (*api.CreateRouteTableOutput, error) {
	var out api.RouteTable
	return &api.CreateRouteTableOutput{RouteTable: &out, ClientToken: in.ClientToken}, s.update(ctx, func(e *edit) error {
		id, made, err := routeTables.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			if _, err := get(e.view, &vpcs, in.VpcId); err != nil {
				return err
			}
			made = newRouteTable(e.scope, id, in.VpcId)
			if err := put(e, &routeTables, made); err != nil {
				return err
			}
		}
		if err := e.specified(&routeTables.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = showRouteTable(e.view, made)
		return err
	})
}

func (s *Service) deleteRouteTable(ctx context.Context, in *api.DeleteRouteTableInput) (*api.DeleteRouteTableOutput, error) {
	return &api.DeleteRouteTableOutput{}, s.update(ctx, func(e *edit) error {
		t, err := get(e.view, &routeTables, in.RouteTableId)
		if err != nil {
			return err
		}
		if len(t.Associations) > 0 {
			return inUse("routeTable", in.RouteTableId)
		}
		there, err := using(e.view, &endpoints, in.RouteTableId)
		if err != nil {
			return err
		}
		for _, p := range there {
			p.RouteTableIds = slices.DeleteFunc(p.RouteTableIds, func(id string) bool { return id == in.RouteTableId })
			if err := put(e, &endpoints, p); err != nil {
				return err
			}
		}
		drop(e, &routeTables, t)
		return nil
	})
}

func (s *Service) associateRouteTable(ctx context.Context, in *api.AssociateRouteTableInput) (*api.AssociateRouteTableOutput, error) {
	if (in.SubnetId == nil) == (in.GatewayId == nil) {
		return nil, missing("subnetId or gatewayId")
	}
	out := &api.AssociateRouteTableOutput{AssociationState: &api.RouteTableAssociationState{State: "associated"}}
	return out, s.update(ctx, func(e *edit) error {
		t, err := get(e.view, &routeTables, in.RouteTableId)
		if err != nil {
			return err
		}
		if err := e.sameNetwork(t, in.SubnetId, in.GatewayId); err != nil {
			return err
		}
		id := e.newID("rtbassoc")
		out.AssociationId = &id
		tables, err := using(e.view, &routeTables, *t.VpcId)
		if err != nil {
			return err
		}
		for _, other := range tables {
			i := other.of(opt.Value(in.SubnetId) + opt.Value(in.GatewayId))
			if i < 0 {
				continue
			}
			if *other.Associations[i].RouteTableAssociationId == id {
				return nil // an earlier try of the same call
			}
			return refuse("Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association", in.RouteTableId)
		}
		t.associate(id, in.SubnetId, in.GatewayId)
		return put(e, &routeTables, t)
	})
}

// sameNetwork makes sure that a subnet or gateway is of the network of a route table.
func (e *edit) sameNetwork(t *routeTable, subnetID, gatewayID *string) error {
	if subnetID != nil {
		sub, err := get(e.view, &subnets, *subnetID)
		if err == nil && *sub.VpcId != *t.VpcId {
			err = invalid("Route table %s and subnet %s belong to different networks", *t.RouteTableId, *subnetID)
		}
		return err
	}
	return e.gatewayOf(*t.VpcId, *t.RouteTableId, *gatewayID)
}

// findAssociation returns the route table with an association, and the index of that.
func (v *view) findAssociation(id string) (*routeTable, int, error) {
	tables, err := all(v, &routeTables)
	if err != nil {
		return nil, 0, err
	}
	for i := range tables {
		t := &tables[i]
		at := slices.IndexFunc(t.Associations, func(a api.RouteTableAssociation) bool { return *a.RouteTableAssociationId == id })
		if at >= 0 {
			return t, at, nil
		}
	}
	return nil, 0, refuse(codeNoAssoc, "The association ID '%s' does not exist", id)
}

func (s *Service) disassociateRouteTable(ctx context.Context, in *api.DisassociateRouteTableInput) (*api.DisassociateRouteTableOutput, error) {
	return &api.DisassociateRouteTableOutput{}, s.update(ctx, func(e *edit) error {
		t, i, err := e.findAssociation(in.AssociationId)
		if err != nil {
			return err
		}
		if *t.Associations[i].Main {
			return invalid("cannot disassociate the main route table association %s", in.AssociationId)
		}
		t.Associations = slices.Delete(t.Associations, i, i+1)
		return put(e, &routeTables, t)
	})
}

// replaceRouteTableAssociation puts a subnet under another route table, or makes another the main one. The association is a new one then.
func (s *Service) replaceRouteTableAssociation(ctx context.Context, in *api.ReplaceRouteTableAssociationInput) (*api.ReplaceRouteTableAssociationOutput, error) {
	out := &api.ReplaceRouteTableAssociationOutput{AssociationState: &api.RouteTableAssociationState{State: "associated"}}
	return out, s.update(ctx, func(e *edit) error {
		old, i, err := e.findAssociation(in.AssociationId)
		if err != nil {
			return err
		}
		t, err := get(e.view, &routeTables, in.RouteTableId)
		if err != nil {
			return err
		}
		if *t.VpcId != *old.VpcId {
			return invalid("Route table %s and route table %s belong to different networks", in.RouteTableId, *old.RouteTableId)
		}
		a := old.Associations[i]
		old.Associations = slices.Delete(old.Associations, i, i+1)
		if err := put(e, &routeTables, old); err != nil {
			return err
		}
		if *t.RouteTableId == *old.RouteTableId {
			t = old
		}
		out.NewAssociationId = new(e.newID("rtbassoc"))
		t.associate(*out.NewAssociationId, a.SubnetId, a.GatewayId)
		return put(e, &routeTables, t)
	})
}
