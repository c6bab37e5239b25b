// Package deploy runs the tools that people deploy with, unmodified, against a server in this process: the CDK CLI, the Serverless Framework (osls), the SAM CLI and, where it is installed, Terraform.
// Each script of testdata is a project and what is done with it; lambent.txtar has `lambent deploy` run the tools. `make test-clients-deploy` installs the tools, pinned, and runs them.
package deploy

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/internal/server"
)

func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

func TestTools(t *testing.T) {
	tools := os.Getenv("DEPLOY_TOOLS")
	if tools == "" {
		t.Skip("DEPLOY_TOOLS is not set: run make test-clients-deploy")
	}
	binary := filepath.Join(t.TempDir(), "lambent")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/lambent")
	build.Dir = filepath.Join("..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, RequireUniqueNames: true,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"get": get},
		Setup: func(env *testscript.Env) error {
			data := filepath.Join(env.WorkDir, ".data")
			sdk := exec.CommandContext(t.Context(), binary, "runtime", "sdk", "nodejs", "--data-dir", data)
			if out, err := sdk.CombinedOutput(); err != nil {
				t.Errorf("runtime sdk: %v\n%s", err, out)
			}
			cfg := config.Default()
			cfg.DataDir, cfg.Listen = data, "127.0.0.1:0"
			s, err := server.Start(context.Background(), cfg, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			env.Defer(func() {
				if err := s.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
			key := s.RootKey()
			env.Vars = append(env.Vars,
				"PATH="+strings.Join([]string{filepath.Join(tools, "js", "node_modules", ".bin"), filepath.Join(tools, "sam", "bin"), filepath.Dir(binary), os.Getenv("PATH")}, ":"),
				"NODE_PATH="+filepath.Join(tools, "js", "node_modules"), "NODE_NO_WARNINGS=1", "TOOLS="+tools, "HOME="+env.WorkDir,
				"AWS_ENDPOINT_URL="+s.URL(), "AWS_ACCESS_KEY_ID="+key.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+key.Secret, "AWS_REGION=us-east-1", "AWS_DEFAULT_REGION=us-east-1",
				"CDK_DISABLE_CLI_TELEMETRY=1", "SAM_CLI_TELEMETRY=0", "SLS_TELEMETRY_DISABLED=1")
			for _, v := range []string{"GOPROXY", "PIP_INDEX_URL", "PIP_TRUSTED_HOST", "npm_config_registry", "SSL_CERT_FILE", "TF_CLI_CONFIG_FILE"} { // where packages come from
				if value, ok := os.LookupEnv(v); ok {
					env.Vars = append(env.Vars, v+"="+value)
				}
			}
			return nil
		},
	})
}

// get fetches a URL of the last command's output and matches the answer: get PATTERN URL-PATTERN. The first group of the URL's pattern is the URL; where there are two, they are an API's id and the
// path behind it, since URLs that a tool makes up have AWS's host names.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get PATTERN URL-PATTERN")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	var url string
	switch len(found) {
	case 2:
		url = found[1]
	case 3:
		url = ts.Getenv("AWS_ENDPOINT_URL") + "/_aws/execute-api/" + found[1] + "/" + found[2]
	default:
		ts.Fatalf("the output has nothing like %s", args[1])
	}
	resp, err := http.Get(url) //nolint:noctx // the server is in this process
	ts.Check(err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if !regexp.MustCompile(args[0]).Match(body) {
		ts.Fatalf("%s answers %s: %s", url, resp.Status, body)
	}
}
