package optimistic_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/internal/store/optimistic"
)

var errDisk = errors.New("disk broke")

// slow is an engine whose syncs end when the test lets them: it wraps the memory engine.
type slow struct {
	optimistic.Engine
	mu    sync.Mutex // guards the fields below
	syncs []chan error
}

func (s *slow) Batch() optimistic.Batch { return &slowBatch{Batch: s.Engine.Batch(), s: s} }

// sync ends the oldest n syncs that wait, with err.
func (s *slow) sync(n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.syncs[0] <- err
		s.syncs = s.syncs[1:]
	}
}

type slowBatch struct {
	optimistic.Batch
	s    *slow
	done chan error
}

func (b *slowBatch) Apply() error {
	b.done = make(chan error, 1)
	b.s.mu.Lock()
	b.s.syncs = append(b.s.syncs, b.done)
	b.s.mu.Unlock()
	return b.Batch.Apply()
}

func (b *slowBatch) Wait() error { return <-b.done }

func slowStore(t *testing.T) (*optimistic.Store, *slow) {
	t.Helper()
	eng := &slow{Engine: mem.Engine()}
	return optimistic.NewEmpty(eng, clock.System{}), eng
}

// set starts an update of key and returns the channel of its outcome.
func set(s store.Store, key string) <-chan error {
	out := make(chan error, 1)
	go func() {
		out <- s.Update(context.Background(), func(tx store.Txn) error {
			tx.Set([]byte(key), []byte("v"))
			return nil
		})
	}()
	return out
}

// view starts a read and returns the channel of its outcome.
func view(s store.Store, fn func(r store.Reader) error) <-chan error {
	out := make(chan error, 1)
	go func() { out <- s.View(context.Background(), fn) }()
	return out
}

func getting(key string) func(r store.Reader) error {
	return func(r store.Reader) error {
		_, err := r.Get([]byte(key))
		return err
	}
}

func ranging(span store.Span, n int) func(r store.Reader) error {
	return func(r store.Reader) error {
		for _, err := range r.Range(span) {
			if err != nil {
				return err
			}
			if n--; n == 0 {
				break
			}
		}
		return nil
	}
}

// pending reports whether c has not been answered when nothing moves any more.
func pending(c <-chan error) bool {
	synctest.Wait()
	return len(c) == 0
}

func TestViewWaitsForExactlyWhatItReads(t *testing.T) {
	key := func(s string) []byte { return []byte(s) }
	for name, c := range map[string]struct {
		fn    func(r store.Reader) error
		waits bool
	}{
		"the key":                   {getting("m"), true},
		"another key":               {getting("a"), false},
		"a range over it":           {ranging(store.Span{}, 0), true},
		"a range before it":         {ranging(store.Span{Hi: key("m")}, 0), false},
		"a range after it":          {ranging(store.Span{Lo: key("n")}, 0), false},
		"a range that stops before": {ranging(store.Span{}, 1), false},
		"a limit before":            {ranging(store.Span{Limit: 1}, 0), false},
		"a reverse limit before":    {ranging(store.Span{Limit: 1, Reverse: true}, 0), false},
		"a reverse range over it":   {ranging(store.Span{Reverse: true}, 0), true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, eng := slowStore(t)
				for _, k := range []string{"a", "z"} {
					done := set(s, k)
					synctest.Wait()
					eng.sync(1, nil)
					if err := <-done; err != nil {
						t.Fatal(err)
					}
				}
				write := set(s, "m")
				synctest.Wait()
				read := view(s, c.fn)
				if got := pending(read); got != c.waits {
					t.Errorf("the view waits: %v, want %v", got, c.waits)
				}
				eng.sync(1, nil)
				if err := errors.Join(<-read, <-write, s.Close()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestViewWaitsForDeletions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, eng := slowStore(t)
		write := make(chan error, 1)
		go func() {
			write <- s.Update(context.Background(), func(tx store.Txn) error {
				tx.DeleteRange([]byte("b"), []byte("d"))
				return nil
			})
		}()
		synctest.Wait()
		reads := []<-chan error{
			view(s, ranging(store.Span{Lo: []byte("c")}, 0)),
			view(s, ranging(store.Span{Hi: []byte("c"), Reverse: true}, 0)),
		}
		free := view(s, ranging(store.Span{Lo: []byte("d")}, 0))
		for i, r := range reads {
			if !pending(r) {
				t.Errorf("range %d over a pending deletion did not wait", i)
			}
		}
		if pending(free) {
			t.Error("a range beyond the deletion waits")
		}
		eng.sync(1, nil)
		if err := errors.Join(<-write, <-reads[0], <-reads[1], <-free, s.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestUpdateBuildsOnPendingState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, eng := slowStore(t)
		first := set(s, "k")
		synctest.Wait()
		second := make(chan error, 1)
		go func() {
			second <- s.Update(context.Background(), func(tx store.Txn) error {
				v, err := tx.Get([]byte("k"))
				tx.Set([]byte("k"), append([]byte("2"), v...))
				return err
			})
		}()
		synctest.Wait()
		if len(eng.syncs) != 2 {
			t.Fatalf("%d syncs run, want 2: the second update waits for the first", len(eng.syncs))
		}
		// The later sync covers the earlier commit, whose own sync is reported last.
		eng.syncs[1] <- nil
		if pending(second) || !pending(first) {
			t.Error("want the second update answered before the first, whose sync is not reported yet")
		}
		eng.syncs[0] <- nil
		if err := errors.Join(<-first, <-second, s.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestRefusalWaitsForWhatItRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, eng := slowStore(t)
		write := set(s, "k")
		synctest.Wait()
		exists := errors.New("exists")
		refuse := func(key string) <-chan error {
			out := make(chan error, 1)
			go func() {
				out <- s.Update(context.Background(), func(tx store.Txn) error {
					if _, err := tx.Get([]byte(key)); err == nil {
						return exists
					}
					return nil
				})
			}()
			return out
		}
		held, free := refuse("k"), refuse("other")
		if !pending(held) || pending(free) {
			t.Error("want the refusal to wait for the key it read, and the other update not to wait")
		}
		eng.sync(1, nil)
		if err := <-held; !errors.Is(err, exists) {
			t.Errorf("refusal = %v", err)
		}
		if err := errors.Join(<-write, <-free, s.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestFailedSyncStopsTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, eng := slowStore(t)
		w := s.Watch(nil)
		defer w.Close()
		first, second := set(s, "a"), set(s, "b")
		synctest.Wait()
		read, scan := view(s, getting("a")), view(s, ranging(store.Span{}, -1))
		eng.sync(1, errDisk)
		synctest.Wait()
		eng.sync(1, nil) // a late success does not revive it
		for name, c := range map[string]<-chan error{"first": first, "second": second, "read": read, "scan": scan} {
			<-s.Failed()
			if err := <-c; !errors.Is(err, store.ErrFailed) || !errors.Is(err, errDisk) {
				t.Errorf("%s = %v, want ErrFailed with its cause", name, err)
			}
		}
		if err := <-set(s, "c"); !errors.Is(err, store.ErrFailed) {
			t.Errorf("a later update = %v", err)
		}
		if err := <-view(s, getting("x")); !errors.Is(err, store.ErrFailed) {
			t.Errorf("a later view = %v", err)
		}
		if len(w.C()) != 0 {
			t.Error("a watcher heard of a commit that failed")
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestOldTransactionIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mem.New()
		err := s.Update(t.Context(), func(tx store.Txn) error {
			tx.Set([]byte("k"), nil)
			time.Sleep(store.MaxAge + time.Second)
			return nil
		})
		if !errors.Is(err, store.ErrTooOld) {
			t.Errorf("Update = %v, want ErrTooOld", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseWaitsForRunningTransactions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, eng := slowStore(t)
		write := set(s, "k")
		synctest.Wait()
		closed := make(chan error, 1)
		go func() { closed <- s.Close() }()
		if !pending(closed) {
			t.Error("Close did not wait for a commit")
		}
		eng.sync(1, nil)
		if err := errors.Join(<-write, <-closed); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseOfAFailedStoreDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, eng := slowStore(t)
		stuck := set(s, "a")
		synctest.Wait()
		s.Fail(errDisk)
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
		if !pending(stuck) {
			t.Error("the update ended before its sync")
		}
		eng.sync(1, nil)
		if err := <-stuck; !errors.Is(err, store.ErrFailed) {
			t.Errorf("the update that was stuck = %v, want ErrFailed", err)
		}
	})
}

func TestLastingConflictIsGivenUp(t *testing.T) {
	s := mem.New()
	runs := 0
	err := s.Update(t.Context(), func(tx store.Txn) error {
		runs++
		if _, err := tx.Get([]byte("k")); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		tx.Set([]byte("x"), nil)
		return <-set(s, "k")
	})
	if !errors.Is(err, store.ErrConflict) || runs < 10 {
		t.Errorf("Update = %v after %d runs, want ErrConflict after many", err, runs)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
