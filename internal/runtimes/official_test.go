package runtimes

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/sandbox"
)

// TestAWSLibraryForGoRunsUnmodified has a function that is built with aws-lambda-go answer, fail, stream and panic, in a fresh and in a held cell.
func TestAWSLibraryForGoRunsUnmodified(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	program := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = "testdata/lambdago"
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for _, parked := range []bool{false, true} {
		if b.parked = parked; parked && !b.host.CanPark() {
			t.Skip("cells cannot be parked here: that takes root and a memory controller")
		}
		s, out := b.spec(t, "provided.al2023", "bootstrap", nil, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST")
		if err := os.Link(program, filepath.Join(s.Code, "bootstrap")); err != nil {
			t.Fatal(err)
		}
		e := b.begin(t, &s)
		for _, tc := range []struct {
			event, answer string
			failed        bool
		}{
			{`{"name":"ann"}`, `{"hello":"ann","id":"id-0","arn":"arn:aws:lambda:us-east-1:000000000000:function:f","version":"$LATEST","left":true}`, false},
			{`{"act":"fail"}`, `{"errorMessage":"no luck","errorType":"errorString"}`, true},
			{`{"act":"stream","name":"x"}`, "{\"statusCode\":201,\"headers\":{\"Content-Type\":\"text/plain\"}}\x00\x00\x00\x00\x00\x00\x00\x00streamed x", false},
		} {
			answer, err := e.Invoke(t.Context(), event("id-0", tc.event))
			if err != nil || answer.Failed != tc.failed || string(answer.Body) != tc.answer {
				t.Errorf("%s: %v, failed %v, %q, want %q\n%s", tc.event, err, answer.Failed, answer.Body, tc.answer, out)
			}
		}
		answer, err := e.Invoke(t.Context(), event("id-1", `{"act":"panic"}`))
		if err != nil || !answer.Failed || !strings.HasPrefix(string(answer.Body), `{"errorMessage":"lost","errorType":"string","stackTrace":[`) {
			t.Errorf("panic: %v %s", err, answer.Body)
		}
		var exit *ExitError
		if err := e.WaitReady(t.Context()); !errors.As(err, &exit) {
			t.Errorf("after a panic: %v, want the exit of the process", err)
		}
	}
}
