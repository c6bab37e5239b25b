package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/internal/sandbox/program"
)

// Options of a host.
type Options struct {
	// Logger is told what operators should know; nil discards.
	Logger *slog.Logger
	// Plain makes cells plain processes even where namespaces work, for tests of that mode.
	Plain bool
	// GVisor is the path of gVisor's runsc, which then is the kernel of cells; empty for the machine's. Cells cannot be parked then.
	GVisor string
}

// Host starts cells on this machine. It is safe for concurrent use.
type Host struct {
	log *slog.Logger

	// known is closed when it is known what cells can have here; the fields below are then set for good.
	known  chan struct{}
	stop   context.CancelFunc // ends finding it out
	failed error              // no cell can be started at all
	report Report
	layers layers
	// noEgress is why cells cannot have a way to the internet here; empty when they can.
	noEgress string
	canPark  bool

	mu      sync.Mutex // guards the fields below
	spawner *connection
	cells   map[uint64]*pending
	next    uint64
	closed  bool
}

// errSpawnerEnded tells that a spawner has ended before it did what it was asked for.
var errSpawnerEnded = errors.New("the sandbox spawner ended")

// connection is a running spawner.
type connection struct {
	conn  *net.UnixConn
	cmd   *exec.Cmd
	hello hello
	done  chan struct{} // closed when the spawner is gone
}

// pending is a cell and the answers of its spawner.
type pending struct {
	spawned  chan event // one event: spawned or failed
	assigned chan event // one event for the assignment
	reaped   chan event // one event
	pid      int        // once it is known; belongs to the goroutine that listens to the spawner
}

// Open returns a host that is being set up: the spawner is started, and what cells can have here is found out, while the caller goes on. The first call
// of another method waits for that.
func Open(ctx context.Context, o Options) (*Host, error) {
	if len(os.Args) > 0 && os.Args[0] == spawnerName {
		// Going on would start a spawner for this spawner, and so on.
		return nil, errors.New("this process was started as a spawner: its program must call sandbox.MaybeChild before anything else")
	}
	h := &Host{log: o.Logger, cells: map[uint64]*pending{}, known: make(chan struct{})}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(h.known)
		h.failed = h.find(ctx, o)
	}()
	return h, nil
}

// find starts the spawner and finds out what works. Operators are told what is missing.
func (h *Host) find(ctx context.Context, o Options) error {
	s, err := h.connect()
	if err != nil {
		return err
	}
	if err := h.probe(ctx, s.hello, o.Plain); err != nil {
		return err
	}
	if o.GVisor != "" {
		return h.useGVisor(ctx, o.GVisor, s.hello)
	}
	if !h.report.Isolated() {
		h.log.ErrorContext(ctx, "functions are NOT isolated on this machine: they run as plain processes that can see its files, processes and ports",
			slog.String("reason", h.report.Layer(LayerNamespaces).Detail))
		return nil
	}
	for _, l := range h.report.Missing() {
		h.log.WarnContext(ctx, "a layer of the functions' isolation is missing on this machine", slog.String("layer", l.Name), slog.String("reason", l.Detail))
	}
	return nil
}

// Report says what this machine gives a cell. On a machine that cannot start cells at all it says why.
func (h *Host) Report() Report {
	<-h.known
	if h.failed != nil {
		return Report{Mode: modeProcess, Layers: []Layer{{Name: LayerNamespaces, Detail: h.failed.Error()}}}
	}
	return h.report
}

// Close kills every cell, and waits until their processes are gone. It is idempotent.
func (h *Host) Close() error {
	h.stop()
	h.mu.Lock()
	h.closed = true
	s := h.spawner
	h.mu.Unlock()
	if s == nil {
		<-h.known
		return nil
	}
	_ = s.conn.CloseWrite()
	<-s.done
	<-h.known
	return nil
}

// connect returns the running spawner, or starts one.
func (h *Host) connect() (*connection, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, ErrClosed
	}
	if h.spawner != nil {
		select {
		case <-h.spawner.done:
		default:
			return h.spawner, nil
		}
	}
	conn, theirs, err := socketPair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, err
	}
	_ = conn.SetWriteBuffer(2 * maxMessage)
	file := os.NewFile(uintptr(theirs), "spawner")
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{spawnerName}, Env: spawnerEnvironment(), ExtraFiles: []*os.File{file}, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true}, // the terminal's Ctrl-C is for the daemon
	}
	err = cmd.Start()
	_ = file.Close()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the sandbox spawner: %w", err), conn.Close())
	}
	s := &connection{conn: conn, cmd: cmd, done: make(chan struct{})}
	buf := make([]byte, maxMessage)
	var first event
	n, _, err := receive(conn, buf)
	if err == nil {
		err = json.Unmarshal(buf[:n], &first)
	}
	if err != nil || first.Hello == nil {
		_ = conn.Close()
		return nil, errors.Join(fmt.Errorf("the sandbox spawner did not come up (does main call sandbox.MaybeChild first?): %w", err), cmd.Wait())
	}
	s.hello = *first.Hello
	h.spawner = s
	go h.listen(s, buf)
	return s, nil
}

// spawnerEnvironment keeps settings of the Go runtime for tests, and nothing that belongs to the daemon.
func spawnerEnvironment() []string {
	env := []string{"PATH=/usr/bin:/bin"}
	for _, name := range []string{"TMPDIR", "GOCOVERDIR"} {
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// listen passes events on to the cells until the spawner is gone.
func (h *Host) listen(s *connection, buf []byte) {
	for {
		n, fds, err := receive(s.conn, buf)
		closeAll(fds)
		if err != nil {
			break
		}
		var e event
		if err := json.Unmarshal(buf[:n], &e); err != nil {
			break
		}
		h.deliver(e)
	}
	_ = s.conn.Close()
	err := s.cmd.Wait()
	h.mu.Lock()
	left := slices.Collect(maps.Values(h.cells))
	clear(h.cells)
	closed := h.closed
	h.mu.Unlock()
	if !closed {
		h.log.Error("sandbox spawner ended; its cells are gone and it will be started again", slog.Any("error", err))
	}
	for _, p := range left {
		p.endOrphan()
		select {
		case p.spawned <- event{Kind: evFailed, Error: errSpawnerEnded.Error()}:
		default:
		}
		p.end(event{Kind: evReaped})
	}
	close(s.done)
}

// endOrphan ends a cell that a killed spawner may have left behind: the kernel does that, but for a child that had not got round to ask for it. The number may
// be that of another process by now, which has another name.
func (p *pending) endOrphan() {
	if p.pid == 0 {
		return
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
	if err == nil && strings.HasPrefix(string(name), spawnerName) {
		_ = unix.Kill(p.pid, unix.SIGKILL)
	}
}

func (h *Host) deliver(e event) {
	h.mu.Lock()
	p := h.cells[e.ID]
	if e.Kind == evFailed || e.Kind == evReaped {
		delete(h.cells, e.ID)
	}
	h.mu.Unlock()
	switch {
	case p == nil:
	case e.Kind == evReaped:
		p.end(e)
	case e.Kind == evAssigned:
		p.assigned <- e
	default:
		p.pid = e.PID
		p.spawned <- e
	}
}

// end passes the end of a cell on, also to an assignment that waits.
func (p *pending) end(e event) {
	select {
	case p.assigned <- event{Kind: evAssigned, Error: "the sandbox has ended"}:
	default:
	}
	p.reaped <- e
}

// Start starts a cell. It returns when the cell's network is there; the payload may not run yet, and may turn out to be
// impossible to run, which ends the cell with a [StartError].
func (h *Host) Start(ctx context.Context, spec Spec) (*Cell, error) {
	spec, err := spec.withDefaults()
	if err != nil {
		return nil, err
	}
	select {
	case <-h.known:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if h.failed != nil {
		return nil, h.failed
	}
	if spec.Egress != nil && h.noEgress != "" {
		spec.Egress = nil
	}
	return h.start(ctx, spec, h.layers)
}

// spawnerTries is how many spawners a start is tried with.
const spawnerTries = 3

// start starts a cell, with another spawner when the one that was there has ended before it made the cell.
func (h *Host) start(ctx context.Context, spec Spec, l layers) (*Cell, error) {
	for range spawnerTries {
		s, err := h.connect()
		if err != nil {
			return nil, err
		}
		c, err := h.startWith(ctx, s, spec, l)
		if !errors.Is(err, errSpawnerEnded) {
			return c, err
		}
		select {
		case <-s.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, fmt.Errorf("start sandbox %s: %w", spec.Name, errSpawnerEnded)
}

func (h *Host) startWith(ctx context.Context, s *connection, spec Spec, l layers) (*Cell, error) {
	h.mu.Lock()
	h.next++
	c := &Cell{id: h.next, name: cellName(spec.Name, h.next), host: h, done: make(chan struct{}), listeners: map[string]net.Listener{}}
	p := &pending{spawned: make(chan event, 1), assigned: make(chan event, 1), reaped: make(chan event, 1)}
	if spec.Parked {
		c.parked, c.held = p, spec.Held
	}
	h.cells[c.id] = p
	h.mu.Unlock()
	b := &birth{host: h, cell: c, spec: spec, pending: p, conn: s.conn}
	if err := b.run(ctx, l); err != nil {
		h.mu.Lock()
		delete(h.cells, c.id)
		h.mu.Unlock()
		return nil, fmt.Errorf("start sandbox %s: %w", spec.Name, err)
	}
	return c, nil
}

// CanPark tells whether cells can be started ahead of need here: folders can be attached to them, and limits set, while they run.
func (h *Host) CanPark() bool {
	<-h.known
	return h.failed == nil && h.canPark
}

// Assign gives a parked cell what it lacks. It returns when the mounts are attached; the program of a held cell may not run yet then. A cell can be
// assigned once. After an error the cell is of no more use, and has been killed.
func (c *Cell) Assign(ctx context.Context, a Assignment) error {
	a, err := a.withDefaults(c.name, c.held)
	if err == nil && c.parked == nil {
		err = fmt.Errorf("sandbox %s was not started to be assigned", c.name)
	}
	if err != nil {
		c.Kill()
		return err
	}
	c.send(request{Op: opAssign, ID: c.id, Assign: &a})
	select {
	case e := <-c.parked.assigned:
		if e.Error != "" {
			return fmt.Errorf("assign sandbox %s: %s", c.name, e.Error)
		}
		return nil
	case <-ctx.Done():
		c.Kill()
		return ctx.Err()
	}
}

// ice stops the processes of a cell.
type ice struct {
	file string // where that is done; empty where it cannot be

	mu     sync.Mutex // guards the field below, and is held while the kernel is told
	frozen bool
}

// CanFreeze tells whether the cell can be frozen here.
func (c *Cell) CanFreeze() bool { return c.ice.file != "" }

// Frozen tells whether the cell is frozen.
func (c *Cell) Frozen() bool {
	c.ice.mu.Lock()
	defer c.ice.mu.Unlock()
	return c.ice.frozen
}

// Freeze stops every process of the cell until Thaw. A frozen cell can be killed. It does nothing where cells cannot be frozen.
func (c *Cell) Freeze() error { return c.setFrozen(true) }

// Thaw has the processes of a frozen cell go on.
func (c *Cell) Thaw() error { return c.setFrozen(false) }

func (c *Cell) setFrozen(frozen bool) error {
	c.ice.mu.Lock()
	defer c.ice.mu.Unlock()
	if c.ice.file == "" || c.ice.frozen == frozen {
		return nil
	}
	if err := writeCgroup(c.ice.file, freezeWord(c.ice.file, frozen)); err != nil {
		return fmt.Errorf("freeze cell: %w", err)
	}
	c.ice.frozen = frozen
	return nil
}

// Kill ends every process of the cell at once. Done tells when they are gone.
func (c *Cell) Kill() { c.send(request{Op: opKill, ID: c.id}) }

// Signal sends a signal to the payload.
func (c *Cell) Signal(sig syscall.Signal) {
	c.send(request{Op: opSignal, ID: c.id, Signal: int(sig)})
}

func (c *Cell) send(r request) {
	c.host.mu.Lock()
	s := c.host.spawner
	c.host.mu.Unlock()
	if err := sendMessage(s.conn, r); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, unix.EPIPE) {
		c.host.log.Error("the sandbox spawner did not take a request", slog.String("cell", c.name), slog.String("op", r.Op), slog.Any("error", err))
	}
}

// probePath is a program that no cell has.
const probePath = "/.lambent-probe"

// probe finds out what works by starting a cell whose program does not exist: when that is the first thing that fails,
// everything before it worked. A layer that fails is left out of the next try.
func (h *Host) probe(ctx context.Context, hi hello, plain bool) error {
	h.layers = layers{Namespaces: !plain, Users: !plain, Seccomp: true, Landlock: hi.Landlock > 0}
	why := map[string]string{}
	if plain {
		why[LayerNamespaces] = "switched off"
	}
	if hi.Landlock == 0 {
		why[LayerLandlock] = "not enabled in this kernel"
	}
	for {
		spec, err := Spec{Name: "probe", Argv: []string{probePath}}.withDefaults()
		if err != nil {
			return err
		}
		if h.layers.Namespaces && h.noEgress == "" {
			spec.Egress = &Egress{}
		}
		err = h.try(ctx, spec)
		var failed *StartError
		switch {
		case err == nil:
			h.report = h.makeReport(hi, why)
			h.canPark = hi.Moves && h.layers.Namespaces && hi.Cgroups["memory"] != ""
			return nil
		case !errors.As(err, &failed):
			failed = &StartError{Step: "clone", Err: err}
		}
		step := strings.ToLower(failed.Step)
		reason := fmt.Sprintf("%s: %v", failed.Step, failed.Err)
		switch {
		case strings.Contains(step, "seccomp") && h.layers.Seccomp:
			h.layers.Seccomp, why[LayerSeccomp] = false, reason
		case strings.Contains(step, "landlock") && h.layers.Landlock:
			h.layers.Landlock, why[LayerLandlock] = false, reason
		case spec.Egress != nil && (strings.Contains(step, "netlink") || strings.Contains(step, "redirect") || strings.Contains(step, "local")):
			h.noEgress = reason
		case h.layers.Users && hi.Root:
			h.layers.Users, why[layerUsers] = false, reason
		case h.layers.Namespaces:
			h.layers.Namespaces, h.layers.Users, why[LayerNamespaces] = false, false, reason
		default:
			return fmt.Errorf("no process can be started on this machine: %w", err)
		}
	}
}

// try starts a probing cell and returns what failed, nil when only its program was missing.
func (h *Host) try(ctx context.Context, spec Spec) error {
	c, err := h.start(ctx, spec, h.layers)
	if err != nil {
		return err
	}
	<-c.Done()
	exit := c.Exit()
	var failed *StartError
	if errors.As(exit.Err, &failed) && failed.Step == "run "+probePath && errors.Is(failed.Err, unix.ENOENT) {
		return nil
	}
	if exit.Err == nil {
		return fmt.Errorf("the probe ended with %s", exit)
	}
	return exit.Err
}

func (h *Host) makeReport(hi hello, why map[string]string) Report {
	r := Report{Mode: modeProcess}
	add := func(name string, active bool, on string) {
		detail := on
		if !active {
			detail = why[name]
		}
		r.Layers = append(r.Layers, Layer{Name: name, Active: active, Detail: detail})
	}
	ns := h.layers.Namespaces
	identity := "user, mount, pid, network, ipc, uts and cgroup; every cell has the caller's uid outside"
	if hi.Root {
		identity = "user, mount, pid, network, ipc, uts and cgroup; every cell has a uid of its own"
	}
	if ns && !h.layers.Users {
		identity = "mount, pid, network, ipc, uts and cgroup, without a user namespace (" + why[layerUsers] + "); every cell has a uid of its own"
	}
	if ns {
		r.Mode = modeNamespaces
	} else {
		why[LayerNamespaces] += " (functions run as plain processes of this user and can see its files, processes and ports; allow unprivileged user namespaces, or run as root)"
	}
	add(LayerNamespaces, ns, identity)
	why[LayerNetwork] = "functions share the host's network"
	add(LayerNetwork, ns, "own network, only the platform is reachable")
	why[LayerEgress] = h.noEgress
	add(LayerEgress, h.noEgress == "", map[bool]string{true: "through the platform: TCP over IPv4 and DNS", false: "the host's, unfiltered"}[ns])
	add(LayerSeccomp, h.layers.Seccomp, "calls that functions have no use for are refused")
	add(LayerLandlock, h.layers.Landlock, fmt.Sprintf("ABI %d", hi.Landlock))
	for _, l := range []struct{ layer, ctl, instead string }{
		{LayerMemory, "memory", "instead, RLIMIT_DATA bounds each process"},
		{LayerPIDs, "pids", "instead, RLIMIT_NPROC bounds the processes of the user"},
		{LayerCPU, "cpu", "functions compete with the host for processor time"},
	} {
		why[l.layer] = hi.Missing[l.ctl] + "; " + l.instead
		add(l.layer, hi.Cgroups[l.ctl] != "", hi.Cgroups[l.ctl])
	}
	return r
}

// parseWait turns a wait status into an exit.
func parseWait(status int) Exit {
	w := unix.WaitStatus(status)
	if w.Signaled() {
		return Exit{Code: -1, Signal: w.Signal()}
	}
	return Exit{Code: w.ExitStatus()}
}

// readReport reads one report from a cell's status socket, with the name of the step if one failed.
func readReport(c *net.UnixConn) (program.Report, string, []int, error) {
	buf := make([]byte, 512)
	n, fds, err := receive(c, buf)
	if err != nil {
		return program.Report{}, "", nil, err
	}
	r, err := program.ParseReport(buf[:n])
	if err != nil || r.Kind != program.ReportFailed {
		return r, "", fds, err
	}
	n, _, err = receive(c, buf)
	if err != nil {
		return r, "unknown step", fds, nil //nolint:nilerr // the failure is reported; only its name is lost
	}
	return r, string(buf[:n]), fds, nil
}
