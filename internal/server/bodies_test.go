package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/s3client"
)

func objectsOf(t *testing.T, target string) *s3client.Client {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return &s3client.Client{
		Endpoint: u, Region: "us-east-1", PathStyle: true, Credentials: s3client.Credentials{AccessKeyID: "test", Secret: "test"},
		HTTP: &http.Client{}, Clock: clock.System{}, Random: rand.Reader,
	}
}

func bodyOf(b []byte) s3client.Body {
	return s3client.Body{Open: func() io.Reader { return bytes.NewReader(b) }, Size: int64(len(b)), SHA256: sigv4.Hash(b)}
}

// readObject returns length bytes of an object from offset on.
func readObject(t *testing.T, c *s3client.Client, name string, offset, length int64) ([]byte, error) {
	t.Helper()
	bucket, object, _ := strings.Cut(name, "/")
	answer, err := c.Get(t.Context(), bucket, object, offset, length)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(answer.Body)
}

// inCluster are the settings of a server in dir that keeps its bodies at endpoint.
func inCluster(dir, endpoint string) config.Config {
	cfg := config.Default()
	cfg.DataDir, cfg.Listen, cfg.Sandbox = dir, "127.0.0.1:0", config.SandboxOff
	cfg.Bodies, cfg.BodiesEndpoint, cfg.Keys = "s3://bodies/one", endpoint, config.Keys{AccessKeyID: "test", Secret: "test"}
	return cfg
}

// TestBodiesInACluster runs one Lambent on the objects of another.
func TestBodiesInACluster(t *testing.T) {
	cluster := run(t, machine{clock: clock.System{}}, func(c *config.Config) { c.Ephemeral, c.Sandbox = true, config.SandboxOff })
	raw := objectsOf(t, cluster.URL())
	if err := raw.CreateBucket(t.Context(), "bodies"); err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(cluster.URL())
	if err != nil {
		t.Fatal(err)
	}
	var away atomic.Bool
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = to.Scheme, to.Host, r.In.Host
		r.Out.URL.Path, r.Out.URL.RawPath, r.Out.URL.RawQuery, r.Out.URL.Opaque = "", "", "", r.In.RequestURI
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer front.Close()
	dir := t.TempDir()
	s, err := start(t.Context(), inCluster(dir, front.URL), slog.New(slog.DiscardHandler), machine{clock: clock.System{}})
	if err != nil {
		t.Fatal(err)
	}
	c := objectsOf(t, s.URL())
	if err := c.CreateBucket(t.Context(), "pictures"); err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte("0123456789"), 10_000)
	for name, header := range map[string]http.Header{"plain": nil, "sealed": {"X-Amz-Server-Side-Encryption": {"AES256"}}} {
		if _, err := c.Put(t.Context(), "pictures", name, header, bodyOf(body)); err != nil {
			t.Fatal(err)
		}
	}
	if page, _, err := raw.List(t.Context(), "bodies", "one/", ""); err != nil || len(page) != 3 {
		t.Errorf("the cluster has %v (%v), want the marker and two bodies", page, err)
	}
	for _, name := range []string{"pictures/plain", "pictures/sealed"} {
		if got, err := readObject(t, c, name, 0, -1); err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s reads %d bytes (%v)", name, len(got), err)
		}
		if got, err := readObject(t, c, name, 70_003, 4); err != nil || string(got) != "3456" {
			t.Errorf("a range of %s reads %q (%v)", name, got, err)
		}
	}
	away.Store(true)
	c.HTTP = &http.Client{Transport: once{}}
	_, err = c.Put(t.Context(), "pictures", "lost", nil, bodyOf(body))
	if err == nil || !strings.Contains(err.Error(), "cluster that keeps the bodies") {
		t.Errorf("a put while the cluster refuses the keys: %v", err)
	}
	if _, err := readObject(t, c, "pictures/plain", 0, -1); err == nil || !strings.Contains(err.Error(), "it answers 403") {
		t.Errorf("a get while the cluster refuses the keys: %v", err)
	}
	if _, err := c.Put(t.Context(), "pictures", "small", nil, bodyOf([]byte("x"))); err != nil {
		t.Errorf("a small object needs no cluster: %v", err)
	}
	if _, err := c.Head(t.Context(), "pictures", "lost"); !s3client.IsNotFound(err) {
		t.Errorf("an object that was not acknowledged: %v", err)
	}
	if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	refuseStart(t, inCluster(dir, front.URL), "refuses the keys")
	plain := inCluster(dir, "")
	plain.Bodies = ""
	refuseStart(t, plain, "are kept in s3://bodies/one")
	away.Store(false)
	refuseStart(t, inCluster(t.TempDir(), front.URL), "the bodies of another Lambent")
}

// once makes a client show the first failure: nothing is tried again.
type once struct{}

func (once) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && answer.StatusCode >= http.StatusInternalServerError {
		answer.StatusCode = http.StatusBadRequest
	}
	return answer, err
}

func refuseStart(t *testing.T, cfg config.Config, want string) {
	t.Helper()
	s, err := start(t.Context(), cfg, slog.New(slog.DiscardHandler), machine{clock: clock.System{}})
	if err == nil {
		_ = s.Close(context.WithoutCancel(t.Context()))
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("start = %v, want an error with %q", err, want)
	}
}
