package lambda

import (
	_ "embed"
	"os"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/test/pytest"
	"lambent.dev/lambent/test/pytest/localstack"
)

//go:embed localstack.txt
var localstackUnmet string

// TestLocalStack runs the tests whose answers were recorded of AWS, as they run against AWS. They take accounts of zeros for another thing in the names of shards.
func TestLocalStack(t *testing.T) {
	r := localstack.Run(t, localstack.Suite{
		Target: "compat-lambda", Folders: []string{"lambda_"}, Account: "123456789012", Sandbox: config.SandboxAuto, Data: os.Getenv("LAMBDA_SDK"),
		Plugins: []string{"recordings"}, Timeout: "150",
	})
	pytest.Judge(t, r, localstackUnmet, localstack.Path("lambda_"))
}
