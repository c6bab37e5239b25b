package sam

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/deploy/template"
)

// TestGolden runs the cases of the AWS SAM translator's own test suite (testdata/translator, see NOTICE), and templates of our own (lambent_*) with what its program makes of them: what comes out must
// be what AWS's translator makes, but for the order of lists, which its own test ignores too.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob(filepath.Join("testdata", "translator", "*.yaml"))
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, in := range inputs {
		t.Run(strings.TrimSuffix(filepath.Base(in), ".yaml"), func(t *testing.T) {
			if diff := runGolden(t, in, strings.TrimSuffix(in, ".yaml")+".json"); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func runGolden(t *testing.T, in, out string) string {
	t.Helper()
	text, err := os.ReadFile(in)
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	d, err := template.Parse(text)
	if err != nil {
		return err.Error()
	}
	values := map[string]any{"AWS::Region": "ap-southeast-1"}
	if ps, ok := d.Root["Parameters"].(map[string]any); ok {
		for name, p := range ps {
			if m, ok := p.(map[string]any); ok {
				if v, has := m["Default"]; has {
					values[name] = v
				}
			}
		}
	}
	got, err := Transform(d, values)
	if err != nil {
		return err.Error()
	}
	return cmp.Diff(normal(t, want), normal(t, must(json.Marshal(got.Root))))
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

// normal decodes JSON with its lists sorted, and without what stands at the top level for the transform itself.
func normal(t *testing.T, text []byte) any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	delete(v, "Transform")
	return sorted(v)
}

func sorted(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			x[k] = sorted(e)
		}
	case []any:
		for i, e := range x {
			x[i] = sorted(e)
		}
		slices.SortFunc(x, func(a, b any) int {
			return strings.Compare(string(must(json.Marshal(a))), string(must(json.Marshal(b))))
		})
	}
	return v
}
