// Package events runs programs that use queues, topics, buses and streams through unmodified clients, as people write them, against a server in this process. `make
// test-clients-events` installs the clients and runs them: Celery with SQS as its broker, sns-validator and sqs-consumer on the SDK for JavaScript, the SDK for Go v2, and Spring Cloud AWS on the SDK for
// Java v2. The Kinesis Client Library has a target of its own, compat-kcl.
package events

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
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

// installed returns the folder where `make test-clients-events` installs clients, or skips the test.
func installed(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("EVENT_CLIENTS")
	if dir == "" {
		t.Skip("EVENT_CLIENTS is not set: run make test-clients-events")
	}
	return dir
}

// run runs a program against a server of its own, whose address and keys are in the program's environment and in its input. It prints ok, or says what was wrong.
func run(t *testing.T, environ []string, name string, args ...string) {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir, cfg.Listen, cfg.Sandbox = t.TempDir(), "127.0.0.1:0", config.SandboxOff
	s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	key := s.RootKey()
	in, err := json.Marshal(map[string]string{"endpoint": s.URL()})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(in)
	cmd.Env = append(append(os.Environ(), environ...), "AWS_ENDPOINT_URL="+s.URL(), "AWS_ACCESS_KEY_ID="+key.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+key.Secret, "AWS_REGION=us-east-1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestCelery(t *testing.T) {
	python, err := filepath.Abs(filepath.Join("..", "..", "..", ".venv", "bin", "python"))
	if err != nil {
		t.Fatal(err)
	}
	run(t, []string{"PYTHONPATH=" + filepath.Join(installed(t), "python"), "DONE=" + filepath.Join(t.TempDir(), "done")}, python, "tasks.py")
}

func TestSignaturesAndConsumer(t *testing.T) {
	run(t, []string{"CLIENTS=" + filepath.Join(installed(t), "js")}, "node", "--no-warnings", filepath.Join("js", "notify.mjs"))
}

func TestGo(t *testing.T) {
	run(t, nil, filepath.Join(installed(t), "go-client"))
}

func TestSpringCloud(t *testing.T) {
	dir := filepath.Join(installed(t), "java")
	run(t, nil, "java", "-cp", filepath.Join(dir, "classes")+":"+filepath.Join(dir, "lib", "*"), "lambent.Events")
}
