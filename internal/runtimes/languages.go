package runtimes

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/sandbox"
)

// The families of runtimes.
const (
	FamilyNode     = "nodejs"
	FamilyPython   = "python"
	FamilyJava     = "java"
	FamilyRuby     = "ruby"
	FamilyDotnet   = "dotnet"
	FamilyProvided = "provided"
	// FamilyImage is what a container image brings in the place of a runtime.
	FamilyImage = "image"
)

// language is what the catalog knows of a language whose runtimes are installed on the machine.
type language struct {
	family string
	// pattern matches AWS's identifiers, for the scanner of package fmt: a major version, and a minor one if a minor version is a runtime of its own.
	pattern string
	minor   bool
	// debian is the package that brings a version, for fmt, and any the one that brings some version.
	debian, any string
	// glob matches the programs in the folders of the path; homes are further places.
	glob  string
	homes []string
	// ask are the arguments with which a program tells where it is, the tree that belongs to it, and its version.
	ask []string
	// client is the folder of Lambent's client, argv what follows the program to run it.
	client string
	argv   []string
	// system are folders of the distribution that its programs need beside the base system, for fmt with the major version.
	system []string
	// heap are the arguments that bound the heap of a process, made of a function's memory in MiB; nil where the language needs none.
	heap func(memory int) []string
	// rooms are the sizes of variables that a parked process is started with for nothing but their room, where the client can change its environment in place only.
	rooms []int
	// warmings is how many events of the platform's own a parked process answers before it has compiled what matters.
	warmings int
}

// languages lists them.
func languages() []language {
	return []language{
		{
			family: FamilyNode, pattern: "nodejs%d.x", debian: "nodejs", any: "nodejs", glob: "node", client: "node", argv: []string{"/var/runtime/index.cjs"}, warmings: 25,
			ask: []string{"-p", "process.execPath + '\\n' + require('path').dirname(require('path').dirname(process.execPath)) + '\\n' + process.versions.node"},
			// Node's collector has to know the limit: it would let garbage lie until the kernel ends the function. The shares are those of AWS's runtime.
			heap: func(memory int) []string {
				return []string{fmt.Sprintf("--max-old-space-size=%d", memory*9/10), fmt.Sprintf("--max-semi-space-size=%d", max(memory/20, 1))}
			},
		},
		{
			// Without its site module Python starts in a third of the time, and runs none of the host's start-up files. The client adds what is missing.
			family: FamilyPython, pattern: "python%d.%d", minor: true, debian: "python%d.%d", any: "python3", glob: "python3*", client: "python",
			argv: []string{"-S", "/var/runtime/bootstrap.py"}, warmings: 25,
			ask: []string{"-I", "-c", "import sys; print(sys.executable); print(sys.base_prefix); print('%d.%d.%d' % sys.version_info[:3])"},
		},
		{
			family: FamilyJava, pattern: "java%d", debian: "openjdk-%d-jre-headless", any: "default-jre-headless", glob: "java", homes: []string{"/usr/lib/jvm/*/bin/java"}, client: "java",
			argv: []string{
				"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:-UsePerfData", "-Duser.dir=/var/task",
				"--add-opens=java.base/java.lang=ALL-UNNAMED", "--add-opens=java.base/java.io=ALL-UNNAMED", "-cp", "/var/runtime", "lambent.runtime.Main",
			},
			ask: []string{"-XshowSettings:properties", "-version"}, system: []string{"/etc/java-%d-openjdk"}, warmings: 200,
			heap:  func(memory int) []string { return []string{fmt.Sprintf("-Xmx%dm", memory*85/100)} },
			rooms: slices.Concat(slices.Repeat([]int{128}, 48), slices.Repeat([]int{1024}, 16), slices.Repeat([]int{5 << 10}, 3)),
		},
		{
			family: FamilyRuby, pattern: "ruby%d.%d", minor: true, debian: "ruby%d.%d", any: "ruby", glob: "ruby*", client: "ruby", argv: []string{"--disable=did_you_mean,error_highlight", "/var/runtime/bootstrap.rb"}, warmings: 25,
			ask:    []string{"-e", "require 'rbconfig'; puts RbConfig.ruby, RbConfig::CONFIG['prefix'], RUBY_VERSION"},
			system: []string{"/var/lib/gems"},
		},
		{
			family: FamilyDotnet, pattern: "dotnet%d", debian: "dotnet-runtime-%d.0", any: "dotnet-runtime-8.0", glob: "dotnet", homes: []string{"/usr/lib/dotnet/dotnet", "/usr/share/dotnet/dotnet"},
			ask: []string{"--list-runtimes"},
		},
	}
}

// languageOf returns the language of a family; false for provided and unknown ones.
func languageOf(family string) (language, bool) {
	for _, l := range languages() {
		if l.family == family {
			return l, true
		}
	}
	return language{}, false
}

// parse reads AWS's identifier of a version of the language.
func (l *language) parse(id string) (version, bool) {
	v := version{family: l.family}
	into := []any{&v.major, &v.minor}
	if !l.minor {
		into = into[:1]
	}
	n, err := fmt.Sscanf(strings.TrimSuffix(id, ".al2"), l.pattern, into...)
	return v, err == nil && n == len(into)
}

// number orders versions; those that are one runtime are equal.
func (l *language) number(major, minor int) int {
	if !l.minor {
		minor = 0
	}
	return major<<16 | minor
}

// debianPackage brings a version.
func (l *language) debianPackage(v version) string {
	switch strings.Count(l.debian, "%d") {
	case 1:
		return fmt.Sprintf(l.debian, v.major)
	case 2:
		return fmt.Sprintf(l.debian, v.major, v.minor)
	}
	return l.debian
}

// file is the usual name of the program of exactly this version; empty where programs are not named by it.
func (l *language) file(v version) string {
	switch l.family {
	case FamilyNode:
		return "node"
	case FamilyPython, FamilyRuby:
		return fmt.Sprintf("%s%d.%d", l.family, v.major, v.minor)
	}
	return ""
}

// isProgram tells whether a file that glob matches can be the program: beside it lie tools such as python3-config.
func (l *language) isProgram(file string) bool {
	rest := strings.TrimPrefix(filepath.Base(file), strings.TrimSuffix(l.glob, "*"))
	return rest == "" || strings.HasSuffix(l.glob, "*") && strings.Trim(rest, "0123456789.") == ""
}

// mounts are what a program needs beyond the base system.
func (l *language) mounts(p program) []sandbox.Mount {
	if p.root != "" {
		return nil
	}
	var out []sandbox.Mount
	if p.prefix != "" {
		out = append(out, sandbox.Mount{Source: p.prefix, Target: p.prefix})
	}
	for _, dir := range l.system {
		if strings.Contains(dir, "%d") {
			dir = fmt.Sprintf(dir, p.version[0])
		}
		out = append(out, sandbox.Mount{Source: dir, Target: dir, Optional: true})
	}
	return out
}

// roomVariables are the variables that a parked process has for their room.
func (l *language) roomVariables() []string {
	out := make([]string, len(l.rooms))
	for i, size := range l.rooms {
		name := fmt.Sprintf("LAMBENT_ROOM_%d=", i)
		out[i] = name + strings.Repeat(".", size-len(name))
	}
	return out
}

// hasRoom tells whether the variables fit into what a parked process has for them.
func (l *language) hasRoom(environ []string) bool {
	if l.rooms == nil {
		return true
	}
	sizes := make([]int, len(environ))
	for i, v := range environ {
		sizes[i] = len(v)
	}
	slices.Sort(sizes)
	room := 0 // sizes and rooms rise
	for _, size := range sizes {
		for room < len(l.rooms) && l.rooms[room] < size {
			room++
		}
		if room == len(l.rooms) {
			return false
		}
		room++
	}
	return true
}

// answerStream is where a program's standard error goes when it is asked about itself: Java tells its properties there.
func (l *language) answerStream(out io.Writer) io.Writer {
	if l.family == FamilyJava {
		return out
	}
	return nil
}

// errNoAnswer says that a program is another one than it is taken for.
var errNoAnswer = errors.New("unexpected answer")

// answer reads what a program says of itself: three lines; from Java its properties, from .NET the runtimes that it can start.
func (l *language) answer(out string) ([]program, error) {
	if l.family == FamilyDotnet {
		return dotnetRuntimes(out)
	}
	var p program
	version := ""
	if l.family == FamilyJava {
		for line := range strings.Lines(out) {
			switch name, value, _ := strings.Cut(strings.TrimSpace(line), " = "); name {
			case "java.home":
				p.prefix = value
			case "java.version":
				version = value
			}
		}
		p.path = filepath.Join(p.prefix, "bin", "java")
	} else if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) == 3 {
		p.path, p.prefix, version = lines[0], lines[1], lines[2]
	}
	if p.prefix == "" || version == "" || !filepath.IsAbs(p.path) {
		return nil, errNoAnswer
	}
	if err := p.parseVersion(version); err != nil {
		return nil, err
	}
	return []program{p}, nil
}
