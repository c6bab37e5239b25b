package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"
)

// ErrGone is returned by a source for a body that was listed and that nothing refers to anymore.
var ErrGone = errors.New("the body is gone")

// Source is a state that is held still while it is copied.
type Source interface {
	// Files calls each with every file: those that have a sum, and the bodies in the order of the last elements of their names.
	Files(ctx context.Context, each func(File) error) error
	// Open opens a file that was listed. The caller closes it.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
}

// Result tells what a backup did.
type Result struct {
	// Snapshot is the name of the copy.
	Snapshot string `json:"snapshot"`
	// Files and Bytes are those of the copy, Fetched and FetchedBytes those that no earlier copy had.
	Files        int64 `json:"files"`
	Bytes        int64 `json:"bytes"`
	Fetched      int64 `json:"fetched"`
	FetchedBytes int64 `json:"fetchedBytes"`
	// Removed is how many earlier copies were removed.
	Removed int `json:"removed"`
}

// Backup copies a source. at is the time by which the copy is named; later copies need later times.
func (f *Folder) Backup(ctx context.Context, s Source, at time.Time) (Result, error) {
	b := &backup{f: f, source: s, r: Result{Snapshot: at.UTC().Format("20060102T150405.000Z")}}
	if err := b.run(ctx); err != nil {
		return b.r, fmt.Errorf("back up into %s: %w", f.dir, err)
	}
	return b.r, nil
}

// backup is one copy on its way.
type backup struct {
	f       *Folder
	source  Source
	r       Result
	earlier []*list // of the same data folder, each at the first line whose name is not behind
	out     *bufio.Writer
	touched map[string]struct{} // folders of objects whose names are not durable yet
}

func (b *backup) run(ctx context.Context) (err error) {
	broken, err := b.f.lists(partial)
	if err != nil {
		return err
	}
	if err := b.openEarlier(broken); err != nil {
		return err
	}
	defer func() {
		for _, l := range b.earlier {
			l.close()
		}
	}()
	b.touched = map[string]struct{}{}
	name := b.f.listPath(b.r.Snapshot, partial)
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	b.out = bufio.NewWriter(file)
	err = b.source.Files(ctx, func(of File) error { return b.add(ctx, of) })
	if err := errors.Join(err, b.out.Flush()); err != nil {
		return errors.Join(err, file.Close())
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return err
	}
	for d := range b.touched {
		if err := syncDir(d); err != nil {
			return err
		}
	}
	if err := syncDir(filepath.Join(b.f.dir, objectFolder)); err != nil {
		return err
	}
	if err := os.Rename(name, b.f.listPath(b.r.Snapshot, listSuffix)); err != nil {
		return err
	}
	for _, old := range broken {
		if err := os.Remove(b.f.listPath(old, partial)); err != nil {
			return err
		}
	}
	return syncDir(filepath.Join(b.f.dir, listFolder))
}

// openEarlier opens the lists in which bodies are looked for: the newest whole copy, and those that were broken off.
func (b *backup) openEarlier(broken []string) error {
	whole, err := b.f.Snapshots()
	if err != nil {
		return err
	}
	var paths []string
	if n := len(whole); n > 0 {
		paths = append(paths, b.f.listPath(whole[n-1], listSuffix))
	}
	for _, name := range broken {
		paths = append(paths, b.f.listPath(name, partial))
	}
	for _, path := range paths {
		l, err := openList(path)
		if err != nil {
			return err
		}
		b.earlier = append(b.earlier, l)
		_ = l.next() // a list that was broken off before its first line has none
	}
	return nil
}

// add copies one file, unless it is there already.
func (b *backup) add(ctx context.Context, of File) error {
	if !of.valid() || of.Body != (of.Sum == "") {
		return fmt.Errorf("%q is no file of a data folder", of.Name)
	}
	if of.Body {
		of.Sum = b.known(of)
	}
	if of.Sum == "" || !b.f.has(of.Sum, of.Size) {
		got, err := b.fetch(ctx, of)
		if errors.Is(err, ErrGone) && of.Body {
			return nil
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", of.Name, err)
		}
		of = got
		b.r.Fetched++
		b.r.FetchedBytes += of.Size
	}
	b.r.Files++
	b.r.Bytes += of.Size
	line, err := json.Marshal(of)
	if err != nil {
		return err
	}
	_, err = b.out.Write(append(line, '\n'))
	return err
}

// known returns the sum that a body has in an earlier list, or "". Bodies come in the same order there.
func (b *backup) known(of File) string {
	for _, l := range b.earlier {
		for l.ok && (!l.line.Body || path.Base(l.line.Name) < path.Base(of.Name)) {
			if l.next() != nil {
				break // what follows the end of a list that was broken off is not known
			}
		}
		if l.ok && l.line.Name == of.Name && l.line.Size == of.Size {
			return l.line.Sum
		}
	}
	return ""
}

// fetch copies the content of a file into its object.
func (b *backup) fetch(ctx context.Context, of File) (File, error) {
	in, err := b.source.Open(ctx, of.Name)
	if err != nil {
		return of, err
	}
	defer func() { _ = in.Close() }()
	temp, err := os.CreateTemp(filepath.Join(b.f.dir, objectFolder), ".new-")
	if err != nil {
		return of, err
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(temp, hash), in)
	sum := hex.EncodeToString(hash.Sum(nil))
	switch {
	case err != nil:
	case n != of.Size:
		err = fmt.Errorf("%d bytes came, and %d were announced", n, of.Size)
	case of.Sum != "" && of.Sum != sum:
		err = errors.New("what came has another SHA-256 sum than was announced")
	default:
		err = temp.Sync()
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return of, errors.Join(err, os.Remove(temp.Name()))
	}
	of.Sum = sum
	to := b.f.objectPath(sum)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return of, errors.Join(err, os.Remove(temp.Name()))
	}
	b.touched[filepath.Dir(to)] = struct{}{}
	return of, os.Rename(temp.Name(), to)
}
