package ec2

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
)

// natGateway is a way out of a subnet, with an interface in it.
type natGateway struct{ api.NatGateway }

// afterlife is how long a deleted gateway is still shown.
const afterlife = time.Hour

var natGateways = kind[natGateway]{
	class: class{name: "natgateway", prefix: "nat", absent: "NatGatewayNotFound", malformed: "NatGatewayMalformed", unknown: "NatGateway %s was not found"},
	id:    func(n *natGateway) string { return *n.NatGatewayId },
}

var natGatewayFields = fields[*api.NatGateway]{
	id:   func(n *api.NatGateway) *string { return n.NatGatewayId },
	tags: func(n *api.NatGateway) []api.Tag { return n.Tags },
	values: map[string]func(*api.NatGateway) []string{
		"nat-gateway-id": func(n *api.NatGateway) []string { return text(n.NatGatewayId) },
		"state":          func(n *api.NatGateway) []string { return []string{n.State} },
		"subnet-id":      func(n *api.NatGateway) []string { return text(n.SubnetId) },
		"vpc-id":         func(n *api.NatGateway) []string { return text(n.VpcId) },
	},
}

func showNATGateway(v *view, n *natGateway) (out api.NatGateway, err error) {
	out = n.NatGateway
	out.Tags, err = v.tagsOf(*n.NatGatewayId)
	return out, err
}

// gone tells whether a deleted gateway is no more shown.
func (n *natGateway) gone(now time.Time) bool {
	return n.DeleteTime != nil && now.Sub(*n.DeleteTime) >= afterlife
}

func (s *Service) describeNatGateways(ctx context.Context, in *api.DescribeNatGatewaysInput) (*api.DescribeNatGatewaysOutput, error) {
	if err := s.forgetNATGateways(ctx); err != nil {
		return nil, err
	}
	out, next, err := list(ctx, s, &natGateways, query{in.NatGatewayIds, in.Filter, in.MaxResults, in.NextToken}, &natGatewayFields, showNATGateway)
	return &api.DescribeNatGatewaysOutput{NatGateways: out, NextToken: next}, err
}

// forgetNATGateways removes the gateways that were deleted long enough ago.
func (s *Service) forgetNATGateways(ctx context.Context) error {
	var old []natGateway
	err := s.view(ctx, func(v *view) error {
		there, err := all(v, &natGateways)
		for _, n := range there {
			if n.gone(s.now()) {
				old = append(old, n)
			}
		}
		return err
	})
	if err != nil || old == nil {
		return err
	}
	return s.update(ctx, func(e *edit) error {
		for i := range old {
			drop(e, &natGateways, &old[i])
		}
		return nil
	})
}

func (s *Service) createNatGateway(ctx context.Context, in *api.CreateNatGatewayInput) (*api.CreateNatGatewayOutput, error) {
	public := or(in.ConnectivityType, "public") == "public"
	switch {
	case in.SubnetId == nil:
		return nil, missing("subnetId")
	case public && in.AllocationId == nil:
		return nil, missing("allocationId")
	case !public && in.AllocationId != nil:
		return nil, refuse(codeCombination, "A private NAT gateway takes no AllocationId")
	}
	var out api.NatGateway
	return &api.CreateNatGatewayOutput{NatGateway: &out, ClientToken: in.ClientToken}, s.update(ctx, func(e *edit) error {
		id, made, err := natGateways.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			if made, err = e.makeNATGateway(id, in, public); err != nil {
				return err
			}
		}
		if err := e.specified(&natGateways.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = showNATGateway(e.view, made)
		out.State = "pending"
		return err
	})
}

// makeNATGateway makes a gateway. As on AWS, one in a network without a way to the internet is made, and failed.
func (e *edit) makeNATGateway(id string, in *api.CreateNatGatewayInput, public bool) (*natGateway, error) {
	sub, err := get(e.view, &subnets, *in.SubnetId)
	if err != nil {
		return nil, err
	}
	n := &natGateway{api.NatGateway{
		NatGatewayId: &id, SubnetId: in.SubnetId, VpcId: sub.VpcId, CreateTime: &e.now, State: "available", ConnectivityType: or(in.ConnectivityType, "public"),
		AvailabilityMode: "zonal",
	}}
	var a *address
	if public {
		if a, err = get(e.view, &addresses, *in.AllocationId); err != nil {
			return nil, err
		}
		if a.AssociationId != nil {
			return nil, refuse("Resource.AlreadyAssociated", "Elastic IP address [%s] is already associated", *in.AllocationId)
		}
		if err := e.reachable(*sub.VpcId); err != nil {
			if !isRefusal(err) {
				return nil, err
			}
			n.State, n.FailureCode = "failed", new(codeAttached)
			n.FailureMessage = new("Network " + *sub.VpcId + " has no Internet gateway attached")
			n.DeleteTime = &e.now
			return n, put(e, &natGateways, n)
		}
	}
	spec := interfaceSpec{subnet: sub, purpose: natInterface, owner: "amazon-aws", description: "Interface for NAT Gateway " + id}
	if in.PrivateIpAddress != nil {
		spec.private = []string{*in.PrivateIpAddress}
	}
	i, err := e.makeInterface(e.newID("eni"), spec)
	if err != nil {
		return nil, err
	}
	shown := api.NatGatewayAddress{NetworkInterfaceId: i.NetworkInterfaceId, PrivateIp: i.PrivateIpAddress, IsPrimary: new(true), Status: "succeeded"}
	if public {
		if err := e.join(a, i, e.newID("eipassoc")); err != nil {
			return nil, err
		}
		shown.AllocationId, shown.AssociationId, shown.PublicIp = a.AllocationId, a.AssociationId, a.PublicIp
	}
	n.NatGatewayAddresses = []api.NatGatewayAddress{shown}
	return n, put(e, &natGateways, n)
}

func (s *Service) deleteNatGateway(ctx context.Context, in *api.DeleteNatGatewayInput) (*api.DeleteNatGatewayOutput, error) {
	return &api.DeleteNatGatewayOutput{NatGatewayId: &in.NatGatewayId}, change(ctx, s, &natGateways, in.NatGatewayId, func(e *edit, n *natGateway) error {
		if n.State == "deleted" {
			return natGateways.notFound(in.NatGatewayId)
		}
		for _, a := range n.NatGatewayAddresses {
			i, err := find(e.view, &interfaces, opt.Value(a.NetworkInterfaceId))
			if err != nil {
				return err
			}
			if i != nil {
				if err := e.dropInterface(i); err != nil {
					return err
				}
			}
		}
		n.State, n.DeleteTime = "deleted", &e.now
		return nil
	})
}
