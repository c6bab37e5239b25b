package dynamodb

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mochaReport is the part of mocha's JSON report that is needed.
type mochaReport struct {
	Passes, Failures []struct {
		FullTitle string
		Err       struct{ Message string }
	}
}

func TestDynaliteSuite(t *testing.T) {
	dir := os.Getenv("DYNALITE")
	if dir == "" {
		t.Skip("DYNALITE is not set: run make test-dynamodb")
	}
	s := start(t)
	files, err := filepath.Glob(filepath.Join(dir, "test", "*.js"))
	if err != nil {
		t.Fatal(err)
	}
	want := expected(t, stale)
	seen := map[string]bool{} // some titles are there twice
	passed, failed := 0, 0
	for _, file := range files {
		if name := filepath.Base(file); name == "helpers.js" || name == "bench.js" {
			continue
		}
		// One file at a time: an assertion in a callback that mocha does not know ends its run.
		r := mocha(t, dir, file, environ(s))
		name := strings.TrimSuffix(filepath.Base(file), ".js") + " :: "
		for _, f := range r.Failures {
			if !want[name+f.FullTitle] {
				t.Errorf("%s%s failed: %.300s", name, f.FullTitle, f.Err.Message)
			}
			seen[name+f.FullTitle] = true
		}
		for _, p := range r.Passes {
			if want[name+p.FullTitle] && !seen[name+p.FullTitle] {
				t.Errorf("%s%s passes: remove it from stale.txt", name, p.FullTitle)
			}
			seen[name+p.FullTitle] = true
		}
		passed, failed = passed+len(r.Passes), failed+len(r.Failures)
	}
	for title := range want {
		if !seen[title] {
			t.Errorf("%s is listed in stale.txt and not in the suite", title)
		}
	}
	t.Logf("passed %d, stale %d", passed, failed)
}

// mocha runs one file of the suite.
func mocha(t *testing.T, dir, file string, environ []string) (r mochaReport) {
	t.Helper()
	shim, err := filepath.Abs("shim.cjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "node_modules", ".bin", "mocha"),
		"--require", shim, "--require", "should", "--reporter", "json", "--exit", "-t", "60s", filepath.Join("test", "helpers.js"), file)
	cmd.Dir, cmd.Env = dir, environ
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, runErr := cmd.Output() // fails when a test does
	at := max(bytes.IndexByte(out, '{'), 0)
	if err := json.Unmarshal(out[at:], &r); err != nil {
		t.Fatalf("%s wrote no report: %v, %v\n%s%s", file, err, runErr, out, problems.Bytes())
	}
	return r
}
