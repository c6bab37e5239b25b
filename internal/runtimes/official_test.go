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

// official starts a function whose runtime is AWS's own client for the language: what is in the folder client, started by the wrapper.
func (b *bench) official(t *testing.T, id, handler, client, wrapper string, files map[string]string) (*Environment, *output) {
	t.Helper()
	files["start"] = "#!/bin/sh\n" + wrapper + "\n"
	s, out := b.spec(t, id, handler, nil, wrapperVariable+"=/var/task/start", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST")
	s.Code = t.TempDir()
	if err := errors.Join(os.Chmod(s.Code, 0o755), os.CopyFS(s.Code, os.DirFS(client))); err != nil {
		t.Fatalf("AWS's client is missing (%v); run: make clients", err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(s.Code, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.Limits.MemoryMB = 512
	return b.begin(t, &s), out
}

// fetched is the folder of a client that `make test-clients-functions` fetches; the test is skipped where that is not asked for.
func fetched(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("FUNCTION_CLIENTS")
	if dir == "" {
		t.Skip("this takes minutes to fetch and build; run: make test-clients-functions")
	}
	return filepath.Join(dir, name)
}

const officialPython = `
import os, sys
def handler(event, context):
    if event.get("act") == "fail":
        raise ValueError("no luck")
    if event.get("act") == "exit":
        os._exit(3)
    return {"hello": event["name"], "id": context.aws_request_id, "arn": context.invoked_function_arn, "left": context.get_remaining_time_in_millis() > 0, "client": "awslambdaric" in sys.modules}
`

// TestAWSClientForPythonRunsUnmodified runs awslambdaric as pip installs it, over the Runtime API's port.
func TestAWSClientForPythonRunsUnmodified(t *testing.T) {
	b := newBench(t, sandbox.Options{})
	e, out := b.official(t, "python3.11", "app.handler", filepath.Join("..", "..", ".venv", "ric"), `PYTHONPATH=/var/task exec "$1" -m awslambdaric "$_HANDLER"`, map[string]string{"app.py": officialPython})
	for _, tc := range []struct {
		event, answer string
		failed        bool
	}{
		{`{"name":"ann"}`, `{"hello": "ann", "id": "id-0", "arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "left": true, "client": true}`, false},
		{`{"act":"fail"}`, `{"errorMessage": "no luck", "errorType": "ValueError", "requestId": "id-0", "stackTrace": ["  File \"/var/task/app.py\", line 5, in handler\n    raise ValueError(\"no luck\")\n"]}`, true},
		{`{"name":"again"}`, `{"hello": "again", "id": "id-0", "arn": "arn:aws:lambda:us-east-1:000000000000:function:f", "left": true, "client": true}`, false},
	} {
		answer, err := e.Invoke(t.Context(), event("id-0", tc.event))
		if err != nil || answer.Failed != tc.failed || string(answer.Body) != tc.answer {
			t.Errorf("%s: %v, failed %v, %s, want %s\n%s", tc.event, err, answer.Failed, answer.Body, tc.answer, out)
		}
	}
	var exit *ExitError
	if _, err := e.Invoke(t.Context(), event("id-1", `{"act":"exit"}`)); !errors.As(err, &exit) || exit.Exit.Code != 3 {
		t.Errorf("after an exit: %v", err)
	}
}

// TestAWSClientForJavaRunsUnmodified runs aws-lambda-java-runtime-interface-client, with its native library.
func TestAWSClientForJavaRunsUnmodified(t *testing.T) {
	client := fetched(t, "java")
	b := newBench(t, sandbox.Options{})
	e, out := b.official(t, "java17", "Hello", client, `exec "$1" -cp '/var/task/*:/var/task' com.amazonaws.services.lambda.runtime.api.client.AWSLambda "$_HANDLER"`, map[string]string{})
	e.wantAnswers(t, out, `{"errorMessage":"no luck","errorType":"java.lang.IllegalStateException","stackTrace":["Hello.handleRequest(Hello.java:8)","Hello.handleRequest(Hello.java:5)"]}`)
}

const officialNode = `exports.handler = async (event, context) => {
  if (event.act === 'fail') throw new RangeError('no luck');
  return {hello: [event.name, context.awsRequestId, context.getRemainingTimeInMillis() > 0].join(' ')};
};
`

// TestAWSClientForNodeRunsUnmodified runs aws-lambda-ric, with its native library.
func TestAWSClientForNodeRunsUnmodified(t *testing.T) {
	client := fetched(t, "node")
	b := newBench(t, sandbox.Options{})
	e, out := b.official(t, "nodejs20.x", "app.handler", client, `exec "$1" /var/task/node_modules/aws-lambda-ric/bin/index.mjs "$_HANDLER"`, map[string]string{"app.js": officialNode})
	e.wantAnswers(t, out, `{"errorType":"RangeError","errorMessage":"no luck","trace":["RangeError: no luck","    at exports.handler (/var/task/app.js:2:35)"`)
}

// wantAnswers has a function answer, fail and answer again. failure begins its error document.
func (e *Environment) wantAnswers(t *testing.T, out *output, failure string) {
	t.Helper()
	for _, tc := range []struct {
		event, answer string
		failed        bool
	}{{`{"name":"ann"}`, `{"hello":"ann id-0 true"}`, false}, {`{"act":"fail"}`, failure, true}, {`{"name":"bob"}`, `{"hello":"bob id-0 true"}`, false}} {
		answer, err := e.Invoke(t.Context(), event("id-0", tc.event))
		if err != nil || answer.Failed != tc.failed || !strings.HasPrefix(string(answer.Body), tc.answer) {
			t.Errorf("%s: %v, failed %v, %s, want %s\n%s", tc.event, err, answer.Failed, answer.Body, tc.answer, out)
		}
	}
}
