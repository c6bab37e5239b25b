package disk

import (
	"errors"
	"io"
	"os"

	"lambent.dev/lambent/internal/blob"
)

// FS is the part of a file system that blobs need. The zero value of [OS] is the real one; package vfsdisk makes
// one of a crashable memory for tests.
type FS interface {
	// MkdirAll makes a folder and those above it.
	MkdirAll(dir string) error
	// Create makes a new file; it fails when there is one.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (blob.ReadSeekCloser, error)
	Remove(name string) error
	// Rename replaces what is at to.
	Rename(from, to string) error
	// List returns the names in a folder, in no order.
	List(dir string) ([]string, error)
	// SyncDir makes the names in a folder durable.
	SyncDir(dir string) error
	// Room returns the bytes available below dir, and whether that is known.
	Room(dir string) (uint64, bool)
}

// File is a file that is being written.
type File interface {
	io.Writer
	// Settle hands what was written since the last call to the disk and waits until it has taken it, which does not make it durable. An error that it returns may be
	// one that Sync does not tell again.
	Settle() error
	// Sync makes the content durable.
	Sync() error
	Close() error
}

// OS is the operating system's file system.
type OS struct{}

// MkdirAll implements FS.
func (OS) MkdirAll(dir string) error { return os.MkdirAll(dir, 0o700) }

// Create implements FS.
func (OS) Create(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return &osFile{File: f}, nil
}

// Open implements FS.
func (OS) Open(name string) (blob.ReadSeekCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Remove implements FS.
func (OS) Remove(name string) error { return os.Remove(name) }

// Rename implements FS.
func (OS) Rename(from, to string) error { return os.Rename(from, to) }

// List implements FS.
func (OS) List(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	names, err := d.Readdirnames(-1)
	return names, errors.Join(err, d.Close())
}

// SyncDir implements FS.
func (OS) SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

type osFile struct {
	*os.File
	written, settled int64 // bytes
}

// Write implements io.Writer.
func (f *osFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	f.written += int64(n)
	return n, err
}

// Settle implements File.
func (f *osFile) Settle() error {
	off := f.settled
	f.settled = f.written
	return writeBack(f.File, off, f.written-off)
}

// Sync implements File.
func (f *osFile) Sync() error { return syncData(f.File) }
