package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"lambent.dev/lambent/bench/lab"
)

// images compares the cold starts of a container image with those of the same program in a zip file. Each start is of a new revision, so that none is initialised ahead.
func (b *bench) images(ctx context.Context) (err error) {
	p, err := lab.Up(ctx, lab.Options{Binary: b.binary, Dir: b.dir, DataDir: filepath.Join(b.dir, "images")})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	c, err := newCaller(ctx, p)
	if err != nil {
		return err
	}
	archive, err := b.archive(nil)
	if err != nil {
		return err
	}
	if err := c.create(ctx, "zip", "provided.al2023", "bootstrap", archive); err != nil {
		return err
	}
	if err := c.createImage(ctx, "image", b.hello); err != nil {
		return err
	}
	var got pairs
	for i := range b.samples + 1 {
		image, err := c.coldInvoke(ctx, "image", i, settle)
		if err != nil {
			return err
		}
		zip, err := c.coldInvoke(ctx, "zip", i, settle)
		if err != nil {
			return err
		}
		if i > 0 { // the first ones find no cell
			got.ours, got.theirs = append(got.ours, image), append(got.theirs, zip)
		}
	}
	ratioRow("cold Go in a container image ÷ cold Go in a zip file", &got, 1.5, 2)
	return nil
}

// createImage creates a function of an image that has nothing but a program, which a tar file in a bucket brings.
func (c *caller) createImage(ctx context.Context, function, program string) error {
	image, err := imageOf(program)
	if err != nil {
		return err
	}
	for _, put := range []struct {
		path string
		body []byte
	}{{"/images", nil}, {"/images/image.tar", image}} {
		if _, _, err := c.call(ctx, "s3", http.MethodPut, put.path, "application/x-tar", put.body); err != nil {
			return err
		}
	}
	body, err := json.Marshal(map[string]any{
		"FunctionName": function, "Role": c.role, "PackageType": "Image", "MemorySize": 128, "Timeout": 10, "Code": map[string]any{"ImageUri": "s3://images/image.tar"},
	})
	if err == nil {
		_, _, err = c.call(ctx, "lambda", http.MethodPost, "/2015-03-31/functions", "application/json", body)
	}
	return err
}

// imageOf is an image of one layer with a program that it runs, as `docker save` writes it.
func imageOf(program string) ([]byte, error) {
	data, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Name: "bootstrap", Mode: 0o755, Size: int64(len(data)), ModTime: time.Unix(0, 0)}); err != nil {
		return nil, err
	}
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		return nil, err
	}
	platform, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{Architecture: runtime.GOARCH, OS: runtime.GOOS, RootFS: v1.RootFS{Type: "layers"}})
	if err != nil {
		return nil, fmt.Errorf("make the image: %w", err)
	}
	image, err := mutate.AppendLayers(platform, l)
	if err == nil {
		image, err = mutate.Config(image, v1.Config{Entrypoint: []string{"/bootstrap"}})
	}
	if err != nil {
		return nil, fmt.Errorf("make the image: %w", err)
	}
	tag, err := name.NewTag("bench:1")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = tarball.Write(tag, image, &out)
	return out.Bytes(), err
}
