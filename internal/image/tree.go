package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
)

// tree is a folder in which paths are followed as if it were the root of a system. Nothing in it changes but by its one user, so what has been looked at
// stays as it was.
type tree struct {
	root *os.Root
	dir  string // the folder's own path
}

func openTree(dir string) (*tree, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the image's files: %w", err)
	}
	return &tree{root: root, dir: dir}, nil
}

func (t *tree) close() { _ = t.root.Close() }

const (
	maxPath  = 4096 // bytes
	maxLinks = 40   // that one path may lead through, as in the kernel
)

// errNotThere says that a path of the tree leads nowhere.
var errNotThere = errors.New("there is no such file in the image")

// resolve follows a path to what it names, with all links, and returns the path to that without links, relative to the tree; "." is the tree itself. Where nothing
// is, missing decides: it gets the path of the missing folder, and may make it.
func (t *tree) resolve(name string, missing func(at string) error) (string, error) {
	if len(name) > maxPath {
		return "", refuse("a path of the image is longer than %d bytes", maxPath)
	}
	at := "."
	rest := strings.Split(name, "/")
	for links := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		next := path.Join(at, part)
		info, err := t.root.Lstat(next)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			if err := missing(next); err != nil {
				return "", err
			}
		case err != nil:
			return "", fmt.Errorf("look into the image: %w", err)
		case info.Mode()&fs.ModeSymlink != 0:
			if links++; links > maxLinks {
				return "", refuse("the path %.200q of the image leads through too many links", name)
			}
			to, err := t.root.Readlink(next)
			if err != nil {
				return "", fmt.Errorf("look into the image: %w", err)
			}
			if path.IsAbs(to) {
				at = "."
			}
			if rest = append(strings.Split(to, "/"), rest...); len(rest) > maxPath {
				return "", refuse("the path %.200q of the image leads through too many links", name)
			}
			continue
		case !info.IsDir() && len(rest) > 0:
			return "", refuse("the path %.200q of the image leads through a file", name)
		}
		at = next
	}
	return at, nil
}

// find resolves a path of which everything must be there.
func (t *tree) find(name string) (string, error) {
	return t.resolve(name, func(string) error { return errNotThere })
}

// makeFolders resolves the path of a folder, making what is missing, and tells made about it.
func (t *tree) makeFolders(name string, made func(at string)) (string, error) {
	at, err := t.resolve(name, func(at string) error {
		if err := t.root.Mkdir(at, folderMode); err != nil {
			return fmt.Errorf("unpack image: %w", err)
		}
		if made != nil {
			made(at)
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if info, err := t.root.Lstat(at); err != nil || !info.IsDir() {
		return "", errors.Join(refuse("%.200q of the image is a file where a folder is needed", name), err)
	}
	return at, nil
}
