package iam

import (
	"context"
	"fmt"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth"
	api "lambent.dev/lambent/internal/awsapi/iam"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/totp"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// How far the clock of a device may be from ours, in steps of 30 seconds, and what wrong codes cost. Six digits are guessed in minutes where nothing slows it down
// (RFC 4226, section 7.3): from the fifth wrong code on, each doubles how long no code is looked at.
const (
	enableDrift = 10  // when a device is enabled: five minutes
	resyncDrift = 120 // when it is synchronized again: an hour
	codeDrift   = 1   // from the last known drift, when a code is used
	wrongFree   = 4
	firstBlock  = 30 * time.Second
	longBlock   = time.Hour
)

func (s *IAM) seed(d *mfaDevice) ([]byte, error) {
	seed, err := s.ring.Open(seedPurpose(d.serial()), d.Seed)
	if err != nil {
		return nil, fmt.Errorf("open the seed of %s: %w", d.serial(), err)
	}
	return seed, nil
}

// synchronize takes the drift of a device from two codes that it showed one after the other, at most the given steps from our time and after the last code that was used.
func (s *IAM) synchronize(d *mfaDevice, drift int64, codes ...string) error {
	seed, err := s.seed(d)
	if err != nil {
		return err
	}
	now := totp.Counter(s.deps.Clock.Now())
	at, ok := totp.Find(seed, max(now-drift, d.Last+1), now+drift, codes...)
	if !ok {
		return fail("InvalidAuthenticationCode", 403, "Authentication code for device is not valid. Give two codes that the device showed one after the other, the second not long ago.")
	}
	d.Last = at + int64(len(codes)) - 1
	d.Drift, d.Wrong, d.Blocked = d.Last-now, 0, time.Time{}
	return nil
}

func (s *IAM) enableMFADevice(ctx context.Context, in *api.EnableMFADeviceInput) (*api.EnableMFADeviceOutput, error) {
	return &api.EnableMFADeviceOutput{}, s.changeDevice(ctx, in.SerialNumber, func(tx store.Txn, d *mfaDevice) error {
		e, err := find(tx, d.Account, user, in.UserName)
		if err != nil {
			return err
		}
		have, err := devicesOf(tx, d.Account, e.Name)
		switch {
		case err != nil:
			return err
		case d.User != "":
			return fail("EntityAlreadyExists", 409, "MFADevice is already in use.")
		case len(have) >= mfaQuota:
			return limit("Cannot exceed quota for MFADevicesPerUser: %d", mfaQuota)
		}
		d.User, d.Enabled = e.Name, s.now()
		return s.synchronize(d, enableDrift, in.AuthenticationCode1, in.AuthenticationCode2)
	})
}

func (s *IAM) resyncMFADevice(ctx context.Context, in *api.ResyncMFADeviceInput) (*api.ResyncMFADeviceOutput, error) {
	return &api.ResyncMFADeviceOutput{}, s.changeDevice(ctx, in.SerialNumber, func(tx store.Txn, d *mfaDevice) error {
		if _, err := s.ownDevice(ctx, tx, &in.UserName, in.SerialNumber); err != nil {
			return err
		}
		return s.synchronize(d, resyncDrift, in.AuthenticationCode1, in.AuthenticationCode2)
	})
}

func (s *IAM) deactivateMFADevice(ctx context.Context, in *api.DeactivateMFADeviceInput) (*api.DeactivateMFADeviceOutput, error) {
	return &api.DeactivateMFADeviceOutput{}, s.changeDevice(ctx, in.SerialNumber, func(tx store.Txn, d *mfaDevice) error {
		if _, err := s.ownDevice(ctx, tx, in.UserName, in.SerialNumber); err != nil {
			return err
		}
		d.User, d.Enabled = "", time.Time{}
		return nil
	})
}

// CheckMFA uses a code of a user's device for STS. A right code cannot be used again, and wrong ones are counted, so that the outcome is durable.
func (s *IAM) CheckMFA(ctx context.Context, userARN, serial, code string) (out auth.MFA, err error) {
	name, err := arn.Parse(userARN)
	if err != nil {
		return auth.MFAUnknown, nil //nolint:nilerr // No ARN: no user, and so no device.
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		out = auth.MFAUnknown
		d, err := findDevice(tx, name.Account, serial)
		if err != nil {
			return service.Unless(err, missing)
		}
		e, err := entityByARN(tx, userARN)
		if err != nil || e == nil || e.Kind != user || !strings.EqualFold(e.Name, d.User) {
			return err
		}
		if out, err = s.use(d, code); err != nil || out == auth.MFABlocked {
			return err
		}
		return putDevice(tx, d)
	})
	return out, err
}

// use holds a code against a device, and counts it.
func (s *IAM) use(d *mfaDevice, code string) (auth.MFA, error) {
	now := s.deps.Clock.Now()
	if now.Before(d.Blocked) {
		return auth.MFABlocked, nil
	}
	seed, err := s.seed(d)
	if err != nil {
		return auth.MFAUnknown, err
	}
	step := totp.Counter(now)
	at, ok := totp.Find(seed, max(step+d.Drift-codeDrift, d.Last+1), step+d.Drift+codeDrift, code)
	if ok {
		d.Last, d.Drift, d.Wrong = at, at-step, 0
		return auth.MFAProven, nil
	}
	if d.Wrong++; d.Wrong > wrongFree {
		d.Blocked = now.Add(min(firstBlock<<min(d.Wrong-wrongFree-1, 10), longBlock)).UTC()
	}
	return auth.MFAWrong, nil
}
