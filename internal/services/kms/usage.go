package kms

import (
	"context"
	"log/slog"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kms"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// useRecord is the last use of a key that was written down: the first one of its day.
type useRecord struct {
	Operation string
	Time      time.Time
	RequestID string
}

// used writes down that a key was used, once a day. A failure of that is no failure of the call.
func (s *Service) used(ctx context.Context, f *found, operation string) {
	now := s.now()
	noted := false
	err := s.deps.Store.View(ctx, func(r store.Reader) error {
		u, there, err := record.Get[useRecord](r, f.lastUse(f.ID))
		noted = there && u.Time.Truncate(day).Equal(now.Truncate(day))
		return err
	})
	if err == nil && !noted {
		err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
			return record.Set(tx, f.lastUse(f.ID), useRecord{operation, now, service.RequestFrom(ctx).ID})
		})
	}
	if err != nil {
		s.deps.Log.WarnContext(ctx, "the use of a key was not written down", slog.String("key", f.arn()), slog.Any("error", err))
	}
}

func (s *Service) getKeyLastUsage(ctx context.Context, in *api.GetKeyLastUsageInput) (*api.GetKeyLastUsageOutput, error) {
	f, err := s.find(ctx, in.KeyId)
	if err != nil {
		return nil, err
	}
	out := &api.GetKeyLastUsageOutput{KeyId: new(f.arn()), TrackingStartDate: &f.Created, KeyCreationDate: &f.Created}
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		u, there, err := record.Get[useRecord](r, f.lastUse(f.ID))
		if there {
			out.KeyLastUsage = &api.KeyLastUsageData{Operation: u.Operation, Timestamp: &u.Time, KmsRequestId: &u.RequestID}
		}
		return err
	})
	return out, err
}
