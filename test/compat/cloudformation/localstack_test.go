package cloudformation

import (
	_ "embed"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/test/pytest"
	"lambent.dev/lambent/test/pytest/localstack"
)

//go:embed localstack.txt
var unmet string

// TestLocalStack runs LocalStack's tests of CloudFormation (localstack/localstack, Apache-2.0), most of which compare what is answered with what was recorded of AWS.
func TestLocalStack(t *testing.T) {
	r := localstack.Run(t, localstack.Suite{
		Target: "compat-recorded-cloudformation", Folders: []string{"cloudformation"}, Account: config.Default().Account, Sandbox: config.SandboxOff,
		Plugins: []string{"recordings", "cloudformation"}, Timeout: "120",
	})
	pytest.Judge(t, r, unmet, localstack.Path("cloudformation"))
}
