package cli

import (
	"bufio"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/clock"
)

// dev runs `lambent dev` in a folder. said waits for a line of its talk and returns it.
func dev(t *testing.T, dir string) (said func(part string) string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, Process{
			Args:    []string{"dev", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(dir, ".lambent"), dir},
			Environ: os.Environ(), Stdin: strings.NewReader(""), Clock: clock.System{},
			Term: &term.Terminal{Out: io.Discard, Err: writer, Width: 80}, Start: start,
		})
		writer.Close()
	}()
	said = listen(t, reader)
	ended := false
	stop = func() int {
		if ended {
			return 0
		}
		ended = true
		cancel()
		_, _ = io.Copy(io.Discard, reader)
		return <-code
	}
	t.Cleanup(func() { stop() })
	return said, stop
}

// listen returns what waits for a line with a part of a command's talk, and returns that line.
func listen(t *testing.T, talk io.Reader) func(part string) string {
	lines := bufio.NewScanner(talk)
	return func(part string) string {
		t.Helper()
		var all []string
		for lines.Scan() {
			all = append(all, lines.Text())
			if strings.Contains(lines.Text(), part) {
				return lines.Text()
			}
		}
		t.Fatalf("the command ended without %q:\n%s", part, strings.Join(all, "\n"))
		return ""
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const devTemplate = `Transform: AWS::Serverless-2016-10-31
Resources:
  Page: {Type: AWS::S3::Bucket, Metadata: {Lambent: {Sync: web}}}
  F:
    Type: AWS::Serverless::Function
    Properties: {FunctionName: f, Runtime: python3.11, Handler: app.handler, CodeUri: f}
`

func answer(word string) string { return "def handler(event, context):\n    return '" + word + "'\n" }

func TestDevRunsNewCodeAtTheNextRequest(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, filepath.Join(dir, "template.yaml"), devTemplate)
	write(t, filepath.Join(dir, "f", "app.py"), answer("one"))
	write(t, filepath.Join(dir, "web", "index.html"), "one")
	said, stop := dev(t, dir)
	said("Watching ")
	answers := func(want string) {
		t.Helper()
		if code, out, talk := run(t, os.Environ(), "invoke", "f"); code != 0 || out != `"`+want+"\"\n" {
			t.Errorf("the function answers %s (%d), want %s\n%s", out, code, want, talk)
		}
	}
	answers("one")

	write(t, filepath.Join(dir, "f", "app.py"), answer("two"))
	t.Log(said("F runs the new code"))
	answers("two")

	write(t, filepath.Join(dir, "web", "index.html"), "two")
	t.Log(said("Page 1 files of web copied"))

	// What cannot be packed is told, and the change is not forgotten.
	if err := os.Symlink("/etc", filepath.Join(dir, "f", "etc")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "f", "app.py"), answer("three"))
	said("error:")
	answers("two")
	if err := os.Remove(filepath.Join(dir, "f", "etc")); err != nil {
		t.Fatal(err)
	}
	said("F runs the new code")
	answers("three")

	// A template's change is deployed.
	write(t, filepath.Join(dir, "template.yaml"), strings.ReplaceAll(devTemplate, "FunctionName: f", "FunctionName: f, Timeout: 7"))
	said("update complete")

	// The stack knows in the end what its functions run, so that going back to the code of the first deploy is a change.
	write(t, filepath.Join(dir, "f", "app.py"), answer("four"))
	said("F runs the new code")
	if code := stop(); code != 0 {
		t.Errorf("dev ended with %d", code)
	}
	write(t, filepath.Join(dir, "f", "app.py"), answer("three"))
	said, _ = dev(t, dir)
	said("Watching ")
	answers("three")
}
