package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/internal/sandbox/program"
)

// birth is the start of one cell.
type birth struct {
	host    *Host
	cell    *Cell
	spec    Spec
	pending *pending
	conn    *net.UnixConn
	status  *net.UnixConn
	dns     net.PacketConn
	egress  net.Listener
}

// run makes the channels to the cell, has it spawned, and waits for its network.
func (b *birth) run(ctx context.Context, l layers) (err error) {
	defer func() {
		if err != nil {
			b.abandon()
		}
	}()
	wire := &cellSpec{
		Name: b.spec.Name, Argv: b.spec.Argv, Env: b.spec.Env, Dir: b.spec.Dir, Root: b.spec.Root, Mounts: b.spec.Mounts, Limits: b.spec.Limits,
		Listen: b.spec.Listen, Egress: b.spec.Egress != nil && l.Namespaces, Inbound: b.spec.Inbound, Trace: b.spec.Trace, Socket: b.spec.Socket,
		Parked: b.spec.Parked, Held: b.spec.Held, layers: l,
	}
	if !l.Namespaces {
		if b.spec.Root != "" {
			return ErrNoRoot
		}
		if err := b.listenOnHost(wire); err != nil {
			return err
		}
	}
	theirs, err := b.channels()
	defer func() { closeAll(theirs) }()
	if err != nil {
		return err
	}
	if err := sendMessage(b.conn, request{Op: opSpawn, ID: b.cell.id, Spec: wire}, theirs...); err != nil {
		return spawnerError(err)
	}
	select {
	case e := <-b.pending.spawned:
		switch {
		case e.Kind == evFailed && e.Error == errSpawnerEnded.Error():
			return errSpawnerEnded
		case e.Kind == evFailed:
			return errors.New(e.Error)
		}
		b.cell.pid = e.PID
		b.cell.ice.file = e.FreezeFile
		if e.PeakFile != "" {
			b.cell.peak, _ = os.Open(e.PeakFile) // without it the use is not known
		}
	case <-ctx.Done():
		return ctx.Err()
	}
	closeAll(theirs) // so that the end of the cell is the end of its streams
	theirs = nil
	return b.ready(wire)
}

// spawnerError wraps errSpawnerEnded where err, of sending to the spawner, means that.
func spawnerError(err error) error {
	if errors.Is(err, net.ErrClosed) || errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.ECONNREFUSED) {
		return fmt.Errorf("%w: %w", errSpawnerEnded, err)
	}
	return err
}

// channels makes the status socket, the output pipes and the payload's socket, and returns the cell's ends.
func (b *birth) channels() ([]int, error) {
	status, fd, err := socketPair(unix.SOCK_SEQPACKET)
	if err != nil {
		return nil, err
	}
	b.status = status
	theirs := []int{fd}
	out, fd, err := newPump(b.spec.Stdout)
	if err != nil {
		return theirs, err
	}
	b.cell.pumps = append(b.cell.pumps, out)
	theirs = append(theirs, fd)
	if b.spec.Stdout == b.spec.Stderr {
		if fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
			return theirs, fmt.Errorf("duplicate pipe: %w", err)
		}
	} else {
		var stderr *pump
		if stderr, fd, err = newPump(b.spec.Stderr); err != nil {
			return theirs, err
		}
		b.cell.pumps = append(b.cell.pumps, stderr)
	}
	theirs = append(theirs, fd)
	if b.spec.Socket {
		if b.cell.socket, fd, err = socketPair(unix.SOCK_STREAM); err != nil {
			return theirs, err
		}
		theirs = append(theirs, fd)
	}
	return theirs, nil
}

// ready takes the listeners over and starts what accompanies the cell. A failed step comes here as the first report, and
// becomes the cell's end.
func (b *birth) ready(wire *cellSpec) error {
	r, step, fds, err := readReport(b.status)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return fmt.Errorf("read the sandbox's report: %w", err)
	case err == nil && r.Kind == program.ReportFailed:
		b.cell.failure = &StartError{Step: step, Err: syscall.Errno(r.A)}
	case err == nil && r.Kind == program.ReportReady:
		if err := b.adopt(wire.sockets(), fds); err != nil {
			return err
		}
	}
	c := b.cell
	if b.egress != nil && b.dns != nil {
		c.relay = startRelay(b.spec.Egress, b.egress, b.dns)
	}
	var streams sync.WaitGroup
	for _, p := range c.pumps {
		streams.Go(p.run)
	}
	streams.Go(func() { c.watch(b.status) })
	go c.end(&streams, b.pending)
	return nil
}

// adopt turns the descriptors that came out of the cell into listeners.
func (b *birth) adopt(list []Listen, fds []int) error {
	if len(list) != len(fds) {
		closeAll(fds)
		return fmt.Errorf("the sandbox handed out %d listeners, want %d", len(fds), len(list))
	}
	var failure error
	var ways []int
	for i, l := range list {
		if l.Name == inboundTCP {
			ways = append(ways, fds[i])
			continue
		}
		f := os.NewFile(uintptr(fds[i]), l.Name)
		var err error
		if l.Name == egressDNS {
			b.dns, err = net.FilePacketConn(f)
		} else {
			var listener net.Listener
			listener, err = net.FileListener(f)
			switch {
			case err != nil:
			case l.Name == egressTCP:
				b.egress = listener
			default:
				b.cell.listeners[l.Name] = listener
			}
		}
		failure = errors.Join(failure, err, f.Close())
	}
	if len(ways) > 0 {
		b.cell.inbound = &sockets{free: ways}
	}
	return failure
}

// listenOnHost makes the listeners of a cell that shares the host's network, on ports that are free.
func (b *birth) listenOnHost(wire *cellSpec) error {
	for _, l := range b.spec.Listen {
		if l.Shared {
			continue
		}
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("listen for %s: %w", l.Name, err)
		}
		b.cell.listeners[l.Name] = listener
		wire.Rewrite = append(wire.Rewrite, rewrite{l.Addr.String(), listener.Addr().String()})
	}
	return nil
}

// abandon releases what a failed start has made; a child that exists already is killed.
func (b *birth) abandon() {
	if b.cell.pid != 0 {
		b.cell.Kill()
	}
	if b.status != nil {
		_ = b.status.Close()
	}
	b.cell.closeChannels()
	for _, p := range b.cell.pumps {
		p.close()
	}
	if b.egress != nil {
		_ = b.egress.Close()
	}
	if b.dns != nil {
		_ = b.dns.Close()
	}
}

// watch reads the reports of the cell until its init is gone.
func (c *Cell) watch(status *net.UnixConn) {
	defer func() { _ = status.Close() }()
	for {
		r, step, fds, err := readReport(status)
		closeAll(fds)
		if err != nil {
			return
		}
		c.mu.Lock()
		switch r.Kind {
		case program.ReportFailed:
			c.failure = &StartError{Step: step, Err: syscall.Errno(r.A)}
		case program.ReportExited:
			c.exit, c.exited = parseWait(r.A), true
		}
		c.mu.Unlock()
		// The payload is gone: whoever waits for it on the socket learns it at once.
		if c.socket != nil {
			_ = c.socket.CloseRead()
		}
	}
}

// end waits for everything to be over and closes Done.
func (c *Cell) end(streams *sync.WaitGroup, p *pending) {
	reaped := <-p.reaped
	streams.Wait()
	c.closeChannels()
	if c.relay != nil {
		c.relay.close()
	}
	c.mu.Lock()
	if !c.exited {
		c.exit = Exit{Code: -1, Signal: syscall.SIGKILL}
	}
	c.exit.Err = c.failure
	c.exit.PeakBytes = reaped.PeakBytes
	c.exit.OutOfMemory = reaped.OOMKills > 0
	c.mu.Unlock()
	close(c.done)
}

func (c *Cell) closeChannels() {
	if c.peak != nil {
		_ = c.peak.Close()
	}
	if c.socket != nil {
		_ = c.socket.Close()
	}
	for _, l := range c.listeners {
		_ = l.Close()
	}
	if c.inbound != nil {
		c.inbound.close()
	}
}
