// Package deployed runs the binary of the platform with an application, for tests that use the application from outside.
package deployed

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// limit is how long the platform may take to start and deploy.
const limit = 8 * time.Minute

// App is an application's folder, and where the platform that runs it is kept.
type App struct {
	root, binary, folder, dir string
	port                      int
}

// New builds the binary of the repository at root for the application in folder.
func New(t *testing.T, root, folder string) *App {
	t.Helper()
	dir := t.TempDir()
	a := &App{root: root, binary: filepath.Join(dir, "lambent"), folder: folder, dir: dir, port: freePort(t)}
	a.Run(t, "go", "build", "-o", a.binary, "./cmd/lambent")
	return a
}

// Dir is a folder of the test, in which the platform has its data in the folder data.
func (a *App) Dir() string { return a.dir }

// URL is the platform's endpoint over HTTP.
func (a *App) URL() string { return "http://127.0.0.1:" + strconv.Itoa(a.port) }

// Up starts the platform with the application, and returns how to kill it and, when it is deployed, the outputs of its stack: those that are printed up to last.
func (a *App) Up(t *testing.T, last string) (outputs map[string]string, kill func()) {
	t.Helper()
	cmd := exec.Command(a.binary, "up", a.folder, "--listen", "127.0.0.1:"+strconv.Itoa(a.port), "--data-dir", filepath.Join(a.dir, "data"))
	var talk bytes.Buffer
	cmd.Stderr = &talk
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(func() {
		kill()
		if t.Failed() {
			t.Logf("the platform said:\n%s", talk.String())
		}
	})
	watchdog := time.AfterFunc(limit, kill)
	defer watchdog.Stop()
	outputs = map[string]string{}
	lines := bufio.NewScanner(out)
	for outputs[last] == "" && lines.Scan() {
		if f := strings.Fields(lines.Text()); len(f) == 2 {
			outputs[f[0]] = f[1]
		}
	}
	if outputs[last] == "" {
		t.Fatalf("up did not deploy the application: there is no output %s", last)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return outputs, kill
}

// Run runs a program in the root of the repository and returns what it prints.
func (a *App) Run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Dir = a.root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func freePort(t *testing.T) int {
	t.Helper()
	for port := 19000 + os.Getpid()%1000; port < 21000; port++ {
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no free port")
	return 0
}
