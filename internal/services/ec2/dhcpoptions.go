package ec2

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/order"
)

// dhcpSet is a set of DHCP options.
type dhcpSet struct {
	api.DhcpOptions
	// Default tells that it is the one that networks of the account begin with.
	Default bool `json:",omitempty"`
}

// noDHCP is what a network without options names.
const noDHCP = "default"

var dhcpSets = kind[dhcpSet]{
	class: class{name: "dhcp-options", prefix: "dopt", absent: "InvalidDhcpOptionID.NotFound", malformed: "InvalidDhcpOptionsId.Malformed", unknown: "The dhcpOption ID '%s' does not exist"},
	id:    func(d *dhcpSet) string { return *d.DhcpOptionsId },
}

// dhcpKeys are the options that a set may have (https://docs.aws.amazon.com/vpc/latest/userguide/VPC_DHCP_Options.html).
var dhcpKeys = []string{"domain-name", "domain-name-servers", "ipv6-address-preferred-lease-time", "netbios-name-servers", "netbios-node-type", "ntp-servers"}

var dhcpFields = fields[*api.DhcpOptions]{
	id:   func(d *api.DhcpOptions) *string { return d.DhcpOptionsId },
	tags: func(d *api.DhcpOptions) []api.Tag { return d.Tags },
	values: map[string]func(*api.DhcpOptions) []string{
		"dhcp-options-id": func(d *api.DhcpOptions) []string { return text(d.DhcpOptionsId) },
		"owner-id":        func(d *api.DhcpOptions) []string { return text(d.OwnerId) },
		"key": func(d *api.DhcpOptions) []string {
			return each(d.DhcpConfigurations, func(c *api.DhcpConfiguration) []string { return text(c.Key) })
		},
		"value": func(d *api.DhcpOptions) []string {
			return each(d.DhcpConfigurations, func(c *api.DhcpConfiguration) []string {
				return each(c.Values, func(v *api.AttributeValue) []string { return text(v.Value) })
			})
		},
	},
}

func showDHCP(v *view, d *dhcpSet) (out api.DhcpOptions, err error) {
	out = d.DhcpOptions
	out.Tags, err = v.tagsOf(*d.DhcpOptionsId)
	return out, err
}

func (s *Service) describeDhcpOptions(ctx context.Context, in *api.DescribeDhcpOptionsInput) (*api.DescribeDhcpOptionsOutput, error) {
	out, next, err := list(ctx, s, &dhcpSets, query{in.DhcpOptionsIds, in.Filters, in.MaxResults, in.NextToken}, &dhcpFields, showDHCP)
	return &api.DescribeDhcpOptionsOutput{DhcpOptions: out, NextToken: next}, err
}

// defaultDHCP returns the id of the set that networks begin with.
func (e *edit) defaultDHCP() (string, error) {
	sets, err := all(e.view, &dhcpSets)
	if err != nil {
		return "", err
	}
	for i := range sets {
		if sets[i].Default {
			return *sets[i].DhcpOptionsId, nil
		}
	}
	domain := e.region + ".compute.internal"
	if e.region == "us-east-1" {
		domain = "ec2.internal"
	}
	id := e.newID("dopt")
	return id, put(e, &dhcpSets, &dhcpSet{Default: true, DhcpOptions: api.DhcpOptions{DhcpOptionsId: &id, OwnerId: &e.account, DhcpConfigurations: []api.DhcpConfiguration{
		{Key: new("domain-name"), Values: []api.AttributeValue{{Value: &domain}}},
		{Key: new("domain-name-servers"), Values: []api.AttributeValue{{Value: new("AmazonProvidedDNS")}}},
	}}})
}

func (s *Service) createDhcpOptions(ctx context.Context, in *api.CreateDhcpOptionsInput) (*api.CreateDhcpOptionsOutput, error) {
	configurations, err := dhcpConfigurations(in.DhcpConfigurations)
	if err != nil {
		return nil, err
	}
	var out api.DhcpOptions
	return &api.CreateDhcpOptionsOutput{DhcpOptions: &out}, s.update(ctx, func(e *edit) error {
		id, made, err := dhcpSets.make(e)
		if err != nil {
			return err
		}
		if made == nil {
			made = &dhcpSet{DhcpOptions: api.DhcpOptions{DhcpOptionsId: &id, OwnerId: &e.account, DhcpConfigurations: configurations}}
			if err := put(e, &dhcpSets, made); err != nil {
				return err
			}
		}
		if err := e.specified(&dhcpSets.class, id, in.TagSpecifications); err != nil {
			return err
		}
		out, err = showDHCP(e.view, made)
		return err
	})
}

func dhcpConfigurations(in []api.NewDhcpConfiguration) ([]api.DhcpConfiguration, error) {
	out := []api.DhcpConfiguration{}
	for _, c := range in {
		name := opt.Value(c.Key)
		if !slices.Contains(dhcpKeys, name) {
			return nil, invalid("Value (%s) for parameter key is invalid. Unknown DHCP option", name)
		}
		if len(c.Values) == 0 {
			return nil, invalid("Value () for parameter value is invalid. Invalid DHCP option value for %s", name)
		}
		if len(c.Values) > 4 {
			return nil, invalid("Value (%v) for parameter value is invalid. %s takes at most four values", c.Values, name)
		}
		made := api.DhcpConfiguration{Key: &name}
		for _, v := range c.Values {
			made.Values = append(made.Values, api.AttributeValue{Value: &v})
		}
		out = append(out, made)
	}
	order.Stable(out, func(a, b api.DhcpConfiguration) int {
		return slices.Index(dhcpKeys, *a.Key) - slices.Index(dhcpKeys, *b.Key)
	})
	return out, nil
}

func (s *Service) deleteDhcpOptions(ctx context.Context, in *api.DeleteDhcpOptionsInput) (*api.DeleteDhcpOptionsOutput, error) {
	return &api.DeleteDhcpOptionsOutput{}, s.update(ctx, func(e *edit) error {
		d, err := get(e.view, &dhcpSets, in.DhcpOptionsId)
		if err != nil {
			return err
		}
		users, err := e.usersOf(in.DhcpOptionsId)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return inUse("dhcpOptions", in.DhcpOptionsId)
		}
		drop(e, &dhcpSets, d)
		return nil
	})
}

func (s *Service) associateDhcpOptions(ctx context.Context, in *api.AssociateDhcpOptionsInput) (*api.AssociateDhcpOptionsOutput, error) {
	return &api.AssociateDhcpOptionsOutput{}, change(ctx, s, &vpcs, in.VpcId, func(e *edit, v *vpc) error {
		if in.DhcpOptionsId != noDHCP {
			if _, err := get(e.view, &dhcpSets, in.DhcpOptionsId); err != nil {
				return err
			}
		}
		v.DhcpOptionsId = &in.DhcpOptionsId
		return nil
	})
}
