package ec2

import (
	"context"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// one makes a describing call for one object, and returns it. An answer without it is one that it is gone.
func one[Out, A any](ctx context.Context, s *Service, operation string, in any, list func(out *Out) []A) (*A, error) {
	out, err := invoke[Out](ctx, s, operation, in)
	if err != nil {
		return nil, err
	}
	if found := list(out); len(found) > 0 {
		return &found[0], nil
	}
	return nil, service.ErrGone
}

// lists is the list of a type whose objects a describing call answers in pages.
func lists[P, Out, A any](s *Service, operation string, in func(next *string) any, out func(*Out) ([]A, *string), id func(*A) service.Identifier) func(ctx context.Context, _ *P, next string) (service.Page, error) {
	return service.Pages(s.deps.Door, "ec2", operation, func(_ *P, next *string) any { return in(next) }, out, func(_ *P, item *A) service.Identifier { return id(item) })
}

// pageSize is how many objects a list asks for at a time.
func pageSize() *int32 { return new(int32(100)) }

// only is an identifier of one part.
func only(id *string) service.Identifier { return service.Identifier{*id} }

// where is a filter by one value.
func where(name, value string) []api.Filter {
	return []api.Filter{{Name: &name, Values: []string{value}}}
}

func (s *Service) readVPC(ctx context.Context, id service.Identifier) (*vpcProperties, service.Resource, error) {
	v, err := one(ctx, s, "DescribeVpcs", &api.DescribeVpcsInput{VpcIds: id}, func(o *api.DescribeVpcsOutput) []api.Vpc { return o.Vpcs })
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[vpcProperties](v)
	names, err := invoke[api.DescribeVpcAttributeOutput](ctx, s, "DescribeVpcAttribute", &api.DescribeVpcAttributeInput{VpcId: id[0], Attribute: "enableDnsHostnames"})
	if err != nil {
		return nil, service.Resource{}, err
	}
	support, err := invoke[api.DescribeVpcAttributeOutput](ctx, s, "DescribeVpcAttribute", &api.DescribeVpcAttributeInput{VpcId: id[0], Attribute: "enableDnsSupport"})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p.EnableDNSHostnames, p.EnableDNSSupport = names.EnableDnsHostnames.Value, support.EnableDnsSupport.Value
	r, err := s.vpcResource(ctx, id[0])
	return p, r, err
}

func (s *Service) readSubnet(ctx context.Context, id service.Identifier) (*subnetProperties, service.Resource, error) {
	v, err := one(ctx, s, "DescribeSubnets", &api.DescribeSubnetsInput{SubnetIds: id}, func(o *api.DescribeSubnetsOutput) []api.Subnet { return o.Subnets })
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[subnetProperties](v)
	for _, a := range v.Ipv6CidrBlockAssociationSet {
		p.Ipv6CidrBlock = a.Ipv6CidrBlock
	}
	r, err := s.subnetResource(ctx, id[0])
	return p, r, err
}

func (s *Service) readRouteTable(ctx context.Context, id service.Identifier) (*routeTableProperties, service.Resource, error) {
	t, err := one(ctx, s, "DescribeRouteTables", &api.DescribeRouteTablesInput{RouteTableIds: id}, func(o *api.DescribeRouteTablesOutput) []api.RouteTable { return o.RouteTables })
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[routeTableProperties](t), identified(id[0], "RouteTableId"), nil
}

// readRoute reads a route by its table and its destination.
func (s *Service) readRoute(ctx context.Context, id service.Identifier) (*routeProperties, service.Resource, error) {
	t, err := one(ctx, s, "DescribeRouteTables", &api.DescribeRouteTablesInput{RouteTableIds: id[:1]}, func(o *api.DescribeRouteTablesOutput) []api.RouteTable { return o.RouteTables })
	if err != nil {
		return nil, service.Resource{}, err
	}
	for _, r := range t.Routes {
		p := reshape.To[routeProperties](r)
		p.RouteTableID = id[0]
		if r.Origin == routeCreated && p.destination() == id[1] {
			return p, p.resource(), nil
		}
	}
	return nil, service.Resource{}, service.ErrGone
}

func (s *Service) listRoutes(ctx context.Context, model *routeProperties, _ string) (service.Page, error) {
	t, err := one(ctx, s, "DescribeRouteTables", &api.DescribeRouteTablesInput{RouteTableIds: []string{model.RouteTableID}}, func(o *api.DescribeRouteTablesOutput) []api.RouteTable { return o.RouteTables })
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(t.Routes, nil, func(r *api.Route) service.Identifier {
		if r.Origin != routeCreated {
			return nil
		}
		return service.Identifier{model.RouteTableID, reshape.To[routeProperties](r).destination()}
	}), nil
}

func (s *Service) readAssociation(ctx context.Context, id service.Identifier) (*subnetAssociationProperties, service.Resource, error) {
	t, err := one(ctx, s, "DescribeRouteTables", &api.DescribeRouteTablesInput{Filters: where("association.route-table-association-id", id[0])},
		func(o *api.DescribeRouteTablesOutput) []api.RouteTable { return o.RouteTables })
	if err != nil {
		return nil, service.Resource{}, err
	}
	for _, a := range t.Associations {
		if *a.RouteTableAssociationId == id[0] && a.SubnetId != nil {
			return reshape.To[subnetAssociationProperties](a), identified(id[0], "Id"), nil
		}
	}
	return nil, service.Resource{}, service.ErrGone
}

func (s *Service) readInternetGateway(ctx context.Context, id service.Identifier) (*internetGatewayProperties, service.Resource, error) {
	g, err := one(ctx, s, "DescribeInternetGateways", &api.DescribeInternetGatewaysInput{InternetGatewayIds: id}, func(o *api.DescribeInternetGatewaysOutput) []api.InternetGateway { return o.InternetGateways })
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[internetGatewayProperties](g), identified(id[0], "InternetGatewayId"), nil
}

// readAttachment reads an attachment by the kind of its gateway and its network.
func (s *Service) readAttachment(ctx context.Context, id service.Identifier) (*attachmentProperties, service.Resource, error) {
	p := &attachmentProperties{VpcID: id[1]}
	if id[0] == "VGW" {
		g, err := one(ctx, s, "DescribeVpnGateways", &api.DescribeVpnGatewaysInput{Filters: where("attachment.vpc-id", id[1])}, func(o *api.DescribeVpnGatewaysOutput) []api.VpnGateway { return o.VpnGateways })
		if err != nil {
			return nil, service.Resource{}, err
		}
		p.VpnGatewayID = g.VpnGatewayId
		return p, p.resource(), nil
	}
	g, err := one(ctx, s, "DescribeInternetGateways", &api.DescribeInternetGatewaysInput{Filters: where("attachment.vpc-id", id[1])}, func(o *api.DescribeInternetGatewaysOutput) []api.InternetGateway { return o.InternetGateways })
	if err != nil {
		return nil, service.Resource{}, err
	}
	p.InternetGatewayID = g.InternetGatewayId
	return p, p.resource(), nil
}

// listAttachments lists the attachments of private gateways, which are answered at once, with the first page of those of internet gateways.
func (s *Service) listAttachments(ctx context.Context, _ *attachmentProperties, next string) (service.Page, error) {
	out, err := invoke[api.DescribeInternetGatewaysOutput](ctx, s, "DescribeInternetGateways", &api.DescribeInternetGatewaysInput{NextToken: service.NextToken(next), MaxResults: pageSize()})
	if err != nil {
		return service.Page{}, err
	}
	var found []attachmentProperties
	for _, g := range out.InternetGateways {
		for _, a := range g.Attachments {
			found = append(found, attachmentProperties{VpcID: *a.VpcId, InternetGatewayID: g.InternetGatewayId})
		}
	}
	if next == "" {
		private, err := invoke[api.DescribeVpnGatewaysOutput](ctx, s, "DescribeVpnGateways", &api.DescribeVpnGatewaysInput{})
		if err != nil {
			return service.Page{}, err
		}
		for _, g := range private.VpnGateways {
			for _, a := range g.VpcAttachments {
				found = append(found, attachmentProperties{VpcID: *a.VpcId, VpnGatewayID: g.VpnGatewayId})
			}
		}
	}
	return service.NewPage(found, out.NextToken, func(p *attachmentProperties) service.Identifier { return strings.Split(p.resource().PhysicalID, "|") }), nil
}

func (s *Service) readNATGateway(ctx context.Context, id service.Identifier) (*natGatewayProperties, service.Resource, error) {
	n, err := one(ctx, s, "DescribeNatGateways", &api.DescribeNatGatewaysInput{NatGatewayIds: id}, func(o *api.DescribeNatGatewaysOutput) []api.NatGateway { return o.NatGateways })
	if err != nil {
		return nil, service.Resource{}, err
	}
	if n.State != "available" {
		return nil, service.Resource{}, service.ErrGone
	}
	p := reshape.To[natGatewayProperties](n)
	for _, a := range n.NatGatewayAddresses {
		p.AllocationID, p.PrivateIPAddress = a.AllocationId, a.PrivateIp
	}
	r, err := s.natResource(ctx, id[0])
	return p, r, err
}

// readAddress reads an address by itself and its allocation.
func (s *Service) readAddress(ctx context.Context, id service.Identifier) (*addressProperties, service.Resource, error) {
	a, err := one(ctx, s, "DescribeAddresses", &api.DescribeAddressesInput{PublicIps: id[:1]}, func(o *api.DescribeAddressesOutput) []api.Address { return o.Addresses })
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[addressProperties](a), addressResource(*a.PublicIp, *a.AllocationId), nil
}

func (s *Service) readInterface(ctx context.Context, id service.Identifier) (*interfaceProperties, service.Resource, error) {
	i, err := one(ctx, s, "DescribeNetworkInterfaces", &api.DescribeNetworkInterfacesInput{NetworkInterfaceIds: id}, func(o *api.DescribeNetworkInterfacesOutput) []api.NetworkInterface { return o.NetworkInterfaces })
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[interfaceProperties](i, map[string]any{"Tags": i.TagSet})
	p.GroupSet = each(i.Groups, func(g *api.GroupIdentifier) []string { return text(g.GroupId) })
	p.Secondary = new(int64(len(i.PrivateIpAddresses) - 1))
	r, err := s.interfaceResource(ctx, id[0])
	return p, r, err
}

func (s *Service) readACL(ctx context.Context, id service.Identifier) (*aclProperties, service.Resource, error) {
	a, err := one(ctx, s, "DescribeNetworkAcls", &api.DescribeNetworkAclsInput{NetworkAclIds: id}, func(o *api.DescribeNetworkAclsOutput) []api.NetworkAcl { return o.NetworkAcls })
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[aclProperties](a), identified(id[0], "Id"), nil
}

func (s *Service) readDHCP(ctx context.Context, id service.Identifier) (*dhcpProperties, service.Resource, error) {
	d, err := one(ctx, s, "DescribeDhcpOptions", &api.DescribeDhcpOptionsInput{DhcpOptionsIds: id}, func(o *api.DescribeDhcpOptionsOutput) []api.DhcpOptions { return o.DhcpOptions })
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[dhcpProperties](map[string]any{"Tags": d.Tags})
	for _, c := range d.DhcpConfigurations {
		values := each(c.Values, func(v *api.AttributeValue) []string { return text(v.Value) })
		switch *c.Key {
		case "domain-name":
			p.DomainName = &values[0]
		case "domain-name-servers":
			p.DomainNameServers = values
		case "netbios-name-servers":
			p.NetbiosNameServers = values
		case "ntp-servers":
			p.NtpServers = values
		case "netbios-node-type":
			p.NetbiosNodeType = numberOf(values[0])
		case "ipv6-address-preferred-lease-time":
			p.LeaseTime = numberOf(values[0])
		}
	}
	return p, identified(id[0], "DhcpOptionsId"), nil
}

func numberOf(text string) *int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

func (s *Service) readGroup(ctx context.Context, id service.Identifier) (*groupProperties, service.Resource, error) {
	g, err := one(ctx, s, "DescribeSecurityGroups", &api.DescribeSecurityGroupsInput{GroupIds: id}, func(o *api.DescribeSecurityGroupsOutput) []api.SecurityGroup { return o.SecurityGroups })
	if err != nil {
		return nil, service.Resource{}, err
	}
	out, err := invoke[api.DescribeSecurityGroupRulesOutput](ctx, s, "DescribeSecurityGroupRules", &api.DescribeSecurityGroupRulesInput{Filters: where("group-id", id[0])})
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := &groupProperties{GroupDescription: *g.Description, GroupName: g.GroupName, VpcID: g.VpcId, Tags: reshape.To[groupProperties](map[string]any{"Tags": g.Tags}).Tags}
	for i := range out.SecurityGroupRules {
		r := &out.SecurityGroupRules[i]
		if *r.IsEgress {
			p.Egress = append(p.Egress, ruleOf(r))
		} else {
			p.Ingress = append(p.Ingress, ruleOf(r))
		}
	}
	resource, err := s.groupResource(ctx, id[0], p)
	return p, resource, err
}

// ruleOf is a rule as a template has it.
func ruleOf(r *api.SecurityGroupRule) ruleProperties {
	p := ruleProperties{IPProtocol: *r.IpProtocol, CidrIP: r.CidrIpv4, CidrIPv6: r.CidrIpv6, Description: r.Description}
	if p.IPProtocol != allProtocols {
		p.FromPort, p.ToPort = new(int64(*r.FromPort)), new(int64(*r.ToPort))
	}
	var named *string
	if r.ReferencedGroupInfo != nil {
		named = r.ReferencedGroupInfo.GroupId
	}
	if *r.IsEgress {
		p.DestinationPrefixListID, p.DestinationSecurityGroupID = r.PrefixListId, named
	} else {
		p.SourcePrefixListID, p.SourceSecurityGroupID = r.PrefixListId, named
	}
	return p
}

// readRule reads a rule of its own in a direction.
func (s *Service) readRule(ctx context.Context, id string, egress bool) (r ruleProperties, group string, err error) {
	found, err := one(ctx, s, "DescribeSecurityGroupRules", &api.DescribeSecurityGroupRulesInput{SecurityGroupRuleIds: []string{id}},
		func(o *api.DescribeSecurityGroupRulesOutput) []api.SecurityGroupRule { return o.SecurityGroupRules })
	if err != nil {
		return r, "", err
	}
	if *found.IsEgress != egress {
		return r, "", service.ErrGone
	}
	return ruleOf(found), *found.GroupId, nil
}

func (s *Service) readIngress(ctx context.Context, id service.Identifier) (*ingressProperties, service.Resource, error) {
	r, group, err := s.readRule(ctx, id[0], false)
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[ingressProperties](r)
	p.GroupID = &group
	return p, identified(id[0], "Id"), nil
}

func (s *Service) readEgress(ctx context.Context, id service.Identifier) (*egressProperties, service.Resource, error) {
	r, group, err := s.readRule(ctx, id[0], true)
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[egressProperties](r)
	p.GroupID = group
	return p, identified(id[0], "Id"), nil
}

// listRules is the list of the rules of a direction.
func listRules[P any](s *Service, egress bool) func(ctx context.Context, _ *P, next string) (service.Page, error) {
	return lists[P](s, "DescribeSecurityGroupRules",
		func(next *string) any {
			return &api.DescribeSecurityGroupRulesInput{NextToken: next, MaxResults: pageSize()}
		},
		func(o *api.DescribeSecurityGroupRulesOutput) ([]api.SecurityGroupRule, *string) {
			return o.SecurityGroupRules, o.NextToken
		},
		func(r *api.SecurityGroupRule) service.Identifier {
			if *r.IsEgress != egress {
				return nil
			}
			return only(r.SecurityGroupRuleId)
		})
}

func (s *Service) readEndpoint(ctx context.Context, id service.Identifier) (*endpointProperties, service.Resource, error) {
	e, err := one(ctx, s, "DescribeVpcEndpoints", &api.DescribeVpcEndpointsInput{VpcEndpointIds: id}, func(o *api.DescribeVpcEndpointsOutput) []api.VpcEndpoint { return o.VpcEndpoints })
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[endpointProperties](e)
	p.SecurityGroupIDs = each(e.Groups, func(g *api.SecurityGroupIdentifier) []string { return text(g.GroupId) })
	r, err := s.endpointResource(ctx, id[0])
	return p, r, err
}

func (s *Service) readPeering(ctx context.Context, id service.Identifier) (*peeringProperties, service.Resource, error) {
	c, err := one(ctx, s, "DescribeVpcPeeringConnections", &api.DescribeVpcPeeringConnectionsInput{VpcPeeringConnectionIds: id},
		func(o *api.DescribeVpcPeeringConnectionsOutput) []api.VpcPeeringConnection {
			return o.VpcPeeringConnections
		})
	if err != nil {
		return nil, service.Resource{}, err
	}
	if c.Status.Code == peeringDeleted || c.Status.Code == peeringRejected {
		return nil, service.Resource{}, service.ErrGone
	}
	return &peeringProperties{
		VpcID: *c.RequesterVpcInfo.VpcId, PeerVpcID: *c.AccepterVpcInfo.VpcId, PeerOwnerID: c.AccepterVpcInfo.OwnerId, PeerRegion: c.AccepterVpcInfo.Region,
		Tags: reshape.To[peeringProperties](map[string]any{"Tags": c.Tags}).Tags,
	}, identified(id[0], "Id"), nil
}

func (s *Service) readKey(ctx context.Context, id service.Identifier) (*keyPairProperties, service.Resource, error) {
	k, err := one(ctx, s, "DescribeKeyPairs", &api.DescribeKeyPairsInput{KeyNames: id}, func(o *api.DescribeKeyPairsOutput) []api.KeyPairInfo { return o.KeyPairs })
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[keyPairProperties](k), service.Resource{PhysicalID: id[0], Attributes: map[string]any{"KeyPairId": *k.KeyPairId, "KeyFingerprint": *k.KeyFingerprint}}, nil
}

func (s *Service) readList(ctx context.Context, id service.Identifier) (*prefixListProperties, service.Resource, error) {
	l, err := one(ctx, s, "DescribeManagedPrefixLists", &api.DescribeManagedPrefixListsInput{PrefixListIds: id}, func(o *api.DescribeManagedPrefixListsOutput) []api.ManagedPrefixList { return o.PrefixLists })
	if err != nil {
		return nil, service.Resource{}, err
	}
	entries, err := invoke[api.GetManagedPrefixListEntriesOutput](ctx, s, "GetManagedPrefixListEntries", &api.GetManagedPrefixListEntriesInput{PrefixListId: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return reshape.To[prefixListProperties](l, map[string]any{"Entries": entries.Entries}), listResource(l), nil
}

func (s *Service) readFlowLog(ctx context.Context, id service.Identifier) (*flowLogProperties, service.Resource, error) {
	f, err := one(ctx, s, "DescribeFlowLogs", &api.DescribeFlowLogsInput{FlowLogIds: id}, func(o *api.DescribeFlowLogsOutput) []api.FlowLog { return o.FlowLogs })
	if err != nil {
		return nil, service.Resource{}, err
	}
	p := reshape.To[flowLogProperties](f)
	prefix, _, _ := strings.Cut(opt.Value(f.ResourceId), "-")
	p.ResourceType = map[string]string{vpcs.prefix: "VPC", subnets.prefix: "Subnet", interfaces.prefix: "NetworkInterface"}[prefix]
	return p, identified(id[0], "Id"), nil
}

func (s *Service) readTemplate(ctx context.Context, id service.Identifier) (*launchTemplateProperties, service.Resource, error) {
	t, err := one(ctx, s, "DescribeLaunchTemplates", &api.DescribeLaunchTemplatesInput{LaunchTemplateIds: id}, func(o *api.DescribeLaunchTemplatesOutput) []api.LaunchTemplate { return o.LaunchTemplates })
	if err != nil {
		return nil, service.Resource{}, err
	}
	return &launchTemplateProperties{LaunchTemplateName: t.LaunchTemplateName}, templateResource(t), nil
}
