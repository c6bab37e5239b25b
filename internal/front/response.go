package front

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// responseBuffer is how much of an answer, head and body, is collected before it is sent, in bytes. An answer that fits leaves with one write.
const responseBuffer = 8 << 10

// response is the http.ResponseWriter of a direct exchange. It frames answers as net/http's server does: a body of known length
// by Content-Length, another by chunks, and none where there must be none.
type response struct {
	d       *direct
	request *http.Request
	header  http.Header
	status  int // 0 until WriteHeader

	out     []byte // not sent yet: the head without its end, and after begin what follows it; nil before the head, so that requests that wait need no buffer
	body    []byte // the beginning of a body whose length is not known, until begin
	begun   bool   // the head is whole
	typed   bool   // the head has a Content-Type, or needs none
	length  int64  // the announced length of the body; -1 when it was not announced
	written int64  // of the body
	chunked bool
	bare    bool // the answer has no body: HEAD, 204, 304
	closes  bool
	keeps   bool  // the handler says that the connection is kept
	err     error // of the connection
}

// buffers is the pool of the answers' buffers of one server.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return (*p)[:0]
	}
	return make([]byte, 0, responseBuffer)
}

func (b *buffers) put(p []byte) {
	if cap(p) <= 2*responseBuffer {
		b.pool.Put(&p)
	}
}

// reset makes w the answer to r. The map of the fields serves all answers of a connection.
func (w *response) reset(d *direct, r *http.Request) {
	header := w.header
	if header == nil {
		header = make(http.Header, 8)
	}
	clear(header)
	*w = response{d: d, request: r, header: header, length: -1, closes: r.Close}
}

func (w *response) release() {
	if w.out != nil {
		w.d.server.buffers.put(w.out)
	}
	if w.body != nil {
		w.d.server.buffers.put(w.body)
	}
	w.out, w.body, w.request = nil, nil, nil
}

// Header returns the fields of the answer's head.
func (w *response) Header() http.Header { return w.header }

// WriteHeader sets the status, and the fields as they are now. Informational answers are sent at once.
func (w *response) WriteHeader(status int) {
	if w.status != 0 {
		return
	}
	if status >= 100 && status < 200 {
		w.appendStatus(status)
		w.appendFields()
		w.out = append(w.out, "\r\n"...)
		w.flush()
		return
	}
	w.status = status
	w.bare = w.request.Method == http.MethodHead || !bodyAllowed(status)
	if v := w.header["Content-Length"]; len(v) == 1 {
		if n, err := strconv.ParseInt(v[0], 10, 64); err == nil && n >= 0 {
			w.length = n
		}
	}
	for _, v := range w.header["Connection"] {
		w.closes, w.keeps = w.closes || strings.EqualFold(v, "close"), w.keeps || v == "keep-alive"
	}
	_, w.typed = w.header["Content-Type"]
	w.typed = w.typed || len(w.header["Content-Encoding"]) > 0 || !bodyAllowed(status)
	w.appendStatus(status)
	w.appendFields()
	if _, ok := w.header["Date"]; !ok {
		w.out = append(w.out, w.d.server.date.line()...)
	}
}

// bodyAllowed tells whether answers with a status may have a body (RFC 9110, section 6.4.1).
func bodyAllowed(status int) bool {
	return status != http.StatusNoContent && status != http.StatusNotModified
}

// Write sends a part of the body.
func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if len(b) == 0 {
		return 0, w.err
	}
	if !bodyAllowed(w.status) {
		return 0, http.ErrBodyNotAllowed
	}
	w.written += int64(len(b))
	if w.length >= 0 && w.written > w.length {
		return 0, http.ErrContentLength
	}
	if !w.typed {
		w.typed = true
		w.out = appendField(w.out, "Content-Type", http.DetectContentType(b))
	}
	switch {
	case w.bare:
		return len(b), nil
	case !w.begun && w.length < 0 && len(w.body)+len(b) <= responseBuffer/2:
		// The body may end here; its length is known at the end then.
		if w.body == nil {
			w.body = w.d.server.buffers.get()
		}
		w.body = append(w.body, b...)
		return len(b), nil
	case !w.begun:
		w.begin()
	}
	w.push(b)
	return len(b), w.err
}

// begin ends the head, and sends what has been collected of the body.
func (w *response) begin() {
	w.begun = true
	w.chunked = w.length < 0 && !w.bare
	switch {
	case w.chunked:
		w.out = append(w.out, "Transfer-Encoding: chunked\r\n"...)
	case w.length >= 0 && bodyAllowed(w.status):
		w.out = strconv.AppendInt(append(w.out, "Content-Length: "...), w.length, 10)
		w.out = append(w.out, "\r\n"...)
	}
	switch {
	case w.closes:
		w.out = append(w.out, "Connection: close\r\n"...)
	case w.keeps:
		w.out = append(w.out, "Connection: keep-alive\r\n"...)
	}
	w.out = append(w.out, "\r\n"...)
	if len(w.body) > 0 {
		w.push(w.body)
	}
}

// push adds a part of the body to what is sent, and sends when that is much.
func (w *response) push(b []byte) {
	if w.chunked {
		w.out = strconv.AppendInt(w.out, int64(len(b)), 16)
		w.out = append(w.out, "\r\n"...)
	}
	if len(w.out)+len(b)+2 <= responseBuffer {
		w.out = append(w.out, b...)
	} else {
		w.vector(b)
	}
	if w.chunked {
		w.out = append(w.out, "\r\n"...)
	}
}

// vector sends what is collected and b with one call.
func (w *response) vector(b []byte) {
	if w.err == nil {
		_, w.err = (&net.Buffers{w.out, b}).WriteTo(w.d.raw)
	}
	w.out = w.out[:0]
}

// flush sends what is collected.
func (w *response) flush() {
	if w.err == nil && len(w.out) > 0 {
		_, w.err = w.d.out.Write(w.out)
	}
	w.out = w.out[:0]
}

// Flush sends what has been written so far.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is Flush with the connection's error, for [http.ResponseController].
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !w.begun {
		w.begin()
	}
	w.flush()
	return w.err
}

// ReadFrom sends a body from r. A file of announced length, or a part of one in an io.LimitedReader, leaves by sendfile.
func (w *response) ReadFrom(r io.Reader) (int64, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.bare || w.length < 0 || !w.typed {
		return io.Copy(writerOnly{w}, r)
	}
	if !w.begun {
		w.begin()
	}
	w.flush()
	if w.err != nil {
		return 0, w.err
	}
	left := io.LimitedReader{R: r, N: w.length - w.written}
	part, ok := r.(*io.LimitedReader)
	if ok { // a limit inside of a limit would hide the file
		left = io.LimitedReader{R: part.R, N: min(part.N, left.N)}
	}
	n, err := io.Copy(w.d.raw, &left)
	if ok {
		part.N -= n
	}
	w.written += n
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
}

// writerOnly hides ReadFrom.
type writerOnly struct{ io.Writer }

// finish sends the rest of the answer. reusable tells whether the request has been read to its end; finish reports whether the connection can take another.
func (w *response) finish(reusable bool) (keep bool) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if !reusable {
		w.closes = true
	}
	if !w.begun {
		if w.length < 0 && (!w.bare || w.request.Method == http.MethodHead && w.written > 0) {
			w.length = w.written
		}
		w.begin()
	}
	if w.chunked {
		w.out = append(w.out, "0\r\n\r\n"...)
	}
	w.flush()
	short := !w.bare && w.length >= 0 && w.written != w.length
	return w.err == nil && !w.closes && !short
}

// appendStatus appends the status line.
func (w *response) appendStatus(status int) {
	if w.out == nil {
		w.out = w.d.server.buffers.get()
	}
	w.out = strconv.AppendInt(append(w.out, "HTTP/1.1 "...), int64(status), 10)
	w.out = append(w.out, ' ')
	if text := http.StatusText(status); text != "" {
		w.out = append(w.out, text...)
	} else {
		w.out = strconv.AppendInt(append(w.out, "status code "...), int64(status), 10)
	}
	w.out = append(w.out, "\r\n"...)
}

// appendFields appends the handler's fields, save for those by which the answer is framed.
func (w *response) appendFields() {
	for name, values := range w.header {
		switch name {
		case "Transfer-Encoding", "Content-Length", "Connection":
			continue
		case "Content-Type":
			if w.status == http.StatusNotModified {
				continue
			}
		}
		if !validName(name) {
			continue
		}
		for _, v := range values {
			w.out = appendField(w.out, name, v)
		}
	}
}

// appendField appends a field; line ends within its value become spaces.
func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	value = strings.Trim(value, " \t\r\n")
	from := len(b)
	b = append(b, value...)
	for i := from; i < len(b); i++ {
		if b[i] == '\r' || b[i] == '\n' {
			b[i] = ' '
		}
	}
	return append(b, "\r\n"...)
}

// validName tells whether a field can have this name (RFC 9110, section 5.6.2).
func validName(name string) bool {
	for i := range len(name) {
		if !nameByte[name[i]] {
			return false
		}
	}
	return name != ""
}

// date keeps the Date line of the current second.
type date struct {
	mu     sync.Mutex // guards the fields below
	second int64
	text   []byte
}

// line returns the line; it is not changed afterwards.
func (d *date) line() []byte {
	now := clock.System{}.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := now.Unix(); s != d.second || d.text == nil {
		d.second = s
		d.text = append(now.UTC().AppendFormat([]byte("Date: "), http.TimeFormat), "\r\n"...)
	}
	return d.text
}

// SetReadDeadline, SetWriteDeadline and EnableFullDuplex are for [http.ResponseController].

// SetReadDeadline sets the deadline for reading the rest of the request.
func (w *response) SetReadDeadline(t time.Time) error { return w.d.readUntil(t) }

// SetWriteDeadline sets the deadline for writing the answer.
func (w *response) SetWriteDeadline(t time.Time) error { return w.d.SetWriteDeadline(t) }

// EnableFullDuplex lets the handler read the body while it writes, which it always may.
func (w *response) EnableFullDuplex() error { return nil }
