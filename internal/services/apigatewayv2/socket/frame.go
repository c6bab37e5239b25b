package socket

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// errLargeFrame tells that a client sent a frame that is larger than [MaxFrame].
var errLargeFrame = errors.New("the frame is too large")

// bufferSize is that of a connection's buffers, in bytes. Larger frames pass by them.
const bufferSize = 512

// hijacked is a response writer whose connection is handed over with small buffers, and with its frames measured.
type hijacked struct {
	http.ResponseWriter

	conn *measured // once it was handed over
}

// Hijack implements [http.Hijacker].
func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	pending, err := rw.Reader.Peek(rw.Reader.Buffered())
	if err != nil {
		return nil, nil, errors.Join(err, conn.Close())
	}
	m := &measured{Conn: conn, pending: append([]byte(nil), pending...)}
	h.conn = m
	// What is buffered already is read through m as well, since the reader is reset to its connection.
	return m, bufio.NewReadWriter(bufio.NewReaderSize(m, bufferSize), bufio.NewWriterSize(m, bufferSize)), nil
}

// measured is a connection whose incoming frames are measured while they pass (RFC 6455, section 5.2).
type measured struct {
	net.Conn

	pending []byte
	head    [14]byte // of the frame that begins
	have    int
	left    uint64 // of the payload of the present frame
	// linger has Close read on for a while: a connection with unread bytes would be reset, and the client would not see why it was closed.
	linger atomic.Bool
}

// lingerTime and maxLinger, in bytes, bound what is still read from a client that sent too much.
const (
	lingerTime = 500 * time.Millisecond
	maxLinger  = 4 << 20
)

// Close closes the connection.
func (m *measured) Close() error {
	if m.linger.Load() && m.SetReadDeadline(clock.System{}.Now().Add(lingerTime)) == nil {
		_, _ = io.CopyN(io.Discard, m.Conn, maxLinger)
	}
	return m.Conn.Close()
}

// Read reads bytes, and fails where a frame begins that is too large.
func (m *measured) Read(b []byte) (int, error) {
	var n int
	var err error
	if len(m.pending) > 0 {
		n = copy(b, m.pending)
		if m.pending = m.pending[n:]; len(m.pending) == 0 {
			m.pending = nil
		}
	} else {
		n, err = m.Conn.Read(b)
	}
	if m.measure(b[:n]) {
		return n, err
	}
	return 0, errLargeFrame
}

// measure follows the frames in b; false means that one is too large.
func (m *measured) measure(b []byte) bool {
	for len(b) > 0 {
		if m.left > 0 {
			skip := min(m.left, uint64(len(b)))
			m.left -= skip
			b = b[skip:]
			continue
		}
		m.head[m.have] = b[0]
		m.have++
		b = b[1:]
		size, whole := m.size()
		if !whole {
			continue
		}
		if m.have = 0; size > MaxFrame {
			return false
		}
		m.left = size
	}
	return true
}

// size returns the length of the payload when the head of the frame is whole.
func (m *measured) size() (size uint64, whole bool) {
	if m.have < 2 {
		return 0, false
	}
	need := 2
	size = uint64(m.head[1] & 0x7f)
	extended := 0
	switch size {
	case 126:
		extended = 2
	case 127:
		extended = 8
	}
	need += extended
	if m.head[1]&0x80 != 0 {
		need += 4
	}
	if m.have < need {
		return 0, false
	}
	if extended > 0 {
		size = 0
		for _, c := range m.head[2 : 2+extended] {
			size = size<<8 | uint64(c)
		}
	}
	return size, true
}
