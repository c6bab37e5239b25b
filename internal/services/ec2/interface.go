package ec2

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
)

// iface is a network interface: of a caller, or of a gateway or endpoint that made it.
type iface struct{ api.NetworkInterface }

// Types of interfaces.
const (
	plainInterface    = "interface"
	natInterface      = "nat_gateway"
	endpointInterface = "vpc_endpoint"
)

var interfaces = kind[iface]{
	class: class{name: "network-interface", prefix: "eni", absent: "InvalidNetworkInterfaceID.NotFound", malformed: "InvalidNetworkInterfaceId.Malformed", unknown: "The networkInterface ID '%s' does not exist"},
	id:    func(i *iface) string { return *i.NetworkInterfaceId },
	refs: func(i *iface) []string {
		return append(each(i.Groups, func(g *api.GroupIdentifier) []string { return text(g.GroupId) }), *i.SubnetId, *i.VpcId)
	},
}

var interfaceFields = fields[*api.NetworkInterface]{
	id:   func(i *api.NetworkInterface) *string { return i.NetworkInterfaceId },
	tags: func(i *api.NetworkInterface) []api.Tag { return i.TagSet },
	values: map[string]func(*api.NetworkInterface) []string{
		"association.allocation-id":        ofAddress(func(a *api.NetworkInterfaceAssociation) []string { return text(a.AllocationId) }),
		"association.association-id":       ofAddress(func(a *api.NetworkInterfaceAssociation) []string { return text(a.AssociationId) }),
		"association.ip-owner-id":          ofAddress(func(a *api.NetworkInterfaceAssociation) []string { return text(a.IpOwnerId) }),
		"association.public-ip":            ofAddress(func(a *api.NetworkInterfaceAssociation) []string { return text(a.PublicIp) }),
		"association.public-dns-name":      ofAddress(func(a *api.NetworkInterfaceAssociation) []string { return text(a.PublicDnsName) }),
		"attachment.attachment-id":         ofAttachment(func(a *api.NetworkInterfaceAttachment) []string { return text(a.AttachmentId) }),
		"attachment.instance-id":           ofAttachment(func(a *api.NetworkInterfaceAttachment) []string { return text(a.InstanceId) }),
		"attachment.instance-owner-id":     ofAttachment(func(a *api.NetworkInterfaceAttachment) []string { return text(a.InstanceOwnerId) }),
		"attachment.device-index":          ofAttachment(func(a *api.NetworkInterfaceAttachment) []string { return number(a.DeviceIndex) }),
		"attachment.status":                ofAttachment(func(a *api.NetworkInterfaceAttachment) []string { return []string{a.Status} }),
		"attachment.delete-on-termination": ofAttachment(func(a *api.NetworkInterfaceAttachment) []string { return flag(a.DeleteOnTermination) }),
		"addresses.association.public-ip":  ofAddress(func(a *api.NetworkInterfaceAssociation) []string { return text(a.PublicIp) }),
		"addresses.primary": func(i *api.NetworkInterface) []string {
			return each(i.PrivateIpAddresses, func(a *api.NetworkInterfacePrivateIpAddress) []string { return flag(a.Primary) })
		},
		"addresses.private-ip-address": func(i *api.NetworkInterface) []string {
			return each(i.PrivateIpAddresses, func(a *api.NetworkInterfacePrivateIpAddress) []string { return text(a.PrivateIpAddress) })
		},
		"availability-zone":    func(i *api.NetworkInterface) []string { return text(i.AvailabilityZone) },
		"availability-zone-id": func(i *api.NetworkInterface) []string { return text(i.AvailabilityZoneId) },
		"description":          func(i *api.NetworkInterface) []string { return text(i.Description) },
		"group-id": func(i *api.NetworkInterface) []string {
			return each(i.Groups, func(g *api.GroupIdentifier) []string { return text(g.GroupId) })
		},
		"group-name": func(i *api.NetworkInterface) []string {
			return each(i.Groups, func(g *api.GroupIdentifier) []string { return text(g.GroupName) })
		},
		"interface-type": func(i *api.NetworkInterface) []string { return []string{i.InterfaceType} },
		"ipv6-addresses.ipv6-address": func(i *api.NetworkInterface) []string {
			return each(i.Ipv6Addresses, func(a *api.NetworkInterfaceIpv6Address) []string { return text(a.Ipv6Address) })
		},
		"mac-address":          func(i *api.NetworkInterface) []string { return text(i.MacAddress) },
		"network-interface-id": func(i *api.NetworkInterface) []string { return text(i.NetworkInterfaceId) },
		"owner-id":             func(i *api.NetworkInterface) []string { return text(i.OwnerId) },
		"private-dns-name":     func(i *api.NetworkInterface) []string { return text(i.PrivateDnsName) },
		"private-ip-address":   func(i *api.NetworkInterface) []string { return text(i.PrivateIpAddress) },
		"requester-id":         func(i *api.NetworkInterface) []string { return text(i.RequesterId) },
		"requester-managed":    func(i *api.NetworkInterface) []string { return flag(i.RequesterManaged) },
		"source-dest-check":    func(i *api.NetworkInterface) []string { return flag(i.SourceDestCheck) },
		"status":               func(i *api.NetworkInterface) []string { return []string{i.Status} },
		"subnet-id":            func(i *api.NetworkInterface) []string { return text(i.SubnetId) },
		"vpc-id":               func(i *api.NetworkInterface) []string { return text(i.VpcId) },
	},
}

func ofAddress(value func(*api.NetworkInterfaceAssociation) []string) func(*api.NetworkInterface) []string {
	return func(i *api.NetworkInterface) []string {
		if i.Association == nil {
			return nil
		}
		return value(i.Association)
	}
}

func ofAttachment(value func(*api.NetworkInterfaceAttachment) []string) func(*api.NetworkInterface) []string {
	return func(i *api.NetworkInterface) []string {
		if i.Attachment == nil {
			return nil
		}
		return value(i.Attachment)
	}
}

func showInterface(v *view, i *iface) (out api.NetworkInterface, err error) {
	out = i.NetworkInterface
	out.TagSet, err = v.tagsOf(*i.NetworkInterfaceId)
	return out, err
}

func (s *Service) describeNetworkInterfaces(ctx context.Context, in *api.DescribeNetworkInterfacesInput) (*api.DescribeNetworkInterfacesOutput, error) {
	q := query{in.NetworkInterfaceIds, in.Filters, in.MaxResults, in.NextToken}
	out, next, err := list(ctx, s, &interfaces, q, &interfaceFields, showInterface)
	return &api.DescribeNetworkInterfacesOutput{NetworkInterfaces: out, NextToken: next}, err
}

// takenIn returns the addresses of a subnet that interfaces have.
func (v *view) takenIn(subnetID string) (map[netip.Addr]bool, error) {
	there, err := using(v, &interfaces, subnetID)
	taken := map[netip.Addr]bool{}
	for _, i := range there {
		for _, a := range i.PrivateIpAddresses {
			if ip, err := netip.ParseAddr(*a.PrivateIpAddress); err == nil {
				taken[ip] = true
			}
		}
	}
	return taken, err
}

// interfaceSpec is what a new interface shall be.
type interfaceSpec struct {
	subnet *subnet
	// groups are the ids of security groups; none means the default one of the network.
	groups []string
	// private are addresses that the interface shall have, the first one as its primary, and more how many others it shall have.
	private []string
	more    int
	// purpose is the type, and owner the service that an interface is made by; empty for one of the caller.
	purpose, owner, description string
}

// makeInterface makes an interface with the id.
func (e *edit) makeInterface(id string, spec interfaceSpec) (*iface, error) {
	groups := []api.GroupIdentifier{} // a NAT gateway is in none
	if spec.purpose != natInterface {
		var err error
		if groups, err = e.groupsIn(*spec.subnet.VpcId, spec.groups); err != nil {
			return nil, err
		}
	}
	ips, err := e.privateAddresses(spec)
	if err != nil {
		return nil, err
	}
	mac := e.draw("mac", 10)
	i := &iface{api.NetworkInterface{
		NetworkInterfaceId: &id, SubnetId: spec.subnet.SubnetId, VpcId: spec.subnet.VpcId, OwnerId: &e.account, Groups: groups, Description: &spec.description,
		AvailabilityZone: spec.subnet.AvailabilityZone, AvailabilityZoneId: spec.subnet.AvailabilityZoneId, InterfaceType: spec.purpose, Status: "available",
		MacAddress: new("02:" + mac[:2] + ":" + mac[2:4] + ":" + mac[4:6] + ":" + mac[6:8] + ":" + mac[8:]), SourceDestCheck: new(spec.purpose == plainInterface),
		RequesterManaged: new(spec.owner != ""), RequesterId: opt.Of(spec.owner), Ipv6Addresses: []api.NetworkInterfaceIpv6Address{},
	}}
	for n, ip := range ips {
		name := e.privateName(ip)
		if n == 0 {
			i.PrivateIpAddress, i.PrivateDnsName = new(ip.String()), &name
		}
		i.PrivateIpAddresses = append(i.PrivateIpAddresses, api.NetworkInterfacePrivateIpAddress{Primary: new(n == 0), PrivateIpAddress: new(ip.String()), PrivateDnsName: &name})
	}
	if spec.owner != "" {
		i.Status = "in-use"
		i.Attachment = &api.NetworkInterfaceAttachment{
			AttachmentId: new(e.newID("ela-attach")), DeleteOnTermination: new(false), DeviceIndex: new(int32(1)), InstanceOwnerId: &spec.owner, Status: "attached",
		}
	}
	return i, put(e, &interfaces, i)
}

// privateName is the name of an address in a network.
func (s scope) privateName(ip netip.Addr) string {
	host := "ip-" + strings.ReplaceAll(ip.String(), ".", "-")
	if s.region == "us-east-1" {
		return host + ".ec2.internal"
	}
	return host + "." + s.region + ".compute.internal"
}

// privateAddresses returns the addresses for a new interface.
func (e *edit) privateAddresses(spec interfaceSpec) ([]netip.Addr, error) {
	taken, err := e.takenIn(*spec.subnet.SubnetId)
	if err != nil {
		return nil, err
	}
	block := spec.subnet.block()
	var out []netip.Addr
	for _, text := range spec.private {
		ip, err := netip.ParseAddr(text)
		switch {
		case err != nil || !ip.Is4():
			return nil, invalid("Value (%s) for parameter address is invalid. Invalid IPv4 address.", text)
		case !mayHave(block, ip):
			return nil, invalid("Address does not fall within the subnet's address range")
		case taken[ip]:
			return nil, refuse("InvalidIPAddress.InUse", "Address %s is in use.", text)
		}
		taken[ip] = true
		out = append(out, ip)
	}
	wanted := len(out) + spec.more
	if len(out) == 0 {
		wanted++
	}
	for len(out) < wanted {
		ip, ok := freeAddress(block, taken)
		if !ok {
			return nil, refuse("InsufficientFreeAddressesInSubnet", "The specified subnet does not have enough free addresses to satisfy the request.")
		}
		taken[ip] = true
		out = append(out, ip)
	}
	return out, nil
}

func (s *Service) createNetworkInterface(ctx context.Context, in *api.CreateNetworkInterfaceInput) (*api.CreateNetworkInterfaceOutput, error) {
	if t := or(in.InterfaceType, plainInterface); t != plainInterface {
		return nil, refuse(codeUnsupported, "Lambent keeps interfaces of the type interface, and not of the type %s.", t)
	}
	var out api.NetworkInterface
	return &api.CreateNetworkInterfaceOutput{NetworkInterface: &out, ClientToken: in.ClientToken}, s.update(ctx, func(e *edit) error {
		id, made, err := interfaces.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			sub, err := get(e.view, &subnets, in.SubnetId)
			if err != nil {
				return err
			}
			spec := interfaceSpec{
				subnet: sub, groups: in.Groups, more: int(opt.Value(in.SecondaryPrivateIpAddressCount)), purpose: plainInterface, description: opt.Value(in.Description),
			}
			for _, a := range in.PrivateIpAddresses {
				if opt.Value(a.Primary) {
					spec.private = slices.Insert(spec.private, 0, opt.Value(a.PrivateIpAddress))
				} else {
					spec.private = append(spec.private, opt.Value(a.PrivateIpAddress))
				}
			}
			if in.PrivateIpAddress != nil {
				spec.private = slices.Insert(spec.private, 0, *in.PrivateIpAddress)
			}
			if made, err = e.makeInterface(id, spec); err != nil {
				return err
			}
		}
		if err := e.specified(&interfaces.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = showInterface(e.view, made)
		out.Status = "pending"
		return err
	})
}

func (s *Service) deleteNetworkInterface(ctx context.Context, in *api.DeleteNetworkInterfaceInput) (*api.DeleteNetworkInterfaceOutput, error) {
	return &api.DeleteNetworkInterfaceOutput{}, s.update(ctx, func(e *edit) error {
		i, err := get(e.view, &interfaces, in.NetworkInterfaceId)
		if err != nil {
			return err
		}
		if i.Attachment != nil {
			return invalid("Network interface '%s' is currently in use.", in.NetworkInterfaceId)
		}
		return e.dropInterface(i)
	})
}

// dropInterface deletes an interface; a public address that it had is free then.
func (e *edit) dropInterface(i *iface) error {
	if i.Association != nil {
		if err := e.freeAddress(*i.Association.AllocationId); err != nil {
			return err
		}
	}
	if err := e.endFlowLogs(*i.NetworkInterfaceId); err != nil {
		return err
	}
	drop(e, &interfaces, i)
	return nil
}

func (s *Service) modifyNetworkInterfaceAttribute(ctx context.Context, in *api.ModifyNetworkInterfaceAttributeInput) (*api.ModifyNetworkInterfaceAttributeOutput, error) {
	return &api.ModifyNetworkInterfaceAttributeOutput{}, change(ctx, s, &interfaces, in.NetworkInterfaceId, func(e *edit, i *iface) (err error) {
		if *i.RequesterManaged {
			return refuse(codePermitted, "You do not have permission to modify the network interface '%s', which a service manages.", in.NetworkInterfaceId)
		}
		if in.Description != nil {
			i.Description = in.Description.Value
		}
		set(i.SourceDestCheck, in.SourceDestCheck)
		if len(in.Groups) > 0 {
			i.Groups, err = e.groupsIn(*i.VpcId, in.Groups)
		}
		return err
	})
}

func (s *Service) describeNetworkInterfaceAttribute(ctx context.Context, in *api.DescribeNetworkInterfaceAttributeInput) (*api.DescribeNetworkInterfaceAttributeOutput, error) {
	out := &api.DescribeNetworkInterfaceAttributeOutput{NetworkInterfaceId: &in.NetworkInterfaceId}
	return out, s.view(ctx, func(v *view) error {
		i, err := get(v, &interfaces, in.NetworkInterfaceId)
		if err != nil {
			return err
		}
		switch in.Attribute {
		case "description":
			out.Description = &api.AttributeValue{Value: i.Description}
		case "groupSet":
			out.Groups = i.Groups
		case "sourceDestCheck":
			out.SourceDestCheck = &api.AttributeBooleanValue{Value: i.SourceDestCheck}
		case "attachment":
			out.Attachment = i.Attachment
		default:
			return invalid("Value (%s) for parameter attribute is invalid. Unknown network interface attribute.", in.Attribute)
		}
		return nil
	})
}
