package crash

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// programs is the folder of what the run builds, each once.
var programs string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if programs, err = os.MkdirTemp("", "crash"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(programs)
	return m.Run()
}

// build compiles a program of this module unless the run has it already, and returns its file.
func build(t *testing.T, name, source string) string {
	t.Helper()
	output := filepath.Join(programs, name)
	if _, err := os.Stat(output); err == nil {
		return output
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", output, source)
	cmd.Dir, cmd.Env = filepath.Join("..", ".."), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", source, err, out)
	}
	return output
}

// freeAddress finds an address below the system's own range of ports. It stays the same over restarts, as a user's does.
func freeAddress(t *testing.T) string {
	t.Helper()
	for n := range 500 {
		address := fmt.Sprintf("127.0.0.1:%d", 20000+(os.Getpid()*7+n)%10000)
		if l, err := net.Listen("tcp", address); err == nil {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

// platform is a running binary.
type platform struct {
	binary, dataDir, address string
	// dir is the working folder, which holds no template.
	dir string
	// group is a cgroup in which it runs; empty for that of the test.
	group string
	cmd   *exec.Cmd
	talk  *bytes.Buffer
}

func newPlatform(t *testing.T, dataDir string) *platform {
	t.Helper()
	return newPlatformIn(t, "", dataDir)
}

// newPlatformIn is newPlatform in a cgroup.
func newPlatformIn(t *testing.T, group, dataDir string) *platform {
	t.Helper()
	p := &platform{binary: build(t, "lambent", "./cmd/lambent"), dataDir: dataDir, address: freeAddress(t), dir: t.TempDir(), group: group}
	p.start(t)
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the last process said:\n%s", p.talk)
		}
	})
	return p
}

// start starts the binary and returns when it is ready.
func (p *platform) start(t *testing.T) {
	t.Helper()
	p.talk = &bytes.Buffer{}
	args := []string{p.binary, "up", "--listen", p.address, "--data-dir", p.dataDir, "--log-level", "warn"}
	if p.group != "" {
		args = append([]string{"/bin/sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(p.group, "cgroup.procs")}, args...)
	}
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), args[0], args[1:]...)
	p.cmd.Dir, p.cmd.Stderr = p.dir, p.talk
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if strings.HasPrefix(line, "lambent ready ") {
			go func() { _, _ = io.Copy(io.Discard, lines) }()
			return
		}
		if err != nil {
			_ = p.cmd.Wait()
			t.Fatalf("the platform did not start: %s", p.talk)
		}
	}
}

// kill ends the process as a crash would.
func (p *platform) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// deploy deploys an application of the suite: a template of testdata with the function seen.
func (p *platform) deploy(t *testing.T, name string) {
	t.Helper()
	app := t.TempDir()
	template, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(app, "template.yaml"), template, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(app, "seen"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(build(t, "seen", "./test/crash/testdata/seen"), filepath.Join(app, "seen", "bootstrap")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), p.binary, "deploy", app, "--stack", "crash", "--endpoint", "http://"+p.address)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_REGION=us-east-1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("deploy: %v\n%s", err, out)
	}
}
