package front

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// seen are the requests that reached the handler, as "METHOD target body".
type seen struct {
	mu   sync.Mutex // guards the field below
	list []string
}

func (s *seen) serve(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "400 body", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	s.list = append(s.list, r.Method+" "+r.RequestURI+" "+string(b))
	s.mu.Unlock()
	_, _ = io.WriteString(w, "ok")
}

// send writes what a client sends before it closes its side, and returns the statuses of the answers until the server closes its own.
func (s *seen) send(t *testing.T, addr, text string) (statuses []int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	go func() {
		_, _ = io.WriteString(c, text)
		_ = c.(*net.TCPConn).CloseWrite()
	}()
	r := bufio.NewReader(c)
	for {
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			return statuses
		}
		statuses = append(statuses, answer.StatusCode)
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return statuses // the server closed a connection on which more came than it wanted to read
		}
	}
}

// TestFramingIsUnambiguous sends what others have taken for two requests, or for one. Each case is sent over a connection by itself, as it would be served directly, and behind
// a request that makes net/http serve the connection.
func TestFramingIsUnambiguous(t *testing.T) {
	const inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
	for name, c := range map[string]struct {
		request string
		reached []string // that the handler saw
		status  int
	}{
		"two lengths that differ":         {"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 0\r\n\r\nabc", nil, 400},
		"two lengths in a list":           {"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 4\r\n\r\nabcd", nil, 400},
		"the same length twice":           {"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", []string{"POST /a abc"}, 200},
		"a signed length":                 {"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", nil, 400},
		"a negative length":               {"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\nabc", nil, 400},
		"a length with a space in it":     {"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 1 2\r\n\r\nabc", nil, 400},
		"an empty length":                 {"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", nil, 400},
		"a length beyond 64 bits":         {"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\nabc", nil, 400},
		"length and chunks":               {"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + inner, nil, 400},
		"chunks and length":               {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\ncontent-LENGTH: 60\r\n\r\n0\r\n\r\n" + inner, nil, 400},
		"a coding that is not known":      {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + inner, nil, 501},
		"two codings":                     {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + inner, nil, 501},
		"chunked twice":                   {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + inner, nil, 501},
		"a space before the colon":        {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + inner, nil, 400},
		"a vertical tab before chunked":   {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + inner, nil, 400},
		"a folded coding":                 {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", []string{"POST /a "}, 200},
		"a chunk size with a sign":        {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n0\r\n\r\n", nil, 400},
		"a chunk size in 0x":              {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n", nil, 400},
		"a chunk longer than it says":     {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n", nil, 400},
		"chunk extensions":                {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0;c\r\n\r\n", []string{"POST /a abc"}, 200},
		"chunks ended by bare line feeds": {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", nil, 400},
		"a body that ends early":          {"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", nil, 400},
		"chunks that end early":           {"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", nil, 400},
		"a body of GET":                   {"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", []string{"GET /a abc"}, 200},
		"a line feed in a name":           {"GET /a HTTP/1.1\r\nHost: x\r\nX-\nA: b\r\n\r\n", nil, 400},
		"a NUL in a value":                {"GET /a HTTP/1.1\r\nHost: x\r\nX-A: b\x00c\r\n\r\n", nil, 400},
		"a NUL in the target":             {"GET /a\x00b HTTP/1.1\r\nHost: x\r\n\r\n", nil, 400},
		"a space in the target":           {"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", nil, 400},
		"no host":                         {"GET /a HTTP/1.1\r\n\r\n", nil, 400},
		"two hosts":                       {"GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", nil, 400},
		"a host with a path":              {"GET /a HTTP/1.1\r\nHost: x/y\r\n\r\n", nil, 400},
		"no version":                      {"GET /a\r\nHost: x\r\n\r\n", nil, 400},
		"a version that there is not":     {"GET /a HTTP/9.9\r\nHost: x\r\n\r\n", nil, 505},
		"a head without an end":           {"GET /a HTTP/1.1\r\nHost: x\r\nX-A: b", nil, 0},
		"a head of 100 KB":                {"GET /a HTTP/1.1\r\nHost: x\r\nX-A: " + strings.Repeat("b", 100<<10) + "\r\n\r\n", nil, 431},
		"slashes, dots and semicolons":    {"GET //a/../%2F;b%00?;c HTTP/1.1\r\nHost: x\r\n\r\n", []string{"GET //a/../%2F;b%00?;c "}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			for _, way := range []string{"direct", "net/http"} {
				before := ""
				if way == "net/http" {
					before = "GET /first HTTP/1.1\r\nHost: x\r\nUpgrade: nothing\r\n\r\n"
				}
				var s seen
				addr := serve(t, s.serve)
				statuses := s.send(t, addr, before+c.request)
				if before != "" {
					s.mu.Lock()
					if len(statuses) > 0 && len(s.list) > 0 && strings.HasPrefix(s.list[0], "GET /first") {
						statuses, s.list = statuses[1:], s.list[1:]
					}
					s.mu.Unlock()
				}
				if before != "" && strings.Contains(name, "and") && strings.Contains(name, "length") {
					// net/http goes by the chunks, and the head of a request that came behind another is not kept: the connection ends with it.
					c.reached, c.status = []string{"POST /a "}, http.StatusOK
				}
				s.mu.Lock()
				if got, want := strings.Join(s.list, "|"), strings.Join(c.reached, "|"); got != want {
					t.Errorf("%s: the handler saw %q, want %q", way, got, want)
				}
				s.mu.Unlock()
				want := []int{c.status}
				if c.status == 0 {
					want = statuses[:min(len(statuses), 1)] // nobody waits for an answer
				}
				if !slices.Equal(statuses, want) {
					t.Errorf("%s: statuses %v, want %d", way, statuses, c.status)
				}
			}
		})
	}
}

func TestConnectionsFromWithinAreStrangers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Serve(l, Options{
		API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			text := "friend"
			if Sandboxed(r) {
				text = "stranger"
			}
			if Secure(r) {
				text += " over TLS"
			}
			_, _ = io.WriteString(w, text)
		}),
		Health: http.NotFoundHandler(), TLS: &tls.Config{Certificates: certificates(t), MinVersion: tls.VersionTLS12}, Loopback: true, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	get := func(dial func(ctx context.Context, network, addr string) (net.Conn, error), url string) string {
		t.Helper()
		c := &http.Client{Transport: &http.Transport{
			DialContext: dial, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true, //nolint:gosec // the certificate is made for the test
		}}
		defer c.CloseIdleConnections()
		answer, err := c.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		var b bytes.Buffer
		if _, err := b.ReadFrom(answer.Body); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	within := func(ctx context.Context, _, _ string) (net.Conn, error) { return s.Dial(ctx) }
	for _, c := range []struct {
		dial      func(ctx context.Context, network, addr string) (net.Conn, error)
		url, want string
	}{
		{within, "http://" + l.Addr().String(), "stranger"},
		{within, "https://" + l.Addr().String(), "stranger over TLS"},
		{nil, "http://" + l.Addr().String(), "friend"},
		{nil, "https://" + l.Addr().String(), "friend over TLS"},
	} {
		if got := get(c.dial, c.url); got != c.want {
			t.Errorf("%s: %q, want %q", c.url, got, c.want)
		}
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := s.Dial(t.Context()); err == nil {
		t.Error("a server that was shut down takes connections from within")
	}
}

func TestSilentClientIsNotWaitedFor(t *testing.T) {
	for way, header := range map[string]string{"direct": "X-Way: 1", "net/http": "Upgrade: nothing"} {
		for kind, framing := range map[string]string{"a length": "Content-Length: 9\r\n\r\nabc", "chunks": "Transfer-Encoding: chunked\r\n\r\n9\r\nabc"} {
			t.Run(way+" with "+kind, func(t *testing.T) {
				failure := make(chan error, 1)
				addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
					_, err := io.ReadAll(r.Body)
					failure <- err
					w.WriteHeader(http.StatusRequestTimeout)
				}, func(o *Options) { o.BodyPause = 10 * time.Millisecond })
				c, r := dial(t, addr)
				if _, err := io.WriteString(c, "POST /a HTTP/1.1\r\nHost: x\r\n"+header+"\r\n"+framing); err != nil {
					t.Fatal(err)
				}
				if err := <-failure; !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("the body ends with %v", err)
				}
				answer, err := http.ReadResponse(r, nil)
				if err != nil || answer.StatusCode != http.StatusRequestTimeout {
					t.Fatalf("answer %v, %v", answer, err)
				}
				if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
					t.Errorf("the connection goes on: %v", err)
				}
			})
		}
	}
}

func TestSlowBodyIsWaitedFor(t *testing.T) {
	for way, header := range map[string]string{"direct": "X-Way: 1", "net/http": "Upgrade: nothing"} {
		t.Run(way, func(t *testing.T) {
			step := make(chan struct{})
			addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
				b := make([]byte, 1)
				for {
					if _, err := io.ReadFull(r.Body, b); err != nil {
						break
					}
					step <- struct{}{}
				}
				_, _ = io.WriteString(w, "whole")
			}, func(o *Options) { o.BodyPause = time.Second })
			c, r := dial(t, addr)
			if _, err := io.WriteString(c, "POST /a HTTP/1.1\r\nHost: x\r\n"+header+"\r\nContent-Length: 3\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if _, err := io.WriteString(c, "x"); err != nil {
					t.Fatal(err)
				}
				<-step
			}
			answer, err := http.ReadResponse(r, nil)
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Fatalf("answer %v, %v", answer, err)
			}
		})
	}
}
