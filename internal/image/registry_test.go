package image

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"lambent.dev/lambent/internal/image/imagetest"
)

func hello(t *testing.T) *imagetest.Image {
	return &imagetest.Image{Compress: true, Layers: [][]byte{imagetest.Layer(t, entry{Name: "hello", Content: "hello", Mode: 0o644})}}
}

// serve starts a registry with an image, whose manifest's digest it returns.
func serve(t *testing.T, i *imagetest.Image) (r *imagetest.Registry, manifest string) {
	t.Helper()
	r = imagetest.Serve(t)
	return r, r.Push(t, "latest", i)
}

// layerOf is the digest of an image's layer in its registry.
func layerOf(t *testing.T, i *imagetest.Image, n int) string {
	t.Helper()
	return imagetest.Digest(imagetest.Zip(t, i.Layers[n]))
}

func TestImagesArePulled(t *testing.T) {
	r, manifest := serve(t, hello(t))
	s := open(t, nil)
	for _, reference := range []string{"/team/app:latest", "/team/app", "/team/app@" + manifest} {
		if digest, err := s.Resolve(t.Context(), r.Host()+reference); err != nil || "sha256:"+digest != manifest {
			t.Errorf("%s is %s, %v", reference, digest, err)
		}
		i, err := s.Pull(t.Context(), r.Host()+reference)
		if err != nil {
			t.Fatal(err)
		}
		if "sha256:"+i.Digest != manifest || !slices.Equal(listing(t, i.Root), []string{"hello 644 hello"}) {
			t.Errorf("%s: digest %s, files %v", reference, i.Digest, listing(t, i.Root))
		}
	}
	if n := r.Pulled(layerOf(t, hello(t), 0)); n != 1 {
		t.Errorf("the layer was pulled %d times", n)
	}
}

func TestCredentialsAreGivenToRegistriesThatAsk(t *testing.T) {
	r, _ := serve(t, hello(t))
	r.User, r.Password = "ann", "secret"
	var bad *Error
	if _, err := open(t, nil).Pull(t.Context(), r.Host()+"/app"); !errors.As(err, &bad) || bad.Kind != Denied || !strings.Contains(err.Error(), "registry-config") {
		t.Errorf("without credentials: %v", err)
	}
	dir := t.TempDir()
	b, err := json.Marshal(map[string]any{"auths": map[string]any{r.Host(): map[string]string{"username": "ann", "password": "secret", "auth": "YW5uOnNlY3JldA=="}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.json"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, func(o *Options) { o.Credentials = dir }).Pull(t.Context(), r.Host()+"/app"); err != nil {
		t.Error(err)
	}
}

func TestPullsThatCannotSucceed(t *testing.T) {
	r, manifest := serve(t, hello(t))
	for reference, want := range map[string]string{
		r.Host() + "/app:missing": "does not exist",
		"example.com/app":         "not pulled from the registry example.com",
		"alpine":                  "not pulled from the registry docker.io",
		"UPPER/case":              "not the address of an image",
		"":                        "not the address of an image",
		r.Host() + "/app@sha256:" + strings.Repeat("0", 64): "does not exist",
		"169.254.169.254/latest/meta-data:x":                "not pulled from the registry 169.254.169.254",
		"localhost.example.com/app":                         "not pulled from the registry localhost.example.com",
		"127.0.0.1.example.com/app@sha256:" + manifest[7:]:  "not pulled from the registry",
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
	r, _ := serve(t, hello(t))
	r.Replace(layerOf(t, hello(t), 0), imagetest.Zip(t, imagetest.Layer(t, entry{Name: "other"})))
	s := open(t, nil)
	if i, err := s.Pull(t.Context(), r.Host()+"/app"); err == nil {
		t.Errorf("pulled %+v", i)
	}
	clean(t, s)
}

// TestOnePullServesEverybodyWhoWaits starts several pulls of one image, of which one caller goes away.
func TestOnePullServesEverybodyWhoWaits(t *testing.T) {
	r, _ := serve(t, hello(t))
	config := r.Gate(imagetest.Digest(hello(t).ConfigFile(t)))
	s := open(t, nil)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := s.Pull(t.Context(), r.Host()+"/app"); err != nil {
				t.Error(err)
			}
		})
	}
	config <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Pull(ctx, r.Host()+"/app"); err == nil {
		t.Error("a caller that went away got an image")
	}
	close(config)
	wg.Wait()
	if n := r.Pulled(layerOf(t, hello(t), 0)); n != 1 {
		t.Errorf("the layer was pulled %d times", n)
	}
}

// TestInterruptedPullGoesOn ends a pull while its second layer comes, sweeps as a start does, and pulls again.
func TestInterruptedPullGoesOn(t *testing.T) {
	i := &imagetest.Image{Compress: true, Layers: [][]byte{
		imagetest.Layer(t, entry{Name: "first", Content: "1"}), imagetest.Layer(t, entry{Name: "second", Content: "2"}),
	}}
	r, manifest := serve(t, i)
	first, second := layerOf(t, i, 0), layerOf(t, i, 1)
	gate := r.Gate(second)
	s := open(t, nil)
	done := make(chan error)
	go func() {
		_, err := s.Pull(context.WithoutCancel(t.Context()), r.Host()+"/app")
		done <- err
	}()
	imagetest.Wait(t, filepath.Join(s.o.Dir, layersDir), func() bool {
		_, err := os.Stat(s.layerDir(imagetest.Digest(i.Layers[0])[len("sha256:"):]))
		return err == nil
	})
	s.Close()
	if err := <-done; err == nil {
		t.Fatal("the pull was not interrupted")
	}
	close(gate)
	s = open(t, func(o *Options) { o.Dir = s.o.Dir })
	if later, err := s.Sweep(func(digest string) bool { return "sha256:"+digest == manifest }); err != nil || later {
		t.Fatal(later, err)
	}
	got, err := s.Pull(t.Context(), r.Host()+"/app@"+manifest)
	if err != nil || len(listing(t, got.Root)) != 2 {
		t.Fatal(got, err)
	}
	if n := r.Pulled(first); n != 1 {
		t.Errorf("the first layer was pulled %d times", n)
	}
	if left, err := os.ReadDir(filepath.Join(s.o.Dir, pullsDir)); err != nil || len(left) != 0 {
		t.Errorf("left of the pull: %v, %v", left, err)
	}
}

// TestInterruptedPullThatNobodyWantsIsSwept has the layer go that came before the interruption.
func TestInterruptedPullThatNobodyWantsIsSwept(t *testing.T) {
	i := hello(t)
	i.Layers = append(i.Layers, imagetest.Layer(t, entry{Name: "second"}))
	r, _ := serve(t, i)
	r.Replace(layerOf(t, i, 1), nil)
	s := open(t, nil)
	var bad *Error
	if _, err := s.Pull(t.Context(), r.Host()+"/app"); !errors.As(err, &bad) || bad.Kind != Missing {
		t.Fatal(err)
	}
	if later, err := s.Sweep(func(string) bool { return false }); err != nil || later {
		t.Fatal(later, err)
	}
	for _, dir := range []string{layersDir, pullsDir} {
		if left, err := os.ReadDir(filepath.Join(s.o.Dir, dir)); err != nil || len(left) != 0 {
			t.Errorf("left in %s: %v, %v", dir, left, err)
		}
	}
}

func TestRegistriesThatFailAreUnreachable(t *testing.T) {
	r, _ := serve(t, hello(t))
	for _, status := range []int{http.StatusNotImplemented, http.StatusTeapot} {
		r.Fail(status)
		var bad *Error
		if _, err := open(t, nil).Resolve(t.Context(), r.Host()+"/app"); !errors.As(err, &bad) || bad.Kind != Unreachable {
			t.Errorf("status %d: %v", status, err)
		}
	}
}
