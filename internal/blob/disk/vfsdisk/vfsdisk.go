// Package vfsdisk gives blobs the file system of the store's tests, so that both crash together.
package vfsdisk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/disk"
)

// FS adapts a Pebble file system.
type FS struct{ FS vfs.FS }

// MkdirAll implements disk.FS.
func (f FS) MkdirAll(dir string) error { return f.FS.MkdirAll(dir, 0o700) }

// Create implements disk.FS.
func (f FS) Create(name string) (disk.File, error) {
	if _, err := f.FS.Stat(name); err == nil {
		return nil, fmt.Errorf("create %s: %w", name, fs.ErrExist)
	}
	file, err := f.FS.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	return writer{file}, nil
}

// writer hides that a vfs.File may scribble over what it is given, which an io.Writer must not.
type writer struct{ vfs.File }

func (w writer) Write(b []byte) (int, error) { return w.File.Write(bytes.Clone(b)) }

// Settle implements disk.File: only a sync counts here.
func (writer) Settle() error { return nil }

// Open implements disk.FS.
func (f FS) Open(name string) (blob.ReadSeekCloser, error) {
	file, err := f.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return reader{io.NewSectionReader(file, 0, info.Size()), file}, nil
}

type reader struct {
	*io.SectionReader
	io.Closer
}

// Remove implements disk.FS.
func (f FS) Remove(name string) error { return f.FS.Remove(name) }

// Rename implements disk.FS.
func (f FS) Rename(from, to string) error { return f.FS.Rename(from, to) }

// List implements disk.FS.
func (f FS) List(dir string) ([]string, error) { return f.FS.List(dir) }

// SyncDir implements disk.FS.
func (f FS) SyncDir(dir string) error {
	d, err := f.FS.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Room implements disk.FS.
func (f FS) Room(dir string) (uint64, bool) {
	u, err := f.FS.GetDiskUsage(dir)
	return u.AvailBytes, err == nil && u.TotalBytes > 0
}

var _ disk.FS = FS{}
