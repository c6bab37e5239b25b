package image

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// folder opens the files of a folder.
type folder struct{ root *os.Root }

func (f folder) open(name string) (io.ReadCloser, error) {
	if !filepath.IsLocal(name) {
		return nil, fs.ErrNotExist
	}
	return f.root.Open(name)
}

// archive opens the files in a tar file.
type archive struct {
	file  *os.File
	files map[string]span
	links map[string]string
}

// span is where a file lies in the archive, in bytes.
type span struct{ at, size int64 }

// maxEntries bounds the files in an archive: an image has a few for each of its layers.
const maxEntries = 4096

// index notes where the files of an archive are.
func index(file *os.File) (*archive, error) {
	a := &archive{file: file, files: map[string]span{}, links: map[string]string{}}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read the image's archive: %w", err)
	}
	t := tar.NewReader(file) // it reads no further than it says
	for n := 0; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return a, nil
		}
		if err != nil {
			return nil, refuse("this is not a tar file with an image: %v", err)
		}
		if n == maxEntries {
			return nil, refuse("the archive has more than %d entries; that is no image", maxEntries)
		}
		name := path.Clean(h.Name)
		switch h.Typeflag {
		case tar.TypeReg:
			at, err := file.Seek(0, io.SeekCurrent)
			if err != nil {
				return nil, fmt.Errorf("read the image's archive: %w", err)
			}
			a.files[name] = span{at, h.Size}
		case tar.TypeSymlink: // docker save has written a layer that several images have once
			a.links[name] = path.Join(path.Dir(name), h.Linkname)
		case tar.TypeLink:
			a.links[name] = path.Clean(h.Linkname)
		}
	}
}

func (a *archive) open(name string) (io.ReadCloser, error) {
	name = path.Clean(name)
	if to, ok := a.links[name]; ok {
		name = to
	}
	s, ok := a.files[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return io.NopCloser(bufio.NewReaderSize(io.NewSectionReader(a.file, s.at, s.size), 1<<20)), nil
}

// Load takes an image from a folder in the OCI image layout, or from a tar file, which may be compressed with gzip.
func (s *Store) Load(ctx context.Context, name string) (*Image, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, fmt.Errorf("read the image: %w", err)
	}
	return s.share(ctx, "file "+abs, func(ctx context.Context) (*Image, error) {
		if info.IsDir() {
			root, err := os.OpenRoot(abs)
			if err != nil {
				return nil, fmt.Errorf("read the image: %w", err)
			}
			defer func() { _ = root.Close() }()
			return s.takeSaved(ctx, folder{root})
		}
		file, err := os.Open(abs)
		if err != nil {
			return nil, fmt.Errorf("read the image: %w", err)
		}
		defer func() { _ = file.Close() }()
		return s.takeArchive(ctx, file)
	})
}

// Import takes an image from a tar file, which may be compressed with gzip, as it comes. It is kept in a file of the store while it is read.
func (s *Store) Import(ctx context.Context, r io.Reader) (*Image, error) {
	file, remove, err := s.scratch()
	if err != nil {
		return nil, err
	}
	defer remove()
	if err := s.spool(ctx, file, r); err != nil {
		return nil, err
	}
	return s.share(ctx, "import "+file.Name(), func(ctx context.Context) (*Image, error) { return s.takeArchive(ctx, file) })
}

// scratch makes a file for what is read on the way.
func (s *Store) scratch() (*os.File, func(), error) {
	file, err := os.CreateTemp(s.o.Dir, newPrefix)
	if err != nil {
		return nil, nil, fmt.Errorf("keep the image's archive: %w", err)
	}
	return file, func() { _ = errors.Join(file.Close(), os.Remove(file.Name())) }, nil
}

// spool copies an archive, as long as it is not larger than an image may be.
func (s *Store) spool(ctx context.Context, to io.Writer, from io.Reader) error {
	n, err := io.Copy(to, io.LimitReader(&cancelled{ctx, from}, s.o.Limits.Bytes+1))
	if err == nil && n > s.o.Limits.Bytes {
		err = refuse("the image's archive is larger than %d bytes", s.o.Limits.Bytes)
	}
	return err
}

func (s *Store) takeArchive(ctx context.Context, file *os.File) (*Image, error) {
	if zipped, err := isGzip(file); err != nil {
		return nil, err
	} else if zipped {
		z, err := gzip.NewReader(bufio.NewReader(file))
		if err != nil {
			return nil, refuse("the image's archive is damaged: %v", err)
		}
		plain, remove, err := s.scratch()
		if err != nil {
			return nil, err
		}
		defer remove()
		if err := s.spool(ctx, plain, z); err != nil {
			return nil, err
		}
		file = plain
	}
	a, err := index(file)
	if err != nil {
		return nil, err
	}
	return s.takeSaved(ctx, a)
}

func isGzip(file *os.File) (bool, error) {
	magic := make([]byte, 2)
	n, err := file.ReadAt(magic, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("read the image's archive: %w", err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return false, fmt.Errorf("read the image's archive: %w", err)
	}
	return strings.HasPrefix(string(magic[:n]), gzipMagic), nil
}

func (s *Store) takeSaved(ctx context.Context, files opener) (*Image, error) {
	src, err := openSaved(files)
	if err != nil {
		return nil, err
	}
	return s.take(ctx, src)
}

// cancelled reads until its context ends.
type cancelled struct {
	ctx context.Context //nolint:containedctx // of the one read that it is made for
	r   io.Reader
}

func (c *cancelled) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
