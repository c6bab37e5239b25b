package ec2

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
)

// maxBlocks is how many IPv4 blocks a network may have (https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html).
const maxBlocks = 5

// addBlock6 gives a network a block of /56 as Amazon does. It is from the addresses for documentation (RFC 3849), which lead nowhere.
func (e *edit) addBlock6(v *vpc) api.VpcIpv6CidrBlockAssociation {
	d := e.draw("ipv6", 6)
	block := netip.MustParsePrefix(fmt.Sprintf("2001:db8:%s:%s00::/56", d[:4], d[4:]))
	a := api.VpcIpv6CidrBlockAssociation{
		AssociationId: new(e.newID("vpc-cidr-assoc")), Ipv6CidrBlock: new(block.String()), Ipv6CidrBlockState: &api.VpcCidrBlockState{State: "associated"},
		NetworkBorderGroup: &e.region, Ipv6Pool: new("Amazon"), Ipv6AddressAttribute: "public", IpSource: "amazon",
	}
	v.Ipv6CidrBlockAssociationSet = append(v.Ipv6CidrBlockAssociationSet, a)
	return a
}

func (s *Service) associateVpcCidrBlock(ctx context.Context, in *api.AssociateVpcCidrBlockInput) (*api.AssociateVpcCidrBlockOutput, error) {
	out := &api.AssociateVpcCidrBlockOutput{VpcId: &in.VpcId}
	ipv6 := opt.Value(in.AmazonProvidedIpv6CidrBlock)
	if ipv6 == (in.CidrBlock != nil) {
		return nil, refuse(codeCombination, "Either CidrBlock or AmazonProvidedIpv6CidrBlock must be provided")
	}
	return out, change(ctx, s, &vpcs, in.VpcId, func(e *edit, v *vpc) error {
		if ipv6 {
			if len(v.Ipv6CidrBlockAssociationSet) > 0 {
				return refuse("CidrLimitExceeded", "The vpc '%s' has reached the limit of IPv6 CIDR blocks of Amazon's pool: 1", in.VpcId)
			}
			a := e.addBlock6(v)
			a.Ipv6CidrBlockState = &api.VpcCidrBlockState{State: "associating"}
			out.Ipv6CidrBlockAssociation = &a
			return nil
		}
		a, err := e.addBlock(v, *in.CidrBlock)
		if err != nil {
			return err
		}
		a.CidrBlockState = &api.VpcCidrBlockState{State: "associating"}
		out.CidrBlockAssociation = &a
		return nil
	})
}

func (e *edit) addBlock(v *vpc, cidr string) (a api.VpcCidrBlockAssociation, err error) {
	block, err := parseBlock(cidr, "cidrBlock")
	if err != nil {
		return a, err
	}
	text := block.String()
	for _, a := range v.CidrBlockAssociationSet {
		if e.reserved && *a.CidrBlock == text {
			return a, nil // an earlier try of the same deploy
		}
	}
	switch {
	case block.Bits() < widestBlock || block.Bits() > narrowestIPv4:
		return a, refuse("InvalidVpc.Range", "The CIDR '%s' is invalid.", cidr)
	case overlaps(block, v.blocks()):
		return a, refuse("InvalidVpc.Conflict", "The CIDR '%s' conflicts with one of the VPC's CIDR blocks", cidr)
	case len(v.CidrBlockAssociationSet) >= maxBlocks:
		return a, refuse("CidrLimitExceeded", "This network '%s' has met its maximum number of allowed CIDRs: %d", *v.VpcId, maxBlocks)
	}
	a = api.VpcCidrBlockAssociation{AssociationId: new(e.newID("vpc-cidr-assoc")), CidrBlock: &text, CidrBlockState: &api.VpcCidrBlockState{State: "associated"}}
	v.CidrBlockAssociationSet = append(v.CidrBlockAssociationSet, a)
	return a, nil
}

// disassociateVpcCidrBlock takes a block from its network, when no subnet has addresses of it.
func (s *Service) disassociateVpcCidrBlock(ctx context.Context, in *api.DisassociateVpcCidrBlockInput) (*api.DisassociateVpcCidrBlockOutput, error) {
	out := &api.DisassociateVpcCidrBlockOutput{}
	return out, s.update(ctx, func(e *edit) error {
		all, err := all(e.view, &vpcs)
		if err != nil {
			return err
		}
		for i := range all {
			found, err := e.removeBlock(&all[i], in.AssociationId, out)
			if err != nil || found {
				return err
			}
		}
		return refuse("InvalidCidrBlockAssociationID.NotFound", "The vpc CIDR block association ID '%s' does not exist", in.AssociationId)
	})
}

func (e *edit) removeBlock(v *vpc, id string, out *api.DisassociateVpcCidrBlockOutput) (found bool, err error) {
	ending := &api.VpcCidrBlockState{State: "disassociating"}
	subs, err := using(e.view, &subnets, *v.VpcId)
	if err != nil {
		return false, err
	}
	out.VpcId = v.VpcId
	if i := slices.IndexFunc(v.CidrBlockAssociationSet, func(a api.VpcCidrBlockAssociation) bool { return *a.AssociationId == id }); i >= 0 {
		a := v.CidrBlockAssociationSet[i]
		if *a.CidrBlock == *v.CidrBlock {
			return true, refuse(codePermitted, "The vpc CIDR block with association ID %s may not be disassociated. It is the primary IPv4 CIDR block of the VPC", id)
		}
		block := netip.MustParsePrefix(*a.CidrBlock)
		if slices.ContainsFunc(subs, func(s *subnet) bool { return block.Overlaps(s.block()) }) {
			return true, refuse(codeDependency, "The vpc CIDR block with association ID %s has dependencies and cannot be disassociated.", id)
		}
		v.CidrBlockAssociationSet = slices.Delete(v.CidrBlockAssociationSet, i, i+1)
		a.CidrBlockState = ending
		out.CidrBlockAssociation = &a
		return true, put(e, &vpcs, v)
	}
	i := slices.IndexFunc(v.Ipv6CidrBlockAssociationSet, func(a api.VpcIpv6CidrBlockAssociation) bool { return *a.AssociationId == id })
	if i < 0 {
		return false, nil
	}
	if slices.ContainsFunc(subs, func(s *subnet) bool { return len(s.Ipv6CidrBlockAssociationSet) > 0 }) {
		return true, refuse(codeDependency, "The vpc CIDR block with association ID %s has dependencies and cannot be disassociated.", id)
	}
	a := v.Ipv6CidrBlockAssociationSet[i]
	v.Ipv6CidrBlockAssociationSet = slices.Delete(v.Ipv6CidrBlockAssociationSet, i, i+1)
	a.Ipv6CidrBlockState = ending
	out.Ipv6CidrBlockAssociation = &a
	return true, put(e, &vpcs, v)
}
