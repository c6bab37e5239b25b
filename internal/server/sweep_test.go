package server

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/blobtest"
	"lambent.dev/lambent/internal/blob/mem"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
)

func TestSweepTakesBodiesThatNoServiceHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blobs, now := mem.New(), clock.NewFake(time.Unix(0, 0))
		ours, theirs, nobodys, doubtful := body(t, blobs), body(t, blobs), body(t, blobs), body(t, blobs)
		holds := func(which blob.ID, err error) service.Service {
			return service.Service{HoldsBody: func(_ context.Context, id blob.ID) (bool, error) {
				if id == doubtful {
					return false, err
				}
				return id == which, nil
			}}
		}
		s := &sweeper{
			blobs: blobs, clock: now, log: slog.New(slog.DiscardHandler),
			services: []service.Service{holds(ours, nil), {}, holds(theirs, errors.New("the store does not tell"))},
		}
		s.start(t.Context())
		defer func() { _ = s.close(t.Context()) }()
		synctest.Wait()
		now.Advance(sweepEvery)
		synctest.Wait()
		now.Advance(sweepEvery)
		synctest.Wait()
		for id, want := range map[blob.ID]bool{ours: true, theirs: true, doubtful: true} {
			if there(t, blobs, id) != want {
				t.Errorf("body %s is there: %v, want %v", id, !want, want)
			}
		}
		s.services[2] = holds(theirs, nil)
		now.Advance(sweepEvery)
		synctest.Wait()
		if there(t, blobs, nobodys) || there(t, blobs, doubtful) || !there(t, blobs, ours) || !there(t, blobs, theirs) {
			t.Error("the sweep did not take exactly what nobody holds")
		}
	})
}

func body(t *testing.T, s blob.Store) blob.ID {
	t.Helper()
	return blobtest.Put(t, s, []byte("body"))
}

func there(t *testing.T, s blob.Store, id blob.ID) bool {
	t.Helper()
	r, err := s.Open(t.Context(), id, blob.Whole())
	if errors.Is(err, blob.ErrNotFound) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	return true
}
