// Package pytest judges runs of public test suites for pytest: what fails must be in a list, with its reason.
package pytest

import (
	"context"
	"encoding/xml"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/server"
)

// Report is what is needed of pytest's JUnit report.
type Report struct {
	Cases []Case `xml:"testsuite>testcase"`
}

// Case is one test. Its class is the path of its file and its class, with dots.
type Case struct {
	Name    string    `xml:"name,attr"`
	Class   string    `xml:"classname,attr"`
	Failure *problem  `xml:"failure"`
	Error   *problem  `xml:"error"`
	Skipped *struct{} `xml:"skipped"`
}

type problem struct {
	Text string `xml:",chardata"`
}

// Serve starts a server on a free port and returns its address. It ends with the test. The test binary must call
// sandbox.MaybeChild in TestMain.
func Serve(t *testing.T, cfg config.Config) string {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return s.URL()
}

// Run runs pytest in a folder and returns its report.
func Run(t *testing.T, python, folder string, env []string, args ...string) Report {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.xml")
	cmd := exec.CommandContext(t.Context(), python, append([]string{"-m", "pytest", "-q", "-p", "no:cacheprovider", "--junitxml", file}, args...)...)
	cmd.Dir, cmd.Env = folder, append(os.Environ(), env...)
	output, runErr := cmd.CombinedOutput() // fails when a test does
	b, err := os.ReadFile(file)
	var r Report
	if err == nil {
		err = xml.Unmarshal(b, &r)
	}
	if err != nil {
		t.Fatalf("the suite did not run: %v\n%v\n%s", err, runErr, output)
	}
	return r
}

// Judge compares a report with a list of the tests that are expected to fail, one a line as "name: reason". A test that fails and is not listed fails t, and so
// does a listed one that does not fail. The name of a test is what name returns; one in the list that ends with * stands for all that begin so, of which one must fail.
// A test that is listed with a reason of "sometimes: …" may do either.
func Judge(t *testing.T, r Report, list string, name func(c Case) string) {
	t.Helper()
	listed := parse(t, list)
	passed, failed, skipped, met := 0, 0, 0, map[string]bool{}
	for _, c := range r.Cases {
		id, broken := name(c), c.Failure
		if broken == nil {
			broken = c.Error
		}
		entry, expected := listed.of(id)
		either := strings.HasPrefix(listed[entry], "sometimes: ")
		met[entry] = met[entry] || expected && (broken != nil || either)
		switch {
		case c.Skipped != nil:
			skipped++
		case broken == nil && entry == id && expected && !either:
			t.Errorf("%s passes: take it out of the list", id)
		case broken == nil:
			passed++
		case expected:
			failed++
		default:
			t.Errorf("%s failed:\n%s", id, broken.Text)
		}
	}
	for entry := range listed {
		if !met[entry] {
			t.Errorf("%s is listed, and no such test fails", entry)
		}
	}
	t.Logf("passed %d, failed as expected %d, skipped %d", passed, failed, skipped)
}

// ByClass names a test by its class, or its file when it has none, as in "TestOfOneThing::test_one".
func ByClass(c Case) string {
	return c.Class[strings.LastIndexByte(c.Class, '.')+1:] + "::" + c.Name
}

// reasons are those of the tests that are listed, by name.
type reasons map[string]string

func parse(t *testing.T, list string) reasons {
	t.Helper()
	out := reasons{}
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, reason, ok := strings.Cut(line, ": ")
		if !ok || reason == "" || out[id] != "" {
			t.Fatalf("%q has no reason, or is listed twice", line)
		}
		out[id] = reason
	}
	return out
}

// of returns the entry of the list that stands for a test.
func (r reasons) of(id string) (entry string, listed bool) {
	if r[id] != "" {
		return id, true
	}
	for entry := range r {
		if before, all := strings.CutSuffix(entry, "*"); all && strings.HasPrefix(id, before) {
			return entry, true
		}
	}
	return "", false
}
