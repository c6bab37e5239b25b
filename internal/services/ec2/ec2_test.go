package ec2

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

const account = "111111111111"

// harness is the service on a store in memory.
type harness struct {
	fake.Door

	t     testing.TB
	ctx   context.Context
	s     *Service
	clock *clock.Fake
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	st := mem.New()
	h := &harness{t: t, ctx: fake.Root(t.Context(), account, "eu-west-1"), clock: clock.NewFake(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))}
	desc, s := New(service.Deps{Store: st, Door: h, Clock: h.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)})
	h.s = s
	h.Services = []service.Service{desc}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// try makes a call with an input in JSON, and returns its output in JSON.
func (h *harness) try(operation, input string) (string, error) {
	return h.tryIn(h.ctx, operation, input)
}

func (h *harness) tryIn(ctx context.Context, operation, input string) (string, error) {
	h.t.Helper()
	in := h.New("ec2", operation)
	if err := json.Unmarshal([]byte(input), in); err != nil {
		h.t.Fatalf("input of %s: %v", operation, err)
	}
	out, err := h.Call(ctx, "ec2", operation, in)
	if err != nil {
		return "", err
	}
	b, err := json.Marshal(out)
	if err != nil {
		h.t.Fatal(err)
	}
	return string(b), nil
}

// do is try for a call that must succeed.
func (h *harness) do(operation, format string, args ...any) answer {
	h.t.Helper()
	out, err := h.try(operation, fmt.Sprintf(format, args...))
	if err != nil {
		h.t.Fatalf("%s %s: %v", operation, fmt.Sprintf(format, args...), err)
	}
	return answer{h.t, out}
}

// answer is the output of a call in JSON.
type answer struct {
	t    testing.TB
	json string
}

// at returns what is at a path, as text; empty for nothing.
func (a answer) at(path string) string {
	a.t.Helper()
	var v any
	if err := json.Unmarshal([]byte(a.json), &v); err != nil {
		a.t.Fatal(err)
	}
	for step := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(x) {
				return ""
			}
			v = x[i]
		default:
			return ""
		}
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// refused makes sure that a call fails with a code, and a part of its message.
func (h *harness) refused(operation, input, code, part string) {
	h.t.Helper()
	out, err := h.try(operation, input)
	if service.Code(err) != code || !strings.Contains(messageOf(err), part) {
		h.t.Errorf("%s %s: %s %v, want %s %s", operation, input, out, err, code, part)
	}
}

func TestEveryAccountHasADefaultNetwork(t *testing.T) {
	h := newHarness(t)
	vpc := h.do("DescribeVpcs", `{}`)
	id := vpc.at("Vpcs.0.VpcId")
	if vpc.at("Vpcs.0.CidrBlock") != defaultBlock || vpc.at("Vpcs.0.IsDefault") != "true" || vpc.at("Vpcs.1") != "" {
		t.Errorf("%s", vpc.json)
	}
	for operation, want := range map[string][2]string{
		"DescribeSubnets":          {"Subnets.2.MapPublicIpOnLaunch", "true"},
		"DescribeRouteTables":      {"RouteTables.0.Routes.1.DestinationCidrBlock", "0.0.0.0/0"},
		"DescribeInternetGateways": {"InternetGateways.0.Attachments.0.VpcId", id},
		"DescribeNetworkAcls":      {"NetworkAcls.0.Associations.2.NetworkAclId", h.do("DescribeNetworkAcls", `{}`).at("NetworkAcls.0.NetworkAclId")},
		"DescribeSecurityGroups":   {"SecurityGroups.0.GroupName", "default"},
		"DescribeDhcpOptions":      {"DhcpOptions.0.DhcpConfigurations.0.Values.0.Value", "eu-west-1.compute.internal"},
	} {
		if got := h.do(operation, `{}`); got.at(want[0]) != want[1] {
			t.Errorf("%s: %s", operation, got.json)
		}
	}
	// Other accounts and regions have their own.
	other, err := h.tryIn(fake.Root(t.Context(), "222222222222", "us-east-1"), "DescribeVpcs", `{}`)
	if err != nil || strings.Contains(other, id) || !strings.Contains(other, defaultBlock) {
		t.Errorf("%s, %v", other, err)
	}
	h.refused("CreateDefaultVpc", `{}`, "DefaultVpcAlreadyExists", "")
	// It can be deleted, and then does not come back by itself.
	igw := h.do("DescribeInternetGateways", `{}`).at("InternetGateways.0.InternetGatewayId")
	h.do("DetachInternetGateway", `{"InternetGatewayId": %q, "VpcId": %q}`, igw, id)
	h.do("DeleteInternetGateway", `{"InternetGatewayId": %q}`, igw)
	for range 3 {
		h.do("DeleteSubnet", `{"SubnetId": %q}`, h.do("DescribeSubnets", `{}`).at("Subnets.0.SubnetId"))
	}
	h.do("DeleteVpc", `{"VpcId": %q}`, id)
	if got := h.do("DescribeVpcs", `{}`); got.at("Vpcs.0") != "" {
		t.Errorf("left: %s", got.json)
	}
	h.refused("CreateSecurityGroup", `{"GroupName": "a", "Description": "a"}`, "VPCIdNotSpecified", "No default VPC")
	if got := h.do("CreateDefaultVpc", `{}`); got.at("Vpc.IsDefault") != "true" {
		t.Errorf("made again: %s", got.json)
	}
}

func TestBadInputIsRefusedAsOnAWS(t *testing.T) {
	h := newHarness(t)
	vpc := h.do("CreateVpc", `{"CidrBlock": "10.0.0.0/16"}`).at("Vpc.VpcId")
	other := h.do("CreateVpc", `{"CidrBlock": "10.1.0.0/16"}`).at("Vpc.VpcId")
	sub := h.do("CreateSubnet", `{"VpcId": %q, "CidrBlock": "10.0.1.0/24"}`, vpc).at("Subnet.SubnetId")
	table := h.do("CreateRouteTable", `{"VpcId": %q}`, vpc).at("RouteTable.RouteTableId")
	foreign := h.do("CreateRouteTable", `{"VpcId": %q}`, other).at("RouteTable.RouteTableId")
	group := h.do("CreateSecurityGroup", `{"VpcId": %q, "GroupName": "web", "Description": "web"}`, vpc).at("GroupId")
	def := h.do("DescribeSecurityGroups", `{"Filters": [{"Name": "vpc-id", "Values": [%q]}, {"Name": "group-name", "Values": ["default"]}]}`, vpc).at("SecurityGroups.0.GroupId")
	const gone = "0123456789abcdef0"
	replace := strings.NewReplacer("VPC", vpc, "OTHER", other, "SUBNET", sub, "TABLE", table, "FOREIGN", foreign, "GROUP", group, "DEFAULT", def, "GONE", gone)
	for _, tc := range []struct{ operation, input, code, part string }{
		{"CreateVpc", `{}`, "MissingParameter", "cidrBlock"},
		{"CreateVpc", `{"CidrBlock": "10.0.0.0"}`, "InvalidParameterValue", "Value (10.0.0.0) for parameter cidrBlock is invalid"},
		{"CreateVpc", `{"CidrBlock": "10.0.0.0/8"}`, "InvalidVpc.Range", "The CIDR '10.0.0.0/8' is invalid."},
		{"CreateVpc", `{"CidrBlock": "10.0.0.0/16", "Ipv4IpamPoolId": "ipam-pool-1"}`, "UnsupportedOperation", "Ipv4IpamPoolId"},
		{"CreateVpc", `{"CidrBlock": "10.0.0.0/16", "DryRun": true}`, "DryRunOperation", "Request would have succeeded"},
		{"CreateVpc", `{"CidrBlock": "10.0.0.0/16", "TagSpecifications": [{"ResourceType": "subnet", "Tags": []}]}`, "InvalidParameterValue", "not a valid taggable resource type"},
		{"CreateVpc", `{"CidrBlock": "10.0.0.0/16", "TagSpecifications": [{"ResourceType": "vpc", "Tags": [{"Key": "aws:x", "Value": ""}]}]}`, "InvalidParameterValue", "reserved"},
		{"DescribeVpcs", `{"VpcIds": ["vpc-GONE"]}`, "InvalidVpcID.NotFound", "The vpc ID 'vpc-0123456789abcdef0' does not exist"},
		{"DescribeVpcs", `{"VpcIds": ["vpc-GONE", "vpc-11111111"]}`, "InvalidVpcID.NotFound", "The vpc IDs 'vpc-0123456789abcdef0, vpc-11111111' do not exist"},
		{"DescribeVpcs", `{"VpcIds": ["subnet-1"]}`, "InvalidVpcID.Malformed", `expecting "vpc-..."`},
		{"DescribeVpcs", `{"Filters": [{"Name": "colour", "Values": ["red"]}]}`, "InvalidParameterValue", "The filter 'colour' is invalid"},
		{"DescribeVpcs", `{"VpcIds": ["VPC"], "MaxResults": 5}`, "InvalidParameterCombination", ""},
		{"DescribeVpcs", `{"NextToken": "?"}`, "InvalidParameterValue", "token"},
		{"DescribeVpcAttribute", `{"VpcId": "VPC", "Attribute": "colour"}`, "InvalidParameterValue", "attribute"},
		{"ModifyVpcAttribute", `{"VpcId": "VPC", "EnableDnsSupport": {"Value": true}, "EnableDnsHostnames": {"Value": true}}`, "InvalidParameterCombination", "multiple attribute"},
		{"CreateSubnet", `{"VpcId": "VPC", "CidrBlock": "10.1.0.0/24"}`, "InvalidSubnet.Range", "The CIDR '10.1.0.0/24' is invalid."},
		{"CreateSubnet", `{"VpcId": "VPC", "CidrBlock": "10.0.1.128/25"}`, "InvalidSubnet.Conflict", "The CIDR '10.0.1.128/25' conflicts with another subnet"},
		{"CreateSubnet", `{"VpcId": "VPC", "CidrBlock": "10.0.2.0/29"}`, "InvalidSubnet.Range", ""},
		{"CreateSubnet", `{"VpcId": "VPC", "CidrBlock": "10.0.2.0/24", "AvailabilityZone": "eu-west-1z"}`, "InvalidParameterValue", "eu-west-1a, eu-west-1b, eu-west-1c"},
		{"CreateSubnet", `{"VpcId": "vpc-GONE", "CidrBlock": "10.0.2.0/24"}`, "InvalidVpcID.NotFound", ""},
		{"AssociateVpcCidrBlock", `{"VpcId": "VPC", "CidrBlock": "10.0.0.0/20"}`, "InvalidVpc.Conflict", ""},
		{"DisassociateVpcCidrBlock", `{"AssociationId": "vpc-cidr-assoc-GONE"}`, "InvalidCidrBlockAssociationID.NotFound", ""},
		{"CreateRoute", `{"RouteTableId": "TABLE"}`, "MissingParameter", "destination"},
		{"CreateRoute", `{"RouteTableId": "TABLE", "DestinationCidrBlock": "0.0.0.0/0"}`, "InvalidParameterCombination", "Exactly one"},
		{"CreateRoute", `{"RouteTableId": "TABLE", "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-GONE"}`, "InvalidGatewayID.NotFound", ""},
		{"CreateRoute", `{"RouteTableId": "TABLE", "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-GONE"}`, "InvalidNatGatewayID.NotFound", ""},
		{"CreateRoute", `{"RouteTableId": "TABLE", "DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-GONE"}`, "UnsupportedOperation", "TransitGatewayId"},
		{"DeleteRoute", `{"RouteTableId": "TABLE", "DestinationCidrBlock": "0.0.0.0/0"}`, "InvalidRoute.NotFound", "no route with destination-cidr-block 0.0.0.0/0"},
		{"DeleteRoute", `{"RouteTableId": "TABLE", "DestinationCidrBlock": "10.0.0.0/16"}`, "InvalidParameterValue", "cannot remove local route"},
		{"AssociateRouteTable", `{"RouteTableId": "FOREIGN", "SubnetId": "SUBNET"}`, "InvalidParameterValue", "different networks"},
		{"DisassociateRouteTable", `{"AssociationId": "rtbassoc-GONE"}`, "InvalidAssociationID.NotFound", ""},
		{"AttachInternetGateway", `{"InternetGatewayId": "igw-GONE", "VpcId": "VPC"}`, "InvalidInternetGatewayID.NotFound", ""},
		{"CreateNatGateway", `{"SubnetId": "SUBNET"}`, "MissingParameter", "allocationId"},
		{"DeleteNatGateway", `{"NatGatewayId": "nat-GONE"}`, "NatGatewayNotFound", "NatGateway nat-0123456789abcdef0 was not found"},
		{"ReleaseAddress", `{"AllocationId": "eipalloc-GONE"}`, "InvalidAllocationID.NotFound", ""},
		{"DescribeAddresses", `{"PublicIps": ["192.0.2.1"]}`, "InvalidAddress.NotFound", "Address '192.0.2.1' not found."},
		{"AssociateAddress", `{"InstanceId": "i-GONE"}`, "InvalidInstanceID.NotFound", ""},
		{"CreateSecurityGroup", `{"VpcId": "VPC", "GroupName": "web", "Description": "web"}`, "InvalidGroup.Duplicate", "The security group 'web' already exists for VPC"},
		{"CreateSecurityGroup", `{"VpcId": "VPC", "GroupName": "sg-web", "Description": "web"}`, "InvalidParameterValue", "sg-*"},
		{"CreateSecurityGroup", `{"VpcId": "VPC", "GroupName": "default", "Description": "web"}`, "InvalidParameterValue", "reserved"},
		{"CreateSecurityGroup", `{"VpcId": "VPC", "GroupName": "wéb", "Description": "web"}`, "InvalidParameterValue", "GroupName"},
		{"DeleteSecurityGroup", `{"GroupId": "DEFAULT"}`, "CannotDelete", "cannot be deleted by a user"},
		{"DeleteSecurityGroup", `{}`, "MissingParameter", ""},
		{"AuthorizeSecurityGroupIngress", `{"GroupId": "GROUP"}`, "MissingParameter", ""},
		{"AuthorizeSecurityGroupIngress", `{"GroupId": "GROUP", "IpPermissions": [{"IpProtocol": "tcp", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}`, "InvalidParameterValue", "Must specify both from and to ports"},
		{"AuthorizeSecurityGroupIngress", `{"GroupId": "GROUP", "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 2, "ToPort": 1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}`, "InvalidParameterValue", "port range"},
		{"AuthorizeSecurityGroupIngress", `{"GroupId": "GROUP", "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.0.0.1"}]}]}`, "InvalidParameterValue", "CIDR block 10.0.0.1 is malformed"},
		{"AuthorizeSecurityGroupIngress", `{"GroupId": "GROUP", "IpPermissions": [{"IpProtocol": "carrier-pigeon", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}`, "InvalidParameterValue", "Unknown protocol"},
		{"AuthorizeSecurityGroupEgress", `{"GroupId": "GROUP", "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}`, "InvalidPermission.Duplicate", `"peer: 0.0.0.0/0, ALL, ALLOW" already exists`},
		{"RevokeSecurityGroupIngress", `{"GroupId": "GROUP", "SecurityGroupRuleIds": ["sgr-GONE"]}`, "InvalidSecurityGroupRuleId.NotFound", "The security group rule ID 'sgr-0123456789abcdef0' does not exist"},
		{"RevokeSecurityGroupIngress", `{"GroupId": "GROUP", "IpPermissions": [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]}`, "InvalidPermission.NotFound", "does not exist in this security group"},
		{"CreateNetworkAclEntry", `{"NetworkAclId": "acl-GONE", "RuleNumber": 0, "Protocol": "-1", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}`, "InvalidParameterValue", "ruleNumber"},
		{"CreateNetworkAclEntry", `{"NetworkAclId": "acl-GONE", "RuleNumber": 1, "Protocol": "6", "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"}`, "MissingParameter", "portRange"},
		{"CreateDhcpOptions", `{"DhcpConfigurations": [{"Key": "colour", "Values": ["red"]}]}`, "InvalidParameterValue", "Unknown DHCP option"},
		{"AssociateDhcpOptions", `{"VpcId": "VPC", "DhcpOptionsId": "dopt-GONE"}`, "InvalidDhcpOptionID.NotFound", ""},
		{"CreateVpcEndpoint", `{"VpcId": "VPC", "ServiceName": "com.amazonaws.eu-west-1.nothing"}`, "InvalidServiceName", "The Vpc Endpoint Service"},
		{"CreateVpcEndpoint", `{"VpcId": "VPC", "ServiceName": "com.amazonaws.eu-west-1.logs", "VpcEndpointType": "Interface"}`, "InvalidParameter", "Enabling private DNS requires"},
		{"CreateVpcEndpoint", `{"VpcId": "VPC", "ServiceName": "com.amazonaws.eu-west-1.s3", "RouteTableIds": ["FOREIGN"]}`, "InvalidParameter", "different networks"},
		{"CreateVpcEndpoint", `{"VpcId": "VPC", "ServiceName": "x", "VpcEndpointType": "GatewayLoadBalancer"}`, "UnsupportedOperation", "GatewayLoadBalancer"},
		{"CreateNetworkInterface", `{"SubnetId": "SUBNET", "PrivateIpAddress": "10.0.2.9"}`, "InvalidParameterValue", "does not fall within the subnet's address range"},
		{"CreateNetworkInterface", `{"SubnetId": "SUBNET", "PrivateIpAddress": "10.0.1.3"}`, "InvalidParameterValue", "does not fall within"},
		{"CreateNetworkInterface", `{"SubnetId": "SUBNET", "InterfaceType": "efa"}`, "UnsupportedOperation", "efa"},
		{"CreateKeyPair", `{"KeyName": "k", "KeyFormat": "ppk"}`, "UnsupportedOperation", "ppk"},
		{"ImportKeyPair", `{"KeyName": "k", "PublicKeyMaterial": "bm90IGEga2V5"}`, "InvalidKey.Format", ""},
		{"DescribeKeyPairs", `{"KeyNames": ["k"]}`, "InvalidKeyPair.NotFound", "The key pair 'k' does not exist"},
		{"CreateManagedPrefixList", `{"PrefixListName": "com.amazonaws.x", "AddressFamily": "IPv4", "MaxEntries": 1}`, "InvalidParameterValue", ""},
		{"CreateManagedPrefixList", `{"PrefixListName": "x", "AddressFamily": "IPv4", "MaxEntries": 1, "Entries": [{"Cidr": "::/0"}]}`, "InvalidParameterValue", "family IPv4"},
		{"CreateLaunchTemplate", `{"LaunchTemplateName": "some name", "LaunchTemplateData": {"ImageId": "ami-1"}}`, "InvalidLaunchTemplateName.MalformedException", ""},
		{"CreateLaunchTemplate", `{"LaunchTemplateName": "name", "LaunchTemplateData": {}}`, "MissingParameter", "LaunchTemplateData"},
		{"CreateTags", `{"Resources": ["vpc-GONE"], "Tags": [{"Key": "a", "Value": "b"}]}`, "InvalidVpcID.NotFound", ""},
		{"CreateTags", `{"Resources": ["nothing"], "Tags": [{"Key": "a", "Value": "b"}]}`, "InvalidID", "The ID 'nothing' is not valid"},
		{"DescribeInstances", `{"InstanceIds": ["i-GONE"]}`, "InvalidInstanceID.NotFound", "The instance ID 'i-0123456789abcdef0' does not exist"},
		{"DescribeImages", `{"ImageIds": ["ami-GONE"]}`, "InvalidAMIID.NotFound", "The image id '[ami-0123456789abcdef0]' does not exist"},
		{"DescribeAvailabilityZones", `{"ZoneNames": ["eu-west-1z"]}`, "InvalidParameterValue", "Invalid availability zone: [eu-west-1z]"},
		{"CreateVpcPeeringConnection", `{"VpcId": "VPC", "PeerVpcId": "VPC"}`, "InvalidParameter", "itself"},
		{"AcceptVpcPeeringConnection", `{"VpcPeeringConnectionId": "pcx-GONE"}`, "InvalidVpcPeeringConnectionID.NotFound", ""},
		{"CreateFlowLogs", `{"ResourceIds": ["VPC"], "ResourceType": "TransitGateway", "LogDestinationType": "s3"}`, "UnsupportedOperation", "TransitGateway"},
		{"DeleteVpc", `{"VpcId": "VPC"}`, "DependencyViolation", "has dependencies and cannot be deleted."},
	} {
		h.refused(tc.operation, replace.Replace(tc.input), tc.code, tc.part)
	}
}

func TestRulesAreRowsAndPermissionsAreTheirView(t *testing.T) {
	h := newHarness(t)
	vpc := h.do("CreateVpc", `{"CidrBlock": "10.0.0.0/16"}`).at("Vpc.VpcId")
	web := h.do("CreateSecurityGroup", `{"VpcId": %q, "GroupName": "web", "Description": "web"}`, vpc).at("GroupId")
	db := h.do("CreateSecurityGroup", `{"VpcId": %q, "GroupName": "db", "Description": "db"}`, vpc).at("GroupId")
	made := h.do("AuthorizeSecurityGroupIngress", `{"GroupId": %q, "IpPermissions": [{"IpProtocol": "6", "FromPort": 443, "ToPort": 443,
		"IpRanges": [{"CidrIp": "10.0.0.9/8", "Description": "inside"}, {"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}]}`, web)
	if made.at("SecurityGroupRules.0.CidrIpv4") != "10.0.0.0/8" || made.at("SecurityGroupRules.2.CidrIpv6") != "::/0" || made.at("SecurityGroupRules.0.IpProtocol") != "tcp" {
		t.Errorf("%s", made.json)
	}
	h.do("AuthorizeSecurityGroupIngress", `{"GroupId": %q, "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": %q}]}]}`, db, web)
	h.refused("DeleteSecurityGroup", `{"GroupId": "`+web+`"}`, codeDependency, "has a dependent object")
	shown := h.do("DescribeSecurityGroups", `{"GroupIds": [%q]}`, web)
	if shown.at("SecurityGroups.0.IpPermissions.1") != "" || shown.at("SecurityGroups.0.IpPermissions.0.IpRanges.1.Description") != "inside" {
		t.Errorf("%s", shown.json)
	}
	found := h.do("DescribeSecurityGroups", `{"Filters": [{"Name": "ip-permission.group-id", "Values": [%q]}]}`, web)
	if found.at("SecurityGroups.0.GroupId") != db || found.at("SecurityGroups.1") != "" {
		t.Errorf("%s", found.json)
	}
	rule := made.at("SecurityGroupRules.0.SecurityGroupRuleId")
	h.do("ModifySecurityGroupRules", `{"GroupId": %q, "SecurityGroupRules": [{"SecurityGroupRuleId": %q, "SecurityGroupRule": {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIpv4": "10.0.0.0/8"}}]}`, web, rule)
	h.do("UpdateSecurityGroupRuleDescriptionsIngress", `{"GroupId": %q, "SecurityGroupRuleDescriptions": [{"SecurityGroupRuleId": %q, "Description": "new"}]}`, web, rule)
	one := h.do("DescribeSecurityGroupRules", `{"SecurityGroupRuleIds": [%q]}`, rule)
	if one.at("SecurityGroupRules.0.FromPort") != "80" || one.at("SecurityGroupRules.0.Description") != "new" {
		t.Errorf("%s", one.json)
	}
	revoked := h.do("RevokeSecurityGroupIngress", `{"GroupId": %q, "SecurityGroupRuleIds": [%q]}`, web, rule)
	if revoked.at("RevokedSecurityGroupRules.0.SecurityGroupRuleId") != rule {
		t.Errorf("%s", revoked.json)
	}
	h.do("DeleteSecurityGroup", `{"GroupId": %q}`, db)
	h.do("DeleteSecurityGroup", `{"GroupId": %q}`, web)
	// For the default network AWS answers what it did not find, and no error.
	def := h.do("DescribeSecurityGroups", `{"GroupNames": ["default"]}`).at("SecurityGroups.0.GroupId")
	unknown := h.do("RevokeSecurityGroupIngress", `{"GroupId": %q, "CidrIp": "10.0.0.0/8", "IpProtocol": "tcp", "FromPort": 1, "ToPort": 1}`, def)
	if unknown.at("UnknownIpPermissions.0.FromPort") != "1" {
		t.Errorf("%s", unknown.json)
	}
}

func TestANATGatewayHoldsItsSubnetAndAddress(t *testing.T) {
	h := newHarness(t)
	vpc := h.do("CreateVpc", `{"CidrBlock": "10.0.0.0/16"}`).at("Vpc.VpcId")
	sub := h.do("CreateSubnet", `{"VpcId": %q, "CidrBlock": "10.0.1.0/24"}`, vpc).at("Subnet.SubnetId")
	eip := h.do("AllocateAddress", `{}`).at("AllocationId")
	create := func() string {
		return h.do("CreateNatGateway", `{"SubnetId": %q, "AllocationId": %q}`, sub, eip).at("NatGateway.NatGatewayId")
	}
	if got := h.do("DescribeNatGateways", `{"NatGatewayIds": [%q]}`, create()); got.at("NatGateways.0.FailureCode") != codeAttached {
		t.Errorf("without a way to the internet: %s", got.json)
	}
	igw := h.do("CreateInternetGateway", `{}`).at("InternetGateway.InternetGatewayId")
	h.do("AttachInternetGateway", `{"InternetGatewayId": %q, "VpcId": %q}`, igw, vpc)
	nat := create()
	table := h.do("DescribeRouteTables", `{"Filters": [{"Name": "vpc-id", "Values": [%q]}]}`, vpc).at("RouteTables.0.RouteTableId")
	h.do("CreateRoute", `{"RouteTableId": %q, "DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": %q}`, table, nat)
	h.refused("DeleteSubnet", `{"SubnetId": "`+sub+`"}`, codeDependency, "")
	h.refused("ReleaseAddress", `{"AllocationId": "`+eip+`"}`, "InvalidIPAddress.InUse", "")
	h.refused("DetachInternetGateway", `{"InternetGatewayId": "`+igw+`", "VpcId": "`+vpc+`"}`, codeDependency, "mapped public address")
	if got := h.do("DescribeSubnets", `{"SubnetIds": [%q]}`, sub); got.at("Subnets.0.AvailableIpAddressCount") != "250" {
		t.Errorf("%s", got.json)
	}
	h.do("DeleteNatGateway", `{"NatGatewayId": %q}`, nat)
	if got := h.do("DescribeRouteTables", `{"RouteTableIds": [%q]}`, table); got.at("RouteTables.0.Routes.1.State") != "blackhole" {
		t.Errorf("%s", got.json)
	}
	if got := h.do("DescribeNatGateways", `{"NatGatewayIds": [%q]}`, nat); got.at("NatGateways.0.State") != "deleted" {
		t.Errorf("%s", got.json)
	}
	h.do("ReleaseAddress", `{"AllocationId": %q}`, eip)
	h.do("DeleteSubnet", `{"SubnetId": %q}`, sub)
	h.clock.Advance(afterlife)
	h.refused("DescribeNatGateways", `{"NatGatewayIds": ["`+nat+`"]}`, "NatGatewayNotFound", "")
}

func TestPeersAgreeInTheirOwnRegions(t *testing.T) {
	h := newHarness(t)
	there := fake.Root(t.Context(), account, "us-west-2")
	own := h.do("CreateVpc", `{"CidrBlock": "10.0.0.0/16"}`).at("Vpc.VpcId")
	out, err := h.tryIn(there, "CreateVpc", `{"CidrBlock": "10.1.0.0/16"}`)
	if err != nil {
		t.Fatal(err)
	}
	other := answer{t, out}.at("Vpc.VpcId")
	made := h.do("CreateVpcPeeringConnection", `{"VpcId": %q, "PeerVpcId": %q, "PeerRegion": "us-west-2"}`, own, other)
	id := made.at("VpcPeeringConnection.VpcPeeringConnectionId")
	h.refused("AcceptVpcPeeringConnection", `{"VpcPeeringConnectionId": "`+id+`"}`, codePermitted, "")
	if _, err := h.tryIn(there, "AcceptVpcPeeringConnection", `{"VpcPeeringConnectionId": "`+id+`"}`); err != nil {
		t.Fatal(err)
	}
	if got := h.do("DescribeVpcPeeringConnections", `{"VpcPeeringConnectionIds": [%q]}`, id); got.at("VpcPeeringConnections.0.Status.Code") != peeringActive ||
		got.at("VpcPeeringConnections.0.AccepterVpcInfo.CidrBlock") != "10.1.0.0/16" {
		t.Errorf("%s", got.json)
	}
	if _, err := h.tryIn(there, "DeleteVpc", `{"VpcId": "`+other+`"}`); err != nil {
		t.Fatal(err)
	}
	if got := h.do("DescribeVpcPeeringConnections", `{"VpcPeeringConnectionIds": [%q]}`, id); got.at("VpcPeeringConnections.0.Status.Code") != peeringDeleted {
		t.Errorf("%s", got.json)
	}
	// A request that nobody answers expires.
	same := h.do("CreateVpc", `{"CidrBlock": "10.2.0.0/16"}`).at("Vpc.VpcId")
	id = h.do("CreateVpcPeeringConnection", `{"VpcId": %q, "PeerVpcId": %q}`, own, same).at("VpcPeeringConnection.VpcPeeringConnectionId")
	h.clock.Advance(peeringWait)
	h.refused("AcceptVpcPeeringConnection", `{"VpcPeeringConnectionId": "`+id+`"}`, "InvalidStateTransition", "expired")
}

func TestARepeatedCallMakesOneThing(t *testing.T) {
	h := newHarness(t)
	vpc := h.do("CreateVpc", `{"CidrBlock": "10.0.0.0/16"}`).at("Vpc.VpcId")
	for _, operation := range []string{"CreateRouteTable", "CreateNetworkAcl", "CreateEgressOnlyInternetGateway"} {
		first := h.do(operation, `{"VpcId": %q, "ClientToken": "t"}`, vpc)
		if second := h.do(operation, `{"VpcId": %q, "ClientToken": "t"}`, vpc); first.json != second.json {
			t.Errorf("%s: %s, then %s", operation, first.json, second.json)
		}
	}
	// A deploy repeats a step with its token.
	h.ctx = service.WithCreateToken(h.ctx, "step")
	first := h.do("CreateVpc", `{"CidrBlock": "10.5.0.0/16"}`)
	if second := h.do("CreateVpc", `{"CidrBlock": "10.5.0.0/16"}`); first.at("Vpc.VpcId") != second.at("Vpc.VpcId") {
		t.Errorf("%s, then %s", first.json, second.json)
	}
}

func TestKeysAreRealKeys(t *testing.T) {
	h := newHarness(t)
	const public = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl test"
	b, err := json.Marshal([]byte(public))
	if err != nil {
		t.Fatal(err)
	}
	h.do("ImportKeyPair", `{"KeyName": "mine", "PublicKeyMaterial": %s}`, b)
	if got := h.do("DescribeKeyPairs", `{"KeyNames": ["mine"], "IncludePublicKey": true}`); got.at("KeyPairs.0.PublicKey") != public || got.at("KeyPairs.0.KeyType") != keyED25519 {
		t.Errorf("%s", got.json)
	}
	h.refused("ImportKeyPair", `{"KeyName": "mine", "PublicKeyMaterial": `+string(b)+`}`, "InvalidKeyPair.Duplicate", "")
	for kind, want := range map[string][2]string{keyRSA: {"BEGIN RSA PRIVATE KEY", ":"}, keyED25519: {"BEGIN OPENSSH PRIVATE KEY", "="}} {
		got := h.do("CreateKeyPair", `{"KeyName": %q, "KeyType": %q}`, kind, kind)
		if !strings.Contains(got.at("KeyMaterial"), want[0]) || !strings.Contains(got.at("KeyFingerprint"), want[1]) {
			t.Errorf("%s", got.json)
		}
		h.do("DeleteKeyPair", `{"KeyName": %q}`, kind)
	}
	h.do("DeleteKeyPair", `{"KeyName": "gone"}`)
}

func TestPagesOfFilteredLists(t *testing.T) {
	h := newHarness(t)
	for i := range 7 {
		h.do("CreateInternetGateway", `{"TagSpecifications": [{"ResourceType": "internet-gateway", "Tags": [{"Key": "n", "Value": "%d"}, {"Key": "odd", "Value": "%t"}]}]}`, i, i%2 == 1)
	}
	seen := map[string]bool{}
	token := ""
	for pages := 0; ; pages++ {
		out := h.do("DescribeInternetGateways", `{"MaxResults": 2, "NextToken": %q, "Filters": [{"Name": "tag:odd", "Values": ["false"]}, {"Name": "tag:n", "Values": ["0", "?"]}]}`, token)
		for i := range 2 {
			if id := out.at(fmt.Sprintf("InternetGateways.%d.InternetGatewayId", i)); id != "" {
				seen[id] = true
			}
		}
		if token = out.at("NextToken"); token == "" {
			if pages != 1 || len(seen) != 4 {
				t.Errorf("%d more pages, %d gateways", pages, len(seen))
			}
			break
		}
	}
	if got := h.do("DescribeTags", `{"Filters": [{"Name": "key", "Values": ["o*"]}, {"Name": "value", "Values": ["true"]}]}`); got.at("Tags.2.ResourceType") != "internet-gateway" || got.at("Tags.3") != "" {
		t.Errorf("%s", got.json)
	}
	if got := h.do("DescribeTags", `{"Filters": [{"Name": "key", "Values": ["\\*"]}]}`); got.at("Tags.0") != "" {
		t.Errorf("a wildcard that is none: %s", got.json)
	}
}

// TestTheTableOfCallsFitsTheInputs makes sure that the members which it names are there.
func TestTheTableOfCallsFitsTheInputs(t *testing.T) {
	h := newHarness(t)
	known := map[string]bool{}
	for _, c := range classes() {
		known[c.name] = true
	}
	for name, c := range calls {
		in := h.New("ec2", name)
		if in == nil {
			t.Errorf("%s is no operation", name)
			continue
		}
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, member := range strings.Fields(c.on + " " + c.without) {
			if !strings.Contains(string(b), `"`+member+`":`) {
				t.Errorf("%s has no %s", name, member)
			}
		}
		if c.makes != "" && !known[c.makes] {
			t.Errorf("%s makes %s, which is no kind", name, c.makes)
		}
	}
}
