package pack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const nodeModules = "node_modules"

// manifest is what of a package.json matters here.
type manifest struct {
	Dependencies map[string]string `json:"dependencies"`
	Workspaces   any               `json:"workspaces"`
}

func readManifest(dir string) (m manifest, err error) {
	raw, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("read package.json: %w", err)
	}
	return m, nil
}

// nodeKind tells whether packages have to be installed for a Node.js function. A folder that has its packages is taken as it is.
func nodeKind(dir string) (buildKind, error) {
	m, err := readManifest(dir)
	if err != nil || len(m.Dependencies) == 0 || exists(filepath.Join(dir, nodeModules)) {
		return buildPlain, err
	}
	return buildNPM, nil
}

// nodeFunction returns the zip of a Node.js function with the packages that it depends on.
func (p *packer) nodeFunction(ctx context.Context, id string, r *recipe) ([]byte, error) {
	packages, err := p.npm(ctx, id, r)
	if err != nil {
		return nil, err
	}
	return withPackages(r.dir, packages)
}

// npm returns a folder with the node_modules of a function's package.json, or "" when it has no dependencies.
func (p *packer) npm(ctx context.Context, id string, r *recipe) (string, error) {
	m, err := readManifest(r.dir)
	if err != nil || len(m.Dependencies) == 0 {
		return "", err
	}
	local := m.Workspaces != nil
	for _, version := range m.Dependencies {
		local = local || strings.HasPrefix(version, "file:") || strings.HasPrefix(version, "link:")
	}
	in, err := inputs(r.dir, local, "package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc")
	if err != nil {
		return "", err
	}
	return p.packages(id, "npm", append(in, r.arch...), func(work string) (string, error) { return work, p.npmInstall(ctx, r, work) })
}

// npmInstall installs into work what the lock file says, or what package.json allows when there is none. It runs in a copy of the folder and
// leaves nothing there but the packages.
func (p *packer) npmInstall(ctx context.Context, r *recipe, work string) error {
	files, err := folderFiles(r.dir, maxFiles)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := copyFile(f.path, filepath.Join(work, filepath.FromSlash(f.name))); err != nil {
			return err
		}
	}
	command := "install"
	if exists(filepath.Join(work, "package-lock.json")) || exists(filepath.Join(work, "npm-shrinkwrap.json")) {
		command = "ci"
	}
	args := []string{command, "--omit=dev", "--no-audit", "--no-fund", "--install-links", "--loglevel=error"}
	if foreign(r.arch) {
		args = append(args, "--os=linux", "--cpu="+map[string]string{"amd64": "x64", "arm64": "arm64"}[r.arch])
	}
	if err := p.tool(ctx, work, "npm", args...); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(work, nodeModules, ".package-lock.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // npm's own note, which would change with its version
	}
	return keepOnly(work, nodeModules)
}

func copyFile(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	return os.WriteFile(to, raw, 0o600)
}

// keepOnly removes everything in dir but one entry.
func keepOnly(dir, name string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		if e.Name() != name {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
