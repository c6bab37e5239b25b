package lambda

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"lambent.dev/lambent/internal/store/key"
)

// follower is the goroutine that makes what runs equal to the records below one prefix.
type follower struct {
	l *Lambda
	// what are the records, for the log.
	what   string
	prefix key.Key
	// tend makes what runs equal to the records, as far as that is possible at once. It returns after how long to look again; 0 if only a change matters.
	tend func(ctx context.Context) (time.Duration, error)

	stop context.CancelFunc
	wg   sync.WaitGroup // the goroutine, and those that tend starts
	wake chan struct{}  // has room for one note that there may be work
}

func newFollower(l *Lambda, what string, prefix key.Key, tend func(ctx context.Context) (time.Duration, error)) *follower {
	return &follower{l: l, what: what, prefix: prefix, tend: tend, wake: make(chan struct{}, 1)}
}

// poke has the follower look for work.
func (f *follower) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// start begins to follow the records.
func (f *follower) start(ctx context.Context) {
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	w := f.l.deps.Store.Watch(f.prefix)
	f.wg.Go(func() {
		defer w.Close()
		for ctx.Err() == nil {
			wait, err := f.tend(ctx)
			if err != nil && ctx.Err() == nil {
				f.l.deps.Log.ErrorContext(ctx, "cannot follow the records", slog.String("of", f.what), slog.Any("error", err))
				wait = retryFirst
			}
			f.sleep(ctx, w.C(), wait)
		}
	})
}

// sleep returns when there may be work: after a change, or after a while, unless that is 0.
func (f *follower) sleep(ctx context.Context, changed <-chan struct{}, while time.Duration) {
	var due <-chan time.Time
	if while > 0 {
		t := f.l.deps.Clock.NewTimer(while)
		defer t.Stop()
		due = t.C()
	}
	select {
	case <-changed:
	case <-f.wake:
	case <-due:
	case <-ctx.Done():
	}
}

// close stops following, and waits for what has been started.
func (f *follower) close() {
	if f.stop != nil {
		f.stop()
	}
	f.wg.Wait()
}

// replaced has the follower look for work when something ends that is to be replaced.
func (f *follower) replaced(ctx context.Context, ended <-chan struct{}) {
	f.wg.Go(func() {
		select {
		case <-ended:
			f.poke()
		case <-ctx.Done():
		}
	})
}

// news tells those who wait that a state may have changed.
type news struct {
	mu      sync.Mutex // guards the field below
	changed chan struct{}
}

// announce wakes those who wait.
func (n *news) announce() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.changed != nil {
		close(n.changed)
		n.changed = nil
	}
}

// next is closed at the next announcement.
func (n *news) next() <-chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.changed == nil {
		n.changed = make(chan struct{})
	}
	return n.changed
}

// A start that failed is tried again after retryFirst, and after twice as long each time up to retryLast.
const retryFirst, retryLast = time.Second, 5 * time.Minute

// backoff puts off what has failed.
type backoff struct {
	failures int       // in a row
	retry    time.Time // when the next try is due; zero at once
}

func (b *backoff) failed(now time.Time) {
	b.failures++
	b.retry = now.Add(min(retryFirst<<min(b.failures-1, 10), retryLast))
}
