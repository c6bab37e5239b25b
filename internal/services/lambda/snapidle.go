package lambda

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// snapshotLife is for how long snapshots are kept of a version that is not invoked: it is inactive then, https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html.
	snapshotLife = 14 * 24 * time.Hour
	// usePrecision is how exactly it is kept when a version was invoked last, so that not every invocation is written down.
	usePrecision = 24 * time.Hour
)

// notReady is what an invocation gets of a version whose first snapshot is still being made.
func notReady() *service.Error {
	return service.Errorf("SnapStartNotReadyException", "Lambda is initializing your function. It will be ready to invoke once your function state becomes ACTIVE.").WithStatus(http.StatusConflict)
}

// lastUse is when a version with snapshots was invoked last, or made active.
func (h *shelf) lastUse() time.Time {
	if h.asked.Last.After(h.used) {
		return h.asked.Last
	}
	return h.used
}

// dueLocked finds the versions that have not been invoked for too long, and those whose last use is to be written down. s.mu is held.
func (s *snapshotter) dueLocked(now time.Time) (idle, used []*shelf) {
	for _, h := range s.shelves {
		switch last := h.lastUse(); {
		case h.ahead || h.pending:
		case now.Sub(last) >= snapshotLife:
			idle = append(idle, h)
		case last.Sub(h.used) >= usePrecision:
			used = append(used, h)
		}
	}
	return idle, used
}

// settle writes down which versions are idle, and when others were used.
func (s *snapshotter) settle(ctx context.Context, idle, used []*shelf) {
	for _, h := range idle {
		if err := s.l.putToSleep(ctx, h); err != nil {
			s.l.deps.Log.ErrorContext(ctx, "an idle version could not be made inactive", slog.String("function", h.ref.arn()), slog.Any("error", err))
		}
	}
	for _, h := range used {
		err := s.l.deps.Store.Update(ctx, func(tx store.Txn) error {
			k := h.ref.snapStarts(h.ref.name).Str(h.version.Number)
			row, ok, err := record.Get[snapshotRow](tx, k)
			if err != nil || !ok || row.Pending {
				return err
			}
			row.Used = s.l.deps.Clock.Now().UTC()
			return record.Set(tx, k, row)
		})
		if err != nil {
			s.l.deps.Log.ErrorContext(ctx, "the last use of a version could not be written", slog.String("function", h.ref.arn()), slog.Any("error", err))
		}
	}
}

// putToSleep makes a version inactive that has not been invoked for too long. Its snapshots go.
func (l *Lambda) putToSleep(ctx context.Context, h *shelf) error {
	defer l.states.announce()
	return l.deps.Store.Update(ctx, func(tx store.Txn) error {
		row := h.ref.snapStarts(h.ref.name).Str(h.version.Number)
		k := h.ref.scope.version(h.ref.name, h.version.Number)
		saved, ok, err := record.Get[published](tx, k)
		if err != nil || !ok || saved.Revision != h.version.Revision || !saved.State.is(api.StateActive) {
			return err
		}
		saved.State = &versionState{State: api.StateInactive, Code: "Idle", Reason: "The function is idle."}
		tx.Delete(row)
		return record.Set(tx, k, saved)
	})
}

// wake has the first snapshot made again of a version that is inactive; invocations fail until it is there.
func (l *Lambda) wake(ctx context.Context, r ref, v *version) error {
	defer l.states.announce()
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		k := r.scope.version(r.name, v.Number)
		saved, ok, err := record.Get[published](tx, k)
		if err != nil || !ok || !saved.State.is(api.StateInactive) {
			return err
		}
		if err := l.orderSnapshot(tx, r, &saved.version); err != nil {
			return err
		}
		saved.State.Code, saved.State.Reason = "Restoring", "The function is being restored."
		return record.Set(tx, k, saved)
	})
	if err != nil {
		return unavailable(err)
	}
	return notReady()
}
