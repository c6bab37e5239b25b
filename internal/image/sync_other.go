//go:build !linux

package image

import (
	"io/fs"
	"path/filepath"
)

// syncTree makes every file and folder below dir durable.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() && !d.Type().IsRegular() {
			return err
		}
		return syncFile(name)
	})
}
