package ec2

import (
	"context"
	"net/netip"
	"time"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
)

// peering connects two networks. Each side has a copy, under the same id.
type peering struct{ api.VpcPeeringConnection }

// peeringWait is how long a request waits to be accepted.
const (
	peeringWait = 7 * 24 * time.Hour
)

// States of peerings.
const (
	peeringPending  = "pending-acceptance"
	peeringActive   = "active"
	peeringDeleted  = "deleted"
	peeringRejected = "rejected"
	peeringFailed   = "failed"
)

var peerings = kind[peering]{
	class: class{
		name: "vpc-peering-connection", prefix: "pcx", absent: "InvalidVpcPeeringConnectionID.NotFound", malformed: "InvalidVpcPeeringConnectionId.Malformed",
		unknown: "The vpcPeeringConnection ID '%s' does not exist",
	},
	id: func(p *peering) string { return *p.VpcPeeringConnectionId },
}

var peeringFields = fields[*api.VpcPeeringConnection]{
	id:   func(p *api.VpcPeeringConnection) *string { return p.VpcPeeringConnectionId },
	tags: func(p *api.VpcPeeringConnection) []api.Tag { return p.Tags },
	values: map[string]func(*api.VpcPeeringConnection) []string{
		"accepter-vpc-info.cidr-block":  func(p *api.VpcPeeringConnection) []string { return text(p.AccepterVpcInfo.CidrBlock) },
		"accepter-vpc-info.owner-id":    func(p *api.VpcPeeringConnection) []string { return text(p.AccepterVpcInfo.OwnerId) },
		"accepter-vpc-info.vpc-id":      func(p *api.VpcPeeringConnection) []string { return text(p.AccepterVpcInfo.VpcId) },
		"expiration-time":               func(p *api.VpcPeeringConnection) []string { return momentIf(p.ExpirationTime) },
		"requester-vpc-info.cidr-block": func(p *api.VpcPeeringConnection) []string { return text(p.RequesterVpcInfo.CidrBlock) },
		"requester-vpc-info.owner-id":   func(p *api.VpcPeeringConnection) []string { return text(p.RequesterVpcInfo.OwnerId) },
		"requester-vpc-info.vpc-id":     func(p *api.VpcPeeringConnection) []string { return text(p.RequesterVpcInfo.VpcId) },
		"status-code":                   func(p *api.VpcPeeringConnection) []string { return []string{p.Status.Code} },
		"status-message":                func(p *api.VpcPeeringConnection) []string { return text(p.Status.Message) },
		"vpc-peering-connection-id":     func(p *api.VpcPeeringConnection) []string { return text(p.VpcPeeringConnectionId) },
	},
}

func momentIf(t *time.Time) []string {
	if t == nil {
		return nil
	}
	return []string{moment(*t)}
}

func (s *Service) showPeering(v *view, p *peering) (out api.VpcPeeringConnection, err error) {
	out = p.VpcPeeringConnection
	if out.Status.Code == peeringPending && !s.now().Before(*out.ExpirationTime) {
		out.Status = &api.VpcPeeringConnectionStateReason{Code: "expired", Message: new("Expired")}
	}
	out.Tags, err = v.tagsOf(*p.VpcPeeringConnectionId)
	return out, err
}

func (s *Service) describeVpcPeeringConnections(ctx context.Context, in *api.DescribeVpcPeeringConnectionsInput) (*api.DescribeVpcPeeringConnectionsOutput, error) {
	q := query{in.VpcPeeringConnectionIds, in.Filters, in.MaxResults, in.NextToken}
	out, next, err := list(ctx, s, &peerings, q, &peeringFields, s.showPeering)
	return &api.DescribeVpcPeeringConnectionsOutput{VpcPeeringConnections: out, NextToken: next}, err
}

// side is the side of a peering on which a network is, as its own account sees it.
func (s scope) side(v *vpc) *api.VpcPeeringConnectionVpcInfo {
	out := &api.VpcPeeringConnectionVpcInfo{
		VpcId: v.VpcId, OwnerId: &s.account, Region: &s.region, CidrBlock: v.CidrBlock,
		PeeringOptions: &api.VpcPeeringConnectionOptionsDescription{
			AllowDnsResolutionFromRemoteVpc: new(false), AllowEgressFromLocalClassicLinkToRemoteVpc: new(false), AllowEgressFromLocalVpcToRemoteClassicLink: new(false),
		},
	}
	for _, b := range v.CidrBlockAssociationSet {
		out.CidrBlockSet = append(out.CidrBlockSet, api.CidrBlock{CidrBlock: b.CidrBlock})
	}
	for _, b := range v.Ipv6CidrBlockAssociationSet {
		out.Ipv6CidrBlockSet = append(out.Ipv6CidrBlockSet, api.Ipv6CidrBlock{Ipv6CidrBlock: b.Ipv6CidrBlock})
	}
	return out
}

// at returns the change as one of another account or region.
func (e *edit) at(s scope) *edit {
	other := *e
	other.view = &view{e.Reader, s}
	return &other
}

func scopeOfSide(i *api.VpcPeeringConnectionVpcInfo) scope { return scope{*i.OwnerId, *i.Region} }

// putPeering stores both copies.
func (e *edit) putPeering(p *peering) error {
	for _, at := range []scope{scopeOfSide(p.RequesterVpcInfo), scopeOfSide(p.AccepterVpcInfo)} {
		if err := put(e.at(at), &peerings, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) createVpcPeeringConnection(ctx context.Context, in *api.CreateVpcPeeringConnectionInput) (*api.CreateVpcPeeringConnectionOutput, error) {
	if in.PeerVpcId == nil {
		return nil, missing("peerVpcId")
	}
	var out api.VpcPeeringConnection
	return &api.CreateVpcPeeringConnectionOutput{VpcPeeringConnection: &out}, s.update(ctx, func(e *edit) error {
		id, made, err := peerings.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			if made, err = e.peer(id, in); err != nil {
				return err
			}
		}
		if err := e.specified(&peerings.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = s.showPeering(e.view, made)
		if made.Status.Code != peeringActive {
			out.Status = &api.VpcPeeringConnectionStateReason{Code: "initiating-request", Message: new("Initiating Request to " + *made.AccepterVpcInfo.OwnerId)}
		}
		return err
	})
}

// peer makes a request to peer. As on AWS, one to a network that is not there or has the same addresses is made, and failed.
func (e *edit) peer(id string, in *api.CreateVpcPeeringConnectionInput) (*peering, error) {
	own, err := get(e.view, &vpcs, in.VpcId)
	if err != nil {
		return nil, err
	}
	if err := vpcs.check(*in.PeerVpcId); err != nil {
		return nil, err
	}
	there := scope{or(opt.Value(in.PeerOwnerId), e.account), or(opt.Value(in.PeerRegion), e.region)}
	if there == e.scope && *in.PeerVpcId == in.VpcId {
		return nil, refuse("InvalidParameter", "The VPC %s cannot be peered with itself", in.VpcId)
	}
	p := &peering{api.VpcPeeringConnection{
		VpcPeeringConnectionId: &id, RequesterVpcInfo: e.side(own), ExpirationTime: new(e.now.Add(peeringWait)),
		AccepterVpcInfo: &api.VpcPeeringConnectionVpcInfo{OwnerId: &there.account, Region: &there.region, VpcId: in.PeerVpcId},
		Status:          &api.VpcPeeringConnectionStateReason{Code: peeringPending, Message: new("Pending Acceptance by " + there.account)},
	}}
	other, err := find(e.at(there).view, &vpcs, *in.PeerVpcId)
	if err != nil {
		return nil, err
	}
	if other == nil || overlap(own.blocks(), other.blocks()) {
		p.Status = &api.VpcPeeringConnectionStateReason{Code: peeringFailed, Message: new("Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range")}
		p.ExpirationTime = nil
		return p, put(e, &peerings, p)
	}
	return p, e.putPeering(p)
}

func overlap(a, b []netip.Prefix) bool {
	for _, p := range a {
		if overlaps(p, b) {
			return true
		}
	}
	return false
}

// decide ends the waiting of a request. Only the account that was asked may do so, in its own region.
func (s *Service) decide(ctx context.Context, id string, fn func(e *edit, p *peering) error) (out api.VpcPeeringConnection, err error) {
	err = s.update(ctx, func(e *edit) error {
		p, err := get(e.view, &peerings, id)
		if err != nil {
			return err
		}
		if scopeOfSide(p.AccepterVpcInfo) != e.scope {
			return refuse(codePermitted, "User %s cannot accept or reject peering %s", e.account, id)
		}
		shown, err := s.showPeering(e.view, p)
		if err != nil {
			return err
		}
		if shown.Status.Code != peeringPending {
			return refuse("InvalidStateTransition", "Invalid state transition for %s, attempted to transition from %s", id, shown.Status.Code)
		}
		if err := fn(e, p); err != nil {
			return err
		}
		p.ExpirationTime = nil
		if err := e.putPeering(p); err != nil {
			return err
		}
		out, err = s.showPeering(e.view, p)
		return err
	})
	return out, err
}

func (s *Service) acceptVpcPeeringConnection(ctx context.Context, in *api.AcceptVpcPeeringConnectionInput) (*api.AcceptVpcPeeringConnectionOutput, error) {
	out, err := s.decide(ctx, in.VpcPeeringConnectionId, func(e *edit, p *peering) error {
		v, err := get(e.view, &vpcs, *p.AccepterVpcInfo.VpcId)
		if err != nil {
			return err
		}
		p.AccepterVpcInfo = e.side(v)
		p.Status = &api.VpcPeeringConnectionStateReason{Code: peeringActive, Message: new("Active")}
		return nil
	})
	if err == nil {
		out.Status = &api.VpcPeeringConnectionStateReason{Code: "provisioning", Message: new("Provisioning")}
	}
	return &api.AcceptVpcPeeringConnectionOutput{VpcPeeringConnection: &out}, err
}

func (s *Service) rejectVpcPeeringConnection(ctx context.Context, in *api.RejectVpcPeeringConnectionInput) (*api.RejectVpcPeeringConnectionOutput, error) {
	_, err := s.decide(ctx, in.VpcPeeringConnectionId, func(e *edit, p *peering) error {
		p.Status = &api.VpcPeeringConnectionStateReason{Code: peeringRejected, Message: new("Rejected by " + e.account)}
		return nil
	})
	return &api.RejectVpcPeeringConnectionOutput{Return: new(true)}, err
}

func (s *Service) deleteVpcPeeringConnection(ctx context.Context, in *api.DeleteVpcPeeringConnectionInput) (*api.DeleteVpcPeeringConnectionOutput, error) {
	return &api.DeleteVpcPeeringConnectionOutput{Return: new(true)}, s.update(ctx, func(e *edit) error {
		p, err := get(e.view, &peerings, in.VpcPeeringConnectionId)
		if err != nil {
			return err
		}
		if p.Status.Code != peeringActive && p.Status.Code != peeringPending && p.Status.Code != peeringFailed {
			return refuse("InvalidStateTransition", "Invalid state transition for %s, attempted to transition from %s to deleting", in.VpcPeeringConnectionId, p.Status.Code)
		}
		return e.endPeering(p)
	})
}

func (e *edit) endPeering(p *peering) error {
	p.Status = &api.VpcPeeringConnectionStateReason{Code: peeringDeleted, Message: new("Deleted by " + e.account)}
	p.ExpirationTime = nil
	return e.putPeering(p)
}

// endPeerings ends the peerings of a network that is deleted.
func (e *edit) endPeerings(vpcID string) error {
	there, err := all(e.view, &peerings)
	if err != nil {
		return err
	}
	for i := range there {
		p := &there[i]
		own := *p.RequesterVpcInfo.VpcId == vpcID || *p.AccepterVpcInfo.VpcId == vpcID
		if own && (p.Status.Code == peeringActive || p.Status.Code == peeringPending) {
			if err := e.endPeering(p); err != nil {
				return err
			}
		}
	}
	return nil
}

// modifyVpcPeeringConnectionOptions changes the options of the sides that are the caller's.
func (s *Service) modifyVpcPeeringConnectionOptions(ctx context.Context, in *api.ModifyVpcPeeringConnectionOptionsInput) (*api.ModifyVpcPeeringConnectionOptionsOutput, error) {
	out := &api.ModifyVpcPeeringConnectionOptionsOutput{}
	return out, s.update(ctx, func(e *edit) error {
		p, err := get(e.view, &peerings, in.VpcPeeringConnectionId)
		if err != nil {
			return err
		}
		if p.Status.Code != peeringActive {
			return refuse(codePermitted, "Peering %s is not active. Peering options can be added only to active peerings.", in.VpcPeeringConnectionId)
		}
		apply := func(side *api.VpcPeeringConnectionVpcInfo, o *api.PeeringConnectionOptionsRequest) (*api.PeeringConnectionOptions, error) {
			if o == nil {
				return nil, nil
			}
			if scopeOfSide(side) != e.scope {
				return nil, refuse(codePermitted, "User %s cannot modify the options of the other side of peering %s", e.account, in.VpcPeeringConnectionId)
			}
			if opt.Value(o.AllowEgressFromLocalClassicLinkToRemoteVpc) || opt.Value(o.AllowEgressFromLocalVpcToRemoteClassicLink) {
				return nil, refuse(codeUnsupported, "ClassicLink is gone; its options of peerings cannot be set")
			}
			if o.AllowDnsResolutionFromRemoteVpc != nil {
				side.PeeringOptions.AllowDnsResolutionFromRemoteVpc = o.AllowDnsResolutionFromRemoteVpc
			}
			return new(api.PeeringConnectionOptions(*side.PeeringOptions)), nil
		}
		if out.RequesterPeeringConnectionOptions, err = apply(p.RequesterVpcInfo, in.RequesterPeeringConnectionOptions); err != nil {
			return err
		}
		if out.AccepterPeeringConnectionOptions, err = apply(p.AccepterVpcInfo, in.AccepterPeeringConnectionOptions); err != nil {
			return err
		}
		return e.putPeering(p)
	})
}
