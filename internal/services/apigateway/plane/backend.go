package plane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"

	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/lib/reach"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxTransports bounds the HTTP clients, of which there is one for each client certificate.
const maxTransports = 256

// backends are the HTTP clients of the plane.
type backends struct {
	keys port.Keys

	mu sync.Mutex // guards the fields below
	// transports are by the client certificate's id and whether the backend's certificate is checked.
	transports map[backendKey]*integration.Transport
}

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
	if t := b.find(k); t != nil {
		return t, nil
	}
	var certificate *tls.Certificate
	if k.certificate != "" {
		var err error
		if certificate, err = b.load(ctx, p.o.Store, k); err != nil {
			return nil, fmt.Errorf("client certificate %s: %w", k.certificate, err)
		}
	}
	return b.keep(k, integration.NewTransport(integration.TransportOptions{TLS: tlsConfig(certificate, c.insecure), Dial: p.o.Reach.Dialer(k.network)})), nil
}

func (b *backends) find(k backendKey) *integration.Transport {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.transports[k]
}

// keep keeps a client, unless there is one already.
func (b *backends) keep(k backendKey, t *integration.Transport) *integration.Transport {
	b.mu.Lock()
	defer b.mu.Unlock()
	if other := b.transports[k]; other != nil {
		return other
	}
	if b.transports == nil || len(b.transports) >= maxTransports {
		b.closeLocked()
		b.transports = map[backendKey]*integration.Transport{}
	}
	b.transports[k] = t
	return t
}

func (b *backends) closeLocked() {
	for _, t := range b.transports {
		t.Close()
	}
}

// close closes idle connections.
func (b *backends) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closeLocked()
}

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
