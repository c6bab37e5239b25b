package pack

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// buildKind says how the sources of a function become its zip.
type buildKind string

const (
	buildPlain buildKind = "plain" // the folder as it is
	buildGo    buildKind = "go"
)

// buildOf decides how a function's folder is built, from its BuildMethod, its runtime and what lies in the folder.
func (p *packer) buildOf(dir string, resource, properties *yaml.Node) (buildKind, error) {
	method := scalar(child(child(resource, "Metadata"), "BuildMethod"))
	runtime := scalar(child(properties, "Runtime"))
	if runtime == "" {
		runtime = scalar(child(p.global(), "Runtime"))
	}
	switch {
	case method == "go1.x":
		return buildGo, nil
	case method != "" && !strings.HasPrefix(method, "python") && !strings.HasPrefix(method, "nodejs"):
		return "", fmt.Errorf("BuildMethod %s is not supported; build the function yourself, leave BuildMethod out and let CodeUri name the result", method)
	case strings.HasPrefix(runtime, "provided"):
		sources, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			return "", err
		}
		if _, err := os.Stat(filepath.Join(dir, "bootstrap")); err != nil && len(sources) > 0 {
			return buildGo, nil
		}
		return buildPlain, nil
	case strings.HasPrefix(runtime, "python"):
		return buildPlain, pythonReady(dir)
	case strings.HasPrefix(runtime, "nodejs"):
		return buildPlain, nodeReady(dir)
	}
	return buildPlain, nil
}

func pythonReady(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, "requirements.txt"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return fmt.Errorf("requirements.txt asks for %s, and installing Python packages is not supported; run sam build and deploy .aws-sam/build, or put the packages into the folder (pip install -t %s -r requirements.txt) and remove the file", line, dir)
		}
	}
	return nil
}

func nodeReady(dir string) error {
	raw, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var manifest struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return fmt.Errorf("read package.json: %w", err)
	}
	if len(manifest.Dependencies) == 0 {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, "node_modules")); err != nil {
		return fmt.Errorf("package.json has dependencies that are not installed; run npm ci --omit=dev in %s", dir)
	}
	return nil
}

// architecture returns the function's instruction set in Go's name.
func (p *packer) architecture(properties *yaml.Node) string {
	for _, n := range []*yaml.Node{child(properties, "Architectures"), child(p.global(), "Architectures")} {
		if n != nil && len(n.Content) == 1 {
			if n.Content[0].Value == "arm64" {
				return "arm64"
			}
			return "amd64"
		}
	}
	return "amd64"
}

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
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", "lambda.norpc",
		"-ldflags", "-s -w -buildid=", "-o", bootstrap, ".")
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
