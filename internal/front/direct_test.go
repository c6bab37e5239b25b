package front

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// answers is a handler with an answer of each kind, by path.
func answers(file string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/empty":
		case "/small":
			_, _ = io.WriteString(w, "hello")
		case "/typed":
			w.Header()["content-type"] = []string{"application/json"}
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = io.WriteString(w, "{}")
		case "/large":
			_, _ = io.WriteString(w, strings.Repeat("x", 100_000))
		case "/pieces":
			for range 100 {
				_, _ = io.WriteString(w, strings.Repeat("y", 300))
			}
		case "/flushed":
			_, _ = io.WriteString(w, "one")
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, "two")
		case "/announced":
			w.Header().Set("Content-Length", "100000")
			_, _ = io.WriteString(w, strings.Repeat("z", 50_000))
			_, _ = io.WriteString(w, strings.Repeat("z", 50_000))
		case "/short":
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "half")
		case "/long":
			w.Header().Set("Content-Length", "3")
			n, err := io.WriteString(w, "more")
			w.Header().Set("X-Late", fmt.Sprint(n, err))
			_, _ = io.WriteString(w, "abc")
		case "/none":
			w.WriteHeader(http.StatusNoContent)
			_, _ = io.WriteString(w, "not sent")
		case "/unchanged":
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(http.StatusNotModified)
		case "/close":
			w.Header().Set("Connection", "close")
			_, _ = io.WriteString(w, "bye")
		case "/keep":
			w.Header()["Connection"] = []string{"keep-alive"}
			_, _ = io.WriteString(w, "stay")
		case "/odd":
			w.Header()["X-Split"] = []string{"a\r\nX-Injected: b", " c "}
			w.Header()["Bad Name"] = []string{"v"}
			w.WriteHeader(799)
		case "/early":
			w.Header().Set("Link", "</a>")
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, "after")
		case "/file":
			f, err := os.Open(file)
			if err != nil {
				panic(err)
			}
			defer func() { _ = f.Close() }()
			w.Header().Set("Content-Type", "text/plain")
			w.Header().Set("Content-Length", "30000")
			_, _ = io.Copy(w, f)
		case "/abort":
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "part")
			panic(http.ErrAbortHandler)
		case "/echo":
			b, err := io.ReadAll(r.Body)
			w.Header().Set("X-Length", fmt.Sprint(r.ContentLength, r.TransferEncoding, err))
			_, _ = w.Write(b)
		case "/ignore":
			_, _ = io.WriteString(w, "done")
		}
	}
}

// TestDirectAnswersAreThoseOfNetHTTP sends the same requests to both servers.
func TestDirectAnswersAreThoseOfNetHTTP(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("f", 30_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	handler := answers(file)
	theirs, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	reference := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)}
	go func() { _ = reference.Serve(theirs) }()
	t.Cleanup(func() { _ = reference.Close() })
	ours := serve(t, handler)
	var requests []string
	for _, path := range []string{
		"/empty", "/small", "/typed", "/large", "/pieces", "/flushed", "/announced", "/short", "/long", "/none", "/unchanged", "/close", "/keep", "/odd", "/early", "/file", "/abort",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			if method == "HEAD" && (path == "/large" || path == "/pieces") {
				continue // net/http tells no length of what is over its buffer
			}
			requests = append(requests, method+" "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		}
	}
	requests = append(
		requests,
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("b", 100_000),
		"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
		"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
		"POST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"+strings.Repeat("b", 1000),
		"GET /small HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"GET /keep HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		"GET /small HTTP/1.0\r\n\r\n",
		"GET /small HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"GET /small HTTP/1.1\r\n\r\n",
		"GET /small HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
		"GET /small HTTP/1.1\r\nHost: a b\r\n\r\n",
		"GET /small HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
		"GET /small HTTP/1.1\r\nHost: x\r\nX Y: 1\r\n\r\n",
		"GET /small HTTP/1.1\r\nHost: x\r\nX: a\x01b\r\n\r\n",
		"GET /small HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("h", 20_000)+"\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
		"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
		"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
		"G\x01T /small HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET small HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET http://y/small HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /small HTTP/1.1\nHost: x\n\n",
		"nonsense that no server understands\r\n\r\n",
	)
	for _, request := range requests {
		name := fmt.Sprintf("%.60q", request)
		want, got := transcript(t, theirs.Addr().String(), request), transcript(t, ours, request)
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-net/http +direct):\n%s", name, d)
		}
	}
}

// transcript is what a server answers to a request and to a plain one behind it on the same connection.
func transcript(t *testing.T, addr, request string) (out []string) {
	t.Helper()
	c, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	method, _, _ := strings.Cut(request, " ")
	r := bufio.NewReader(c)
	for _, text := range []string{request, "GET /typed HTTP/1.1\r\nHost: x\r\n\r\n"} {
		if _, err := io.WriteString(c, text); err != nil {
			return append(out, "the connection is closed")
		}
		for {
			resp, err := http.ReadResponse(r, &http.Request{Method: method})
			if err != nil {
				return append(out, "the connection ends")
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			resp.Header.Del("Date")
			out = append(out, fmt.Sprintf("%s %s %d %v %v close=%v %.20q of %d, %v", resp.Proto, resp.Status, resp.ContentLength, resp.TransferEncoding, resp.Header, resp.Close, body, len(body), err))
			if resp.StatusCode >= 200 {
				break
			}
		}
		method = http.MethodGet
	}
	return out
}

// dial returns a connection to a server with the reader of its answers.
func dial(t *testing.T, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, bufio.NewReader(c)
}

func TestContextOfASlowRequestEndsWithItsClient(t *testing.T) {
	ended := make(chan error, 1)
	started := make(chan struct{})
	addr := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		close(started)
		<-r.Context().Done()
		ended <- r.Context().Err()
	})
	c, _ := dial(t, addr)
	if _, err := io.WriteString(c, "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-started
	_ = c.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestRequestBehindASlowOneIsNotLost(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			select {
			case <-r.Context().Done():
				t.Error("the client is still there")
			case <-time.After(3 * watchAfter): // long enough for the watch to begin
			}
		}
		_, _ = io.WriteString(w, r.URL.Path)
	})
	c, r := dial(t, addr)
	for _, early := range []bool{true, false} {
		text := "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
		if early {
			text += "GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
		}
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"/slow", "/next"} {
			if i == 1 && !early {
				if _, err := io.WriteString(c, "GET /next HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
			}
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, err := io.ReadAll(resp.Body); err != nil || string(body) != want {
				t.Errorf("answer %q, %v; want %q", body, err, want)
			}
		}
	}
}

// Thousands of requests may wait for something to happen.
func TestRequestThatWaitsHoldsNoBufferForItsAnswer(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		inner := w
		for {
			u, ok := inner.(interface{ Unwrap() http.ResponseWriter })
			if !ok {
				break
			}
			inner = u.Unwrap()
		}
		direct, ok := inner.(*response)
		if !ok || direct.out != nil {
			t.Errorf("before the answer: %T, %t", inner, ok)
		}
		if _, err := io.WriteString(w, "late"); err != nil || ok && cap(direct.body) == 0 {
			t.Errorf("with the answer: %v", err)
		}
	})
	c, r := dial(t, addr)
	for range 2 { // the second meets what the first left behind
		if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "late" {
			t.Errorf("answer %q, %v", body, err)
		}
	}
}

func TestShutdownWaitsForTheRunningRequest(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	started, finish := make(chan struct{}), make(chan struct{})
	s, err := Serve(l, Options{
		API: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			close(started)
			<-finish
			_, _ = io.WriteString(w, "whole")
		}),
		Health: http.NotFoundHandler(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	idle, idleReader := dial(t, l.Addr().String())
	c, r := dial(t, l.Addr().String())
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-started
	done := make(chan error, 1)
	go func() { done <- s.Shutdown(t.Context()) }()
	if _, err := idleReader.ReadByte(); err == nil {
		t.Error("an idle connection got a byte")
	}
	_ = idle.Close()
	select {
	case err := <-done:
		t.Fatalf("shutdown did not wait: %v", err)
	default:
	}
	close(finish)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "whole" {
		t.Errorf("answer %q, %v", body, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
