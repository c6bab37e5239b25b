// Package pytest judges runs of public test suites for pytest: what fails must be in a list, with its reason.
package pytest

import (
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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
// does a listed one that does not fail. The name of a test is what name returns. A test that is listed with a reason of "sometimes: …" may do either.
func Judge(t *testing.T, r Report, list string, name func(c Case) string) {
	t.Helper()
	listed := reasons(t, list)
	passed, failed, skipped, met := 0, 0, 0, map[string]bool{}
	for _, c := range r.Cases {
		id, broken := name(c), c.Failure
		if broken == nil {
			broken = c.Error
		}
		reason, expected := listed[id]
		either := strings.HasPrefix(reason, "sometimes: ")
		met[id] = met[id] || broken != nil || either
		switch {
		case c.Skipped != nil:
			skipped++
		case broken == nil && expected && !either:
			t.Errorf("%s passes: take it out of the list", id)
		case broken == nil:
			passed++
		case expected:
			failed++
		default:
			t.Errorf("%s failed:\n%s", id, broken.Text)
		}
	}
	for id := range listed {
		if !met[id] {
			t.Errorf("%s is listed, and no such test fails", id)
		}
	}
	t.Logf("passed %d, failed as expected %d, skipped %d", passed, failed, skipped)
}

func reasons(t *testing.T, list string) map[string]string {
	t.Helper()
	out := map[string]string{}
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
