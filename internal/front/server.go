package front

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/observe/access"
	"lambent.dev/lambent/internal/service"
)

// Options configure a [Server].
type Options struct {
	// Routes are the hosts and paths of the services.
	Routes []service.Route
	// API serves what no route takes: the AWS API plane. It finds the match of its request with [MatchOf].
	API http.Handler
	// Health answers GET /_lambent/health and its alias /_localstack/health.
	Health http.Handler
	// TLS holds the certificates; nil serves plain HTTP only.
	TLS *tls.Config
	// Loopback tells that the listener is on a loopback address, where requests that a web page could forge are refused
	// on the routes that are not public.
	Loopback bool
	// SandboxTLS is for TLS connections to listeners inside sandboxes; nil refuses those.
	SandboxTLS *tls.Config
	// Access is the access log; nil writes none. It needs Clock.
	Access *access.Log
	// BodyPause is for how long a client may send nothing of a body that it has begun, or twice that; zero means 30 s.
	BodyPause time.Duration
	Clock     clock.Clock
	Log       *slog.Logger
}

// Server serves one port.
type Server struct {
	http     *http.Server
	direct   *directServer
	listener *splitListener
	inside   *inside
	// sandboxTLS is [Options.SandboxTLS].
	sandboxTLS *tls.Config
	done       chan error
}

// Serve starts serving l in the background. The caller ends it with Shutdown.
func Serve(l net.Listener, o Options) (*Server, error) {
	table, err := NewTable(o.Routes)
	if err != nil {
		return nil, err
	}
	h := &handler{options: o, table: table}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &Server{
		http: &http.Server{
			Handler:           h,
			ConnContext:       withConn,
			ConnState:         connState,
			Protocols:         &protocols,
			ReadHeaderTimeout: headTimeout,
			IdleTimeout:       idleTimeout,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
		},
		direct:     newDirectServer(h, o.pause(), o.Log),
		inside:     newInside(),
		sandboxTLS: o.SandboxTLS,
		done:       make(chan error, 1),
	}
	if o.TLS != nil {
		config := o.TLS.Clone()
		config.NextProtos = []string{"h2", "http/1.1"}
		s.http.TLSConfig = config
	}
	s.listener = split(l, s.http.TLSConfig, s.direct, false)
	inner := split(s.inside, insideTLS(s.http.TLSConfig), s.direct, true) // before Serve, which writes to the configuration
	go func() { s.done <- s.http.Serve(s.listener) }()
	go s.serveInner(inner)
	return s, nil
}

// ServeSandbox serves a listener inside a sandbox until the listener is closed or the server shuts down.
func (s *Server) ServeSandbox(l net.Listener) {
	s.serveInner(split(l, s.sandboxTLS, s.direct, true))
}

// serveInner serves a listener whose callers are strangers.
func (s *Server) serveInner(inner *splitListener) {
	// The error tells that the listener or the server was closed, which is how this ends.
	_ = s.http.Serve(inner)
	_ = inner.Close()
}

// Shutdown stops listening and waits for the running requests until ctx ends; then it closes what is left.
func (s *Server) Shutdown(ctx context.Context) error {
	err := errors.Join(s.http.Shutdown(ctx), s.direct.shutdown(ctx))
	if err != nil {
		err = errors.Join(fmt.Errorf("requests were still running: %w", err), s.http.Close())
	}
	if e := <-s.done; !errors.Is(e, http.ErrServerClosed) {
		err = errors.Join(err, e)
	}
	return errors.Join(err, s.listener.Close())
}

type handler struct {
	options Options
	table   *Table
}

// ServeHTTP serves one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if settle(w, r) {
		return
	}
	h.paced(w, r)
	if h.options.Access != nil {
		h.logged(w, r)
		return
	}
	h.serve(w, r, nil)
}

// serve routes one request. e is its entry in the access log, if there is one.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, e *access.Entry) {
	m := matchRoom(r)
	*m = h.table.Find(r.Context(), r.Host, r.RequestURI)
	m.Access = e
	if m.Route == nil {
		switch m.Rest {
		case "/_lambent/health", "/_localstack/health":
			h.options.Health.ServeHTTP(w, r)
			return
		}
	}
	if m.Route == nil || m.Route.API != "" {
		h.options.API.ServeHTTP(w, withMatch(r, m))
		return
	}
	if e != nil {
		e.Service = m.Route.Owner
	}
	if reason, bad := Forgeable(r); bad && h.options.Loopback && !m.Route.Public {
		http.Error(w, "Refused: "+reason+".", http.StatusForbidden)
		return
	}
	m.Route.Handler.ServeHTTP(w, withMatch(r, m))
}

// MatchOf returns how r was routed.
func MatchOf(r *http.Request) *Match {
	if m, ok := r.Context().Value(matchKey{}).(*Match); ok {
		return m
	}
	return &Match{Rest: RoutePath(r)}
}
