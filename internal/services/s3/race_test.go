package s3

import (
	"bytes"
	"slices"
	"sync"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/store"
)

// TestConcurrentEndsOfAnUploadHaveOneWinner completes, aborts and overwrites at once.
func TestConcurrentEndsOfAnUploadHaveOneWinner(t *testing.T) {
	f := newFixture(t)
	won := map[string]int{}
	for range 60 {
		id, parts, joined := f.begin(api.CreateMultipartUploadInput{}, 40<<10)
		single := []byte("overwritten")
		var completed [2]error
		var aborted, put error
		var wg sync.WaitGroup
		start := make(chan struct{})
		run := func(fn func()) {
			wg.Go(func() {
				<-start
				fn()
			})
		}
		for i := range completed {
			run(func() { _, completed[i] = f.complete(id, slices.Clone(parts)) })
		}
		run(func() {
			_, aborted = f.abortMultipartUpload(f.ctx(), &api.AbortMultipartUploadInput{Bucket: "pictures", Key: "movie", UploadId: id})
		})
		run(func() {
			_, put = f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: "movie", Body: bytes.NewReader(single)})
		})
		close(start)
		wg.Wait()
		if put != nil {
			t.Fatalf("overwrite: %v", put)
		}
		for _, err := range append(completed[:], aborted) {
			if err != nil {
				code(t, err, "NoSuchUpload")
			}
		}
		done := completed[0] == nil || completed[1] == nil
		if done == (aborted == nil) {
			t.Fatalf("complete: %v, %v; abort: %v: one of them must win", completed[0], completed[1], aborted)
		}
		got, err := f.state("movie")
		switch {
		case err != nil:
			t.Fatal(err)
		case bytes.Equal(got, single):
		case !done || !bytes.Equal(got, joined):
			t.Fatalf("the object has %d bytes, which nobody wrote last", len(got))
		}
		won[map[bool]string{true: "complete", false: "abort"}[done]]++
	}
	f.wantNoUploads()
	t.Logf("winners: %v", won)
}

// wantNoUploads checks that no row of an upload or its parts is left.
func (f *fixture) wantNoUploads() {
	f.t.Helper()
	err := f.store.View(f.t.Context(), func(r store.Reader) error {
		b, err := findBucket(r, "pictures", nil)
		if err != nil {
			return err
		}
		for _, sort := range []string{"up", "part"} {
			left, err := hasAny(r, b.row(sort).Span())
			if err != nil {
				return err
			}
			if left {
				f.t.Errorf("rows of %q are left", sort)
			}
		}
		return nil
	})
	if err != nil {
		f.t.Error(err)
	}
}
