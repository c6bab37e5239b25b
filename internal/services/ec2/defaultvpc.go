package ec2

import (
	"context"
	"net/netip"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store/record"
)

// defaultBlock is the block of default networks, defaultBits the size of their subnets
// (https://docs.aws.amazon.com/vpc/latest/userguide/default-vpc.html).
const (
	defaultBlock = "172.31.0.0/16"
	defaultBits  = 20
)

// settle makes the default network of an account in a region when it is first asked about.
func (s *Service) settle(ctx context.Context) error {
	var done bool
	err := s.view(ctx, func(v *view) (err error) {
		done, err = record.Has(v, v.settled())
		return err
	})
	if err != nil || done {
		return err
	}
	return s.update(ctx, func(e *edit) error {
		if there, err := record.Has(e, e.settled()); err != nil || there {
			return err
		}
		e.tx.Set(e.settled(), []byte("{}"))
		_, err := e.makeDefaultVPC()
		return err
	})
}

// defaultVPC returns the default network, or nil when it was deleted.
func (v *view) defaultVPC() (*vpc, error) {
	networks, err := all(v, &vpcs)
	if err != nil {
		return nil, err
	}
	for i := range networks {
		if *networks[i].IsDefault {
			return &networks[i], nil
		}
	}
	return nil, nil
}

// makeDefaultVPC makes a default network: with a subnet in each zone, and a way to the internet.
func (e *edit) makeDefaultVPC() (*vpc, error) {
	v, err := e.makeVPC(e.newID("vpc"), netip.MustParsePrefix(defaultBlock))
	if err != nil {
		return nil, err
	}
	v.IsDefault, v.DNSHostnames = new(true), true
	if err := put(e, &vpcs, v); err != nil {
		return nil, err
	}
	for _, z := range zonesOf(e.region) {
		if _, err := e.makeDefaultSubnet(v, z); err != nil {
			return nil, err
		}
	}
	igw := &internetGateway{api.InternetGateway{
		InternetGatewayId: new(e.newID("igw")), OwnerId: &e.account, Attachments: []api.InternetGatewayAttachment{{State: "available", VpcId: v.VpcId}},
	}}
	if err := put(e, &internetGateways, igw); err != nil {
		return nil, err
	}
	table, err := e.mainTable(*v.VpcId)
	if err != nil {
		return nil, err
	}
	table.Routes = append(table.Routes, api.Route{DestinationCidrBlock: new("0.0.0.0/0"), GatewayId: igw.InternetGatewayId, Origin: "CreateRoute"})
	return v, put(e, &routeTables, table)
}

func (e *edit) makeDefaultSubnet(v *vpc, z zone) (*subnet, error) {
	others, err := using(e.view, &subnets, *v.VpcId)
	if err != nil {
		return nil, err
	}
	var taken []netip.Prefix
	for _, o := range others {
		taken = append(taken, o.block())
	}
	block, ok := nextSubnet(netip.MustParsePrefix(*v.CidrBlock), defaultBits, taken)
	if !ok {
		return nil, refuse("InsufficientCidrBlocks", "There is no room left in the default VPC for a subnet of /%d", defaultBits)
	}
	sub := newSubnet(e.scope, e.newID("subnet"), *v.VpcId, block, z)
	sub.DefaultForAz, sub.MapPublicIpOnLaunch = new(true), new(true)
	return sub, e.makeSubnet(sub)
}

func (s *Service) createDefaultVpc(ctx context.Context, _ *api.CreateDefaultVpcInput) (*api.CreateDefaultVpcOutput, error) {
	var out api.Vpc
	return &api.CreateDefaultVpcOutput{Vpc: &out}, s.update(ctx, func(e *edit) error {
		there, err := e.defaultVPC()
		if err != nil {
			return err
		}
		if there != nil {
			return refuse("DefaultVpcAlreadyExists", "A Default VPC already exists for this account in this region.")
		}
		made, err := e.makeDefaultVPC()
		if err != nil {
			return err
		}
		out, err = showVPC(e.view, made)
		return err
	})
}

func (s *Service) createDefaultSubnet(ctx context.Context, in *api.CreateDefaultSubnetInput) (*api.CreateDefaultSubnetOutput, error) {
	var out api.Subnet
	return &api.CreateDefaultSubnetOutput{Subnet: &out}, s.update(ctx, func(e *edit) error {
		if (in.AvailabilityZone == nil) == (in.AvailabilityZoneId == nil) {
			return missing("availabilityZone")
		}
		z, err := zoneNamed(e.region, in.AvailabilityZone, in.AvailabilityZoneId)
		if err != nil {
			return err
		}
		v, err := e.defaultVPC()
		if err == nil && v == nil {
			err = refuse("DefaultVpcDoesNotExist", "No default VPC exists for this account in this region.")
		}
		if err != nil {
			return err
		}
		subs, err := using(e.view, &subnets, *v.VpcId)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(subs, func(s *subnet) bool { return opt.Value(s.DefaultForAz) && *s.AvailabilityZone == z.name }) {
			return refuse("DefaultSubnetAlreadyExistsInAvailabilityZone", "A default subnet already exists in %s.", z.name)
		}
		made, err := e.makeDefaultSubnet(v, z)
		if err != nil {
			return err
		}
		out, err = showSubnet(e.view, made)
		return err
	})
}
