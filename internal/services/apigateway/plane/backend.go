package plane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"

	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/lib/reach"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// backends are the HTTP clients of the plane.
type backends struct {
	keys       port.Keys
	transports integration.Transports[backendKey]
}

// backendKey is a client certificate, and whether the backend's certificate is checked.
type backendKey struct {
	api.Scope
	certificate string
	insecure    bool
	network     reach.Network
}

// transport returns the client for an integration of a stage.
func (b *backends) transport(ctx context.Context, p *Plane, st *stage, c *call) (*integration.Transport, error) {
	k := backendKey{certificate: deref(st.Stage.ClientCertificateId), insecure: c.insecure, network: c.network()}
	if k.certificate != "" {
		k.Scope = st.Scope
	}
	dial := p.o.Reach.Dialer(k.network)
	return b.transports.Get(k, func() (integration.TransportOptions, error) {
		if k.certificate == "" {
			return integration.TransportOptions{TLS: tlsConfig(nil, c.insecure), Dial: dial}, nil
		}
		certificate, err := b.load(ctx, p.o.Store, k)
		if err != nil {
			return integration.TransportOptions{}, fmt.Errorf("client certificate %s: %w", k.certificate, err)
		}
		return integration.TransportOptions{TLS: tlsConfig(certificate, c.insecure), Dial: dial}, nil
	})
}

// close closes idle connections.
func (b *backends) close() { b.transports.Close() }

// load reads a client certificate and opens its key.
func (b *backends) load(ctx context.Context, s store.Store, k backendKey) (*tls.Certificate, error) {
	var c api.ClientCertificate
	err := s.View(ctx, func(r store.Reader) error {
		var ok bool
		var err error
		if c, ok, err = record.Get[api.ClientCertificate](r, k.Certificate(k.certificate)); err == nil && !ok {
			err = errors.New("it does not exist")
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.Open(ctx, b.keys, k.Scope)
}
