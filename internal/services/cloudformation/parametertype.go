package cloudformation

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/service"
)

// imageID is what ids of machine images look like. Any image of AWS may be named, as nothing here boots from one.
var imageID = regexp.MustCompile(`^ami-([0-9a-f]{8}|[0-9a-f]{17})$`)

// checkExist makes sure, as the caller, that what parameters of AWS's own types name is there
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html).
func (s *Service) checkExist(ctx context.Context, t *template.Template, values map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(t.Parameters)) {
		there := existing(t.Parameters[name].Type)
		if there == nil {
			continue
		}
		named := textsOf(values[name])
		if len(named) == 0 {
			continue
		}
		found, err := there(ctx, s, named)
		if err != nil {
			return err
		}
		for _, value := range named {
			if !slices.Contains(found, value) {
				return invalid("Parameter validation failed: parameter value %s for parameter name %s does not exist", value, name)
			}
		}
	}
	return nil
}

// textsOf returns the values of a parameter: of a list, each of its elements.
func textsOf(value any) []string {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	var out []string
	for _, v := range list {
		if text, ok := v.(string); ok {
			out = append(out, text)
		}
	}
	return out
}

// existing returns what finds those of some values that are there, for a type of parameter whose values name things; nil for other types.
func existing(typ string) func(ctx context.Context, s *Service, values []string) ([]string, error) {
	if inner, ok := strings.CutPrefix(typ, "AWS::SSM::Parameter::Value<"); ok {
		typ = strings.TrimSuffix(inner, ">")
	}
	if inner, ok := strings.CutPrefix(typ, "List<"); ok {
		typ = strings.TrimSuffix(inner, ">")
	}
	filter := func(name string, values []string) []ec2.Filter { return []ec2.Filter{{Name: &name, Values: values}} }
	switch typ {
	case "AWS::EC2::VPC::Id":
		return func(ctx context.Context, s *Service, values []string) ([]string, error) {
			out, err := described[ec2.DescribeVpcsOutput](ctx, s, "DescribeVpcs", &ec2.DescribeVpcsInput{Filters: filter("vpc-id", values)})
			return idsOf(out.Vpcs, func(v *ec2.Vpc) *string { return v.VpcId }), err
		}
	case "AWS::EC2::Subnet::Id":
		return func(ctx context.Context, s *Service, values []string) ([]string, error) {
			out, err := described[ec2.DescribeSubnetsOutput](ctx, s, "DescribeSubnets", &ec2.DescribeSubnetsInput{Filters: filter("subnet-id", values)})
			return idsOf(out.Subnets, func(v *ec2.Subnet) *string { return v.SubnetId }), err
		}
	case "AWS::EC2::SecurityGroup::Id":
		return func(ctx context.Context, s *Service, values []string) ([]string, error) {
			out, err := described[ec2.DescribeSecurityGroupsOutput](ctx, s, "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{Filters: filter("group-id", values)})
			return idsOf(out.SecurityGroups, func(v *ec2.SecurityGroup) *string { return v.GroupId }), err
		}
	case "AWS::EC2::SecurityGroup::GroupName":
		return func(ctx context.Context, s *Service, values []string) ([]string, error) {
			out, err := described[ec2.DescribeSecurityGroupsOutput](ctx, s, "DescribeSecurityGroups", &ec2.DescribeSecurityGroupsInput{Filters: filter("group-name", values)})
			return idsOf(out.SecurityGroups, func(v *ec2.SecurityGroup) *string { return v.GroupName }), err
		}
	case "AWS::EC2::KeyPair::KeyName":
		return func(ctx context.Context, s *Service, values []string) ([]string, error) {
			out, err := described[ec2.DescribeKeyPairsOutput](ctx, s, "DescribeKeyPairs", &ec2.DescribeKeyPairsInput{Filters: filter("key-name", values)})
			return idsOf(out.KeyPairs, func(v *ec2.KeyPairInfo) *string { return v.KeyName }), err
		}
	case "AWS::EC2::AvailabilityZone::Name":
		return func(ctx context.Context, s *Service, values []string) ([]string, error) {
			out, err := described[ec2.DescribeAvailabilityZonesOutput](ctx, s, "DescribeAvailabilityZones", &ec2.DescribeAvailabilityZonesInput{Filters: filter("zone-name", values)})
			return idsOf(out.AvailabilityZones, func(v *ec2.AvailabilityZone) *string { return v.ZoneName }), err
		}
	case "AWS::EC2::Image::Id":
		return func(_ context.Context, _ *Service, values []string) ([]string, error) {
			return slices.DeleteFunc(slices.Clone(values), func(v string) bool { return !imageID.MatchString(v) }), nil
		}
	case "AWS::EC2::Instance::Id", "AWS::EC2::Volume::Id":
		return func(context.Context, *Service, []string) ([]string, error) { return nil, nil } // there are none
	}
	return nil
}

// described calls EC2 as the caller. It never returns nil.
func described[Out any](ctx context.Context, s *Service, operation string, in any) (*Out, error) {
	out, err := service.Call[Out](ctx, s.Door, "ec2", operation, in)
	if err != nil {
		return new(Out), err
	}
	return out, nil
}

func idsOf[T any](list []T, id func(*T) *string) []string {
	var out []string
	for i := range list {
		out = append(out, deref(id(&list[i])))
	}
	return out
}
