package disk

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/ids"
)

// writer fills one file. It is used by one goroutine.
type writer struct {
	s      *Store
	f      File
	id     uint64
	folder *folder
	name   string
	// unseen are the bytes since the room was looked at, unsettled those since the last turn at the disk.
	unseen, unsettled int
	err               error
	done              bool
}

// Write implements io.Writer.
func (w *writer) Write(b []byte) (int, error) {
	if w.done {
		return 0, errors.New("write blob: it is ended")
	}
	if w.err != nil {
		return 0, w.err
	}
	if w.unseen += len(b); w.unseen > roomStep {
		w.unseen = 0
		if w.err = w.s.checkRoom(); w.err != nil {
			return 0, w.err
		}
	}
	n, err := w.f.Write(b)
	if w.unsettled += n; err == nil && w.unsettled >= settleStep {
		w.unsettled = 0
		err = w.s.settle(w.f)
	}
	if err != nil {
		w.err = fmt.Errorf("write blob: %w", blob.WrapFull(err))
	}
	return n, w.err
}

// settle waits for the turn of a file and writes it back.
func (s *Store) settle(f File) error {
	s.turn.Lock()
	defer s.turn.Unlock()
	return f.Settle()
}

// Commit implements blob.Writer.
func (w *writer) Commit(ctx context.Context) (blob.ID, error) {
	if w.done {
		return "", errors.New("commit blob: it is ended")
	}
	defer w.Abort()
	if err := errors.Join(w.err, ctx.Err()); err != nil {
		return "", err
	}
	if err := w.f.Sync(); err != nil {
		return "", fmt.Errorf("sync blob: %w", blob.WrapFull(err))
	}
	if err := w.folder.sync(); err != nil {
		return "", fmt.Errorf("sync folder of blob: %w", blob.WrapFull(err))
	}
	w.end()
	if err := w.f.Close(); err != nil {
		return "", fmt.Errorf("close blob: %w", err)
	}
	return blob.ID(ids.Format(w.id)), nil
}

// Abort implements blob.Writer. A file that cannot be removed is left to the sweep.
func (w *writer) Abort() {
	if w.done {
		return
	}
	_ = w.f.Close()
	_ = w.s.fs.Remove(w.name)
	w.end()
}

// end gives the place of the writer to others.
func (w *writer) end() {
	w.done = true
	w.s.ids.Ended(w.id)
	w.s.writing.Add(-1)
}

// folder makes the names in one folder durable, many at a time.
type folder struct {
	fs   FS
	path string

	mu      sync.Mutex // guards the fields below
	running bool
	// waiting are those that came while a sync was running, which may have missed their names.
	waiting *round
}

// round is a sync that is shared by all who wait for it.
type round struct {
	done chan struct{}
	err  error
}

// sync returns after a sync of the folder that began after the call.
func (d *folder) sync() error {
	d.mu.Lock()
	if !d.running {
		d.running = true
		d.mu.Unlock()
		err := d.fs.SyncDir(d.path)
		d.next()
		return err
	}
	if d.waiting == nil {
		d.waiting = &round{done: make(chan struct{})}
	}
	r := d.waiting
	d.mu.Unlock()
	<-r.done
	return r.err
}

// next runs the syncs that were asked for meanwhile, on the goroutine that held the folder last.
func (d *folder) next() {
	d.mu.Lock()
	r := d.waiting
	d.waiting = nil
	if r == nil {
		d.running = false
		d.mu.Unlock()
		return
	}
	d.mu.Unlock()
	go func() {
		r.err = d.fs.SyncDir(d.path)
		close(r.done)
		d.next()
	}()
}
