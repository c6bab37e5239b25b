package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"lambent.dev/lambent/internal/lib/order"
)

// withPackages returns the zip of a folder with the packages that lie in another one. What the folder has itself counts.
func withPackages(dir, packages string) ([]byte, error) {
	own, err := folderEntries(dir)
	if err != nil {
		return nil, err
	}
	installed, err := folderEntries(packages)
	if err != nil && !errors.Is(err, errEmpty) {
		return nil, err
	}
	have := make(map[string]bool, len(own))
	for _, e := range own {
		have[e.name] = true
	}
	for _, e := range installed {
		if !have[e.name] {
			own = append(own, e)
		}
	}
	order.Sort(own, func(a, b zipEntry) int { return strings.Compare(a.name, b.name) })
	return zipFiles(own)
}

// packages returns the folder of the cache that holds what install makes of inputs, and makes it when it is missing. install gets an empty folder and
// returns the one, in it or itself, that is to be kept.
func (p *packer) packages(id, kind string, inputs []byte, install func(work string) (string, error)) (string, error) {
	sum := sha256.Sum256(inputs)
	path := filepath.Join(p.CacheDir, kind+"-"+hex.EncodeToString(sum[:16]))
	if exists(path) {
		return path, nil
	}
	if err := os.MkdirAll(p.CacheDir, 0o700); err != nil {
		return "", fmt.Errorf("make the build cache: %w", err)
	}
	work, err := os.MkdirTemp(p.CacheDir, "new-")
	if err != nil {
		return "", fmt.Errorf("write the build cache: %w", err)
	}
	defer os.RemoveAll(work)
	p.Progress(id, "installing packages with "+kind, false)
	made, err := install(work)
	if err != nil {
		return "", err
	}
	p.Progress(id, "installed packages with "+kind, true)
	if err := os.Rename(made, path); err != nil && !exists(path) {
		return "", fmt.Errorf("write the build cache: %w", err)
	}
	return path, nil
}

// inputs returns what an installation depends on: the named files of dir, or all of them when they refer to files of the folder.
func inputs(dir string, all bool, names ...string) ([]byte, error) {
	var b bytes.Buffer
	if all {
		files, err := folderFiles(dir, maxFiles)
		if err != nil {
			return nil, err
		}
		names = names[:0]
		for _, f := range files {
			names = append(names, f.name)
		}
	}
	for _, name := range names {
		raw, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%s %d\n%s\n", name, len(raw), raw)
	}
	return b.Bytes(), nil
}

// tool runs a program of the user's for a build, and shows what it said when it failed.
func (p *packer) tool(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = p.Environ
	text, err := cmd.CombinedOutput()
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("the build needs the program %s: %w", name, err)
	}
	return fmt.Errorf("%s %s in %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), dir, err, bytes.TrimSpace(text))
}

// foreign tells whether code for arch does not run on this machine.
func foreign(arch string) bool { return arch != runtime.GOARCH }
