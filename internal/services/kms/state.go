package kms

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	deleteKind  = "kms.delete"
	usualWindow = 30 // days
	minWindow   = 7
)

func (s *Service) enableKey(ctx context.Context, in *api.EnableKeyInput) (*api.EnableKeyOutput, error) {
	_, err := s.change(ctx, in.KeyId, func(_ store.Txn, f *found) error {
		if err := f.refuse(api.KeyStatePendingDeletion, api.KeyStatePendingReplicaDeletion, api.KeyStatePendingImport); err != nil {
			return err
		}
		f.State = api.KeyStateEnabled
		return nil
	})
	return &api.EnableKeyOutput{}, err
}

func (s *Service) disableKey(ctx context.Context, in *api.DisableKeyInput) (*api.DisableKeyOutput, error) {
	_, err := s.change(ctx, in.KeyId, func(_ store.Txn, f *found) error {
		if err := f.refuse(api.KeyStatePendingDeletion, api.KeyStatePendingReplicaDeletion, api.KeyStatePendingImport); err != nil {
			return err
		}
		f.State = api.KeyStateDisabled
		return nil
	})
	return &api.DisableKeyOutput{}, err
}

func (s *Service) scheduleKeyDeletion(ctx context.Context, in *api.ScheduleKeyDeletionInput) (*api.ScheduleKeyDeletionOutput, error) {
	window := int32(usualWindow)
	if in.PendingWindowInDays != nil {
		window = *in.PendingWindowInDays
	}
	if window < minWindow || window > usualWindow {
		return nil, invalid("PendingWindowInDays must be between %d and %d days (inclusive).", minWindow, usualWindow)
	}
	f, err := s.change(ctx, in.KeyId, func(tx store.Txn, f *found) error {
		if err := f.refuse(api.KeyStatePendingDeletion, api.KeyStatePendingReplicaDeletion); err != nil {
			return err
		}
		f.Window = window
		waits, err := f.hasReplicas(tx)
		if err != nil {
			return err
		}
		if waits {
			f.State = api.KeyStatePendingReplicaDeletion
			return nil
		}
		return f.startDeletion(tx, s.now())
	})
	if err != nil {
		return nil, err
	}
	out := &api.ScheduleKeyDeletionOutput{KeyId: new(f.arn()), KeyState: f.State, PendingWindowInDays: &window}
	if !f.Deletion.IsZero() {
		out.DeletionDate = &f.Deletion
	}
	return out, nil
}

// startDeletion begins the time after which a key is deleted.
func (f *found) startDeletion(tx store.Txn, now time.Time) error {
	f.State, f.Deletion = api.KeyStatePendingDeletion, now.Add(time.Duration(f.Window)*day)
	j, err := f.job(deleteKind, f.Deletion)
	if err != nil {
		return err
	}
	return events.Enqueue(tx, j)
}

func (s *Service) cancelKeyDeletion(ctx context.Context, in *api.CancelKeyDeletionInput) (*api.CancelKeyDeletionOutput, error) {
	f, err := s.change(ctx, in.KeyId, func(tx store.Txn, f *found) error {
		if f.State != api.KeyStatePendingDeletion && f.State != api.KeyStatePendingReplicaDeletion {
			return refused(codeState, "%s is not pending deletion.", f.arn())
		}
		f.State, f.Deletion, f.Window = api.KeyStateDisabled, time.Time{}, 0
		if f.Origin == api.OriginTypeExternal {
			all, err := f.allMaterial(tx)
			if err != nil {
				return err
			}
			f.State = stateOfImport(all, api.KeyStateDisabled)
		}
		return events.Cancel(tx, deleteKind, f.arn())
	})
	if err != nil {
		return nil, err
	}
	return &api.CancelKeyDeletionOutput{KeyId: new(f.arn())}, nil
}

// remove is the job that deletes a key when its time has come.
func (s *Service) remove(_ context.Context, j events.Job) error {
	p, id, err := jobOf(j)
	if err != nil {
		return err
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		r, there, err := record.Get[keyRecord](tx, p.key(id))
		if err != nil || !there || r.State != api.KeyStatePendingDeletion || r.Deletion.After(s.now()) {
			return err
		}
		f := &found{place: p, keyRecord: r}
		if err := s.leaveRegion(tx, f); err != nil {
			return err
		}
		return f.erase(tx)
	})
}

// erase deletes a key with its material, aliases and grants.
func (f *found) erase(tx store.Txn) error {
	names, err := aliasNames(tx, f.place, f.ID)
	if err != nil {
		return err
	}
	for _, name := range names {
		tx.Delete(f.place.alias(name))
	}
	grants, err := record.List[grantRecord](tx, f.grants(f.ID).Span())
	if err != nil {
		return err
	}
	for i := range grants {
		f.dropGrant(tx, &grants[i])
	}
	for _, below := range []key.Key{f.materials(f.ID), f.aliasesOf(f.ID)} {
		span := below.Span()
		tx.DeleteRange(span.Lo, span.Hi)
	}
	if f.Token != "" {
		tx.Delete(f.created(f.Token))
	}
	tx.Delete(f.lastUse(f.ID))
	tx.Delete(f.key(f.ID))
	for _, kind := range []string{rotateKind, expireKind} {
		if err := events.Cancel(tx, kind, f.arn()); err != nil {
			return err
		}
	}
	return nil
}
