package image

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// LookPath finds a program of the image as a shell does: by its path, relative to dir, or in the folders of path. The result is an absolute path in the image.
func (i *Image) LookPath(program, dir, searched string) (string, error) {
	t, err := openTree(i.Root)
	if err != nil {
		return "", err
	}
	defer t.close()
	candidates := []string{program}
	switch {
	case path.IsAbs(program):
	case strings.Contains(program, "/"):
		candidates = []string{path.Join("/", dir, program)}
	default:
		candidates = nil
		for _, folder := range strings.Split(searched, ":") {
			if path.IsAbs(folder) {
				candidates = append(candidates, path.Join(folder, program))
			}
		}
	}
	executable := func(name string) bool {
		at, err := t.find(name)
		if err != nil {
			return false
		}
		info, err := t.root.Lstat(at)
		return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
	}
	if n := slices.IndexFunc(candidates, executable); n >= 0 {
		return candidates[n], nil
	}
	return "", fmt.Errorf("%s: %w", program, errNotThere)
}

// Programs lists what may be a program in a folder of the image: files and links.
func (i *Image) Programs(dir string) []string {
	at := i.Folder(dir)
	if at == "" {
		return nil
	}
	entries, err := os.ReadDir(at)
	if err != nil {
		return nil
	}
	var out []string
	for _, e := range entries {
		if !e.IsDir() {
			out = append(out, e.Name())
		}
	}
	return out
}

// Folder is where a folder of the image lies on this machine, with the image's links followed inside of it; empty if the image has no such folder.
func (i *Image) Folder(name string) string {
	t, err := openTree(i.Root)
	if err != nil {
		return ""
	}
	defer t.close()
	at, err := t.find(name)
	if err != nil {
		return ""
	}
	if info, err := t.root.Lstat(at); err != nil || !info.IsDir() {
		return ""
	}
	return filepath.Join(i.Root, filepath.FromSlash(at))
}
