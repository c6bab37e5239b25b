package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"lambent.dev/lambent/internal/image/imagetest"
)

// registry serves one image by the distribution API.
type registry struct {
	*httptest.Server
	blobs    map[string][]byte
	manifest string
	// user and password are wanted for a token; empty for none.
	user, password string
	pulled         atomic.Int32 // layers
	block          chan struct{}
}

func serve(t *testing.T, i *imagetest.Image) *registry {
	t.Helper()
	r := &registry{}
	r.blobs, r.manifest = i.Blobs(t)
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *registry) host() string { return strings.TrimPrefix(r.URL, "http://") }

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path == "/token" {
		if u, p, ok := req.BasicAuth(); !ok || u != r.user || p != r.password {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"token":"granted"}`))
		return
	}
	if r.user != "" && req.Header.Get("Authorization") != "Bearer granted" {
		w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer realm=%q,service=%q", r.URL+"/token", r.host()))
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	name, kind := req.URL.Path[strings.LastIndexByte(req.URL.Path, '/')+1:], "application/octet-stream"
	if strings.Contains(req.URL.Path, "/manifests/") {
		kind = "application/vnd.oci.image.manifest.v1+json"
		if name == "latest" {
			name = r.manifest
		}
	}
	b, ok := r.blobs[name]
	switch {
	case req.URL.Path == "/v2/":
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	default:
		if kind == "application/octet-stream" {
			if strings.HasPrefix(string(b), gzipMagic) {
				r.pulled.Add(1)
			}
			if r.block != nil {
				<-r.block
			}
		}
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(b)
	}
}

func hello(t *testing.T) *imagetest.Image {
	return &imagetest.Image{Compress: true, Layers: [][]byte{imagetest.Layer(t, entry{Name: "hello", Content: "hello", Mode: 0o644})}}
}

func TestImagesArePulled(t *testing.T) {
	r := serve(t, hello(t))
	s := open(t, nil)
	for _, reference := range []string{"/team/app:latest", "/team/app", "/team/app@" + r.manifest} {
		i, err := s.Pull(t.Context(), r.host()+reference)
		if err != nil {
			t.Fatal(err)
		}
		if "sha256:"+i.Digest != r.manifest || !slices.Equal(listing(t, i.Root), []string{"hello 644 hello"}) {
			t.Errorf("%s: digest %s, files %v", reference, i.Digest, listing(t, i.Root))
		}
	}
	if n := r.pulled.Load(); n != 1 {
		t.Errorf("the layer was pulled %d times", n)
	}
}

func TestCredentialsAreGivenToRegistriesThatAsk(t *testing.T) {
	r := serve(t, hello(t))
	r.user, r.password = "ann", "secret"
	var bad *Error
	if _, err := open(t, nil).Pull(t.Context(), r.host()+"/app"); !errors.As(err, &bad) || !strings.Contains(err.Error(), "registry-config") {
		t.Errorf("without credentials: %v", err)
	}
	dir := t.TempDir()
	b, err := json.Marshal(map[string]any{"auths": map[string]any{r.host(): map[string]string{"username": "ann", "password": "secret", "auth": "YW5uOnNlY3JldA=="}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, func(o *Options) { o.Credentials = dir }).Pull(t.Context(), r.host()+"/app"); err != nil {
		t.Error(err)
	}
}

func TestPullsThatCannotSucceed(t *testing.T) {
	r := serve(t, hello(t))
	for reference, want := range map[string]string{
		r.host() + "/app:missing": "does not exist",
		"example.com/app":         "not pulled from the registry example.com",
		"alpine":                  "not pulled from the registry docker.io",
		"UPPER/case":              "not the address of an image",
		"":                        "not the address of an image",
		r.host() + "/app@sha256:" + strings.Repeat("0", 64):  "does not exist",
		"169.254.169.254/latest/meta-data:x":                 "not pulled from the registry 169.254.169.254",
		"localhost.example.com/app":                          "not pulled from the registry localhost.example.com",
		"127.0.0.1.example.com/app@sha256:" + r.manifest[7:]: "not pulled from the registry",
	} {
		_, err := open(t, nil).Pull(t.Context(), reference)
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", reference, err)
		}
	}
	s := open(t, func(o *Options) { o.Registries = []string{"*"} })
	if _, err := s.Pull(t.Context(), "169.254.169.254/latest/meta-data:x"); err == nil || !strings.Contains(err.Error(), "not looked for at the address") {
		t.Errorf("metadata service: %v", err)
	}
}

func TestDamagedLayersOfRegistriesAreRefused(t *testing.T) {
	r := serve(t, hello(t))
	for digest, b := range r.blobs {
		if strings.HasPrefix(string(b), gzipMagic) {
			r.blobs[digest] = imagetest.Zip(t, imagetest.Layer(t, entry{Name: "other"}))
		}
	}
	s := open(t, nil)
	if i, err := s.Pull(t.Context(), r.host()+"/app"); err == nil {
		t.Errorf("pulled %+v", i)
	}
	clean(t, s)
}

// TestOnePullServesEverybodyWhoWaits starts several pulls of one image, of which one caller goes away.
func TestOnePullServesEverybodyWhoWaits(t *testing.T) {
	r := serve(t, hello(t))
	r.block = make(chan struct{})
	s := open(t, nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := s.Pull(t.Context(), r.host()+"/app"); err != nil {
				t.Error(err)
			}
		})
	}
	r.block <- struct{}{} // the configuration
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Pull(ctx, r.host()+"/app"); err == nil {
		t.Error("a caller that went away got an image")
	}
	close(r.block)
	wg.Wait()
	if n := r.pulled.Load(); n != 1 {
		t.Errorf("the layer was pulled %d times", n)
	}
}
