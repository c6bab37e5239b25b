package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// breaking fails the writes of a disk from the nth on, or that one alone, for as long as it is on.
type breaking struct {
	err  error
	once bool
	from int64
	seen atomic.Int64
	on   atomic.Bool
}

// MaybeError implements errorfs.Injector.
func (b *breaking) MaybeError(op errorfs.Op) error {
	if !b.on.Load() || op.Kind.ReadOrWrite() != errorfs.OpIsWrite {
		return nil
	}
	if n := b.seen.Add(1); n == b.from+1 || n > b.from && !b.once {
		return b.err
	}
	return nil
}

func (b *breaking) String() string {
	return fmt.Sprintf("%v at write %d, once %v", b.err, b.from, b.once)
}

// call changes one key; body is what the key has afterwards.
type call struct {
	key  string
	body []byte // nil after a deletion
	run  func(f *fixture) error
}

// script are calls of every kind that writes: small and large bodies, overwrites, copies, uploads and deletions.
func script() []call {
	put := func(key string, body []byte) call {
		return call{key, body, func(f *fixture) error {
			_, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: key, Body: bytes.NewReader(body)})
			return err
		}}
	}
	remove := func(key string) call {
		return call{key, nil, func(f *fixture) error {
			_, err := f.deleteObject(f.ctx(), &api.DeleteObjectInput{Bucket: "pictures", Key: key})
			return err
		}}
	}
	small, large, other := []byte("small"), pattern(100<<10), pattern(70<<10)
	return []call{
		put("a", small), put("b", large), put("b", other), put("a", large),
		{"copy", other, func(f *fixture) error {
			_, err := f.copyObject(f.ctx(), &api.CopyObjectInput{Bucket: "pictures", Key: "copy", CopySource: "pictures/b"})
			return err
		}},
		{"joined", large, func(f *fixture) error {
			up, err := f.createMultipartUpload(f.ctx(), &api.CreateMultipartUploadInput{Bucket: "pictures", Key: "joined"})
			if err != nil {
				return err
			}
			p, err := f.uploadPart(f.ctx(), &api.UploadPartInput{Bucket: "pictures", Key: "joined", UploadId: *up.UploadId, PartNumber: 1, Body: bytes.NewReader(large)})
			if err != nil {
				return err
			}
			_, err = f.completeMultipartUpload(f.ctx(), &api.CompleteMultipartUploadInput{
				Bucket: "pictures", Key: "joined", UploadId: *up.UploadId,
				MultipartUpload: &api.CompletedMultipartUpload{Parts: []api.CompletedPart{{PartNumber: ptr(int32(1)), ETag: p.ETag}}},
			})
			return err
		}},
		remove("b"), put("b", small), remove("copy"),
	}
}

// state returns the body of a key, nil when there is none.
func (f *fixture) state(key string) ([]byte, error) {
	out, err := f.getObject(context.WithoutCancel(f.ctx()), &api.GetObjectInput{Bucket: "pictures", Key: key})
	if service.Code(err) == "NoSuchKey" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	return io.ReadAll(out.Body)
}

// outcomes are for each key the states that it can have: the last acknowledged one, and those of calls after it that failed or never ended.
type outcomes struct {
	mu  sync.Mutex // guards the field below
	may map[string][][]byte
}

// run runs a call and notes what the state of its key can be.
func (o *outcomes) run(f *fixture, c *call) error {
	o.note(c, false)
	err := c.run(f)
	if err == nil {
		o.note(c, true)
	}
	return err
}

func (o *outcomes) note(c *call, acknowledged bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := o.may[c.key]
	switch {
	case acknowledged:
		before = nil
	case before == nil:
		before = [][]byte{nil}
	}
	o.may[c.key] = append(slices.Clip(before), c.body)
}

// states returns the states of all keys.
func (o *outcomes) states() map[string][][]byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return maps.Clone(o.may)
}

// playScript runs calls, and returns what each key can be afterwards, and how many calls failed.
func playScript(f *fixture, calls []call) (o *outcomes, failed int) {
	o = &outcomes{may: map[string][][]byte{}}
	for i := range calls {
		err := o.run(f, &calls[i])
		if err == nil {
			continue
		}
		failed++
		if e, known := asError(err); known && e.Status < http.StatusInternalServerError && service.Code(err) != "NoSuchKey" {
			f.t.Errorf("a broken disk is answered with %v", err) // what is not an error of the service is answered with 500
		}
	}
	return o, failed
}

func (f *fixture) wantStates(when string, o *outcomes) {
	f.t.Helper()
	for key, states := range o.states() {
		got, err := f.state(key)
		if err != nil {
			f.t.Errorf("%s: read %s: %v", when, key, err)
			continue
		}
		found := false
		for _, s := range states {
			found = found || bytes.Equal(got, s) && (got == nil) == (s == nil)
		}
		if !found {
			f.t.Errorf("%s: %s has %d bytes, which is none of the %d states that it may have", when, key, len(got), len(states))
		}
	}
}

// TestDiskErrorAtEveryWriteLosesNothing breaks the disk at each write that the script makes, of bodies and of the store, and lets the power fail then.
func TestDiskErrorAtEveryWriteLosesNothing(t *testing.T) {
	for _, b := range []*breaking{{err: syscall.EIO}, {err: syscall.ENOSPC}, {err: syscall.EIO, once: true}, {err: syscall.ENOSPC, once: true}} {
		t.Run(fmt.Sprintf("%v once %v", b.err, b.once), func(t *testing.T) {
			broke := 0
			for from := int64(0); !t.Failed(); from++ {
				if !breakFrom(t, &breaking{err: b.err, once: b.once, from: from}) {
					break
				}
				broke++
			}
			if broke < 20 {
				t.Errorf("the script makes %d writes; that is too few to be all", broke)
			}
		})
	}
}

// breakFrom plays the script on a disk that breaks, and reports whether it did.
func breakFrom(t *testing.T, b *breaking) bool {
	t.Helper()
	disk := vfs.NewCrashableMem()
	f := onFS(t, errorfs.Wrap(disk, b))
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "pictures"}); err != nil {
		t.Fatal(err)
	}
	b.on.Store(true)
	may, _ := playScript(f, script())
	b.on.Store(false)
	after := onFS(t, disk.CrashClone(vfs.CrashCloneCfg{}))
	after.wantStates(b.String(), may)
	if err := after.close(); err != nil {
		t.Error(err)
	}
	_ = f.close() // the store of a broken disk ends with its error
	return b.seen.Load() > b.from
}

// filling is a disk whose room is set.
type filling struct {
	vfs.FS
	avail atomic.Uint64
}

// GetDiskUsage implements vfs.FS.
func (f *filling) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.avail.Load(), TotalBytes: 10 << 30}, nil
}

// TestFullDiskRefusesWritesAndServesReads fills the disk and frees it again, without a restart.
func TestFullDiskRefusesWritesAndServesReads(t *testing.T) {
	disk := &filling{FS: vfs.NewMem()}
	disk.avail.Store(5 << 30)
	f := onFS(t, disk)
	t.Cleanup(func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "pictures"}); err != nil {
		t.Fatal(err)
	}
	before, failed := playScript(f, script())
	if failed > 0 {
		t.Fatalf("%d calls failed on a disk with room", failed)
	}
	disk.avail.Store(0)
	f.clock.Advance(2 * time.Second) // a measurement of the room is trusted for a second
	for _, c := range script() {
		err := c.run(f)
		e, _ := asError(err)
		if err == nil && c.body == nil {
			continue // there was nothing to delete
		}
		if e == nil || e.Code != "ServiceUnavailable" || e.Status != http.StatusServiceUnavailable {
			t.Errorf("a change of %s on a full disk: %v, want ServiceUnavailable", c.key, err)
		}
	}
	f.wantStates("while the disk is full", before)
	disk.avail.Store(5 << 30)
	f.clock.Advance(2 * time.Second) // a measurement of the room is trusted for a second
	again, failed := playScript(f, script())
	if failed > 0 {
		t.Errorf("%d calls failed after there was room again", failed)
	}
	f.wantStates("after there was room again", again)
}

// TestDeletionOnAFullDiskRemovesTheBody deletes a large object while the disk has less than the store's reserve, and waits until its file is gone.
func TestDeletionOnAFullDiskRemovesTheBody(t *testing.T) {
	disk := &filling{FS: vfs.NewMem()}
	disk.avail.Store(5 << 30)
	f := onFS(t, disk)
	t.Cleanup(func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := f.createBucket(f.ctx(), &api.CreateBucketInput{Bucket: "pictures"}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.putObject(f.ctx(), &api.PutObjectInput{Bucket: "pictures", Key: "a", Body: bytes.NewReader(pattern(100 << 10))}); err != nil {
		t.Fatal(err)
	}
	disk.avail.Store(48 << 20) // of 64 MiB that are kept
	f.clock.Advance(2 * time.Second)
	if _, err := f.deleteObject(store.MakingRoom(f.ctx()), &api.DeleteObjectInput{Bucket: "pictures", Key: "a"}); err != nil {
		t.Fatal(err)
	}
	ended := f.store.Watch(nil)
	defer ended.Close()
	q := events.New(f.store, f.clock, f.log)
	if err := errors.Join(q.Register(f.Service.Service().Jobs...), q.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	f.clock.Advance(time.Hour) // the body stays for a while for those who read it
	<-ended.C()
	if err := q.Close(); err != nil {
		t.Error(err)
	}
	if names, err := disk.List("blobs/000"); err != nil || len(names) > 0 {
		t.Errorf("the folder of bodies has %d files (%v), want none", len(names), err)
	}
}
