package runtimes

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestJavaClassesAreThoseOfTheSources compiles the client's sources again, as `make java-client` does. Compilers differ, so it needs the one that was used.
func TestJavaClassesAreThoseOfTheSources(t *testing.T) {
	out, err := exec.Command("javac", "-version").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "javac 17.") {
		t.Skipf("this needs javac 17 (apt-get install openjdk-17-jdk-headless): %s %v", out, err)
	}
	dir := t.TempDir()
	compile := func(root, to string, args ...string) {
		t.Helper()
		args = append(args, "--release", "11", "-g:none", "-d", to)
		if err := filepath.WalkDir(root, func(name string, _ fs.DirEntry, err error) error {
			if filepath.Ext(name) == ".java" {
				args = append(args, name)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("javac", args...).CombinedOutput(); err != nil {
			t.Fatalf("javac: %v\n%s", err, out)
		}
	}
	compile("java/client", dir)
	compile("java/warm", filepath.Join(dir, "warm"), "-cp", dir)
	made, kept := classes(t, dir), classes(t, "clients/java")
	for name, data := range made {
		if kept[name] != data {
			t.Errorf("%s is not what its source compiles to: run make java-client", name)
		}
		delete(kept, name)
	}
	for name := range kept {
		t.Errorf("%s has no source: run make java-client", name)
	}
}

func classes(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		out[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
