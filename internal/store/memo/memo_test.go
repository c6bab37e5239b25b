package memo_test

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/internal/store/memo"
)

// fixture is a cache of numbers below "<partition>/n/", with a count of the loads.
type fixture struct {
	t     *testing.T
	store store.Store
	cache *memo.Cache[string, string, int]
	loads atomic.Int32
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	s := mem.New()
	f := &fixture{t: t, store: s}
	f.cache = memo.New[string, string, int](s, 4, func(p string) [][]byte { return [][]byte{[]byte(p + "/n/")} })
	t.Cleanup(func() {
		f.cache.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *fixture) get(p, k string) int {
	f.t.Helper()
	n, err := f.cache.Get(f.t.Context(), p, k, func(r store.Reader) (int, error) {
		f.loads.Add(1)
		return number(r, p+"/n/"+k)
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

// number reads a number; one that is not there is -1.
func number(r store.Reader, key string) (int, error) {
	b, err := r.Get([]byte(key))
	if errors.Is(err, store.ErrNotFound) {
		return -1, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(b))
}

func (f *fixture) set(key string, n int) {
	f.t.Helper()
	err := f.store.Update(f.t.Context(), func(tx store.Txn) error {
		tx.Set([]byte(key), []byte(strconv.Itoa(n)))
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fixture) wantLoads(n int32) {
	f.t.Helper()
	if got := f.loads.Swap(0); got != n {
		f.t.Errorf("%d loads, want %d", got, n)
	}
}

func TestValueIsReadOnceUntilItsPartitionChanges(t *testing.T) {
	f := newFixture(t)
	if got := f.get("a", "x"); got != -1 {
		t.Errorf("x = %d before it was written", got)
	}
	f.get("a", "x")
	f.wantLoads(1)
	f.set("a/n/x", 1)
	if got := f.get("a", "x"); got != 1 {
		t.Errorf("x = %d after 1 was acknowledged", got)
	}
	f.wantLoads(1)
	f.set("b/n/x", 5)
	f.set("a/other", 5)
	f.get("a", "x")
	f.wantLoads(0)
}

func TestDeletedRangeDropsValues(t *testing.T) {
	f := newFixture(t)
	f.set("a/n/x", 1)
	f.get("a", "x")
	err := f.store.Update(t.Context(), func(tx store.Txn) error {
		tx.DeleteRange([]byte("a"), []byte("b"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.get("a", "x"); got != -1 {
		t.Errorf("x = %d after it was deleted", got)
	}
}

func TestLoadThatOverlapsAWriteIsNotKept(t *testing.T) {
	f := newFixture(t)
	f.set("a/n/x", 1)
	n, err := f.cache.Get(t.Context(), "a", "x", func(r store.Reader) (int, error) {
		n, err := number(r, "a/n/x")
		f.set("a/n/x", 2)
		return n, err
	})
	if err != nil || n != 1 {
		t.Fatalf("the overlapping read = %d, %v", n, err)
	}
	if got := f.get("a", "x"); got != 2 {
		t.Errorf("x = %d after 2 was acknowledged", got)
	}
}

func TestErrorIsNotKept(t *testing.T) {
	f := newFixture(t)
	broken := errors.New("broken")
	if _, err := f.cache.Get(t.Context(), "a", "x", func(store.Reader) (int, error) { return 0, broken }); !errors.Is(err, broken) {
		t.Errorf("error = %v", err)
	}
	f.get("a", "x")
	f.wantLoads(1)
}

func TestLoadMayReadOnlyWhatIsWatched(t *testing.T) {
	f := newFixture(t)
	for name, read := range map[string]func(r store.Reader) error{
		"key": func(r store.Reader) error { _, err := r.Get([]byte("a/other")); return err },
		"span": func(r store.Reader) error {
			for _, err := range r.Range(store.Span{Lo: []byte("a/n/"), Hi: []byte("b")}) {
				return err
			}
			return nil
		},
	} {
		_, err := f.cache.Get(t.Context(), "a", name, func(r store.Reader) (int, error) { return 0, read(r) })
		if err == nil {
			t.Errorf("%s: a read of what is not watched was allowed", name)
		}
	}
	f.set("a/n/x", 1)
	_, err := f.cache.Get(t.Context(), "a", "all", func(r store.Reader) (int, error) {
		n := 0
		for _, err := range r.Range(store.Prefix([]byte("a/n/"))) {
			if n++; err != nil {
				return 0, err
			}
		}
		return n, nil
	})
	if err != nil {
		t.Errorf("a span of the prefix: %v", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	f := newFixture(t)
	for i := range 200 {
		f.get("a", strconv.Itoa(i))
		f.get(strconv.Itoa(i), "x")
	}
	f.loads.Store(0)
	for i := range 200 {
		f.get("a", strconv.Itoa(i))
	}
	f.wantLoads(200)
}

// TestReaderNeverSeesAnAcknowledgedWriteLate has readers check that what they get is not older than what the writer had acknowledged before.
func TestReaderNeverSeesAnAcknowledgedWriteLate(t *testing.T) {
	f := newFixture(t)
	var acknowledged atomic.Int64
	f.set("a/n/x", 0)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				least := acknowledged.Load()
				n, err := f.cache.Get(t.Context(), "a", "x", func(r store.Reader) (int, error) { return number(r, "a/n/x") })
				if err != nil || int64(n) < least {
					t.Errorf("read %d, %v after %d was acknowledged", n, err, least)
					return
				}
			}
		})
	}
	for i := range 500 {
		f.set("a/n/x", i)
		acknowledged.Store(int64(i))
	}
	close(done)
	wg.Wait()
}

func TestPeekReturnsWhatIsKeptAndUpToDate(t *testing.T) {
	f := newFixture(t)
	if n, ok := f.cache.Peek("p", "a"); ok {
		t.Errorf("an empty cache has %d", n)
	}
	f.set("p/n/a", 1)
	f.get("p", "a")
	if n, ok := f.cache.Peek("p", "a"); !ok || n != 1 {
		t.Errorf("Peek: %d, %t", n, ok)
	}
	f.set("p/n/b", 2)
	if n, ok := f.cache.Peek("p", "a"); ok {
		t.Errorf("%d was read before the last write", n)
	}
}
