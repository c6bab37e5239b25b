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
	"lambent.dev/lambent/internal/image"
	"lambent.dev/lambent/internal/sandbox"
)

//go:embed clients
var clients embed.FS

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

	language language
	argv     []string
	mounts   []sandbox.Mount
	// root is the folder of the image that the runtime is in; empty for one of this machine.
	root string
	// image is that image, which is in use as long as a sandbox has it as its root; nil for none.
	image *image.Image
	// env and dir are those of a container image; extensions is the folder with its extensions on this machine, empty for none.
	env             []string
	dir, extensions string
	// authority tells that [Options.Authority] is there as authorityFile.
	authority bool
	// dotnet is what is known of .NET; nil for other languages.
	dotnet *dotnet
}

// command is the program with its arguments for a function with that much memory, in MiB.
func (r *Runtime) command(memory int) []string {
	class := r.heapClass(memory)
	if class == 0 {
		return r.argv
	}
	heap := append([]string{r.argv[0]}, r.language.heap(class)...)
	return append(heap, r.argv[1:]...)
}

// heapClass is the memory, in MiB, by which the runtime's heap is sized when it starts; 0 if it is not.
func (r *Runtime) heapClass(memory int) int {
	switch {
	case r.language.heap == nil:
		return 0
	case memory == 0:
		return 128
	}
	return memory
}

// UnknownError says that an identifier is none of AWS's.
type UnknownError struct{ ID string }

// Error names the identifier.
func (e *UnknownError) Error() string { return fmt.Sprintf("%q is not a Lambda runtime", e.ID) }

// MissingError says that the program of a runtime is not installed.
type MissingError struct {
	// ID is the runtime, Package the Debian package that brings it.
	ID, Package string
	// Reason says what was found instead, if anything.
	Reason string
	// Withdrawn is set by a strict catalog for a runtime for which AWS creates no functions any more.
	Withdrawn bool
}

// Error names the package to install.
func (e *MissingError) Error() string {
	return fmt.Sprintf("the runtime %s is not installed on this machine%s: install the package %s (on Debian and Ubuntu: apt-get install %s), or take it from an image: lambent runtime add %s IMAGE; then try again", e.ID, e.Reason, e.Package, e.Package, e.ID)
}

// version is the language and the version in an identifier.
type version struct {
	family       string
	major, minor int
}

// Identifiers returns the runtimes of AWS as of November 2026,
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html, and before them retired ones that templates still name.
func Identifiers() []string {
	return append(retired(),
		"nodejs20.x", "nodejs22.x", "nodejs24.x",
		"python3.10", "python3.11", "python3.12", "python3.13", "python3.14",
		"provided.al2", "provided.al2023",
		"java8.al2", "java11", "java17", "java21", "java25", "dotnet8", "dotnet10", "ruby3.2", "ruby3.3", "ruby3.4", "ruby4.0",
	)
}

// retired lists runtimes that AWS does not update any more. They are served by the nearest newer version that is installed.
func retired() []string {
	return []string{
		"nodejs10.x", "nodejs12.x", "nodejs14.x", "nodejs16.x", "nodejs18.x", "python3.6", "python3.7", "python3.8", "python3.9", "java8", "ruby2.5", "ruby2.7", "dotnet6",
	}
}

// withdrawn tells whether AWS creates no functions for a runtime any more: of the retired ones it goes on with some,
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html#runtime-support-policy.
func withdrawn(id string) bool {
	return slices.Contains(retired(), id) && !slices.Contains([]string{"nodejs16.x", "nodejs18.x", "python3.8", "python3.9", "dotnet6"}, id)
}

// Known tells whether id is one of AWS's identifiers.
func Known(id string) bool { return slices.Contains(Identifiers(), id) }

func parseID(id string) (version, error) {
	if !Known(id) {
		return version{}, &UnknownError{ID: id}
	}
	if strings.HasPrefix(id, FamilyProvided) {
		return version{family: FamilyProvided}, nil
	}
	for _, l := range languages() {
		if v, ok := l.parse(id); ok {
			return v, nil
		}
	}
	return version{}, &UnknownError{ID: id}
}

// Options of a catalog.
type Options struct {
	// Dir is a folder of the catalog's own, where it unpacks the runtime clients.
	Dir string
	// Strict refuses other versions than the ones asked for.
	Strict bool
	// Clock tells when to look again for a runtime that was replaced; nil is the system's.
	Clock clock.Clock
	// Images has the runtimes that were added from images; nil for none.
	Images *image.Store
	// Authority is the file of the certificate that the platform's own certificates are proven with; empty for none. Functions that run on Lambent's runtime clients see it
	// as authorityFile; Node.js trusts it.
	Authority string
	// Path lists the folders in which runtimes are looked for; empty means those of PATH and the usual ones.
	Path []string
}

// Catalog finds runtimes. It is safe for concurrent use.
type Catalog struct {
	o       Options
	clients string
	closed  bool // runtimes are looked for in the given folders alone

	mu    sync.Mutex // guards asked and the folder of clients, and is held while programs are asked for their version
	asked map[string]answer

	found sync.Map // finding by identifier
}

// finding is a runtime that was found, and when.
type finding struct {
	runtime *Runtime
	at      time.Time
	// stamp is the catalog's when it was found.
	stamp time.Time
}

// replaceable is how long a replacement for a runtime that is not installed is used before the real one is looked for again.
const replaceable = time.Minute

// answer is what the file of a program said about itself.
type answer struct {
	programs []program
	err      error
}

// NewCatalog returns a catalog, which keeps the runtime clients in its folder.
func NewCatalog(o Options) (*Catalog, error) {
	c := &Catalog{o: o, clients: filepath.Join(o.Dir, "clients"), asked: map[string]answer{}}
	c.closed = len(c.o.Path) > 0
	if !c.closed {
		c.o.Path = append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/bin", "/usr/bin")
	}
	if c.o.Clock == nil {
		c.o.Clock = clock.System{}
	}
	return c, nil
}

// unpackClient writes the embedded client of a language, replacing that of another version of Lambent, and returns its folder.
func (c *Catalog) unpackClient(name string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	folder := filepath.Join(c.clients, name)
	err := fs.WalkDir(clients, "clients/"+name, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(c.clients, strings.TrimPrefix(name, "clients"))
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		return refresh(target, func() ([]byte, error) { return clients.ReadFile(name) })
	})
	if err == nil && c.o.Authority != "" {
		err = refresh(filepath.Join(folder, filepath.Base(authorityFile)), func() ([]byte, error) { return os.ReadFile(c.o.Authority) })
	}
	if err != nil {
		return "", fmt.Errorf("unpack the runtime client of %s: %w", name, err)
	}
	return folder, nil
}

// refresh writes a file, unless it has that content already.
func refresh(target string, read func() ([]byte, error)) error {
	data, err := read()
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
}

// Lookup returns the runtime with AWS's identifier id, or an [UnknownError] or [MissingError]. A runtime that was found is
// not looked for again.
func (c *Catalog) Lookup(ctx context.Context, id string) (*Runtime, error) {
	now, stamp := c.o.Clock.Now(), c.stamp()
	if v, ok := c.found.Load(id); ok {
		if f := v.(finding); f.stamp.Equal(stamp) && (f.runtime.Warning == "" || now.Sub(f.at) < replaceable) {
			return f.runtime, nil
		}
	}
	r, err := c.lookup(ctx, id)
	if err == nil {
		c.found.Store(id, finding{r, now, stamp})
	}
	return r, err
}

func (c *Catalog) lookup(ctx context.Context, id string) (*Runtime, error) {
	want, err := parseID(id)
	if err != nil {
		return nil, err
	}
	if want.family == FamilyProvided {
		return c.provided(id), nil
	}
	l, ok := languageOf(want.family)
	if !ok {
		return nil, &UnknownError{ID: id}
	}
	p, exact, ok := choose(c.programs(ctx, &l, l.file(want)), want, &l)
	if !exact {
		p, exact, ok = choose(c.programs(ctx, &l, ""), want, &l)
	}
	missing := &MissingError{ID: id, Package: l.debianPackage(want), Withdrawn: c.o.Strict && withdrawn(id)}
	if !ok {
		return nil, missing
	}
	r := &Runtime{ID: id, Family: want.family, Version: p.String(), language: l, root: p.root, image: p.image}
	if !exact {
		if c.o.Strict {
			missing.Reason = fmt.Sprintf(" (%s %s is, but strict runtimes are on)", want.family, p)
			return nil, missing
		}
		r.Warning = replacement(id, p, missing.Package)
	}
	r.mounts = l.mounts(p)
	r.argv = append([]string{p.path}, l.argv...)
	if want.family == FamilyDotnet {
		r.dotnet = c.dotnet(&p, exact)
		return r, nil
	}
	client, err := c.unpackClient(l.client)
	if err != nil {
		return nil, err
	}
	r.mounts = append(r.mounts, sandbox.Mount{Source: client, Target: "/var/runtime"})
	r.authority = c.o.Authority != ""
	return r, nil
}

// provided is a runtime whose program functions bring. It runs on the system of this machine, or on that of the image that was added for it.
func (c *Catalog) provided(id string) *Runtime {
	r := &Runtime{ID: id, Family: FamilyProvided, argv: []string{"/var/task/bootstrap"}}
	for _, p := range c.added(FamilyProvided) {
		if p.id == id {
			r.root, r.image = p.root, p.image
		}
	}
	return r
}

// replacement tells that another version runs the function, and what to do about it.
func replacement(id string, p program, debian string) string {
	if slices.Contains(retired(), id) {
		return fmt.Sprintf("the runtime %s is retired: version %s runs the function instead; name a runtime that is maintained", id, p)
	}
	return fmt.Sprintf("the runtime %s is not installed: version %s runs the function instead; install the package %s to have the real one", id, p, debian)
}

// Status is what doctor shows of a language.
type Status struct {
	// Language is the family, Package what brings it on Debian.
	Language, Package string
	// Versions are the installed ones; empty when there is none.
	Versions []string
	// Replaced are AWS's identifiers that the nearest of these versions serve, unless the catalog is strict: their own version is not installed.
	Replaced []string
}

// Installed lists the languages with the versions that are installed.
func (c *Catalog) Installed(ctx context.Context) []Status {
	var out []Status
	for _, l := range languages() {
		s := Status{Language: l.family, Package: l.any}
		list := c.programs(ctx, &l, "")
		for _, p := range list {
			s.Versions = append(s.Versions, fmt.Sprintf("%s %s", p, p.where()))
		}
		for _, id := range Identifiers() {
			if want, ok := l.parse(id); ok {
				if _, exact, some := choose(list, want, &l); some && !exact {
					s.Replaced = append(s.Replaced, id)
				}
			}
		}
		out = append(out, s)
	}
	return out
}
