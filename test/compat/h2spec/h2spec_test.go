package h2spec

import (
	"context"
	"encoding/xml"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
)

func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// report is what the suite writes.
type report struct {
	Suites []struct {
		Cases []struct {
			Section string  `xml:"package,attr"`
			Title   string  `xml:"classname,attr"`
			Failure *string `xml:"failure"`
			Error   *string `xml:"error"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

func TestListenerSpeaksHTTP2(t *testing.T) {
	program := os.Getenv("H2SPEC")
	if program == "" {
		t.Skip("H2SPEC is not set: run make compat-h2")
	}
	cfg := config.Default()
	cfg.DataDir, cfg.Listen, cfg.Sandbox = t.TempDir(), "127.0.0.1:0", config.SandboxOff
	s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	at, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(at.Host)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.xml")
	cmd := exec.CommandContext(t.Context(), program, "--host", host, "--port", port, "--tls", "--insecure", "--path", "/_lambent/health", "--junit-report", file)
	out, runErr := cmd.CombinedOutput() // the suite fails when one of its tests does
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v, %v\n%s", err, runErr, out)
	}
	var r report
	if err := xml.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	compare(t, &r, listed(t))
}

// listed are the tests that are expected to fail, which are true, and those that are not compared.
func listed(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("failures.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		if name, _, ok := strings.Cut(line, ": "); ok && line[0] != '#' {
			steady, chance := strings.CutPrefix(name, "? ")
			names[steady] = !chance
		}
	}
	return names
}

// compare holds the report against the list.
func compare(t *testing.T, r *report, expected map[string]bool) {
	t.Helper()
	ran := 0
	for _, s := range r.Suites {
		for _, c := range s.Cases {
			ran++
			name := c.Section + " " + c.Title
			fails, known := expected[name]
			switch failed := c.Failure != nil || c.Error != nil; {
			case known && !fails: // by chance
			case failed && !fails:
				t.Errorf("%s: failed", name)
			case !failed && fails:
				t.Errorf("%s: passes; take it out of failures.txt", name)
			}
			delete(expected, name)
		}
	}
	for name := range expected {
		t.Errorf("%s: is no test of the suite", name)
	}
	t.Logf("%d tests", ran)
	if ran < 140 {
		t.Error("these are not all of them")
	}
}
