package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/store"
)

var errStop = errors.New("stop")

// TestGetSetDelete writes, overwrites and removes a key.
func (*suite) TestGetSetDelete(t *testing.T, s store.Store) {
	if got := get(t, s, "a"); got != "<none>" {
		t.Errorf("a missing key has value %q", got)
	}
	put(t, s, "a", "1")
	put(t, s, "a", "2", "b", "")
	if got := get(t, s, "a") + get(t, s, "b"); got != "2" {
		t.Errorf("read %q, want 2", got)
	}
	update(t, s, func(tx store.Txn) error {
		tx.Delete([]byte("a"))
		tx.Delete([]byte("missing"))
		return nil
	})
	if got := get(t, s, "a"); got != "<none>" {
		t.Errorf("a deleted key has value %q", got)
	}
}

// TestSpans reads ranges forward and backward, with bounds and limits.
func (*suite) TestSpans(t *testing.T, s store.Store) {
	put(t, s, "a", "1", "b", "2", "ba", "3", "b\xff", "4", "c", "5")
	b := func(x string) []byte { return []byte(x) }
	for _, c := range []struct {
		name string
		span store.Span
		want string
	}{
		{"all", store.Span{}, "a=1 b=2 ba=3 b\xff=4 c=5"},
		{"bounds", store.Span{Lo: b("b"), Hi: b("c")}, "b=2 ba=3 b\xff=4"},
		{"prefix", store.Prefix(b("b")), "b=2 ba=3 b\xff=4"},
		{"no upper bound", store.Span{Lo: b("ba")}, "ba=3 b\xff=4 c=5"},
		{"limit", store.Span{Limit: 2}, "a=1 b=2"},
		{"reverse", store.Span{Reverse: true}, "c=5 b\xff=4 ba=3 b=2 a=1"},
		{"reverse limit", store.Span{Hi: b("c"), Limit: 2, Reverse: true}, "b\xff=4 ba=3"},
		{"between keys", store.Span{Lo: b("aa"), Hi: b("ab")}, ""},
		{"upside down", store.Span{Lo: b("c"), Hi: b("a")}, ""},
	} {
		err := s.View(t.Context(), func(r store.Reader) error {
			got, err := scan(r, c.span)
			if got != c.want {
				t.Errorf("%s: %q, want %q", c.name, got, c.want)
			}
			return err
		})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestPrefetch reads keys in advance, which changes nothing of what is read: not what the transaction writes itself, and not what it depends on.
func (*suite) TestPrefetch(t *testing.T, s store.Store) {
	put(t, s, "a", "1", "b", "", "d", "4", "e", "5")
	keys := [][]byte{[]byte("e"), []byte("b"), []byte("c"), {}, []byte("\xff"), []byte("a"), []byte("d"), []byte("a")}
	read := func(r store.Reader) string {
		var out strings.Builder
		for _, k := range keys {
			v, err := r.Get(k)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%q: %v", k, err)
			}
			_, _ = fmt.Fprintf(&out, "%q=%q,%t ", k, v, err == nil)
		}
		return out.String()
	}
	view := func(ahead bool) (out string) {
		err := s.View(t.Context(), func(r store.Reader) error {
			if ahead {
				r.Prefetch(keys...)
				r.Prefetch(keys[0])
				r.Prefetch()
			}
			out = read(r)
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		return out
	}
	if got, want := view(true), view(false); got != want {
		t.Errorf("with keys read in advance %s, want %s", got, want)
	}
	tries := 0
	update(t, s, func(tx store.Txn) error {
		tx.Set([]byte("a"), []byte("own"))
		tx.Prefetch(keys...)
		tx.Delete([]byte("d"))
		if got, want := read(tx), `"e"="5",true "b"="",true "c"="",false ""="",false "\xff"="",false "a"="own",true "d"="",false "a"="own",true `; got != want {
			t.Errorf("its own writes: %s, want %s", got, want)
		}
		if tries++; tries == 1 {
			put(t, s, "f", "6") // nobody depends on it
		}
		return nil
	})
	update(t, s, func(tx store.Txn) error {
		tx.Prefetch(keys...)
		if tries++; tries == 2 {
			put(t, s, "e", "6") // was read in advance, and not by Get
		}
		tx.Set([]byte("g"), nil)
		return nil
	})
	update(t, s, func(tx store.Txn) error {
		tx.Prefetch(keys...)
		v, err := tx.Get([]byte("e"))
		if tries++; tries == 3 {
			put(t, s, "e", "7") // was read: the transaction begins again
		}
		tx.Set([]byte("h"), v)
		return err
	})
	if got := get(t, s, "h"); got != "7" || tries != 4 {
		t.Errorf("read %q in %d tries, want 7 in 4", got, tries)
	}
}

// TestPrefetchNearAndFar reads keys in advance that lie side by side, far apart, twice, between others, and behind all.
func (*suite) TestPrefetchNearAndFar(t *testing.T, s store.Store) {
	update(t, s, func(tx store.Txn) error {
		for i := range 60 {
			tx.Set(fmt.Appendf(nil, "%03d", 2*i), fmt.Appendf(nil, "v%d", i))
		}
		return nil
	})
	for _, step := range []int{1, 2, 3, 4, 7, 20} {
		var keys [][]byte
		for i := 0; i < 130; i += step {
			keys = append(keys, fmt.Appendf(nil, "%03d", i), fmt.Appendf(nil, "%03d", i/2*2))
		}
		err := s.View(t.Context(), func(r store.Reader) error {
			r.Prefetch(keys...)
			for _, k := range keys {
				n, err := strconv.Atoi(string(k))
				if err != nil {
					return err
				}
				want := ""
				if n%2 == 0 && n < 120 {
					want = fmt.Sprintf("v%d", n/2)
				}
				v, err := r.Get(k)
				if string(v) != want || (want == "") != errors.Is(err, store.ErrNotFound) {
					t.Errorf("steps of %d: %s is %q (%v), want %q", step, k, v, err, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestReadYourWrites merges the writes of a transaction into its reads.
func (*suite) TestReadYourWrites(t *testing.T, s store.Store) {
	put(t, s, "a", "1", "b", "2", "c", "3", "d", "4", "e", "5")
	update(t, s, func(tx store.Txn) error {
		tx.DeleteRange([]byte("b"), []byte("d"))
		tx.Set([]byte("bb"), []byte("new"))
		tx.Set([]byte("e"), []byte("over"))
		tx.Delete([]byte("a"))
		tx.Append([]byte("bc"), []byte("unseen"))
		want := "bb=new d=4 e=over"
		if got, err := scan(tx, store.Span{}); got != want || err != nil {
			t.Errorf("forward %q, want %q (%v)", got, want, err)
		}
		if got, err := scan(tx, store.Span{Reverse: true}); got != "e=over d=4 bb=new" || err != nil {
			t.Errorf("reverse %q (%v)", got, err)
		}
		if _, err := tx.Get([]byte("c")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("Get of a key in a deleted range = %v, want ErrNotFound", err)
		}
		tx.Set([]byte("c"), []byte("again"))
		tx.DeleteRange([]byte("e"), nil)
		if got, _ := scan(tx, store.Span{}); got != "bb=new c=again d=4" {
			t.Errorf("after more writes %q", got)
		}
		return nil
	})
	if got := get(t, s, "c") + get(t, s, "bb") + get(t, s, "e") + get(t, s, "b"); got != "againnew<none><none>" {
		t.Errorf("committed %q", got)
	}
}

// TestWritesInALoopAreNotYielded deletes and sets while a range is read.
func (*suite) TestWritesInALoopAreNotYielded(t *testing.T, s store.Store) {
	put(t, s, "a", "1", "b", "2", "c", "3")
	update(t, s, func(tx store.Txn) error {
		n := 0
		for p, err := range tx.Range(store.Span{}) {
			if err != nil {
				return err
			}
			tx.Delete(p.Key)
			tx.Set(append(slices.Clone(p.Key), 'x'), p.Value)
			n++
		}
		if n != 3 {
			t.Errorf("the loop saw %d pairs, want 3", n)
		}
		return nil
	})
	if err := s.View(t.Context(), func(r store.Reader) error {
		got, err := scan(r, store.Span{})
		if got != "ax=1 bx=2 cx=3" {
			t.Errorf("committed %q", got)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// TestScansOneAfterTheOther reads many ranges in one view, forward and backward, whole and broken off, one within the other: none depends on those before.
func (*suite) TestScansOneAfterTheOther(t *testing.T, s store.Store) {
	var keys []string
	update(t, s, func(tx store.Txn) error {
		for i := range 100 {
			k := fmt.Sprintf("k%02d", i)
			keys = append(keys, k)
			tx.Set([]byte(k), []byte("v"))
		}
		return nil
	})
	rnd := rand.New(rand.NewPCG(1, 2))
	random := func() store.Span {
		span := store.Span{Lo: fmt.Appendf(nil, "k%02d", rnd.IntN(100)), Reverse: rnd.IntN(3) == 0, Limit: rnd.IntN(4)}
		if rnd.IntN(2) == 0 {
			span.Hi = []byte("k90")
		}
		return span
	}
	want := func(span store.Span) string {
		var out []string
		for _, k := range keys {
			if k >= string(span.Lo) && (span.Hi == nil || k < string(span.Hi)) {
				out = append(out, k+"=v")
			}
		}
		if span.Reverse {
			slices.Reverse(out)
		}
		if span.Limit > 0 && len(out) > span.Limit {
			out = out[:span.Limit]
		}
		return strings.Join(out, " ")
	}
	err := s.View(t.Context(), func(r store.Reader) error {
		for range 300 {
			outer := random()
			if got, err := scan(r, outer); got != want(outer) || err != nil {
				t.Errorf("%+v: %q, want %q (%v)", outer, got, want(outer), err)
			}
			n := 0
			for p, err := range r.Range(outer) {
				if err != nil {
					return err
				}
				if n++; !strings.Contains(want(outer), string(p.Key)) {
					t.Errorf("%+v yields %s", outer, p.Key)
				}
				inner := random()
				if got, err := scan(r, inner); got != want(inner) || err != nil {
					t.Errorf("%+v within %+v: %q, want %q (%v)", inner, outer, got, want(inner), err)
				}
				if n == 2 {
					break
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestErrorWritesNothing returns the closure's error as it is.
func (*suite) TestErrorWritesNothing(t *testing.T, s store.Store) {
	err := s.Update(t.Context(), func(tx store.Txn) error {
		tx.Set([]byte("a"), []byte("1"))
		tx.OnCommit(func() { t.Error("OnCommit ran") })
		return errStop
	})
	if err != errStop { //nolint:errorlint // the error itself is promised
		t.Errorf("Update = %v, want the closure's error", err)
	}
	if got := get(t, s, "a"); got != "<none>" {
		t.Errorf("a failed transaction wrote %q", got)
	}
}

// TestLimits refuses what is over a limit and changes nothing.
func (*suite) TestLimits(t *testing.T, s store.Store) {
	big := bytes.Repeat([]byte("k"), store.MaxKey+1)
	for name, c := range map[string]struct {
		fn   func(tx store.Txn)
		want error
	}{
		"long key":    {func(tx store.Txn) { tx.Set(big, nil) }, store.ErrTooLarge},
		"long prefix": {func(tx store.Txn) { tx.Append(big[:store.MaxKey], nil) }, store.ErrTooLarge},
		"big value":   {func(tx store.Txn) { tx.Set([]byte("a"), make([]byte, store.MaxValue+64)) }, store.ErrTooLarge},
		"empty key":   {func(tx store.Txn) { tx.Set(nil, nil) }, store.ErrBadKey},
		"driver key":  {func(tx store.Txn) { tx.Delete([]byte("\xffversion")) }, store.ErrBadKey},
		"big transaction": {func(tx store.Txn) {
			for i := range 5 {
				tx.Set([]byte{'a', byte(i)}, make([]byte, store.MaxValue))
			}
		}, store.ErrTooLarge},
	} {
		err := s.Update(t.Context(), func(tx store.Txn) error {
			tx.Set([]byte("first"), []byte("1"))
			c.fn(tx)
			return nil
		})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if got := get(t, s, "first"); got != "<none>" {
		t.Errorf("a refused transaction wrote %q", got)
	}
	put(t, s, string(big[:store.MaxKey]), string(make([]byte, store.MaxValue)))
}

// TestAppendTellsTheStamp gives the caller the stamp with which the row was written.
func (*suite) TestAppendTellsTheStamp(t *testing.T, s store.Store) {
	var first, second *store.Stamp
	update(t, s, func(tx store.Txn) error {
		first, second = tx.Append([]byte("log/"), []byte("1")), tx.Append([]byte("log/"), []byte("2"))
		early := first
		tx.OnCommit(func() {
			if *early == (store.Stamp{}) {
				t.Error("the stamp is not known in OnCommit")
			}
		})
		return nil
	})
	for stamp, want := range map[*store.Stamp]string{first: "1", second: "2"} {
		if got := get(t, s, "log/"+string(stamp[:])); got != want {
			t.Errorf("at stamp %x is %q, want %q", *stamp, got, want)
		}
	}
}

// TestAppendIsInCommitOrder stamps rows so that they lie in commit order, and in order of calls.
func (*suite) TestAppendIsInCommitOrder(t *testing.T, s store.Store) {
	var mu sync.Mutex
	var order []string
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			name := string(rune('a' + i))
			err := s.Update(t.Context(), func(tx store.Txn) error {
				tx.Append([]byte("log/"), []byte(name+"1"))
				tx.Append([]byte("log/"), []byte(name+"2"))
				tx.OnCommit(func() {
					mu.Lock()
					defer mu.Unlock()
					order = append(order, name+"1", name+"2")
				})
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var rows []string
	err := s.View(t.Context(), func(r store.Reader) error {
		for p, err := range r.Range(store.Prefix([]byte("log/"))) {
			if err != nil {
				return err
			}
			if n := len(p.Key); n != len("log/")+store.StampSize {
				t.Errorf("key has %d bytes", n)
			}
			rows = append(rows, string(p.Value))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(order, rows); d != "" {
		t.Errorf("rows are not in the order of OnCommit (-OnCommit +rows):\n%s", d)
	}
}

// TestWatchNeverMisses wakes exactly the watchers that a commit concerns.
func (*suite) TestWatchNeverMisses(t *testing.T, s store.Store) {
	a, all, other := s.Watch([]byte("a/")), s.Watch(nil), s.Watch([]byte("b/"))
	defer other.Close()
	woken := func(w *store.Watcher) bool {
		select {
		case <-w.C():
			return true
		default:
			return false
		}
	}
	for name, fn := range map[string]func(tx store.Txn){
		"set":          func(tx store.Txn) { tx.Set([]byte("a/1"), nil) },
		"delete":       func(tx store.Txn) { tx.Delete([]byte("a/1")) },
		"append":       func(tx store.Txn) { tx.Append([]byte("a/log"), nil) },
		"delete range": func(tx store.Txn) { tx.DeleteRange([]byte("a"), []byte("a/5")) },
	} {
		before := a.Count()
		update(t, s, func(tx store.Txn) error { fn(tx); return nil })
		if a.Count() == before || other.Count() != 0 {
			t.Errorf("%s: the watchers counted %d to %d and %d", name, before, a.Count(), other.Count())
		}
		if !woken(a) || !woken(all) || woken(other) {
			t.Errorf("%s: wrong watchers woke", name)
		}
	}
	a.Close()
	put(t, s, "a/2", "")
	if woken(a) {
		t.Error("a closed watcher woke")
	}
	all.Close()
}

// TestViewIsOneState keeps a view as it was while others write.
func (*suite) TestViewIsOneState(t *testing.T, s store.Store) {
	put(t, s, "a", "1", "b", "1")
	err := s.View(t.Context(), func(r store.Reader) error {
		a, err := r.Get([]byte("a"))
		if err != nil {
			return err
		}
		put(t, s, "a", "2", "b", "2")
		b, err := r.Get([]byte("b"))
		if string(a)+string(b) != "11" {
			t.Errorf("the view saw a=%s b=%s", a, b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestContextEndsATransaction returns the context's error and writes nothing.
func (*suite) TestContextEndsATransaction(t *testing.T, s store.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	err := s.Update(ctx, func(tx store.Txn) error {
		tx.Set([]byte("a"), nil)
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update = %v, want context.Canceled", err)
	}
	if err := s.View(ctx, func(store.Reader) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("View = %v, want context.Canceled", err)
	}
	if got := get(t, s, "a"); got != "<none>" {
		t.Errorf("a cancelled transaction wrote %q", got)
	}
}

// TestCloseRefusesWhatFollows waits for what runs, and may be called again.
func (*suite) TestCloseRefusesWhatFollows(t *testing.T, s store.Store) {
	put(t, s, "a", "1")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close = %v", err)
		}
	}
	if err := s.View(t.Context(), func(store.Reader) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("View = %v, want ErrClosed", err)
	}
	if err := s.Update(t.Context(), func(store.Txn) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("Update = %v, want ErrClosed", err)
	}
}
