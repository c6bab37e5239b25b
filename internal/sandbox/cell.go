package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Cell is a running sandbox. It is safe for concurrent use.
type Cell struct {
	id        uint64
	name      string
	pid       int
	socket    *net.UnixConn
	listeners map[string]net.Listener
	relay     *relay
	inbound   inbound // the way into the cell's network; nil where the cell shares the host's
	pumps     []*pump
	peak      *os.File // the kernel's count of the most memory used; nil where there is none
	host      *Host
	parked    *pending // of a cell that can be assigned; nil for others
	held      bool
	ice       ice

	done chan struct{}

	mu   sync.Mutex // guards the fields below
	exit Exit
	// failure is the step before the payload that failed.
	failure error
	// exited tells that the payload's own status is known.
	exited bool
}

// Exit is how a cell ended.
type Exit struct {
	// Code is the exit code of the payload, or -1 when a signal ended it.
	Code int
	// Signal ended the payload; 0 if it exited.
	Signal syscall.Signal
	// OutOfMemory tells that the kernel killed a process of the cell because the cell's memory was used up.
	OutOfMemory bool
	// PeakBytes is the most memory that the cell used at one time; 0 when it is not known.
	PeakBytes int64
	// Err is set when the payload was not run at all; it names the step that failed.
	Err error
}

// String describes the end the way AWS does for functions: "exit status 1", "signal: killed".
func (e Exit) String() string {
	switch {
	case e.Err != nil:
		return e.Err.Error()
	case e.Signal != 0:
		return "signal: " + e.Signal.String()
	default:
		return fmt.Sprintf("exit status %d", e.Code)
	}
}

// StartError is the cause of an [Exit] whose payload was not run.
type StartError struct {
	// Step is what was being done.
	Step string
	// Err is why it could not be done.
	Err error
}

// StepWorkingDir begins the name of the step that enters the payload's working folder.
const StepWorkingDir = "enter the working directory"

// Error names the step and the cause.
func (e *StartError) Error() string { return fmt.Sprintf("start sandbox: %s: %v", e.Step, e.Err) }

// Unwrap returns the cause.
func (e *StartError) Unwrap() error { return e.Err }

// ErrNoRoot says that cells cannot have a root of their own here, as container images need it.
var ErrNoRoot = errors.New("container images cannot be run on this machine: processes cannot have a root folder of their own without namespaces, see `lambent doctor`")

// ErrClosed is returned by a host that has been closed.
var ErrClosed = errors.New("sandbox host closed")

// Name is the name of the cell in logs.
func (c *Cell) Name() string { return c.name }

// PID is the process id of the cell's init on the host.
func (c *Cell) PID() int { return c.pid }

// Socket is the daemon's end of the payload's descriptor 3; nil unless the spec asked for it. It is closed with the cell.
func (c *Cell) Socket() *net.UnixConn { return c.socket }

// Listener is the listener of that name in the spec; nil for an address that the cell shares with the host. It is closed with the cell.
func (c *Cell) Listener(name string) net.Listener {
	if l, ok := c.listeners[name]; ok {
		return l
	}
	return nil
}

// inbound makes connections into a cell's network.
type inbound interface {
	dial(port uint16) (net.Conn, error)
	close()
}

// Dial connects to a port of the cell's loopback device on which a process of the cell listens. The spec says how many connections there can be.
func (c *Cell) Dial(port uint16) (net.Conn, error) {
	if c.inbound != nil {
		return c.inbound.dial(port)
	}
	return net.Dial("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
}

// Done is closed when every process of the cell is gone and everything it wrote has reached its sinks.
func (c *Cell) Done() <-chan struct{} { return c.done }

// Exit is how the cell ended; it is meaningful after Done.
func (c *Cell) Exit() Exit {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exit
}

// Drain passes on what the payload has written so far: after it returns, every byte written before the call has reached
// its sink.
func (c *Cell) Drain() {
	for _, p := range c.pumps {
		p.drain()
	}
}

// PeakBytes is the most memory that the cell has used at one time so far; 0 when it is not known.
func (c *Cell) PeakBytes() int64 {
	select {
	case <-c.done:
		return c.Exit().PeakBytes
	default:
	}
	if c.peak == nil {
		return 0
	}
	var buf [24]byte
	n, _ := c.peak.ReadAt(buf[:], 0)
	peak, err := strconv.ParseInt(strings.TrimSpace(string(buf[:n])), 10, 64)
	if err != nil {
		return 0
	}
	return peak
}
