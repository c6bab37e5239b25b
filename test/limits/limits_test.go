package limits

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"text/template"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
	"lambent.dev/lambent/test/driver"
)

//go:embed testdata
var tables embed.FS

// TestMain lets the sandbox of the server start its helper from this binary.
func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// call is a call of a table with what must come of it.
type call struct {
	line                     int
	service, operation, text string
	// code and message are of the error that must be answered; no code means that the call must be taken.
	code, message string
}

// read returns the calls of a table.
func read(t *testing.T, service, table string) (out []call) {
	t.Helper()
	n := 0
	for line := range strings.Lines(table) {
		n++
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "! "):
			last := &out[len(out)-1]
			last.code, last.message, _ = strings.Cut(line[2:], " ")
		default:
			name, input, _ := strings.Cut(line, " ")
			c := call{line: n, service: service, operation: name, text: input}
			if of, operation, ok := strings.Cut(name, "."); ok {
				c.service, c.operation = of, operation
			}
			out = append(out, c)
		}
	}
	return out
}

// input expands the text of a call.
func (c *call) input() (json.RawMessage, error) {
	made, err := template.New("").Delims("<<", ">>").Funcs(template.FuncMap{
		"repeat": strings.Repeat,
		"list": func(n int, item string) string {
			items := make([]string, n)
			for i := range items {
				items[i] = strings.ReplaceAll(item, "%d", strconv.Itoa(i))
			}
			return "[" + strings.Join(items, ",") + "]"
		},
	}).Parse(c.text)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	err = made.Execute(&b, nil)
	if err == nil && !json.Valid([]byte(b.String())) {
		err = fmt.Errorf("%.200s is no JSON", b.String())
	}
	return json.RawMessage(b.String()), err
}

// check makes a call and says what is wrong with its answer, or nothing.
func (c *call) check(d *driver.Driver, endpoint string) error {
	in, err := c.input()
	if err != nil {
		return err
	}
	got, err := d.Call(driver.Request{Service: c.service, Operation: c.operation, Input: in, Endpoint: endpoint, Key: "test", Secret: "test", Raw: true})
	switch {
	case err != nil:
		return err
	case got.Code != c.code || !strings.Contains(got.Message, c.message):
		return fmt.Errorf("answered %q %.400q, want %q %q", got.Code, got.Message, c.code, c.message)
	}
	return nil
}

func TestWhatAWSRefusesIsRefused(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	d, err := driver.Start(filepath.Join(root, ".venv", "bin", "python"), filepath.Join(root, "test", "driver", "boto3_driver.py"))
	if err != nil {
		t.Fatalf("boto3 is not installed: run make clients: %v", err)
	}
	t.Cleanup(d.Close)
	files, err := fs.Glob(tables, "testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no tables: %v", err)
	}
	for _, file := range files {
		b, err := tables.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		service := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(service, func(t *testing.T) {
			endpoint := start(t)
			for _, c := range read(t, service, string(b)) {
				if err := c.check(d, endpoint); err != nil {
					t.Errorf("%s:%d: %s.%s: %v", file, c.line, c.service, c.operation, err)
				}
			}
		})
	}
}

// start starts a server of the test's own.
func start(t *testing.T) string {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir, cfg.Ephemeral, cfg.Listen, cfg.Sandbox = t.TempDir(), true, "127.0.0.1:0", config.SandboxOff
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
