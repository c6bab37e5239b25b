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
	_ = raw.Read(func(uintptr) bool {
		for {
			p.mu.Lock()
			n, ended := p.passLocked(len(p.buf))
			p.mu.Unlock() // so that drain has its turn beside a cell that never stops writing
			if n == 0 || ended {
				return ended
			}
		}
	})
}

// drain passes on what the cell has written so far, and not what it adds meanwhile.
func (p *pump) drain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fd < 0 {
		return
	}
	left, errno := sock.Waiting(uintptr(p.fd))
	for errno == 0 && left > 0 {
		n, _ := p.passLocked(min(left, len(p.buf)))
		if n == 0 {
			return
		}
		left -= n
	}
}

// passLocked passes on at most so many bytes of what is there, and returns how many those were, and whether the stream has ended. p.mu is held.
func (p *pump) passLocked(most int) (n int, ended bool) {
	for !p.eof && p.fd >= 0 {
		n, errno := sock.Read(uintptr(p.fd), p.buf[:most])
		switch {
		case errno == unix.EINTR:
			continue
		case errno == unix.EAGAIN:
			return 0, false
		case errno != 0 || n == 0:
			p.eof = true
		default:
			_, _ = p.sink.Write(p.buf[:n])
			return n, false
		}
	}
	return 0, true
}

func (p *pump) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fd >= 0 {
		p.fd = -1
		_ = p.file.Close()
	}
}
