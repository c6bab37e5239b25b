// Package code keeps the unpacked code of functions: immutable folders, each named by the SHA-256 of the zip file that it came from.
//
// A zip file is unpacked once, made durable and moved into place by one rename; the same code used by a hundred functions lies on
// disk once, and a cold start only binds it. The zip files themselves are kept by whoever owns the functions: this store can be deleted and
// filled again from them.
//
// What an archive may do is bounded and checked while it is unpacked: no entry leaves the folder, neither by its name nor by a
// link, nothing but regular files, folders and links is made, and the size and number of what comes out is counted, whatever the archive's headers say.
package code

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
)

// Limits of an archive.
const (
	// MaxZip is the largest archive that may be sent with a call, in bytes.
	MaxZip = 50 << 20
	// MaxUnzipped is the most that may come out of an archive, in bytes, see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
	MaxUnzipped = 250 << 20
	// MaxFiles is the most entries that an archive may have.
	MaxFiles = 100_000

	maxName    = 1024
	maxLink    = 4096
	folderMode = 0o755
)

// ArchiveError says what is wrong with an archive; its text may be shown to the caller.
type ArchiveError struct {
	// Entry is the entry at fault; empty for the archive as a whole.
	Entry string
	// Reason is what is wrong.
	Reason string
	// TooLarge tells that a size limit was exceeded.
	TooLarge bool
}

// Error names the entry and the reason.
func (e *ArchiveError) Error() string {
	if e.Entry == "" {
		return e.Reason
	}
	return fmt.Sprintf("%s: %s", e.Entry, e.Reason)
}

// Hash is the SHA-256 of an archive.
type Hash [sha256.Size]byte

// HashOf returns the hash of an archive.
func HashOf(archive []byte) Hash { return sha256.Sum256(archive) }

// Base64 is the form in which Lambda shows it (CodeSha256).
func (h Hash) Base64() string { return base64.StdEncoding.EncodeToString(h[:]) }

// ParseHash reads the form that Base64 writes.
func ParseHash(s string) (Hash, error) {
	var h Hash
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("%q is not a code hash", s)
	}
	copy(h[:], b)
	return h, nil
}

// Store keeps folders of code. It is safe for concurrent use.
type Store struct {
	dir string
	// most may come out of an archive, in bytes: MaxUnzipped, or less in tests.
	most int64

	mu      sync.Mutex // guards running
	running map[Hash]*unpacking
}

// unpacking is an archive that is being unpacked; others who want it wait.
type unpacking struct {
	done chan struct{}
	err  error
}

// Open returns the store in dir, which it makes. What an interrupted unpacking has left is removed.
func Open(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return nil, fmt.Errorf("open code store: %w", err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "new-*"))
	if err != nil {
		return nil, fmt.Errorf("open code store: %w", err)
	}
	for _, f := range left {
		if err := os.RemoveAll(f); err != nil {
			return nil, fmt.Errorf("clean code store: %w", err)
		}
	}
	return &Store{dir: dir, most: MaxUnzipped, running: map[Hash]*unpacking{}}, nil
}

// Path is the folder of the code with this hash; it exists only if the code has been unpacked.
func (s *Store) Path(h Hash) string { return filepath.Join(s.dir, hex.EncodeToString(h[:])) }

// Has tells whether the code is unpacked.
func (s *Store) Has(h Hash) bool {
	_, err := os.Stat(s.Path(h))
	return err == nil
}

// Put unpacks an archive, unless that was done before, and returns its hash. It is durable when Put returns. A bad archive is an
// [ArchiveError].
func (s *Store) Put(ctx context.Context, archive []byte) (Hash, error) {
	h := HashOf(archive)
	return h, s.once(ctx, h, func() error {
		return s.fill(h, func(temp string) error { return extract(ctx, temp, archive, s.most) })
	})
}

// once makes a folder, unless it is there. Others who want it at the same time wait for the one who makes it.
func (s *Store) once(ctx context.Context, h Hash, produce func() error) error {
	s.mu.Lock()
	u := s.running[h]
	if u != nil {
		s.mu.Unlock()
		select {
		case <-u.done:
			return u.err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	u = &unpacking{done: make(chan struct{})}
	s.running[h] = u
	s.mu.Unlock()
	if !s.Has(h) {
		u.err = produce()
	}
	s.mu.Lock()
	delete(s.running, h)
	s.mu.Unlock()
	close(u.done)
	return u.err
}

// Remove deletes the code with this hash. Environments that have it bound keep it.
func (s *Store) Remove(h Hash) error {
	old, err := os.MkdirTemp(s.dir, "new-")
	if err != nil {
		return fmt.Errorf("remove code: %w", err)
	}
	if err := os.Rename(s.Path(h), filepath.Join(old, "code")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove code: %w", err)
	}
	return os.RemoveAll(old)
}

// fill makes the folder of a hash: what write puts into a new one, durable and moved into place at once.
func (s *Store) fill(h Hash, write func(temp string) error) (err error) {
	temp, err := os.MkdirTemp(s.dir, "new-")
	if err != nil {
		return fmt.Errorf("unpack code: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	if err := os.Chmod(temp, folderMode); err != nil {
		return fmt.Errorf("unpack code: %w", err)
	}
	if err := write(temp); err != nil {
		return err
	}
	if err := syncTree(temp); err != nil {
		return fmt.Errorf("make code durable: %w", err)
	}
	if err := os.Rename(temp, s.Path(h)); err != nil {
		return fmt.Errorf("keep code: %w", err)
	}
	return syncFile(s.dir)
}

// extract writes the entries of the archive below dir.
func extract(ctx context.Context, dir string, archive []byte, most int64) error {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return &ArchiveError{Reason: "Could not unzip uploaded file. Please check your file, then try to upload again."}
	}
	if len(z.File) > MaxFiles {
		return &ArchiveError{Reason: fmt.Sprintf("the archive has %d entries, at most %d are allowed", len(z.File), MaxFiles), TooLarge: true}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("unpack code: %w", err)
	}
	defer func() { _ = root.Close() }()
	x := &extraction{root: root, most: most, left: most}
	for _, f := range z.File {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := x.entry(f); err != nil {
			return err
		}
	}
	return x.makeLinks()
}

// extraction is an archive on its way out. Links are made last, so that no entry can be written through one.
type extraction struct {
	root *os.Root
	// left of the most bytes that may come out of it.
	most, left int64
	links      []link
}

type link struct{ name, target string }

func (x *extraction) entry(f *zip.File) error {
	name := strings.TrimSuffix(strings.ReplaceAll(f.Name, `\`, "/"), "/")
	if name == "" || name == "." {
		return nil
	}
	name = strings.TrimPrefix(name, "./")
	if len(name) > maxName || !filepath.IsLocal(name) || path.Clean(name) != name || strings.ContainsRune(name, 0) {
		return &ArchiveError{Entry: fmt.Sprintf("%.100q", f.Name), Reason: "the name leaves the folder of the function or is not valid"}
	}
	mode := f.Mode()
	switch {
	case mode.IsDir() || strings.HasSuffix(f.Name, "/"):
		return x.folder(name)
	case mode&fs.ModeSymlink != 0:
		return x.link(f, name)
	case !mode.IsRegular():
		return &ArchiveError{Entry: name, Reason: "only files, folders and links are allowed"}
	}
	if err := x.folder(path.Dir(name)); err != nil {
		return err
	}
	return x.file(f, name, permissions(f))
}

// permissions makes everything readable, as the function runs under another user, and keeps what is executable. An archive without Unix
// permissions, as Windows makes them, gets them for everything.
func permissions(f *zip.File) fs.FileMode {
	const fat, ntfs = 0, 10
	if host := f.CreatorVersion >> 8; (host == fat || host == ntfs) && f.ExternalAttrs>>16 == 0 || f.Mode()&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

func (x *extraction) folder(name string) error {
	if name == "." {
		return nil
	}
	if err := x.root.MkdirAll(name, folderMode); err != nil {
		return &ArchiveError{Entry: name, Reason: "a file stands where a folder is needed"}
	}
	return nil
}

func (x *extraction) file(f *zip.File, name string, mode fs.FileMode) (err error) {
	r, err := f.Open()
	if err != nil {
		return &ArchiveError{Entry: name, Reason: "the entry cannot be read: " + err.Error()}
	}
	defer func() { _ = r.Close() }()
	w, err := x.root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if errors.Is(err, fs.ErrExist) {
		return &ArchiveError{Entry: name, Reason: "the archive has this entry twice"}
	}
	if err != nil {
		return fmt.Errorf("unpack code: %w", err)
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := w.Chmod(mode); err != nil {
		return fmt.Errorf("unpack code: %w", err)
	}
	n, err := io.Copy(w, io.LimitReader(r, x.left+1))
	x.left -= n
	switch {
	case x.left < 0:
		return &ArchiveError{Reason: fmt.Sprintf("Unzipped size must be smaller than %d bytes", x.most), TooLarge: true}
	case errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) || errors.Is(err, io.ErrUnexpectedEOF):
		return &ArchiveError{Entry: name, Reason: "the entry is damaged"}
	case err != nil:
		var pathError *fs.PathError
		if errors.As(err, &pathError) {
			return fmt.Errorf("unpack code: %w", err)
		}
		return &ArchiveError{Entry: name, Reason: "the entry is damaged: " + err.Error()}
	}
	return nil
}

func (x *extraction) link(f *zip.File, name string) error {
	r, err := f.Open()
	if err != nil {
		return &ArchiveError{Entry: name, Reason: "the link cannot be read: " + err.Error()}
	}
	defer func() { _ = r.Close() }()
	target, err := io.ReadAll(io.LimitReader(r, maxLink+1))
	if err != nil || len(target) == 0 || len(target) > maxLink {
		return &ArchiveError{Entry: name, Reason: "the link is damaged"}
	}
	if to := path.Join(path.Dir(name), string(target)); path.IsAbs(string(target)) || !filepath.IsLocal(to) {
		return &ArchiveError{Entry: name, Reason: "the link leaves the folder of the function"}
	}
	x.links = append(x.links, link{name, string(target)})
	return nil
}

func (x *extraction) makeLinks() error {
	for _, l := range x.links {
		if err := x.folder(path.Dir(l.name)); err != nil {
			return err
		}
		if err := x.root.Symlink(l.target, l.name); err != nil {
			return &ArchiveError{Entry: l.name, Reason: "the link cannot be made where another entry is"}
		}
	}
	// Links to links may add up to a way out: what each one finally names must lie inside.
	for _, l := range x.links {
		if _, err := x.root.Stat(l.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &ArchiveError{Entry: l.name, Reason: "the link leaves the folder of the function or names itself"}
		}
	}
	return nil
}

// syncTree makes every file and folder below dir durable.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.Type()&fs.ModeSymlink != 0 {
			return err
		}
		return syncFile(name)
	})
}

func syncFile(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// Sweep removes the code for which live reports false.
func (s *Store) Sweep(live func(Hash) bool) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return fmt.Errorf("sweep code: %w", err)
	}
	var failure error
	for _, e := range entries {
		b, err := hex.DecodeString(e.Name())
		if err != nil || len(b) != sha256.Size || live(Hash(b)) {
			continue
		}
		failure = errors.Join(failure, s.Remove(Hash(b)))
	}
	return failure
}
