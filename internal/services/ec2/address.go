package ec2

import (
	"context"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
)

// address is an Elastic IP address.
type address struct{ api.Address }

var addresses = kind[address]{
	class: class{name: "elastic-ip", prefix: "eipalloc", absent: "InvalidAllocationID.NotFound", malformed: "InvalidAllocationID.Malformed", unknown: "The allocation ID '%s' does not exist"},
	id:    func(a *address) string { return *a.AllocationId },
}

// publicBlock is what public addresses are from: the block for benchmarks of networks (RFC 2544), which is nobody's.
const publicBlock = "198.18.0.0/15"

var addressFields = fields[*api.Address]{
	id:   func(a *api.Address) *string { return a.AllocationId },
	tags: func(a *api.Address) []api.Tag { return a.Tags },
	values: map[string]func(*api.Address) []string{
		"allocation-id":              func(a *api.Address) []string { return text(a.AllocationId) },
		"association-id":             func(a *api.Address) []string { return text(a.AssociationId) },
		"domain":                     func(a *api.Address) []string { return []string{a.Domain} },
		"instance-id":                func(*api.Address) []string { return nil },
		"network-border-group":       func(a *api.Address) []string { return text(a.NetworkBorderGroup) },
		"network-interface-id":       func(a *api.Address) []string { return text(a.NetworkInterfaceId) },
		"network-interface-owner-id": func(a *api.Address) []string { return text(a.NetworkInterfaceOwnerId) },
		"private-ip-address":         func(a *api.Address) []string { return text(a.PrivateIpAddress) },
		"public-ip":                  func(a *api.Address) []string { return text(a.PublicIp) },
	},
}

func showAddress(v *view, a *address) (out api.Address, err error) {
	out = a.Address
	out.Tags, err = v.tagsOf(*a.AllocationId)
	return out, err
}

func (s *Service) describeAddresses(ctx context.Context, in *api.DescribeAddressesInput) (*api.DescribeAddressesOutput, error) {
	q := query{ids: in.AllocationIds, filters: in.Filters}
	if len(in.PublicIps) > 0 {
		q.filters = append(slices.Clone(q.filters), api.Filter{Name: new("public-ip"), Values: in.PublicIps})
	}
	out, _, err := list(ctx, s, &addresses, q, &addressFields, showAddress)
	if err != nil {
		return nil, err
	}
	for _, ip := range in.PublicIps {
		if len(in.Filters) == 0 && !slices.ContainsFunc(out, func(a api.Address) bool { return *a.PublicIp == ip }) {
			return nil, noAddress(ip)
		}
	}
	return &api.DescribeAddressesOutput{Addresses: out}, nil
}

func noAddress(ip string) error {
	return refuse("InvalidAddress.NotFound", "Address '%s' not found.", ip)
}

func (s *Service) describeAddressesAttribute(ctx context.Context, in *api.DescribeAddressesAttributeInput) (*api.DescribeAddressesAttributeOutput, error) {
	out, next, err := list(ctx, s, &addresses, query{ids: in.AllocationIds, max: in.MaxResults, token: in.NextToken}, &addressFields, showAddress)
	if err != nil {
		return nil, err
	}
	shapes := []api.AddressAttribute{}
	for _, a := range out {
		shapes = append(shapes, api.AddressAttribute{AllocationId: a.AllocationId, PublicIp: a.PublicIp})
	}
	return &api.DescribeAddressesAttributeOutput{Addresses: shapes, NextToken: next}, nil
}

func (s *Service) allocateAddress(ctx context.Context, in *api.AllocateAddressInput) (*api.AllocateAddressOutput, error) {
	if in.Domain == "standard" {
		return nil, invalid("Invalid value 'standard' for domain. EC2-Classic is gone.")
	}
	out := &api.AllocateAddressOutput{Domain: "vpc"}
	return out, s.update(ctx, func(e *edit) error {
		id, made, err := addresses.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			ip, err := e.publicAddress()
			if err != nil {
				return err
			}
			made = &address{api.Address{
				AllocationId: &id, PublicIp: &ip, Domain: "vpc", PublicIpv4Pool: new("amazon"), NetworkBorderGroup: &e.region,
			}}
			if err := put(e, &addresses, made); err != nil {
				return err
			}
		}
		out.AllocationId, out.PublicIp, out.PublicIpv4Pool, out.NetworkBorderGroup = made.AllocationId, made.PublicIp, made.PublicIpv4Pool, made.NetworkBorderGroup
		return e.specified(&addresses.class, id, in.TagSpecifications)
	})
}

// publicAddress returns a public address that nobody in the account has.
func (e *edit) publicAddress() (string, error) {
	there, err := all(e.view, &addresses)
	if err != nil {
		return "", err
	}
	block := netip.MustParsePrefix(publicBlock).Addr().As4()
	for {
		b, err := hex.DecodeString(e.draw("address", 6))
		if err != nil {
			return "", err
		}
		ip := netip.AddrFrom4([4]byte{block[0], block[1] | b[0]&1, b[1], b[2]}).String()
		if !slices.ContainsFunc(there, func(a address) bool { return *a.PublicIp == ip }) {
			return ip, nil
		}
	}
}

// findAddress returns the address that a call names, by its allocation or by itself.
func (v *view) findAddress(allocation, ip *string) (*address, error) {
	switch {
	case allocation != nil:
		return get(v, &addresses, *allocation)
	case ip == nil:
		return nil, missing("allocationId")
	}
	there, err := all(v, &addresses)
	if err != nil {
		return nil, err
	}
	for i := range there {
		if *there[i].PublicIp == *ip {
			return &there[i], nil
		}
	}
	return nil, noAddress(*ip)
}

func (s *Service) releaseAddress(ctx context.Context, in *api.ReleaseAddressInput) (*api.ReleaseAddressOutput, error) {
	return &api.ReleaseAddressOutput{}, s.update(ctx, func(e *edit) error {
		a, err := e.findAddress(in.AllocationId, in.PublicIp)
		if err != nil {
			return err
		}
		if a.AssociationId != nil {
			return refuse("InvalidIPAddress.InUse", "Address %s is in use.", *a.PublicIp)
		}
		drop(e, &addresses, a)
		return nil
	})
}

func (s *Service) associateAddress(ctx context.Context, in *api.AssociateAddressInput) (*api.AssociateAddressOutput, error) {
	out := &api.AssociateAddressOutput{}
	if in.InstanceId != nil {
		return nil, noInstances([]string{*in.InstanceId})
	}
	if in.NetworkInterfaceId == nil {
		return nil, missing("networkInterfaceId")
	}
	return out, s.update(ctx, func(e *edit) error {
		a, err := e.findAddress(in.AllocationId, in.PublicIp)
		if err != nil {
			return err
		}
		i, err := get(e.view, &interfaces, *in.NetworkInterfaceId)
		if err != nil {
			return err
		}
		again := opt.Value(a.NetworkInterfaceId) == *i.NetworkInterfaceId
		if again && e.reserved {
			out.AssociationId = a.AssociationId
			return nil // an earlier try of the same deploy
		}
		if !opt.Value(in.AllowReassociation) {
			switch {
			case a.AssociationId != nil:
				return refuse("Resource.AlreadyAssociated", "resource %s is already associated with associate-id %s", *a.AllocationId, *a.AssociationId)
			case i.Association != nil:
				return refuse("Resource.AlreadyAssociated", "resource %s is already associated with associate-id %s", *i.NetworkInterfaceId, *i.Association.AssociationId)
			}
		}
		if err := e.reachable(*i.VpcId); err != nil {
			return err
		}
		if err := e.separate(a, i); err != nil {
			return err
		}
		if again {
			i.Association = nil
		}
		out.AssociationId = new(e.newID("eipassoc"))
		return e.join(a, i, *out.AssociationId)
	})
}

// reachable makes sure that a network has a way to the internet.
func (v *view) reachable(vpcID string) error {
	gates, err := using(v, &internetGateways, vpcID)
	if err == nil && len(gates) == 0 {
		err = refuse(codeAttached, "Network %s is not attached to any internet gateway", vpcID)
	}
	return err
}

// separate frees an address from the interface that has it, and an interface from the address that it has.
func (e *edit) separate(a *address, i *iface) error {
	if a.NetworkInterfaceId != nil && *a.NetworkInterfaceId != *i.NetworkInterfaceId {
		old, err := find(e.view, &interfaces, *a.NetworkInterfaceId)
		if err != nil {
			return err
		}
		if old != nil {
			setAssociation(old, nil)
			if err := put(e, &interfaces, old); err != nil {
				return err
			}
		}
	}
	if i.Association != nil && *i.Association.AllocationId != *a.AllocationId {
		return e.freeAddress(*i.Association.AllocationId)
	}
	return nil
}

// join gives an interface a public address.
func (e *edit) join(a *address, i *iface, id string) error {
	a.AssociationId, a.NetworkInterfaceId, a.NetworkInterfaceOwnerId, a.PrivateIpAddress = &id, i.NetworkInterfaceId, &e.account, i.PrivateIpAddress
	if err := put(e, &addresses, a); err != nil {
		return err
	}
	setAssociation(i, &api.NetworkInterfaceAssociation{
		AllocationId: a.AllocationId, AssociationId: &id, IpOwnerId: &e.account, PublicIp: a.PublicIp,
		PublicDnsName: new("ec2-" + strings.ReplaceAll(*a.PublicIp, ".", "-") + "." + e.publicDomain()),
	})
	return put(e, &interfaces, i)
}

// publicDomain is what the public names of addresses end with.
func (s scope) publicDomain() string {
	if s.region == "us-east-1" {
		return "compute-1.amazonaws.com"
	}
	return s.region + ".compute.amazonaws.com"
}

func setAssociation(i *iface, to *api.NetworkInterfaceAssociation) {
	i.Association = to
	i.PrivateIpAddresses[0].Association = to
}

// freeAddress makes an address that an interface had nobody's.
func (e *edit) freeAddress(allocation string) error {
	a, err := find(e.view, &addresses, allocation)
	if err != nil || a == nil {
		return err
	}
	a.AssociationId, a.NetworkInterfaceId, a.NetworkInterfaceOwnerId, a.PrivateIpAddress = nil, nil, nil, nil
	return put(e, &addresses, a)
}

func (s *Service) disassociateAddress(ctx context.Context, in *api.DisassociateAddressInput) (*api.DisassociateAddressOutput, error) {
	return &api.DisassociateAddressOutput{}, s.update(ctx, func(e *edit) error {
		a, err := e.associated(in)
		if err != nil {
			return err
		}
		i, err := find(e.view, &interfaces, *a.NetworkInterfaceId)
		if err != nil {
			return err
		}
		if i != nil {
			if *i.RequesterManaged {
				return refuse("AuthFailure", "You do not have permission to access the specified resource.")
			}
			setAssociation(i, nil)
			if err := put(e, &interfaces, i); err != nil {
				return err
			}
		}
		return e.freeAddress(*a.AllocationId)
	})
}

// associated returns the address whose association a call names.
func (v *view) associated(in *api.DisassociateAddressInput) (*address, error) {
	if in.AssociationId == nil {
		a, err := v.findAddress(nil, in.PublicIp)
		if err == nil && a.AssociationId == nil {
			err = refuse(codeNoAssoc, "The address %s is not associated", *a.PublicIp)
		}
		return a, err
	}
	there, err := all(v, &addresses)
	if err != nil {
		return nil, err
	}
	for i := range there {
		if opt.Value(there[i].AssociationId) == *in.AssociationId {
			return &there[i], nil
		}
	}
	return nil, refuse(codeNoAssoc, "The association ID '%s' does not exist", *in.AssociationId)
}
