package runtimes

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
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

// command is the program with its arguments for a function with that much memory, in MiB. Node's collector has to know the limit: it would let garbage lie
// until the kernel ends the function. The shares are those of AWS's runtime.
func (r *Runtime) command(memory int) []string {
	class := r.heapClass(memory)
	if class == 0 {
		return r.argv
	}
	heap := []string{r.argv[0], fmt.Sprintf("--max-old-space-size=%d", class*9/10), fmt.Sprintf("--max-semi-space-size=%d", max(class/20, 1))}
	return append(heap, r.argv[1:]...)
}

// heapClass is the memory, in MiB, by which the runtime's heap is sized when it starts; 0 if it is not.
func (r *Runtime) heapClass(memory int) int {
	if r.Family != FamilyNode {
		return 0
	}
	if memory == 0 {
		return 128
	}
	return memory
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
	// Clock tells when to look again for a runtime that was replaced; nil is the system's.
	Clock clock.Clock
	// Path lists the folders in which runtimes are looked for; empty means those of PATH and the usual ones.
	Path []string
}

// Catalog finds runtimes. It is safe for concurrent use.
type Catalog struct {
	o       Options
	clients string

	mu    sync.Mutex // guards asked, and is held while programs are asked for their version
	asked map[string]answer

	found sync.Map // finding by identifier
}

// finding is a runtime that was found, and when.
type finding struct {
	runtime *Runtime
	at      time.Time
}

// replaceable is how long a replacement for a runtime that is not installed is used before the real one is looked for again.
const replaceable = time.Minute

// answer is what the file of a program said about itself.
type answer struct {
	program program
	err     error
}

// NewCatalog unpacks the runtime clients into the catalog's folder.
func NewCatalog(o Options) (*Catalog, error) {
	c := &Catalog{o: o, clients: filepath.Join(o.Dir, "clients"), asked: map[string]answer{}}
	if len(c.o.Path) == 0 {
		c.o.Path = append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/bin", "/usr/bin")
	}
	if c.o.Clock == nil {
		c.o.Clock = clock.System{}
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

// Lookup returns the runtime with AWS's identifier id, or an [UnknownError], [UnsupportedError] or [MissingError]. A runtime that was found is
// not looked for again.
func (c *Catalog) Lookup(ctx context.Context, id string) (*Runtime, error) {
	now := c.o.Clock.Now()
	if v, ok := c.found.Load(id); ok {
		if f := v.(finding); f.runtime.Warning == "" || now.Sub(f.at) < replaceable {
			return f.runtime, nil
		}
	}
	r, err := c.lookup(ctx, id)
	if err == nil {
		c.found.Store(id, finding{r, now})
	}
	return r, err
}

func (c *Catalog) lookup(ctx context.Context, id string) (*Runtime, error) {
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
	// Without its site module Python starts in a third of the time, and runs none of the host's start-up files. The client adds what is missing.
	r.argv = []string{p.path, "-S", "/var/runtime/bootstrap.py"}
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
