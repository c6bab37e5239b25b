package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Error says that an image cannot be used. Its text is for whoever gave the image.
type Error struct {
	Reason string
	// Kind is what the reason has to do with.
	Kind Kind
}

// Kind tells errors apart.
type Kind int

// The kinds of errors.
const (
	// Invalid is an image that is not one, or that is not for this machine.
	Invalid Kind = iota
	// Missing is an image that its registry does not have, Denied one that it does not give away.
	Missing
	Denied
	// Unreachable is a registry that has not answered as it should: another try may succeed.
	Unreachable
)

// Error is the reason.
func (e *Error) Error() string { return e.Reason }

func refuse(format string, args ...any) error { return refuseAs(Invalid, format, args...) }

func refuseAs(k Kind, format string, args ...any) error {
	return &Error{Reason: fmt.Sprintf(format, args...), Kind: k}
}

// source is where an image comes from.
type source interface {
	// manifest returns the manifest or the index that the image is named by.
	manifest(ctx context.Context) ([]byte, error)
	// blob opens what has that descriptor: a manifest, a configuration, a layer. What comes out is not verified.
	blob(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error)
}

// description is what is known of an image before its layers are read.
type description struct {
	digest string
	config Config
	layers []layer
}

// layer is one layer of an image.
type layer struct {
	// diffID is the digest of the tar file in it, in hexadecimal.
	diffID     string
	descriptor v1.Descriptor
}

const (
	maxDocument = 4 << 20 // bytes of a manifest, index or configuration
	maxNesting  = 3       // of indexes
)

// describe reads an image's manifest and configuration.
func describe(ctx context.Context, src source, l Limits) (*description, error) {
	raw, err := src.manifest(ctx)
	if err != nil {
		return nil, err
	}
	var head struct {
		MediaType types.MediaType `json:"mediaType"`
		Manifests json.RawMessage `json:"manifests"`
	}
	for depth := 0; ; depth++ {
		if err := json.Unmarshal(raw, &head); err != nil {
			return nil, refuse("the image's manifest is not valid: %v", err)
		}
		if head.Manifests == nil {
			break
		}
		if depth == maxNesting {
			return nil, refuse("the image's index leads to further indexes, more than %d deep", maxNesting)
		}
		d, err := choose(raw)
		if err != nil {
			return nil, err
		}
		if raw, err = document(ctx, src, d); err != nil {
			return nil, err
		}
		head.Manifests = nil
	}
	sum := sha256.Sum256(raw)
	out := &description{digest: hex.EncodeToString(sum[:])}
	return out, out.read(ctx, src, raw, l)
}

// read fills in what a manifest says.
func (d *description) read(ctx context.Context, src source, raw []byte, l Limits) error {
	m, err := v1.ParseManifest(bytes.NewReader(raw))
	if err != nil {
		return refuse("the image's manifest is not valid: %v", err)
	}
	if m.SchemaVersion != 2 || m.Config.Digest.Algorithm == "" {
		return refuse("the image's manifest is not one of an image: schema version 2 with a configuration is needed")
	}
	rawConfig, err := document(ctx, src, m.Config)
	if err != nil {
		return err
	}
	c, err := v1.ParseConfigFile(bytes.NewReader(rawConfig))
	if err != nil {
		return refuse("the image's configuration is not valid: %v", err)
	}
	if err := runnable(c); err != nil {
		return err
	}
	switch {
	case len(m.Layers) > l.Layers:
		return refuse("the image has %d layers, at most %d are allowed", len(m.Layers), l.Layers)
	case len(m.Layers) != len(c.RootFS.DiffIDs):
		return refuse("the image's manifest has %d layers, its configuration %d", len(m.Layers), len(c.RootFS.DiffIDs))
	}
	for i, desc := range m.Layers {
		id := c.RootFS.DiffIDs[i]
		if id.Algorithm != "sha256" || !digestPattern.MatchString(id.Hex) {
			return refuse("the digest %q of layer %d is not a SHA-256", id, i)
		}
		if !desc.MediaType.IsLayer() || !desc.MediaType.IsDistributable() {
			return refuse("layer %d has the type %s; tar files, plain, gzip or zstd, that come with the image are supported", i, desc.MediaType)
		}
		d.layers = append(d.layers, layer{diffID: id.Hex, descriptor: desc})
	}
	d.config = Config{Entrypoint: c.Config.Entrypoint, Command: c.Config.Cmd, Env: c.Config.Env, WorkingDir: c.Config.WorkingDir}
	return nil
}

// runnable tells whether this machine can run the image.
func runnable(c *v1.ConfigFile) error {
	if c.OS != "linux" && c.OS != "" || c.Architecture != runtime.GOARCH && c.Architecture != "" {
		return refuse("the image is for %s/%s, and this machine runs linux/%s; build it with --platform linux/%[3]s", c.OS, c.Architecture, runtime.GOARCH)
	}
	return nil
}

// choose returns the image for this machine's platform of an index.
func choose(raw []byte) (v1.Descriptor, error) {
	index, err := v1.ParseIndexManifest(bytes.NewReader(raw))
	if err != nil {
		return v1.Descriptor{}, refuse("the image's index is not valid: %v", err)
	}
	var images []v1.Descriptor
	var platforms []string
	for _, d := range index.Manifests {
		if !d.MediaType.IsImage() && !d.MediaType.IsIndex() {
			continue
		}
		images = append(images, d)
		if d.Platform != nil {
			platforms = append(platforms, d.Platform.String())
		}
	}
	if len(images) == 1 {
		return images[0], nil
	}
	fits := slices.DeleteFunc(images, func(d v1.Descriptor) bool {
		return d.Platform == nil || d.Platform.OS != "linux" || d.Platform.Architecture != runtime.GOARCH
	})
	switch len(fits) {
	case 0:
		return v1.Descriptor{}, refuse("the index has no image for linux/%s among %d; it has %s", runtime.GOARCH, len(index.Manifests), strings.Join(platforms, ", "))
	default:
		return fits[0], nil
	}
}

// document reads a small blob and verifies it.
func document(ctx context.Context, src source, d v1.Descriptor) ([]byte, error) {
	r, err := src.blob(ctx, d)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read %s of the image: %w", d.Digest, err)
	}
	if len(b) > maxDocument {
		return nil, refuse("the document %s of the image is larger than %d bytes", d.Digest, maxDocument)
	}
	sum := sha256.Sum256(b)
	if d.Digest.Algorithm != "sha256" || d.Digest.Hex != hex.EncodeToString(sum[:]) {
		return nil, refuse("the document %s of the image is damaged: it has the digest sha256:%x", d.Digest, sum)
	}
	return b, nil
}

// opener opens files of an image that was written to a folder or an archive.
type opener interface {
	// open opens the file of that name; a missing one is an fs.ErrNotExist.
	open(name string) (io.ReadCloser, error)
}

// savedSource is an image in the OCI image layout, or as `docker save` has written it before it knew that.
type savedSource struct {
	files opener
	// saved maps the digests of a made-up manifest to files of an image without one.
	saved map[string]string
	config,
	made []byte
}

var _ source = (*savedSource)(nil)

// openSaved finds out what lies in a folder or archive.
func openSaved(files opener) (*savedSource, error) {
	s := &savedSource{files: files}
	_, err := s.small("index.json")
	if err == nil {
		return s, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return s, s.readSaved()
}

func (s *savedSource) manifest(context.Context) ([]byte, error) {
	if s.made != nil {
		return s.made, nil
	}
	return s.small("index.json")
}

func (s *savedSource) blob(_ context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	name := "blobs/" + d.Digest.Algorithm + "/" + d.Digest.Hex
	if s.made != nil {
		if name = s.saved[d.Digest.String()]; name == "" {
			return io.NopCloser(bytes.NewReader(s.config)), nil
		}
	}
	r, err := s.files.open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse("%s is missing in the image", name)
	}
	return r, err
}

// small reads a whole document.
func (s *savedSource) small(name string) ([]byte, error) {
	r, err := s.files.open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, fmt.Errorf("read %s of the image: %w", name, err)
	}
	if len(b) > maxDocument {
		return nil, refuse("%s of the image is larger than %d bytes", name, maxDocument)
	}
	return b, nil
}

// readSaved reads what docker save writes: a list of images with the names of their files. It makes a manifest for them whose layers are named by their
// diff ids, so that the image has a digest that follows from its content.
func (s *savedSource) readSaved() error {
	raw, err := s.small("manifest.json")
	if errors.Is(err, fs.ErrNotExist) {
		return refuse("neither index.json (an OCI image layout) nor manifest.json (docker save) is there: this is not an image")
	}
	if err != nil {
		return err
	}
	var list []struct {
		Config string
		Layers []string
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return refuse("manifest.json of the image is not valid: %v", err)
	}
	if len(list) != 1 {
		return refuse("there are %d images in it; save one", len(list))
	}
	if s.config, err = s.small(list[0].Config); err != nil {
		return refuse("the image's configuration %q cannot be read: %v", list[0].Config, err)
	}
	c, err := v1.ParseConfigFile(bytes.NewReader(s.config))
	if err != nil {
		return refuse("the image's configuration is not valid: %v", err)
	}
	if len(c.RootFS.DiffIDs) != len(list[0].Layers) {
		return refuse("manifest.json has %d layers, the configuration %d", len(list[0].Layers), len(c.RootFS.DiffIDs))
	}
	sum := sha256.Sum256(s.config)
	m := v1.Manifest{
		SchemaVersion: 2, MediaType: types.OCIManifestSchema1,
		Config: v1.Descriptor{MediaType: types.OCIConfigJSON, Size: int64(len(s.config)), Digest: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}},
		Layers: []v1.Descriptor{},
	}
	s.saved = map[string]string{}
	for i, name := range list[0].Layers {
		id := c.RootFS.DiffIDs[i]
		m.Layers = append(m.Layers, v1.Descriptor{MediaType: types.OCIUncompressedLayer, Digest: id})
		s.saved[id.String()] = name
	}
	s.made, err = json.Marshal(m)
	return err
}
