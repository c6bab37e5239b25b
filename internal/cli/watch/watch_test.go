package watch

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"lambent.dev/lambent/internal/clock"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// until reads batches until one names path, and returns all that they named.
func until(t *testing.T, w *Watcher, path string) []string {
	t.Helper()
	var all []string
	for !slices.Contains(all, path) {
		batch, first, err := w.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if first.IsZero() || len(batch) == 0 {
			t.Fatalf("batch %q at %v", batch, first)
		}
		all = append(all, batch...)
	}
	return all
}

func TestChangesAreTold(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a", "x.py"), "1")
	write(t, filepath.Join(dir, "node_modules", "m.js"), "1")
	w, err := New(clock.System{}, []string{dir, filepath.Join(dir, "a")})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()

	write(t, filepath.Join(dir, "node_modules", "m.js"), "2")
	write(t, filepath.Join(dir, ".hidden", "y"), "1")
	write(t, filepath.Join(dir, "a", "x.py"), "2")
	for _, path := range until(t, w, filepath.Join(dir, "a", "x.py")) {
		if path != filepath.Join(dir, "a", "x.py") {
			t.Errorf("told of %s", path)
		}
	}

	// A folder that is new is told by its own name, and watched from then on.
	fresh := filepath.Join(dir, "b", "c")
	write(t, filepath.Join(fresh, "z.py"), "1")
	until(t, w, filepath.Join(dir, "b"))
	write(t, filepath.Join(fresh, "z.py"), "2")
	until(t, w, filepath.Join(fresh, "z.py"))

	// An editor's way of saving: a new file takes the old one's name.
	write(t, filepath.Join(dir, "a", "new"), "3")
	if err := os.Rename(filepath.Join(dir, "a", "new"), filepath.Join(dir, "a", "x.py")); err != nil {
		t.Fatal(err)
	}
	until(t, w, filepath.Join(dir, "a", "x.py"))

	// A folder that went and came back is watched again.
	if err := os.RemoveAll(fresh); err != nil {
		t.Fatal(err)
	}
	until(t, w, fresh)
	write(t, filepath.Join(fresh, "z.py"), "3")
	until(t, w, fresh)
	write(t, filepath.Join(fresh, "z.py"), "4")
	until(t, w, filepath.Join(fresh, "z.py"))
}
