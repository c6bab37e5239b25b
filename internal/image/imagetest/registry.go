package imagetest

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// Registry serves images by the distribution API, https://github.com/opencontainers/distribution-spec.
type Registry struct {
	*httptest.Server
	// User and Password are wanted for a token; empty for none. Set them before the first request.
	User, Password string

	mu       sync.Mutex // guards the fields below
	blobs    map[string][]byte
	tags     map[string]string
	pulled   map[string]int
	gates    map[string]chan struct{}
	broken   map[string]int
	failWith int
}

// Serve starts a registry, which ends with the test.
func Serve(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{blobs: map[string][]byte{}, tags: map[string]string{}, pulled: map[string]int{}, gates: map[string]chan struct{}{}, broken: map[string]int{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

// Host is the registry's address, as references to its images begin.
func (r *Registry) Host() string { return strings.TrimPrefix(r.URL, "http://") }

// Push makes a tag name an image, and returns the digest of its manifest.
func (r *Registry) Push(t testing.TB, tag string, i *Image) (manifest string) {
	t.Helper()
	blobs, manifest := i.Blobs(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(r.blobs, blobs)
	r.tags[tag] = manifest
	return manifest
}

// Replace makes a blob another one, as a registry does that is damaged; a nil one makes it missing.
func (r *Registry) Replace(digest string, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if delete(r.blobs, digest); b != nil {
		r.blobs[digest] = b
	}
}

// Break has the next requests for a blob, so many, fail as those to a server that is out of order.
func (r *Registry) Break(digest string, times int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken[digest] = times
}

// Fail has every request answered with a status from now on; 0 ends that.
func (r *Registry) Fail(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failWith = status
}

// Pulled is how often a blob was given out.
func (r *Registry) Pulled(digest string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pulled[digest]
}

// Gate holds requests for a blob back until one can be sent to the channel, or it is closed.
func (r *Registry) Gate(digest string) chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := make(chan struct{})
	r.gates[digest] = g
	return g
}

// ServeHTTP answers one request.
func (r *Registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !r.admit(w, req) || req.URL.Path == "/v2/" {
		return
	}
	name, kind := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:], "application/octet-stream"
	r.mu.Lock()
	if strings.Contains(req.URL.Path, "/manifests/") {
		kind = "application/vnd.oci.image.manifest.v1+json"
		if digest, ok := r.tags[name]; ok {
			name = digest
		}
	}
	b, ok := r.blobs[name]
	gate, status := r.gates[name], r.failWith
	if r.broken[name] > 0 {
		r.broken[name]--
		status = http.StatusNotImplemented
	}
	r.mu.Unlock()
	switch {
	case status != 0:
		w.WriteHeader(status)
		return
	case !ok:
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if gate != nil {
		select {
		case <-gate:
		case <-req.Context().Done():
			return
		}
	}
	r.mu.Lock()
	r.pulled[name]++
	r.mu.Unlock()
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(b)
}

// admit gives out tokens, and asks for them.
func (r *Registry) admit(w http.ResponseWriter, req *http.Request) bool {
	if req.URL.Path == "/token" {
		if u, p, ok := req.BasicAuth(); !ok || u != r.User || p != r.Password {
			w.WriteHeader(http.StatusUnauthorized)
			return false
		}
		_, _ = w.Write([]byte(`{"token":"granted"}`))
		return false
	}
	if r.User == "" || req.Header.Get("Authorization") == "Bearer granted" {
		return true
	}
	w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q,service=%q", r.URL+"/token", r.Host()))
	w.WriteHeader(http.StatusUnauthorized)
	return false
}
