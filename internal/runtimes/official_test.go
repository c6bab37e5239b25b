package runtimes

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/image/imagetest"
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
	s, out := b.spec(t, id, handler, nil, WrapperVariable+"=/var/task/start", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST")
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

// folder is a layer with everything in a folder, below another name, and with files beside that.
func folder(t *testing.T, dir, at string, files map[string]string) []byte {
	t.Helper()
	var entries []imagetest.Entry
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		e := imagetest.Entry{Name: path.Join(at, rel), File: name}
		if d.Type()&os.ModeSymlink != 0 {
			e.File, e.Type = "", tar.TypeSymlink
			if e.Link, err = os.Readlink(name); err != nil {
				return err
			}
		}
		entries = append(entries, e)
		return err
	})
	if err != nil {
		t.Fatalf("AWS's client is missing (%v); run: make clients", err)
	}
	for name, content := range files {
		entries = append(entries, imagetest.Entry{Name: path.Join(at, name), Content: content})
	}
	return imagetest.Layer(t, entries...)
}

// inImage runs a function of an image, in a fresh and in a held sandbox, and has each answer twice and fail in between.
func inImage(t *testing.T, made *imagetest.Image, handler, failure string) {
	t.Helper()
	b := newBench(t, sandbox.Options{})
	if !b.host.Report().Isolated() {
		t.Skip(b.host.Report().Layer(sandbox.LayerNamespaces).Detail)
	}
	i := loadImage(t, openImages(t), made)
	for _, b.parked = range []bool{false, true} {
		if b.parked && !b.host.CanPark() {
			continue
		}
		out := &output{}
		s := Spec{
			Name: "f", Runtime: FromImage(i, nil, []string{handler}, ""), Output: out, Limits: sandbox.Limits{MemoryMB: 512},
			Env: []string{"AWS_LAMBDA_FUNCTION_NAME=f", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=512", "AWS_LAMBDA_FUNCTION_VERSION=$LATEST", "AWS_REGION=us-east-1"},
		}
		b.begin(t, &s).wantAnswers(t, out, failure)
	}
}

// libraries is a layer with what programs of this machine are linked with, and the programs, unless they are of the project.
func libraries(t *testing.T, programs ...string) []byte {
	t.Helper()
	var entries []imagetest.Entry
	var all []byte
	for _, program := range programs {
		linked, err := exec.Command("ldd", program).Output()
		if err != nil {
			t.Fatal(err)
		}
		if all = append(all, linked...); filepath.IsAbs(program) {
			entries = append(entries, imagetest.Entry{Name: program, File: program})
		}
	}
	for _, file := range regexp.MustCompile(`\s/\S+`).FindAllString(string(all), -1) {
		file = filepath.Clean(strings.TrimSpace(file))
		entries = append(entries, imagetest.Entry{Name: file, File: file})
	}
	return imagetest.Layer(t, entries...)
}

// systemLibraries is a layer with libraries of the system.
func systemLibraries(t *testing.T, names ...string) []byte {
	t.Helper()
	var entries []imagetest.Entry
	for _, name := range names {
		found, err := filepath.Glob("/lib/*-linux-gnu/" + name)
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: found %v, %v", name, found, err)
		}
		entries = append(entries, imagetest.Entry{Name: found[0], File: found[0]})
	}
	return imagetest.Layer(t, entries...)
}

const imagePython = `
import os
def handler(event, context):
    if event.get("act") == "fail":
        raise ValueError("no luck")
    return {"hello": " ".join([event["name"], context.aws_request_id, str(context.get_remaining_time_in_millis() > 0).lower()])}
`

// TestAWSClientForPythonRunsInAnImage has an image as AWS documents it: a Python with awslambdaric, whose command is the handler.
func TestAWSClientForPythonRunsInAnImage(t *testing.T) {
	made, version := pythonImage(t)
	client := filepath.Join("..", "..", ".venv", "ric")
	native, err := filepath.Glob(filepath.Join(client, "runtime_client*.so"))
	if err != nil || len(native) != 1 {
		t.Fatalf("AWS's client is missing (%v); run: make clients", err)
	}
	made.Layers = append(made.Layers, libraries(t, native[0]), folder(t, client, "function", map[string]string{"app.py": imagePython}))
	made.Entrypoint, made.Command, made.WorkingDir = []string{"/usr/bin/python" + version, "-m", "awslambdaric"}, []string{"missing.handler"}, "/function"
	inImage(t, &made, "app.handler", `{"errorMessage":"no luck","errorType":"ValueError","requestId":"id-0","stackTrace":["  File \"/function/app.py\", line 5, in handler`)
}

// TestAWSClientForNodeRunsInAnImage has an image with node and aws-lambda-ric.
func TestAWSClientForNodeRunsInAnImage(t *testing.T) {
	client := fetched(t, "node")
	inImage(t, &imagetest.Image{
		Layers:     [][]byte{libraries(t, "/usr/bin/node"), folder(t, client, "function", map[string]string{"app.js": officialNode})},
		Entrypoint: []string{"/usr/bin/node", "/function/node_modules/aws-lambda-ric/bin/index.mjs"}, WorkingDir: "/function",
	}, "app.handler", `{"errorType":"RangeError","errorMessage":"no luck"`)
}

// TestAWSClientForJavaRunsInAnImage has an image with a Java runtime and AWS's client for it.
func TestAWSClientForJavaRunsInAnImage(t *testing.T) {
	client := fetched(t, "java")
	java, err := filepath.EvalSymlinks("/usr/bin/java")
	if err != nil {
		t.Skip(err)
	}
	home := filepath.Dir(filepath.Dir(java))
	inImage(t, &imagetest.Image{
		Layers: [][]byte{
			libraries(t, java, filepath.Join(home, "lib/server/libjvm.so")), imagetest.Tree(t, home, "/etc/java-17-openjdk"),
			// The client's native library is in its archive, and linked with these.
			systemLibraries(t, "librt.so.1", "libpthread.so.0", "libdl.so.2", "libm.so.6"),
			folder(t, client, "function", nil),
		},
		Entrypoint: []string{java, "-cp", "/function/*:/function", "com.amazonaws.services.lambda.runtime.api.client.AWSLambda"}, WorkingDir: "/function",
	}, "Hello", `{"errorMessage":"no luck","errorType":"java.lang.IllegalStateException"`)
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
		var body bytes.Buffer
		if err == nil {
			err = json.Compact(&body, answer.Body)
		}
		if err != nil || answer.Failed != tc.failed || !strings.HasPrefix(body.String(), tc.answer) {
			t.Errorf("%s: %v, failed %v, %s, want %s\n%s", tc.event, err, answer.Failed, answer.Body, tc.answer, out)
		}
	}
}

// TestAWSClientForRustRunsUnmodified runs a function of the crate lambda_runtime, as a package and in an image.
func TestAWSClientForRustRunsUnmodified(t *testing.T) {
	program := filepath.Join(fetched(t, "rust"), "release", "lambdarust")
	const failure = `{"errorType":"&alloc::boxed::Box<dyn core::error::Error + core::marker::Send + core::marker::Sync>","errorMessage":"no luck"}`
	b := newBench(t, sandbox.Options{})
	s, out := b.spec(t, "provided.al2023", "bootstrap", nil, "AWS_LAMBDA_FUNCTION_VERSION=$LATEST")
	if err := os.Link(program, filepath.Join(s.Code, "bootstrap")); err != nil {
		t.Fatal(err)
	}
	b.begin(t, &s).wantAnswers(t, out, failure)
	inImage(t, &imagetest.Image{
		Layers:     [][]byte{libraries(t, program), imagetest.Layer(t, imagetest.Entry{Name: "app/main", File: program})},
		Entrypoint: []string{"/app/main"},
	}, "ignored", failure)
}
