package sam

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/deploy/sam"
	"lambent.dev/lambent/internal/deploy/template"
)

// partitions are the folders of results, with the region that they were made for.
var partitions = []struct{ folder, region string }{{"", "ap-southeast-1"}, {"aws-cn", "cn-north-1"}, {"aws-us-gov", "us-gov-west-1"}}

// TestTranslator transforms the templates of AWS's translator.
func TestTranslator(t *testing.T) {
	dir := os.Getenv("SAM_TRANSLATOR")
	if dir == "" {
		t.Skip("SAM_TRANSLATOR is not set: run make compat-sam")
	}
	dir = filepath.Join(dir, "tests", "translator")
	inputs, err := filepath.Glob(filepath.Join(dir, "input", "*.yaml"))
	if err != nil || len(inputs) == 0 {
		t.Fatalf("no templates in %s: %v", dir, err)
	}
	suite := newSuite(t)
	for _, input := range inputs {
		name := strings.TrimSuffix(filepath.Base(input), ".yaml")
		text, err := os.ReadFile(input)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasPrefix(name, "error_"):
			suite.report(name, refusal(t, dir, name, text))
		case strings.HasPrefix(name, "translate_"):
			suite.report(name, special(t, dir, name, text))
		default:
			for _, p := range partitions {
				suite.report(filepath.Join(p.folder, name), success(t, dir, name, text, p.folder, p.region))
			}
		}
	}
	suite.close()
}

// suite holds results against the list of expected differences.
type suite struct {
	t                *testing.T
	expected, seen   map[string]bool
	equal, different int
	refused, unlike  int
}

func newSuite(t *testing.T) *suite {
	text, err := os.ReadFile("failures.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := &suite{t: t, expected: map[string]bool{}, seen: map[string]bool{}}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			s.expected[line] = true
		}
	}
	return s
}

func (s *suite) report(name, difference string) {
	s.seen[name] = true
	same, other := &s.equal, &s.different
	if strings.HasPrefix(name, "error_") {
		same, other = &s.refused, &s.unlike
	}
	if difference == "" {
		*same++
		if s.expected[name] {
			s.t.Errorf("%s is equal: remove it from failures.txt", name)
		}
		return
	}
	*other++
	if !s.expected[name] {
		s.t.Errorf("%s: %s", name, difference)
	}
}

func (s *suite) close() {
	for name := range s.expected {
		if !s.seen[name] {
			s.t.Errorf("%s is listed in failures.txt and is no case", name)
		}
	}
	s.t.Logf("results: %d equal, %d different; errors: %d equal, %d different", s.equal, s.different, s.refused, s.unlike)
}

func options(region string) sam.Options {
	return sam.Options{
		Parameters:  map[string]any{"param1": "value1", "param2": "value2"},
		Region:      region,
		Application: application,
	}
}

// application is the repository of AWS's test.
func application(id, _ string) (string, error) {
	switch id {
	case "no-access", "non-existent", "invalid-semver":
		return "", fmt.Errorf("Cannot access application: %s.", id) //nolint:revive,staticcheck // the words of AWS's test
	}
	return "https://awsserverlessrepo-changesets-xxx.s3.amazonaws.com/signed-url", nil
}

// success returns how a result differs from AWS's.
func success(t *testing.T, dir, name string, text []byte, folder, region string) string {
	t.Helper()
	o := options(region)
	o.NormalizeOpenAPI = strings.HasPrefix(name, "feature_toggle_")
	return difference(t, text, filepath.Join(dir, "output", folder, name+".json"), o)
}

func difference(t *testing.T, text []byte, file string, o sam.Options) string {
	t.Helper()
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d, err := template.Parse(text)
	if err != nil {
		return err.Error()
	}
	got, err := sam.Transform(d, o)
	if err != nil {
		return err.Error()
	}
	made, err := json.Marshal(got.Root)
	if err != nil {
		t.Fatal(err)
	}
	return cmp.Diff(normal(t, want), normal(t, made))
}

// special runs the templates that AWS's test does not run with the others.
func special(t *testing.T, dir, name string, text []byte) string {
	t.Helper()
	o := options("ap-southeast-1")
	switch name {
	case "translate_convert_metadata":
		if d := difference(t, text, filepath.Join(dir, "output", "translate_convert_no_metadata.json"), o); d != "" {
			return d
		}
		o.KeepMetadata = true
		return difference(t, text, filepath.Join(dir, "output", "translate_convert_metadata.json"), o)
	case "translate_always_deploy":
		// AWS's test has this id for the thirteenth second of 1970.
		o.Now = time.Unix(13, 370_000_000)
		d, err := template.Parse(text)
		if err != nil {
			return err.Error()
		}
		got, err := sam.Transform(d, o)
		if err != nil {
			return err.Error()
		}
		if resources, _ := got.Root["Resources"].(map[string]any); resources["MyApiDeploymentbd307a3ec3"] == nil {
			return "no MyApiDeploymentbd307a3ec3"
		}
		return ""
	}
	return "an unknown case"
}

// refusal returns how the error about a template differs from AWS's.
func refusal(t *testing.T, dir, name string, text []byte) string {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(dir, "output", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct{ ErrorMessage string }
	if err := json.Unmarshal(file, &want); err != nil {
		t.Fatal(err)
	}
	d, err := template.Parse(text)
	if err == nil {
		_, err = sam.Transform(d, options("ap-southeast-1"))
	}
	var got *template.Error
	if !errors.As(err, &got) {
		return fmt.Sprintf("not refused (%v), want %s", err, want.ErrorMessage)
	}
	if got.Message != want.ErrorMessage {
		return "got\n  " + got.Message + "\nwant\n  " + want.ErrorMessage
	}
	return ""
}

// normal decodes JSON with its lists sorted.
func normal(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	sorted, _ := sortLists(t, v)
	return sorted
}

// sortLists sorts the lists in a value; it also returns the value as JSON, which they are sorted by.
func sortLists(t *testing.T, v any) (any, string) {
	t.Helper()
	switch x := v.(type) {
	case map[string]any:
		for k, e := range x {
			x[k], _ = sortLists(t, e)
		}
	case []any:
		keys := make(map[int]string, len(x))
		order := make([]int, len(x))
		for i, e := range x {
			order[i] = i
			_, keys[i] = sortLists(t, e)
		}
		slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(keys[a], keys[b]) })
		out := make([]any, len(x))
		for i, from := range order {
			out[i] = x[from]
		}
		copy(x, out)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return v, string(text)
}
