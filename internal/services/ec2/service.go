package ec2

import (
	"context"
	"reflect"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi"
	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/service"
)

// Service is the networking of Amazon EC2. Make one with [New].
type Service struct{ deps service.Deps }

// New returns the service, and what other services ask it.
func New(d service.Deps) (service.Service, *Service) {
	s := &Service{deps: d}
	operations := s.handlers().Bindings()
	for i := range operations {
		s.prepare(&operations[i])
	}
	return service.Service{API: api.API, Operations: operations, Access: s.access(), Resources: s.resources()}, s
}

func (s *Service) now() time.Time { return s.deps.Clock.Now().UTC().Truncate(time.Millisecond) }

type tokenKey struct{}

// tokenOf returns what a repeated call is known by: its operation with the token of the caller or of a deploy; empty for a call without one.
func tokenOf(ctx context.Context) string {
	token, _ := ctx.Value(tokenKey{}).(string)
	return token
}

// prepare puts before an operation what all have in common: members that are not supported are refused by name, a dry run ends here, a client token makes the call one that
// may be repeated, and the default network is there.
func (s *Service) prepare(b *awsapi.Binding) {
	call, name := b.Call, b.Name
	if call == nil {
		return
	}
	without := strings.Fields(calls[name].without)
	b.Call = func(ctx context.Context, in any) (any, error) {
		v := reflect.ValueOf(in).Elem()
		for _, member := range without {
			if !v.FieldByName(member).IsZero() {
				return nil, service.Unsupported(codeUnsupported, name, member)
			}
		}
		if f := v.FieldByName("DryRun"); f.IsValid() && !f.IsNil() && f.Elem().Bool() {
			return nil, errDryRun()
		}
		if err := s.settle(ctx); err != nil {
			return nil, err
		}
		token := service.CreateToken(ctx)
		if f := v.FieldByName("ClientToken"); f.IsValid() && !f.IsNil() {
			token = f.Elem().String()
		}
		if token != "" {
			ctx = context.WithValue(ctx, tokenKey{}, name+"\x00"+token)
		}
		return call(ctx, in)
	}
}

func (s *Service) handlers() *api.Handlers {
	return &api.Handlers{
		AcceptVpcPeeringConnection:                 s.acceptVpcPeeringConnection,
		AllocateAddress:                            s.allocateAddress,
		AssociateAddress:                           s.associateAddress,
		AssociateDhcpOptions:                       s.associateDhcpOptions,
		AssociateRouteTable:                        s.associateRouteTable,
		AssociateSubnetCidrBlock:                   s.associateSubnetCidrBlock,
		AssociateVpcCidrBlock:                      s.associateVpcCidrBlock,
		AttachInternetGateway:                      s.attachInternetGateway,
		AttachVpnGateway:                           s.attachVpnGateway,
		AuthorizeSecurityGroupEgress:               s.authorizeSecurityGroupEgress,
		AuthorizeSecurityGroupIngress:              s.authorizeSecurityGroupIngress,
		CreateDefaultSubnet:                        s.createDefaultSubnet,
		CreateDefaultVpc:                           s.createDefaultVpc,
		CreateDhcpOptions:                          s.createDhcpOptions,
		CreateEgressOnlyInternetGateway:            s.createEgressOnlyInternetGateway,
		CreateFlowLogs:                             s.createFlowLogs,
		CreateInternetGateway:                      s.createInternetGateway,
		CreateKeyPair:                              s.createKeyPair,
		CreateLaunchTemplate:                       s.createLaunchTemplate,
		CreateLaunchTemplateVersion:                s.createLaunchTemplateVersion,
		CreateManagedPrefixList:                    s.createManagedPrefixList,
		CreateNatGateway:                           s.createNatGateway,
		CreateNetworkAcl:                           s.createNetworkAcl,
		CreateNetworkAclEntry:                      s.createNetworkAclEntry,
		CreateNetworkInterface:                     s.createNetworkInterface,
		CreateRoute:                                s.createRoute,
		CreateRouteTable:                           s.createRouteTable,
		CreateSecurityGroup:                        s.createSecurityGroup,
		CreateSubnet:                               s.createSubnet,
		CreateTags:                                 s.createTags,
		CreateVpc:                                  s.createVpc,
		CreateVpcEndpoint:                          s.createVpcEndpoint,
		CreateVpcPeeringConnection:                 s.createVpcPeeringConnection,
		CreateVpnGateway:                           s.createVpnGateway,
		DeleteDhcpOptions:                          s.deleteDhcpOptions,
		DeleteEgressOnlyInternetGateway:            s.deleteEgressOnlyInternetGateway,
		DeleteFlowLogs:                             s.deleteFlowLogs,
		DeleteInternetGateway:                      s.deleteInternetGateway,
		DeleteKeyPair:                              s.deleteKeyPair,
		DeleteLaunchTemplate:                       s.deleteLaunchTemplate,
		DeleteLaunchTemplateVersions:               s.deleteLaunchTemplateVersions,
		DeleteManagedPrefixList:                    s.deleteManagedPrefixList,
		DeleteNatGateway:                           s.deleteNatGateway,
		DeleteNetworkAcl:                           s.deleteNetworkAcl,
		DeleteNetworkAclEntry:                      s.deleteNetworkAclEntry,
		DeleteNetworkInterface:                     s.deleteNetworkInterface,
		DeleteRoute:                                s.deleteRoute,
		DeleteRouteTable:                           s.deleteRouteTable,
		DeleteSecurityGroup:                        s.deleteSecurityGroup,
		DeleteSubnet:                               s.deleteSubnet,
		DeleteTags:                                 s.deleteTags,
		DeleteVpc:                                  s.deleteVpc,
		DeleteVpcEndpoints:                         s.deleteVpcEndpoints,
		DeleteVpcPeeringConnection:                 s.deleteVpcPeeringConnection,
		DeleteVpnGateway:                           s.deleteVpnGateway,
		DescribeAccountAttributes:                  s.describeAccountAttributes,
		DescribeAddresses:                          s.describeAddresses,
		DescribeAddressesAttribute:                 s.describeAddressesAttribute,
		DescribeAvailabilityZones:                  s.describeAvailabilityZones,
		DescribeDhcpOptions:                        s.describeDhcpOptions,
		DescribeEgressOnlyInternetGateways:         s.describeEgressOnlyInternetGateways,
		DescribeFlowLogs:                           s.describeFlowLogs,
		DescribeImages:                             s.describeImages,
		DescribeInstances:                          s.describeInstances,
		DescribeInternetGateways:                   s.describeInternetGateways,
		DescribeKeyPairs:                           s.describeKeyPairs,
		DescribeLaunchTemplateVersions:             s.describeLaunchTemplateVersions,
		DescribeLaunchTemplates:                    s.describeLaunchTemplates,
		DescribeManagedPrefixLists:                 s.describeManagedPrefixLists,
		DescribeNatGateways:                        s.describeNatGateways,
		DescribeNetworkAcls:                        s.describeNetworkAcls,
		DescribeNetworkInterfaceAttribute:          s.describeNetworkInterfaceAttribute,
		DescribeNetworkInterfaces:                  s.describeNetworkInterfaces,
		DescribePrefixLists:                        s.describePrefixLists,
		DescribeRegions:                            s.describeRegions,
		DescribeRouteTables:                        s.describeRouteTables,
		DescribeSecurityGroupReferences:            s.describeSecurityGroupReferences,
		DescribeSecurityGroupRules:                 s.describeSecurityGroupRules,
		DescribeSecurityGroups:                     s.describeSecurityGroups,
		DescribeSubnets:                            s.describeSubnets,
		DescribeTags:                               s.describeTags,
		DescribeVpcAttribute:                       s.describeVpcAttribute,
		DescribeVpcEndpointServices:                s.describeVpcEndpointServices,
		DescribeVpcEndpoints:                       s.describeVpcEndpoints,
		DescribeVpcPeeringConnections:              s.describeVpcPeeringConnections,
		DescribeVpcs:                               s.describeVpcs,
		DescribeVpnGateways:                        s.describeVpnGateways,
		DetachInternetGateway:                      s.detachInternetGateway,
		DetachVpnGateway:                           s.detachVpnGateway,
		DisableVgwRoutePropagation:                 s.disableVgwRoutePropagation,
		DisassociateAddress:                        s.disassociateAddress,
		DisassociateRouteTable:                     s.disassociateRouteTable,
		DisassociateSubnetCidrBlock:                s.disassociateSubnetCidrBlock,
		DisassociateVpcCidrBlock:                   s.disassociateVpcCidrBlock,
		EnableVgwRoutePropagation:                  s.enableVgwRoutePropagation,
		GetManagedPrefixListAssociations:           s.getManagedPrefixListAssociations,
		GetManagedPrefixListEntries:                s.getManagedPrefixListEntries,
		GetSecurityGroupsForVpc:                    s.getSecurityGroupsForVpc,
		ImportKeyPair:                              s.importKeyPair,
		ModifyLaunchTemplate:                       s.modifyLaunchTemplate,
		ModifyManagedPrefixList:                    s.modifyManagedPrefixList,
		ModifyNetworkInterfaceAttribute:            s.modifyNetworkInterfaceAttribute,
		ModifySecurityGroupRules:                   s.modifySecurityGroupRules,
		ModifySubnetAttribute:                      s.modifySubnetAttribute,
		ModifyVpcAttribute:                         s.modifyVpcAttribute,
		ModifyVpcEndpoint:                          s.modifyVpcEndpoint,
		ModifyVpcPeeringConnectionOptions:          s.modifyVpcPeeringConnectionOptions,
		ModifyVpcTenancy:                           s.modifyVpcTenancy,
		RejectVpcPeeringConnection:                 s.rejectVpcPeeringConnection,
		ReleaseAddress:                             s.releaseAddress,
		ReplaceNetworkAclAssociation:               s.replaceNetworkAclAssociation,
		ReplaceNetworkAclEntry:                     s.replaceNetworkAclEntry,
		ReplaceRoute:                               s.replaceRoute,
		ReplaceRouteTableAssociation:               s.replaceRouteTableAssociation,
		RestoreManagedPrefixListVersion:            s.restoreManagedPrefixListVersion,
		RevokeSecurityGroupEgress:                  s.revokeSecurityGroupEgress,
		RevokeSecurityGroupIngress:                 s.revokeSecurityGroupIngress,
		UpdateSecurityGroupRuleDescriptionsEgress:  s.updateSecurityGroupRuleDescriptionsEgress,
		UpdateSecurityGroupRuleDescriptionsIngress: s.updateSecurityGroupRuleDescriptionsIngress,
	}
}
