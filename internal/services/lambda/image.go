package lambda

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	images "lambent.dev/lambent/internal/image"
	"lambent.dev/lambent/internal/runtimes"
	"lambent.dev/lambent/internal/service"
)

// Images keeps container images, and unpacks what is run. A platform that can run them gives it to the service.
type Images interface {
	// Resolve asks a registry which image a reference names now, and returns its digest. Pull takes an image from its registry, Import one from the tar file that
	// comes from r. An *image.Error is for the caller.
	Resolve(ctx context.Context, reference string) (digest string, err error)
	Pull(ctx context.Context, reference string) (*images.Image, error)
	Import(ctx context.Context, r io.Reader) (*images.Image, error)
	// Image returns one that was taken before, or images.ErrMissing.
	Image(digest string) (*images.Image, error)
	// Sweep removes those for which live reports false, as far as they are not in use; later tells that some are.
	Sweep(live func(digest string) bool) (later bool, err error)
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

// objectScheme begins the address of an image that is a tar file in a bucket.
const objectScheme = "s3://"

// takeImage finds the image of an input and notes it in v, whose overrides stay.
func (l *Lambda) takeImage(ctx context.Context, v *version, operation, uri string) error {
	if l.o.Images == nil {
		return unsupported(operation, "ImageUri")
	}
	digest, err := l.findImage(ctx, uri)
	var bad *images.Error
	switch {
	case errors.As(err, &bad) && bad.Kind == images.Missing:
		return invalid("Source image %s does not exist. Provide a valid source image.", uri)
	case errors.As(err, &bad) && bad.Kind == images.Denied:
		return service.Errorf("AccessDeniedException", "Lambda does not have permission to access the image %s: %v", uri, bad).WithStatus(http.StatusForbidden)
	case errors.As(err, &bad):
		return invalid("The image %s cannot be used: %v", uri, bad)
	case err != nil:
		return unavailable(err)
	}
	fresh := &image{URI: uri, Digest: digest}
	if v.Image != nil {
		fresh.Config = v.Image.Config
	}
	v.Image, v.Code = fresh, archive{Hash: digest}
	return nil
}

// findImage returns the digest of an image. One in a registry is resolved, and taken later; one in a bucket is read, as the caller may.
func (l *Lambda) findImage(ctx context.Context, uri string) (digest string, err error) {
	place, ok := strings.CutPrefix(uri, objectScheme)
	switch {
	case strings.HasPrefix(uri, "oci:") || strings.HasPrefix(uri, "tar:"):
		// The platform reads no files of the machine for a caller.
		return "", invalid("%s names a file. Deploy a template with it by lambent up or lambent deploy, which bring the image along, or put its tar file into a bucket and give s3://bucket/key.", uri)
	case !ok:
		return l.o.Images.Resolve(ctx, uri)
	}
	bucket, object, _ := strings.Cut(place, "/")
	if l.o.Objects == nil || bucket == "" || object == "" {
		return "", invalid("%s does not name an image: give the address of an image in a registry, or s3://bucket/key of its tar file.", uri)
	}
	body, _, err := l.openObject(ctx, bucket, object, "")
	if err != nil {
		return "", err
	}
	defer func() { _ = body.Close() }()
	i, err := l.o.Images.Import(ctx, body)
	if err != nil {
		return "", err
	}
	return i.Digest, nil
}

// ensureImage returns the unpacked image of a version. One from a registry is pulled again if it is gone.
func (l *Lambda) ensureImage(ctx context.Context, v *version) (*images.Image, error) {
	if l.o.Images == nil {
		return nil, errors.New("this platform runs no container images")
	}
	i, err := l.o.Images.Image(v.Image.Digest)
	if errors.Is(err, images.ErrMissing) && !strings.HasPrefix(v.Image.URI, objectScheme) {
		return l.o.Images.Pull(ctx, v.Image.resolved())
	}
	return i, err
}

// runtime is what runs a version.
func (l *Lambda) runtime(ctx context.Context, v *version) (*runtimes.Runtime, error) {
	if v.Image == nil {
		r, err := l.o.Runtimes.Lookup(ctx, v.Runtime)
		if err != nil {
			return nil, service.Errorf("InvalidRuntimeException", "%v", err).WithStatus(502)
		}
		return r, nil
	}
	i, err := l.ensureImage(ctx, v)
	if err != nil {
		return nil, service.Errorf("CodeArtifactUserFailedException", "The image %s cannot be used: %v. Update the function's code with its image.", v.Image.URI, err).WithStatus(409)
	}
	c := v.Image.Config
	if c == nil {
		c = &api.ImageConfig{}
	}
	return runtimes.FromImage(i, c.EntryPoint, c.Command, orZero(c.WorkingDirectory)), nil
}
