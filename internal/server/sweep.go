package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
)

// sweepEvery is the time between two sweeps, and so the least age of a body that a later sweep deletes.
const sweepEvery = 24 * time.Hour

// sweeper deletes the bodies that no service holds: once after the start, for what a crash left, and then every day.
type sweeper struct {
	blobs    blob.Store
	services []service.Service
	clock    clock.Clock
	log      *slog.Logger

	stop context.CancelFunc
	wg   sync.WaitGroup
}

// start begins to sweep in the background, until close.
func (s *sweeper) start(ctx context.Context) {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	s.wg.Go(func() {
		for {
			s.sweep(ctx)
			if clock.Sleep(ctx, s.clock, sweepEvery) != nil {
				return
			}
		}
	})
}

// close stops the sweep that runs, and waits for that.
func (s *sweeper) close(context.Context) error {
	s.stop()
	s.wg.Wait()
	return nil
}

func (s *sweeper) sweep(ctx context.Context) {
	var kept, deleted int
	err := s.blobs.Sweep(ctx, func(id blob.ID) (bool, error) {
		held, err := s.held(ctx, id)
		if held {
			kept++
		} else if err == nil {
			deleted++
		}
		return held, err
	})
	switch {
	case ctx.Err() != nil:
	case err != nil:
		s.log.WarnContext(ctx, "bodies were not swept", slog.Any("error", err))
	case deleted > 0:
		s.log.InfoContext(ctx, "bodies without an owner were deleted", slog.Int("deleted", deleted), slog.Int("kept", kept))
	}
}

// held tells whether any service refers to a body.
func (s *sweeper) held(ctx context.Context, id blob.ID) (bool, error) {
	for i := range s.services {
		if s.services[i].HoldsBody == nil {
			continue
		}
		if held, err := s.services[i].HoldsBody(ctx, id); held || err != nil {
			return held, err
		}
	}
	return false, nil
}
