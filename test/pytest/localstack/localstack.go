// Package localstack runs tests of LocalStack (localstack/localstack, Apache-2.0) against a Lambent as they run against AWS: most of them compare what is answered with what
// was recorded of AWS. The tests are not part of this repository: targets of the Makefile fetch them at a pinned commit, with their framework.
//
// suite.py, a plugin of pytest, leads every host under amazonaws.com to the Lambent, has an IAM user make the calls, and leaves out of the comparison what cannot be the same
// here. Its head tells what that is. With recordings.py every test runs that has a recording, also one that LocalStack skips because its own answer is another.
package localstack

import (
	"embed"
	"os"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/test/pytest"
)

//go:embed *.py
var plugins embed.FS

// Suite is a part of the tests.
type Suite struct {
	Target  string   // the target of the Makefile that fetches and runs it
	Folders []string // or files, in that of all services: "sqs", "lambda_/test_lambda.py"
	Account string   // in which the tests run
	Sandbox string   // the setting: how functions are isolated
	Data    string   // a folder with which the data folder begins; without one everything is kept in memory
	Plugins []string // of pytest, besides suite.py: "recordings", or in the folder of the caller
	Timeout string   // of one test, in seconds
}

// Run runs a suite against a server of its own and returns pytest's report. It skips t where the tests are not there. The test binary must call sandbox.MaybeChild in
// TestMain when functions are isolated.
func Run(t *testing.T, s Suite) pytest.Report {
	t.Helper()
	dir, python := os.Getenv("LOCALSTACK_SUITE"), os.Getenv("LOCALSTACK_PYTHON")
	if dir == "" || python == "" {
		t.Skip("LOCALSTACK_SUITE is not set: run make " + s.Target)
	}
	cfg := config.Default()
	cfg.DataDir, cfg.Ephemeral, cfg.Sandbox, cfg.Account = t.TempDir(), s.Data == "", s.Sandbox, s.Account
	if s.Data != "" {
		if err := os.CopyFS(cfg.DataDir, os.DirFS(s.Data)); err != nil {
			t.Fatal(err)
		}
	}
	url := pytest.Serve(t, cfg)
	ours := t.TempDir()
	if err := os.CopyFS(ours, plugins); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{
		"PYTHONPATH=" + strings.Join([]string{ours, here, dir}, string(os.PathListSeparator)), "PYTHONDONTWRITEBYTECODE=1", "TEST_TARGET=AWS_CLOUD", "DISABLE_EVENTS=1",
		"AWS_ENDPOINT_URL=" + url, "AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "TEST_AWS_ACCOUNT_ID=" + s.Account,
	}
	args := []string{"-p", "suite", "--timeout", s.Timeout}
	for _, p := range s.Plugins {
		args = append(args, "-p", p)
	}
	for _, f := range s.Folders {
		args = append(args, "tests/aws/services/"+f)
	}
	return pytest.Run(t, python, dir, env, args...)
}

// Path names a test by its file and class, from the folder that is given on, as in "api.test_stacks.TestStacksApi::test_one".
func Path(folder string) func(pytest.Case) string {
	return func(c pytest.Case) string {
		_, class, _ := strings.Cut(c.Class, "aws.services."+folder+".")
		return class + "::" + c.Name
	}
}
