package iam

import (
	"context"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/totp"
	"lambent.dev/lambent/internal/service"
)

// mfaProperties are the properties of AWS::IAM::VirtualMFADevice.
type mfaProperties struct {
	VirtualMfaDeviceName *string       `cfn:"VirtualMfaDeviceName,createOnly"`
	Path                 *string       `cfn:"Path,createOnly"`
	Users                []string      `cfn:"Users,required"`
	Tags                 []tagProperty `cfn:"Tags"`
}

func (s *IAM) mfaType() service.ResourceType {
	return service.NewResourceType("AWS::IAM::VirtualMFADevice", service.ResourceSpec[mfaProperties]{
		Attributes: []string{"SerialNumber"}, Create: s.createMFAResource, Update: s.updateMFAResource, Delete: s.deleteMFAResource,
		Identifier: []string{"SerialNumber"}, Read: s.readMFAResource, Missing: []string{missing}, List: s.listMFAResources,
	})
}

func mfaResource(serial string) service.Resource {
	return service.Resource{PhysicalID: serial, Attributes: map[string]any{"SerialNumber": serial}}
}

// createMFAResource makes a device and enables it for its user with codes of its seed, which nobody sees.
func (s *IAM) createMFAResource(ctx context.Context, c service.ResourceCall, p *mfaProperties) (service.Resource, error) {
	if len(p.Users) > 1 {
		return service.Resource{}, invalid("Users has %d users; a virtual MFA device is of one user at most.", len(p.Users))
	}
	in := &api.CreateVirtualMFADeviceInput{VirtualMFADeviceName: nameOr(p.VirtualMfaDeviceName, c, 226), Path: p.Path, Tags: tagsOf(c, p.Tags)}
	out, err := ask[api.CreateVirtualMFADeviceOutput](ctx, s, "CreateVirtualMFADevice", in)
	if c.Retry && service.Code(err) == "EntityAlreadyExists" {
		// What the try before made is of no use: its seed is known to nobody.
		path := opt.Value(in.Path)
		if path == "" {
			path = "/"
		}
		if err := s.dropDevice(ctx, mfaARN(account(ctx), path, in.VirtualMFADeviceName)); err != nil {
			return service.Resource{}, err
		}
		out, err = ask[api.CreateVirtualMFADeviceOutput](ctx, s, "CreateVirtualMFADevice", in)
	}
	if err != nil {
		return service.Resource{}, err
	}
	r := mfaResource(out.VirtualMFADevice.SerialNumber)
	if len(p.Users) == 0 {
		return r, nil
	}
	seed, err := base32.StdEncoding.DecodeString(string(out.VirtualMFADevice.Base32StringSeed))
	if err != nil {
		return r, fmt.Errorf("read the seed of %s: %w", r.PhysicalID, err)
	}
	now := totp.Counter(s.deps.Clock.Now())
	return r, s.call(ctx, "EnableMFADevice", &api.EnableMFADeviceInput{
		UserName: p.Users[0], SerialNumber: r.PhysicalID, AuthenticationCode1: totp.Code(seed, now-1), AuthenticationCode2: totp.Code(seed, now),
	})
}

// updateMFAResource changes the tags, and can take the device from its user: another user's device is another one.
func (s *IAM) updateMFAResource(ctx context.Context, c service.ResourceCall, old, p *mfaProperties) (service.Resource, error) {
	r := mfaResource(c.PhysicalID)
	switch {
	case slices.Equal(old.Users, p.Users):
	case len(p.Users) > 0:
		return r, invalid("Users cannot be changed to %s: the seed of the device is known to nobody any more. Give the device another VirtualMfaDeviceName, which replaces it.", strings.Join(p.Users, ", "))
	default:
		if err := s.deactivate(ctx, c.PhysicalID); err != nil {
			return r, err
		}
	}
	return r, retag(tagsOf(c, old.Tags), tagsOf(c, p.Tags), func(keys []string) error {
		return s.call(ctx, "UntagMFADevice", &api.UntagMFADeviceInput{SerialNumber: c.PhysicalID, TagKeys: keys})
	}, func(tags []api.Tag) error {
		return s.call(ctx, "TagMFADevice", &api.TagMFADeviceInput{SerialNumber: c.PhysicalID, Tags: tags})
	})
}

func (s *IAM) deleteMFAResource(ctx context.Context, c service.ResourceCall, _ *mfaProperties) error {
	return s.dropDevice(ctx, c.PhysicalID)
}

// dropDevice deletes a device, whoever has it.
func (s *IAM) dropDevice(ctx context.Context, serial string) error {
	if err := s.deactivate(ctx, serial); err != nil {
		return err
	}
	return gone(s.call(ctx, "DeleteVirtualMFADevice", &api.DeleteVirtualMFADeviceInput{SerialNumber: serial}))
}

// deactivate takes a device from the user who has it.
func (s *IAM) deactivate(ctx context.Context, serial string) error {
	d, err := s.deviceNow(ctx, serial)
	if err != nil || d.User == nil {
		return gone(err)
	}
	return gone(s.call(ctx, "DeactivateMFADevice", &api.DeactivateMFADeviceInput{UserName: &d.User.UserName, SerialNumber: serial}))
}

// deviceNow finds a device in the list of all, which alone tells of a device that nobody has.
func (s *IAM) deviceNow(ctx context.Context, serial string) (*api.VirtualMFADevice, error) {
	list, err := gather(func(marker *string) ([]api.VirtualMFADevice, *string, error) {
		out, err := ask[api.ListVirtualMFADevicesOutput](ctx, s, "ListVirtualMFADevices", &api.ListVirtualMFADevicesInput{Marker: marker})
		if err != nil {
			return nil, nil, err
		}
		return out.VirtualMFADevices, out.Marker, nil
	})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(list, func(d api.VirtualMFADevice) bool { return d.SerialNumber == serial })
	if i < 0 {
		return nil, noDevice(serial)
	}
	return &list[i], nil
}

func (s *IAM) readMFAResource(ctx context.Context, id service.Identifier) (*mfaProperties, service.Resource, error) {
	d, err := s.deviceNow(ctx, id[0])
	if err != nil {
		return nil, service.Resource{}, err
	}
	tags, err := ask[api.ListMFADeviceTagsOutput](ctx, s, "ListMFADeviceTags", &api.ListMFADeviceTagsInput{SerialNumber: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	place := strings.TrimPrefix(d.SerialNumber, mfaARN(account(ctx), "", ""))
	cut := strings.LastIndexByte(place, '/') + 1
	p := &mfaProperties{Path: new(place[:cut]), VirtualMfaDeviceName: new(place[cut:]), Users: []string{}}
	if d.User != nil {
		p.Users = []string{d.User.UserName}
	}
	for _, t := range tags.Tags {
		if !strings.HasPrefix(t.Key, "aws:") {
			p.Tags = append(p.Tags, tagProperty{t.Key, t.Value})
		}
	}
	return p, mfaResource(d.SerialNumber), nil
}

func (s *IAM) listMFAResources(ctx context.Context, _ *mfaProperties, next string) (service.Page, error) {
	out, err := ask[api.ListVirtualMFADevicesOutput](ctx, s, "ListVirtualMFADevices", &api.ListVirtualMFADevicesInput{Marker: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.VirtualMFADevices, out.Marker, func(d *api.VirtualMFADevice) service.Identifier { return service.Identifier{d.SerialNumber} }), nil
}
