//go:build linux

package hostile

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// attacker is the hostile function in one language.
type attacker struct {
	language, runtime, handler string
	// source is a file of the folder payload, name what it is called in the package.
	source, name string
	// memory is the function's, in MB.
	memory int
}

func attackers() []attacker {
	return []attacker{
		{"node", "nodejs20.x", "attacker.handler", "attacker.js", "attacker.js", 512},
		{"python", "python3.11", "attacker.handler", "attacker.py", "attacker.py", 512},
		{"ruby", "ruby3.2", "attacker.handler", "attacker.rb", "attacker.rb", 512},
		{"java", "java17", "Attacker", "Attacker.java", "", 512},
		{"go", "provided.al2023", "bootstrap", "main.go", "bootstrap", 512},
	}
}

// builtVariable names a folder with the packages of the attackers, where they were built for this process.
const builtVariable = "LAMBENT_TEST_ATTACKERS"

// archive returns the package of the attacker.
func (a *attacker) archive(t *testing.T) []byte {
	t.Helper()
	if dir := os.Getenv(builtVariable); dir != "" {
		b, err := os.ReadFile(filepath.Join(dir, a.language))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	dir := t.TempDir()
	source := filepath.Join("payload", a.source)
	switch a.language {
	case "go":
		build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", filepath.Join(dir, a.name), "./payload")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		run(t, build)
	case "java":
		run(t, exec.CommandContext(t.Context(), "javac", "--release", "17", "-Xlint:-options", "-cp", "../../internal/runtimes/clients/java", "-d", dir, source))
	default:
		b, err := os.ReadFile(source)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, a.name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return zipped(t, os.DirFS(dir))
}

func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

func zipped(t *testing.T, dir fs.FS) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	if err := z.AddFS(dir); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// deed is an answer of an attacker.
type deed struct {
	// lines is what it could do; failure and text are set when it failed.
	lines         []string
	failure, text string
}

// act has a function do something.
func (p *platform) act(function, act string, args ...string) deed {
	p.Helper()
	a := p.must(p.send(p.as("lambda"), p.request("POST", invocations(function)),
		[]byte(jsonOf(map[string]any{"Act": act, "Args": args})), time.Now()))
	d := deed{failure: a.header.Get("X-Amz-Function-Error"), text: a.body}
	if d.failure == "" {
		if err := json.Unmarshal([]byte(a.body), &d.lines); err != nil {
			p.Fatalf("%s: %v in %s", act, err, a.body)
		}
	}
	return d
}
