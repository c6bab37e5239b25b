package pack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const requirementsFile = "requirements.txt"

// pythonKind tells whether packages have to be installed for a Python function.
func pythonKind(dir string) (buildKind, error) {
	lines, err := requirements(dir)
	if err != nil || len(lines) == 0 {
		return buildPlain, err
	}
	return buildPip, nil
}

// requirements returns the lines of requirements.txt that say something.
func requirements(dir string) ([]string, error) {
	raw, err := os.ReadFile(filepath.Join(dir, requirementsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			all = append(all, line)
		}
	}
	return all, nil
}

// pythonFunction returns the zip of a Python function with the packages that it requires.
func (p *packer) pythonFunction(ctx context.Context, id string, r *recipe) ([]byte, error) {
	lines, err := requirements(r.dir)
	if err != nil {
		return nil, err
	}
	local := false
	for _, line := range lines {
		local = local || strings.ContainsAny(line[:1], "-./") || strings.Contains(line, "file:")
	}
	in, err := inputs(r.dir, local, requirementsFile)
	if err != nil {
		return nil, err
	}
	in = fmt.Appendf(in, "%s %s", r.runtime, r.arch)
	packages, err := p.packages(id, "pip", in, func(work string) (string, error) { return work, p.pip(ctx, r, work) })
	if err != nil {
		return nil, err
	}
	return withPackages(r.dir, packages)
}

// pip installs into target what runs under the function's own Python: with that Python when this machine has it, otherwise
// with any, in which case packages that come as sources alone cannot be had.
func (p *packer) pip(ctx context.Context, r *recipe, target string) error {
	args := []string{"-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--target", target, "-r", requirementsFile}
	if !foreign(r.arch) && exec.CommandContext(ctx, r.runtime, "-m", "pip", "--version").Run() == nil {
		return p.tool(ctx, r.dir, r.runtime, args...)
	}
	platform := "manylinux2014_x86_64"
	if r.arch == "arm64" {
		platform = "manylinux2014_aarch64"
	}
	args = append(args, "--only-binary=:all:", "--implementation", "cp", "--platform", platform, "--python-version", strings.TrimPrefix(r.runtime, "python"))
	return p.tool(ctx, r.dir, "python3", args...)
}
