package lambda

import (
	"embed"
	"os"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/test/pytest"
	"lambent.dev/lambent/test/pytest/localstack"
)

//go:embed localstack/*.txt
var lists embed.FS

// TestLocalStack runs the tests whose answers were recorded of AWS, as they run against AWS: each part against a server of its own. They take accounts of zeros for another
// thing in the names of shards.
func TestLocalStack(t *testing.T) {
	t.Parallel()
	for name, part := range map[string]struct {
		files []string
		test  func(pytest.Case) string
	}{
		"functions": {[]string{
			"lambda_/test_lambda.py", "lambda_/test_lambda_destinations.py", "lambda_/test_lambda_integration_xray.py", "lambda_/test_lambda_runtimes.py",
			"lambda_/test_lambda_unzip_crash.py",
		}, localstack.Path("lambda_")},
		"api":      {[]string{"lambda_/test_lambda_api.py", "lambda_/test_lambda_common.py", "lambda_/test_lambda_developer_tools.py"}, localstack.Path("lambda_")},
		"mappings": {[]string{"lambda_/event_source_mapping"}, localstack.Path("lambda_.event_source_mapping")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of the time of these tests is waiting
			list, err := lists.ReadFile("localstack/" + name + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			r := localstack.Run(t, localstack.Suite{
				Target: "compat-lambda", Folders: part.files, Account: "123456789012", Sandbox: config.SandboxAuto, Data: os.Getenv("LAMBDA_SDK"),
				Plugins: []string{"recordings"}, Timeout: "300",
			})
			pytest.Judge(t, r, string(list), part.test)
		})
	}
}
