package lambda

import (
	"context"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/lambda"
)

// Images finds container images. A platform that can run them gives it to the service.
type Images interface {
	// Resolve makes the image that uri names ready to be run, and returns its digest: the SHA-256 of its manifest in hexadecimal. The
	// error is shown to the caller.
	Resolve(ctx context.Context, uri string) (digest string, err error)
}

// image is the container image of a version.
type image struct {
	// URI is the address as it was given, Digest what it named then.
	URI, Digest string
	// Config overrides what the image says about itself; nil without any.
	Config *api.ImageConfig `json:",omitempty"`
}

// resolved is the address of exactly this image.
func (i *image) resolved() string {
	name, _, _ := strings.Cut(i.URI, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name + "@sha256:" + i.Digest
}

// configure sets what overrides the image; the empty configuration takes it away.
func (i *image) configure(c *api.ImageConfig) {
	i.Config = c
	if len(c.EntryPoint) == 0 && len(c.Command) == 0 && orZero(c.WorkingDirectory) == "" {
		i.Config = nil
	}
}

func (i *image) response() *api.ImageConfigResponse {
	if i.Config == nil {
		return nil
	}
	return &api.ImageConfigResponse{ImageConfig: i.Config}
}

// takeImage finds the image of an input and notes it in v, whose overrides stay.
func (l *Lambda) takeImage(ctx context.Context, v *version, operation, uri string) error {
	if l.o.Images == nil {
		return unsupported(operation, "ImageUri")
	}
	digest, err := l.o.Images.Resolve(ctx, uri)
	if err != nil {
		return invalid("The image %s cannot be used: %v", uri, err)
	}
	fresh := &image{URI: uri, Digest: digest}
	if v.Image != nil {
		fresh.Config = v.Image.Config
	}
	v.Image, v.Code = fresh, archive{Hash: digest}
	return nil
}
