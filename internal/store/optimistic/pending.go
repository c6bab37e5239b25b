package optimistic

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// commit is one transaction from the moment it has a version.
type commit struct {
	version  uint64
	keys     []string // sorted, distinct
	ranges   intervals
	onCommit []func()
	// durable is made by the first reader that waits and closed when the log is on disk; guarded by pending.mu.
	durable chan struct{}
	// finished is closed after wake-ups and OnCommit ran, or the commit failed.
	finished chan struct{}
	err      error // set before finished is closed
}

// touches reports whether c wrote a key of iv.
func (c *commit) touches(iv interval) bool {
	i, _ := slices.BinarySearch(c.keys, iv.lo)
	if i < len(c.keys) && c.keys[i] < iv.hi {
		return true
	}
	return slices.ContainsFunc(c.ranges, iv.meets)
}

func (c *commit) wrote(k string) bool {
	if _, ok := slices.BinarySearch(c.keys, k); ok {
		return true
	}
	_, ok := c.ranges.find(k)
	return ok
}

// pending is the queue of commits that are applied, or about to be, but not durable yet.
type pending struct {
	// registered is the version of the last commit that entered the queue; it enters before it is applied.
	registered atomic.Uint64
	// durable is the last version that is on disk.
	durable atomic.Uint64
	notify  func(*commit)

	mu        sync.Mutex // guards the fields below
	queue     []*commit  // in order of versions
	ready     []*commit  // durable, to be finished in order
	finishing bool       // a goroutine works through ready
	failed    error
	stopped   chan struct{} // closed when failed is set
}

// enter adds c at the end of the queue. Store.commitMu is held.
func (p *pending) enter(c *commit) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return p.failed
	}
	p.queue = append(p.queue, c)
	p.registered.Store(c.version)
	return nil
}

// settle reports that c, and so everything before it, is durable. It returns after the wake-ups and OnCommit
// calls of c ran, in the order of commits.
func (p *pending) settle(c *commit) error {
	p.mu.Lock()
	if p.failed == nil && c.version > p.durable.Load() {
		p.durable.Store(c.version)
		n := 0
		for ; n < len(p.queue) && p.queue[n].version <= c.version; n++ {
			if ch := p.queue[n].durable; ch != nil {
				close(ch)
			}
			p.ready = append(p.ready, p.queue[n])
		}
		p.queue = slices.Delete(p.queue, 0, n)
	}
	if !p.finishing {
		p.finishing = true
		p.finishLocked()
		p.finishing = false
	}
	p.mu.Unlock()
	<-c.finished
	return c.err
}

// finishLocked works through ready, letting go of mu for the callbacks.
func (p *pending) finishLocked() {
	for len(p.ready) > 0 {
		batch := p.ready
		p.ready = nil
		p.mu.Unlock()
		for _, c := range batch {
			p.notify(c)
			for _, fn := range c.onCommit {
				fn()
			}
			close(c.finished)
		}
		p.mu.Lock()
	}
}

// fail ends every commit of the queue with err, now and from now on.
func (p *pending) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed == nil {
		p.failed = err
		close(p.stopped)
	}
	for _, c := range p.queue {
		c.err = p.failed
		if c.durable != nil {
			close(c.durable)
		}
		close(c.finished)
	}
	p.queue = nil
}

// failure returns the error of fail.
func (p *pending) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failed
}

// last returns the greatest version up to limit in the queue for which touches holds, or 0. After fail, which empties the queue, nobody can tell any more what of
// the applied commits is durable, so that there is an error.
func (p *pending) last(limit uint64, touches func(*commit) bool) (uint64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return 0, p.failed
	}
	for _, c := range slices.Backward(p.queue) {
		if c.version <= limit && touches(c) {
			return c.version, nil
		}
	}
	return 0, nil
}

// within returns the commits up to version limit that wrote in iv. After fail there is an error, see last.
func (p *pending) within(limit uint64, iv interval) ([]*commit, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.failed != nil {
		return nil, p.failed
	}
	var out []*commit
	for _, c := range p.queue {
		if c.version <= limit && c.touches(iv) {
			out = append(out, c)
		}
	}
	return out, nil
}

// wait returns when version is durable.
func (p *pending) wait(ctx context.Context, version uint64) error {
	if p.durable.Load() >= version {
		return nil
	}
	p.mu.Lock()
	if p.failed != nil || p.durable.Load() >= version {
		defer p.mu.Unlock()
		return p.failed
	}
	i := slices.IndexFunc(p.queue, func(c *commit) bool { return c.version >= version })
	if i < 0 {
		p.mu.Unlock()
		return nil
	}
	c := p.queue[i]
	if c.durable == nil {
		c.durable = make(chan struct{})
	}
	p.mu.Unlock()
	select {
	case <-c.durable:
		return p.failure()
	case <-ctx.Done():
		return ctx.Err()
	}
}
