package image

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// The names by which a layer removes what is below it, https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts.
const (
	whiteoutPrefix = ".wh."
	whiteoutMeta   = ".wh..wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// untarring is a layer on its way into its tree.
type untarring struct {
	*tree
	tar   *tar.Reader
	left  budget
	start budget
	index layerIndex
	// implied are the folders of index.Implied, times the times of folders, which change while they are filled.
	implied map[string]bool
	times   map[string]time.Time
	buf     []byte
}

// untar writes the entries of a tar file into a folder that nobody else uses.
func untar(ctx context.Context, r io.Reader, dir string, left budget) (layerIndex, error) {
	t, err := openTree(dir)
	if err != nil {
		return layerIndex{}, err
	}
	defer t.close()
	u := &untarring{tree: t, tar: tar.NewReader(r), left: left, start: left, implied: map[string]bool{}, times: map[string]time.Time{}, buf: make([]byte, 1<<18)}
	for {
		if ctx.Err() != nil {
			return u.index, context.Cause(ctx)
		}
		h, err := u.tar.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return u.index, u.damaged(ctx, err)
		}
		if err := u.entry(ctx, h); err != nil {
			return u.index, err
		}
	}
	for name, at := range u.times {
		if err := u.root.Chtimes(name, at, at); err != nil {
			return u.index, fmt.Errorf("unpack layer: %w", err)
		}
	}
	u.index.Implied = slices.Sorted(func(yield func(string) bool) {
		for name := range u.implied {
			if !yield(name) {
				return
			}
		}
	})
	u.index.Bytes, u.index.Files = u.start.bytes-u.left.bytes, u.start.files-u.left.files
	return u.index, nil
}

// damaged tells a layer that cannot be read from one that was not read to its end.
func (u *untarring) damaged(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var bad *Error
	if errors.As(err, &bad) {
		return err
	}
	return refuse("the layer is damaged or no tar file: %v", err)
}

func (u *untarring) entry(ctx context.Context, h *tar.Header) error {
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	u.left.files--
	if err := u.left.check(); err != nil {
		return err
	}
	name, err := entryName(h.Name)
	if err != nil {
		return err
	}
	if name == "." {
		if h.Typeflag != tar.TypeDir {
			return refuse("the entry %.200q is no folder", h.Name)
		}
		return nil
	}
	parent, err := u.makeFolders(path.Dir(name), func(at string) { u.implied[at] = true })
	if err != nil {
		return err
	}
	base := path.Base(name)
	if strings.HasPrefix(base, whiteoutPrefix) {
		return u.whiteout(parent, base)
	}
	at := path.Join(parent, base)
	switch h.Typeflag {
	case tar.TypeDir:
		return u.folder(at, h)
	case tar.TypeReg, tar.TypeGNUSparse:
		return u.file(ctx, at, h)
	case tar.TypeSymlink:
		return u.symlink(at, h)
	case tar.TypeLink:
		return u.hardlink(at, h)
	}
	if top, _, _ := strings.Cut(at, "/"); top == "dev" {
		return nil // a sandbox has its own devices
	}
	return refuse("the entry %.200q is a device or a pipe (type %q); files, folders and links are allowed", h.Name, h.Typeflag)
}

// entryName is the path of an entry, relative to the root.
func entryName(name string) (string, error) {
	switch {
	case name == "" || len(name) > maxPath || strings.IndexByte(name, 0) >= 0:
		return "", refuse("the name %.200q of an entry is not valid", name)
	case slices.Contains(strings.Split(name, "/"), ".."):
		return "", refuse("the name %.200q of an entry leaves the image", name)
	}
	return path.Join(".", name), nil
}

func (u *untarring) whiteout(parent, base string) error {
	switch {
	case base == whiteoutOpaque:
		u.index.Opaque = append(u.index.Opaque, parent)
		return nil
	case strings.HasPrefix(base, whiteoutMeta):
		return nil // notes that a storage driver has made for itself
	}
	removed := strings.TrimPrefix(base, whiteoutPrefix)
	if removed == "" || removed == "." || removed == ".." {
		return refuse("the entry %.200q removes nothing that can be removed", base)
	}
	u.index.Removed = append(u.index.Removed, path.Join(parent, removed))
	return nil
}

func (u *untarring) folder(at string, h *tar.Header) error {
	info, err := u.root.Lstat(at)
	switch {
	case err == nil && !info.IsDir():
		if err := u.root.Remove(at); err != nil {
			return fmt.Errorf("unpack layer: %w", err)
		}
		fallthrough
	case errors.Is(err, fs.ErrNotExist):
		if err := u.root.Mkdir(at, folderMode); err != nil {
			return fmt.Errorf("unpack layer: %w", err)
		}
	case err != nil:
		return fmt.Errorf("unpack layer: %w", err)
	}
	delete(u.implied, at)
	u.times[at] = h.ModTime
	return u.chmod(at, h, 0o700)
}

// chmod gives an entry its permissions, without what would let programs change their user, and with least for whoever keeps the image.
func (u *untarring) chmod(at string, h *tar.Header, least fs.FileMode) error {
	if err := u.root.Chmod(at, fs.FileMode(h.Mode)&0o777|least); err != nil {
		return fmt.Errorf("unpack layer: %w", err)
	}
	return nil
}

// clear removes what an entry takes the place of.
func (u *untarring) clear(at string) error {
	if err := u.root.RemoveAll(at); err != nil {
		return fmt.Errorf("unpack layer: %w", err)
	}
	for name := range u.times {
		if name == at || strings.HasPrefix(name, at+"/") {
			delete(u.times, name)
		}
	}
	for name := range u.implied {
		if name == at || strings.HasPrefix(name, at+"/") {
			delete(u.implied, name)
		}
	}
	return nil
}

// replace makes sure that nothing is where an entry goes.
func (u *untarring) replace(at string) error {
	_, err := u.root.Lstat(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("unpack layer: %w", err)
	}
	return u.clear(at)
}

func (u *untarring) file(ctx context.Context, at string, h *tar.Header) (err error) {
	u.left.bytes -= h.Size
	if err := u.left.check(); err != nil {
		return err
	}
	if err := u.replace(at); err != nil {
		return err
	}
	w, err := u.root.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("unpack layer: %w", err)
	}
	if err := u.copy(ctx, w, h.Size); err != nil {
		return errors.Join(err, w.Close())
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("unpack layer: %w", err)
	}
	if err := u.chmod(at, h, 0o400); err != nil {
		return err
	}
	// Python compares the time of a module with the one that its compiled form was made of.
	if err := u.root.Chtimes(at, h.ModTime, h.ModTime); err != nil {
		return fmt.Errorf("unpack layer: %w", err)
	}
	return nil
}

// copy writes a file's content, with holes where it is zero for long.
func (u *untarring) copy(ctx context.Context, w *os.File, size int64) error {
	var at int64
	for {
		n, err := io.ReadFull(u.tar, u.buf)
		if n > 0 && slices.ContainsFunc(u.buf[:n], func(b byte) bool { return b != 0 }) {
			if _, err := w.WriteAt(u.buf[:n], at); err != nil {
				return fmt.Errorf("unpack layer: %w", err)
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) && at == size {
			break
		}
		if err != nil {
			return u.damaged(ctx, err)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if at != size {
		return refuse("the layer is damaged: a file ends early")
	}
	if err := w.Truncate(size); err != nil {
		return fmt.Errorf("unpack layer: %w", err)
	}
	return nil
}

func (u *untarring) symlink(at string, h *tar.Header) error {
	if h.Linkname == "" || len(h.Linkname) >= maxPath || strings.IndexByte(h.Linkname, 0) >= 0 {
		return refuse("the link %.200q leads nowhere", h.Name)
	}
	if err := u.replace(at); err != nil {
		return err
	}
	if err := u.root.Symlink(h.Linkname, at); err != nil {
		return fmt.Errorf("unpack layer: %w", err)
	}
	return nil
}

// hardlink gives a file another name. One of a layer below is found when the image is put together.
func (u *untarring) hardlink(at string, h *tar.Header) error {
	name, err := entryName(h.Linkname)
	if err != nil {
		return err
	}
	target := name
	parent, err := u.find(path.Dir(name))
	if err == nil {
		target = path.Join(parent, path.Base(name))
	} else if !errors.Is(err, errNotThere) {
		return err
	}
	if target == at {
		return refuse("the entry %.200q is a link to itself", h.Name)
	}
	if err := u.replace(at); err != nil {
		return err
	}
	info, err := u.root.Lstat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		u.index.Links = append(u.index.Links, hardLink{Name: at, Target: target})
		return nil
	case err != nil:
		return fmt.Errorf("unpack layer: %w", err)
	case info.IsDir():
		return refuse("the entry %.200q is a hard link to a folder", h.Name)
	}
	if err := u.root.Link(target, at); err != nil {
		return fmt.Errorf("unpack layer: %w", err)
	}
	return nil
}
