package debuggers

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"lambent.dev/lambent/internal/cli"
	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
)

func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// tools is the folder with the debuggers, which `make clients` fills.
func tools(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../.venv/debuggers")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Fatalf("%v; run `make clients`", err)
	}
	return dir
}

// lambent runs a command line until it ends, and passes each line of its talk on.
func lambent(ctx context.Context, out io.Writer, say func(line string), args ...string) int {
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- cli.Run(ctx, cli.Process{
			Args: args, Environ: os.Environ(), Stdin: strings.NewReader(""), Clock: clock.System{},
			Term: &term.Terminal{Out: out, Err: writer, Width: 80},
			Start: func(ctx context.Context, c config.Config, log *slog.Logger) (cli.Platform, error) {
				return server.Start(ctx, c, log)
			},
		})
		_ = writer.Close()
	}()
	for lines := bufio.NewScanner(reader); lines.Scan(); {
		say(lines.Text())
	}
	return <-code
}

// application unpacks an application of testdata, and makes its folder the working folder.
func application(t *testing.T, name string) string {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, f := range a.Files {
		path := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	return dir
}

// dev runs `lambent dev` until the test ends, and returns the first line of its talk that has a text.
func dev(t *testing.T, text string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	said := make(chan string, 1)
	done := make(chan struct{})
	var all strings.Builder
	go func() {
		defer close(done)
		code := lambent(ctx, io.Discard, func(line string) {
			all.WriteString(line + "\n")
			if strings.Contains(line, text) {
				select {
				case said <- line:
				default:
				}
			}
		}, append([]string{"dev", "--listen", "127.0.0.1:0"}, args...)...)
		if code != 0 {
			t.Errorf("dev ends with %d", code)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	select {
	case line := <-said:
		return line
	case <-done:
		t.Fatalf("dev ended without %q:\n%s", text, &all)
		return ""
	}
}

// address is where a line says that a debugger attaches.
func address(t *testing.T, line string) string {
	t.Helper()
	_, rest, ok := strings.Cut(line, "127.0.0.1:")
	if !ok {
		t.Fatalf("no address in %q", line)
	}
	return "127.0.0.1:" + rest[:strings.IndexFunc(rest+" ", func(r rune) bool { return r < '0' || r > '9' })]
}

// marked is the number of the line of a file at which the debugger is to stop.
func marked(t *testing.T, file string) int {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := bytes.Cut(b, []byte("stop here"))
	if !ok {
		t.Fatalf("nothing in %s is marked", file)
	}
	return bytes.Count(before, []byte("\n")) + 1
}

// invocation is an invocation by the command line that goes on.
type invocation struct {
	out  bytes.Buffer
	talk strings.Builder
	code chan int
}

// invoke begins an invocation, which passes on what it says.
func invoke(t *testing.T, say func(line string), args ...string) *invocation {
	t.Helper()
	i := &invocation{code: make(chan int, 1)}
	go func() {
		i.code <- lambent(t.Context(), &i.out, func(line string) {
			i.talk.WriteString(line + "\n")
			say(line)
		}, append([]string{"invoke", "f", "--data", `{"n": 41}`}, args...)...)
	}()
	return i
}

func (i *invocation) want(t *testing.T, answer string) {
	t.Helper()
	if code := <-i.code; code != 0 || strings.Join(strings.Fields(i.out.String()), "") != answer {
		t.Errorf("the invocation ends with %d and %s, want %s\n%s", code, &i.out, answer, &i.talk)
	}
}

// TestBreakpointsAreHit stops a function whose time is one second at a line, looks at a variable, and lets it go on. Behind it no debugger is waited for.
func TestBreakpointsAreHit(t *testing.T) {
	folder := tools(t)
	for _, c := range []struct {
		language, file, remote string
		dev                    bool // opens the debugger; else invoke does
		how                    map[string]any
	}{
		{"python", "f/app.py", "/var/task/app.py", false, map[string]any{"justMyCode": false}},
		{"ruby", "f/app.rb", "/var/task/app.rb", true, map[string]any{}},
		{"go", "f/main.go", "", true, map[string]any{"mode": "remote"}},
	} {
		t.Run(c.language, func(t *testing.T) {
			dir := application(t, c.language+".txtar")
			file := filepath.Join(dir, c.file)
			if c.remote == "" {
				c.remote = file // programs that are built for a debugger name their sources
			}
			where := make(chan string, 1)
			var called *invocation
			if c.dev {
				where <- dev(t, " waits: ", "--debuggers", folder, "--debug", "F", dir)
				called = invoke(t, func(string) {})
			} else {
				dev(t, "Watching ", "--debuggers", folder, dir)
				called = invoke(t, func(line string) {
					if strings.Contains(line, " waits: ") {
						where <- line
					}
				}, "--debug")
			}
			a := attach(t, address(t, <-where))
			thread := a.stopAt(c.remote, marked(t, file), c.how)
			if n := a.evaluate(thread, "n"); n != "41" {
				t.Errorf("n is %v", n)
			}
			a.send("continue", map[string]any{"threadId": thread}) // its answer may be lost, when the invocation ends the debugger
			called.want(t, `{"sum":42}`)
		})
	}
}
