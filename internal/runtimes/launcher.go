package runtimes

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/sandbox"
)

// LauncherOptions are the collaborators and settings of a launcher.
type LauncherOptions struct {
	// Host starts the sandboxes.
	Host  *sandbox.Host
	Clock clock.Clock
	// Log is told when parking does not work; nil discards.
	Log *slog.Logger
	// MaxParked is how much memory parked cells may take together, in bytes, see [PartOfMemory]; 0 switches parking off.
	MaxParked int64
}

// Launcher starts execution environments: from a cell that was parked for its kind of function if there is one, else in a fresh sandbox.
//
// What is parked follows demand. The first start of a kind is a fresh one; from then on the launcher keeps cells of that kind ready, the more the
// faster they are used up, until nothing has asked for them for an hour. It is safe for concurrent use.
type Launcher struct {
	o   LauncherOptions
	ctx context.Context //nolint:containedctx // it is the lifetime of the launcher, which Close ends
	end context.CancelFunc
	wg  sync.WaitGroup

	wake chan struct{} // has room for one note that there may be work

	mu      sync.Mutex // guards the fields below
	pools   map[kind]*pool
	parked  int64 // bytes that parked cells take
	running bool  // the goroutine that parks has been started
	closed  bool
}

// PartOfMemory is so many percent of the machine's memory, in bytes; 0 when its size is not known.
func PartOfMemory(percent int) int64 { return totalMemory() / 100 * int64(percent) }

// NewLauncher returns a launcher. It parks nothing before something has been started.
func NewLauncher(o LauncherOptions) *Launcher {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	l := &Launcher{o: o, wake: make(chan struct{}, 1), pools: map[kind]*pool{}}
	l.ctx, l.end = context.WithCancel(context.Background())
	return l
}

// Start starts an environment. Its initialisation goes on after Start has returned; see [Environment.WaitReady].
func (l *Launcher) Start(ctx context.Context, s Spec) (*Environment, error) {
	k, ok := kindOf(&s)
	if ok && !s.Fresh && s.Debugger == nil && l.o.MaxParked > 0 && l.o.Host.CanPark() {
		p := l.take(k, &s)
		if p == nil && k.own != "" {
			k = k.general()
			p = l.take(k, &s)
		}
		for ; p != nil; p = l.take(k, nil) {
			e, err := p.assign(ctx, &s)
			if err == nil {
				return e, nil
			}
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			l.o.Log.WarnContext(ctx, "a parked sandbox could not be used", slog.String("function", s.Name), slog.Any("error", err))
		}
	}
	return l.startFresh(ctx, s)
}

// take returns a live parked cell of a kind, or nil. With a spec it counts as demand.
func (l *Launcher) take(k kind, s *Spec) *parkedCell {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	p := l.pools[k]
	if p == nil {
		if len(l.pools) >= maxPools {
			return nil
		}
		p = &pool{kind: k, like: parkedSpec(k, s)}
		l.pools[k] = p
	}
	if s != nil {
		p.asked.Add(l.o.Clock.Now())
		p.asks++
	}
	l.wakeLocked()
	for len(p.cells) > 0 {
		c := p.cells[len(p.cells)-1]
		p.cells = p.cells[:len(p.cells)-1]
		l.parked -= c.bytes
		if c.alive() {
			return c
		}
	}
	return nil
}

// wakeLocked has the parking goroutine look for work. l.mu is held.
func (l *Launcher) wakeLocked() {
	if !l.running {
		l.running = true
		l.wg.Go(l.run)
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Parked is how many cells wait, and how much memory they take, in bytes.
func (l *Launcher) Parked() (cells int, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.pools {
		cells += len(p.cells)
	}
	return cells, l.parked
}

// Close ends the parked cells. Environments that were started go on.
func (l *Launcher) Close() {
	l.mu.Lock()
	l.closed = true
	var all []*parkedCell
	for _, p := range l.pools {
		all = append(all, p.cells...)
		p.cells = nil
	}
	l.parked = 0
	l.mu.Unlock()
	l.end()
	l.wg.Wait()
	for _, c := range all {
		c.kill()
	}
}

// quiet is how long the parking goroutine lets a start that has woken it go ahead: a cell that boots takes processor time and memory bandwidth from the
// invocation that its predecessor has just begun.
const quiet = 10 * time.Millisecond

// run parks and drops cells until the launcher is closed. It boots one at a time.
func (l *Launcher) run() {
	for {
		wait := l.tend()
		var due <-chan time.Time
		if wait > 0 {
			t := l.o.Clock.NewTimer(wait)
			due = t.C()
			defer t.Stop()
		}
		select {
		case <-l.wake:
			if clock.Sleep(l.ctx, l.o.Clock, quiet) != nil {
				return
			}
		case <-due:
		case <-l.ctx.Done():
			return
		}
	}
}

// tend parks what is missing and drops what nobody asks for any more. It returns after how long to look again; 0 if only demand can change anything.
func (l *Launcher) tend() time.Duration {
	for l.ctx.Err() == nil {
		now := l.o.Clock.Now()
		l.mu.Lock()
		dropped := l.expireLocked(now)
		p := l.neediestLocked(now)
		next := l.nextLocked(now)
		l.mu.Unlock()
		for _, c := range dropped {
			c.kill()
		}
		if p == nil {
			return next
		}
		l.fill(p)
	}
	return 0
}

// expireLocked takes the cells out of pools that nothing has asked for in a long time. l.mu is held.
func (l *Launcher) expireLocked(now time.Time) (out []*parkedCell) {
	for k, p := range l.pools {
		if now.Sub(p.asked.Last) < poolLife {
			continue
		}
		delete(l.pools, k)
		for _, c := range p.cells {
			l.parked -= c.bytes
			out = append(out, c)
		}
		p.cells = nil
	}
	return out
}

// neediestLocked returns the pool with the largest part of its cells missing, of those that may be filled. l.mu is held.
func (l *Launcher) neediestLocked(now time.Time) *pool {
	var best *pool
	var most float64
	for _, p := range l.pools {
		p.prune()
		want := p.target(now)
		if want == 0 {
			continue
		}
		missing := float64(want-len(p.cells)) / float64(want)
		if missing <= most || now.Before(p.retry) || l.parked+p.size() > l.o.MaxParked {
			continue
		}
		best, most = p, missing
	}
	return best
}

// nextLocked is how long it is until a pool can be filled again or expires. l.mu is held.
func (l *Launcher) nextLocked(now time.Time) (next time.Duration) {
	for _, p := range l.pools {
		for _, at := range []time.Time{p.retry, p.asked.Last.Add(poolLife)} {
			if d := at.Sub(now); d > 0 && (next == 0 || d < next) {
				next = d
			}
		}
	}
	return next
}

// fill parks one cell.
func (l *Launcher) fill(p *pool) {
	began := l.o.Clock.Now()
	c, err := l.park(l.ctx, p.kind, p.like)
	now := l.o.Clock.Now()
	l.mu.Lock()
	if err != nil {
		p.retry = now.Add(retryParking)
		l.mu.Unlock()
		if !errors.Is(err, context.Canceled) {
			l.o.Log.Warn("no sandbox could be parked: cold starts of this runtime take longer", slog.String("runtime", p.kind.runtime), slog.Any("error", err))
		}
		return
	}
	p.booted(now.Sub(began), c.bytes)
	keep := !l.closed
	if keep {
		p.cells = append(p.cells, c)
		l.parked += c.bytes
	}
	l.mu.Unlock()
	if !keep {
		c.kill()
	}
}

// assignment is the document that turns a parked process into a function's.
func assignment(environ []string) ([]byte, error) { return json.Marshal(environ) }
