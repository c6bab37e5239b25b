package ec2

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// endpoint is a way from a network to a service: a route of a gateway, or interfaces in subnets.
type endpoint struct{ api.VpcEndpoint }

// Types of endpoints.
const (
	gatewayEndpoint = "Gateway"
	ifaceEndpoint   = "Interface"
)

var endpoints = kind[endpoint]{
	class: class{name: "vpc-endpoint", prefix: "vpce", absent: "InvalidVpcEndpointId.NotFound", malformed: "InvalidVpcEndpointId.Malformed", unknown: "The Vpc Endpoint Id '%s' does not exist"},
	id:    func(p *endpoint) string { return *p.VpcEndpointId },
	refs:  func(p *endpoint) []string { return append(slices.Clone(p.RouteTableIds), *p.VpcId) },
}

var endpointFields = fields[*api.VpcEndpoint]{
	id:   func(p *api.VpcEndpoint) *string { return p.VpcEndpointId },
	tags: func(p *api.VpcEndpoint) []api.Tag { return p.Tags },
	values: map[string]func(*api.VpcEndpoint) []string{
		"ip-address-type":    func(p *api.VpcEndpoint) []string { return []string{p.IpAddressType} },
		"service-name":       func(p *api.VpcEndpoint) []string { return text(p.ServiceName) },
		"service-region":     func(p *api.VpcEndpoint) []string { return text(p.ServiceRegion) },
		"vpc-endpoint-id":    func(p *api.VpcEndpoint) []string { return text(p.VpcEndpointId) },
		"vpc-endpoint-state": func(p *api.VpcEndpoint) []string { return []string{p.State} },
		"vpc-endpoint-type":  func(p *api.VpcEndpoint) []string { return []string{p.VpcEndpointType} },
		"vpc-id":             func(p *api.VpcEndpoint) []string { return text(p.VpcId) },
	},
}

// The policies that endpoints have when none is given: everything is allowed.
const (
	gatewayPolicy = `{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}`
	ifacePolicy   = `{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}`
)

func showEndpoint(v *view, p *endpoint) (out api.VpcEndpoint, err error) {
	out = p.VpcEndpoint
	out.Tags, err = v.tagsOf(*p.VpcEndpointId)
	return out, err
}

func (s *Service) describeVpcEndpoints(ctx context.Context, in *api.DescribeVpcEndpointsInput) (*api.DescribeVpcEndpointsOutput, error) {
	out, next, err := list(ctx, s, &endpoints, query{in.VpcEndpointIds, in.Filters, in.MaxResults, in.NextToken}, &endpointFields, showEndpoint)
	return &api.DescribeVpcEndpointsOutput{VpcEndpoints: out, NextToken: next}, err
}

func (s *Service) createVpcEndpoint(ctx context.Context, in *api.CreateVpcEndpointInput) (*api.CreateVpcEndpointOutput, error) {
	if in.ServiceName == nil {
		return nil, missing("serviceName")
	}
	typ := or(in.VpcEndpointType, gatewayEndpoint)
	if typ != gatewayEndpoint && typ != ifaceEndpoint {
		return nil, refuse(codeUnsupported, "Lambent keeps VPC endpoints of the types Gateway and Interface, and not of the type %s.", typ)
	}
	policy, err := endpointPolicy(typ, in.PolicyDocument)
	if err != nil {
		return nil, err
	}
	var out api.VpcEndpoint
	return &api.CreateVpcEndpointOutput{VpcEndpoint: &out, ClientToken: in.ClientToken}, s.update(ctx, func(e *edit) error {
		id, made, err := endpoints.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			made = &endpoint{api.VpcEndpoint{
				VpcEndpointId: &id, VpcEndpointType: typ, VpcId: &in.VpcId, ServiceName: in.ServiceName, ServiceRegion: &e.region, OwnerId: &e.account, State: "available",
				PolicyDocument: &policy, CreationTimestamp: &e.now, RequesterManaged: new(false), PrivateDnsEnabled: new(false), RouteTableIds: []string{}, SubnetIds: []string{},
				Groups: []api.SecurityGroupIdentifier{}, NetworkInterfaceIds: []string{}, DnsEntries: []api.DnsEntry{}, IpAddressType: "ipv4",
			}}
			if err := e.makeEndpoint(made, in); err != nil {
				return err
			}
		}
		if err := e.specified(&endpoints.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = showEndpoint(e.view, made)
		if typ == ifaceEndpoint {
			out.State = "pending"
		}
		return err
	})
}

// endpointPolicy returns the policy of an endpoint: the given one, or that of its type.
func endpointPolicy(typ string, given *string) (string, error) {
	if given == nil || *given == "" {
		if typ == gatewayEndpoint {
			return gatewayPolicy, nil
		}
		return ifacePolicy, nil
	}
	var document struct{ Statement any }
	if err := json.Unmarshal([]byte(*given), &document); err != nil || document.Statement == nil {
		return "", refuse("InvalidPolicyDocument", "Invalid policy document. Please check the policy syntax and ensure that Principals are valid.")
	}
	return *given, nil
}

func (e *edit) makeEndpoint(p *endpoint, in *api.CreateVpcEndpointInput) error {
	network, err := get(e.view, &vpcs, in.VpcId)
	if err != nil {
		return err
	}
	if !servesEndpoint(e.region, *in.ServiceName, p.VpcEndpointType) {
		return refuse("InvalidServiceName", "The Vpc Endpoint Service '%s' does not exist", *in.ServiceName)
	}
	if p.VpcEndpointType == gatewayEndpoint {
		if len(in.SubnetIds)+len(in.SecurityGroupIds) > 0 {
			return refuse("InvalidParameter", "Subnets and security groups are only applicable for Interface and GatewayLoadBalancer types of endpoints")
		}
		if err := e.addRouteTables(p, in.RouteTableIds); err != nil {
			return err
		}
		return put(e, &endpoints, p)
	}
	if len(in.RouteTableIds) > 0 {
		return refuse("InvalidParameter", "Route table IDs are only supported for Gateway type VPC endpoint.")
	}
	p.DnsOptions = &api.DnsOptions{DnsRecordIpType: "ipv4"}
	*p.PrivateDnsEnabled = in.PrivateDnsEnabled == nil || *in.PrivateDnsEnabled
	if err := checkPrivateDNS(p, network); err != nil {
		return err
	}
	members, err := e.groupsIn(in.VpcId, in.SecurityGroupIds)
	if err != nil {
		return err
	}
	p.setGroups(members)
	if err := e.addSubnets(p, in.SubnetIds); err != nil {
		return err
	}
	return put(e, &endpoints, p)
}

func checkPrivateDNS(p *endpoint, network *vpc) error {
	if *p.PrivateDnsEnabled && !(network.DNSHostnames && network.DNSSupport) {
		return refuse("InvalidParameter", "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for %s", *p.VpcId)
	}
	return nil
}

func (p *endpoint) setGroups(members []api.GroupIdentifier) {
	p.Groups = []api.SecurityGroupIdentifier{}
	for _, m := range members {
		p.Groups = append(p.Groups, api.SecurityGroupIdentifier(m))
	}
}

func (p *endpoint) groupIDs() []string {
	return each(p.Groups, func(g *api.SecurityGroupIdentifier) []string { return text(g.GroupId) })
}

// addRouteTables lets route tables lead to the service through a gateway endpoint.
func (e *edit) addRouteTables(p *endpoint, ids []string) error {
	for _, id := range ids {
		t, err := get(e.view, &routeTables, id)
		if err != nil {
			return err
		}
		if *t.VpcId != *p.VpcId {
			return refuse("InvalidParameter", "Route table %s and VPC %s belong to different networks", id, *p.VpcId)
		}
		others, err := using(e.view, &endpoints, id)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(others, func(o *endpoint) bool {
			return *o.ServiceName == *p.ServiceName && *o.VpcEndpointId != *p.VpcEndpointId
		}) {
			return refuse("RouteAlreadyExists", "route table %s already has a route with destination-prefix-list-id %s", id, awsPrefixList(e.region, *p.ServiceName))
		}
		if !slices.Contains(p.RouteTableIds, id) {
			p.RouteTableIds = append(p.RouteTableIds, id)
		}
	}
	return nil
}

// addSubnets puts an interface of an endpoint into each of more subnets.
func (e *edit) addSubnets(p *endpoint, ids []string) error {
	zones := map[string]bool{}
	for _, id := range p.SubnetIds {
		sub, err := find(e.view, &subnets, id)
		if err != nil {
			return err
		}
		zones[*sub.AvailabilityZone] = true
	}
	for _, id := range ids {
		sub, err := get(e.view, &subnets, id)
		switch {
		case err != nil:
			return err
		case *sub.VpcId != *p.VpcId:
			return refuse("InvalidParameter", "Subnet %s does not belong to VPC %s", id, *p.VpcId)
		case slices.Contains(p.SubnetIds, id):
			continue
		case zones[*sub.AvailabilityZone]:
			return refuse("DuplicateSubnetsInSameZone", "Found another VPC endpoint subnet in the availability zone of %s. VPC endpoint subnets should be in different availability zones supported by the VPC endpoint service.", id)
		}
		zones[*sub.AvailabilityZone] = true
		i, err := e.makeInterface(e.newID(interfaces.prefix), interfaceSpec{
			subnet: sub, groups: p.groupIDs(), purpose: endpointInterface, owner: "amazon-aws", description: "VPC Endpoint Interface " + *p.VpcEndpointId,
		})
		if err != nil {
			return err
		}
		p.SubnetIds, p.NetworkInterfaceIds = append(p.SubnetIds, id), append(p.NetworkInterfaceIds, *i.NetworkInterfaceId)
	}
	return e.nameEndpoint(p)
}

// removeSubnets takes the interfaces of an endpoint out of subnets.
func (e *edit) removeSubnets(p *endpoint, ids []string) error {
	for _, id := range slices.Clone(p.NetworkInterfaceIds) {
		i, err := find(e.view, &interfaces, id)
		if err != nil {
			return err
		}
		if i == nil || !slices.Contains(ids, *i.SubnetId) {
			continue
		}
		if err := e.dropInterface(i); err != nil {
			return err
		}
		p.NetworkInterfaceIds = slices.DeleteFunc(p.NetworkInterfaceIds, func(o string) bool { return o == id })
		p.SubnetIds = slices.DeleteFunc(p.SubnetIds, func(o string) bool { return o == *i.SubnetId })
	}
	return e.nameEndpoint(p)
}

// nameEndpoint gives an endpoint its names: of its own, of each zone, and the service's usual one when it is to lead here.
func (e *edit) nameEndpoint(p *endpoint) error {
	service := strings.TrimPrefix(*p.ServiceName, "com.amazonaws."+e.region+".")
	hosted := new("Z7HUB22UULQXV")
	if len(p.DnsEntries) > 0 {
		hosted = p.DnsEntries[0].HostedZoneId
	}
	own := *p.VpcEndpointId + "-" + nameTail(p, e)
	domain := "." + service + "." + e.region + ".vpce.amazonaws.com"
	p.DnsEntries = []api.DnsEntry{{DnsName: new(own + domain), HostedZoneId: hosted}}
	for _, id := range p.SubnetIds {
		sub, err := find(e.view, &subnets, id)
		if err != nil {
			return err
		}
		p.DnsEntries = append(p.DnsEntries, api.DnsEntry{DnsName: new(own + "-" + *sub.AvailabilityZone + domain), HostedZoneId: hosted})
	}
	if *p.PrivateDnsEnabled {
		p.DnsEntries = append(p.DnsEntries, api.DnsEntry{DnsName: new(service + "." + e.region + ".amazonaws.com"), HostedZoneId: new("Z" + strings.ToUpper((*p.VpcEndpointId)[5:]))})
	}
	return nil
}

// nameTail is the part of an endpoint's names that tells it from others; it stays what it was.
func nameTail(p *endpoint, e *edit) string {
	if len(p.DnsEntries) == 0 {
		return e.draw("name", 8)
	}
	first, _, _ := strings.Cut(*p.DnsEntries[0].DnsName, ".")
	return first[strings.LastIndexByte(first, '-')+1:]
}

func (s *Service) modifyVpcEndpoint(ctx context.Context, in *api.ModifyVpcEndpointInput) (*api.ModifyVpcEndpointOutput, error) {
	return &api.ModifyVpcEndpointOutput{Return: new(true)}, change(ctx, s, &endpoints, in.VpcEndpointId, func(e *edit, p *endpoint) error {
		if in.PolicyDocument != nil || opt.Value(in.ResetPolicy) {
			policy, err := endpointPolicy(p.VpcEndpointType, in.PolicyDocument)
			if err != nil {
				return err
			}
			p.PolicyDocument = &policy
		}
		if p.VpcEndpointType == gatewayEndpoint {
			if len(in.AddSubnetIds)+len(in.RemoveSubnetIds)+len(in.AddSecurityGroupIds)+len(in.RemoveSecurityGroupIds) > 0 {
				return refuse("InvalidParameter", "Subnets and security groups are only applicable for Interface and GatewayLoadBalancer types of endpoints")
			}
			p.RouteTableIds = slices.DeleteFunc(p.RouteTableIds, func(id string) bool { return slices.Contains(in.RemoveRouteTableIds, id) })
			return e.addRouteTables(p, in.AddRouteTableIds)
		}
		if len(in.AddRouteTableIds)+len(in.RemoveRouteTableIds) > 0 {
			return refuse("InvalidParameter", "Route table IDs are only supported for Gateway type VPC endpoint.")
		}
		return e.modifyInterfaces(p, in)
	})
}

func (e *edit) modifyInterfaces(p *endpoint, in *api.ModifyVpcEndpointInput) error {
	ids := slices.DeleteFunc(p.groupIDs(), func(id string) bool { return slices.Contains(in.RemoveSecurityGroupIds, id) })
	members, err := e.groupsIn(*p.VpcId, append(ids, in.AddSecurityGroupIds...))
	if err != nil {
		return err
	}
	p.setGroups(members)
	if in.PrivateDnsEnabled != nil {
		*p.PrivateDnsEnabled = *in.PrivateDnsEnabled
		network, err := get(e.view, &vpcs, *p.VpcId)
		if err != nil {
			return err
		}
		if err := checkPrivateDNS(p, network); err != nil {
			return err
		}
	}
	if err := e.removeSubnets(p, in.RemoveSubnetIds); err != nil {
		return err
	}
	for _, id := range p.NetworkInterfaceIds {
		i, err := find(e.view, &interfaces, id)
		if err != nil {
			return err
		}
		i.Groups = members
		if err := put(e, &interfaces, i); err != nil {
			return err
		}
	}
	return e.addSubnets(p, in.AddSubnetIds)
}

// deleteVpcEndpoints deletes endpoints. Those that cannot be are told of in the answer.
func (s *Service) deleteVpcEndpoints(ctx context.Context, in *api.DeleteVpcEndpointsInput) (*api.DeleteVpcEndpointsOutput, error) {
	out := &api.DeleteVpcEndpointsOutput{}
	return out, s.update(ctx, func(e *edit) error {
		out.Unsuccessful = []api.UnsuccessfulItem{}
		for _, id := range in.VpcEndpointIds {
			p, err := get(e.view, &endpoints, id)
			if err == nil {
				if err = e.removeSubnets(p, p.SubnetIds); err == nil {
					drop(e, &endpoints, p)
				}
			}
			if err := unsuccessful(&out.Unsuccessful, id, err); err != nil {
				return err
			}
		}
		return nil
	})
}

// unsuccessful adds a refusal to a list of them; any other error it returns.
func unsuccessful(to *[]api.UnsuccessfulItem, id string, err error) error {
	if err == nil || !isRefusal(err) {
		return err
	}
	*to = append(*to, api.UnsuccessfulItem{ResourceId: &id, Error: &api.UnsuccessfulItemError{Code: new(service.Code(err)), Message: new(messageOf(err))}})
	return nil
}
