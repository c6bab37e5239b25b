package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/blob/disk"
	"lambent.dev/lambent/internal/blob/disk/vfsdisk"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/pebble"
)

// onFS opens an object store whose rows and bodies lie on fs.
func onFS(t *testing.T, fs vfs.FS) *fixture {
	t.Helper()
	f, err := openOn(t, fs, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// openOn opens an object store on fs, whose engine writes a table for that many bytes of rows; 0 means the usual number.
func openOn(t *testing.T, fs vfs.FS, table uint64) (*fixture, error) {
	t.Helper()
	now := clock.NewFake(time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC))
	st, err := pebble.Open("db", pebble.Options{FS: fs, Clock: now, MemTableBytes: table})
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	blobs, err := disk.Open("blobs", disk.Options{FS: vfsdisk.FS{FS: fs}})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open bodies: %w", err), st.Close())
	}
	f := &fixture{t: t, clock: now, functions: &functions{}, door: &door{}}
	f.Service = New(service.Deps{Store: st, Blobs: blobs, Door: f.door, Clock: f.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}, Options{Functions: f.functions})
	return f, nil
}

func (f *fixture) close() error { return errors.Join(f.store.Close(), f.blobs.Close()) }

// history is what was done to one key: the bodies that were put, nil for a deletion, and how far it got.
type history struct {
	mu             sync.Mutex // guards the fields below
	bodies         [][]byte
	started, acked int
}

func (h *history) state() (started, acked int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.started, h.acked
}

// TestPowerLossKeepsWhatWasAcknowledged takes copies of the file system as a power loss would leave it while objects are written,
// and checks on each: what was acknowledged can be read and has its event, what was not is there as a whole or not at all.
func TestPowerLossKeepsWhatWasAcknowledged(t *testing.T) {
	fs := vfs.NewCrashableMem()
	f := onFS(t, fs)
	defer func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "pictures"}); err != nil {
		t.Fatal(err)
	}
	if err := f.subscribe(lambdaRule("resize", "", "", "s3:ObjectCreated:*")); err != nil {
		t.Fatal(err)
	}
	const writers, steps, burst = 4, 120, 8
	histories := make([]*history, writers)
	turns := make(chan struct{}, writers*burst)
	var wg sync.WaitGroup
	for i := range histories {
		h := &history{}
		histories[i] = h
		key := fmt.Sprintf("key-%d", i)
		rnd := mathrand.New(mathrand.NewPCG(uint64(i), 7))
		for n := range steps {
			body := bytes.Repeat([]byte(fmt.Sprintf("%s#%d|", key, n)), []int{1, 100, 8000}[rnd.IntN(3)])
			if n > 0 && rnd.IntN(5) == 0 && h.bodies[n-1] != nil {
				body = nil
			}
			h.bodies = append(h.bodies, body)
		}
		wg.Go(func() { f.play(key, h, turns) })
	}
	rnd := mathrand.New(mathrand.NewPCG(1, 1))
	for range steps / burst {
		for range writers * burst {
			turns <- struct{}{} // a burst of writes is in flight while the power fails
		}
		var acked, started [writers]int
		for i, h := range histories {
			_, acked[i] = h.state()
		}
		clone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rnd.IntN(101), RNG: rnd})
		for i, h := range histories {
			started[i], _ = h.state()
		}
		after := onFS(t, clone)
		for i, h := range histories {
			after.survived(fmt.Sprintf("key-%d", i), h, acked[i], started[i])
		}
		if err := after.close(); err != nil {
			t.Error(err)
		}
	}
	close(turns)
	wg.Wait()
}

// play does to key what its history says, one step a turn.
func (f *fixture) play(key string, h *history, turns <-chan struct{}) {
	for _, body := range h.bodies {
		<-turns
		h.mu.Lock()
		h.started++
		h.mu.Unlock()
		var err error
		if body == nil {
			_, err = f.deleteObject(f.ctx(), &api.DeleteObjectInput{Bucket: "pictures", Key: key})
		} else {
			_, err = f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: key, Body: bytes.NewReader(body)})
		}
		if err != nil {
			f.t.Errorf("write %s: %v", key, err)
		}
		h.mu.Lock()
		h.acked++
		h.mu.Unlock()
	}
}

// survived checks a key after a power loss that came when at least acked and at most started steps of its history were done.
func (f *fixture) survived(key string, h *history, acked, started int) {
	f.t.Helper()
	if started == 0 {
		return
	}
	out, err := f.getObject(context.WithoutCancel(f.ctx()), &api.GetObjectInput{Bucket: "pictures", Key: key})
	var found []byte
	switch service.Code(err) {
	case "":
		if found, err = io.ReadAll(out.Body); err != nil {
			f.t.Errorf("%s cannot be read: %v", key, err)
		}
		_ = out.Body.Close()
	case "NoSuchKey", "NoSuchBucket":
	default:
		f.t.Errorf("%s cannot be opened: %v", key, err)
	}
	at := -1 // the first state that it can be: of two deletions one cannot tell which it was
	for i := max(acked-1, 0); i < started && at < 0; i++ {
		if bytes.Equal(h.bodies[i], found) && (h.bodies[i] == nil) == (found == nil) {
			at = i
		}
	}
	if at < 0 && (acked > 0 || found != nil) {
		f.t.Errorf("%s has %.20q, which is none of its states %d to %d", key, found, acked, started)
		return
	}
	sums := f.eventSums(key)
	for i, body := range h.bodies {
		if body == nil {
			continue
		}
		has := slices.Contains(sums, sumOf(body))
		if i <= at && !has {
			f.t.Errorf("%s: write %d is there and its event is not", key, i)
		}
		if i >= started && has {
			f.t.Errorf("%s: write %d was never made and has an event", key, i)
		}
	}
}

func sumOf(body []byte) string {
	d := newDigest()
	d.write(body)
	return d.etag()
}

// eventSums returns the ETags of the queued events of a key.
func (f *fixture) eventSums(key string) []string {
	f.t.Helper()
	var sums []string
	err := f.store.View(context.WithoutCancel(f.t.Context()), func(r store.Reader) error {
		for p, err := range r.Range(queueKey().Span()) {
			if err != nil {
				return err
			}
			var q queued
			var m message
			if err := errors.Join(json.Unmarshal(p.Value, &q), json.Unmarshal(q.Payload, &m)); err != nil {
				return err
			}
			if o := m.Records[0].S3.Object; o.Key == key {
				sums = append(sums, o.ETag)
			}
		}
		return nil
	})
	if err != nil {
		f.t.Error(err)
	}
	return sums
}
