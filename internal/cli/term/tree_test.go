package term

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/clock"
)

var update = flag.Bool("update", false, "write the golden files")

func steps(start time.Time) []Step {
	at := func(d time.Duration) time.Time { return start.Add(d) }
	return []Step{
		{ID: "s", Name: "photoboard", Detail: "updating the stack", Time: at(0)},
		{ID: "t", Parent: "s", Name: "UsersTable", Detail: "AWS::DynamoDB::Table", Time: at(0)},
		{ID: "f", Parent: "s", Name: "AFunctionWhoseNameIsMuchTooLongToFitOnOneLineOfTheTerminal", Detail: "AWS::Lambda::Function", Time: at(100 * time.Millisecond)},
		{ID: "t", State: Done, Time: at(300 * time.Millisecond)},
		{ID: "f", State: Failed, Time: at(1200 * time.Millisecond), Reason: "The role arn:aws:iam::000000000000:role/photoboard-AFunctionRole cannot be assumed by Lambda. Add lambda.amazonaws.com to its trust policy."},
	}
}

func TestFrames(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	tree := &Tree{term: &Terminal{Err: &bytes.Buffer{}, Live: true, Width: 60}, clock: clock.NewFake(start), byID: map[string]*line{}}
	var out strings.Builder
	for _, s := range steps(start) {
		tree.Step(s)
		out.WriteString(strings.Join(tree.frameLocked(s.Time, 60), "\n") + "\n----\n")
	}
	golden(t, "frames", out.String())
}

func TestWarningsAreShownUnderTheirLine(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	warned := func(tree *Tree) {
		tree.Step(Step{ID: "a", Name: "Api", Detail: "AWS::ApiGatewayV2::Api", State: Done, Time: start})
		tree.Step(Step{ID: "a", Name: "Api", Detail: "AWS::ApiGatewayV2::Api", State: Warned, Reason: "Warning: one", Time: start})
		tree.Step(Step{ID: "a", Name: "Api", Detail: "AWS::ApiGatewayV2::Api", State: Warned, Reason: "Warning: two", Time: start})
	}
	live := &Tree{term: &Terminal{Err: &bytes.Buffer{}, Live: true}, clock: clock.NewFake(start), byID: map[string]*line{}}
	warned(live)
	want := "! Api  AWS::ApiGatewayV2::Api     0.0s\n    Warning: one\n    Warning: two"
	if got := strings.Join(live.frameLocked(start, 0), "\n"); got != want {
		t.Errorf("a frame is\n%s\nwant\n%s", got, want)
	}
	var out bytes.Buffer
	plain := NewTree(&Terminal{Err: &out}, clock.NewFake(start))
	warned(plain)
	plain.Close()
	if got := out.String(); strings.Count(got, "Warning: one") != 1 || strings.Count(got, "Warning: two") != 1 {
		t.Errorf("lines are\n%s", got)
	}
}

func TestPlainLinesWhenNotATerminal(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	var out bytes.Buffer
	tree := NewTree(&Terminal{Err: &out}, clock.NewFake(start))
	for _, s := range steps(start) {
		tree.Step(s)
	}
	tree.Close()
	golden(t, "plain", out.String())
}

func TestLiveTreeGivesTheCursorBack(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	var out bytes.Buffer
	tree := NewTree(&Terminal{Err: &out, Live: true, Color: true, Width: 60}, clock.NewFake(start))
	for _, s := range steps(start) {
		tree.Step(s)
	}
	tree.Close()
	tree.Close()
	if !strings.HasSuffix(out.String(), "\x1b[?25h") {
		t.Errorf("the output ends with %q", out.String()[max(0, out.Len()-20):])
	}
}

func TestColoursFollowTheEnvironment(t *testing.T) {
	for _, tc := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, false}, // a file
		{map[string]string{"CLICOLOR_FORCE": "1"}, true},
		{map[string]string{"CLICOLOR_FORCE": "0"}, false},
		{map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, false},
	} {
		f, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if got := New(f, f, func(k string) string { return tc.env[k] }).Color; got != tc.want {
			t.Errorf("colours with %v: %t", tc.env, got)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Error(diff)
	}
}
