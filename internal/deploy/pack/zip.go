package pack

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"lambent.dev/lambent/internal/lib/order"
)

// Limits on a folder that is zipped: those of Lambda for the unzipped code, and a bound on the number of files.
const (
	maxFiles = 50_000
	maxBytes = 250 << 20
)

var errTooManyFiles = errors.New("too many files")

type zipEntry struct {
	name       string
	executable bool
	content    []byte
}

type sourceFile struct {
	name       string // with slashes, from the folder
	path       string
	executable bool
	size       int64
}

// folderFiles lists the regular files below dir, sorted by name. Hidden folders and caches of tools are left out; links
// are followed to files within dir and refused otherwise.
func folderFiles(dir string, limit int) ([]sourceFile, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	var files []sourceFile
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && leftOut(strings.TrimPrefix(path, root), name) {
				return filepath.SkipDir
			}
			return nil
		}
		source := path
		if d.Type()&fs.ModeSymlink != 0 {
			if source, err = filepath.EvalSymlinks(path); err != nil {
				return err
			}
			if !strings.HasPrefix(source, root+string(filepath.Separator)) {
				return fmt.Errorf("%s is a link out of its folder; replace it with a copy", path)
			}
		}
		info, err := os.Stat(source)
		if err != nil {
			return err
		}
		if !info.Mode().IsRegular() {
			return fmt.Errorf("%s is neither a file nor a folder", path)
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if len(files) == limit {
			return errTooManyFiles
		}
		files = append(files, sourceFile{
			name: filepath.ToSlash(rel), path: source, executable: info.Mode()&0o111 != 0, size: info.Size(),
		})
		return nil
	})
	order.Sort(files, func(a, b sourceFile) int { return strings.Compare(a.name, b.name) })
	return files, err
}

// leftOut tells whether a folder does not belong into a zip. Packages of Node.js may need what they keep in hidden folders, save for those of npm.
func leftOut(path, name string) bool {
	if !strings.HasPrefix(name, ".") {
		return name == "__pycache__"
	}
	return !strings.Contains(path, string(filepath.Separator)+nodeModules+string(filepath.Separator)) || name == ".bin" || name == ".cache"
}

var errEmpty = errors.New("the folder is empty")

func zipFolder(dir string) ([]byte, error) {
	entries, err := folderEntries(dir)
	if err != nil {
		return nil, err
	}
	return zipFiles(entries)
}

// folderEntries reads a folder.
func folderEntries(dir string) ([]zipEntry, error) {
	files, err := folderFiles(dir, maxFiles)
	if errors.Is(err, errTooManyFiles) {
		return nil, fmt.Errorf("%s has more than %d files", dir, maxFiles)
	}
	if err != nil {
		return nil, err
	}
	var total int64
	entries := make([]zipEntry, 0, len(files))
	for _, f := range files {
		if total += f.size; total > maxBytes {
			return nil, fmt.Errorf("%s has more than %d MB, which is the limit of a function", dir, maxBytes>>20)
		}
		content, err := os.ReadFile(f.path)
		if err != nil {
			return nil, err
		}
		entries = append(entries, zipEntry{name: f.name, executable: f.executable, content: content})
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s: %w", dir, errEmpty)
	}
	return entries, nil
}

// zipFiles returns a zip that depends on nothing but its entries.
func zipFiles(entries []zipEntry) ([]byte, error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	// The fastest level: the file goes to this machine, and is read once.
	w.RegisterCompressor(zip.Deflate, func(to io.Writer) (io.WriteCloser, error) { return flate.NewWriter(to, flate.BestSpeed) })
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
		mode := fs.FileMode(0o644)
		if e.executable {
			mode = 0o755
		}
		h.SetMode(mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := f.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// store keeps a zip in the cache folder under its content's name.
func (p *packer) store(zip []byte) (Artifact, error) { return p.keep(zip, ".zip") }

// keep puts the content of a file, whose name ends with extension, into the build cache.
func (p *packer) keep(zip []byte, extension string) (Artifact, error) {
	sum := sha256.Sum256(zip)
	a := Artifact{Key: hex.EncodeToString(sum[:]) + extension}
	a.Path = filepath.Join(p.CacheDir, a.Key)
	if info, err := os.Stat(a.Path); err == nil && info.Size() == int64(len(zip)) {
		return a, nil
	}
	return a, writeFile(a.Path, zip)
}

// writeFile writes a file whole or not at all.
func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the build cache: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "new-")
	if err != nil {
		return fmt.Errorf("write the build cache: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write the build cache: %w", err)
	}
	return os.Rename(f.Name(), path)
}
