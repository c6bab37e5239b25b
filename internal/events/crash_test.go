package events_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/pebble"
)

// marks is a set of job names that many goroutines add to.
type marks struct {
	mu  sync.Mutex // guards the fields below
	set map[string]bool
}

func newMarks() *marks { return &marks{set: map[string]bool{}} }

func (m *marks) add(s string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.set[s] = true
}

func (m *marks) copy() map[string]bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.set)
}

func openStore(t *testing.T, fs vfs.FS) store.Store {
	t.Helper()
	s, err := pebble.Open("db", pebble.Options{FS: fs, MemTableBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// flaky fails the first try of every third job, without waiting.
func flaky(ran *marks) events.Kind {
	tries := newMarks()
	return events.Kind{
		Name: "k", Concurrency: 4, Backoff: func(int) time.Duration { return 0 },
		Handle: func(_ context.Context, j events.Job) error {
			name := string(j.Payload)
			if name[len(name)-1]%3 == 0 && !tries.copy()[name] {
				tries.add(name)
				return errBroken
			}
			ran.add(name)
			return nil
		},
	}
}

// load commits facts with their jobs, side by side, plain and grouped, and calls after behind each.
func load(s store.Store, acked *marks, after func()) {
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 60 {
				name := fmt.Sprintf("%d-%d", w, i)
				job := events.Job{Kind: "k", Payload: []byte(name)}
				if w%2 == 1 {
					job.Group = fmt.Sprint("group", i%3)
				}
				err := s.Update(context.Background(), func(tx store.Txn) error {
					tx.Set([]byte("fact/"+name), nil)
					return events.Enqueue(tx, job)
				})
				if err == nil {
					acked.add(name)
				}
				after()
			}
		})
	}
	wg.Wait()
}

// drain runs what a crash left until there is nothing, and returns what ran.
func drain(t *testing.T, s store.Store) map[string]bool {
	t.Helper()
	ran := newMarks()
	q := events.New(s, clock.System{}, slog.New(slog.DiscardHandler))
	if err := q.Register(flaky(ran)); err != nil {
		t.Fatal(err)
	}
	w := s.Watch(nil)
	defer w.Close()
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for {
		d, err := q.Depths(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d[0].Waiting == 0 {
			break
		}
		<-w.C()
	}
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	return ran.copy()
}

func facts(t *testing.T, s store.Store) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	err := s.View(t.Context(), func(r store.Reader) error {
		for p, err := range r.Range(store.Prefix([]byte("fact/"))) {
			if err != nil {
				return err
			}
			out[string(p.Key[len("fact/"):])] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// checkCrash opens what a crash left. before and after are what had run when the clone was begun and ended.
func checkCrash(t *testing.T, fs vfs.FS, acked, before, after map[string]bool) {
	t.Helper()
	s := openStore(t, fs)
	have := facts(t, s)
	ran := drain(t, s)
	for name := range acked {
		if !have[name] {
			t.Errorf("%s was acknowledged and is lost", name)
		}
	}
	for name := range have {
		if !ran[name] && !after[name] {
			t.Errorf("%s is in the store and its job never ran", name)
		}
	}
	for name := range ran {
		if !have[name] {
			t.Errorf("the job of %s ran after the crash without its fact", name)
		}
	}
	for name := range before {
		if !have[name] {
			t.Errorf("the job of %s ran before the crash and its fact is lost", name)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestEveryAcknowledgedJobRunsAcrossPowerLoss(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := openStore(t, mem)
	acked, ran := newMarks(), newMarks()
	q := newQueue(s, flaky(ran))
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	type crash struct {
		fs                   vfs.FS
		acked, before, after map[string]bool
	}
	var crashes []crash
	rng := rand.New(rand.NewPCG(4, 5))
	var mu sync.Mutex
	commits := 0
	load(s, acked, func() {
		mu.Lock()
		defer mu.Unlock()
		if commits++; commits%11 != 0 {
			return
		}
		c := crash{acked: acked.copy(), before: ran.copy()}
		c.fs = mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(100), RNG: rng})
		c.after = ran.copy()
		crashes = append(crashes, c)
	})
	if err := errors.Join(q.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	for _, c := range crashes {
		checkCrash(t, c.fs, c.acked, c.before, c.after)
	}
}
