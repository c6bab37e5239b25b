package lambda

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// poolKey names the environments that can stand in for each other: those of one revision of one version.
type poolKey struct {
	function string // ARN without a qualifier
	version  string
	revision string
	tenant   string // whom alone the environments serve; empty for everybody
}

// pools holds the environments that wait for work.
type pools struct {
	l *Lambda

	mu sync.Mutex // guards the fields below
	// idle holds, for each key, the environments that wait, the one used last at the end.
	idle map[poolKey][]*worker
	live int // environments that exist, idle or not
	// allotments hold the provisioned environments.
	allotments map[poolKey]*allotment
	// starts limits how fast the environments of a function become more.
	starts startRates
	closed bool

	stop context.CancelFunc
	wg   sync.WaitGroup
	wake chan struct{}
}

var errClosing = errors.New("the platform is shutting down")

func newPools(l *Lambda) *pools {
	return &pools{l: l, idle: map[poolKey][]*worker{}, allotments: map[poolKey]*allotment{}, starts: startRates{}, wake: make(chan struct{}, 1)}
}

// start begins to end environments that have been idle for long.
func (p *pools) start(ctx context.Context) error {
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	p.wg.Go(func() { p.reap(ctx) })
	if err := p.l.sweepCode(ctx); err != nil || p.l.o.Images == nil {
		return err
	}
	if p.l.sweepImages(ctx) {
		p.l.imagePuller.unused()
	}
	return nil
}

// close ends every environment.
func (p *pools) close() {
	if p.stop != nil {
		p.stop()
	}
	p.mu.Lock()
	p.closed = true
	var all []*worker
	for _, list := range p.idle {
		all = append(all, list...)
	}
	clear(p.idle)
	for _, a := range p.allotments {
		all = append(all, a.ready...)
	}
	clear(p.allotments)
	p.mu.Unlock()
	for _, w := range all {
		p.end(w)
	}
	p.wg.Wait()
}

// get returns an idle environment, a provisioned one first, or nil with a place for a new one. It fails when the machine's bound is reached, or when
// the function grows too fast.
func (p *pools) get(k poolKey) (*worker, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosing
	}
	for w := p.nextLocked(k); w != nil; w = p.nextLocked(k) {
		if w.usable() {
			return w, nil
		}
		p.wg.Go(func() { p.end(w) })
	}
	if !p.starts.take(k.function, p.l.deps.Clock.Now()) {
		return nil, throttled(reasonRate)
	}
	if !p.reserveLocked() {
		return nil, throttled(reasonAccount)
	}
	return nil, nil //nolint:nilnil // no environment, but a place for one
}

// nextLocked takes the environment out that was used last of those that wait. p.mu is held.
func (p *pools) nextLocked(k poolKey) *worker {
	if a := p.allotments[k]; a != nil && len(a.ready) > 0 {
		w := a.ready[len(a.ready)-1]
		a.ready = a.ready[:len(a.ready)-1]
		w.idle = false
		return w
	}
	list := p.idle[k]
	if len(list) == 0 {
		return nil
	}
	p.setIdleLocked(k, list[:len(list)-1])
	w := list[len(list)-1]
	w.idle = false
	return w
}

// reserveLocked takes a place for a new environment, if need be that of an idle one. p.mu is held.
func (p *pools) reserveLocked() bool {
	if p.live >= p.l.o.MaxEnvironments && !p.evictLocked() {
		return false
	}
	p.live++
	return true
}

func (p *pools) setIdleLocked(k poolKey, list []*worker) {
	if len(list) == 0 {
		delete(p.idle, k)
		return
	}
	p.idle[k] = list
}

// evictLocked ends the environment that has been idle for longest. p.mu is held.
func (p *pools) evictLocked() bool {
	var oldest *worker
	for _, list := range p.idle {
		if w := list[0]; oldest == nil || w.since.Before(oldest.since) {
			oldest = w
		}
	}
	if oldest == nil {
		return false
	}
	p.setIdleLocked(oldest.key, p.idle[oldest.key][1:])
	p.wg.Go(func() { p.end(oldest) })
	return true
}

// put gives an environment back after use. One of a revision that has changed meanwhile finds no more work and ends as idle.
func (p *pools) put(w *worker) {
	if w.debugged {
		return // its session keeps it
	}
	w.since = p.l.deps.Clock.Now()
	p.mu.Lock()
	if p.closed || w.allotted && !p.keepLocked(w) {
		p.mu.Unlock()
		p.end(w)
		return
	}
	if !w.allotted {
		p.idle[w.key] = append(p.idle[w.key], w)
	}
	w.idle = true
	w.uses++
	p.freezeLater(w, w.uses)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// freezeAfter is how long an environment goes on after an answer, where idle ones are frozen: one that is used all the time need not be.
const freezeAfter = 100 * time.Millisecond

// freezeLater freezes an environment that is not used again soon. uses tells this wait for work from later ones. p.mu is held.
func (p *pools) freezeLater(w *worker, uses uint64) {
	if !p.l.o.FreezeIdle || !w.env.CanFreeze() {
		return
	}
	clock.AfterFunc(p.l.deps.Clock, freezeAfter, func() {
		p.mu.Lock()
		waits := w.idle && w.uses == uses
		p.mu.Unlock()
		if !waits {
			return
		}
		// Whoever takes it meanwhile thaws it after this, or finds out below.
		err := w.env.Freeze()
		p.mu.Lock()
		waits = w.idle && w.uses == uses
		p.mu.Unlock()
		if err == nil && !waits {
			err = w.env.Thaw()
		}
		if err != nil && w.usable() {
			p.l.deps.Log.Warn("an idle environment could not be frozen", slog.String("function", w.key.function), slog.Any("error", err))
		}
	})
}

// end ends an environment and frees its place.
func (p *pools) end(w *worker) {
	p.mu.Lock()
	w.idle = false
	p.mu.Unlock()
	w.close()
	w.gone = true
	if w.allotted {
		p.lost(w)
	}
	p.free()
}

// fail ends an environment that has not answered an invocation, and frees its place.
func (p *pools) fail(w *worker) {
	p.mu.Lock()
	p.starts.fail(w.key.function, p.l.deps.Clock.Now())
	p.mu.Unlock()
	p.end(w)
}

// failures returns how many environments of a function have failed lately, one after the other.
func (p *pools) failures(function string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.starts.failures(function, p.l.deps.Clock.Now())
}

func (p *pools) free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live--
}

// retire ends the idle environments of a function's unpublished version whose revision is not keep, and leaves the busy ones
// to the idle timeout. With an empty keep all versions are meant.
func (p *pools) retire(r ref, keep string) {
	p.l.snapshotter.retire(r.with(""), keep)
	p.retireIf(func(k poolKey) bool {
		return k.function == r.function() && (keep == "" || k.version == latest && k.revision != keep)
	})
}

// retireVersion is retire for one published version.
func (p *pools) retireVersion(r ref) {
	p.l.snapshotter.retire(r, "")
	p.retireIf(func(k poolKey) bool { return k.function == r.function() && k.version == r.qualifier })
}

func (p *pools) retireIf(match func(k poolKey) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for k, list := range p.idle {
		if match(k) {
			delete(p.idle, k)
			for _, w := range list {
				p.wg.Go(func() { p.end(w) })
			}
		}
	}
}

// reap ends environments that have been idle for longer than the timeout.
func (p *pools) reap(ctx context.Context) {
	for {
		// With a first one that becomes due nothing that comes later changes when to look again; without one, wait for one.
		if next := p.reapNow(); next > 0 {
			if clock.Sleep(ctx, p.l.deps.Clock, next) != nil {
				return
			}
			continue
		}
		select {
		case <-p.wake:
		case <-ctx.Done():
			return
		}
	}
}

// reapNow ends what is due and returns how long it is until the next one is; 0 if there is none.
func (p *pools) reapNow() time.Duration {
	now := p.l.deps.Clock.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	var next time.Duration
	for k, list := range p.idle {
		n := 0
		for n < len(list) {
			left := list[n].since.Add(p.l.o.IdleTimeout).Sub(now)
			if left > 0 {
				if next == 0 || left < next {
					next = left
				}
				break
			}
			w := list[n]
			p.wg.Go(func() { p.end(w) })
			n++
		}
		p.setIdleLocked(k, list[n:])
	}
	return next
}
