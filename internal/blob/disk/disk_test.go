package disk_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/blobtest"
	"lambent.dev/lambent/internal/blob/disk"
	"lambent.dev/lambent/internal/blob/disk/vfsdisk"
)

func open(t *testing.T, dir string, o disk.Options) blob.Store {
	t.Helper()
	s, err := disk.Open(dir, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

func conform(t *testing.T, dir func(t *testing.T) string, o func() disk.Options) {
	t.Helper()
	blobtest.Run(t, func(t *testing.T) (blob.Store, func() blob.Store) {
		dir, o := dir(t), o()
		s := open(t, dir, o)
		return s, func() blob.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir, o)
			return s
		}
	})
}

func TestConformance(t *testing.T) {
	conform(t, func(t *testing.T) string { return t.TempDir() }, func() disk.Options { return disk.Options{} })
}

func TestConformanceOnCrashableMemory(t *testing.T) {
	conform(t, func(*testing.T) string { return "blobs" }, func() disk.Options {
		return disk.Options{FS: vfsdisk.FS{FS: vfs.NewCrashableMem()}}
	})
}

func TestOpenReturnsAFile(t *testing.T) {
	s := open(t, t.TempDir(), disk.Options{})
	r, err := s.Open(t.Context(), blobtest.Put(t, s, []byte("x")), blob.Whole())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := r.(*os.File); !ok {
		t.Errorf("Open returned %T, want *os.File", r)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestCommittedBlobSurvivesPowerLoss(t *testing.T) {
	mem := vfs.NewCrashableMem()
	s := open(t, "blobs", disk.Options{FS: vfsdisk.FS{FS: mem}})
	var last blob.ID
	for i := range 600 { // crosses folders
		body := fmt.Append(nil, "body ", i)
		id := blobtest.Put(t, s, body)
		if i%37 != 0 {
			continue
		}
		after := open(t, "blobs", disk.Options{FS: vfsdisk.FS{FS: mem.CrashClone(vfs.CrashCloneCfg{})}})
		if got := string(blobtest.Get(t, after, id)); got != string(body) {
			t.Fatalf("after a power loss the blob reads %q", got)
		}
		if next := blobtest.Put(t, after, nil); next <= id {
			t.Fatalf("after a power loss id %s follows %s", next, id)
		}
		last = id
	}
	if last == "" {
		t.Error("nothing was checked")
	}
}

func TestFullDiskKeepsNothing(t *testing.T) {
	mem := vfs.NewMem()
	full := errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return syscall.ENOSPC
		}
		return nil
	})}
	s := open(t, "blobs", disk.Options{FS: vfsdisk.FS{FS: errorfs.Wrap(mem, &full)}})
	blobtest.Put(t, s, []byte("before"))
	w, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	full.On()
	if _, err := w.Write([]byte("x")); !errors.Is(err, blob.ErrFull) {
		t.Errorf("Write on a full disk = %v, want ErrFull", err)
	}
	if _, err := w.Commit(t.Context()); !errors.Is(err, blob.ErrFull) {
		t.Errorf("Commit on a full disk = %v, want ErrFull", err)
	}
	if _, err := s.Create(t.Context()); !errors.Is(err, blob.ErrFull) {
		t.Errorf("Create on a full disk = %v, want ErrFull", err)
	}
	full.Off()
	blobtest.Put(t, s, []byte("after"))
}

func TestReserveIsKept(t *testing.T) {
	s := open(t, t.TempDir(), disk.Options{Reserve: 1 << 62})
	if _, err := s.Create(t.Context()); !errors.Is(err, blob.ErrFull) {
		t.Errorf("Create below the reserve = %v, want ErrFull", err)
	}
}

func TestEachTellsOfWholeBlobsInOrder(t *testing.T) {
	s, err := disk.Open(t.TempDir(), disk.Options{})
	if err != nil {
		t.Fatal(err)
	}
	first, second := blobtest.Put(t, s, []byte("a")), blobtest.Put(t, s, []byte("b"))
	writing, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer writing.Abort()
	third := blobtest.Put(t, s, []byte("c"))
	if err := s.Delete(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	var got []blob.ID
	if err := s.Each(t.Context(), func(id blob.ID) error { got = append(got, id); return nil }); err != nil || !slices.Equal(got, []blob.ID{first, third}) {
		t.Errorf("Each = %v, %v; want %v", got, err, []blob.ID{first, third})
	}
	stop := errors.New("stop")
	if err := s.Each(t.Context(), func(blob.ID) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Each = %v, want the error of the caller", err)
	}
}

// turns is a file system that watches its files settle.
type turns struct {
	disk.FS
	running, settled atomic.Int32
	together         atomic.Bool
	fail             error
}

func (f *turns) Create(name string) (disk.File, error) {
	file, err := f.FS.Create(name)
	return turnFile{file, f}, err
}

type turnFile struct {
	disk.File
	of *turns
}

func (f turnFile) Settle() error {
	if f.of.running.Add(1) > 1 {
		f.of.together.Store(true)
	}
	runtime.Gosched()
	f.of.running.Add(-1)
	f.of.settled.Add(1)
	return f.of.fail
}

func TestBodiesComeToTheDiskOneAfterTheOther(t *testing.T) {
	fs := &turns{FS: vfsdisk.FS{FS: vfs.NewMem()}}
	s := open(t, "blobs", disk.Options{FS: fs})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { blobtest.Put(t, s, make([]byte, 1<<20)) })
	}
	wg.Wait()
	if n := fs.settled.Load(); n != 8 || fs.together.Load() {
		t.Errorf("settled %d times, together: %v", n, fs.together.Load())
	}
	blobtest.Put(t, s, make([]byte, 100<<10))
	if n := fs.settled.Load(); n != 8 {
		t.Error("a small body waited for a turn")
	}
}

// TestBodyThatTheDiskDidNotTakeIsRefused matters because the kernel tells of a failed write once: the sync does not hear of it again.
func TestBodyThatTheDiskDidNotTakeIsRefused(t *testing.T) {
	s := open(t, "blobs", disk.Options{FS: &turns{FS: vfsdisk.FS{FS: vfs.NewMem()}, fail: syscall.EIO}})
	w, err := s.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); !errors.Is(err, syscall.EIO) {
		t.Errorf("Write = %v, want EIO", err)
	}
	if _, err := w.Commit(t.Context()); !errors.Is(err, syscall.EIO) {
		t.Errorf("Commit = %v, want EIO", err)
	}
}

func TestWritersAreBounded(t *testing.T) {
	s := open(t, t.TempDir(), disk.Options{Writers: 2})
	create := func() blob.Writer {
		w, err := s.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	first, second := create(), create()
	if _, err := s.Create(t.Context()); !errors.Is(err, blob.ErrBusy) {
		t.Errorf("a third writer: %v, want ErrBusy", err)
	}
	first.Abort()
	first.Abort() // does nothing the second time
	third := create()
	if _, err := s.Create(t.Context()); !errors.Is(err, blob.ErrBusy) {
		t.Errorf("a third writer after one ended: %v, want ErrBusy", err)
	}
	for _, w := range []blob.Writer{second, third} {
		if _, err := w.Commit(t.Context()); err != nil {
			t.Error(err)
		}
	}
	create().Abort()
}
