package scenario

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"lambent.dev/lambent/test/driver"
)

// The AWS CLI writes and reads messages with the library of boto3, and takes a third of the time of all three: make scenarios runs it too.
var sdks = flag.String("sdk", "boto3,js", "the clients to run the scripts with, separated by commas: boto3, cli, js")

// client is a client under test.
type client struct {
	command   []string // starts its driver
	installed string   // is there when make clients has installed it
}

func clients(root string) map[string]client {
	python := filepath.Join(root, ".venv", "bin", "python")
	drivers := filepath.Join(root, "test", "driver")
	return map[string]client{
		"boto3": {[]string{python, filepath.Join(drivers, "boto3_driver.py")}, python},
		"cli":   {[]string{python, filepath.Join(drivers, "cli_driver.py")}, filepath.Join(root, ".venv", "bin", "aws")},
		"js":    {[]string{"node", filepath.Join(drivers, "js_driver.mjs")}, filepath.Join(root, "test", "js", "node_modules", "@aws-sdk", "client-s3")},
	}
}

func TestScenarios(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	all := clients(root)
	skipWithout(t, "boto3", all["boto3"]) // it makes the presigned URLs of every client
	binary := filepath.Join(t.TempDir(), "lambent")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/lambent")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	boto3 := resident(t, all["boto3"].command)
	for name := range strings.SplitSeq(*sdks, ",") {
		t.Run(name, func(t *testing.T) {
			c, known := all[name]
			if !known {
				t.Fatalf("there is no client %q; -sdk takes boto3, cli and js", name)
			}
			skipWithout(t, name, c)
			d := boto3
			if name != "boto3" {
				d = resident(t, c.command)
			}
			testscript.Run(t, testscript.Params{
				Dir: "testdata", Cmds: commands(), RequireExplicitExec: true, RequireUniqueNames: true,
				Setup: func(env *testscript.Env) error { return setup(env, root, binary, d, boto3) },
			})
		})
	}
}

// skipWithout skips a test whose client is not installed.
func skipWithout(t *testing.T, name string, c client) {
	t.Helper()
	for _, path := range []string{c.command[0], c.installed} {
		_, err := os.Stat(path)
		if !filepath.IsAbs(path) {
			_, err = exec.LookPath(path)
		}
		if err != nil {
			t.Skipf("the client %s is not installed (%v); make clients installs it", name, err)
		}
	}
}

func resident(t *testing.T, command []string) *driver.Driver {
	t.Helper()
	d, err := driver.Start(command...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// setup starts a platform in the script's folder.
func setup(env *testscript.Env, root, binary string, client, boto3 *driver.Driver) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	p := &platform{binary: binary, dir: env.WorkDir, port: port}
	if err := p.start(); err != nil {
		return err
	}
	w := &world{platform: p, client: client, boto3: boto3}
	env.Values[worldKey{}] = w
	env.Defer(func() {
		if err := p.stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	})
	env.Setenv("URL", p.url())
	env.Setenv("ROOT", root)
	env.Setenv("KEY", "test")
	env.Setenv("SECRET", "test")
	return nil
}
