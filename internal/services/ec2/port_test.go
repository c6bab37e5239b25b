package ec2

import (
	"testing"

	"lambent.dev/lambent/internal/service"
)

// TestNetworksOfFunctionsAreFoundByTheirGroupsFirst asks for networks as Lambda does, which finds a missing group before a missing subnet.
func TestNetworksOfFunctionsAreFoundByTheirGroupsFirst(t *testing.T) {
	h := newHarness(t)
	subnets, groups := h.do("DescribeSubnets", `{}`), h.do("DescribeSecurityGroups", `{}`)
	subnet, group, vpc := subnets.at("Subnets.0.SubnetId"), groups.at("SecurityGroups.0.GroupId"), subnets.at("Subnets.0.VpcId")
	other := h.do("CreateSecurityGroup", `{"GroupName": "other", "Description": "x", "VpcId": %q}`, h.do("CreateVpc", `{"CidrBlock": "10.9.0.0/16"}`).at("Vpc.VpcId")).at("GroupId")
	for _, tc := range []struct{ subnet, group, code string }{
		{subnet, group, ""},
		{"subnet-00000000000000000", "sg-00000000000000000", "InvalidGroup.NotFound"},
		{"subnet-00000000000000000", group, "InvalidSubnetID.NotFound"},
		{subnet, other, "InvalidGroup.NotFound"},
	} {
		got, err := h.s.Find(h.ctx, []string{tc.subnet}, []string{tc.group})
		if service.Code(err) != tc.code || err == nil && got != vpc {
			t.Errorf("%s, %s: %s, %v, want %q", tc.subnet, tc.group, got, err, tc.code)
		}
	}
}
