package events

import (
	"embed"
	"errors"
	"io/fs"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/test/pytest"
	"lambent.dev/lambent/test/pytest/localstack"
)

//go:embed localstack/*.txt
var recorded embed.FS

// TestLocalStack runs the tests whose answers were recorded of AWS, as they run against AWS: those of a service against a server of its own.
func TestLocalStack(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"events", "sqs", "sns", "kinesis", "scheduler", "firehose", "cloudwatch"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time of these tests is waiting
			list, err := recorded.ReadFile("localstack/" + name + ".txt")
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			r := localstack.Run(t, localstack.Suite{
				Target: "compat-recorded-events", Folders: []string{name}, Account: config.Default().Account, Sandbox: config.SandboxOff, Timeout: "90",
			})
			pytest.Judge(t, r, string(list), pytest.ByClass)
		})
	}
}
