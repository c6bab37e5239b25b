package s3

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync"
	"testing"
)

// proxy starts an HTTP proxy that takes every name for the platform's, and returns its URL.
func proxy(t *testing.T, platform string) string {
	t.Helper()
	address := strings.TrimPrefix(platform, "http://")
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", address, r.In.Host
		r.Out.URL.Opaque = strings.TrimPrefix(r.In.RequestURI, "http://"+r.In.Host)
		r.Out.URL.Path, r.Out.URL.RawPath, r.Out.URL.RawQuery = "", "", ""
	}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect {
			forward.ServeHTTP(w, r)
			return
		}
		if err := tunnel(w, address); err != nil {
			t.Errorf("proxy: %v", err)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// tunnel joins the connection of an answer with one to an address, until both ends are closed.
func tunnel(w http.ResponseWriter, address string) error {
	to, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer to.Close()
	w.WriteHeader(http.StatusOK)
	from, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer from.Close()
	var wg sync.WaitGroup
	join := func(dst, src net.Conn) {
		_, _ = io.Copy(dst, src) // ends when either end goes away
		_ = dst.(*net.TCPConn).CloseWrite()
	}
	wg.Go(func() { join(to, from) })
	wg.Go(func() { join(from, to) })
	wg.Wait()
	return nil
}
