package pebble

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/optimistic"
)

const (
	// formatVersion is the format of the files. Raising it is a one-way step for the data of
	// everyone: an older Lambent cannot open them afterwards.
	formatVersion = pebble.FormatWALSyncChunks
	ownerFile     = "OWNER"
	ballastFile   = "BALLAST"
	writeCategory = vfs.WriteCategoryUnspecified
)

// Options configure a store. The zero value is usable.
type Options struct {
	// FS is the file system; nil means the operating system's.
	FS vfs.FS
	// Clock measures the age of transactions and of the measured room; nil means the system's. It
	// should be the real one even where the services' clock is moved by tests.
	Clock clock.Clock
	// Log receives warnings of the engine; nil means none.
	Log *slog.Logger
	// CacheBytes is the size of the block cache in bytes; 0 means 16 MiB. It is filled as blocks are read.
	CacheBytes int64
	// MemTableBytes is how much is collected in memory before it becomes a table, in bytes; 0 means 8 MiB.
	MemTableBytes uint64
	// Reserve is the room in bytes that must be left on the file system for an update to be
	// accepted; 0 means 64 MiB, or a twentieth of a file system that is smaller than 1.25 GiB.
	Reserve uint64
}

func (o Options) withDefaults(dir string) Options {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Clock == nil {
		o.Clock = clock.System{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = 16 << 20
	}
	if o.MemTableBytes == 0 {
		o.MemTableBytes = 8 << 20
	}
	if o.Reserve == 0 {
		o.Reserve = 64 << 20
		if u, err := o.FS.GetDiskUsage(dir); err == nil && u.TotalBytes/20 < o.Reserve {
			o.Reserve = u.TotalBytes / 20
		}
	}
	return o
}

// Store is an open store. It implements [store.Store].
type Store struct {
	*optimistic.Store

	engine *engine
}

// Checkpoint writes a store that holds everything that is acknowledged into dir, which must not exist. It costs little: files that never change are linked. What
// is being committed meanwhile may be in it or not, each transaction whole. It must not be called after Close.
func (s *Store) Checkpoint(dir string) error {
	if err := s.engine.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("write a checkpoint into %s: %w", dir, err)
	}
	return nil
}

// Open opens the store in dir and makes the directory when there is none.
func Open(dir string, o Options) (*Store, error) {
	inner := o.FS
	if inner == nil {
		inner = vfs.Default
	}
	if err := makeDir(inner, dir); err != nil {
		return nil, fmt.Errorf("make store directory: %w", err)
	}
	o = o.withDefaults(dir)
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		return nil, lockError(o.FS, dir, err)
	}
	s, err := open(dir, o, lock)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open store %s: %w", dir, err), lock.Close())
	}
	return s, nil
}

func open(dir string, o Options, lock *pebble.Lock) (*Store, error) {
	if err := writeFile(o.FS, o.FS.PathJoin(dir, ownerFile), []byte(strconv.Itoa(os.Getpid())+"\n")); err != nil {
		return nil, fmt.Errorf("write %s: %w", ownerFile, err)
	}
	e := &engine{dir: dir, lock: lock, room: newRoom(o, dir), broken: make(chan struct{})}
	// Pebble counts its memtables against the cache, and has two of them while one is flushed. Without room for both nothing would stay cached.
	cache := pebble.NewCache(o.CacheBytes + 2*int64(o.MemTableBytes))
	defer cache.Unref()
	var err error
	if e.db, err = e.openDB(dir, o, e.pebbleOptions(o, cache)); err != nil {
		return nil, err
	}
	s, err := optimistic.New(e, o.Clock)
	if err != nil {
		return nil, err
	}
	e.fail(s.Fail)
	return &Store{s, e}, nil
}

func (e *engine) pebbleOptions(o Options, cache *pebble.Cache) *pebble.Options {
	p := &pebble.Options{
		FS:                          guard{vfs.OnDiskFull(o.FS, e.diskFull), e},
		Lock:                        e.lock,
		Cache:                       cache,
		FormatMajorVersion:          formatVersion,
		MemTableSize:                o.MemTableBytes,
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       4,
		L0CompactionFileThreshold:   500,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                1000,
		BytesPerSync:                512 << 10,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		Logger:                      logger{o.Log, e.fatal},
	}
	for i := range p.Levels {
		p.Levels[i].BlockSize = 16 << 10
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return p
}

// makeDir makes a folder whose name, and those of the new folders above it, are durable.
func makeDir(fsys vfs.FS, dir string) error {
	parent := fsys.PathDir(dir)
	if parent == dir {
		return nil
	}
	if _, err := fsys.Stat(dir); isNotExist(err) {
		if err := makeDir(fsys, parent); err != nil {
			return err
		}
		if err := fsys.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	d, err := fsys.OpenDir(parent)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lockError says who has the directory.
func lockError(fsys vfs.FS, dir string, err error) error {
	f, openErr := fsys.Open(fsys.PathJoin(dir, ownerFile))
	if openErr != nil {
		return fmt.Errorf("store %s is in use by another process: %w", dir, err)
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, 32)
	n, _ := f.Read(b)
	pid := strings.TrimSpace(string(b[:n]))
	return fmt.Errorf("store %s is in use by process %s; stop it, or use another data directory: %w", dir, pid, err)
}

// writeFile replaces a small file that need not outlive a crash.
func writeFile(fsys vfs.FS, name string, b []byte) error {
	f, err := fsys.Create(name, writeCategory)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

// isNotExist reports whether err says that there is no such file.
func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

var _ store.Store = (*Store)(nil)
