package runtimes

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/sandbox"
)

// debugFolder is where an environment has a debugger that the function does not bring.
const debugFolder = "/var/debugger"

// debugVariable tells the clients that open their debugger themselves its port, and, behind a colon, its folder. They take it out of the environment.
const debugVariable = "LAMBENT_DEBUGGER"

// debugTool is the debugger of one function, as it is put into an environment.
type debugTool struct {
	// port is where debuggers look unless they are told another; help says how one attaches, for fmt with the address.
	port int
	help string
	// command returns the command that runs argv under the debugger, which listens at an address; nil where the client opens it, which is told by the variable.
	command  func(at string, argv []string) []string
	variable bool
	// folder is where the environment has what the client needs; empty if that is where it looks anyway.
	folder string
	mounts []sandbox.Mount
	// traces tells that the debugger is a process that looks into the function's.
	traces bool
	// memory is what the debugger takes beside the function, in MiB.
	memory int
}

// DebugError says why no debugger can be opened for a function, and what to do about it.
type DebugError struct{ Runtime, Reason string }

// Error names the runtime and the reason.
func (e *DebugError) Error() string {
	return fmt.Sprintf("Lambent cannot open a debugger of %s: %s", e.Runtime, e.Reason)
}

// tool finds the debugger of a function, or fails with a [DebugError].
func (o *DebuggerOptions) tool(ctx context.Context) (*debugTool, error) {
	switch o.Runtime.Family {
	case FamilyNode:
		return &debugTool{
			port: 9229, command: o.inspect,
			help: "attach a debugger of Node.js to %s: open chrome://inspect, or attach from an editor with the remote root /var/task",
		}, nil
	case FamilyJava:
		return &debugTool{port: 5005, help: "attach a Java debugger (JDWP) to %s", command: func(at string, argv []string) []string {
			return slices.Insert(slices.Clone(argv), 1, "-agentlib:jdwp=transport=dt_socket,server=y,suspend=y,address="+at)
		}}, nil
	case FamilyPython:
		return o.debugpy(ctx)
	case FamilyRuby:
		return o.rdbg(ctx)
	case FamilyProvided:
		return o.delve()
	}
	return nil, o.none("only functions in JavaScript, Python, Java, Ruby and Go can be debugged")
}

func (o *DebuggerOptions) none(format string, args ...any) *DebugError {
	return &DebugError{Runtime: o.Runtime.ID, Reason: fmt.Sprintf(format, args...)}
}

// inspect opens the inspector of Node.js.
func (o *DebuggerOptions) inspect(at string, argv []string) []string {
	flag := "--inspect-brk="
	if waits(o.Runtime.Version) {
		flag = "--inspect-wait="
	}
	return slices.Insert(slices.Clone(argv), 1, flag+at)
}

// waits tells whether a version of Node.js can wait for a debugger without stopping at the first line of the client.
func waits(version string) bool {
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n < 2 {
		return false
	}
	return major > 22 || major == 22 && minor >= 2 || major == 20 && minor >= 15
}

// debugpy is the debugger of Python: a package that the client imports.
func (o *DebuggerOptions) debugpy(ctx context.Context) (*debugTool, error) {
	const name = "debugpy"
	t := &debugTool{
		port: 5678, variable: true, memory: 256,
		help: "attach a Python debugger (the Debug Adapter Protocol of debugpy) to %s, with the remote root /var/task",
	}
	if o.brings(name, "python/"+name, "python/lib/python"+o.Runtime.minor()+"/site-packages/"+name) {
		return t, nil
	}
	folder := filepath.Join(o.Folder, name)
	if o.Folder == "" || !exists(folder) {
		folder = o.ask(ctx, "-c", "import importlib.util as u; s = u.find_spec('debugpy'); print(s.submodule_search_locations[0] if s else '')")
	}
	if folder == "" {
		return nil, o.none("the package debugpy is missing; have pip install it for %s or among the function's packages, or run `pip install --target FOLDER debugpy` and set debuggers=FOLDER", o.Runtime.argv[0])
	}
	t.folder, t.mounts = debugFolder, []sandbox.Mount{{Source: folder, Target: debugFolder + "/" + name}}
	return t, nil
}

// rdbg is the debugger of Ruby: the gem debug, which comes with Ruby since 3.1.
func (o *DebuggerOptions) rdbg(ctx context.Context) (*debugTool, error) {
	t := &debugTool{
		port: 12345, variable: true, memory: 128,
		help: "attach a Ruby debugger to %s: `rdbg --attach HOST PORT`, or an editor that speaks the Debug Adapter Protocol; it stops before the function is loaded",
	}
	abi := o.Runtime.minor() + ".0"
	if o.brings("vendor/bundle/ruby/"+abi+"/gems/debug-*", "ruby/gems/"+abi+"/gems/debug-*") {
		return t, nil
	}
	if o.Runtime.root != "" {
		return t, nil
	}
	gems := o.ask(ctx, "-e", "puts Gem::Specification.find_by_name('debug').base_dir")
	if gems == "" {
		return nil, o.none("the gem debug is missing; add it to the function's Gemfile, or install it for %s with `gem install debug`", o.Runtime.argv[0])
	}
	t.folder = gems
	t.mounts = []sandbox.Mount{{Source: gems, Target: gems}} // what belongs to a gem lies in folders with its path
	return t, nil
}

// delve is the debugger of Go: a program that runs the function's.
func (o *DebuggerOptions) delve() (*debugTool, error) {
	program := filepath.Join(o.Code, "bootstrap")
	if !exists(program) {
		program = filepath.Join(o.Layers, "bootstrap")
	}
	if err := o.debuggable(program); err != nil {
		return nil, err
	}
	dlv := o.findDelve()
	if dlv == "" {
		return nil, o.none("Delve is missing; run `go install github.com/go-delve/delve/cmd/dlv@latest`, or set debuggers=FOLDER to a folder that has the program dlv")
	}
	const inside = debugFolder + "/dlv"
	return &debugTool{
		port: 2345, traces: true, memory: 512, mounts: []sandbox.Mount{{Source: dlv, Target: inside}},
		help: "attach a Go debugger to %[1]s: `dlv connect %[1]s`, or an editor that speaks Delve's Debug Adapter Protocol; the program is held before its first instruction",
		command: func(at string, argv []string) []string {
			// Delve knows who connects by the user of the socket, which a cell's network does not tell.
			run := []string{inside, "exec", "--headless", "--accept-multiclient", "--api-version=2", "--only-same-user=false", "--check-go-version=false", "--listen=" + at, argv[0], "--"}
			return append(run, argv[1:]...)
		},
	}, nil
}

// debuggable fails for a program that Delve can make nothing of.
func (o *DebuggerOptions) debuggable(program string) error {
	if _, err := buildinfo.ReadFile(program); err != nil {
		return o.none("the function's program is not one of Go, the only language whose programs can be debugged")
	}
	f, err := elf.Open(program)
	if err != nil {
		return o.none("the function's program cannot be read: %v", err)
	}
	defer func() { _ = f.Close() }()
	if f.Section(".debug_info") == nil && f.Section(".zdebug_info") == nil {
		return o.none("the function's program was built without its debug information (-ldflags -s -w); build it with `go build -gcflags='all=-N -l'`, or use `lambent dev --debug`, which does")
	}
	return nil
}

// findDelve returns the path of the program dlv; empty for none.
func (o *DebuggerOptions) findDelve() string {
	const name = "dlv"
	places := []string{}
	if o.Folder != "" {
		places = append(places, filepath.Join(o.Folder, name))
	}
	if path, err := exec.LookPath(name); err == nil {
		places = append(places, path)
	}
	if home, err := os.UserHomeDir(); err == nil { // where `go install` puts programs
		places = append(places, filepath.Join(home, "go", "bin", name))
	}
	for _, p := range places {
		if filepath.IsAbs(p) && exists(p) {
			return p
		}
	}
	return ""
}

// brings tells whether the function's package has one of the files, or its layers: the first is looked for in the package, the others in the layers.
func (o *DebuggerOptions) brings(inCode string, inLayers ...string) bool {
	patterns := []string{filepath.Join(o.Code, inCode)}
	for _, p := range inLayers {
		if o.Layers != "" {
			patterns = append(patterns, filepath.Join(o.Layers, p))
		}
	}
	return slices.ContainsFunc(patterns, func(p string) bool {
		found, err := filepath.Glob(p)
		return err == nil && len(found) > 0
	})
}

// ask has the runtime's program print a path; empty if it has none to tell, or is in an image.
func (o *DebuggerOptions) ask(ctx context.Context, args ...string) string {
	if o.Runtime.root != "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, o.Runtime.argv[0], args...)
	cmd.Dir = "/"
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(bytes.ToValidUTF8(out, nil)))
}

// minor is the version of the language as major.minor.
func (r *Runtime) minor() string {
	major, rest, _ := strings.Cut(r.Version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	return major + "." + minor
}
