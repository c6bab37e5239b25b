package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"lambent.dev/lambent/internal/auth"
	"lambent.dev/lambent/internal/auth/keyfile"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/blob/disk"
	blobmem "lambent.dev/lambent/internal/blob/mem"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/config"
	"lambent.dev/lambent/internal/dispatch"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/front/localca"
	"lambent.dev/lambent/internal/gateway/domain"
	"lambent.dev/lambent/internal/gateway/trace"
	"lambent.dev/lambent/internal/gateway/vpcendpoint"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/observe/access"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/internal/store/pebble"
)

// decisions is how many authorisation decisions are kept for `lambent iam explain`.
const decisions = 4096

// Server is a running Lambent.
type Server struct {
	url      string
	address  netip.AddrPort // of the listener
	keys     *keyfile.Keys
	plane    *dispatch.Plane
	front    *front.Server
	serving  chan struct{} // closed when plane and front are set
	stopping chan struct{} // closed when the server begins to stop
	registry *dispatch.Registry
	services []service.Service
	backups  *backups
	access   *access.Log
	// loopback tells that only this machine reaches the listener.
	loopback bool
	// traces keeps what requests to APIs saw; nil when the listener is not on loopback.
	traces *trace.Recorder
	failed chan error
	// headroom has the garbage collector run less often.
	headroom headroom
	// closers undo what Start did, in the reverse order.
	closers []func(ctx context.Context) error
}

// machine is what a Lambent takes from the machine that it runs on.
type machine struct {
	clock clock.Clock
	disk  vfs.FS // of the store; nil means the operating system's
}

// Start starts a Lambent with cfg, which is valid. When it returns, requests are answered; Close ends it.
func Start(ctx context.Context, cfg config.Config, log *slog.Logger) (*Server, error) {
	m := machine{clock: clock.System{}}
	if cfg.TestClock {
		m.clock = clock.NewMovable()
	}
	return start(ctx, cfg, log, m)
}

func start(ctx context.Context, cfg config.Config, log *slog.Logger, m machine) (_ *Server, err error) {
	s := &Server{serving: make(chan struct{}), stopping: make(chan struct{}), failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(context.WithoutCancel(ctx)))
		}
	}()
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; set listen to another address, or stop what uses this one", cfg.Listen, err)
	}
	s.onClose(func(context.Context) error {
		if s.front != nil {
			return nil
		}
		return l.Close()
	})
	s.url = baseURL(&cfg, l.Addr())
	if at, err := netip.ParseAddrPort(l.Addr().String()); err == nil {
		s.address = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
	}
	if s.access, err = openAccess(&cfg, log); err != nil {
		return nil, err
	}
	s.onClose(func(context.Context) error { return s.access.Close() })
	p, err := s.open(ctx, cfg, log, m)
	if err != nil {
		return nil, err
	}
	s.loopback = isLoopback(l.Addr())
	if s.loopback {
		s.traces = trace.NewRecorder(p.deps.Clock)
	}
	authority, err := openAuthority(&cfg, p.deps.Clock)
	if err != nil {
		return nil, err
	}
	p.authority = authority
	services, err := p.build(ctx, s)
	if err != nil {
		return nil, err
	}
	s.services = services
	registry, err := dispatch.NewRegistry(services, APIs())
	if err != nil {
		return nil, fmt.Errorf("services: %w", err)
	}
	s.registry = registry
	journal := auth.NewJournal(decisions)
	p.door.Open(registry, auth.NewAuthorizer(p.identities, journal, log))
	authenticator := auth.NewAuthenticator(p.identities, s.keys.Ring, s.keys.Root, p.deps.Clock)
	certificates, err := tlsConfig(&cfg, authority)
	if err != nil {
		return nil, err
	}
	askCertificates(certificates, p.domains)
	if err := s.begin(ctx, services, p.queue); err != nil {
		return nil, err
	}
	s.plane = dispatch.NewPlane(dispatch.PlaneOptions{
		Registry: registry, Door: p.door, Authenticator: authenticator, Clock: p.deps.Clock, Random: rand.Reader, Log: log,
		Account: cfg.Account, Region: cfg.Region, Loopback: s.loopback, LocalKeys: cfg.LocalCredentials,
	})
	admin := &admin{journal: journal, authenticator: authenticator, clock: p.deps.Clock}
	routes := []service.Route{
		{Path: "/_lambent/decisions/{id}", Handler: http.HandlerFunc(admin.explain), RootOnly: "read decisions"},
		{Path: "/_lambent/traces/{id}", Handler: http.HandlerFunc(s.serveTrace), RootOnly: "read traces"},
		{Path: "/_lambent/clock", Handler: http.HandlerFunc(admin.advance), RootOnly: "move the clock"},
		{Path: "/_lambent/backup", Handler: http.HandlerFunc(s.backups.serve), RootOnly: "back up the platform"},
	}
	for i := range services {
		for _, r := range services[i].Routes {
			r.Owner = services[i].API.Name
			routes = append(routes, r)
		}
	}
	for i := range routes {
		routes[i] = admin.guard(routes[i])
	}
	s.front, err = front.Serve(l, front.Options{
		Routes: routes, API: s.plane, Health: health{services: services}, TLS: certificates, Loopback: s.loopback,
		Access: s.access, Clock: p.deps.Clock, Log: log, SandboxTLS: authority.Config(),
	})
	if err != nil {
		return nil, err
	}
	close(s.serving)
	bodies := &sweeper{blobs: p.deps.Blobs, services: services, clock: p.deps.Clock, log: log}
	bodies.start(ctx)
	s.onClose(bodies.close)
	s.watch(p.deps.Store)
	s.onClose(s.front.Shutdown)
	s.onClose(func(context.Context) error {
		close(s.stopping)
		return nil
	})
	s.headroom = newHeadroom()
	return s, nil
}

// URL is the base URL at which clients on this machine reach the server.
func (s *Server) URL() string { return s.url }

// RootKey is the root user's access key.
func (s *Server) RootKey() auth.RootKey { return s.keys.Root }

// Failed receives the reason when the server cannot go on. The caller closes the server then, and starts it again when the reason is mended.
func (s *Server) Failed() <-chan error { return s.failed }

// watch reports when the store has stopped.
func (s *Server) watch(kv store.Store) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		select {
		case <-kv.Failed():
			s.failed <- kv.View(context.Background(), func(store.Reader) error { return nil })
		case <-stop:
		}
	})
	s.onClose(func(context.Context) error {
		close(stop)
		wg.Wait()
		return nil
	})
}

// Reopen opens the access log anew, after it was rotated.
func (s *Server) Reopen() { s.access.Reopen() }

// Implements reports whether an operation of an API has a handler.
func (s *Server) Implements(api, operation string) bool {
	return s.registry.Implemented(api, operation)
}

// Services returns what each service declares, for the coverage page.
func (s *Server) Services() []service.Service { return s.services }

// Close stops the server in order. What was acknowledged stays. It is idempotent.
func (s *Server) Close(ctx context.Context) error {
	var errs []error
	for _, fn := range slices.Backward(s.closers) {
		errs = append(errs, fn(ctx))
	}
	s.closers = nil
	return errors.Join(errs...)
}

func (s *Server) onClose(fn func(ctx context.Context) error) { s.closers = append(s.closers, fn) }

// parts is what services are built from.
type parts struct {
	cfg        config.Config
	deps       service.Deps
	door       *dispatch.Door
	queue      *events.Queue
	keys       *keyfile.Keys
	identities *auth.Cache
	domains    *domain.Domains
	// vpcEndpoints tells which VPC endpoint a request to an API came through.
	vpcEndpoints *vpcendpoint.Endpoints
	// authority is the platform's own certificate authority; nil where nothing is kept.
	authority *localca.CA
}

// open opens keys, store and bodies.
func (s *Server) open(ctx context.Context, cfg config.Config, log *slog.Logger, m machine) (*parts, error) {
	c := m.clock
	p := &parts{cfg: cfg, door: dispatch.NewDoor(c, rand.Reader, log)}
	kv, blobs, err := s.openState(ctx, cfg, log, m)
	if err != nil {
		return nil, err
	}
	if cfg.Ephemeral {
		s.keys, err = keyfile.Ephemeral(cfg.Account, rand.Reader)
	} else {
		s.keys, err = keyfile.Open(cfg.DataDir, cfg.Account, rand.Reader)
	}
	if err != nil {
		return nil, err
	}
	p.keys = s.keys
	p.queue = events.New(kv, c, log)
	p.deps = service.Deps{
		Store: kv, Blobs: blobs, Door: p.door, Clock: c, Random: rand.Reader, Log: log, BaseURL: s.url, Account: cfg.Account, Region: cfg.Region,
		Meters: &meter.Registry{},
	}
	return p, nil
}

func (s *Server) openState(ctx context.Context, cfg config.Config, log *slog.Logger, m machine) (store.Store, blob.Store, error) {
	if cfg.Ephemeral {
		kv, blobs := mem.New(), blobmem.New()
		s.backups = &backups{}
		s.onClose(func(context.Context) error { return errors.Join(blobs.Close(), kv.Close()) })
		return kv, blobs, nil
	}
	kv, err := pebble.Open(filepath.Join(cfg.DataDir, "store"), pebble.Options{FS: m.disk, Log: log})
	if err != nil {
		return nil, nil, fmt.Errorf("open the data folder %s: %w", cfg.DataDir, err)
	}
	s.onClose(func(context.Context) error { return kv.Close() })
	if err := checkFormat(ctx, kv, cfg.DataDir); err != nil {
		return nil, nil, err
	}
	if err := os.RemoveAll(filepath.Join(cfg.DataDir, backupFolder)); err != nil {
		return nil, nil, fmt.Errorf("remove what a backup left: %w", err)
	}
	blobs, err := openBodies(ctx, cfg, kv, log, m.clock)
	if err != nil {
		return nil, nil, err
	}
	s.onClose(func(context.Context) error { return blobs.Close() })
	held := &heldBodies{Store: blobs, log: log}
	local, _ := blobs.(*disk.Store)
	s.backups = &backups{store: kv, local: local, bodies: held, dir: cfg.DataDir, log: log, patience: backupPatience, stopping: s.stopping}
	return kv, held, nil
}

// begin starts the services' goroutines and the durable work.
func (s *Server) begin(ctx context.Context, services []service.Service, queue *events.Queue) error {
	for i := range services {
		if err := queue.Register(services[i].Jobs...); err != nil {
			return err
		}
	}
	for i := range services {
		if services[i].Close != nil {
			s.onClose(services[i].Close)
		}
		if services[i].Start == nil {
			continue
		}
		if err := services[i].Start(ctx); err != nil {
			return fmt.Errorf("start %s: %w", services[i].API.ServiceID, err)
		}
	}
	s.onClose(func(context.Context) error { return queue.Close() })
	return queue.Start(context.WithoutCancel(ctx))
}

// baseURL returns the URL that replies show: the configured one, or that of the listener.
func baseURL(cfg *config.Config, addr net.Addr) string {
	if cfg.PublicURL != "" {
		return strings.TrimRight(cfg.PublicURL, "/")
	}
	host := addr.String()
	if a, err := netip.ParseAddrPort(host); err == nil && a.Addr().IsUnspecified() {
		host = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port()).String()
	}
	return "http://" + host
}

func isLoopback(addr net.Addr) bool {
	a, err := netip.ParseAddrPort(addr.String())
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// tlsConfig returns the configured certificate, or the local authority's.
// openAuthority returns the platform's own certificate authority; nil where nothing is kept.
func openAuthority(cfg *config.Config, c clock.Clock) (*localca.CA, error) {
	if cfg.Ephemeral {
		return nil, nil
	}
	return localca.Open(filepath.Join(cfg.DataDir, "keys"), c)
}

func tlsConfig(cfg *config.Config, own *localca.CA) (*tls.Config, error) {
	if cfg.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(cfg.TLSCert, cfg.TLSKey)
		if err != nil {
			return nil, fmt.Errorf("load the certificate of tls-cert and tls-key: %w", err)
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
	}
	return own.Config(), nil
}

// askCertificates has clients of custom domain names with mutual TLS asked for a certificate; whether it will do is decided for each request.
func askCertificates(base *tls.Config, domains *domain.Domains) {
	if base == nil {
		return
	}
	base.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		authorities := domains.ClientCAs(hello.Context(), hello.ServerName)
		if authorities == nil {
			return nil, nil
		}
		asking := base.Clone()
		asking.NextProtos = []string{"h2", "http/1.1"}
		asking.ClientAuth, asking.ClientCAs = tls.RequestClientCert, authorities
		return asking, nil
	}
}

// openAccess opens the access log, if the settings want one.
func openAccess(cfg *config.Config, log *slog.Logger) (*access.Log, error) {
	switch cfg.AccessLog {
	case config.AccessLogOff:
		return nil, nil
	case config.AccessLogStderr:
		return access.New(os.Stderr, log), nil
	}
	return access.Open(cfg.AccessLog, log)
}
