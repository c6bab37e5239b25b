package server

import (
	"context"
	"net"
	"net/http"
	"time"

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
