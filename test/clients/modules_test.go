package clients

import (
	"os"
	"path/filepath"
	"testing"
)

// module is the path of a file of one of the pinned JavaScript packages.
func module(t *testing.T, path ...string) string {
	t.Helper()
	file := filepath.Join(append([]string{"..", "js", "node_modules"}, path...)...)
	if _, err := os.Stat(file); err != nil {
		t.Fatalf("the pinned clients are missing (%v); run: make clients", err)
	}
	return file
}
