package runtimes

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMissingDebuggersSayWhatToDo asks for the debuggers of runtimes whose program tells nothing.
func TestMissingDebuggersSayWhatToDo(t *testing.T) {
	t.Setenv("PATH", "")
	t.Setenv("HOME", t.TempDir())
	mute := func(id, family string) *Runtime {
		return &Runtime{ID: id, Family: family, Version: "3.11.2", argv: []string{"/bin/false"}}
	}
	for _, c := range []struct {
		runtime *Runtime
		want    string
	}{
		{mute("python3.11", FamilyPython), "pip install"},
		{mute("ruby3.3", FamilyRuby), "gem install debug"},
		{mute("dotnet8", FamilyDotnet), "only functions in JavaScript, Python, Java, Ruby and Go can be debugged"},
	} {
		o := DebuggerOptions{Runtime: c.runtime, Code: t.TempDir(), Folder: t.TempDir()}
		_, err := NewDebugger(t.Context(), o)
		var none *DebugError
		if !errors.As(err, &none) || none.Runtime != c.runtime.ID || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.runtime.ID, err)
		}
	}
}

func TestDebuggersOfTheFunctionComeFirst(t *testing.T) {
	code, layers := t.TempDir(), t.TempDir()
	o := DebuggerOptions{Runtime: &Runtime{ID: "python3.11", Family: FamilyPython, Version: "3.11.2", argv: []string{"/bin/false"}}, Code: code, Layers: layers}
	for _, dir := range []string{filepath.Join(code, "debugpy"), filepath.Join(layers, "python", "lib", "python3.11", "site-packages", "debugpy")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		tool, err := o.tool(t.Context())
		if err != nil || len(tool.mounts) > 0 {
			t.Errorf("%s: %v, %v", dir, tool, err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
}

func TestProgramsOfGoNeedDebugInformation(t *testing.T) {
	code, folder := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "dlv"), nil, 0o700); err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(code, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := DebuggerOptions{Runtime: &Runtime{ID: "provided.al2023", Family: FamilyProvided}, Code: code, Folder: folder}
	for _, flags := range []string{"", "-s -w"} {
		build := exec.CommandContext(t.Context(), "go", "build", "-ldflags", flags, "-o", filepath.Join(code, "bootstrap"), source)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		tool, err := o.tool(t.Context())
		if flags != "" {
			if err == nil || !strings.Contains(err.Error(), "lambent dev --debug") {
				t.Errorf("a stripped program: %v", err)
			}
			continue
		}
		if err != nil || !tool.traces || tool.mounts[0].Source != filepath.Join(folder, "dlv") {
			t.Errorf("%+v, %v", tool, err)
		}
	}
}
