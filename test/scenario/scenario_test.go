package scenario

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// clients are the clients under test, and the programs that drive them.
func clients(root string) map[string][]string {
	python := filepath.Join(root, ".venv", "bin", "python")
	drivers := filepath.Join(root, "test", "scenario", "drivers")
	return map[string][]string{
		"boto3": {python, filepath.Join(drivers, "boto3_driver.py")},
		"cli":   {python, filepath.Join(drivers, "cli_driver.py")},
	}
}

func TestScenarios(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	all := clients(root)
	if _, err := os.Stat(all["boto3"][0]); err != nil {
		t.Skip("the AWS clients are not installed; make clients installs them")
	}
	binary := filepath.Join(t.TempDir(), "lambent")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/lambent")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	boto3 := resident(t, all["boto3"])
	for name, command := range all {
		t.Run(name, func(t *testing.T) {
			client := boto3
			if name != "boto3" {
				client = resident(t, command)
			}
			testscript.Run(t, testscript.Params{
				Dir: "testdata", Cmds: commands(), RequireExplicitExec: true, RequireUniqueNames: true,
				Setup: func(env *testscript.Env) error { return setup(env, root, binary, client, boto3) },
			})
		})
	}
}

func resident(t *testing.T, command []string) *driver {
	t.Helper()
	d, err := startDriver(command...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

// setup starts a platform in the script's folder.
func setup(env *testscript.Env, root, binary string, client, boto3 *driver) error {
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
