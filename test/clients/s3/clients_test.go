package s3

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
)

//go:embed keys.json
var keysFile []byte

func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// door is a way to the platform: an endpoint, and where the bucket stands in a request.
type door struct {
	URL   string `json:"url"`
	Style string `json:"style"` // path or virtual
}

// job is what a program reads from its input.
type job struct {
	Doors  []door   `json:"doors"`
	CA     string   `json:"ca"` // file of the certificate that signs those of the platform
	Key    string   `json:"key"`
	Secret string   `json:"secret"`
	Keys   []string `json:"keys"` // keys of objects
}

// platform is one for a test, with the job of its clients.
type platform struct {
	*job
	url string
}

func start(t *testing.T) *platform {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir, cfg.Listen, cfg.Sandbox = t.TempDir(), "127.0.0.1:0", config.SandboxOff
	s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	key := s.RootKey()
	p := &platform{&job{CA: filepath.Join(cfg.DataDir, "keys", "root.pem"), Key: key.AccessKeyID, Secret: key.Secret}, s.URL()}
	if err := json.Unmarshal(keysFile, &p.Keys); err != nil {
		t.Fatal(err)
	}
	p.Keys = append(p.Keys, strings.Repeat("k", 1024))
	for _, url := range []string{s.URL(), "https" + strings.TrimPrefix(s.URL(), "http")} {
		named := strings.Replace(url, "127.0.0.1", "s3.localhost", 1)
		p.Doors = append(p.Doors, door{url, "path"}, door{named, "virtual"})
	}
	return p
}

// run runs a program that prints ok at the end, or says what was wrong.
func (p *platform) run(t *testing.T, environ []string, name string, args ...string) {
	t.Helper()
	in, err := json.Marshal(p.job)
	if err != nil {
		t.Fatal(err)
	}
	run(t, in, environ, name, args...)
}

func run(t *testing.T, in []byte, environ []string, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = bytes.NewReader(in)
	// What the user has configured for AWS is not for the clients of the test.
	own := slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "AWS_") })
	cmd.Env = slices.Concat(own, []string{"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull}, environ)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), "ok") {
		t.Errorf("%v\n%s", err, out)
	}
}

// installed returns the folder where `make test-clients-s3` installs clients, or skips the test.
func installed(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("S3_CLIENTS")
	if dir == "" {
		t.Skip("S3_CLIENTS is not set: run make test-clients-s3")
	}
	return dir
}

var venv = filepath.Join("..", "..", "..", ".venv", "bin")

func TestBoto3(t *testing.T) { start(t).run(t, nil, filepath.Join(venv, "python"), "boto.py") }

func TestAWSCLI(t *testing.T) { start(t).run(t, nil, filepath.Join(venv, "python"), "cli.py") }

func TestJavaScript(t *testing.T) {
	p := start(t)
	p.run(t, []string{"CLIENTS=" + filepath.Join(installed(t), "js"), "NODE_EXTRA_CA_CERTS=" + p.CA}, "node", "--no-warnings", filepath.Join("js", "objects.mjs"))
}

func TestGo(t *testing.T) {
	start(t).run(t, nil, filepath.Join(installed(t), "go-client"))
}

func TestJava(t *testing.T) {
	dir := filepath.Join(installed(t), "java")
	start(t).run(t, nil, "java", "-cp", filepath.Join(dir, "classes")+":"+filepath.Join(dir, "lib", "*"), "lambent.Objects")
}

func TestS3cmd(t *testing.T) {
	start(t).run(t, []string{"S3CMD=" + tool(t, "s3cmd")}, "python3", "s3cmd.py")
}

func TestRclone(t *testing.T) {
	p := start(t)
	p.run(t, []string{"RCLONE=" + tool(t, "rclone"), "PROXY=" + proxy(t, p.url)}, "python3", "rclone.py")
}

// tool returns the path of a program of the system.
func tool(t *testing.T, name string) string {
	t.Helper()
	installed(t)
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v; install the Debian package %s", err, name)
	}
	return path
}
