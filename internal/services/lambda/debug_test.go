package lambda

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
)

// debug opens the debugger of a function, and returns its address and how to end it.
func (f *fixture) debug(t *testing.T, name string) (address string, end func()) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(f.serveDebug))
	t.Cleanup(server.Close)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"?function="+name, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]string
	if err := json.NewDecoder(answer.Body).Decode(&out); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v, %v", answer.StatusCode, out, err)
	}
	return out["address"], func() {
		cancel()
		_ = answer.Body.Close()
		server.Close() // waits for the handler
	}
}

// TestDebuggerOfNodeStopsTheFunction attaches the debugger that Node.js brings along.
func TestDebuggerOfNodeStopsTheFunction(t *testing.T) {
	f := newFixture(t, nil)
	source := "exports.handler = async (event, context) => {\n  debugger;\n  return {sum: event.n + 1, left: context.getRemainingTimeInMillis() > 3600000};\n};\n"
	f.create(t, "f", "nodejs20.x", "index.handler", map[string]string{"index.js": source}, func(in *api.CreateFunctionInput) { in.Timeout = ptr(int32(1)) })
	address, end := f.debug(t, "f")
	answers := make(chan *api.InvokeOutput, 1)
	go func() {
		out, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f", Payload: []byte(`{"n":41}`)})
		if err != nil {
			t.Error(err)
		}
		answers <- out
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	debugger := exec.CommandContext(ctx, "node", "inspect", address)
	stdin, err := debugger.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := debugger.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := debugger.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = debugger.Wait() }()
	read := bufio.NewReader(stdout)
	until := func(text string) {
		t.Helper()
		var seen strings.Builder
		for !strings.Contains(seen.String(), text) {
			c, err := read.ReadByte()
			if err != nil {
				t.Fatalf("the debugger did not say %q but\n%s", text, seen.String())
			}
			seen.WriteByte(c)
		}
	}
	say := func(line string) {
		t.Helper()
		if _, err := io.WriteString(stdin, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	until("break in")
	until("debug> ")
	say("exec('event.n = 10')")
	until("10")
	say("cont")
	if out := <-answers; out == nil || string(out.Payload) != `{"sum":11,"left":true}` {
		t.Errorf("answer %+v", out)
	}
	say(".exit")
	end()
	if out := f.call(t, "f", `{"n":1}`); string(out.Payload) != `{"sum":2,"left":false}` {
		t.Errorf("after debugging: %s", out.Payload)
	}
}

func TestDebuggingEndsWithThePlatform(t *testing.T) {
	stopping := make(chan struct{})
	f := newFixture(t, func(o *Options) { o.Stopping = stopping })
	f.create(t, "f", "nodejs20.x", "index.handler", map[string]string{"index.js": "exports.handler = async () => 1;\n"}, nil)
	w := httptest.NewRecorder()
	close(stopping)
	f.serveDebug(w, httptest.NewRequest(http.MethodPost, "/_lambent/debug?function=f", http.NoBody))
	if w.Code != http.StatusOK || f.debugging.open.Load() != 0 {
		t.Errorf("status %d, %d sessions are open", w.Code, f.debugging.open.Load())
	}
}

// TestDebuggerOfJavaHoldsTheFunction speaks the first words of JDWP, and ends the session while the invocation waits.
func TestDebuggerOfJavaHoldsTheFunction(t *testing.T) {
	f := newFixture(t, nil)
	f.create(t, "f", "java17", "app.Handler::handle", map[string]string{"readme": "never read"}, nil)
	address, end := f.debug(t, "f")
	answers := make(chan *api.InvokeOutput, 1)
	go func() {
		out, err := f.invoke(f.ctx, &api.InvokeInput{FunctionName: "f"})
		if err != nil {
			t.Error(err)
		}
		answers <- out
	}()
	conn, err := net.Dial("tcp4", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const hello = "JDWP-Handshake"
	if _, err := io.WriteString(conn, hello); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, len(hello))
	if _, err := io.ReadFull(conn, buf); err != nil || string(buf) != hello {
		t.Fatalf("%q, %v", buf, err)
	}
	end()
	if out := <-answers; out == nil || orZero(out.FunctionError) == "" || strings.Contains(string(out.Payload), "ClassNotFound") {
		t.Errorf("answer %+v", out)
	}
	if f.debugging.of(poolKey{function: "arn:aws:lambda:us-east-1:000000000000:function:f", version: latest}) != nil {
		t.Error("the session is still there")
	}
}

func TestProgramsThatCannotBeDebuggedAreNamed(t *testing.T) {
	f := newFixture(t, nil)
	f.create(t, "f", "provided.al2023", "x", map[string]string{"bootstrap": "#!/bin/sh\n"}, nil)
	w := httptest.NewRecorder()
	f.serveDebug(w, httptest.NewRequest(http.MethodPost, "/_lambent/debug?function=f", http.NoBody))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "cannot open a debugger of provided.al2023: the function's program is not one of Go") {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}
