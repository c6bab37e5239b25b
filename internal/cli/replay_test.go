package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const tenantTemplate = `Transform: AWS::Serverless-2016-10-31
Resources:
  Shared:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: shared
      Runtime: python3.11
      Handler: app.handler
      TenancyConfig: {TenantIsolationMode: PER_TENANT}
      CodeUri: f
`

// TestReplayIsForTheSameTenant sends the event of a tenant again to a function that serves nobody without one.
func TestReplayIsForTheSameTenant(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	app := filepath.Join(dir, "app")
	write(t, filepath.Join(app, "template.yaml"), tenantTemplate)
	write(t, filepath.Join(app, "f", "app.py"), "def handler(event, context):\n    return ' '.join([event['n'], context.tenant_id, context.aws_request_id])\n")
	up(t, dir)
	if code, _, talk := run(t, os.Environ(), "deploy", app, "--stack", "s"); code != 0 {
		t.Fatalf("deploy = %d %s", code, talk)
	}
	code, out, talk := run(t, os.Environ(), "invoke", "s/Shared", "--tenant", "blue", "--data", `{"n":"one"}`)
	said := strings.Fields(strings.Trim(strings.TrimSpace(out), `"`))
	if code != 0 || len(said) != 3 || said[0] != "one" || said[1] != "blue" {
		t.Fatalf("invoke = %d %s %s", code, out, talk)
	}
	if code, out, _ := run(t, os.Environ(), "replay"); code != 0 || !strings.Contains(out, "  tenant blue\n") {
		t.Errorf("the list = %d %s", code, out)
	}
	if code, out, talk := run(t, os.Environ(), "replay", said[2], "--edit", `{"n":"two"}`); code != 0 || !strings.HasPrefix(out, `"two blue `) {
		t.Errorf("replay = %d %s %s", code, out, talk)
	}
}
