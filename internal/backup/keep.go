package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Keep removes all but the newest n copies, what was left of copies that were broken off, and the objects that then belong to none. It returns how many
// copies it removed.
func (f *Folder) Keep(n int) (removed int, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("remove old copies from %s: %w", f.dir, err)
		}
	}()
	all, err := f.Snapshots()
	if err != nil {
		return 0, err
	}
	for len(all) > max(n, 1) {
		if err := os.Remove(f.listPath(all[0], listSuffix)); err != nil {
			return removed, err
		}
		all = all[1:]
		removed++
	}
	broken, err := f.lists(partial)
	if err != nil {
		return removed, err
	}
	for _, name := range broken {
		if err := os.Remove(f.listPath(name, partial)); err != nil {
			return removed, err
		}
	}
	if err := syncDir(filepath.Join(f.dir, listFolder)); err != nil {
		return removed, err
	}
	used := map[string]struct{}{}
	for _, name := range all {
		if err := f.each(name, func(of File) error {
			used[of.Sum] = struct{}{}
			return nil
		}); err != nil {
			return removed, err
		}
	}
	return removed, f.sweep(used)
}

// sweep removes the objects that are not used.
func (f *Folder) sweep(used map[string]struct{}) error {
	return filepath.WalkDir(filepath.Join(f.dir, objectFolder), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if _, ok := used[e.Name()]; ok || !validSum(e.Name()) && !strings.HasPrefix(e.Name(), ".new-") {
			return nil
		}
		return os.Remove(path)
	})
}

// each calls fn for the files of a copy.
func (f *Folder) each(name string, fn func(File) error) error {
	l, err := openList(f.listPath(name, listSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no copy %s in %s", name, f.dir)
	}
	if err != nil {
		return err
	}
	defer l.close()
	for {
		if err := l.next(); err != nil || !l.ok {
			return err
		}
		if err := fn(l.line); err != nil {
			return err
		}
	}
}
