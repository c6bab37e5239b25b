package pebble

import (
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guard keeps errors from Pebble that would end the process: those at the change to a new log, and all while the database is being opened. The goroutine
// that meets one tells the store and is left standing, so that Pebble makes no change after it. What was acknowledged is found at the next start.
type guard struct {
	vfs.FS

	e *engine
}

const logSuffix = ".log"

// stops leaves the goroutine standing after an error that must not reach Pebble. Writes and syncs of the log are reported by Pebble itself.
func (g guard) stops(name string, err error) error {
	if err == nil || g.e.opened.Load() && !strings.HasSuffix(name, logSuffix) && name != g.e.dir {
		return err
	}
	g.e.note(err)
	select {}
}

func (g guard) file(name string, f vfs.File, err error) (vfs.File, error) {
	if err := g.stops(name, err); err != nil {
		return nil, err
	}
	return guarded{f, g, name}, nil
}

// Create implements vfs.FS.
func (g guard) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.Create(name, category)
	return g.file(name, f, err)
}

// ReuseForWrite implements vfs.FS.
func (g guard) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(from, to, category)
	return g.file(to, f, err)
}

// OpenDir implements vfs.FS.
func (g guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return guarded{f, g, name}, nil
}

// Rename implements vfs.FS.
func (g guard) Rename(from, to string) error { return g.stops(to, g.FS.Rename(from, to)) }

// Unwrap returns the file system below, for vfs.Root.
func (g guard) Unwrap() vfs.FS { return g.FS }

// guarded is a file or folder that is written under guard.
type guarded struct {
	vfs.File

	g    guard
	name string
}

// Write implements vfs.File.
func (f guarded) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	return n, f.unlessOpen(err)
}

// Close implements vfs.File.
func (f guarded) Close() error { return f.g.stops(f.name, f.File.Close()) }

// Sync implements vfs.File.
func (f guarded) Sync() error {
	if f.name == f.g.e.dir {
		return f.g.stops(f.name, f.File.Sync())
	}
	return f.unlessOpen(f.File.Sync())
}

// SyncData implements vfs.File.
func (f guarded) SyncData() error { return f.unlessOpen(f.File.SyncData()) }

// SyncTo implements vfs.File.
func (f guarded) SyncTo(length int64) (bool, error) {
	whole, err := f.File.SyncTo(length)
	return whole, f.unlessOpen(err)
}

// unlessOpen hands an error to Pebble when the database is open. The store hears of one of the log first, so that nothing is written after it.
func (f guarded) unlessOpen(err error) error {
	if err == nil || !f.g.e.opened.Load() {
		return f.g.stops(f.name, err)
	}
	if strings.HasSuffix(f.name, logSuffix) {
		f.g.e.note(err)
	}
	return err
}
