package ec2

import (
	"context"
	"errors"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

type aclProperties struct {
	VpcID string                `cfn:"VpcId,required,createOnly"`
	Tags  []service.TagProperty `cfn:"Tags"`
}

type entryProperties struct {
	NetworkAclID  string               `cfn:"NetworkAclId,required,createOnly"`
	RuleNumber    int64                `cfn:"RuleNumber,required,createOnly"`
	Egress        *bool                `cfn:"Egress,createOnly"`
	Protocol      int64                `cfn:"Protocol,required"`
	RuleAction    string               `cfn:"RuleAction,required"`
	CidrBlock     *string              `cfn:"CidrBlock"`
	Ipv6CidrBlock *string              `cfn:"Ipv6CidrBlock"`
	Icmp          *icmpProperties      `cfn:"Icmp"`
	PortRange     *portRangeProperties `cfn:"PortRange"`
}

type icmpProperties struct {
	Code *int64 `cfn:"Code"`
	Type *int64 `cfn:"Type"`
}

type portRangeProperties struct {
	From *int64 `cfn:"From"`
	To   *int64 `cfn:"To"`
}

type subnetACLProperties struct {
	SubnetID     string `cfn:"SubnetId,required,createOnly"`
	NetworkAclID string `cfn:"NetworkAclId,required,createOnly"`
}

type dhcpProperties struct {
	DomainName         *string               `cfn:"DomainName,createOnly"`
	DomainNameServers  []string              `cfn:"DomainNameServers,createOnly"`
	NetbiosNameServers []string              `cfn:"NetbiosNameServers,createOnly"`
	NetbiosNodeType    *int64                `cfn:"NetbiosNodeType,createOnly"`
	NtpServers         []string              `cfn:"NtpServers,createOnly"`
	LeaseTime          *int64                `cfn:"Ipv6AddressPreferredLeaseTime,createOnly"`
	Tags               []service.TagProperty `cfn:"Tags"`
}

type dhcpAssociationProperties struct {
	VpcID         string `cfn:"VpcId,required,createOnly"`
	DhcpOptionsID string `cfn:"DhcpOptionsId,required"`
}

func (s *Service) aclTypes() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::EC2::NetworkAcl", service.ResourceSpec[aclProperties]{
			Attributes: []string{"Id"},
			Create: func(ctx context.Context, c service.ResourceCall, p *aclProperties) (service.Resource, error) {
				out, err := create[api.CreateNetworkAclOutput](ctx, s, c, "CreateNetworkAcl", &api.CreateNetworkAclInput{VpcId: p.VpcID, TagSpecifications: tagsFor(acls.name, c.AllTags(p.Tags))})
				if err != nil {
					return service.Resource{}, err
				}
				return identified(*out.NetworkAcl.NetworkAclId, "Id"), nil
			},
			Update: onlyTags(s, func(p *aclProperties) []service.TagProperty { return p.Tags },
				func(_ context.Context, c service.ResourceCall, _ *aclProperties) (service.Resource, error) {
					return identified(c.PhysicalID, "Id"), nil
				}),
			Delete: func(ctx context.Context, c service.ResourceCall, _ *aclProperties) error {
				return remove[api.DeleteNetworkAclOutput](ctx, s, "DeleteNetworkAcl", &api.DeleteNetworkAclInput{NetworkAclId: c.PhysicalID}, acls.absent)
			},
			Identifier: []string{"Id"}, Read: s.readACL, Missing: []string{acls.absent, acls.malformed},
			List: lists[aclProperties](s, "DescribeNetworkAcls", func(next *string) any { return &api.DescribeNetworkAclsInput{NextToken: next, MaxResults: pageSize()} },
				func(o *api.DescribeNetworkAclsOutput) ([]api.NetworkAcl, *string) { return o.NetworkAcls, o.NextToken }, func(v *api.NetworkAcl) service.Identifier { return only(v.NetworkAclId) }),
		}),
		service.NewResourceType("AWS::EC2::NetworkAclEntry", service.ResourceSpec[entryProperties]{
			Attributes: []string{"Id"},
			Create: func(ctx context.Context, c service.ResourceCall, p *entryProperties) (service.Resource, error) {
				_, err := create[api.CreateNetworkAclEntryOutput](ctx, s, c, "CreateNetworkAclEntry", p.input())
				if c.Retry {
					err = service.Unless(err, "NetworkAclEntryAlreadyExists")
				}
				return identified(c.Name(128, nil), "Id"), err
			},
			Update: func(ctx context.Context, c service.ResourceCall, _, p *entryProperties) (service.Resource, error) {
				in := p.input()
				_, err := invoke[api.ReplaceNetworkAclEntryOutput](ctx, s, "ReplaceNetworkAclEntry", &api.ReplaceNetworkAclEntryInput{
					NetworkAclId: in.NetworkAclId, RuleNumber: in.RuleNumber, Protocol: in.Protocol, RuleAction: in.RuleAction, Egress: in.Egress, CidrBlock: in.CidrBlock,
					Ipv6CidrBlock: in.Ipv6CidrBlock, IcmpTypeCode: in.IcmpTypeCode, PortRange: in.PortRange,
				})
				return identified(c.PhysicalID, "Id"), err
			},
			Delete: func(ctx context.Context, _ service.ResourceCall, p *entryProperties) error {
				in := p.input()
				return remove[api.DeleteNetworkAclEntryOutput](ctx, s, "DeleteNetworkAclEntry", &api.DeleteNetworkAclEntryInput{
					NetworkAclId: in.NetworkAclId, RuleNumber: in.RuleNumber, Egress: in.Egress,
				}, acls.absent, "InvalidNetworkAclEntry.NotFound")
			},
			Identifier: []string{"Id"}, Reread: s.rereadEntry, Missing: []string{acls.absent},
		}),
		service.NewResourceType("AWS::EC2::SubnetNetworkAclAssociation", service.ResourceSpec[subnetACLProperties]{
			Attributes: []string{"AssociationId"},
			Create: func(ctx context.Context, c service.ResourceCall, p *subnetACLProperties) (service.Resource, error) {
				return s.putUnderACL(ctx, c, p.SubnetID, p.NetworkAclID)
			},
			Delete:     s.deleteACLAssociation,
			Identifier: []string{"AssociationId"}, Read: s.readACLAssociation, Missing: []string{acls.absent},
		}),
		service.NewResourceType("AWS::EC2::DHCPOptions", service.ResourceSpec[dhcpProperties]{
			Attributes: []string{"DhcpOptionsId"},
			Create: func(ctx context.Context, c service.ResourceCall, p *dhcpProperties) (service.Resource, error) {
				out, err := create[api.CreateDhcpOptionsOutput](ctx, s, c, "CreateDhcpOptions", &api.CreateDhcpOptionsInput{
					DhcpConfigurations: p.configurations(), TagSpecifications: tagsFor(dhcpSets.name, c.AllTags(p.Tags)),
				})
				if err != nil {
					return service.Resource{}, err
				}
				return identified(*out.DhcpOptions.DhcpOptionsId, "DhcpOptionsId"), nil
			},
			Update: onlyTags(s, func(p *dhcpProperties) []service.TagProperty { return p.Tags },
				func(_ context.Context, c service.ResourceCall, _ *dhcpProperties) (service.Resource, error) {
					return identified(c.PhysicalID, "DhcpOptionsId"), nil
				}),
			Delete: func(ctx context.Context, c service.ResourceCall, _ *dhcpProperties) error {
				return remove[api.DeleteDhcpOptionsOutput](ctx, s, "DeleteDhcpOptions", &api.DeleteDhcpOptionsInput{DhcpOptionsId: c.PhysicalID}, dhcpSets.absent)
			},
			Identifier: []string{"DhcpOptionsId"}, Read: s.readDHCP, Missing: []string{dhcpSets.absent, dhcpSets.malformed},
			List: lists[dhcpProperties](s, "DescribeDhcpOptions", func(next *string) any { return &api.DescribeDhcpOptionsInput{NextToken: next, MaxResults: pageSize()} },
				func(o *api.DescribeDhcpOptionsOutput) ([]api.DhcpOptions, *string) { return o.DhcpOptions, o.NextToken }, func(v *api.DhcpOptions) service.Identifier { return only(v.DhcpOptionsId) }),
		}),
		service.NewResourceType("AWS::EC2::VPCDHCPOptionsAssociation", service.ResourceSpec[dhcpAssociationProperties]{
			Create: func(ctx context.Context, _ service.ResourceCall, p *dhcpAssociationProperties) (service.Resource, error) {
				return s.useDHCP(ctx, p.VpcID, p.DhcpOptionsID)
			},
			Update: func(ctx context.Context, _ service.ResourceCall, _, p *dhcpAssociationProperties) (service.Resource, error) {
				return s.useDHCP(ctx, p.VpcID, p.DhcpOptionsID)
			},
			Delete:     s.deleteDHCPAssociation,
			Identifier: []string{"DhcpOptionsId", "VpcId"}, Read: s.readDHCPAssociation, Missing: []string{vpcs.absent, vpcs.malformed},
		}),
	}
}

func (p *entryProperties) input() *api.CreateNetworkAclEntryInput {
	in := &api.CreateNetworkAclEntryInput{
		NetworkAclId: p.NetworkAclID, RuleNumber: int32(p.RuleNumber), Protocol: numeral(p.Protocol), RuleAction: p.RuleAction, Egress: opt.Value(p.Egress),
		CidrBlock: p.CidrBlock, Ipv6CidrBlock: p.Ipv6CidrBlock,
	}
	if p.Icmp != nil {
		in.IcmpTypeCode = &api.IcmpTypeCode{Code: short(p.Icmp.Code), Type: short(p.Icmp.Type)}
	}
	if p.PortRange != nil {
		in.PortRange = &api.PortRange{From: short(p.PortRange.From), To: short(p.PortRange.To)}
	}
	return in
}

// putUnderACL puts a subnet under a list, if it is not yet.
func (s *Service) putUnderACL(ctx context.Context, c service.ResourceCall, subnetID, listID string) (r service.Resource, err error) {
	var now, under string
	err = s.view(ctx, func(v *view) error {
		sub, err := get(v, &subnets, subnetID)
		if err != nil {
			return err
		}
		if now, err = v.aclAssociation(sub); err != nil {
			return err
		}
		a, err := find(v, &acls, listID)
		if a != nil && a.of(subnetID) >= 0 {
			under = listID
		}
		return err
	})
	if err != nil || under == listID {
		return identified(now, "AssociationId"), err
	}
	out, err := create[api.ReplaceNetworkAclAssociationOutput](ctx, s, c, "ReplaceNetworkAclAssociation", &api.ReplaceNetworkAclAssociationInput{AssociationId: now, NetworkAclId: listID})
	if err != nil {
		return r, err
	}
	return identified(*out.NewAssociationId, "AssociationId"), nil
}

// deleteACLAssociation puts a subnet under the default list of its network again.
func (s *Service) deleteACLAssociation(ctx context.Context, c service.ResourceCall, p *subnetACLProperties) error {
	var to string
	err := s.view(ctx, func(v *view) error {
		sub, err := get(v, &subnets, p.SubnetID)
		if err != nil {
			return err
		}
		// A replacement has put the subnet under another list already.
		if now, err := v.aclAssociation(sub); err != nil || now != c.PhysicalID {
			return err
		}
		a, err := v.defaultACL(*sub.VpcId)
		if err == nil {
			to = *a.NetworkAclId
		}
		return err
	})
	if err != nil || to == "" {
		return service.Unless(err, subnets.absent)
	}
	_, err = s.putUnderACL(ctx, c, p.SubnetID, to)
	return err
}

func (p *dhcpProperties) configurations() []api.NewDhcpConfiguration {
	var out []api.NewDhcpConfiguration
	add := func(key string, values ...string) {
		if len(values) > 0 {
			out = append(out, api.NewDhcpConfiguration{Key: &key, Values: values})
		}
	}
	if p.DomainName != nil {
		add("domain-name", *p.DomainName)
	}
	add("domain-name-servers", p.DomainNameServers...)
	add("netbios-name-servers", p.NetbiosNameServers...)
	add("ntp-servers", p.NtpServers...)
	if p.NetbiosNodeType != nil {
		add("netbios-node-type", numeral(*p.NetbiosNodeType))
	}
	if p.LeaseTime != nil {
		add("ipv6-address-preferred-lease-time", numeral(*p.LeaseTime))
	}
	return out
}

// deleteDHCPAssociation lets a network use no options, unless it uses others by now: an update has given it those already.
func (s *Service) deleteDHCPAssociation(ctx context.Context, c service.ResourceCall, p *dhcpAssociationProperties) error {
	options, _, _ := strings.Cut(c.PhysicalID, "|")
	_, _, err := s.readDHCPAssociation(ctx, service.Identifier{options, p.VpcID})
	if err == nil {
		_, err = s.useDHCP(ctx, p.VpcID, noDHCP)
	} else if errors.Is(err, service.ErrGone) {
		err = nil
	}
	return service.Unless(err, vpcs.absent)
}

func (s *Service) useDHCP(ctx context.Context, vpcID, options string) (service.Resource, error) {
	_, err := invoke[api.AssociateDhcpOptionsOutput](ctx, s, "AssociateDhcpOptions", &api.AssociateDhcpOptionsInput{VpcId: vpcID, DhcpOptionsId: options})
	return service.Resource{PhysicalID: options + "|" + vpcID}, err
}
