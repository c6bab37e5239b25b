package integration_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lambent.dev/lambent/internal/gateway/integration"
)

// backend serves each connection with what answer returns for the raw head of a request; "" closes the connection. It counts connections.
func backend(t *testing.T, answer func(conn, request int, head string) string) (url string, conns *atomic.Int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	conns = &atomic.Int32{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c, int(conns.Add(1)), answer)
		}
	}()
	return "http://" + l.Addr().String(), conns
}

func serve(c net.Conn, number int, answer func(conn, request int, head string) string) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	for request := 1; ; request++ {
		var head strings.Builder
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			head.WriteString(line)
			if line == "\r\n" {
				break
			}
		}
		text := answer(number, request, head.String())
		if text == "" {
			return
		}
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
	}
}

func get(t *testing.T, tr *integration.Transport, r *http.Request) (string, error) {
	t.Helper()
	answer, err := tr.RoundTrip(r)
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(answer.Body)
	return string(b), errors.Join(err, answer.Body.Close())
}

func request(t *testing.T, method, url string, body []byte) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		r.Body, r.ContentLength = integration.NewWhole(body), int64(len(body))
		r.GetBody = func() (io.ReadCloser, error) { return integration.NewWhole(body), nil }
	}
	return r
}

func TestNamesGoOutAsTheyAre(t *testing.T) {
	var head string
	url, _ := backend(t, func(_, _ int, h string) string {
		head = h
		return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nx-mIxed: 1\r\n\r\nok"
	})
	tr := integration.NewTransport(integration.TransportOptions{})
	defer tr.Close()
	r := request(t, http.MethodGet, url+"/a%2Fb?x=1&x=2", nil)
	r.Header = http.Header{"x-lower": {"a", "b"}, "Content-Length": {"77"}, "transfer-encoding": {"chunked"}, "Connection": {"close"}, "hOst": {"other"}}
	if body, err := get(t, tr, r); err != nil || body != "ok" {
		t.Fatalf("%q, %v", body, err)
	}
	lines := strings.Split(strings.TrimSpace(head), "\r\n")
	slices.Sort(lines[1:])
	want := []string{"GET /a%2Fb?x=1&x=2 HTTP/1.1", "Host: " + strings.TrimPrefix(url, "http://"), "x-lower: a", "x-lower: b"}
	if !slices.Equal(lines, want) {
		t.Errorf("sent %q, want %q", lines, want)
	}
}

func TestConnectionIsKeptAndMadeAnewWhenItEnded(t *testing.T) {
	url, conns := backend(t, func(conn, request int, _ string) string {
		if conn == 1 && request == 3 {
			return "" // ends just when the third request comes
		}
		return "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
	})
	tr := integration.NewTransport(integration.TransportOptions{})
	defer tr.Close()
	for range 4 {
		if body, err := get(t, tr, request(t, http.MethodPut, url, []byte("{}"))); err != nil || body != "x" {
			t.Fatalf("%q, %v", body, err)
		}
	}
	if n := conns.Load(); n != 2 {
		t.Errorf("%d connections", n)
	}
}

func TestPostIsNotSentTwice(t *testing.T) {
	url, conns := backend(t, func(_, request int, _ string) string {
		if request == 2 {
			return ""
		}
		return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	})
	tr := integration.NewTransport(integration.TransportOptions{})
	defer tr.Close()
	if _, err := get(t, tr, request(t, http.MethodPost, url, nil)); err != nil {
		t.Fatal(err)
	}
	if _, err := get(t, tr, request(t, http.MethodPost, url, nil)); err == nil {
		t.Error("the backend ended the connection, and the request succeeded")
	}
	if n := conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestTimeEndsAnExchange(t *testing.T) {
	stuck := make(chan struct{})
	defer close(stuck)
	url, _ := backend(t, func(int, int, string) string { <-stuck; return "" })
	tr := integration.NewTransport(integration.TransportOptions{})
	defer tr.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := tr.RoundTrip(request(t, http.MethodGet, url, nil).WithContext(ctx)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	context.AfterFunc(ctx, func() {})
	go cancel()
	if _, err := tr.RoundTrip(request(t, http.MethodGet, url, nil).WithContext(ctx)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAnswersThatAreNoneAreErrors(t *testing.T) {
	for name, text := range map[string]string{
		"nonsense":             "hello\r\n\r\n",
		"two lengths":          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
		"an endless head":      "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: "+strings.Repeat("a", 1000)+"\r\n", 300) + "\r\n",
		"nothing but promises": strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 20),
	} {
		url, _ := backend(t, func(_, request int, _ string) string {
			if request > 1 {
				return ""
			}
			return text
		})
		tr := integration.NewTransport(integration.TransportOptions{})
		if body, err := get(t, tr, request(t, http.MethodGet, url, nil)); err == nil {
			t.Errorf("%s: accepted as %q", name, body)
		}
		tr.Close()
	}
}

func TestHeadersThatWouldSplitTheRequestAreRefused(t *testing.T) {
	tr := integration.NewTransport(integration.TransportOptions{})
	for _, h := range []http.Header{{"X-A": {"a\r\nX-B: b"}}, {"X A": {"a"}}, {"X-A\r\nB": {"a"}}, {"": {"a"}}} {
		r := request(t, http.MethodGet, "http://127.0.0.1:1/", nil)
		r.Header = h
		if _, err := tr.RoundTrip(r); err == nil || !strings.Contains(err.Error(), "cannot be sent") {
			t.Errorf("%q: %v", h, err)
		}
	}
}

func TestBodiesArriveWhole(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err == nil {
			_, _ = w.Write(b)
		}
	}))
	defer s.Close()
	tr := integration.NewTransport(integration.TransportOptions{})
	defer tr.Close()
	large := bytes.Repeat([]byte("0123456789"), 100_000)
	for name, r := range map[string]*http.Request{
		"small":          request(t, http.MethodPost, s.URL, []byte("abc")),
		"large":          request(t, http.MethodPost, s.URL, large),
		"unknown length": request(t, http.MethodPost, s.URL, nil),
	} {
		want := large
		if name == "small" {
			want = []byte("abc")
		}
		if name == "unknown length" {
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(large)), -1
		}
		if body, err := get(t, tr, r); err != nil || body != string(want) {
			t.Errorf("%s: %d bytes, %v", name, len(body), err)
		}
	}
}

func TestTLSBackend(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "secret") }))
	defer s.Close()
	config := s.Client().Transport.(*http.Transport).TLSClientConfig
	tr := integration.NewTransport(integration.TransportOptions{TLS: config})
	defer tr.Close()
	for range 2 {
		if body, err := get(t, tr, request(t, http.MethodGet, s.URL, nil)); err != nil || body != "secret" {
			t.Errorf("%q, %v", body, err)
		}
	}
	if _, err := integration.NewTransport(integration.TransportOptions{}).RoundTrip(request(t, http.MethodGet, s.URL, nil)); err == nil {
		t.Error("a certificate that nobody vouches for was accepted")
	}
}

func TestGrantNamesTheCommand(t *testing.T) {
	g := integration.Grant{Function: "arn:aws:lambda:eu-west-1:111122223333:function:f:live", Source: "arn:aws:execute-api:eu-west-1:111122223333:api1/prod/GET/pets"}
	want := "aws lambda add-permission --function-name arn:aws:lambda:eu-west-1:111122223333:function:f --qualifier live --statement-id apigateway-invoke --action lambda:InvokeFunction" +
		" --principal apigateway.amazonaws.com --source-arn 'arn:aws:execute-api:eu-west-1:111122223333:api1/*'"
	if g.Command() != want {
		t.Errorf("got  %s\nwant %s", g.Command(), want)
	}
}

func BenchmarkRoundTrip(b *testing.B) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer s.Close()
	tr := integration.NewTransport(integration.TransportOptions{})
	defer tr.Close()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, s.URL, nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		answer, err := tr.RoundTrip(r)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		_ = answer.Body.Close()
	}
}
