package pebble

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// loadFolder holds the tables of a load until all are written.
	loadFolder = "load"
	// loadTable is the size of one table of a load in bytes: that of tables on the lowest level.
	loadTable = 64 << 20
	// lowestLevel is where sorted rows end up that nothing lies above of.
	lowestLevel = 6
)

// Load puts rows into the store in dir, which no process may have open and which holds nothing between the first and the last of them. The rows come in
// ascending order of their keys, and all of them are there afterwards or none is. They are written once, straight to where compactions would bring them
// in the end, so that a load of many gigabytes costs little more than writing them. It returns how many rows there were.
func Load(dir string, o Options, rows iter.Seq2[[]byte, []byte]) (n int64, err error) {
	o = o.withDefaults(dir)
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		return 0, lockError(o.FS, dir, err)
	}
	l := &loader{engine: &engine{lock: lock, room: newRoom(o, dir)}, fs: o.FS, folder: o.FS.PathJoin(dir, loadFolder)}
	cache := pebble.NewCache(o.CacheBytes)
	defer cache.Unref()
	l.options = l.pebbleOptions(o, cache)
	l.options.EnsureDefaults()
	if l.db, err = pebble.Open(dir, l.options); err != nil {
		return 0, errors.Join(fmt.Errorf("open store %s: %w", dir, err), lock.Close())
	}
	defer func() { err = errors.Join(err, o.FS.RemoveAll(l.folder), l.db.Close(), lock.Close()) }()
	if err := errors.Join(o.FS.RemoveAll(l.folder), o.FS.MkdirAll(l.folder, 0o700)); err != nil {
		return 0, err
	}
	if err := l.write(rows); err != nil {
		return 0, fmt.Errorf("load store %s: %w", dir, err)
	}
	if len(l.files) == 0 {
		return 0, nil
	}
	return l.rows, l.db.Ingest(context.Background(), l.files)
}

// loader writes the tables of one load.
type loader struct {
	*engine

	options *pebble.Options
	fs      vfs.FS
	folder  string
	files   []string
	table   *sstable.Writer // nil between tables
	rows    int64
	last    []byte
}

// write writes all tables.
func (l *loader) write(rows iter.Seq2[[]byte, []byte]) (err error) {
	defer func() { err = errors.Join(err, l.finish()) }()
	for k, v := range rows {
		if l.table == nil {
			if err := l.begin(); err != nil {
				return err
			}
		}
		if l.last != nil && bytes.Compare(k, l.last) <= 0 {
			return fmt.Errorf("row %d: the key %x is not after the one before, %x", l.rows, k, l.last)
		}
		l.last = append(l.last[:0], k...)
		if err := l.table.Set(k, v); err != nil {
			return fmt.Errorf("row %d: %w", l.rows, err)
		}
		l.rows++
		if l.rows%1024 == 0 && l.table.Raw().EstimatedSize() >= loadTable {
			if err := l.finish(); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin starts a table, when the disk has room for it.
func (l *loader) begin() error {
	if err := l.Admit(loadTable, false); err != nil {
		return err
	}
	name := l.fs.PathJoin(l.folder, fmt.Sprintf("%06d.sst", len(l.files)))
	f, err := l.fs.Create(name, writeCategory)
	if err != nil {
		return err
	}
	l.files = append(l.files, name)
	l.table = sstable.NewWriter(objstorageprovider.NewFileWritable(f), l.options.MakeWriterOptions(lowestLevel, l.db.TableFormat()))
	return nil
}

// finish ends the table that is being written; it is on disk then.
func (l *loader) finish() error {
	if l.table == nil {
		return nil
	}
	err := l.table.Close()
	l.table = nil
	l.room.wrote(loadTable)
	return err
}
