package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/docker/cli/cli/config"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// pullLimit bounds one pull. Whoever waits gives up earlier; the pull goes on.
const pullLimit = 30 * time.Minute

// Resolve asks a registry which image a reference names now, and whether this machine can run it. It returns the digest of the image, whose layers are not
// taken. What the registry says about the image is read again by the pull.
func (s *Store) Resolve(ctx context.Context, reference string) (digest string, err error) {
	ref, err := s.parse(reference)
	if err != nil {
		return "", err
	}
	if d, ok := ref.(name.Digest); ok {
		if i, err := s.Image(strings.TrimPrefix(d.DigestStr(), "sha256:")); err == nil {
			return i.Digest, nil
		}
	}
	src, err := s.registrySource(ref)
	if err != nil {
		return "", err
	}
	d, err := describe(ctx, src, s.o.Limits)
	if err != nil {
		return "", err
	}
	return d.digest, nil
}

// parse reads a reference to an image in a registry from which images may be pulled.
func (s *Store) parse(reference string) (name.Reference, error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return nil, refuse("%q is not the address of an image: %v", reference, err)
	}
	return ref, s.admit(ref.Context().RegistryStr())
}

// Pull takes the image that a reference names, such as "public.ecr.aws/lambda/python:3.13" or "localhost:5000/app@sha256:…", from its registry. An image that is
// named by its digest and is here is not asked for.
func (s *Store) Pull(ctx context.Context, reference string) (*Image, error) {
	ref, err := s.parse(reference)
	if err != nil {
		return nil, err
	}
	if d, ok := ref.(name.Digest); ok {
		if i, err := s.Image(strings.TrimPrefix(d.DigestStr(), "sha256:")); err == nil {
			return i, nil
		}
	}
	return s.share(ctx, "pull "+ref.Name(), func(ctx context.Context) (*Image, error) {
		ctx, cancel := context.WithTimeout(ctx, pullLimit)
		defer cancel()
		src, err := s.registrySource(ref)
		if err != nil {
			return nil, err
		}
		return s.take(ctx, src)
	})
}

// dockerHub is the name under which people know the registry that has another one.
const dockerHub = "docker.io"

// admit tells whether images may be pulled from a registry.
func (s *Store) admit(registry string) error {
	host := registry
	if h, _, err := net.SplitHostPort(registry); err == nil {
		host = h
	}
	if registry == name.DefaultRegistry {
		registry, host = dockerHub, dockerHub
	}
	for _, allowed := range s.o.Registries {
		if allowed == "*" || allowed == registry || allowed == host || allowed == "localhost" && loopback(host) {
			return nil
		}
	}
	return refuse("images are not pulled from the registry %s; the setting registries allows %s", registry, orNone(s.o.Registries))
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// registrySource is an image in a registry.
type registrySource struct {
	ref    name.Reference
	puller *remote.Puller
}

var _ source = (*registrySource)(nil)

func (s *Store) registrySource(ref name.Reference) (*registrySource, error) {
	p, err := remote.NewPuller(remote.WithTransport(s.o.Transport), remote.WithAuthFromKeychain(keychain{s.o.Credentials}), remote.WithUserAgent("lambent"))
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w", ref, err)
	}
	return &registrySource{ref: ref, puller: p}, nil
}

func (r *registrySource) manifest(ctx context.Context) ([]byte, error) {
	d, err := r.puller.Get(ctx, r.ref)
	if err != nil {
		return nil, r.failed(ctx, err)
	}
	if d.MediaType == types.DockerManifestSchema1 || d.MediaType == types.DockerManifestSchema1Signed {
		return nil, refuse("the image %s has a manifest of Docker's old schema 1; push it again with a current tool", r.ref)
	}
	return d.Manifest, nil
}

func (r *registrySource) blob(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	ref := r.ref.Context().Digest(d.Digest.String())
	if d.MediaType.IsImage() || d.MediaType.IsIndex() {
		got, err := r.puller.Get(ctx, ref)
		if err != nil {
			return nil, r.failed(ctx, err)
		}
		return io.NopCloser(strings.NewReader(string(got.Manifest))), nil
	}
	l, err := r.puller.Layer(ctx, ref)
	if err != nil {
		return nil, r.failed(ctx, err)
	}
	body, err := l.Compressed()
	if err != nil {
		return nil, r.failed(ctx, err)
	}
	return body, nil
}

// failed says what a registry's refusal means for whoever asked for the image.
func (r *registrySource) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return refuseAs(Unreachable, "the image %s cannot be pulled: %v", r.ref, err)
	}
	switch answer.StatusCode {
	case http.StatusNotFound:
		return refuseAs(Missing, "the image %s does not exist in its registry", r.ref)
	case http.StatusUnauthorized, http.StatusForbidden:
		return refuseAs(Denied, "the registry does not give the image %s away: it does not exist, or credentials are needed; the setting registry-config names a folder with them", r.ref)
	case http.StatusTooManyRequests:
		return refuseAs(Unreachable, "the registry of the image %s takes no more requests for now; try again later, or give it credentials by the setting registry-config", r.ref)
	}
	return refuseAs(Unreachable, "the image %s cannot be pulled: the registry answered %s", r.ref, http.StatusText(answer.StatusCode))
}

// keychain has the credentials of a folder with Docker's config.json.
type keychain struct{ dir string }

var _ authn.Keychain = keychain{}

// Resolve returns the credentials for a registry.
func (k keychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	if k.dir == "" {
		return authn.Anonymous, nil
	}
	file, err := config.Load(k.dir)
	if err != nil {
		return nil, fmt.Errorf("read the registry credentials in %s: %w", k.dir, err)
	}
	registry := r.RegistryStr()
	if registry == name.DefaultRegistry {
		registry = authn.DefaultAuthKey
	}
	a, err := file.GetAuthConfig(registry)
	if err != nil {
		return nil, fmt.Errorf("read the credentials for %s in %s: %w", registry, k.dir, err)
	}
	return authn.FromConfig(authn.AuthConfig{Username: a.Username, Password: a.Password, Auth: a.Auth, IdentityToken: a.IdentityToken, RegistryToken: a.RegistryToken}), nil
}

// connections makes connections to anything but link-local addresses, where clouds keep the credentials of machines: a registry may send the client elsewhere.
func connections() http.RoundTripper {
	t, ok := remote.DefaultTransport.(*http.Transport)
	if !ok {
		return remote.DefaultTransport
	}
	t = t.Clone()
	t.DialContext = (&net.Dialer{Timeout: 30 * time.Second, Control: refuseLinkLocal}).DialContext
	t.MaxIdleConnsPerHost = 2
	return t
}

func refuseLinkLocal(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := to.Addr().Unmap()
	if slices.Contains([]bool{ip.IsLinkLocalUnicast(), ip.IsMulticast(), ip.IsUnspecified()}, true) {
		return refuse("registries are not looked for at the address %s", ip)
	}
	return nil
}
