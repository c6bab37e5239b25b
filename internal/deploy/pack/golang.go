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
	"strings"
)

// goFunction returns the zip of a Go function, from the cache when none of its sources changed.
func (p *packer) goFunction(ctx context.Context, id, dir, arch string) ([]byte, error) {
	cached := ""
	key, err := p.sourceKey(dir, arch)
	if err != nil {
		return nil, err
	}
	if key != "" {
		cached = filepath.Join(p.CacheDir, "go-"+key+".zip")
		if zip, err := os.ReadFile(cached); err == nil {
			return zip, nil
		}
	}
	p.Progress(id, "building "+filepath.Base(dir), false)
	zip, err := p.compile(ctx, dir, arch)
	if err != nil {
		return nil, err
	}
	p.Progress(id, "built "+filepath.Base(dir), true)
	if cached != "" {
		if err := writeFile(cached, zip); err != nil {
			return nil, err
		}
	}
	return zip, nil
}

func (p *packer) compile(ctx context.Context, dir, arch string) ([]byte, error) {
	if _, err := exec.LookPath("go"); err != nil {
		return nil, fmt.Errorf("building a Go function needs the go command; install Go from https://go.dev/dl: %w", err)
	}
	out, err := os.MkdirTemp("", "lambent-build-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the build: %w", err)
	}
	defer os.RemoveAll(out)
	bootstrap := filepath.Join(out, "bootstrap")
	args := []string{"build", "-buildvcs=false", "-tags", "lambda.norpc", "-o", bootstrap}
	if p.Debug {
		args = append(args, "-trimpath=false", "-gcflags", "all=-N -l") // with the paths of the sources, which editors look for, whatever GOFLAGS says
	} else {
		args = append(args, "-trimpath", "-ldflags", "-s -w -buildid=")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, ".")...)
	cmd.Dir = dir
	cmd.Env = append(append([]string{}, p.Environ...), "GOOS=linux", "GOARCH="+arch, "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build in %s: %w\n%s", dir, err, bytes.TrimSpace(text))
	}
	binary, err := os.ReadFile(bootstrap)
	if err != nil {
		return nil, fmt.Errorf("read the built function: %w", err)
	}
	return zipFiles([]zipEntry{{name: "bootstrap", executable: true, content: binary}})
}

// sourceLimit bounds how many files are hashed to save a build.
const sourceLimit = 5000

// sourceKey returns the hash of everything that a build of dir reads, or "" when that cannot be told.
func (p *packer) sourceKey(dir, arch string) (string, error) {
	root := moduleRoot(dir)
	if root == "" {
		return "", fmt.Errorf("no go.mod in %s or above it; run go mod init there", dir)
	}
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return "", err
	}
	if bytes.Contains(module, []byte("=> .")) || bytes.Contains(module, []byte("=> /")) || p.workspace(root) {
		return "", nil
	}
	h := sha256.New()
	rel, err := filepath.Rel(root, dir)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(h, "pack 1\n%s\n%s\n%s\n", p.toolchain(), arch, rel)
	if p.Debug {
		fmt.Fprintf(h, "debug %s\n", root)
	}
	for _, entry := range p.Environ {
		if strings.HasPrefix(entry, "GOFLAGS=") || strings.HasPrefix(entry, "GOEXPERIMENT=") || strings.HasPrefix(entry, "GOTOOLCHAIN=") {
			fmt.Fprintln(h, entry)
		}
	}
	files, err := folderFiles(root, sourceLimit)
	if errors.Is(err, errTooManyFiles) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	for _, f := range files {
		content, err := os.ReadFile(f.path)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n", f.name, len(content))
		h.Write(content)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// toolchain names the go command by its file: a new one has another size or time. Asking it for its version costs more.
func (p *packer) toolchain() string {
	path, err := exec.LookPath("go")
	if err != nil {
		return ""
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	info, err := os.Stat(path)
	if err != nil {
		return path
	}
	return fmt.Sprintf("%s %d %d", path, info.Size(), info.ModTime().UnixNano())
}

// workspace tells whether a go.work takes part in the build.
func (p *packer) workspace(root string) bool {
	for _, entry := range p.Environ {
		if v, ok := strings.CutPrefix(entry, "GOWORK="); ok && v != "" {
			return v != "off"
		}
	}
	for dir := root; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

func moduleRoot(dir string) string {
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}
