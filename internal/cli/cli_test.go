package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
)

func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	maybeTool()
	os.Exit(m.Run())
}

// run runs a command line against the platform of a folder.
func run(t *testing.T, environ []string, args ...string) (code int, out, talk string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = Run(t.Context(), Process{
		Args: args, Environ: environ, Stdin: strings.NewReader(""), Clock: clock.System{}, Version: "test",
		Term:  &term.Terminal{Out: &stdout, Err: &stderr, Width: 80},
		Start: start, Types: server.ResourceTypes,
	})
	return code, stdout.String(), stderr.String()
}

func start(ctx context.Context, c config.Config, log *slog.Logger) (Platform, error) {
	s, err := server.Start(ctx, c, log)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// up starts `lambent up` in dir and returns its URL, and how to end it and get its exit code.
func up(t *testing.T, dir string, args ...string) (url string, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	code := make(chan int, 1)
	var talk bytes.Buffer
	go func() {
		code <- Run(ctx, Process{
			Args:    append([]string{"up", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(dir, ".lambent")}, args...),
			Environ: os.Environ(), Stdin: strings.NewReader(""), Clock: clock.System{},
			Term: &term.Terminal{Out: writer, Err: &talk, Width: 80}, Start: start,
		})
		writer.Close()
	}()
	lines := bufio.NewScanner(reader)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), "lambent ready "); ok {
			url, _, _ = strings.Cut(rest, " ")
			break
		}
	}
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	stopped := false
	stop = func() int {
		if stopped {
			return 0
		}
		stopped = true
		cancel()
		return <-code
	}
	t.Cleanup(func() { stop() })
	if url == "" {
		t.Fatalf("up did not become ready: exit code %d\n%s", stop(), talk.String())
	}
	return url, stop
}

func TestUpServesUntilItIsStopped(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	url, stop := up(t, dir)

	code, out, _ := run(t, nil, "env", "--json")
	var env map[string]string
	if err := json.Unmarshal([]byte(out), &env); err != nil || code != 0 || env["AWS_ENDPOINT_URL"] != url {
		t.Errorf("env = %d %s (%v), want the endpoint %s", code, out, err, url)
	}
	if code, out, _ := run(t, nil, "env", "--root"); code != 0 || !strings.Contains(out, "AWS_ACCESS_KEY_ID=AKIA") {
		t.Errorf("env --root = %d %s", code, out)
	}
	if code, _, talk := run(t, nil, "iam", "explain", "no-such-request"); code != ExitFailed || !strings.Contains(talk, "No decisions of the request") {
		t.Errorf("iam explain = %d %s", code, talk)
	}
	if code, out, _ := run(t, nil, "doctor"); code != 0 || !strings.Contains(out, "running at "+url) {
		t.Errorf("doctor = %d %s", code, out)
	}

	if code := stop(); code != 0 {
		t.Errorf("up ended with %d", code)
	}
	if _, err := os.Stat(filepath.Join(dir, ".lambent", runningFile)); err == nil {
		t.Error("running.json is still there")
	}
}

func TestSecondUpOnTheSameFolderNamesTheFirst(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	url, _ := up(t, dir)
	code, _, talk := run(t, os.Environ(), "up", "--listen", "127.0.0.1:0", "--data-dir", filepath.Join(dir, ".lambent"))
	if code != ExitFailed || !strings.Contains(talk, url) || !strings.Contains(talk, "uses the data folder") {
		t.Errorf("the second up = %d %s", code, talk)
	}
}

func TestExecRemovesForeignCredentials(t *testing.T) {
	environ := []string{
		"PATH=" + os.Getenv("PATH"), "AWS_PROFILE=production", "AWS_ACCESS_KEY_ID=AKIAREAL", "AWS_SESSION_TOKEN=t", "AWS_ENDPOINT_URL_S3=https://s3.amazonaws.com",
		"LAMBENT_ENDPOINT=http://127.0.0.1:1234", "KEPT=1",
	}
	code, out, _ := run(t, environ, "exec", "--", "env")
	if code != 0 {
		t.Fatalf("exec ended with %d", code)
	}
	for _, bad := range []string{"production", "AKIAREAL", "AWS_SESSION_TOKEN", "s3.amazonaws.com"} {
		if strings.Contains(out, bad) {
			t.Errorf("the tool sees %s:\n%s", bad, out)
		}
	}
	for _, want := range []string{"KEPT=1", "AWS_ENDPOINT_URL=http://127.0.0.1:1234", "AWS_ACCESS_KEY_ID=test"} {
		if !strings.Contains(out, want) {
			t.Errorf("the tool does not see %s", want)
		}
	}
	if code, _, _ := run(t, environ, "exec", "--", "sh", "-c", "exit 7"); code != 7 {
		t.Errorf("the exit code 7 became %d", code)
	}
}

func TestExecNamesTheEndpointToTheAWSCLI(t *testing.T) {
	const url = "http://127.0.0.1:4566"
	for _, tc := range []struct{ args, want []string }{
		{[]string{"aws", "sqs", "list-queues"}, []string{"aws", "--endpoint-url", url, "sqs", "list-queues"}},
		{[]string{"/usr/bin/aws"}, []string{"/usr/bin/aws", "--endpoint-url", url}},
		{[]string{"aws", "--endpoint-url=http://other", "s3", "ls"}, []string{"aws", "--endpoint-url=http://other", "s3", "ls"}},
		{[]string{"sam", "deploy"}, []string{"sam", "deploy"}},
	} {
		if got := withEndpoint(tc.args, url); !slices.Equal(got, tc.want) {
			t.Errorf("withEndpoint(%q) = %q, want %q", tc.args, got, tc.want)
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, tc := range []struct {
		name, want string
		code       int
		environ    []string
		args       []string
	}{
		{"unknown command", `unknown command "deplyo"`, ExitUsage, nil, []string{"deplyo"}},
		{"unknown flag", "unknown flag: --efemeral", ExitUsage, nil, []string{"up", "--efemeral"}},
		{"missing argument", "accepts 1 arg", ExitUsage, nil, []string{"delete"}},
		{"setting of the environment", "LAMBENT_EFEMERAL", ExitUsage, []string{"LAMBENT_EFEMERAL=1"}, []string{"up"}},
		{"open to the network", "needs TLS", ExitUsage, nil, []string{"up", "--listen", "0.0.0.0:4566"}},
		{"no application", "template.yaml", ExitUsage, nil, []string{"up", "."}},
		{"parameter without a value", "NAME=VALUE", ExitUsage, nil, []string{"deploy", "-p", "x"}},
		{"endpoint", "is not a URL", ExitUsage, []string{"LAMBENT_ENDPOINT=x"}, []string{"status"}},
		{"remote without credentials", "needs credentials", ExitUsage, []string{"LAMBENT_ENDPOINT=https://lambent.example.com"}, []string{"status"}},
		{"nothing runs", "Start one with: lambent up", ExitNotRunning, []string{"LAMBENT_ENDPOINT=http://127.0.0.1:1"}, []string{"status"}},
		{"event that is no JSON", "is not JSON", ExitUsage, nil, []string{"invoke", "f", "--data", "{"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, _, talk := run(t, tc.environ, tc.args...)
			if code != tc.code || !strings.Contains(talk, tc.want) {
				t.Errorf("exit code %d, want %d; output without %q:\n%s", code, tc.code, tc.want, talk)
			}
		})
	}
}

func TestStackNameFollowsFromTheFolder(t *testing.T) {
	for folder, want := range map[string]string{"photoboard": "photoboard", "my app_2": "my-app-2", "1st.app": "app-1st-app"} {
		var d deployment
		if err := d.fill([]string{filepath.Join(t.TempDir(), folder)}, nil); err != nil || d.stack != want {
			t.Errorf("%s gives %q, %v", folder, d.stack, err)
		}
	}
}
