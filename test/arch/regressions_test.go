package arch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRegressionsHaveTheirTests holds the list of what others got wrong: whoever renames a test or takes one away has to say where it is held now.
func TestRegressionsHaveTheirTests(t *testing.T) {
	list, err := os.ReadFile(filepath.Join("testdata", "regressions.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(list)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.SplitN(strings.TrimSpace(line), ": ", 4)
		if len(parts) != 4 {
			t.Errorf("%q is not written as project issue: what: file: test", line)
			continue
		}
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(parts[2])))
		if err != nil {
			t.Errorf("%s: %v", parts[0], err)
		} else if !strings.Contains(string(text), parts[3]) {
			t.Errorf("%s (%s): %s has no %q", parts[0], parts[1], parts[2], parts[3])
		}
	}
}
