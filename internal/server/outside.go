package server

import (
	"context"
	"net"
	"net/http"
	"time"

	"lambent.dev/lambent/internal/auth/oidc"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/lib/reach"
)

// reached returns the one policy of which addresses users make this server connect to.
func (p *parts) reached(s *Server) *reach.Policy {
	return &reach.Policy{
		Private: p.cfg.PrivateBackends(), Own: s.address,
		Enter: func(ctx context.Context) (net.Conn, error) {
			<-s.serving
			return s.front.Dial(ctx)
		},
	}
}

// issuers returns what proves tokens by the keys of their issuers.
func (p *parts) issuers(s *Server) *oidc.Verifier {
	transport := integration.NewTransport(integration.TransportOptions{Dial: p.reached(s).Dialer(reach.Internet)})
	return oidc.New(oidc.Options{HTTP: deliver.NewClient(transport, 0), Clock: p.deps.Clock})
}

const (
	handshakeTimeout = 10 * time.Second
	idleTimeout      = 90 * time.Second
	maxIdle          = 256 // connections
)

// outside returns what calls endpoints that services deliver to: subscribers of topics, API destinations, HTTP endpoints of delivery streams. There is no proxy:
// it would connect where the policy does not.
func (p *parts) outside(s *Server) http.RoundTripper {
	return &http.Transport{
		DialContext: p.reached(s).Dialer(reach.Internet), ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: handshakeTimeout, IdleConnTimeout: idleTimeout, MaxIdleConns: maxIdle,
	}
}
