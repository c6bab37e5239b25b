package ec2

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/machineimage"
	"lambent.dev/lambent/internal/lib/order"
)

// hexOf returns hexadecimal digits that follow from a text.
func hexOf(text string, digits int) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])[:digits]
}

func (s *Service) describeAccountAttributes(ctx context.Context, in *api.DescribeAccountAttributesInput) (*api.DescribeAccountAttributesOutput, error) {
	out := &api.DescribeAccountAttributesOutput{AccountAttributes: []api.AccountAttribute{}}
	return out, s.view(ctx, func(v *view) error {
		network, err := v.defaultVPC()
		if err != nil {
			return err
		}
		id := "none"
		if network != nil {
			id = *network.VpcId
		}
		for _, a := range [][2]string{
			{"supported-platforms", "VPC"},
			{"default-vpc", id},
			{"max-instances", "20"},
			{"vpc-max-security-groups-per-interface", "5"},
			{"max-elastic-ips", "5"},
			{"vpc-max-elastic-ips", "5"},
		} {
			if len(in.AttributeNames) == 0 || slices.Contains(in.AttributeNames, a[0]) {
				out.AccountAttributes = append(out.AccountAttributes, api.AccountAttribute{AttributeName: &a[0], AttributeValues: []api.AccountAttributeValue{{AttributeValue: &a[1]}}})
			}
		}
		return nil
	})
}

// describeInstances answers that there are no machines, which is true: whatever the filters are, none matches.
func (s *Service) describeInstances(_ context.Context, in *api.DescribeInstancesInput) (*api.DescribeInstancesOutput, error) {
	if len(in.InstanceIds) > 0 {
		return nil, noInstances(in.InstanceIds)
	}
	return &api.DescribeInstancesOutput{Reservations: []api.Reservation{}}, nil
}

var instances = class{
	name: "instance", prefix: "i", absent: "InvalidInstanceID.NotFound", malformed: "InvalidInstanceID.Malformed", unknown: "The instance ID '%s' does not exist",
}

// noInstances is the error of a call that names machines.
func noInstances(ids []string) error {
	for _, id := range ids {
		if err := instances.check(id); err != nil {
			return err
		}
	}
	return instances.notFound(ids...)
}

var imageFields = fields[*api.Image]{
	id:   func(i *api.Image) *string { return i.ImageId },
	tags: func(i *api.Image) []api.Tag { return i.Tags },
	values: map[string]func(*api.Image) []string{
		"architecture":        func(i *api.Image) []string { return []string{i.Architecture} },
		"creation-date":       func(i *api.Image) []string { return text(i.CreationDate) },
		"description":         func(i *api.Image) []string { return text(i.Description) },
		"ena-support":         func(i *api.Image) []string { return flag(i.EnaSupport) },
		"hypervisor":          func(i *api.Image) []string { return []string{i.Hypervisor} },
		"image-id":            func(i *api.Image) []string { return text(i.ImageId) },
		"image-type":          func(i *api.Image) []string { return []string{i.ImageType} },
		"is-public":           func(i *api.Image) []string { return flag(i.Public) },
		"name":                func(i *api.Image) []string { return text(i.Name) },
		"owner-alias":         func(i *api.Image) []string { return text(i.ImageOwnerAlias) },
		"owner-id":            func(i *api.Image) []string { return text(i.OwnerId) },
		"platform":            func(i *api.Image) []string { return nil },
		"root-device-name":    func(i *api.Image) []string { return text(i.RootDeviceName) },
		"root-device-type":    func(i *api.Image) []string { return []string{i.RootDeviceType} },
		"state":               func(i *api.Image) []string { return []string{i.State} },
		"virtualization-type": func(i *api.Image) []string { return []string{i.VirtualizationType} },
	},
}

// amazonImages is the account that owns Amazon's images.
const amazonImages = "137112412989"

// describeImages answers the images that public parameters name. They are names only: nothing here boots from one.
func (s *Service) describeImages(ctx context.Context, in *api.DescribeImagesInput) (*api.DescribeImagesOutput, error) {
	region := scopeOf(ctx).region
	var shapes []api.Image
	for _, m := range machineimage.List(region) {
		shapes = append(shapes, api.Image{
			ImageId: &m.ID, Name: &m.Name, Description: &m.Description, Architecture: m.Architecture, CreationDate: new("2026-01-01T00:00:00.000Z"), EnaSupport: new(true),
			Hypervisor: "xen", ImageType: "machine", ImageLocation: new("amazon/" + m.Name), ImageOwnerAlias: new("amazon"), OwnerId: new(amazonImages), Public: new(true),
			PlatformDetails: new("Linux/UNIX"), UsageOperation: new("RunInstances"), RootDeviceName: new("/dev/xvda"), RootDeviceType: "ebs", SriovNetSupport: new("simple"),
			State: "available", VirtualizationType: "hvm", Tags: []api.Tag{}, BlockDeviceMappings: []api.BlockDeviceMapping{},
		})
	}
	for _, id := range in.ImageIds {
		if tail, ok := strings.CutPrefix(id, "ami"); !ok || !idTail.MatchString(tail) {
			return nil, refuse("InvalidAMIID.Malformed", "Invalid id: \"%s\" (expecting \"ami-...\")", id)
		}
		if !slices.ContainsFunc(shapes, func(i api.Image) bool { return *i.ImageId == id }) {
			return nil, refuse("InvalidAMIID.NotFound", "The image id '[%s]' does not exist", id)
		}
	}
	shapes = slices.DeleteFunc(shapes, func(i api.Image) bool {
		own := len(in.Owners) == 0 || slices.Contains(in.Owners, "amazon") || slices.Contains(in.Owners, amazonImages)
		return len(in.ImageIds) > 0 && !slices.Contains(in.ImageIds, *i.ImageId) || !own
	})
	order.Sort(shapes, func(a, b api.Image) int { return strings.Compare(*a.ImageId, *b.ImageId) })
	out, next, err := choose(shapes, query{filters: in.Filters, max: in.MaxResults, token: in.NextToken}, &imageFields)
	return &api.DescribeImagesOutput{Images: out, NextToken: next}, err
}
