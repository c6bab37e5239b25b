package code

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Unzipped is the size of what comes out of an archive that Put has accepted, in bytes.
func Unzipped(archive []byte) int64 {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return 0
	}
	var n int64
	for _, f := range z.File {
		n += int64(f.UncompressedSize64)
	}
	return n
}

// MergedHash names the folder that Merge makes of these folders.
func MergedHash(layers []Hash) Hash {
	if len(layers) == 1 {
		return layers[0]
	}
	h := sha256.New()
	for _, l := range layers {
		_, _ = h.Write(l[:])
	}
	return Hash(h.Sum(nil))
}

// Merge lays unpacked folders over each other, unless that was done before, and returns the name of the folder with all of them. Where two have
// the same file, the later one's is there. Files are not copied: both folders have the same one.
func (s *Store) Merge(ctx context.Context, layers []Hash) (Hash, error) {
	h := MergedHash(layers)
	return h, s.once(ctx, h, func() error {
		return s.fill(h, func(temp string) error {
			for _, l := range layers {
				if err := overlay(ctx, temp, s.Path(l)); err != nil {
					return fmt.Errorf("merge layers: %w", err)
				}
			}
			return nil
		})
	})
}

// overlay links everything below from into to, in the place of what is there.
func overlay(ctx context.Context, to, from string) error {
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || name == from {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		have, err := os.Lstat(target)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case d.IsDir() && have.IsDir():
			return nil
		default:
			if err := os.RemoveAll(target); err != nil {
				return err
			}
		}
		switch {
		case d.IsDir():
			return os.Mkdir(target, folderMode)
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(name)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		}
		return os.Link(name, target)
	})
}
