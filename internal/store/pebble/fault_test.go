package pebble_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/pebble"
	"lambent.dev/lambent/internal/store/storetest"
)

func set(s store.Store, key string) error { return setValue(s, key, nil) }

func setValue(s store.Store, key string, value []byte) error {
	return s.Update(noContext(), func(tx store.Txn) error {
		tx.Set([]byte(key), value)
		return nil
	})
}

func has(t *testing.T, s store.Store, key string) bool {
	t.Helper()
	found := false
	err := s.View(t.Context(), func(r store.Reader) error {
		_, err := r.Get([]byte(key))
		found = err == nil
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	if err != nil {
		t.Fatalf("View: %v", err)
	}
	return found
}

func TestAgreesWithTheModel(t *testing.T) {
	storetest.Compare(t, func() (store.Store, error) { return pebble.Open("db", pebble.Options{FS: vfs.NewMem()}) })
}

func TestSecondOpenNamesTheHolder(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, pebble.Options{})
	_, err := pebble.Open(dir, pebble.Options{})
	if err == nil || !strings.Contains(err.Error(), "process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("second Open = %v, want an error that names the process", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir, pebble.Options{}).Close(); err != nil {
		t.Errorf("open after close: %v", err)
	}
}

func TestStampsGrowAcrossRestarts(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		s := open(t, dir, pebble.Options{})
		for range 3 {
			if err := s.Update(t.Context(), func(tx store.Txn) error {
				tx.Append([]byte("log/"), []byte{byte(i)})
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, pebble.Options{})
	var order []byte
	if err := s.View(t.Context(), func(r store.Reader) error {
		for p, err := range r.Range(store.Prefix([]byte("log/"))) {
			if err != nil {
				return err
			}
			order = append(order, p.Value...)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(order); got != "[0 0 0 1 1 1 2 2 2 3 3 3]" {
		t.Errorf("rows lie as %s", got)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// onLog injects err into writes and syncs of the log.
func onLog(err error) *errorfs.Toggle {
	return &errorfs.Toggle{Injector: errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".log") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return err
		}
		return nil
	})}
}

func TestLogErrorStopsTheStoreAndLosesNothing(t *testing.T) {
	mem := vfs.NewCrashableMem()
	broken := onLog(syscall.EIO)
	s := open(t, "db", pebble.Options{FS: errorfs.Wrap(mem, broken)})
	if err := set(s, "before"); err != nil {
		t.Fatal(err)
	}
	broken.On()
	if err := set(s, "during"); !errors.Is(err, store.ErrFailed) {
		t.Errorf("update while the log fails = %v, want ErrFailed", err)
	}
	broken.Off()
	if err := set(s, "after"); !errors.Is(err, store.ErrFailed) {
		t.Errorf("update after the log failed = %v, want ErrFailed", err)
	}
	if err := s.View(t.Context(), func(store.Reader) error { return nil }); !errors.Is(err, store.ErrFailed) {
		t.Errorf("view after the log failed = %v, want ErrFailed", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	again := open(t, "db", pebble.Options{FS: mem.CrashClone(vfs.CrashCloneCfg{})})
	if !has(t, again, "before") || has(t, again, "during") || has(t, again, "after") {
		t.Error("after the restart: want what was acknowledged and nothing else")
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// measured is a file system that says how much room it has.
type measured struct {
	vfs.FS
	avail *atomic.Uint64
}

func (m measured) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: m.avail.Load(), TotalBytes: 1 << 30}, nil
}

func TestReserveRefusesUpdatesAndKeepsReads(t *testing.T) {
	var avail atomic.Uint64
	avail.Store(512 << 20)
	clk := newClock()
	s := open(t, "db", pebble.Options{FS: measured{vfs.NewMem(), &avail}, Reserve: 100 << 20, Clock: clk})
	if err := set(s, "a"); err != nil {
		t.Fatal(err)
	}
	avail.Store(99 << 20)
	clk.Advance(2e9)
	if err := set(s, "b"); !errors.Is(err, store.ErrFull) {
		t.Errorf("update below the reserve = %v, want ErrFull", err)
	}
	if !has(t, s, "a") || has(t, s, "b") {
		t.Error("reads on a full disk are wrong")
	}
	avail.Store(512 << 20)
	clk.Advance(2e9)
	if err := set(s, "c"); err != nil {
		t.Errorf("update after room returned = %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// besides is a file system with what others leave of it, of which the ballast takes its part.
type besides struct {
	measured

	ballast uint64
}

func (b besides) GetDiskUsage(string) (vfs.DiskUsage, error) {
	left := b.avail.Load()
	if _, err := b.Stat("db/BALLAST"); err == nil {
		left -= min(left, b.ballast)
	}
	return vfs.DiskUsage{AvailBytes: left, TotalBytes: 1 << 30}, nil
}

func TestUpdateThatMakesRoomUsesHalfOfTheReserveAndThenTheBallast(t *testing.T) {
	const ballast = 16 << 20
	var avail atomic.Uint64
	avail.Store(512 << 20)
	clk := newClock()
	s := open(t, "db", pebble.Options{FS: besides{measured{vfs.NewMem(), &avail}, ballast}, Reserve: 100 << 20, Clock: clk})
	for _, key := range []string{"a", "b", "c"} {
		if err := set(s, key); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(key string) error {
		return s.Update(store.MakingRoom(t.Context()), func(tx store.Txn) error {
			tx.Delete([]byte(key))
			return nil
		})
	}
	for _, step := range []struct {
		what  string
		avail uint64
		key   string
		taken bool
	}{
		{"with more than half of the reserve left", ballast + 60<<20, "a", true},
		{"with nothing left but the ballast", ballast, "b", true},
		{"with less than three quarters of the ballast left", ballast*3/4 - 1, "c", false},
		{"after room returned", 512 << 20, "c", true},
	} {
		avail.Store(step.avail)
		clk.Advance(2e9)
		if step.avail < 100<<20 {
			if err := set(s, "d"); !errors.Is(err, store.ErrFull) {
				t.Errorf("%s, an update = %v, want ErrFull", step.what, err)
			}
		}
		err := remove(step.key)
		if step.taken && err != nil || !step.taken && !errors.Is(err, store.ErrFull) {
			t.Errorf("%s, an update that makes room = %v", step.what, err)
		}
		if has(t, s, step.key) == step.taken {
			t.Errorf("%s, %s is there: %v", step.what, step.key, step.taken)
		}
	}
	if err := set(s, "d"); err != nil {
		t.Errorf("update after room returned = %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestDiskFullInTheLogGivesUpTheBallast lets every write fail until the ballast is removed.
func TestDiskFullInTheLogGivesUpTheBallast(t *testing.T) {
	var avail atomic.Uint64
	avail.Store(512 << 20)
	mem := vfs.NewMem()
	clk := newClock()
	full := onLog(nil)
	full.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !strings.HasSuffix(op.Path, ".log") || op.Kind != errorfs.OpFileWrite {
			return nil
		}
		if _, err := mem.Stat("db/BALLAST"); err != nil {
			return nil
		}
		return syscall.ENOSPC
	})
	s := open(t, "db", pebble.Options{FS: measured{errorfs.Wrap(mem, full), &avail}, Reserve: 100 << 20, Clock: clk})
	if err := set(s, "a"); err != nil {
		t.Fatal(err)
	}
	full.On()
	if err := set(s, "b"); err != nil {
		t.Errorf("the update that met the full disk = %v, want it saved by the ballast", err)
	}
	if err := set(s, "c"); !errors.Is(err, store.ErrFull) {
		t.Errorf("the next update = %v, want ErrFull", err)
	}
	full.Off()
	clk.Advance(2e9)
	if err := set(s, "d"); err != nil {
		t.Errorf("update after room returned = %v", err)
	}
	if !has(t, s, "a") || !has(t, s, "b") || has(t, s, "c") || !has(t, s, "d") {
		t.Error("want a, b and d, and not c")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
