package runtimes

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/sandbox"
)

//go:embed clients
var clients embed.FS

// The families of runtimes.
const (
	FamilyNode     = "nodejs"
	FamilyPython   = "python"
	FamilyProvided = "provided"
)

// Runtime is a runtime that can be started on this machine.
type Runtime struct {
	// ID is AWS's identifier, such as "python3.13".
	ID string
	// Family is the language.
	Family string
	// Version is that of the installed program, such as "3.11.2"; empty for provided runtimes.
	Version string
	// Warning is set when another version than the one asked for is used; it is to be shown to the user.
	Warning string

	argv   []string
	mounts []sandbox.Mount
}

// UnknownError says that an identifier is none of AWS's.
type UnknownError struct{ ID string }

// Error names the identifier.
func (e *UnknownError) Error() string { return fmt.Sprintf("%q is not a Lambda runtime", e.ID) }

// UnsupportedError says that this version of Lambent cannot run a runtime.
type UnsupportedError struct{ ID string }

// Error names the identifier and the way out.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("Lambent does not run %s yet: use nodejs, python or provided.al2023 (a bootstrap of your own)", e.ID)
}

// MissingError says that the program of a runtime is not installed.
type MissingError struct {
	// ID is the runtime, Package the Debian package that brings it.
	ID, Package string
	// Reason says what was found instead, if anything.
	Reason string
}

// Error names the package to install.
func (e *MissingError) Error() string {
	return fmt.Sprintf("the runtime %s is not installed on this machine%s: install the package %s (on Debian and Ubuntu: apt-get install %s), then try again", e.ID, e.Reason, e.Package, e.Package)
}

// version is the language and the version in an identifier.
type version struct {
	family       string
	major, minor int
}

// Identifiers returns the runtimes of AWS as of November 2026,
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html, with older ones that templates still name.
func Identifiers() []string {
	return []string{
		"nodejs16.x", "nodejs18.x", "nodejs20.x", "nodejs22.x", "nodejs24.x",
		"python3.8", "python3.9", "python3.10", "python3.11", "python3.12", "python3.13", "python3.14",
		"provided.al2", "provided.al2023",
		"java8.al2", "java11", "java17", "java21", "java25", "dotnet8", "dotnet10", "ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0",
	}
}

// Known tells whether id is one of AWS's identifiers.
func Known(id string) bool { return slices.Contains(Identifiers(), id) }

func parseID(id string) (version, error) {
	if !Known(id) {
		return version{}, &UnknownError{ID: id}
	}
	var v version
	switch {
	case strings.HasPrefix(id, FamilyProvided):
		return version{family: FamilyProvided}, nil
	case strings.HasPrefix(id, FamilyNode):
		v.family = FamilyNode
		if _, err := fmt.Sscanf(id, "nodejs%d.x", &v.major); err != nil {
			return v, &UnknownError{ID: id}
		}
	case strings.HasPrefix(id, FamilyPython):
		v.family = FamilyPython
		if _, err := fmt.Sscanf(id, "python%d.%d", &v.major, &v.minor); err != nil {
			return v, &UnknownError{ID: id}
		}
	default:
		return v, &UnsupportedError{ID: id}
	}
	return v, nil
}

// Options of a catalog.
type Options struct {
	// Dir is a folder of the catalog's own, where it unpacks the runtime clients.
	Dir string
	// Strict refuses other versions than the ones asked for.
	Strict bool
	// Path lists the folders in which runtimes are looked for; empty means those of PATH and the usual ones.
	Path []string
}

// Catalog finds runtimes. It is safe for concurrent use.
type Catalog struct {
	o       Options
	clients string

	mu    sync.Mutex // guards asked, and is held while programs are asked for their version
	asked map[string]answer
}

// answer is what the file of a program said about itself.
type answer struct {
	program program
	err     error
}

// program is an installed language runtime.
type program struct {
	path    string // absolute, without symbolic links
	prefix  string // the tree that belongs to it; empty when it is part of the base system
	version [3]int
}

// NewCatalog unpacks the runtime clients into the catalog's folder.
func NewCatalog(o Options) (*Catalog, error) {
	c := &Catalog{o: o, clients: filepath.Join(o.Dir, "clients"), asked: map[string]answer{}}
	if len(c.o.Path) == 0 {
		c.o.Path = append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/bin", "/usr/bin")
	}
	if err := unpackClients(c.clients); err != nil {
		return nil, fmt.Errorf("unpack runtime clients: %w", err)
	}
	return c, nil
}

// unpackClients writes the embedded clients, replacing those of another version.
func unpackClients(dir string) error {
	return fs.WalkDir(clients, "clients", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(dir, strings.TrimPrefix(name, "clients"))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := clients.ReadFile(name)
		if err != nil {
			return err
		}
		if old, err := os.ReadFile(target); err == nil && string(old) == string(data) {
			return nil
		}
		if err := os.WriteFile(target+".new", data, 0o644); err != nil {
			return err
		}
		return os.Rename(target+".new", target)
	})
}

// Lookup returns the runtime with AWS's identifier id, or an [UnknownError], [UnsupportedError] or [MissingError].
func (c *Catalog) Lookup(ctx context.Context, id string) (*Runtime, error) {
	want, err := parseID(id)
	if err != nil {
		return nil, err
	}
	if want.family == FamilyProvided {
		return &Runtime{ID: id, Family: FamilyProvided, argv: []string{"/var/task/bootstrap"}}, nil
	}
	p, exact, ok := choose(c.programs(ctx, want.family, want.file()), want)
	if !exact {
		p, exact, ok = choose(c.programs(ctx, want.family, ""), want)
	}
	missing := &MissingError{ID: id, Package: want.debianPackage()}
	if !ok {
		return nil, missing
	}
	r := &Runtime{ID: id, Family: want.family, Version: p.String()}
	if !exact {
		if c.o.Strict {
			missing.Reason = fmt.Sprintf(" (%s %s is, but strict runtimes are on)", want.family, p)
			return nil, missing
		}
		r.Warning = fmt.Sprintf("the runtime %s is not installed: %s %s runs the function instead; install the package %s to have the real one", id, want.family, p, missing.Package)
	}
	client := filepath.Join(c.clients, want.client())
	r.mounts = append(p.mounts(), sandbox.Mount{Source: client, Target: "/var/runtime"})
	r.argv = []string{p.path, "/var/runtime/bootstrap.py"}
	if want.family == FamilyNode {
		r.argv = []string{p.path, "/var/runtime/index.cjs"}
	}
	return r, nil
}

// Status is what doctor shows of a language.
type Status struct {
	// Language is the family, Package what brings it on Debian.
	Language, Package string
	// Versions are the installed ones; empty when there is none.
	Versions []string
}

// Installed lists the languages with the versions that are installed.
func (c *Catalog) Installed(ctx context.Context) []Status {
	var out []Status
	for _, v := range []version{{family: FamilyNode}, {family: FamilyPython, major: 3}} {
		s := Status{Language: v.family, Package: map[string]string{FamilyNode: "nodejs", FamilyPython: "python3"}[v.family]}
		for _, p := range c.programs(ctx, v.family, "") {
			s.Versions = append(s.Versions, fmt.Sprintf("%s at %s", p, p.path))
		}
		out = append(out, s)
	}
	return out
}

// file is the usual name of the program of exactly this version.
func (v version) file() string {
	if v.family == FamilyNode {
		return "node"
	}
	return fmt.Sprintf("python%d.%d", v.major, v.minor)
}

func (v version) client() string {
	if v.family == FamilyNode {
		return "node"
	}
	return "python"
}

func (v version) debianPackage() string {
	if v.family == FamilyNode {
		return "nodejs"
	}
	return fmt.Sprintf("python%d.%d", v.major, v.minor)
}

func (p program) String() string {
	return fmt.Sprintf("%d.%d.%d", p.version[0], p.version[1], p.version[2])
}

// mounts are what the program needs beyond the base system.
func (p program) mounts() []sandbox.Mount {
	if p.prefix == "" {
		return nil
	}
	return []sandbox.Mount{{Source: p.prefix, Target: p.prefix}}
}

// choose returns the program of the version that is wanted, else the nearest newer, else the nearest older one.
func choose(list []program, want version) (p program, exact, ok bool) {
	number := func(major, minor int) int {
		if want.family == FamilyNode {
			minor = 0 // a major version of Node is one runtime
		}
		return major<<16 | minor
	}
	target := number(want.major, want.minor)
	best := -1
	for i, c := range list {
		n := number(c.version[0], c.version[1])
		if n == target {
			return c, true, true
		}
		if best < 0 {
			best = i
			continue
		}
		b := number(list[best].version[0], list[best].version[1])
		if n > target && (b < target || n < b) || n < target && b < target && n > b {
			best = i
		}
	}
	if best < 0 {
		return program{}, false, false
	}
	return list[best], false, true
}

// programs returns the installed programs of a family, or those whose file has the given name. Each file is asked once, the files of one call at the
// same time: what stands in PATH may be a script that takes long to find the real program.
func (c *Catalog) programs(ctx context.Context, family, name string) []program {
	c.mu.Lock()
	defer c.mu.Unlock()
	files := c.candidates(family)
	if name != "" {
		files = slices.DeleteFunc(files, func(f string) bool { return filepath.Base(f) != name })
	}
	answers := make([]answer, len(files))
	var wg sync.WaitGroup
	for i, file := range files {
		if known, ok := c.asked[file]; ok {
			answers[i] = known
			continue
		}
		wg.Go(func() { answers[i].program, answers[i].err = inspect(ctx, family, file) })
	}
	wg.Wait()
	var list []program
	seen := map[string]bool{}
	for i, a := range answers {
		if a.err == nil {
			c.asked[files[i]] = a
		}
		if a.err == nil && !seen[a.program.path] {
			seen[a.program.path] = true
			list = append(list, a.program)
		}
	}
	return list
}

func (c *Catalog) candidates(family string) []string {
	pattern := "node"
	if family == FamilyPython {
		pattern = "python3*"
	}
	var out []string
	for i, dir := range c.o.Path {
		if !filepath.IsAbs(dir) || slices.Contains(c.o.Path[:i], dir) {
			continue
		}
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			continue
		}
		for _, f := range files {
			if version := strings.TrimPrefix(filepath.Base(f), "python3"); family != FamilyPython || version == "" || version[0] == '.' && strings.Trim(version[1:], "0123456789") == "" {
				out = append(out, f)
			}
		}
	}
	return out
}

// inspectTimeout bounds the start of a program that is asked for its version.
const inspectTimeout = 10 * time.Second

// inspect asks a program what it is. What is found under its name may be a script that starts the real one.
func inspect(ctx context.Context, family, file string) (program, error) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	args := []string{"-I", "-c", "import sys; print(sys.executable); print(sys.base_prefix); print('%d.%d.%d' % sys.version_info[:3])"}
	if family == FamilyNode {
		args = []string{"-p", "process.execPath + '\\n' + require('path').dirname(require('path').dirname(process.execPath)) + '\\n' + process.versions.node"}
	}
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Dir = "/"
	out, err := cmd.Output()
	if err != nil {
		return program{}, fmt.Errorf("ask %s for its version: %w", file, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 {
		return program{}, fmt.Errorf("ask %s for its version: unexpected answer", file)
	}
	var p program
	if p.path, err = filepath.EvalSymlinks(lines[0]); err != nil {
		return p, fmt.Errorf("find %s: %w", lines[0], err)
	}
	if prefix := lines[1]; prefix != "/usr" && prefix != "/" {
		p.prefix = prefix
	}
	parts := strings.SplitN(lines[2], ".", 3)
	for i := range min(len(parts), 3) {
		if p.version[i], err = strconv.Atoi(parts[i]); err != nil {
			return p, fmt.Errorf("version %q of %s: %w", lines[2], file, err)
		}
	}
	return p, readable(p)
}

// readable tells whether functions, which run as another user, may use the program.
func readable(p program) error {
	for _, file := range []string{p.path, p.prefix} {
		if file == "" {
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o005 != 0o005 {
			return errors.New(file + " is not readable for everyone")
		}
	}
	return nil
}
