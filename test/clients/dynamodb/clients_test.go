// Package dynamodb runs programs that use tables through unmodified clients, as people write them, against a server in this process. The one with boto3
// always runs; `make test-clients-dynamodb` installs the others and runs them too: the document client of the AWS SDK for JavaScript and ElectroDB, PynamoDB,
// the attributevalue and expression packages of the SDK for Go v2, and the enhanced client of the SDK for Java v2.
package dynamodb

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

// program is one that uses a client. It prints ok, or says what was wrong.
type program struct {
	t      *testing.T
	server *server.Server
}

func newProgram(t *testing.T) *program {
	t.Helper()
	cfg := config.Default()
	cfg.Ephemeral, cfg.Listen, cfg.Sandbox = true, "127.0.0.1:0", config.SandboxOff
	s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return &program{t, s}
}

// run runs the program with the server's address in its environment and in its input.
func (p *program) run(dir string, environ []string, name string, args ...string) {
	p.t.Helper()
	key := p.server.RootKey()
	in, err := json.Marshal(map[string]string{"endpoint": p.server.URL(), "key": key.AccessKeyID, "secret": key.Secret})
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.CommandContext(p.t.Context(), name, args...)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(in)
	cmd.Env = append(append(os.Environ(), environ...), "AWS_ENDPOINT_URL="+p.server.URL(), "AWS_ACCESS_KEY_ID="+key.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+key.Secret, "AWS_REGION=us-east-1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		p.t.Errorf("%v\n%s", err, out)
	}
}

// installed returns the folder where `make test-clients-dynamodb` installs clients, or skips the test.
func installed(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("DYNAMODB_CLIENTS")
	if dir == "" {
		t.Skip("DYNAMODB_CLIENTS is not set: run make test-clients-dynamodb")
	}
	return dir
}

var venv = filepath.Join("..", "..", "..", ".venv", "bin", "python")

func TestBoto3(t *testing.T) { newProgram(t).run("", nil, venv, "boto.py") }

func TestBadInput(t *testing.T) { newProgram(t).run("", nil, venv, "bad.py") }

func TestPynamoDB(t *testing.T) {
	newProgram(t).run("", []string{"PYTHONPATH=" + filepath.Join(installed(t), "python")}, venv, "pynamo.py")
}

func TestDocumentClientAndElectroDB(t *testing.T) {
	newProgram(t).run("", []string{"CLIENTS=" + filepath.Join(installed(t), "js")}, "node", "--no-warnings", filepath.Join("js", "document.mjs"))
}

func TestGo(t *testing.T) {
	program := filepath.Join(installed(t), "go-client")
	newProgram(t).run("", nil, program)
}

func TestJavaEnhancedClient(t *testing.T) {
	dir := filepath.Join(installed(t), "java")
	newProgram(t).run("", nil, "java", "-cp", filepath.Join(dir, "classes")+":"+filepath.Join(dir, "lib", "*"), "lambent.Enhanced")
}
