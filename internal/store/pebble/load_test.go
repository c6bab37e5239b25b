package pebble_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"testing"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/pebble"
)

// rows yields n rows of a kilobyte under a prefix.
func rows(prefix string, n int) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		value := make([]byte, 1024)
		for i := range n {
			if !yield(fmt.Appendf(nil, "%s%08d", prefix, i), value) {
				return
			}
		}
	}
}

func TestLoadedRowsLieBesideThoseThatWereThere(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, pebble.Options{})
	err := s.Update(t.Context(), func(tx store.Txn) error {
		tx.Set([]byte("a"), []byte("before"))
		tx.Set([]byte("z"), []byte("before"))
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	const n = 150_000 // more than one table's worth
	if got, err := pebble.Load(dir, pebble.Options{}, rows("m/", n)); err != nil || got != n {
		t.Fatalf("Load = %d, %v, want %d rows", got, err, n)
	}
	s = open(t, dir, pebble.Options{})
	defer func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	err = s.Update(t.Context(), func(tx store.Txn) error { // rows can be changed like others
		tx.Delete([]byte("m/00000000"))
		tx.Set([]byte("m/00000001"), []byte("changed"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	const page = 10_000 // in a transaction: each is short, however busy the machine is
	for lo := []byte{}; lo != nil; {
		err := s.View(t.Context(), func(r store.Reader) error {
			from := lo
			lo = nil
			for p, err := range r.Range(store.Span{Lo: from, Limit: page}) {
				if err != nil {
					return err
				}
				if count == 1 && string(p.Value) != "changed" {
					t.Errorf("the second row is %q = %.20q, want the changed one", p.Key, p.Value)
				}
				count++
				lo = append(bytes.Clone(p.Key), 0)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if count != n+1 {
		t.Errorf("%d rows, want %d", count, n+1)
	}
}

func TestLoadOutOfOrderChangesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir, pebble.Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	_, err := pebble.Load(dir, pebble.Options{}, func(yield func(k, v []byte) bool) {
		_ = yield([]byte("b"), nil) && yield([]byte("a"), nil)
	})
	if err == nil {
		t.Fatal("rows out of order were loaded")
	}
	s := open(t, dir, pebble.Options{})
	err = s.View(t.Context(), func(r store.Reader) error {
		for p := range r.Range(store.Span{}) {
			t.Errorf("there is a row %q", p.Key)
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
}
