package lambda

import (
	"errors"
	"time"
)

var errNoRoom = errors.New("the bound on environments is reached")

// allotment is the provisioned environments of one version. They are kept as long as they are wanted, and do not end by being idle.
type allotment struct {
	want     int       // how many there shall be
	have     int       // those that are initialised, waiting or busy
	starting int       // those that are being initialised
	ready    []*worker // those that wait for work
	// failure is the reason why the last start failed.
	failure string
	backoff backoff
}

// readiness is how far the provisioned environments of a version are.
type readiness struct {
	have    int
	failure string
}

// missing is how many environments may be started now.
func (a *allotment) missing(now time.Time) int {
	if now.Before(a.backoff.retry) {
		return 0
	}
	return max(0, a.want-a.have-a.starting)
}

// keepLocked gives a provisioned environment back, and reports false for one that is not wanted any more. p.mu is held.
func (p *pools) keepLocked(w *worker) bool {
	a := p.allotments[w.key]
	if a == nil || a.have > a.want {
		p.releaseLocked(w)
		return false
	}
	a.ready = append(a.ready, w)
	return true
}

// releaseLocked takes a provisioned environment out of its allotment. p.mu is held.
func (p *pools) releaseLocked(w *worker) {
	w.allotted = false
	if a := p.allotments[w.key]; a != nil {
		a.have--
	}
}

// lost counts a provisioned environment that has ended, so that another takes its place.
func (p *pools) lost(w *worker) {
	p.mu.Lock()
	p.releaseLocked(w)
	p.mu.Unlock()
	p.l.provisioner.poke()
}

// readiness tells how far the provisioned environments of a version are.
func (p *pools) readiness(k poolKey) readiness {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.allotments[k]
	if a == nil {
		return readiness{}
	}
	return readiness{have: a.have, failure: a.failure}
}

// allot sets what is wanted of each version. It ends the environments that are too many, and those that cannot be used any more.
func (p *pools) allot(wants map[poolKey]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	for k, want := range wants {
		if p.allotments[k] == nil {
			p.allotments[k] = &allotment{}
		}
		p.allotments[k].want = want
	}
	for k, a := range p.allotments {
		if _, ok := wants[k]; !ok {
			a.want = 0
		}
		kept, surplus := a.ready[:0], a.have-a.want
		for _, w := range a.ready {
			if surplus > 0 || !w.usable() {
				surplus--
				p.releaseLocked(w)
				p.wg.Go(func() { p.end(w) })
				continue
			}
			kept = append(kept, w)
		}
		clear(a.ready[len(kept):])
		a.ready = kept
		if a.want == 0 && a.have == 0 && a.starting == 0 {
			delete(p.allotments, k)
		}
	}
}

// due takes up to limit starts that are missing, less those that are under way: each counts as starting until launched is called.
func (p *pools) due(limit int) (out []poolKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.allotments {
		limit -= a.starting
	}
	now := p.l.deps.Clock.Now()
	for k, a := range p.allotments {
		for range min(a.missing(now), limit) {
			a.starting++
			limit--
			out = append(out, k)
		}
	}
	return out
}

// reserve takes a place for a provisioned environment.
func (p *pools) reserve() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.closed && p.reserveLocked()
}

// launched ends a start: with an environment that is ready, or with the reason why there is none.
func (p *pools) launched(k poolKey, w *worker, reason string) {
	p.mu.Lock()
	a := p.allotments[k]
	if a == nil { // the pools are closed
		p.mu.Unlock()
		if w != nil {
			p.end(w)
		}
		return
	}
	a.starting--
	if w == nil {
		a.failure = reason
		a.backoff.failed(p.l.deps.Clock.Now())
		p.mu.Unlock()
		return
	}
	a.failure, a.backoff = "", backoff{}
	a.have++
	p.mu.Unlock()
	p.put(w)
}

// nextAllotment is how long it is until a start is due again, or until the credentials of an environment that waits run out; 0 for never.
func (p *pools) nextAllotment() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var next time.Time
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, a := range p.allotments {
		if a.want > a.have+a.starting {
			sooner(a.backoff.retry)
		}
		for _, w := range a.ready {
			if !w.expires.IsZero() {
				sooner(w.expires.Add(-credentialReserve))
			}
		}
	}
	if next.IsZero() {
		return 0
	}
	return max(next.Sub(p.l.deps.Clock.Now()), time.Millisecond)
}
