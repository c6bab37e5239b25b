package kms

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/services/kms/material"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The figures of https://docs.aws.amazon.com/kms/latest/developerguide/rotate-keys.html.
const (
	usualPeriod  = 365 // days
	maxOnDemand  = 25
	day          = 24 * time.Hour
	rotateKind   = "kms.rotate"
	rotationPage = 100
)

// rotationRecord is the rotation of a key.
type rotationRecord struct {
	// Period is how many days lie between automatic rotations, 0 without any; Next is when the next one is.
	Period int32     `json:",omitempty"`
	Next   time.Time `json:",omitzero"`
	// OnDemand counts the rotations that were asked for.
	OnDemand int `json:",omitempty"`
}

// rotates refuses keys that are not rotated.
func (f *found) rotates() error {
	if f.Spec != material.Symmetric {
		return silent(codeUnsupported)
	}
	return nil
}

// rotatesByItself refuses keys that are not rotated automatically.
func (f *found) rotatesByItself() error {
	if err := f.rotates(); err != nil {
		return err
	}
	if f.Origin != api.OriginTypeAwsKms {
		return refused(codeUnsupported, "%s origin is %s which is not valid for this operation.", f.arn(), f.Origin)
	}
	return nil
}

func (s *Service) enableKeyRotation(ctx context.Context, in *api.EnableKeyRotationInput) (*api.EnableKeyRotationOutput, error) {
	_, err := s.change(ctx, in.KeyId, func(tx store.Txn, f *found) error {
		if err := f.usable(); err != nil {
			return err
		}
		if err := f.rotatesByItself(); err != nil {
			return err
		}
		if err := f.mustBePrimary(tx); err != nil {
			return err
		}
		f.Rotation.Period = usualPeriod
		if in.RotationPeriodInDays != nil {
			f.Rotation.Period = *in.RotationPeriodInDays
		}
		return f.scheduleRotation(tx, s.now())
	})
	return &api.EnableKeyRotationOutput{}, err
}

func (s *Service) disableKeyRotation(ctx context.Context, in *api.DisableKeyRotationInput) (*api.DisableKeyRotationOutput, error) {
	_, err := s.change(ctx, in.KeyId, func(tx store.Txn, f *found) error {
		if err := f.usable(); err != nil {
			return err
		}
		if err := f.rotatesByItself(); err != nil {
			return err
		}
		f.Rotation.Period, f.Rotation.Next = 0, time.Time{}
		return events.Cancel(tx, rotateKind, f.arn())
	})
	return &api.DisableKeyRotationOutput{}, err
}

func (s *Service) getKeyRotationStatus(ctx context.Context, in *api.GetKeyRotationStatusInput) (*api.GetKeyRotationStatusOutput, error) {
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := f.rotates(); err != nil {
		return nil, err
	}
	out := &api.GetKeyRotationStatusOutput{KeyId: new(f.arn()), KeyRotationEnabled: new(f.Rotation.Period > 0)}
	if f.Rotation.Period > 0 {
		out.RotationPeriodInDays, out.NextRotationDate = &f.Rotation.Period, &f.Rotation.Next
	}
	return out, nil
}

// job names the key that a job is about.
type job struct{ Account, Region, ID string }

func (f *found) job(kind string, at time.Time) (events.Job, error) {
	payload, err := json.Marshal(job{f.account, f.region, f.ID})
	return events.Job{Kind: kind, Name: f.arn(), Payload: payload, NotBefore: at}, err
}

func jobOf(j events.Job) (p place, id string, err error) {
	var of job
	if err := json.Unmarshal(j.Payload, &of); err != nil {
		return p, "", events.Permanent(fmt.Errorf("decode job: %w", err))
	}
	return place{of.Account, of.Region}, of.ID, nil
}

func (f *found) scheduleRotation(tx store.Txn, now time.Time) error {
	f.Rotation.Next = now.Add(time.Duration(f.Rotation.Period) * day)
	j, err := f.job(rotateKind, f.Rotation.Next)
	if err != nil {
		return err
	}
	return events.Enqueue(tx, j)
}

// rotate is the job of an automatic rotation. A key that is not enabled is rotated when it is again, as on AWS, but at the next date.
func (s *Service) rotate(_ context.Context, j events.Job) error {
	p, id, err := jobOf(j)
	if err != nil {
		return err
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		r, there, err := record.Get[keyRecord](tx, p.key(id))
		if err != nil || !there || r.Rotation.Period == 0 || r.Rotation.Next.After(s.now()) {
			return err
		}
		f := &found{place: p, keyRecord: r}
		if f.State == api.KeyStateEnabled {
			if err := s.rotateNow(tx, f, api.RotationTypeAutomatic); err != nil {
				return err
			}
		}
		if err := f.scheduleRotation(tx, s.now()); err != nil {
			return err
		}
		return record.Set(tx, f.key(f.ID), f.keyRecord)
	})
}

func (s *Service) rotateKeyOnDemand(ctx context.Context, in *api.RotateKeyOnDemandInput) (*api.RotateKeyOnDemandOutput, error) {
	f, err := s.change(ctx, in.KeyId, func(tx store.Txn, f *found) error {
		if err := f.usable(); err != nil {
			return err
		}
		if err := f.rotates(); err != nil {
			return err
		}
		if err := f.mustBePrimary(tx); err != nil {
			return err
		}
		if f.Rotation.OnDemand >= maxOnDemand {
			return refused(codeLimit, "The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: %s", f.arn())
		}
		f.Rotation.OnDemand++
		if f.Origin == api.OriginTypeExternal {
			return f.promotePending(tx, s.now())
		}
		return s.rotateNow(tx, f, api.RotationTypeOnDemand)
	})
	if err != nil {
		return nil, err
	}
	return &api.RotateKeyOnDemandOutput{KeyId: new(f.arn())}, nil
}

// rotateNow gives a key new material, and its replicas the same.
func (s *Service) rotateNow(tx store.Txn, f *found, kind string) error {
	secret, err := material.New(f.spec(), s.deps.Random)
	if err != nil {
		return err
	}
	if err := s.turnTo(tx, f, secret, kind); err != nil || !f.MultiRegion {
		return err
	}
	return f.eachReplica(tx, func(replica *found) error {
		if err := s.turnTo(tx, replica, secret, kind); err != nil {
			return err
		}
		return record.Set(tx, replica.key(replica.ID), replica.keyRecord)
	})
}

func (s *Service) turnTo(tx store.Txn, f *found, secret []byte, kind string) error {
	if err := s.addMaterial(tx, f, secret, materialRecord{State: api.KeyMaterialStateCurrent}); err != nil {
		return err
	}
	return f.promote(tx, f.Last, kind, s.now())
}

// promotePending makes the imported material current that waits for that.
func (f *found) promotePending(tx store.Txn, now time.Time) error {
	all, err := f.allMaterial(tx)
	if err != nil {
		return err
	}
	for _, m := range all {
		if m.State == api.KeyMaterialStatePendingRotation {
			return f.promote(tx, m.n, api.RotationTypeOnDemand, now)
		}
	}
	return refused(codeState, "No available key material pending rotation for the key: %s.", f.arn())
}

func (s *Service) listKeyRotations(ctx context.Context, in *api.ListKeyRotationsInput) (*api.ListKeyRotationsOutput, error) {
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	if err := f.rotates(); err != nil {
		return nil, err
	}
	var all []numbered
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		all, err = f.allMaterial(r)
		return err
	})
	if err != nil {
		return nil, err
	}
	shown := []api.RotationsListEntry{}
	for _, m := range all {
		if in.IncludeKeyMaterial == api.IncludeKeyMaterialAllKeyMaterial || !m.Rotated.IsZero() {
			shown = append(shown, f.rotationEntry(m))
		}
	}
	part, next, err := slice(shown, paging{in.Limit, rotationPage, in.Marker}, func(e api.RotationsListEntry) string { return *e.KeyMaterialId })
	return &api.ListKeyRotationsOutput{Rotations: part, NextMarker: next, Truncated: new(next != nil)}, err
}

func (f *found) rotationEntry(m numbered) api.RotationsListEntry {
	e := api.RotationsListEntry{KeyId: new(f.arn()), KeyMaterialId: new(m.ID), KeyMaterialState: m.State, KeyMaterialDescription: opt.Of(m.Description), RotationType: m.Rotation}
	if !m.Rotated.IsZero() {
		e.RotationDate = new(m.Rotated)
	}
	if f.Origin != api.OriginTypeExternal {
		return e
	}
	e.ImportState, e.ExpirationModel = api.ImportStateImported, m.Expiration
	if m.Sealed == nil {
		e.ImportState = api.ImportStatePendingImport
	}
	if !m.ValidTo.IsZero() {
		e.ValidTo = new(m.ValidTo)
	}
	return e
}

// dropRotation ends the automatic rotation of a key that is no primary one any more.
func (s *Service) dropRotation(tx store.Txn, f *found) error {
	f.Rotation = rotationRecord{}
	if err := events.Cancel(tx, rotateKind, f.arn()); err != nil {
		return err
	}
	return record.Set(tx, f.key(f.ID), f.keyRecord)
}
