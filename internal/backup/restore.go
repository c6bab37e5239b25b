package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Restore makes the data folder dir, which must be empty or missing, of a copy; an empty name means the newest. Every content is compared with its sum. The folder
// appears when it is whole and on disk: what breaks before leaves dir as it was, and DIR.restoring, which the next try removes.
func (f *Folder) Restore(ctx context.Context, name, dir string) (r Result, err error) {
	if name == "" {
		all, err := f.Snapshots()
		if err != nil {
			return r, err
		}
		if len(all) == 0 {
			return r, fmt.Errorf("there is no whole copy in %s", f.dir)
		}
		name = all[len(all)-1]
	}
	r.Snapshot = name
	if entries, err := os.ReadDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	} else if len(entries) > 0 {
		return r, fmt.Errorf("%s is not empty. Restore into a folder that is empty or missing", dir)
	}
	temp := filepath.Clean(dir) + ".restoring"
	if err := os.RemoveAll(temp); err != nil {
		return r, err
	}
	folders := map[string]struct{}{temp: {}}
	if err := os.MkdirAll(temp, 0o700); err != nil {
		return r, err
	}
	err = f.each(name, func(of File) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		to := filepath.Join(temp, filepath.FromSlash(of.Name))
		for d := filepath.Dir(to); len(d) > len(temp); d = filepath.Dir(d) {
			folders[d] = struct{}{}
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		r.Files++
		r.Bytes += of.Size
		return f.extract(of, to)
	})
	if err != nil {
		return r, fmt.Errorf("restore %s: %w", name, err)
	}
	for d := range folders {
		if err := syncDir(d); err != nil {
			return r, err
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, err
	}
	if err := os.Rename(temp, dir); err != nil {
		return r, err
	}
	return r, syncDir(filepath.Dir(filepath.Clean(dir)))
}

// extract writes an object to a file and compares it with its sum.
func (f *Folder) extract(of File, to string) error {
	in, err := os.Open(f.objectPath(of.Sum))
	if err != nil {
		return fmt.Errorf("the content of %s: %w", of.Name, err)
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, hash), in)
	if err == nil && (n != of.Size || hex.EncodeToString(hash.Sum(nil)) != of.Sum) {
		err = fmt.Errorf("the content of %s is damaged: %s does not have the sum that its name says", of.Name, in.Name())
	}
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}
