package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"sync/atomic"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/ids"
)

const (
	nextFile = "NEXT"
	tempFile = "NEXT.tmp"
	// roomStep is after how many bytes of a body the room is looked at again.
	roomStep = 16 << 20
	// settleStep is after how many bytes of a body the disk is given them.
	settleStep = 512 << 10
)

// Options configure a store. The zero value is usable.
type Options struct {
	// FS is the file system; nil means the operating system's.
	FS FS
	// Reserve is the room in bytes that bodies leave on the file system; 0 means 128 MiB, more
	// than what the store of package pebble keeps for itself.
	Reserve uint64
	// Writers is how many blobs may be written at the same time, each of which has a file open; 0 means a quarter of the files that the process may open, so
	// that connections, the store and readers have the others.
	Writers int64
}

// Store is a blob.Store in a folder.
type Store struct {
	fs      FS
	dir     string
	reserve uint64

	writers int64        // how many there may be
	writing atomic.Int64 // how many there are

	ids *ids.Sequence

	turn sync.Mutex // is held by the body that the disk is taking

	mu    sync.Mutex // guards the fields below
	known map[string]*folder
}

// Open opens the store in dir and makes the folder when there is none. One process has
// it at a time, which the lock of the store beside it ensures.
func Open(dir string, o Options) (*Store, error) {
	if o.FS == nil {
		o.FS = OS{}
	}
	if o.Reserve == 0 {
		o.Reserve = 128 << 20
	}
	if o.Writers == 0 {
		o.Writers = openFiles() / 4
	}
	s := &Store{fs: o.FS, dir: dir, reserve: o.Reserve, writers: o.Writers, known: map[string]*folder{}}
	if err := s.makeDir(dir); err != nil {
		return nil, fmt.Errorf("make blob folder: %w", err)
	}
	next, err := s.readNext()
	if err != nil {
		return nil, fmt.Errorf("open blobs in %s: %w", dir, err)
	}
	s.ids = ids.New(next, s.reserveIDs)
	return s, nil
}

// makeDir makes a folder whose name, and those of the new folders above it, are durable.
func (s *Store) makeDir(dir string) error {
	parent := path.Dir(dir)
	if parent == dir {
		return nil
	}
	if _, err := s.fs.List(dir); errors.Is(err, fs.ErrNotExist) {
		if err := s.makeDir(parent); err != nil {
			return err
		}
		if err := s.fs.MkdirAll(dir); err != nil {
			return err
		}
	}
	return s.fs.SyncDir(parent)
}

// readNext returns the first id that was never given out.
func (s *Store) readNext() (uint64, error) {
	f, err := s.fs.Open(path.Join(s.dir, nextFile))
	if errors.Is(err, fs.ErrNotExist) {
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	b := make([]byte, 16)
	n, err := f.ReadAt(b, 0)
	if closeErr := f.Close(); n < len(b) {
		return 0, fmt.Errorf("read %s: %w", nextFile, errors.Join(err, closeErr))
	}
	return ids.Parse(string(b))
}

// reserveIDs makes the ids below limit ours for ever.
func (s *Store) reserveIDs(_ context.Context, limit uint64) error {
	temp := path.Join(s.dir, tempFile)
	if err := s.fs.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := s.fs.Create(temp)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(ids.Format(limit)))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := s.fs.Rename(temp, path.Join(s.dir, nextFile)); err != nil {
		return err
	}
	return s.fs.SyncDir(s.dir)
}

// folder returns the folder of an id, which it makes when it is new.
func (s *Store) folder(id uint64) (*folder, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := ids.Folder(id)
	if d := s.known[name]; d != nil {
		return d, nil
	}
	d := &folder{fs: s.fs, path: path.Join(s.dir, name)}
	if err := s.fs.MkdirAll(d.path); err != nil {
		return nil, err
	}
	if err := s.fs.SyncDir(s.dir); err != nil {
		return nil, err
	}
	s.known[name] = d
	return d, nil
}

// Create implements blob.Store.
func (s *Store) Create(ctx context.Context) (blob.Writer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.writing.Add(1) > s.writers {
		s.writing.Add(-1)
		return nil, fmt.Errorf("%w: there may be %d at a time", blob.ErrBusy, s.writers)
	}
	w, err := s.create(ctx)
	if err != nil {
		s.writing.Add(-1)
		return nil, err
	}
	return w, nil
}

func (s *Store) create(ctx context.Context) (*writer, error) {
	if err := s.checkRoom(); err != nil {
		return nil, err
	}
	id, err := s.ids.Take(ctx)
	if err != nil {
		return nil, fmt.Errorf("create blob: %w", blob.WrapFull(err))
	}
	w := &writer{s: s, id: id}
	if w.folder, err = s.folder(id); err == nil {
		w.name = path.Join(w.folder.path, ids.Format(id))
		w.f, err = s.fs.Create(w.name)
	}
	if err != nil {
		s.ids.Ended(id)
		return nil, fmt.Errorf("create blob: %w", blob.WrapFull(err))
	}
	return w, nil
}

func (s *Store) checkRoom() error {
	room, known := s.fs.Room(s.dir)
	if known && room < s.reserve {
		return fmt.Errorf("%w: %s has %d MiB left and %d MiB are kept in reserve; free some room",
			blob.ErrFull, s.dir, room>>20, s.reserve>>20)
	}
	return nil
}

// path returns the file of id; an id that this store cannot have given out names no blob.
func (s *Store) path(id blob.ID) (string, error) {
	n, err := ids.Parse(string(id))
	if err != nil {
		return "", fmt.Errorf("%w: %q", blob.ErrNotFound, string(id))
	}
	return path.Join(s.dir, ids.Folder(n), ids.Format(n)), nil
}

// Open implements blob.Store.
func (s *Store) Open(ctx context.Context, id blob.ID, want blob.Span) (blob.ReadSeekCloser, error) {
	if err := s.ids.Usable(ctx); err != nil {
		return nil, err
	}
	name, err := s.path(id)
	if err != nil {
		return nil, err
	}
	f, err := s.fs.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", blob.ErrNotFound, id)
	}
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", id, err)
	}
	if want.Offset > 0 {
		if _, err := f.Seek(want.Offset, io.SeekStart); err != nil {
			return nil, errors.Join(fmt.Errorf("seek in blob %s: %w", id, err), f.Close())
		}
	}
	return f, nil
}

// Delete implements blob.Store.
func (s *Store) Delete(ctx context.Context, id blob.ID) error {
	if err := s.ids.Usable(ctx); err != nil {
		return err
	}
	name, err := s.path(id)
	if err != nil {
		return nil //nolint:nilerr // what cannot exist is missing
	}
	if err := s.fs.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("delete blob %s: %w", id, err)
	}
	return nil
}

// Sweep implements blob.Store.
func (s *Store) Sweep(ctx context.Context, live func(blob.ID) (bool, error)) error {
	bound := s.ids.Settle()
	folders, err := s.fs.List(s.dir)
	if err != nil {
		return fmt.Errorf("sweep blobs: %w", err)
	}
	for _, d := range folders {
		if len(d) != 3 {
			continue
		}
		if err := s.sweepFolder(ctx, d, bound, live); err != nil {
			return fmt.Errorf("sweep blobs: %w", err)
		}
	}
	return nil
}

func (s *Store) sweepFolder(ctx context.Context, d string, bound uint64, live func(blob.ID) (bool, error)) error {
	names, err := s.fs.List(path.Join(s.dir, d))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := s.ids.Usable(ctx); err != nil {
			return err
		}
		id, err := ids.Parse(name)
		if err != nil || id >= bound {
			continue
		}
		if keep, err := live(blob.ID(name)); keep || err != nil {
			if err != nil {
				return err
			}
			continue
		}
		if err := s.Delete(ctx, blob.ID(name)); err != nil {
			return err
		}
	}
	return nil
}

// Each calls fn for the blobs that are whole, in the order of their ids, until it fails. Those that are written or deleted meanwhile may be among them or not.
func (s *Store) Each(ctx context.Context, fn func(blob.ID) error) error {
	folders, err := s.fs.List(s.dir)
	if err != nil {
		return fmt.Errorf("list blobs: %w", err)
	}
	var all []uint64
	for _, d := range folders {
		if len(d) != 3 {
			continue
		}
		names, err := s.fs.List(path.Join(s.dir, d))
		if err != nil {
			return fmt.Errorf("list blobs: %w", err)
		}
		for _, name := range names {
			if id, err := ids.Parse(name); err == nil {
				all = append(all, id)
			}
		}
	}
	slices.Sort(all)
	for _, id := range all {
		if err := s.ids.Usable(ctx); err != nil {
			return err
		}
		if !s.ids.Written(id) {
			continue
		}
		if err := fn(blob.ID(ids.Format(id))); err != nil {
			return err
		}
	}
	return nil
}

// Close implements blob.Store. Blobs that are open stay readable, writers can end.
func (s *Store) Close() error {
	s.ids.Close()
	return nil
}

var _ blob.Store = (*Store)(nil)
