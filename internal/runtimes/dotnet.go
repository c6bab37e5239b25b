package runtimes

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/runtimes/rapi"
)

// runtimeSupport is AWS's library that speaks the Runtime API for functions of .NET. AWS's images have it in /var/runtime; functions bring it in their package.
const runtimeSupport = "Amazon.Lambda.RuntimeSupport.dll"

// dotnet is what is known of a .NET runtime. Functions of it are started as AWS's own bootstrap does: an assembly with a main method by its name, which brings the library
// itself; a class library (Assembly::Type::Method) by that library.
type dotnet struct {
	root string // the folder with the program dotnet
	// rollForward runs functions of another major version.
	rollForward bool
	// support is the folder in the sandbox that has runtimeSupport; empty when only functions bring it.
	support string
}

func (c *Catalog) dotnet(p *program, exact bool) *dotnet {
	d := &dotnet{root: filepath.Dir(p.path), rollForward: !exact}
	if p.root != "" && exists(filepath.Join(p.root, "var", "runtime", runtimeSupport)) {
		d.support = "/var/runtime"
	}
	return d
}

// installedRuntime is a line of `dotnet --list-runtimes`: the framework, its version and its folder.
var installedRuntime = regexp.MustCompile(`^Microsoft\.NETCore\.App ([0-9][0-9.]*)\S* \[(/.+)\]$`)

// dotnetRuntimes reads the runtimes that the program dotnet can start.
func dotnetRuntimes(out string) (list []program, err error) {
	for line := range strings.Lines(out) {
		m := installedRuntime.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		root := filepath.Dir(filepath.Dir(m[2])) // of shared/Microsoft.NETCore.App
		p := program{path: filepath.Join(root, "dotnet"), prefix: root}
		if err := p.parseVersion(m[1]); err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	if list == nil {
		return nil, errNoAnswer
	}
	return list, nil
}

func (d *dotnet) environ() []string {
	env := []string{"DOTNET_ROOT=" + d.root, "DOTNET_CLI_TELEMETRY_OPTOUT=1", "DOTNET_NOLOGO=1", "DOTNET_EnableDiagnostics=0"}
	if d.rollForward {
		env = append(env, "DOTNET_ROLL_FORWARD=Major")
	}
	return env
}

// classLibrary returns the assembly of a handler that names a method; false for one that names an assembly with a main method.
func classLibrary(handler string) (assembly string, ok bool) {
	assembly, _, ok = strings.Cut(handler, "::")
	return assembly, ok
}

// arguments are those of the program dotnet for a function.
func (d *dotnet) arguments(s *Spec) []string {
	handler := s.variable("_HANDLER")
	assembly, ok := classLibrary(handler)
	if !ok {
		return []string{"exec", "/var/task/" + handler + ".dll"}
	}
	return []string{"exec", "--depsfile", "/var/task/" + assembly + ".deps.json", "--runtimeconfig", "/var/task/" + assembly + ".runtimeconfig.json", d.supportFolder(s) + "/" + runtimeSupport, handler}
}

func (d *dotnet) supportFolder(s *Spec) string {
	if d.support == "" || exists(filepath.Join(s.Code, runtimeSupport)) {
		return "/var/task"
	}
	return d.support
}

// check fails for a function that cannot be started, with what to do about it.
func (d *dotnet) check(s *Spec) error {
	if d == nil {
		return nil
	}
	handler := s.variable("_HANDLER")
	assembly, ok := classLibrary(handler)
	if !ok {
		if !exists(filepath.Join(s.Code, handler+".dll")) {
			return rapi.NewInitError("Runtime.ImportModuleError", fmt.Sprintf("Error: there is no %s.dll in the function's package; the handler names an assembly, or Assembly::Type::Method", handler))
		}
		return nil
	}
	for _, name := range []string{assembly + ".deps.json", assembly + ".runtimeconfig.json"} {
		if !exists(filepath.Join(s.Code, name)) {
			return rapi.NewInitError("Runtime.ImportModuleError", fmt.Sprintf("Error: there is no %s in the function's package; set GenerateRuntimeConfigurationFiles to true in the project and publish it", name))
		}
	}
	if d.support == "" && !exists(filepath.Join(s.Code, runtimeSupport)) {
		return rapi.NewInitError("Runtime.ImportModuleError", fmt.Sprintf("Error: %s is neither in the function's package nor on this machine. Reference the package Amazon.Lambda.RuntimeSupport in the project, or add AWS's runtime: lambent runtime add %s public.ecr.aws/lambda/dotnet:%s",
			runtimeSupport, s.Runtime.ID, strings.TrimPrefix(s.Runtime.ID, FamilyDotnet)))
	}
	return nil
}

// heapLimit tells the collector how much memory there is, in the hexadecimal that it wants: a sandbox does not show the limit that it has.
func heapLimit(memory int) string {
	return "DOTNET_GCHeapHardLimit=0x" + strconv.FormatInt(int64(memory)<<20*3/4, 16)
}
