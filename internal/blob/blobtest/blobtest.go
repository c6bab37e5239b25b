// Package blobtest is the conformance suite for drivers of package blob.
package blobtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"lambent.dev/lambent/internal/blob"
)

// Run runs the suite. open returns an empty store and a function that closes and opens it again, or nil
// when the driver forgets everything at Close.
func Run(t *testing.T, open func(t *testing.T) (blob.Store, func() blob.Store)) {
	t.Helper()
	tests := map[string]func(t *testing.T, s blob.Store, reopen func() blob.Store){
		"WrittenIsRead":             writtenIsRead,
		"AbortedIsGone":             abortedIsGone,
		"ReadersSurviveDelete":      readersSurviveDelete,
		"ManyWritersAtOnce":         manyWritersAtOnce,
		"MissingIsNotFound":         missingIsNotFound,
		"SweepTakesWhatIsNotLive":   sweepTakesWhatIsNotLive,
		"SweepLeavesWhatIsYoung":    sweepLeavesWhatIsYoung,
		"IDsAreNeverUsedAgain":      idsAreNeverUsedAgain,
		"CloseRefusesWhatFollows":   closeRefusesWhatFollows,
		"EndedWriterRefusesWrites":  endedWriterRefusesWrites,
		"ReadsAtAnyOffset":          readsAtAnyOffset,
		"CancelledContextIsRefused": cancelledContextIsRefused,
	}
	for name, fn := range tests {
		t.Run(name, func(t *testing.T) {
			s, reopen := open(t)
			fn(t, s, reopen)
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// Put writes a blob, which must succeed.
func Put(t *testing.T, s blob.Store, body []byte) blob.ID {
	t.Helper()
	w, err := s.Create(t.Context())
	if err != nil {
		t.Fatalf("Create: %v", err)
	}
	defer w.Abort()
	if _, err := w.Write(body); err != nil {
		t.Fatalf("Write: %v", err)
	}
	id, err := w.Commit(t.Context())
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	return id
}

// Get reads a blob, which must be there.
func Get(t *testing.T, s blob.Store, id blob.ID) []byte {
	t.Helper()
	r, err := s.Open(t.Context(), id, blob.Whole())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return b
}

func writtenIsRead(t *testing.T, s blob.Store, _ func() blob.Store) {
	for _, n := range []int{0, 1, 4096, 3<<20 + 7} {
		body := bytes.Repeat([]byte{byte(n)}, n)
		if got := Get(t, s, Put(t, s, body)); !bytes.Equal(got, body) {
			t.Errorf("read %d bytes that differ from the %d written", len(got), n)
		}
	}
}

func abortedIsGone(t *testing.T, s blob.Store, reopen func() blob.Store) {
	w, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Write([]byte("x"))
	w.Abort()
	w.Abort()
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("Commit after Abort succeeded")
	}
	if reopen == nil {
		return
	}
	s = reopen()
	if err := s.Sweep(t.Context(), func(id blob.ID) (bool, error) {
		t.Errorf("an aborted blob is there: %s", id)
		return true, nil
	}); err != nil {
		t.Error(err)
	}
}

func readersSurviveDelete(t *testing.T, s blob.Store, _ func() blob.Store) {
	id := Put(t, s, []byte("body"))
	r, err := s.Open(t.Context(), id, blob.Whole())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Delete(t.Context(), id); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	if b, err := io.ReadAll(r); string(b) != "body" || err != nil {
		t.Errorf("an open reader read %q, %v", b, err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Open(t.Context(), id, blob.Whole()); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Open of a deleted blob = %v", err)
	}
}

func manyWritersAtOnce(t *testing.T, s blob.Store, _ func() blob.Store) {
	const n = 50
	ids := make([]blob.ID, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { ids[i] = Put(t, s, fmt.Append(nil, "body ", i)) })
	}
	wg.Wait()
	for i, id := range ids {
		if got := string(Get(t, s, id)); got != fmt.Sprint("body ", i) {
			t.Errorf("blob %d reads %q", i, got)
		}
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != n {
		t.Error("two blobs share an id")
	}
	if later := Put(t, s, nil); later <= ids[n-1] {
		t.Errorf("id %s was given out after %s", later, ids[n-1])
	}
}

func missingIsNotFound(t *testing.T, s blob.Store, _ func() blob.Store) {
	for _, id := range []blob.ID{"", "x", "../../etc/passwd", "ffffffffffffffff", "FFFFFFFFFFFFFFFF", "+000000000000001"} {
		if _, err := s.Open(t.Context(), id, blob.Whole()); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("Open(%q) = %v, want ErrNotFound", id, err)
		}
		if err := s.Delete(t.Context(), id); err != nil {
			t.Errorf("Delete(%q) = %v", id, err)
		}
	}
}

func sweepTakesWhatIsNotLive(t *testing.T, s blob.Store, reopen func() blob.Store) {
	if reopen == nil {
		t.Skip("the driver forgets at Close")
	}
	keep, drop := Put(t, s, []byte("keep")), Put(t, s, []byte("drop"))
	s = reopen()
	young := Put(t, s, []byte("young"))
	if err := s.Sweep(t.Context(), func(id blob.ID) (bool, error) { return id == keep, nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), drop, blob.Whole()); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("a swept blob opens: %v", err)
	}
	if got := string(Get(t, s, keep)) + string(Get(t, s, young)); got != "keepyoung" {
		t.Errorf("read %q", got)
	}
}

func sweepLeavesWhatIsYoung(t *testing.T, s blob.Store, _ func() blob.Store) {
	sweep := func() {
		t.Helper()
		if err := s.Sweep(t.Context(), func(blob.ID) (bool, error) { return false, nil }); err != nil {
			t.Fatal(err)
		}
	}
	gone := func(id blob.ID) bool {
		t.Helper()
		r, err := s.Open(t.Context(), id, blob.Whole())
		if err == nil {
			_ = r.Close()
		}
		return errors.Is(err, blob.ErrNotFound)
	}
	slow, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := Put(t, s, []byte("before"))
	sweep()
	if gone(before) {
		t.Error("a blob of the first sweep's time was taken by it")
	}
	late, err := slow.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sweep()
	if gone(late) {
		t.Error("a blob that was being written when the last sweep began was taken")
	}
	sweep()
	if !gone(before) || !gone(late) {
		t.Error("blobs that nobody holds outlive every sweep")
	}
}

func idsAreNeverUsedAgain(t *testing.T, s blob.Store, reopen func() blob.Store) {
	if reopen == nil {
		t.Skip("the driver forgets at Close")
	}
	last := blob.ID("")
	for range 3 {
		id := Put(t, s, nil)
		if id <= last {
			t.Errorf("id %s was given out after %s", id, last)
		}
		last = id
		if err := s.Delete(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		s = reopen()
	}
}

func closeRefusesWhatFollows(t *testing.T, s blob.Store, _ func() blob.Store) {
	id := Put(t, s, nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context()); !errors.Is(err, blob.ErrClosed) {
		t.Errorf("Create = %v", err)
	}
	if _, err := s.Open(t.Context(), id, blob.Whole()); !errors.Is(err, blob.ErrClosed) {
		t.Errorf("Open = %v", err)
	}
	if err := s.Delete(t.Context(), id); !errors.Is(err, blob.ErrClosed) {
		t.Errorf("Delete = %v", err)
	}
}

func endedWriterRefusesWrites(t *testing.T, s blob.Store, _ func() blob.Store) {
	w, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("Write after Commit succeeded")
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("a second Commit succeeded")
	}
	w.Abort()
}

func readsAtAnyOffset(t *testing.T, s blob.Store, _ func() blob.Store) {
	r, err := s.Open(t.Context(), Put(t, s, []byte("0123456789")), blob.Whole())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	b := make([]byte, 3)
	if _, err := r.ReadAt(b, 4); string(b) != "456" || err != nil {
		t.Errorf("ReadAt read %q, %v", b, err)
	}
	if n, err := r.Seek(-2, io.SeekEnd); n != 8 || err != nil {
		t.Errorf("Seek = %d, %v", n, err)
	}
	if b, err := io.ReadAll(r); string(b) != "89" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
}

func cancelledContextIsRefused(t *testing.T, s blob.Store, _ func() blob.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	w, err := s.Create(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := w.Commit(ctx); err == nil {
		t.Error("Commit with an ended context succeeded")
	}
	if _, err := s.Create(ctx); err == nil {
		t.Error("Create with an ended context succeeded")
	}
}
