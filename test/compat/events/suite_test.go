package events

import (
	_ "embed"
	"os"
	"path/filepath"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/test/pytest"
)

var (
	//go:embed ministack.txt
	ministack string
	//go:embed floci.txt
	floci string
)

// TestMain lets this binary be the child process that the server's sandbox starts.
func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

// suite is a suite of pytest in a folder.
type suite struct {
	folder string // in that of the repository
	files  []string
	env    string // the variable that names the server
}

// run runs a suite that has been fetched into the folder that a variable names, against a server of its own.
func (x suite) run(t *testing.T, variable, list string) {
	dir := os.Getenv(variable)
	if dir == "" {
		t.Skipf("%s is not set: run make compat-events", variable)
	}
	cfg := config.Default()
	cfg.DataDir, cfg.Sandbox = t.TempDir(), config.SandboxOff
	url := pytest.Serve(t, cfg)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	env := []string{"PYTHONPATH=" + here, "AWS_ENDPOINT_URL=" + url, x.env + "=" + url, "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_DEFAULT_REGION=us-east-1"}
	folder := filepath.Join(dir, filepath.FromSlash(x.folder))
	r := pytest.Run(t, os.Getenv("EVENTS_PYTHON"), folder, env, append([]string{"-p", "suite", "--timeout", "90"}, x.files...)...)
	pytest.Judge(t, r, list, pytest.ByClass)
}

func TestMiniStack(t *testing.T) {
	suite{folder: ".", env: "MINISTACK_ENDPOINT", files: []string{
		"tests/test_sqs.py", "tests/test_sns.py", "tests/test_eventbridge.py", "tests/test_scheduler.py", "tests/test_pipes.py", "tests/test_kinesis.py", "tests/test_firehose.py",
		"tests/test_ec2.py",
	}}.run(t, "MINISTACK", ministack)
}

func TestFloci(t *testing.T) {
	suite{folder: "compatibility-tests/sdk-test-python", env: "FLOCI_ENDPOINT", files: []string{
		"tests/test_sqs.py", "tests/test_sns.py", "tests/test_pipes.py", "tests/test_kinesis.py", "tests/test_s3_notifications.py",
	}}.run(t, "FLOCI", floci)
}
