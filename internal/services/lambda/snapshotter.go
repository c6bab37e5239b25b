package lambda

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/lib/demand"
	"lambent.dev/lambent/internal/runtimes/rapi"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// Bounds of the snapshots that are kept.
const (
	snapshotsAtOnce = 2        // that are being made
	shelfSize       = 8        // of one version
	snapshotReserve = 4        // for how many initialisations' time demand is covered
	snapshotGuess   = 64 << 20 // bytes that one is taken to need before it has been made
)

// snapshotter keeps snapshots of published versions: environments whose function is initialised and waits to be restored. It follows the records of
// the versions that want them. What is kept is bounded by memory; the version that has not been asked for in the longest time gives way. A version's
// first snapshot decides whether it becomes active. None survives the platform, which makes them again.
//
// It keeps environments of container images in the same way that are initialised ahead of need, as AWS does it for some: their language is part of the image, so that no
// parked cell can have booted it. Versions that were started before in the last hour have them; there are no records of that.
type snapshotter struct {
	*follower

	news news // of the snapshots that are kept

	mu      sync.Mutex // guards the fields below
	shelves map[poolKey]*shelf
	bytes   int64 // that the snapshots take
	making  int
	closed  bool
}

// shelf holds the snapshots of one version.
type shelf struct {
	ref     ref
	version version
	pending bool
	// ahead tells that these are no snapshots, but environments of a container image; asks is how often one was started.
	ahead   bool
	asks    int
	asked   demand.Average
	used    time.Time     // as it is written down
	took    time.Duration // by the initialisation
	bytes   int64         // that the last one takes
	ready   []*worker
	making  int
	backoff backoff
}

func newSnapshotter(l *Lambda) *snapshotter {
	s := &snapshotter{shelves: map[poolKey]*shelf{}}
	s.follower = newFollower(l, "snapshots", snapStarted(), s.tend)
	return s
}

// close ends the snapshots.
func (s *snapshotter) close() {
	s.follower.close()
	s.mu.Lock()
	s.closed = true
	var all []*worker
	for _, h := range s.shelves {
		all = append(all, h.ready...)
	}
	clear(s.shelves)
	s.bytes = 0
	s.mu.Unlock()
	for _, w := range all {
		w.close()
	}
}

// take returns a snapshot of a version, which is the caller's then; nil when there is none.
func (s *snapshotter) take(k poolKey) *worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.shelves[k]
	if h == nil {
		return nil
	}
	h.asked.Add(s.l.deps.Clock.Now())
	s.poke()
	for len(h.ready) > 0 {
		if w := s.popLocked(h); w.usable() {
			return w
		}
	}
	return nil
}

// Environments of images are kept ahead of need after so many starts, for a time after the last one.
const (
	aheadAfter = 2
	aheadLife  = time.Hour
)

// takeAhead returns an environment of a container image that has been initialised ahead of need, which is the caller's then; nil when there is none. The next time
// there may be one.
func (s *snapshotter) takeAhead(c *call) *worker {
	if c.version.Image == nil || c.tenant != "" || s.l.o.SnapshotMemory == 0 || c.rehearsal != nil && c.rehearsal.coldStart > 0 {
		return nil
	}
	s.mu.Lock()
	h := s.shelves[c.key]
	if h == nil && !s.closed {
		h = &shelf{ref: c.ref, version: c.version, ahead: true}
		s.shelves[c.key] = h
	}
	if h != nil {
		h.asks++
	}
	s.mu.Unlock()
	return s.take(c.key)
}

// retire ends what is kept of a function's revisions that are not used any more; with an empty keep of all.
func (s *snapshotter) retire(r ref, keep string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, h := range s.shelves {
		if h.ahead && k.function == r.function() && (keep == "" || k.version == latest && k.revision != keep) && (r.qualifier == "" || k.version == r.qualifier) {
			delete(s.shelves, k)
			s.emptyLocked(h)
		}
	}
}

// popLocked takes a snapshot out. s.mu is held.
func (s *snapshotter) popLocked(h *shelf) *worker {
	w := h.ready[len(h.ready)-1]
	h.ready = h.ready[:len(h.ready)-1]
	s.bytes -= w.bytes
	w.taken = true
	return w
}

// tend makes the snapshots that are missing.
func (s *snapshotter) tend(ctx context.Context) (time.Duration, error) {
	wanted := map[poolKey]*shelf{}
	err := s.l.deps.Store.View(ctx, func(rd store.Reader) error {
		clear(wanted)
		return allSnapshots(rd, wanted)
	})
	if err != nil {
		return 0, err
	}
	now := s.l.deps.Clock.Now()
	s.mu.Lock()
	s.adoptLocked(wanted)
	idle, used := s.dueLocked(now)
	s.mu.Unlock()
	s.settle(ctx, idle, used)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range s.orderLocked() {
		if s.making >= snapshotsAtOnce {
			break
		}
		if !now.Before(h.backoff.retry) && s.roomLocked(h) {
			h.making++
			s.making++
			first := h.pending
			s.wg.Go(func() { s.make(ctx, h, first) })
		}
	}
	s.news.announce()
	return s.nextLocked(now), nil
}

// adoptLocked makes the shelves those of the versions that want snapshots. s.mu is held.
func (s *snapshotter) adoptLocked(wanted map[poolKey]*shelf) {
	for k, h := range s.shelves {
		if wanted[k] == nil && !(h.ahead && s.l.deps.Clock.Now().Sub(h.asked.Last) < aheadLife) {
			delete(s.shelves, k)
			s.emptyLocked(h)
		}
	}
	for k, h := range wanted {
		if old := s.shelves[k]; old != nil {
			old.pending, old.used = h.pending, h.used
		} else {
			s.shelves[k] = h
		}
	}
}

// emptyLocked ends the snapshots of a version. s.mu is held.
func (s *snapshotter) emptyLocked(h *shelf) {
	for len(h.ready) > 0 {
		w := s.popLocked(h)
		s.wg.Go(w.close)
	}
}

// orderLocked lists the versions that miss snapshots: those that wait for their first one, then those that were asked for last. s.mu is held.
func (s *snapshotter) orderLocked() []*shelf {
	now := s.l.deps.Clock.Now()
	var out []*shelf
	for _, h := range s.shelves {
		h.ready = slices.DeleteFunc(h.ready, func(w *worker) bool {
			gone := !w.usable()
			if gone {
				s.bytes -= w.bytes
				s.wg.Go(w.close)
			}
			return gone
		})
		if h.ahead && h.asks < aheadAfter {
			continue
		}
		if h.pending && h.making == 0 || !h.pending && len(h.ready)+h.making < min(1+h.asked.During(snapshotReserve*h.took, now), shelfSize) {
			out = append(out, h)
		}
	}
	slices.SortFunc(out, func(a, b *shelf) int {
		switch {
		case a.pending != b.pending:
			if a.pending {
				return -1
			}
			return 1
		case !a.asked.Last.Equal(b.asked.Last):
			return b.asked.Last.Compare(a.asked.Last)
		}
		return b.version.Modified.Compare(a.version.Modified)
	})
	return out
}

// roomLocked tells whether there is memory for another snapshot of a version, or makes some: those give way that were asked for less lately. A version
// that waits for its first one needs none: what is made then is not kept, if there is no room. s.mu is held.
func (s *snapshotter) roomLocked(h *shelf) bool {
	need := h.bytes
	if need == 0 {
		need = snapshotGuess
	}
	for !h.pending && s.bytes+need > s.l.o.SnapshotMemory {
		if !s.evictLocked(h.asked.Last) {
			return false
		}
	}
	return true
}

// evictLocked ends the snapshot of the version that was asked for longest ago, if that is before a time. s.mu is held.
func (s *snapshotter) evictLocked(before time.Time) bool {
	var oldest *shelf
	for _, h := range s.shelves {
		if len(h.ready) > 0 && h.asked.Last.Before(before) && (oldest == nil || h.asked.Last.Before(oldest.asked.Last)) {
			oldest = h
		}
	}
	if oldest == nil {
		return false
	}
	w := s.popLocked(oldest)
	s.wg.Go(w.close)
	return true
}

// nextLocked is how long it is until a failed start may be tried again, or until a version has not been used for too long; 0 for never. s.mu is held.
func (s *snapshotter) nextLocked(now time.Time) (next time.Duration) {
	for _, h := range s.shelves {
		times := []time.Time{h.backoff.retry}
		switch {
		case h.ahead:
			times = append(times, h.asked.Last.Add(aheadLife))
		case !h.pending:
			times = append(times, h.lastUse().Add(snapshotLife))
		}
		for _, at := range times {
			if d := at.Sub(now); d > 0 && (next == 0 || d < next) {
				next = d
			}
		}
	}
	return next
}

// make makes one snapshot. The first one of a version decides about its state.
func (s *snapshotter) make(ctx context.Context, h *shelf, first bool) {
	kind := snapStart
	if h.ahead {
		kind = onDemand
	}
	w, err := s.l.startWorker(ctx, h.ref, &h.version, launch{kind: kind})
	var took time.Duration
	if err == nil {
		if took, err = s.l.initialised(ctx, w, &h.version, kind); err == nil {
			s.mu.Lock()
			w = s.keepLocked(ctx, h, w, took)
			s.mu.Unlock()
		}
		if w != nil {
			w.close()
		}
	}
	if first && ctx.Err() == nil {
		if saved := s.l.prepared(ctx, h.ref, &h.version, failedState(err), h.saveRow(err == nil, s.l.deps.Clock.Now())); saved != nil {
			s.l.deps.Log.ErrorContext(ctx, "the state of a version could not be written", slog.String("function", h.ref.arn()), slog.Any("error", saved))
			err = errors.Join(err, saved)
		}
	} else if err != nil && ctx.Err() == nil {
		s.l.deps.Log.WarnContext(ctx, "a snapshot could not be made", slog.String("function", h.ref.arn()), slog.Any("error", err))
	}
	s.mu.Lock()
	h.making--
	s.making--
	if err != nil {
		h.backoff.failed(s.l.deps.Clock.Now())
	}
	s.mu.Unlock()
	s.poke()
}

// keepLocked puts a snapshot on its shelf; it returns one that is not kept. s.mu is held.
func (s *snapshotter) keepLocked(ctx context.Context, h *shelf, w *worker, took time.Duration) *worker {
	w.bytes = w.env.PeakBytes()
	h.backoff, h.bytes, h.took = backoff{}, w.bytes, took
	if s.closed || ctx.Err() != nil || s.shelves[w.key] != h {
		return w
	}
	for s.bytes+w.bytes > s.l.o.SnapshotMemory {
		if !s.evictLocked(s.l.deps.Clock.Now()) {
			return w
		}
	}
	h.ready = append(h.ready, w)
	s.bytes += w.bytes
	s.wg.Go(func() { s.freeze(w) })
	s.replaced(ctx, w.env.Done())
	return nil
}

// freeze stops a snapshot: nothing of it goes on before it is restored.
func (s *snapshotter) freeze(w *worker) {
	err := w.env.Freeze()
	s.mu.Lock()
	taken := w.taken
	s.mu.Unlock()
	if err == nil && taken {
		err = w.env.Thaw()
	}
	if err != nil && w.usable() {
		s.l.deps.Log.Warn("a snapshot could not be frozen", slog.String("function", w.key.function), slog.Any("error", err))
	}
}

// failedState is the state of a version whose first environment could not be initialised because of err; nil without an error.
func failedState(err error) *versionState {
	var initError *rapi.InitError
	var refusedRole *service.Error
	s := &versionState{State: api.StateFailed}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errTimeout):
		s.Code, s.Reason = "FunctionError.InitTimeout", "The initialisation of the function took longer than it may."
	case errors.As(err, &initError):
		s.Code, s.Reason = "FunctionError.RuntimeInitError", "The function could not be initialised: "+initError.Type+". Its log says more."
	case errors.As(err, &refusedRole) && refusedRole.Status < 500:
		s.Code, s.Reason = "InvalidConfiguration", refusedRole.Message
	case errors.As(err, &refusedRole):
		s.Code, s.Reason = "InternalError", refusedRole.Message
	default:
		s.Code, s.Reason = "FunctionError.RuntimeInitError", "The function could not be initialised: "+err.Error()+". Its log says more."
	}
	return s
}

// saveRow returns what writes the record after the first snapshot was made, or failed.
func (h *shelf) saveRow(active bool, now time.Time) func(tx store.Txn) error {
	row := h.ref.snapStarts(h.ref.name).Str(h.version.Number)
	return func(tx store.Txn) error {
		if !active {
			tx.Delete(row)
			return nil
		}
		return record.Set(tx, row, snapshotRow{Used: now.UTC()})
	}
}

// prepared writes the state that the preparation of a version has led to; nil for an active one; save writes what belongs to it. A version that is
// gone, or switched off, stays so.
func (l *Lambda) prepared(ctx context.Context, r ref, v *version, state *versionState, save func(tx store.Txn) error) error {
	defer l.states.announce()
	return l.deps.Store.Update(ctx, func(tx store.Txn) error {
		k := r.scope.version(r.name, v.Number)
		saved, ok, err := record.Get[published](tx, k)
		if err != nil || !ok || saved.Revision != v.Revision || !saved.State.is(api.StatePending) && saved.Update == nil {
			return err
		}
		saved.State, saved.Update = state, nil
		if err := record.Set(tx, k, saved); err != nil {
			return err
		}
		return save(tx)
	})
}

// allSnapshots finds the versions that want snapshots.
func allSnapshots(rd store.Reader, wanted map[poolKey]*shelf) error {
	for row, err := range record.Range[snapshotRow](rd, snapStarted().Span()) {
		if err != nil {
			return err
		}
		d := key.Decode(row.Key).Skip(snapStarted())
		r := ref{scope: scope{d.Str(), d.Str()}}
		r.name, r.qualifier = d.Str(), d.Str()
		if err := d.Err(); err != nil {
			return err
		}
		v, ok, err := record.Get[version](rd, r.scope.version(r.name, r.qualifier))
		if err != nil {
			return err
		}
		if ok {
			wanted[keyOf(r, &v)] = &shelf{ref: r, version: v, pending: row.Value.Pending, used: row.Value.Used}
		}
	}
	return nil
}

// awaitActive returns when a version is prepared, and its update done, and fails when it could not be.
func (l *Lambda) awaitActive(ctx context.Context, name string, qualifier *string) error {
	for {
		news := l.states.next()
		c, err := l.getFunctionConfiguration(ctx, &api.GetFunctionConfigurationInput{FunctionName: name, Qualifier: qualifier})
		switch {
		case err != nil:
			return err
		case c.State == api.StateFailed:
			return invalid("The version %s of %s could not be prepared: %s", orZero(c.Version), name, orZero(c.StateReason))
		case c.LastUpdateStatus == api.LastUpdateStatusFailed:
			return invalid("%s could not be updated: %s", name, orZero(c.LastUpdateStatusReason))
		case c.LastUpdateStatus != api.LastUpdateStatusInProgress && c.State != api.StatePending:
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
