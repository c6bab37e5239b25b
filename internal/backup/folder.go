package backup

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	markFile     = "LAMBENT-BACKUP"
	objectFolder = "objects"
	listFolder   = "snapshots"
	listSuffix   = ".jsonl"
	partial      = ".partial"
	// format is that of the folder; another one is refused.
	format = 1
	// maxLine is the longest line of a list, in bytes.
	maxLine = 64 << 10
)

// File is a file of a data folder.
type File struct {
	// Name is its path in the data folder, with slashes.
	Name string `json:"name"`
	Size int64  `json:"size"`
	// Sum is the SHA-256 sum of its content in hexadecimal. A source has none for a body.
	Sum string `json:"sha256,omitempty"`
	// Body tells that the content under the name never changes.
	Body bool `json:"body,omitempty"`
}

// valid tells whether the file can be one of a data folder.
func (f File) valid() bool {
	return f.Name != "" && filepath.IsLocal(filepath.FromSlash(f.Name)) && f.Size >= 0 && (f.Sum == "" || validSum(f.Sum))
}

func validSum(sum string) bool { return len(sum) == 64 && strings.Trim(sum, "0123456789abcdef") == "" }

// mark is the content of markFile.
type mark struct {
	Format int    `json:"format"`
	Origin string `json:"origin"`
}

// Folder is a folder of copies.
type Folder struct {
	dir  string
	mark mark
}

// Open opens the folder of copies in dir.
func Open(dir string) (*Folder, error) {
	raw, err := os.ReadFile(filepath.Join(dir, markFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no backup: it has no file %s", dir, markFile)
	}
	if err != nil {
		return nil, err
	}
	f := &Folder{dir: dir}
	if err := json.Unmarshal(raw, &f.mark); err != nil {
		return nil, fmt.Errorf("read %s: %w", filepath.Join(dir, markFile), err)
	}
	if f.mark.Format != format {
		return nil, fmt.Errorf("the backup %s has format %d, and this Lambent knows format %d", dir, f.mark.Format, format)
	}
	return f, nil
}

// Create opens the folder of copies of the data folder origin in dir, and makes it when dir is empty or missing.
func Create(dir, origin string) (*Folder, error) {
	f, err := Open(dir)
	switch {
	case err == nil && f.mark.Origin != origin:
		return nil, fmt.Errorf("%s holds backups of another data folder, or of this one before it was restored. Back up into another folder", dir)
	case err == nil:
		return f, nil
	}
	entries, listErr := os.ReadDir(dir)
	if listErr != nil && !errors.Is(listErr, fs.ErrNotExist) {
		return nil, listErr
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%w, and it is not empty. Back up into a folder that is empty or missing", err)
	}
	f = &Folder{dir: dir, mark: mark{format, origin}}
	for _, d := range []string{objectFolder, listFolder} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, err
		}
	}
	raw, err := json.Marshal(f.mark)
	if err != nil {
		return nil, err
	}
	return f, replaceFile(filepath.Join(dir, markFile), bytes.NewReader(append(raw, '\n')))
}

// Snapshots returns the names of the whole copies, the oldest first.
func (f *Folder) Snapshots() ([]string, error) { return f.lists(listSuffix) }

func (f *Folder) lists(suffix string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(f.dir, listFolder))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), suffix); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

func (f *Folder) listPath(name, suffix string) string {
	return filepath.Join(f.dir, listFolder, name+suffix)
}

func (f *Folder) objectPath(sum string) string {
	return filepath.Join(f.dir, objectFolder, sum[:2], sum)
}

// has tells whether an object of a size is there.
func (f *Folder) has(sum string, size int64) bool {
	info, err := os.Stat(f.objectPath(sum))
	return err == nil && info.Size() == size
}

// list reads the lines of a copy in order.
type list struct {
	file *os.File
	in   *bufio.Scanner
	// line is the current one, when ok.
	line File
	ok   bool
}

func openList(path string) (*list, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in := bufio.NewScanner(file)
	in.Buffer(nil, maxLine)
	return &list{file: file, in: in}, nil
}

// next moves to the next line; ok tells whether there is one. A line that is not whole, or not one of a list, ends it with an error.
func (l *list) next() error {
	l.ok = false
	if !l.in.Scan() {
		return l.in.Err()
	}
	l.line = File{}
	if err := json.Unmarshal(l.in.Bytes(), &l.line); err != nil {
		return fmt.Errorf("read %s: %w", l.file.Name(), err)
	}
	if !l.line.valid() || l.line.Sum == "" {
		return fmt.Errorf("read %s: %q is no file of a data folder", l.file.Name(), l.line.Name)
	}
	l.ok = true
	return nil
}

func (l *list) close() { _ = l.file.Close() }

// replaceFile makes a file with a content durable, whole or not at all. Its folder is synced too.
func replaceFile(path string, content io.Reader) error {
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-")
	if err != nil {
		return err
	}
	_, err = io.Copy(temp, content)
	if err == nil {
		err = temp.Sync()
	}
	if err := errors.Join(err, temp.Close()); err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return errors.Join(err, os.Remove(temp.Name()))
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
