// Package clients runs unmodified AWS clients against a server in this process. The clients are pinned in the Makefile and live in
// the project's own folders; `make test` installs them.
package clients

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

// start starts a server in memory.
func start(t *testing.T) *server.Server {
	t.Helper()
	cfg := config.Default()
	cfg.Ephemeral, cfg.Listen = true, "127.0.0.1:0"
	s, err := server.Start(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// python runs a script of this folder with the pinned clients and returns what it printed.
func python(t *testing.T, script string, input any) (string, error) {
	t.Helper()
	program := filepath.Join("..", "..", ".venv", "bin", "python")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("the pinned clients are missing (%v); run: make clients", err)
	}
	in, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, script)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// botoNames are the names of clients that are not the generated package's name.
var botoNames = map[string]string{
	"acmpca": "acm-pca", "applicationautoscaling": "application-autoscaling", "cloudfrontkeyvaluestore": "cloudfront-keyvaluestore",
	"cognitoidentity": "cognito-identity", "cognitoidp": "cognito-idp", "rdsdata": "rds-data",
}

func TestEveryOperationWithoutAHandlerAnswersByItsName(t *testing.T) {
	s := start(t)
	services := map[string]map[string][]string{}
	for _, api := range server.APIs() {
		schema, err := api.Schema()
		if err != nil {
			t.Fatal(err)
		}
		name := api.Name
		if n, ok := botoNames[name]; ok {
			name = n
		}
		missing := []string{} // a list in JSON, also when it is empty
		for _, op := range schema.Operations {
			// CreateBucket of S3 Control, for Outposts, looks like the upload of an object.
			if !s.Implements(api.Name, op.Name) && (name != "s3control" || op.Name != "CreateBucket") {
				missing = append(missing, op.Name)
			}
		}
		services[name] = map[string][]string{"operations": missing}
	}
	out, err := python(t, "unimplemented.py", map[string]any{"endpoint": s.URL(), "services": services})
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.TrimSpace(out))
	}
	t.Log(strings.TrimSpace(out))
}
