package runtimes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/sandbox"
)

// debugConns is how many connections of debuggers there can be into an environment at a time.
const debugConns = 8

// Debugger is a port on this machine's loopback device by which a debugger reaches the process of an environment: of those environments that are started with
// it, the last. A process that is started with a debugger waits until one is attached, before it runs anything of the function.
type Debugger struct {
	listener net.Listener
	inside   uint16 // the port within the environment
	tool     *debugTool
	clock    clock.Clock
	wg       sync.WaitGroup
	ctx      context.Context //nolint:containedctx // the lifetime of the connections, which Close ends
	end      context.CancelFunc

	mu  sync.Mutex   // guards the field below
	env *Environment // nil until one is started
}

// DebuggerOptions say what is debugged.
type DebuggerOptions struct {
	Clock clock.Clock
	// Runtime runs the function; Code and Layers are its folders, as in [Spec].
	Runtime      *Runtime
	Code, Layers string
	// Folder is where debuggers are looked for that neither the function brings nor the machine has; empty for none.
	Folder string
}

// NewDebugger opens a port for a function: the one that debuggers of its language expect, or any when that is taken. It fails with a [DebugError] where
// there is no debugger.
func NewDebugger(ctx context.Context, o DebuggerOptions) (*Debugger, error) {
	tool, err := o.tool(ctx)
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp4", "127.0.0.1:"+strconv.Itoa(tool.port))
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
	d := &Debugger{listener: l, inside: inside, tool: tool, clock: o.Clock}
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
func (d *Debugger) Help() string { return fmt.Sprintf(d.tool.help, d.Address()) }

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

// command is the command that opens the debugger and runs argv.
func (d *Debugger) command(argv []string) []string {
	if d.tool.command == nil {
		return argv
	}
	return d.tool.command("127.0.0.1:"+strconv.Itoa(int(d.inside)), argv)
}

// equip puts into a sandbox what the debugger needs.
func (d *Debugger) equip(spec *sandbox.Spec) {
	spec.Inbound += debugConns
	spec.Mounts = append(spec.Mounts, d.tool.mounts...)
	spec.Trace = d.tool.traces
	if spec.Limits.MemoryMB > 0 {
		spec.Limits.MemoryMB += d.tool.memory
	}
	if d.tool.variable {
		at := debugVariable + "=" + strconv.Itoa(int(d.inside))
		if d.tool.folder != "" {
			at += ":" + d.tool.folder
		}
		spec.Env = append(spec.Env, at)
	}
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
