package dynamodb

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestDynaliteSuite(t *testing.T) {
	dir := os.Getenv("DYNALITE")
	if dir == "" {
		t.Skip("DYNALITE is not set: run make test-dynamodb")
	}
	s := start(t)
	shim, err := filepath.Abs("shim.cjs")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "node_modules", ".bin", "mocha"), "--require", shim, "--require", "should", "--reporter", "json", "--exit", "-t", "60s")
	cmd.Dir, cmd.Env = dir, environ(s)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, runErr := cmd.Output() // fails when a test does
	_, text, found := bytes.Cut(out, []byte("{"))
	var r struct {
		Passes, Failures []struct {
			FullTitle string
			Err       struct{ Message string }
		}
	}
	if err := json.Unmarshal(append([]byte("{"), text...), &r); err != nil || !found {
		t.Fatalf("the suite wrote no report: %v, %v\n%s%s", err, runErr, out, problems.Bytes())
	}
	want := expected(t, stale)
	for _, f := range r.Failures {
		if !want[f.FullTitle] {
			t.Errorf("%s failed: %s", f.FullTitle, f.Err.Message)
		}
		delete(want, f.FullTitle)
	}
	for _, p := range r.Passes {
		if want[p.FullTitle] {
			t.Errorf("%s passes: remove it from stale.txt", p.FullTitle)
		}
		delete(want, p.FullTitle)
	}
	for title := range want {
		t.Errorf("%s is listed in stale.txt and not in the suite", title)
	}
	t.Logf("passed %d, stale %d", len(r.Passes), len(r.Failures))
}
