package sock

import (
	"errors"
	"math"
	"net"
	"os"
	"sync"
	"syscall"
)

// Hangups tells when the peers of connections that nobody reads go away. One epoll set and one goroutine watch all of them, and are there only while there is something to watch:
// a goroutine for each connection would cost several kilobytes. The zero value is ready.
type Hangups struct {
	mu      sync.Mutex // guards the fields below
	set     *os.File   // the epoll set; nil while nothing is watched
	last    int32      // number that was given last
	watched map[int32]watched
}

// watched is a connection, and what to do when its peer goes away.
type watched struct {
	conn syscall.RawConn
	gone func()
}

// Watch calls gone once, from another goroutine, when the peer of c has ended the connection and has sent nothing before that is still unread. It reports false where the
// system or the connection has no way to tell. The caller ends the watch with stop, which does not wait for a call of gone that has begun.
func (h *Hangups) Watch(c net.Conn, gone func()) (stop func(), ok bool) {
	raw := rawConn(c)
	if raw == nil {
		return nil, false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.set == nil && h.openLocked() != nil {
		return nil, false
	}
	n := h.numberLocked()
	h.watched[n] = watched{raw, gone}
	if err := control(h.set, raw, syscall.EPOLL_CTL_ADD, n); err != nil {
		h.forgetLocked(n)
		return nil, false
	}
	return func() { h.stop(raw, n) }, true
}

// numberLocked returns a number that no watch has. h.mu is held.
func (h *Hangups) numberLocked() int32 {
	for {
		if h.last++; h.last == math.MaxInt32 {
			h.last = 1
		}
		if _, used := h.watched[h.last]; !used {
			return h.last
		}
	}
}

// openLocked makes the epoll set, and starts the goroutine that waits for it. h.mu is held.
func (h *Hangups) openLocked() error {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // so that the runtime's poller waits for it
		return errors.Join(err, syscall.Close(fd))
	}
	set := os.NewFile(uintptr(fd), "hangups")
	raw, err := set.SyscallConn()
	if err != nil {
		return errors.Join(err, set.Close())
	}
	h.set, h.watched = set, map[int32]watched{}
	go h.wait(raw)
	return nil
}

// wait calls back for every hang-up until the set is closed.
func (h *Hangups) wait(raw syscall.RawConn) {
	events := make([]syscall.EpollEvent, 64)
	for {
		n := 0
		err := raw.Read(func(fd uintptr) bool {
			var err error
			if n, err = syscall.EpollWait(int(fd), events, 0); err != nil {
				n = 0
			}
			return n > 0 || errors.Is(err, syscall.EINTR)
		})
		if err != nil {
			return
		}
		for _, e := range events[:n] {
			h.mu.Lock()
			w := h.watched[e.Pad]
			h.mu.Unlock()
			if w.gone != nil && !unread(w.conn) {
				w.gone()
			}
		}
	}
}

// unread tells whether a connection has something to read.
func unread(c syscall.RawConn) (there bool) {
	_ = c.Control(func(fd uintptr) { // one that was closed has nothing
		n, errno := Waiting(fd)
		there = errno == 0 && n > 0
	})
	return there
}

// stop ends a watch.
func (h *Hangups) stop(raw syscall.RawConn, n int32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.set == nil || h.watched[n].gone == nil {
		return
	}
	_ = control(h.set, raw, syscall.EPOLL_CTL_DEL, n) // a connection that was closed is not in the set any more
	h.forgetLocked(n)
}

// forgetLocked drops a watch, and the set with the last one. h.mu is held.
func (h *Hangups) forgetLocked(n int32) {
	if delete(h.watched, n); len(h.watched) == 0 {
		_ = h.set.Close() // which ends the goroutine
		h.set, h.watched = nil, nil
	}
}

// control adds a connection to a set, or takes it out. A hang-up is told once.
func control(set *os.File, raw syscall.RawConn, operation int, n int32) error {
	to, err := set.SyscallConn()
	if err != nil {
		return err
	}
	var refused error
	err1 := to.Control(func(set uintptr) {
		err = raw.Control(func(fd uintptr) {
			refused = syscall.EpollCtl(int(set), operation, int(fd), &syscall.EpollEvent{Events: syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Pad: n})
		})
	})
	return errors.Join(err1, err, refused)
}
