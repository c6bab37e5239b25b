package disk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/blobtest"
	"lambent.dev/lambent/internal/blob/disk"
	"lambent.dev/lambent/internal/blob/disk/vfsdisk"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/pebble"
)

// both is a store and its bodies on one file system, as the platform has them.
type both struct {
	kv    store.Store
	blobs blob.Store
}

func openBoth(t *testing.T, fs vfs.FS) both {
	t.Helper()
	kv, err := pebble.Open("db", pebble.Options{FS: fs, MemTableBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	return both{kv, open(t, "blobs", disk.Options{FS: vfsdisk.FS{FS: fs}})}
}

func (b both) close(t *testing.T) {
	t.Helper()
	if err := errors.Join(b.kv.Close(), b.blobs.Close()); err != nil {
		t.Error(err)
	}
}

func bodyOf(name string) []byte { return bytes.Repeat([]byte(name), 5000) }

// put writes a body and then the record that refers to it.
func (b both) put(name string) error {
	ctx := context.Background()
	w, err := b.blobs.Create(ctx)
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(bodyOf(name)); err != nil {
		return err
	}
	id, err := w.Commit(ctx)
	if err != nil {
		return err
	}
	return b.kv.Update(ctx, func(tx store.Txn) error {
		tx.Set([]byte("object/"+name), []byte(id))
		return nil
	})
}

// TestNoRecordRefersToALostBody crashes the store and its bodies together while objects are written.
func TestNoRecordRefersToALostBody(t *testing.T) {
	mem := vfs.NewCrashableMem()
	b := openBoth(t, mem)
	var mu sync.Mutex
	acked := 0
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 25 {
				if err := b.put(fmt.Sprintf("%d/%02d", w, i)); err != nil {
					t.Errorf("put: %v", err)
				}
				mu.Lock()
				acked++
				mu.Unlock()
			}
		})
	}
	type crash struct {
		fs    vfs.FS
		acked int
	}
	var crashes []crash
	rng := rand.New(rand.NewPCG(6, 7))
	watch := b.kv.Watch(nil)
	defer watch.Close()
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	for running := true; running && len(crashes) < 30; {
		select {
		case <-done:
			running = false
		case <-watch.C():
		}
		mu.Lock()
		n := acked
		mu.Unlock()
		crashes = append(crashes, crash{mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: rng.IntN(100), RNG: rng}), n})
	}
	<-done
	for _, c := range crashes {
		checkBoth(t, c.fs, c.acked)
	}
	b.close(t)
}

func checkBoth(t *testing.T, fs vfs.FS, acked int) {
	t.Helper()
	b := openBoth(t, fs)
	defer b.close(t)
	live := map[blob.ID]string{}
	err := b.kv.View(t.Context(), func(r store.Reader) error {
		for p, err := range r.Range(store.Prefix([]byte("object/"))) {
			if err != nil {
				return err
			}
			live[blob.ID(p.Value)] = string(p.Key[len("object/"):])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(live) < acked {
		t.Errorf("%d objects after the crash, %d were acknowledged", len(live), acked)
	}
	if err := b.blobs.Sweep(t.Context(), func(id blob.ID) (bool, error) { return live[id] != "", nil }); err != nil {
		t.Errorf("Sweep: %v", err)
	}
	for id, name := range live {
		if !bytes.Equal(blobtest.Get(t, b.blobs, id), bodyOf(name)) {
			t.Errorf("the body of %s is not what was written", name)
		}
	}
}
