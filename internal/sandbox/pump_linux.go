package sandbox

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"lambent.dev/lambent/internal/lib/sock"
)

// pump carries what a cell writes to its sink. Its goroutine waits for data, and drain may overtake it, so that an
// invocation's log is complete when its answer is.
type pump struct {
	file *os.File

	mu   sync.Mutex // guards reading, and the fields below
	fd   int        // -1 when closed
	sink io.Writer
	buf  []byte
	eof  bool
}

// newPump returns a pump and the cell's end of its pipe.
func newPump(sink io.Writer) (*pump, int, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, -1, fmt.Errorf("make pipe: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil {
		closeAll(fds[:])
		return nil, -1, fmt.Errorf("make pipe non-blocking: %w", err)
	}
	if sink == nil {
		sink = io.Discard
	}
	return &pump{file: os.NewFile(uintptr(fds[0]), "cell output"), fd: fds[0], sink: sink, buf: make([]byte, 16<<10)}, fds[1], nil
}

// run passes data on until every process of the cell has closed its end.
func (p *pump) run() {
	defer p.close()
	raw, err := p.file.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Read(func(uintptr) bool { return p.drain() })
}

// drain passes on what is there. It reports whether the stream has ended.
func (p *pump) drain() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.eof && p.fd >= 0 {
		n, errno := sock.Read(uintptr(p.fd), p.buf)
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			return false
		case errno != 0 || n == 0:
			p.eof = true
		default:
			_, _ = p.sink.Write(p.buf[:n])
		}
	}
	return true
}

func (p *pump) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fd >= 0 {
		p.fd = -1
		_ = p.file.Close()
	}
}
