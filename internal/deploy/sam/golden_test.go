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

// TestGolden runs a sample of the cases of the AWS SAM translator's own test suite (testdata/translator, see NOTICE), and templates of our own (lambent_*) with what its program makes of
// them: what comes out must be what AWS's translator makes, but for the order of lists, which its own test ignores too. The whole suite is in test/compat/sam.
func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob(filepath.Join("testdata", "translator", "*.yaml"))
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, in := range inputs {
		t.Run(strings.TrimSuffix(filepath.Base(in), ".yaml"), func(t *testing.T) {
			want, err := os.ReadFile(strings.TrimSuffix(in, ".yaml") + ".json")
			if err != nil {
				t.Fatal(err)
			}
			got, err := Transform(parsed(t, in), Options{Region: "ap-southeast-1", Parameters: map[string]any{"param1": "value1", "param2": "value2"}})
			if err != nil {
				t.Fatal(err)
			}
			made, err := json.Marshal(got.Root)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(normal(t, want), normal(t, made)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func parsed(t testing.TB, file string) *template.Document {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := template.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// normal decodes JSON with its lists sorted.
func normal(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
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
		slices.SortFunc(x, func(a, b any) int { return strings.Compare(asJSON(a), asJSON(b)) })
	}
	return v
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
