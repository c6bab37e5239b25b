package rapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// pair is a session with one connection to it.
func pair(t testing.TB) (*Session, net.Conn) {
	t.Helper()
	s := NewSession("test")
	ours, theirs := net.Pipe()
	done := make(chan struct{})
	go func() {
		s.Serve(ours)
		close(done)
	}()
	t.Cleanup(func() {
		s.Close(ErrClosed)
		_ = theirs.Close()
		<-done
	})
	return s, theirs
}

func send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Error(err)
	}
}

func receive(t testing.TB, r *bufio.Reader) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

const next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: x\r\n\r\n"

func invocation(id string) *Invocation {
	return &Invocation{RequestID: id, FunctionARN: "arn:f", TraceID: "Root=1", ClientContext: "{\"a\":\r\n1}", Deadline: time.UnixMilli(1234), Payload: []byte(`{"n":1}`)}
}

// exchange lets a process ask, get the event and say reply, and returns what Invoke returned and the process was answered.
func exchange(t *testing.T, reply string) (Answer, error, *http.Response) {
	t.Helper()
	s, c := pair(t)
	type outcome struct {
		a   Answer
		err error
	}
	got := make(chan outcome, 1)
	go func() {
		a, err := s.Invoke(t.Context(), invocation("id1"))
		got <- outcome{a, err}
	}()
	r := bufio.NewReader(c)
	send(t, c, next)
	resp, body := receive(t, r)
	for name, want := range map[string]string{
		"Lambda-Runtime-Aws-Request-Id": "id1", "Lambda-Runtime-Deadline-Ms": "1234", "Lambda-Runtime-Invoked-Function-Arn": "arn:f",
		"Lambda-Runtime-Trace-Id": "Root=1", "Lambda-Runtime-Client-Context": `{"a":  1}`, "Content-Type": "application/json",
	} {
		if v := resp.Header.Get(name); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	if body != `{"n":1}` {
		t.Errorf("event %q", body)
	}
	go send(t, c, reply)
	var o outcome
	if strings.HasSuffix(reply, next) { // the acknowledgement comes with the next event
		o = <-got
		go func() { _, _ = s.Invoke(t.Context(), invocation("id2")) }()
	}
	resp, _ = receive(t, r)
	if resp.StatusCode == http.StatusContinue {
		resp, _ = receive(t, r)
	}
	if strings.HasSuffix(reply, next) {
		if resp, _ := receive(t, r); resp.Header.Get("Lambda-Runtime-Aws-Request-Id") != "id2" {
			t.Errorf("what follows the acknowledgement is %v", resp)
		}
	} else {
		o = <-got
	}
	return o.a, o.err, resp
}

func post(path, head, body string) string {
	return "POST /2018-06-01/runtime/" + path + " HTTP/1.1\r\nHost: x\r\n" + head + "\r\n" + body
}

func TestAnswersInEveryFormOfBody(t *testing.T) {
	for name, reply := range map[string]string{
		"length":             post("invocation/id1/response", "Content-Length: 5\r\n", "hello"),
		"chunked":            post("invocation/id1/response", "Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3;ext=1\r\nllo\r\n0\r\n\r\n"),
		"trailer":            post("invocation/id1/response", "transfer-encoding: Chunked\r\n", "5\r\nhello\r\n0\r\nX-Y: z\r\n\r\n"),
		"continue":           post("invocation/id1/response", "Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"),
		"pipelined with GET": post("invocation/id1/response", "Content-Length: 5\r\n", "hello") + next,
		"streamed":           post("invocation/id1/response", "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			a, err, resp := exchange(t, reply)
			if err != nil || string(a.Body) != "hello" || a.Failed || a.Streamed != (name == "streamed") {
				t.Errorf("answer %+v, %v", a, err)
			}
			if resp.StatusCode != http.StatusAccepted {
				t.Errorf("status %d", resp.StatusCode)
			}
		})
	}
}

func TestErrorsAreToldApart(t *testing.T) {
	doc := `{"errorMessage":"m","errorType":"T"}`
	length := func(s string) string { return "Content-Length: " + itoa(len(s)) + "\r\n" }
	for name, tc := range map[string]struct {
		reply, kind, body string
		err               error
		status            int
	}{
		"error":        {post("invocation/id1/error", "Lambda-Runtime-Function-Error-Type: Function.MyType\r\n"+length(doc), doc), "Function.MyType", doc, nil, 202},
		"no type":      {post("invocation/id1/error", length(doc), doc), "Runtime.Unknown", doc, nil, 202},
		"no JSON":      {post("invocation/id1/error", "Content-Length: 1\r\n", "{"), "Runtime.Unknown", `{"errorMessage":"the function reported an error that is not JSON","errorType":"Runtime.Unknown"}`, nil, 202},
		"bad mode":     {post("invocation/id1/response", "Lambda-Runtime-Function-Response-Mode: x\r\nContent-Length: 0\r\n", ""), "Runtime.InvalidResponseModeHeader", `{"errorMessage":"Invalid response mode header: x","errorType":"Runtime.InvalidResponseModeHeader"}`, nil, 400},
		"in a trailer": {post("invocation/id1/response", "Lambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\nLambda-Runtime-Function-Error-Type: Runtime.Late\r\nLambda-Runtime-Function-Error-Body: Ym9keQ==\r\n\r\n"), "Runtime.Late", "Ym9keQ==", nil, 202},
		"too large":    {post("invocation/id1/response", "Content-Length: 6291557\r\n", strings.Repeat("x", 6291557)), "", "", ErrTooLarge, 413},
	} {
		t.Run(name, func(t *testing.T) {
			a, err, resp := exchange(t, tc.reply)
			if !errors.Is(err, tc.err) || a.ErrorType != tc.kind || string(a.Body) != tc.body || a.Failed != (tc.err == nil) {
				t.Errorf("answer %s %+v, %v", a.Body, a, err)
			}
			if resp.StatusCode != tc.status {
				t.Errorf("status %d, want %d", resp.StatusCode, tc.status)
			}
		})
	}
}

func itoa(n int) string {
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

func TestLargestAnswerPasses(t *testing.T) {
	a, err, _ := exchange(t, post("invocation/id1/response", "Content-Length: 6291556\r\n", strings.Repeat("x", 6291556)))
	if err != nil || len(a.Body) != 6291556 {
		t.Errorf("%d bytes, %v", len(a.Body), err)
	}
}

func TestTruncatedAnswerIsNoAnswer(t *testing.T) {
	s, c := pair(t)
	got := make(chan error, 1)
	go func() {
		_, err := s.Invoke(t.Context(), invocation("id1"))
		got <- err
	}()
	send(t, c, next)
	receive(t, bufio.NewReader(c))
	send(t, c, post("invocation/id1/response", "Content-Length: 10\r\n", "half"))
	_ = c.Close()
	if err := <-got; !errors.Is(err, ErrTruncated) {
		t.Errorf("error %v", err)
	}
}

func TestWrongStatesAreRefused(t *testing.T) {
	s, c := pair(t)
	r := bufio.NewReader(c)
	for _, tc := range []struct {
		request string
		status  int
	}{
		{post("invocation/other/response", "Content-Length: 0\r\n", ""), 400},
		{post("invocation/other/error", "Content-Length: 0\r\n", ""), 400},
		{"GET /2018-06-01/runtime/nothing HTTP/1.1\r\n\r\n", 404},
		{"PUT /2022-07-01/telemetry HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 403},
		{"PUT /2020-08-15/logs HTTP/1.1\r\nLambda-Extension-Identifier: nobody\r\nContent-Length: 2\r\n\r\n{}", 403},
		{"GET /2020-08-15/logs HTTP/1.1\r\n\r\n", 404},
		{"POST /2020-01-01/extension/register HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}", 403},
		{"GET /2020-01-01/extension/event/next HTTP/1.1\r\nLambda-Extension-Identifier: nobody\r\n\r\n", 403},
	} {
		go send(t, c, tc.request)
		if resp, body := receive(t, r); resp.StatusCode != tc.status {
			t.Errorf("%.40q answered %d %s, want %d", tc.request, resp.StatusCode, body, tc.status)
		}
	}
	got := make(chan error, 1)
	go func() {
		_, err := s.Invoke(t.Context(), invocation("id1"))
		got <- err
	}()
	send(t, c, next)
	receive(t, r)
	go send(t, c, next)
	if resp, _ := receive(t, r); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a second next was answered %d, want 403", resp.StatusCode)
	}
	go send(t, c, post("init/error", "Content-Length: 2\r\n", "{}"))
	if resp, _ := receive(t, r); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a late init error was answered %d, want 403", resp.StatusCode)
	}
	s.Close(&InitError{Type: "x"})
	if err := <-got; err == nil {
		t.Error("a closed session answered")
	}
}

func TestInitErrorEndsTheSession(t *testing.T) {
	s, c := pair(t)
	go send(t, c, post("init/error", "Lambda-Runtime-Function-Error-Type: Runtime.ImportModuleError\r\nContent-Length: 2\r\n", "{}"))
	if resp, _ := receive(t, bufio.NewReader(c)); resp.StatusCode != http.StatusAccepted {
		t.Errorf("status %d", resp.StatusCode)
	}
	var e *InitError
	if err := s.WaitReady(t.Context()); !errors.As(err, &e) || e.Type != "Runtime.ImportModuleError" || string(e.Body) != "{}" {
		t.Errorf("error %v", err)
	}
}

func TestInvokeEndsWithItsContext(t *testing.T) {
	s, _ := pair(t)
	cause := errors.New("too late")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := s.Invoke(ctx, invocation("id1")); !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
}

func TestStreamIsHandedOnWhileItArrives(t *testing.T) {
	s, c := pair(t)
	inv := invocation("id1")
	seen := make(chan string, 4)
	inv.Stream = func(contentType string, body io.Reader) error {
		buf := make([]byte, 1)
		seen <- contentType
		for {
			n, err := body.Read(buf)
			if n > 0 {
				seen <- string(buf[:n])
			}
			if err != nil {
				close(seen)
				return nil
			}
		}
	}
	done := make(chan Answer, 1)
	go func() {
		a, err := s.Invoke(t.Context(), inv)
		if err != nil {
			t.Error(err)
		}
		done <- a
	}()
	send(t, c, next)
	receive(t, bufio.NewReader(c))
	send(t, c, post("invocation/id1/response", "Content-Type: text/x\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n", "1\r\na\r\n"))
	if a, b := <-seen, <-seen; a != "text/x" || b != "a" {
		t.Errorf("stream began with %q, %q", a, b)
	}
	go send(t, c, "1\r\nb\r\n0\r\n\r\n")
	if b := <-seen; b != "b" {
		t.Errorf("stream went on with %q", b)
	}
	go func() { _, _ = io.Copy(io.Discard, c) }()
	if a := <-done; !a.Streamed {
		t.Errorf("answer %+v", a)
	}
}

func TestErrorTypes(t *testing.T) {
	for in, want := range map[string]string{
		"Runtime.ImportModuleError": "Runtime.ImportModuleError", "Function.X": "Function.Unknown", "Function.Xy": "Function.Xy",
		"": "Runtime.Unknown", "ValueError": "Runtime.Unknown", "Function.bad": "Function.Unknown", "a Runtime.Ab": "a Runtime.Ab",
	} {
		if got := errorType(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

func FuzzConn(f *testing.F) {
	f.Add([]byte(next))
	f.Add([]byte(post("invocation/id1/response", "Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n0\r\nA: b\r\n\r\n") + next))
	f.Add([]byte(post("invocation/id1/error", "Content-Length: 2\r\n", "{}")))
	f.Add([]byte(post("init/error", "Content-Length: 2\r\nExpect: 100-continue\r\n", "{}")))
	f.Add([]byte("POST /x HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newReader(strings.NewReader(string(data)))
		for range 100 {
			q, err := r.head()
			if err != nil {
				return
			}
			if q.length < -1 {
				t.Fatalf("length %d", q.length)
			}
			if _, err := io.Copy(io.Discard, io.LimitReader(r.body(q), 1<<20)); err != nil {
				return
			}
		}
	})
}
