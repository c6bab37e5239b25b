package events

import (
	_ "embed"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/test/pytest"
	"lambent.dev/lambent/test/pytest/localstack"
)

//go:embed localstack.txt
var recorded string

// TestLocalStack runs the tests whose answers were recorded of AWS, as they run against AWS.
func TestLocalStack(t *testing.T) {
	r := localstack.Run(t, localstack.Suite{
		Target: "compat-recorded-events", Folders: []string{"sqs", "sns", "events", "kinesis", "scheduler", "firehose"},
		Account: config.Default().Account, Sandbox: config.SandboxOff, Timeout: "90",
	})
	pytest.Judge(t, r, recorded, pytest.ByClass)
}
