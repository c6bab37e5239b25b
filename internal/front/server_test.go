package front

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// certificates returns the certificate of package httptest.
func certificates(t *testing.T) []tls.Certificate {
	t.Helper()
	backing := httptest.NewUnstartedServer(http.NotFoundHandler())
	backing.StartTLS()
	defer backing.Close()
	return backing.TLS.Certificates
}

// serve starts a server whose API plane is h and returns its address.
func serve(t *testing.T, h http.HandlerFunc, change ...func(o *Options)) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		API: h, Health: http.NotFoundHandler(), TLS: &tls.Config{Certificates: certificates(t), MinVersion: tls.VersionTLS12},
		Loopback: true, Log: slog.New(slog.DiscardHandler),
	}
	for _, fn := range change {
		fn(&o)
	}
	s, err := Serve(l, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

func TestRawHeadKeepsCaseOverKeepAliveAndBodies(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		head := RawHead(r)
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(head)
	})
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for i, body := range []string{"", "abc", strings.Repeat("x", 100_000), "\r\n\r\nGET / HTTP/1.1\r\n\r\n", ""} {
		head := fmt.Sprintf("POST /a//b%%2f?i=%d HTTP/1.1\r\nhOsT: x\r\nx-WeIrD:  %d \r\nContent-Length: %d\r\n\r\n", i, i, len(body))
		if _, err := io.WriteString(c, head+body); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != head {
			t.Fatalf("request %d: head %q (%v), want %q", i, got, err, head)
		}
	}
}

func TestRawHeadOfPipelinedRequestIsNeverAnotherRequests(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if head := RawHead(r); head != nil && !bytes.HasPrefix(head, []byte("GET "+r.RequestURI+" ")) {
			t.Errorf("request %s got the head %q", r.RequestURI, head)
		}
		_, _ = io.WriteString(w, r.RequestURI)
	})
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	for _, want := range []string{"/1", "/2"} {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(resp.Body); err != nil || string(got) != want {
			t.Errorf("response %q (%v), want %q", got, err, want)
		}
	}
}

func TestOnePortSpeaksPlainAndTLSAndHTTP2(t *testing.T) {
	addr := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, "%s %v", r.Proto, Secure(r))
	})
	for _, c := range []struct {
		url   string
		http2 bool
		want  string
	}{
		{url: "http://" + addr, want: "HTTP/1.1 false"},
		{url: "https://" + addr, want: "HTTP/1.1 true"},
		{url: "https://" + addr, http2: true, want: "HTTP/2.0 true"},
	} {
		transport := &http.Transport{
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the test's own certificate
			ForceAttemptHTTP2: c.http2,
		}
		client := &http.Client{Transport: transport}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		transport.CloseIdleConnections()
		if err != nil || string(got) != c.want {
			t.Errorf("GET %s = %q (%v), want %q", c.url, got, err, c.want)
		}
	}
}

func TestForgeableRequests(t *testing.T) {
	for _, c := range []struct {
		host   string
		header [2]string
		want   bool
	}{
		{"127.0.0.1:4566", [2]string{}, false},
		{"localhost:4566", [2]string{}, false},
		{"pics.s3.localhost:4566", [2]string{}, false},
		{"[::1]:4566", [2]string{}, false},
		{"dynamodb.us-east-1.amazonaws.com", [2]string{}, false},
		{"evil.example:4566", [2]string{}, true},
		{"192.168.1.4:4566", [2]string{}, true},
		{"127.0.0.1:4566", [2]string{"Origin", "https://evil.example"}, true},
		{"127.0.0.1:4566", [2]string{"Origin", "null"}, true},
		{"127.0.0.1:4566", [2]string{"Origin", "http://127.0.0.1:4566"}, false},
		{"127.0.0.1:4566", [2]string{"Sec-Fetch-Site", "cross-site"}, true},
		{"127.0.0.1:4566", [2]string{"Sec-Fetch-Site", "same-site"}, true},
		{"127.0.0.1:4566", [2]string{"Sec-Fetch-Site", "none"}, false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
		r.Host = c.host
		if c.header[0] != "" {
			r.Header.Set(c.header[0], c.header[1])
		}
		if reason, got := Forgeable(r); got != c.want {
			t.Errorf("Forgeable(%s %v) = %v (%s), want %v", c.host, c.header, got, reason, c.want)
		}
	}
}
