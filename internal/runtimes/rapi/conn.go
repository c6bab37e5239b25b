package rapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"

	"lambent.dev/lambent/internal/lib/sock"
)

// maxConns bounds the connections of one process, beside one for each invocation that it takes at a time.
const maxConns = 64

// conn is one connection of the process. One goroutine reads from it at a time: its own, which runs Serve, until the process has
// asked for an invocation, and then the callers of Invoke and WaitReady, until one hands it back.
type conn struct {
	s  *Session
	rw net.Conn
	r  *reader
	// back wakes the connection's own goroutine, once each time that it has let go: to go on reading, or for false to end.
	back chan bool
	// asked is set when its own goroutine has read a request for an invocation, and has to let go; guarded by Session.mu.
	asked bool
	// extension is the identifier of the extension that has used the connection; for its own goroutine.
	extension string

	wmu sync.Mutex // orders writes, and guards out and w
	w   *sock.Writer
	out []byte // what is to be written: between writes, acknowledgements that wait for the next one
}

// ServeListener serves every connection that arrives until the listener is closed.
func (s *Session) ServeListener(l net.Listener) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		wg.Go(func() { s.Serve(c) })
	}
}

// Serve answers the requests of one connection until it ends, and closes it.
func (s *Session) Serve(rw net.Conn) {
	c := &conn{s: s, rw: rw, r: newReader(sock.NewReader(rw)), w: sock.NewWriter(rw), back: make(chan bool, 1)}
	defer func() { _ = rw.Close() }()
	s.mu.Lock()
	if s.conns == nil || len(s.conns) >= s.maxConns() {
		s.mu.Unlock()
		return
	}
	s.conns[c] = struct{}{}
	s.mu.Unlock()
	defer c.leave()
	defer s.extensions.left(c)
	for c.step() == nil {
		if !s.letGo(c) {
			continue
		}
		select {
		case more := <-c.back:
			if !more {
				return
			}
		case <-s.over:
			return
		}
	}
}

// errCut ends a connection whose last request was not read or answered to its end, for whatever reason.
var errCut = errors.New("the connection ended within a request")

// step reads and answers one request. An error ends the connection.
func (c *conn) step() error {
	q, err := c.r.head()
	if err != nil {
		if errors.Is(err, errProtocol) {
			return errors.Join(err, c.reply(400, "InvalidRequest", err.Error()))
		}
		return err
	}
	if c.handle(q) != nil {
		return errCut
	}
	if q.closes {
		return io.EOF
	}
	return nil
}

// leave takes the connection out of the session.
func (c *conn) leave() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	delete(c.s.conns, c)
	if c.s.waiting == c {
		c.s.waiting = nil
	}
	if c.s.unread == c {
		c.s.unread = nil
	}
	if c.s.workers != nil {
		c.s.workers.leftLocked(c)
	}
}

const (
	runtimePrefix   = "/2018-06-01/runtime/"
	extensionPrefix = "/2020-01-01/extension/"
	telemetryPath   = "/2022-07-01/telemetry"
	logsPath        = "/2020-08-15/logs"
)

// handle answers one request. An error ends the connection.
func (c *conn) handle(q request) error {
	if rest, ok := strings.CutPrefix(q.path, runtimePrefix); ok {
		switch {
		case rest == "invocation/next" && q.method == "GET":
			if err := c.skip(q); err != nil {
				return err
			}
			if !c.s.wait(c) {
				return c.reply(403, "InvalidStateTransition", "Transition to Ready is not allowed: the invocation has not been answered, or another request waits already")
			}
			return nil // answered by sendInvocation
		case rest == "init/error" && q.method == "POST":
			return c.initError(q)
		case rest == "restore/next" && q.method == "GET" && c.s.snapshotting():
			return c.restoreNext(q)
		case rest == "restore/error" && q.method == "POST" && c.s.snapshotting():
			return c.restoreError(q)
		case q.method == "POST":
			id, what, ok := strings.Cut(strings.TrimPrefix(rest, "invocation/"), "/")
			if ok = ok && strings.HasPrefix(rest, "invocation/"); ok && what == "response" {
				return c.response(q, id)
			}
			if ok && what == "error" {
				return c.failure(q, id)
			}
		}
	}
	if strings.HasPrefix(q.path, extensionPrefix) {
		return c.extensionCall(q)
	}
	if path := strings.TrimSuffix(q.path, "/"); path == telemetryPath || path == logsPath {
		return c.subscribe(q, path == logsPath)
	}
	if q.path == credentialsPath && q.method == "GET" {
		return c.serveCredentials(q)
	}
	if err := c.skip(q); err != nil {
		return err
	}
	return c.reply(404, "NotFound", fmt.Sprintf("%s %s is not part of the Runtime API", q.method, q.path))
}

// response takes the answer of an invocation.
func (c *conn) response(q request, id string) error {
	x, state := c.s.claim(id)
	if state != accepted {
		return c.refuse(q, state)
	}
	if q.expect {
		if err := c.write([]byte("HTTP/1.1 100 Continue\r\n\r\n")); err != nil {
			return c.truncated(x, err)
		}
	}
	switch q.responseMode {
	case "", "buffered":
	case "streaming":
		return c.stream(q, x)
	default:
		c.s.finish(c, x, result{answer: Answer{
			Failed: true, ErrorType: "Runtime.InvalidResponseModeHeader",
			Body: errorDocument("Runtime.InvalidResponseModeHeader", "Invalid response mode header: "+q.responseMode),
		}})
		if err := c.skip(q); err != nil {
			return err
		}
		return c.reply(400, "InvalidResponseModeHeader", "Invalid response mode header")
	}
	b := c.r.body(q)
	data, err := readBody(b, q.length, MaxResponse)
	switch {
	case errors.Is(err, ErrTooLarge):
		c.s.finish(c, x, result{err: ErrTooLarge})
		if err := drain(b); err != nil {
			return err
		}
		return c.reply(413, "RequestEntityTooLarge", fmt.Sprintf("Exceeded maximum allowed payload size (%d bytes).", MaxResponse))
	case err != nil:
		return c.truncated(x, err)
	}
	c.s.finish(c, x, result{answer: Answer{Body: data, ContentType: q.contentType}})
	return c.accepted()
}

// truncated ends an invocation whose answer was cut off by err, unless the one who waits for it was called away; err is returned.
func (c *conn) truncated(x *task, err error) error {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		c.s.finish(c, x, result{err: ErrTruncated})
	}
	return err
}

// stream passes a streamed answer on while it arrives, or collects it.
func (c *conn) stream(q request, x *task) error {
	b := c.r.body(q)
	r := result{answer: Answer{Streamed: true, ContentType: q.contentType}}
	if x.inv.Stream != nil {
		r.err = x.inv.Stream(q.contentType, io.LimitReader(b, MaxStream))
	} else {
		r.answer.Body, r.err = readBody(b, -1, MaxResponse)
	}
	if err := drain(b); err != nil {
		return c.truncated(x, err)
	}
	if b.trailer.errorType != "" {
		r.answer.Failed, r.answer.ErrorType = true, errorType(b.trailer.errorType)
		r.answer.Body = []byte(b.trailer.errorBody)
	}
	c.s.finish(c, x, r)
	return c.accepted()
}

// failure takes the error of an invocation.
func (c *conn) failure(q request, id string) error {
	x, state := c.s.claim(id)
	if state != accepted {
		return c.refuse(q, state)
	}
	b := c.r.body(q)
	data, err := readBody(b, q.length, MaxResponse)
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return c.truncated(x, err)
	}
	if !json.Valid(data) {
		data = errorDocument(errorType(q.errorType), "the function reported an error that is not JSON")
	}
	c.s.finish(c, x, result{answer: Answer{Body: data, Failed: true, ErrorType: errorType(q.errorType)}})
	if err := drain(b); err != nil {
		return err
	}
	return c.accepted()
}

func (c *conn) initError(q request) error {
	data, err := c.errorBody(q)
	if err != nil {
		return err
	}
	if !c.s.initFailed(&InitError{Body: data, Type: errorType(q.errorType)}) {
		return c.reply(403, "InvalidStateTransition", "Transition to InitError is not allowed: the function has been invoked already")
	}
	return c.accepted()
}

func (c *conn) refuse(q request, state claimed) error {
	if err := c.skip(q); err != nil {
		return err
	}
	if state == wrongState {
		return c.reply(403, "InvalidStateTransition", "The invocation has been answered already")
	}
	return c.reply(400, "InvalidRequestID", "Invalid request ID")
}

func (c *conn) skip(q request) error {
	if q.length == 0 {
		return nil
	}
	return drain(c.r.body(q))
}

// drain reads the rest of a body, which keeps the connection usable; it is bounded by what a process may send at all.
func drain(b *body) error {
	n, err := io.Copy(io.Discard, io.LimitReader(b, MaxStream+1))
	if err == nil && n > MaxStream {
		return fmt.Errorf("%w: endless body", errProtocol)
	}
	return err
}

// readBody collects a body of at most limit bytes.
func readBody(b *body, announced, limit int64) ([]byte, error) {
	if announced > limit {
		return nil, ErrTooLarge
	}
	if announced >= 0 {
		data := make([]byte, announced)
		_, err := io.ReadFull(b, data)
		if err != nil {
			return nil, unexpected(err)
		}
		return data, nil
	}
	data, err := io.ReadAll(io.LimitReader(b, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, ErrTooLarge
	}
	return data, err
}

// sendInvocation answers the waiting "next".
func (c *conn) sendInvocation(inv *Invocation) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	b := append(c.out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: "...)
	b = append(b, inv.RequestID...)
	b = append(b, "\r\nLambda-Runtime-Deadline-Ms: "...)
	b = strconv.AppendInt(b, inv.Deadline.UnixMilli(), 10)
	b = appendField(b, "Lambda-Runtime-Invoked-Function-Arn", inv.FunctionARN)
	b = appendField(b, "Lambda-Runtime-Trace-Id", inv.TraceID)
	b = appendField(b, "Lambda-Runtime-Client-Context", inv.ClientContext)
	b = appendField(b, "Lambda-Runtime-Cognito-Identity", inv.CognitoIdentity)
	b = appendField(b, "Lambda-Runtime-Aws-Tenant-Id", inv.TenantID)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(len(inv.Payload)), 10)
	b = append(b, "\r\n\r\n"...)
	if len(inv.Payload) <= 32<<10 {
		c.out = append(b, inv.Payload...)
		return c.flushLocked()
	}
	c.out = b[:0]
	_, err := (&net.Buffers{b, inv.Payload}).WriteTo(c.rw)
	return err
}

// appendField adds a header field; control characters, which would end it, become spaces.
func appendField(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, '\r', '\n')
	b = append(b, name...)
	b = append(b, ':', ' ')
	for i := range len(value) {
		ch := value[i]
		if ch < ' ' || ch == 0x7f {
			ch = ' '
		}
		b = append(b, ch)
	}
	return b
}

const acceptedReply = "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n"

// accepted acknowledges what the process has reported. One that has sent its next request already waits for the answer to that, and would only be woken
// twice: both go to it together.
func (c *conn) accepted() error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.out = append(c.out, acceptedReply...)
	if c.r.ahead() {
		return nil
	}
	return c.flushLocked()
}

func (c *conn) write(b []byte) error {
	c.wmu.Lock()
	defer c.wmu.Unlock()
	c.out = append(c.out, b...)
	return c.flushLocked()
}

// flushLocked writes what is to be written.
func (c *conn) flushLocked() error {
	b := c.out
	c.out = b[:0]
	_, err := c.w.Write(b)
	return err
}

func (c *conn) reply(status int, kind, message string) error {
	doc := errorDocument(kind, message)
	return c.write(fmt.Appendf(nil, "HTTP/1.1 %d Lambda\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", status, len(doc), doc))
}

// errorDocument is an error in the form of this API.
func errorDocument(kind, message string) []byte {
	doc, err := json.Marshal(struct {
		Message string `json:"errorMessage"`
		Type    string `json:"errorType"`
	}{message, kind})
	if err != nil {
		return []byte(`{}`)
	}
	return doc
}
