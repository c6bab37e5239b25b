package ec2

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
)

// internetGateway is a way to the internet, which may be attached to one network.
type internetGateway struct{ api.InternetGateway }

var internetGateways = kind[internetGateway]{
	class: class{name: "internet-gateway", prefix: "igw", absent: "InvalidInternetGatewayID.NotFound", malformed: "InvalidInternetGatewayId.Malformed", unknown: "The internetGateway ID '%s' does not exist"},
	id:    func(g *internetGateway) string { return *g.InternetGatewayId },
	refs: func(g *internetGateway) []string {
		return each(g.Attachments, func(a *api.InternetGatewayAttachment) []string { return text(a.VpcId) })
	},
}

var internetGatewayFields = fields[*api.InternetGateway]{
	id:   func(g *api.InternetGateway) *string { return g.InternetGatewayId },
	tags: func(g *api.InternetGateway) []api.Tag { return g.Tags },
	values: map[string]func(*api.InternetGateway) []string{
		"internet-gateway-id": func(g *api.InternetGateway) []string { return text(g.InternetGatewayId) },
		"owner-id":            func(g *api.InternetGateway) []string { return text(g.OwnerId) },
		"attachment.state": func(g *api.InternetGateway) []string {
			return each(g.Attachments, func(a *api.InternetGatewayAttachment) []string { return []string{a.State} })
		},
		"attachment.vpc-id": func(g *api.InternetGateway) []string {
			return each(g.Attachments, func(a *api.InternetGatewayAttachment) []string { return text(a.VpcId) })
		},
	},
}

// attachedTo is the id of the network that a gateway is attached to, or empty.
func (g *internetGateway) attachedTo() string {
	if len(g.Attachments) == 0 {
		return ""
	}
	return *g.Attachments[0].VpcId
}

func showInternetGateway(v *view, g *internetGateway) (out api.InternetGateway, err error) {
	out = g.InternetGateway
	out.Tags, err = v.tagsOf(*g.InternetGatewayId)
	return out, err
}

func (s *Service) describeInternetGateways(ctx context.Context, in *api.DescribeInternetGatewaysInput) (*api.DescribeInternetGatewaysOutput, error) {
	q := query{in.InternetGatewayIds, in.Filters, in.MaxResults, in.NextToken}
	out, next, err := list(ctx, s, &internetGateways, q, &internetGatewayFields, showInternetGateway)
	return &api.DescribeInternetGatewaysOutput{InternetGateways: out, NextToken: next}, err
}

func (s *Service) createInternetGateway(ctx context.Context, in *api.CreateInternetGatewayInput) (*api.CreateInternetGatewayOutput, error) {
	var out api.InternetGateway
	return &api.CreateInternetGatewayOutput{InternetGateway: &out}, s.update(ctx, func(e *edit) error {
		id, made, err := internetGateways.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			made = &internetGateway{api.InternetGateway{InternetGatewayId: &id, OwnerId: &e.account, Attachments: []api.InternetGatewayAttachment{}}}
			if err := put(e, &internetGateways, made); err != nil {
				return err
			}
		}
		if err := e.specified(&internetGateways.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = showInternetGateway(e.view, made)
		return err
	})
}

func (s *Service) deleteInternetGateway(ctx context.Context, in *api.DeleteInternetGatewayInput) (*api.DeleteInternetGatewayOutput, error) {
	return &api.DeleteInternetGatewayOutput{}, s.update(ctx, func(e *edit) error {
		g, err := get(e.view, &internetGateways, in.InternetGatewayId)
		if err != nil {
			return err
		}
		if len(g.Attachments) > 0 {
			return inUse("internetGateway", in.InternetGatewayId)
		}
		drop(e, &internetGateways, g)
		return nil
	})
}

func (s *Service) attachInternetGateway(ctx context.Context, in *api.AttachInternetGatewayInput) (*api.AttachInternetGatewayOutput, error) {
	return &api.AttachInternetGatewayOutput{}, change(ctx, s, &internetGateways, in.InternetGatewayId, func(e *edit, g *internetGateway) error {
		if _, err := get(e.view, &vpcs, in.VpcId); err != nil {
			return err
		}
		switch g.attachedTo() {
		case "":
		case in.VpcId:
			if e.reserved {
				return nil // an earlier try of the same deploy
			}
			fallthrough
		default:
			return refuse("Resource.AlreadyAssociated", "resource %s is already attached to network %s", in.InternetGatewayId, g.attachedTo())
		}
		others, err := using(e.view, &internetGateways, in.VpcId)
		if err == nil && len(others) > 0 {
			err = invalid("Network %s already has an internet gateway attached", in.VpcId)
		}
		g.Attachments = []api.InternetGatewayAttachment{{State: "available", VpcId: &in.VpcId}}
		return err
	})
}

// detachInternetGateway takes a gateway from its network, when no address of the network is on the internet.
func (s *Service) detachInternetGateway(ctx context.Context, in *api.DetachInternetGatewayInput) (*api.DetachInternetGatewayOutput, error) {
	return &api.DetachInternetGatewayOutput{}, change(ctx, s, &internetGateways, in.InternetGatewayId, func(e *edit, g *internetGateway) error {
		if _, err := get(e.view, &vpcs, in.VpcId); err != nil {
			return err
		}
		if g.attachedTo() != in.VpcId {
			return refuse(codeAttached, "resource %s is not attached to network %s", in.InternetGatewayId, in.VpcId)
		}
		there, err := using(e.view, &interfaces, in.VpcId)
		if err != nil {
			return err
		}
		for _, i := range there {
			if i.Association != nil {
				return refuse(codeDependency, "Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", in.VpcId)
			}
		}
		g.Attachments = []api.InternetGatewayAttachment{}
		return nil
	})
}

// egressGateway is a way to the internet for IPv6 from inside.
type egressGateway struct {
	api.EgressOnlyInternetGateway
}

var egressGateways = kind[egressGateway]{
	class: class{
		name: "egress-only-internet-gateway", prefix: "eigw", absent: "InvalidGatewayID.NotFound", malformed: "InvalidEgressOnlyInternetGatewayId.Malformed",
		unknown: "The eigw ID '%s' does not exist",
	},
	id:   func(g *egressGateway) string { return *g.EgressOnlyInternetGatewayId },
	refs: func(g *egressGateway) []string { return []string{*g.Attachments[0].VpcId} },
}

var egressGatewayFields = fields[*api.EgressOnlyInternetGateway]{
	id:   func(g *api.EgressOnlyInternetGateway) *string { return g.EgressOnlyInternetGatewayId },
	tags: func(g *api.EgressOnlyInternetGateway) []api.Tag { return g.Tags },
}

func showEgressGateway(v *view, g *egressGateway) (out api.EgressOnlyInternetGateway, err error) {
	out = g.EgressOnlyInternetGateway
	out.Tags, err = v.tagsOf(*g.EgressOnlyInternetGatewayId)
	return out, err
}

func (s *Service) describeEgressOnlyInternetGateways(ctx context.Context, in *api.DescribeEgressOnlyInternetGatewaysInput) (*api.DescribeEgressOnlyInternetGatewaysOutput, error) {
	// AWS leaves out those that are not there.
	var ids []string
	err := s.view(ctx, func(v *view) error {
		for _, id := range in.EgressOnlyInternetGatewayIds {
			g, err := find(v, &egressGateways, id)
			if err != nil {
				return err
			}
			if g != nil {
				ids = append(ids, id)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(in.EgressOnlyInternetGatewayIds) > 0 && ids == nil {
		return &api.DescribeEgressOnlyInternetGatewaysOutput{EgressOnlyInternetGateways: []api.EgressOnlyInternetGateway{}}, nil
	}
	out, next, err := list(ctx, s, &egressGateways, query{ids, in.Filters, in.MaxResults, in.NextToken}, &egressGatewayFields, showEgressGateway)
	return &api.DescribeEgressOnlyInternetGatewaysOutput{EgressOnlyInternetGateways: out, NextToken: next}, err
}

func (s *Service) createEgressOnlyInternetGateway(ctx context.Context, in *api.CreateEgressOnlyInternetGatewayInput) (*api.CreateEgressOnlyInternetGatewayOutput, error) {
	var out api.EgressOnlyInternetGateway
	return &api.CreateEgressOnlyInternetGatewayOutput{EgressOnlyInternetGateway: &out, ClientToken: in.ClientToken}, s.update(ctx, func(e *edit) error {
		id, made, err := egressGateways.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			if _, err := get(e.view, &vpcs, in.VpcId); err != nil {
				return err
			}
			made = &egressGateway{api.EgressOnlyInternetGateway{
				EgressOnlyInternetGatewayId: &id, Attachments: []api.InternetGatewayAttachment{{State: "attached", VpcId: &in.VpcId}},
			}}
			if err := put(e, &egressGateways, made); err != nil {
				return err
			}
		}
		if err := e.specified(&egressGateways.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = showEgressGateway(e.view, made)
		return err
	})
}

func (s *Service) deleteEgressOnlyInternetGateway(ctx context.Context, in *api.DeleteEgressOnlyInternetGatewayInput) (*api.DeleteEgressOnlyInternetGatewayOutput, error) {
	return &api.DeleteEgressOnlyInternetGatewayOutput{ReturnCode: new(true)}, s.update(ctx, func(e *edit) error {
		g, err := get(e.view, &egressGateways, in.EgressOnlyInternetGatewayId)
		if err != nil {
			return err
		}
		drop(e, &egressGateways, g)
		return nil
	})
}

// vpnGateway is the side of a network at which private connections end. Connections are not kept here.
type vpnGateway struct{ api.VpnGateway }

var vpnGateways = kind[vpnGateway]{
	class: class{name: "vpn-gateway", prefix: "vgw", absent: "InvalidVpnGatewayID.NotFound", malformed: "InvalidVpnGatewayID.Malformed", unknown: "The vpnGateway ID '%s' does not exist"},
	id:    func(g *vpnGateway) string { return *g.VpnGatewayId },
	refs: func(g *vpnGateway) []string {
		return each(g.VpcAttachments, func(a *api.VpcAttachment) []string { return text(a.VpcId) })
	},
}

var vpnGatewayFields = fields[*api.VpnGateway]{
	id:   func(g *api.VpnGateway) *string { return g.VpnGatewayId },
	tags: func(g *api.VpnGateway) []api.Tag { return g.Tags },
	values: map[string]func(*api.VpnGateway) []string{
		"availability-zone": func(g *api.VpnGateway) []string { return text(g.AvailabilityZone) },
		"state":             func(g *api.VpnGateway) []string { return []string{g.State} },
		"type":              func(g *api.VpnGateway) []string { return []string{g.Type} },
		"vpn-gateway-id":    func(g *api.VpnGateway) []string { return text(g.VpnGatewayId) },
		"attachment.state": func(g *api.VpnGateway) []string {
			return each(g.VpcAttachments, func(a *api.VpcAttachment) []string { return []string{a.State} })
		},
		"attachment.vpc-id": func(g *api.VpnGateway) []string {
			return each(g.VpcAttachments, func(a *api.VpcAttachment) []string { return text(a.VpcId) })
		},
	},
}

func (g *vpnGateway) attachedTo() string {
	if len(g.VpcAttachments) == 0 {
		return ""
	}
	return *g.VpcAttachments[0].VpcId
}

func showVPNGateway(v *view, g *vpnGateway) (out api.VpnGateway, err error) {
	out = g.VpnGateway
	out.Tags, err = v.tagsOf(*g.VpnGatewayId)
	return out, err
}

func (s *Service) describeVpnGateways(ctx context.Context, in *api.DescribeVpnGatewaysInput) (*api.DescribeVpnGatewaysOutput, error) {
	out, _, err := list(ctx, s, &vpnGateways, query{ids: in.VpnGatewayIds, filters: in.Filters}, &vpnGatewayFields, showVPNGateway)
	return &api.DescribeVpnGatewaysOutput{VpnGateways: out}, err
}

// amazonASN is the number of the autonomous system that gateways have when none is given.
const amazonASN = 64512

// createVpnGateway makes a gateway. AWS takes a zone, and does not show it.
func (s *Service) createVpnGateway(ctx context.Context, in *api.CreateVpnGatewayInput) (*api.CreateVpnGatewayOutput, error) {
	asn := opt.Value(in.AmazonSideAsn)
	if asn == 0 {
		asn = amazonASN
	}
	var out api.VpnGateway
	return &api.CreateVpnGatewayOutput{VpnGateway: &out}, s.update(ctx, func(e *edit) error {
		id, made, err := vpnGateways.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			made = &vpnGateway{api.VpnGateway{
				VpnGatewayId: &id, AmazonSideAsn: &asn, State: "available", Type: in.Type, VpcAttachments: []api.VpcAttachment{},
			}}
			if err := put(e, &vpnGateways, made); err != nil {
				return err
			}
		}
		if err := e.specified(&vpnGateways.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = showVPNGateway(e.view, made)
		return err
	})
}

func (s *Service) deleteVpnGateway(ctx context.Context, in *api.DeleteVpnGatewayInput) (*api.DeleteVpnGatewayOutput, error) {
	return &api.DeleteVpnGatewayOutput{}, s.update(ctx, func(e *edit) error {
		g, err := get(e.view, &vpnGateways, in.VpnGatewayId)
		if err != nil {
			return err
		}
		if len(g.VpcAttachments) > 0 {
			return refuse("IncorrectState", "The VPN gateway %s is in use.", in.VpnGatewayId)
		}
		drop(e, &vpnGateways, g)
		return nil
	})
}

func (s *Service) attachVpnGateway(ctx context.Context, in *api.AttachVpnGatewayInput) (*api.AttachVpnGatewayOutput, error) {
	out := &api.AttachVpnGatewayOutput{VpcAttachment: &api.VpcAttachment{State: "attaching", VpcId: &in.VpcId}}
	return out, change(ctx, s, &vpnGateways, in.VpnGatewayId, func(e *edit, g *vpnGateway) error {
		if _, err := get(e.view, &vpcs, in.VpcId); err != nil {
			return err
		}
		if at := g.attachedTo(); at != "" && (at != in.VpcId || !e.reserved) {
			return refuse("VpnGatewayAttachmentLimitExceeded", "The maximum number of mappings for %s has been reached: 1", in.VpnGatewayId)
		}
		g.VpcAttachments = []api.VpcAttachment{{State: "attached", VpcId: &in.VpcId}}
		return nil
	})
}

func (s *Service) detachVpnGateway(ctx context.Context, in *api.DetachVpnGatewayInput) (*api.DetachVpnGatewayOutput, error) {
	return &api.DetachVpnGatewayOutput{}, change(ctx, s, &vpnGateways, in.VpnGatewayId, func(e *edit, g *vpnGateway) error {
		if g.attachedTo() != in.VpcId {
			return refuse("InvalidVpnGatewayAttachment.NotFound", "The attachment with vpn gateway ID '%s' and vpc ID '%s' does not exist", in.VpnGatewayId, in.VpcId)
		}
		g.VpcAttachments = []api.VpcAttachment{}
		return nil
	})
}
