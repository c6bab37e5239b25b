package runtimes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// debugConns is how many connections of debuggers there can be into an environment at a time.
const debugConns = 8

// Debugger is a port on this machine's loopback device by which a debugger reaches the process of an environment: of those environments that are started with
// it, the last. A process that is started with a debugger waits until one is attached, before it runs anything of the function.
type Debugger struct {
	listener net.Listener
	inside   uint16 // the port within the environment
	family   string
	clock    clock.Clock
	wg       sync.WaitGroup
	ctx      context.Context //nolint:containedctx // the lifetime of the connections, which Close ends
	end      context.CancelFunc

	mu  sync.Mutex   // guards the field below
	env *Environment // nil until one is started
}

// DebugError says that a runtime has no debugger that Lambent can open.
type DebugError struct{ Runtime string }

// Error names the runtime, and those that have one.
func (e *DebugError) Error() string {
	return fmt.Sprintf("Lambent cannot open a debugger of %s; it can of nodejs and java", e.Runtime)
}

// debugPorts are the ports that debuggers look at unless they are told another.
func debugPorts() map[string]int { return map[string]int{FamilyNode: 9229, FamilyJava: 5005} }

// NewDebugger opens a port for a runtime: the one that its debuggers expect, or any when that is taken. It fails with a [DebugError] for runtimes without
// a debugger.
func NewDebugger(ctx context.Context, c clock.Clock, r *Runtime) (*Debugger, error) {
	usual, ok := debugPorts()[r.Family]
	if !ok {
		return nil, &DebugError{Runtime: r.ID}
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp4", "127.0.0.1:"+strconv.Itoa(usual))
	if err != nil {
		l, err = config.Listen(ctx, "tcp4", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("open a port for the debugger: %w", err)
	}
	inside, err := freePort(ctx)
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	d := &Debugger{listener: l, inside: inside, family: r.Family, clock: c}
	d.ctx, d.end = context.WithCancel(context.WithoutCancel(ctx))
	d.wg.Go(d.serve)
	return d, nil
}

// freePort is a port that nothing listens on: an environment without isolation shares the machine's ports.
func freePort(ctx context.Context) (uint16, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a port for the debugger: %w", err)
	}
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.Join(fmt.Errorf("the listener is at %v", l.Addr()), l.Close())
	}
	return addr.AddrPort().Port(), l.Close()
}

// Address is where a debugger attaches, as host:port.
func (d *Debugger) Address() string { return d.listener.Addr().String() }

// Help says how one attaches.
func (d *Debugger) Help() string {
	if d.family == FamilyJava {
		return "attach a Java debugger (JDWP) to " + d.Address()
	}
	return "attach a debugger of Node.js to " + d.Address() + ": open chrome://inspect, or attach from an editor with the remote root /var/task"
}

// Close closes the port and ends its connections. The environment goes on.
func (d *Debugger) Close() error {
	err := d.listener.Close()
	d.end()
	d.wg.Wait()
	return err
}

// attach makes an environment the one that the port leads to.
func (d *Debugger) attach(e *Environment) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.env = e
}

// arguments are those by which a runtime opens its debugger, right after its program's name.
func (d *Debugger) arguments(r *Runtime) []string {
	at := "127.0.0.1:" + strconv.Itoa(int(d.inside))
	if d.family == FamilyJava {
		return []string{"-agentlib:jdwp=transport=dt_socket,server=y,suspend=y,address=" + at}
	}
	if waits(r.Version) {
		return []string{"--inspect-wait=" + at}
	}
	return []string{"--inspect-brk=" + at}
}

// waits tells whether a version of Node.js can wait for a debugger without stopping at the first line of the client.
func waits(version string) bool {
	var major, minor int
	if n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor); n < 2 {
		return false
	}
	return major > 22 || major == 22 && minor >= 2 || major == 20 && minor >= 15
}

// debugged puts the debugger's arguments into a command.
func (s *Spec) debugged(argv []string) []string {
	if s.Debugger == nil {
		return argv
	}
	return slices.Insert(slices.Clone(argv), 1, s.Debugger.arguments(s.Runtime)...)
}

func (d *Debugger) serve() {
	for {
		c, err := d.listener.Accept()
		if err != nil {
			return
		}
		d.wg.Go(func() { d.join(c) })
	}
}

// A process opens its port a moment after it was started. A connection that comes before is held until then, for openLimit, and looked after each openWait.
const (
	openWait  = 20 * time.Millisecond
	openLimit = 10 * time.Second
)

// dial connects to the debugger's port within the environment, when there is one and when it is open.
func (d *Debugger) dial() (net.Conn, error) {
	limit := d.clock.Now().Add(openLimit)
	for {
		d.mu.Lock()
		e := d.env
		d.mu.Unlock()
		err := errors.New("no environment has been started")
		if e != nil {
			var c net.Conn
			if c, err = e.cell.Dial(d.inside); err == nil {
				return c, nil
			}
		}
		if d.clock.Now().After(limit) {
			return nil, err
		}
		if err := clock.Sleep(d.ctx, d.clock, openWait); err != nil {
			return nil, err
		}
	}
}

// join passes bytes between a debugger and an environment until either ends.
func (d *Debugger) join(c net.Conn) {
	defer func() { _ = c.Close() }()
	inside, err := d.dial()
	if err != nil {
		return
	}
	stop := context.AfterFunc(d.ctx, func() {
		_ = c.Close()
		_ = inside.Close()
	})
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = io.Copy(inside, c)
		_ = inside.Close()
	})
	_, _ = io.Copy(c, inside)
	_ = c.Close()
	wg.Wait()
}
