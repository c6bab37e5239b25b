package pebble_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/pebble"
)

// ledger is a load whose state shows what was lost: every worker counts in a key of its own and in a shared one, and
// appends a row for each count, all in one transaction.
type ledger struct {
	workers [4]struct {
		acked, seen atomic.Int64
	}
	watched atomic.Int64 // the shared count that a woken reader saw
}

func counter(r store.Reader, key string) (int64, error) {
	b, err := r.Get([]byte(key))
	if err != nil {
		if strings.Contains(err.Error(), store.ErrNotFound.Error()) {
			return 0, nil
		}
		return 0, err
	}
	return strconv.ParseInt(string(b), 10, 64)
}

// work counts until the store fails or n is reached.
func (l *ledger) work(s store.Store, worker, n int) {
	own := fmt.Sprintf("worker/%d", worker)
	for range n {
		var count int64
		err := s.Update(context.Background(), func(tx store.Txn) error {
			var err error
			if count, err = counter(tx, own); err != nil {
				return err
			}
			count++
			total, err := counter(tx, "total")
			if err != nil {
				return err
			}
			tx.Set([]byte(own), strconv.AppendInt(nil, count, 10))
			tx.Set([]byte("total"), strconv.AppendInt(nil, total+1, 10))
			tx.Append(fmt.Appendf(nil, "log/%d/", worker), make([]byte, 300))
			return nil
		})
		if err != nil {
			return
		}
		l.workers[worker].acked.Store(count)
		_ = s.View(context.Background(), func(r store.Reader) error {
			other := (worker + 1) % len(l.workers)
			c, err := counter(r, fmt.Sprintf("worker/%d", other))
			if err == nil && c > l.workers[other].seen.Load() {
				l.workers[other].seen.Store(c)
			}
			return err
		})
	}
}

// watch reads the total when it is woken, until done.
func (l *ledger) watch(s store.Store, done <-chan struct{}) {
	w := s.Watch([]byte("total"))
	defer w.Close()
	for {
		select {
		case <-done:
			return
		case <-w.C():
			_ = s.View(context.Background(), func(r store.Reader) error {
				n, err := counter(r, "total")
				if err == nil {
					l.watched.Store(n)
				}
				return err
			})
		}
	}
}

// snapshot is what was promised at one moment.
type promise struct {
	acked, seen [4]int64
	watched     int64
}

func (l *ledger) promise() promise {
	var p promise
	for i := range l.workers {
		p.acked[i], p.seen[i] = l.workers[i].acked.Load(), l.workers[i].seen.Load()
	}
	p.watched = l.watched.Load()
	return p
}

// check opens the store that a crash left and compares it with what was promised before.
func (p promise) check(t *testing.T, fs vfs.FS) {
	t.Helper()
	s, err := pebble.Open("db", pebble.Options{FS: fs})
	if err != nil {
		t.Fatalf("open after the crash: %v", err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			t.Errorf("close after the crash: %v", err)
		}
	}()
	err = s.View(t.Context(), func(r store.Reader) error {
		var sum int64
		for i := range p.acked {
			n, err := counter(r, fmt.Sprintf("worker/%d", i))
			if err != nil {
				return err
			}
			sum += n
			if n < p.acked[i] || n < p.seen[i] {
				t.Errorf("worker %d counts %d after the crash; %d were acknowledged, a reader saw %d", i, n, p.acked[i], p.seen[i])
			}
			rows := int64(0)
			for _, err := range r.Range(store.Prefix(fmt.Appendf(nil, "log/%d/", i))) {
				if err != nil {
					return err
				}
				rows++
			}
			if rows != n {
				t.Errorf("worker %d counts %d and has %d rows: half a transaction is there", i, n, rows)
			}
		}
		total, err := counter(r, "total")
		if total != sum || total < p.watched {
			t.Errorf("the total is %d after the crash; the workers' sum is %d, a watcher saw %d", total, sum, p.watched)
		}
		return err
	})
	if err != nil {
		t.Errorf("read after the crash: %v", err)
	}
}

// run puts the load on a store over fs and returns when it is over.
func (l *ledger) run(s store.Store, each int) {
	done := make(chan struct{})
	var watching, wg sync.WaitGroup
	watching.Go(func() { l.watch(s, done) })
	for w := range l.workers {
		wg.Go(func() { l.work(s, w, each) })
	}
	wg.Wait()
	close(done)
	watching.Wait()
}

// TestPowerLossAtEverySync clones the file system as a crash would leave it before and after syncs of
// any file, and checks each clone against what had been promised by then.
func TestPowerLossAtEverySync(t *testing.T) {
	for _, unsynced := range []int{0, 50} {
		t.Run(fmt.Sprintf("%d%% of unsynced data kept", unsynced), func(t *testing.T) {
			mem := vfs.NewCrashableMem()
			var l ledger
			type crash struct {
				p  promise
				fs vfs.FS
			}
			var mu sync.Mutex
			var crashes []crash
			rng := rand.New(rand.NewPCG(1, uint64(unsynced)))
			syncs := 0
			at := errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind != errorfs.OpFileSync && op.Kind != errorfs.OpFileSyncData && op.Kind != errorfs.OpFileSyncTo {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				if syncs++; syncs > 40 && syncs%7 != 0 {
					return nil
				}
				// What is promised after this line is not demanded of the clone, which is made later.
				p := l.promise()
				fs := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: unsynced, RNG: rng})
				crashes = append(crashes, crash{p, fs})
				return nil
			})
			s, err := pebble.Open("db", pebble.Options{FS: errorfs.Wrap(mem, at), MemTableBytes: 64 << 10})
			if err != nil {
				t.Fatal(err)
			}
			mu.Lock()
			crashes = nil // the store has to be open once before anything is promised
			mu.Unlock()
			l.run(s, 150)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if len(crashes) < 20 {
				t.Fatalf("only %d crashes were made", len(crashes))
			}
			for _, c := range crashes {
				c.p.check(t, c.fs)
			}
		})
	}
}

// TestPowerLossAtAnyMoment clones the file system while transactions run.
func TestPowerLossAtAnyMoment(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s, err := pebble.Open("db", pebble.Options{FS: mem, MemTableBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	var l ledger
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		l.run(s, 200)
	}()
	rng := rand.New(rand.NewPCG(2, 3))
	for running := true; running; {
		select {
		case <-finished:
			running = false
		default:
		}
		p := l.promise()
		p.check(t, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(100), RNG: rng}))
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
