package iam

import (
	"context"
	"encoding/base32"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"rsc.io/qr"

	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// mfaQuota is how many devices a user may have.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
	mfaQuota = 8
	// seedBytes is the size of a seed: 64 characters in base 32.
	seedBytes = 40
)

// mfaDevice is the record of a virtual MFA device.
type mfaDevice struct {
	Account, Path, Name string
	Created             time.Time
	// Seed is sealed under the master key for the purpose that seedPurpose names.
	Seed []byte
	Tags []api.Tag `json:",omitempty"`
	// User is the name of the user that it is enabled for, or empty, and Enabled since when.
	User    string
	Enabled time.Time

	// Drift is how many steps the clock of the device is ahead, Last the step of the last code that was used.
	Drift, Last int64
	// Wrong counts wrong codes since the last right one; Blocked is until when no code is looked at.
	Wrong   int
	Blocked time.Time
}

func seedPurpose(serial string) string { return "seed of MFA device " + serial }

// serial is the serial number: the ARN.
func (d *mfaDevice) serial() string { return mfaARN(d.Account, d.Path, d.Name) }

func (d *mfaDevice) place() string { return d.Path + d.Name }

func mfaARN(account, path, name string) string {
	return "arn:aws:iam::" + account + ":mfa" + path + name
}

func noDevice(serial string) *service.Error {
	return fail(missing, 404, "VirtualMFADevice with serial number %s doesn't exist.", serial)
}

// findDevice reads the device of a serial number, or answers NoSuchEntity.
func findDevice(r store.Reader, account, serial string) (*mfaDevice, error) {
	place, ok := strings.CutPrefix(serial, mfaARN(account, "", ""))
	if ok && strings.HasPrefix(place, "/") {
		d, ok, err := record.Get[mfaDevice](r, mfaKey(account, place))
		if err != nil || ok && d.serial() == serial {
			return &d, err
		}
	}
	return nil, noDevice(serial)
}

// devicesOf returns the devices that are enabled for a user.
func devicesOf(r store.Reader, account, name string) ([]mfaDevice, error) {
	list, err := record.List[mfaDevice](r, all(account, "mfa").Span())
	return slices.DeleteFunc(list, func(d mfaDevice) bool { return d.User == "" || !strings.EqualFold(d.User, name) }), err
}

func putDevice(tx store.Txn, d *mfaDevice) error {
	return record.Set(tx, mfaKey(d.Account, d.place()), d)
}

// changeDevice reads a device, lets fn change it and writes it back.
func (s *IAM) changeDevice(ctx context.Context, serial string, fn func(tx store.Txn, d *mfaDevice) error) error {
	return s.update(ctx, func(tx store.Txn) error {
		d, err := findDevice(tx, account(ctx), serial)
		if err != nil {
			return err
		}
		if err := fn(tx, d); err != nil {
			return err
		}
		return putDevice(tx, d)
	})
}

func (s *IAM) createVirtualMFADevice(ctx context.Context, in *api.CreateVirtualMFADeviceInput) (*api.CreateVirtualMFADeviceOutput, error) {
	path, err := pathOf(in.Path)
	if err != nil {
		return nil, err
	}
	d := mfaDevice{Account: account(ctx), Path: path, Name: in.VirtualMFADeviceName, Created: s.now()}
	if d.Tags, err = merge(nil, in.Tags); err != nil {
		return nil, err
	}
	seed := make([]byte, seedBytes)
	if _, err := io.ReadFull(s.deps.Random, seed); err != nil {
		return nil, fmt.Errorf("make a seed: %w", err)
	}
	if d.Seed, err = s.ring.Seal(seedPurpose(d.serial()), seed); err != nil {
		return nil, fmt.Errorf("seal a seed: %w", err)
	}
	owner := d.Account
	err = s.update(ctx, func(tx store.Txn) error {
		has, err := record.Has(tx, mfaKey(d.Account, d.place()))
		if err != nil {
			return err
		}
		if has {
			return fail("EntityAlreadyExists", 409, "MFADevice entity at the same path and name already exists.")
		}
		names, err := record.List[alias](tx, all(d.Account, "alias").Span())
		if err != nil {
			return err
		}
		for _, n := range names {
			owner = n.Name
		}
		return putDevice(tx, &d)
	})
	if err != nil {
		return nil, err
	}
	shown := base32.StdEncoding.EncodeToString(seed)
	code, err := qr.Encode("otpauth://totp/"+url.PathEscape(d.Name+"@"+owner)+"?secret="+shown, qr.M)
	if err != nil {
		return nil, fmt.Errorf("draw the QR code of a seed: %w", err)
	}
	return &api.CreateVirtualMFADeviceOutput{VirtualMFADevice: &api.VirtualMFADevice{SerialNumber: d.serial(), Base32StringSeed: []byte(shown), QRCodePNG: code.PNG(), Tags: d.Tags}}, nil
}

func (s *IAM) deleteVirtualMFADevice(ctx context.Context, in *api.DeleteVirtualMFADeviceInput) (*api.DeleteVirtualMFADeviceOutput, error) {
	return &api.DeleteVirtualMFADeviceOutput{}, s.update(ctx, func(tx store.Txn) error {
		d, err := findDevice(tx, account(ctx), in.SerialNumber)
		if err != nil {
			return err
		}
		if d.User != "" {
			return conflict("MFA VirtualDevice in use. Must deactivate first.")
		}
		tx.Delete(mfaKey(d.Account, d.place()))
		return nil
	})
}

func (s *IAM) getMFADevice(ctx context.Context, in *api.GetMFADeviceInput) (*api.GetMFADeviceOutput, error) {
	out := &api.GetMFADeviceOutput{SerialNumber: in.SerialNumber}
	return out, s.deps.Store.View(ctx, func(r store.Reader) error {
		d, err := s.ownDevice(ctx, r, in.UserName, in.SerialNumber)
		if err != nil {
			return err
		}
		out.UserName, out.EnableDate = &d.User, &d.Enabled
		return nil
	})
}

// ownDevice reads a device that is enabled for the user, or without one for the caller; only callers that are no users may leave the user out and see all.
func (s *IAM) ownDevice(ctx context.Context, r store.Reader, name *string, serial string) (*mfaDevice, error) {
	d, err := findDevice(r, account(ctx), serial)
	if err != nil {
		return nil, err
	}
	who, err := callerName(ctx, name)
	if err != nil {
		who = d.User
	} else if _, err := find(r, account(ctx), user, who); err != nil {
		return nil, err
	}
	if d.User == "" || !strings.EqualFold(d.User, who) {
		return nil, fail(missing, 404, "MFA Device invalid for user.")
	}
	return d, nil
}

func (s *IAM) listMFADevices(ctx context.Context, in *api.ListMFADevicesInput) (*api.ListMFADevicesOutput, error) {
	out := &api.ListMFADevicesOutput{IsTruncated: ptr(false), MFADevices: []api.MFADevice{}}
	if in.UserName == nil && service.RequestFrom(ctx).Principal.Kind == service.Root {
		return out, nil // The root user has none here.
	}
	name, err := callerName(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return out, s.deps.Store.View(ctx, func(r store.Reader) error {
		e, err := find(r, account(ctx), user, name)
		if err != nil {
			return err
		}
		list, err := devicesOf(r, e.Account, e.Name)
		if err != nil {
			return err
		}
		list, out.IsTruncated, out.Marker, err = page(list, in.Marker, in.MaxItems, (*mfaDevice).place)
		out.MFADevices = mapped(list, func(d *mfaDevice) api.MFADevice {
			return api.MFADevice{UserName: d.User, SerialNumber: d.serial(), EnableDate: d.Enabled}
		})
		return err
	})
}

func (s *IAM) listVirtualMFADevices(ctx context.Context, in *api.ListVirtualMFADevicesInput) (*api.ListVirtualMFADevicesOutput, error) {
	out := &api.ListVirtualMFADevicesOutput{}
	return out, s.deps.Store.View(ctx, func(r store.Reader) error {
		out.VirtualMFADevices = []api.VirtualMFADevice{}
		list, err := record.List[mfaDevice](r, all(account(ctx), "mfa").Span())
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(d mfaDevice) bool {
			return in.AssignmentStatus == api.AssignmentStatusTypeAssigned && d.User == "" || in.AssignmentStatus == api.AssignmentStatusTypeUnassigned && d.User != ""
		})
		if list, out.IsTruncated, out.Marker, err = page(list, in.Marker, in.MaxItems, (*mfaDevice).place); err != nil {
			return err
		}
		for i := range list {
			v := api.VirtualMFADevice{SerialNumber: list[i].serial()}
			if list[i].User != "" {
				e, err := find(r, list[i].Account, user, list[i].User)
				if err != nil {
					return err
				}
				v.User, v.EnableDate = ptr(e.user()), &list[i].Enabled
				v.User.Tags = nil // Not part of a listing.
			}
			out.VirtualMFADevices = append(out.VirtualMFADevices, v)
		}
		return nil
	})
}

func (s *IAM) tagMFADevice(ctx context.Context, in *api.TagMFADeviceInput) (*api.TagMFADeviceOutput, error) {
	return &api.TagMFADeviceOutput{}, s.changeDevice(ctx, in.SerialNumber, func(_ store.Txn, d *mfaDevice) (err error) {
		d.Tags, err = merge(d.Tags, in.Tags)
		return err
	})
}

func (s *IAM) untagMFADevice(ctx context.Context, in *api.UntagMFADeviceInput) (*api.UntagMFADeviceOutput, error) {
	return &api.UntagMFADeviceOutput{}, s.changeDevice(ctx, in.SerialNumber, func(_ store.Txn, d *mfaDevice) error {
		d.Tags = without(d.Tags, in.TagKeys)
		return nil
	})
}

func (s *IAM) listMFADeviceTags(ctx context.Context, in *api.ListMFADeviceTagsInput) (*api.ListMFADeviceTagsOutput, error) {
	out := &api.ListMFADeviceTagsOutput{IsTruncated: ptr(false)}
	return out, s.deps.Store.View(ctx, func(r store.Reader) error {
		d, err := findDevice(r, account(ctx), in.SerialNumber)
		if err == nil {
			out.Tags = d.Tags
		}
		return err
	})
}
