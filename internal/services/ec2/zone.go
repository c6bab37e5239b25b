package ec2

import (
	"context"
	"slices"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/regions"
)

// zone is an availability zone. Every region has three, those that templates get from Fn::GetAZs.
type zone struct{ name, id, group, title string }

// openRegions are on in every account, optionalRegions have to be asked for on AWS
// (https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html).
var (
	openRegions = []string{
		"ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1",
		"eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
	}
	optionalRegions = []string{
		"af-south-1", "ap-east-1", "ap-east-2", "ap-south-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-7", "ca-west-1", "eu-central-2", "eu-south-1",
		"eu-south-2", "il-central-1", "me-central-1", "me-south-1", "mx-central-1",
	}
	directions = map[string]string{
		"north": "n", "south": "s", "east": "e", "west": "w", "central": "c", "northeast": "ne", "southeast": "se", "northwest": "nw", "southwest": "sw",
	}
)

// shortRegion is the name of a region in the ids of its zones: "use1" for "us-east-1".
func shortRegion(region string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(region, "-") {
		switch {
		case part == "gov":
			part = "g"
		case directions[part] != "":
			part = directions[part]
		}
		b.WriteString(part)
	}
	return b.String()
}

// zonesOf returns the zones of a region. Which letter is which zone differs between accounts of AWS; here it is the same in all.
func zonesOf(region string) []zone {
	numbers := []int{1, 2, 3}
	if region == "us-east-1" {
		numbers = []int{6, 1, 2}
	}
	var out []zone
	for i, n := range numbers {
		out = append(out, zone{name: region + string(rune('a'+i)), id: shortRegion(region) + "-az" + strconv.Itoa(n), group: region + "-zg-1", title: regions.Title(region) + " 1"})
	}
	return out
}

// zoneNamed returns the zone of a region that has a name or an id.
func zoneNamed(region string, name, id *string) (zone, error) {
	zones := zonesOf(region)
	i := slices.IndexFunc(zones, func(z zone) bool { return name != nil && z.name == *name || name == nil && id != nil && z.id == *id })
	if i >= 0 {
		return zones[i], nil
	}
	var names []string
	for _, z := range zones {
		names = append(names, z.name)
	}
	if name == nil {
		return zone{}, invalid("Value (%s) for parameter availabilityZoneId is invalid.", opt.Value(id))
	}
	return zone{}, invalid("Value (%s) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: %s.",
		*name, strings.Join(names, ", "))
}

var zoneFields = fields[*api.AvailabilityZone]{values: map[string]func(*api.AvailabilityZone) []string{
	"group-name":      func(z *api.AvailabilityZone) []string { return text(z.GroupName) },
	"group-long-name": func(z *api.AvailabilityZone) []string { return text(z.GroupLongName) },
	"message":         func(*api.AvailabilityZone) []string { return nil },
	"opt-in-status":   func(z *api.AvailabilityZone) []string { return []string{z.OptInStatus} },
	"region-name":     func(z *api.AvailabilityZone) []string { return text(z.RegionName) },
	"state":           func(z *api.AvailabilityZone) []string { return []string{z.State} },
	"zone-id":         func(z *api.AvailabilityZone) []string { return text(z.ZoneId) },
	"zone-name":       func(z *api.AvailabilityZone) []string { return text(z.ZoneName) },
	"zone-type":       func(z *api.AvailabilityZone) []string { return text(z.ZoneType) },
	"parent-zone-id":  func(*api.AvailabilityZone) []string { return nil },
}}

func (s *Service) describeAvailabilityZones(ctx context.Context, in *api.DescribeAvailabilityZonesInput) (*api.DescribeAvailabilityZonesOutput, error) {
	region := scopeOf(ctx).region
	zones := zonesOf(region)
	for _, name := range in.ZoneNames {
		if !slices.ContainsFunc(zones, func(z zone) bool { return z.name == name }) {
			return nil, invalid("Invalid availability zone: [%s]", name)
		}
	}
	for _, id := range in.ZoneIds {
		if !slices.ContainsFunc(zones, func(z zone) bool { return z.id == id }) {
			return nil, invalid("Invalid availability zone-id: [%s]", id)
		}
	}
	var shapes []api.AvailabilityZone
	for _, z := range zones {
		if len(in.ZoneNames) > 0 && !slices.Contains(in.ZoneNames, z.name) || len(in.ZoneIds) > 0 && !slices.Contains(in.ZoneIds, z.id) {
			continue
		}
		shapes = append(shapes, api.AvailabilityZone{
			ZoneName: &z.name, ZoneId: &z.id, RegionName: &region, State: "available", OptInStatus: "opt-in-not-required", ZoneType: new("availability-zone"),
			GroupName: &z.group, GroupLongName: &z.title, NetworkBorderGroup: &region, Messages: []api.AvailabilityZoneMessage{},
		})
	}
	out, _, err := choose(shapes, query{filters: in.Filters}, &zoneFields)
	return &api.DescribeAvailabilityZonesOutput{AvailabilityZones: out}, err
}

var regionFields = fields[*api.Region]{values: map[string]func(*api.Region) []string{
	"endpoint":      func(r *api.Region) []string { return text(r.Endpoint) },
	"opt-in-status": func(r *api.Region) []string { return text(r.OptInStatus) },
	"region-name":   func(r *api.Region) []string { return text(r.RegionName) },
}}

// describeRegions answers the regions of AWS. All of them work here, whether they have to be asked for on AWS or not.
func (s *Service) describeRegions(_ context.Context, in *api.DescribeRegionsInput) (*api.DescribeRegionsOutput, error) {
	for _, name := range in.RegionNames {
		if !slices.Contains(openRegions, name) && !slices.Contains(optionalRegions, name) {
			return nil, invalid("Invalid region name: %s", name)
		}
	}
	var shapes []api.Region
	add := func(names []string, status string, shown bool) {
		for _, name := range names {
			if len(in.RegionNames) > 0 && slices.Contains(in.RegionNames, name) || len(in.RegionNames) == 0 && shown {
				shapes = append(shapes, api.Region{RegionName: &name, Endpoint: new("ec2." + name + ".amazonaws.com"), OptInStatus: &status})
			}
		}
	}
	add(openRegions, "opt-in-not-required", true)
	add(optionalRegions, "not-opted-in", opt.Value(in.AllRegions))
	out, _, err := choose(shapes, query{filters: in.Filters}, &regionFields)
	return &api.DescribeRegionsOutput{Regions: out}, err
}
