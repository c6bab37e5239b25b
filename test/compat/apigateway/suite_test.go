package apigateway

import (
	_ "embed"
	"os"
	"testing"

	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/sandbox"
	"lambent.dev/lambent/test/pytest"
	"lambent.dev/lambent/test/pytest/localstack"
)

//go:embed unmet.txt
var unmet string

// TestMain lets the sandbox of the server start its helper from this binary.
func TestMain(m *testing.M) {
	sandbox.MaybeChild()
	os.Exit(m.Run())
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	r := localstack.Run(t, localstack.Suite{
		Target: "compat-apigateway", Folders: []string{"apigateway"}, Account: "123412341234", // no other: documents name the usual one
		Sandbox: config.SandboxOff, Timeout: "90", Plugins: []string{"apigateway"},
	})
	pytest.Judge(t, r, unmet, localstack.Path("apigateway"))
}
