package pebble_test

import (
	"fmt"
	"sync/atomic"
	"testing"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/pebble"
)

func BenchmarkPut64(b *testing.B) {
	s, err := pebble.Open(b.TempDir(), pebble.Options{})
	if err != nil {
		b.Fatal(err)
	}
	v := make([]byte, 1000)
	b.SetParallelism(32)
	b.ReportAllocs()
	var w atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		id := w.Add(1)
		for n := 0; pb.Next(); n++ {
			err := s.Update(b.Context(), func(tx store.Txn) error {
				tx.Set(fmt.Appendf(nil, "bench/put/%d/%d", id, n%1000), v)
				return nil
			})
			if err != nil {
				b.Error(err)
			}
		}
	})
	if err := s.Close(); err != nil {
		b.Error(err)
	}
}

func BenchmarkViewGet(b *testing.B) {
	s, err := pebble.Open(b.TempDir(), pebble.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for i := range 100 {
		if err := s.Update(b.Context(), func(tx store.Txn) error {
			for j := range 100 {
				tx.Set(fmt.Appendf(nil, "item/%d/%d", i, j), make([]byte, 1000))
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			k := fmt.Appendf(nil, "item/%d/%d", n%100, n/100%100)
			if err := s.View(b.Context(), func(r store.Reader) error { _, err := r.Get(k); return err }); err != nil {
				b.Error(err)
			}
		}
	})
	if err := s.Close(); err != nil {
		b.Error(err)
	}
}

// BenchmarkSkipScan goes through 1,000 groups of 500 keys, of each of which it reads the first.
func BenchmarkSkipScan(b *testing.B) {
	s, err := pebble.Open(b.TempDir(), pebble.Options{MemTableBytes: 1 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	}()
	for group := range 1000 {
		if err := s.Update(b.Context(), func(tx store.Txn) error {
			for i := range 500 {
				tx.Set(fmt.Appendf(nil, "group/%04d/%04d", group, i), make([]byte, 100))
			}
			return nil
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		n, span := 0, store.Prefix([]byte("group/"))
		err := s.View(b.Context(), func(r store.Reader) error {
			for {
				found := false
				for p, err := range r.Range(span) {
					if err != nil {
						return err
					}
					found, span.Lo = true, store.PrefixEnd(p.Key[:len("group/0000/")])
					n++
					break
				}
				if !found {
					return nil
				}
			}
		})
		if err != nil || n != 1000 {
			b.Fatalf("%d groups, %v", n, err)
		}
	}
}
