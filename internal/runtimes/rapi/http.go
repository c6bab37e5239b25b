package rapi

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Bounds of a request, in bytes.
const (
	maxHead      = 64 << 10
	maxChunkLine = 256
)

// errProtocol is wrapped by errors about bytes that are not HTTP/1.1 as this server speaks it.
var errProtocol = errors.New("malformed request")

// request is the head of one request: the fields that this API knows.
type request struct {
	method, path string
	length       int64 // of the body; -1 for a chunked one
	expect       bool
	closes       bool // the client closes the connection after this request
	contentType  string
	errorType    string // Lambda-Runtime-Function-Error-Type
	responseMode string // Lambda-Runtime-Function-Response-Mode

	authorization string

	extensionName, extensionID, extensionError string // Lambda-Extension-Name, -Identifier, -Function-Error-Type
	acceptFeature                              string // Lambda-Extension-Accept-Feature
}

// trailer holds the fields that may follow a chunked body.
type trailer struct {
	errorType, errorBody string
}

// reader parses requests from a connection, keeping what was read ahead.
type reader struct {
	src      io.Reader
	buf      []byte
	from, to int // buf[from:to] has been read and not used
}

func newReader(src io.Reader) *reader { return &reader{src: src, buf: make([]byte, 4<<10)} }

// ahead tells whether a part of the next request has been read. Only between requests does that mean anything.
func (r *reader) ahead() bool { return r.from < r.to }

// fill reads more. The buffer grows up to limit bytes of unused data.
func (r *reader) fill(limit int) error {
	if r.from > 0 {
		r.to = copy(r.buf, r.buf[r.from:r.to])
		r.from = 0
	}
	if r.to == len(r.buf) {
		if len(r.buf) >= limit {
			return fmt.Errorf("%w: more than %d bytes without an end", errProtocol, limit)
		}
		r.buf = append(r.buf, make([]byte, len(r.buf))...)
	}
	n, err := r.src.Read(r.buf[r.to:])
	r.to += n
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// head reads the head of the next request. At the end of the connection it returns io.EOF.
func (r *reader) head() (request, error) {
	scanned := 0
	for {
		data := r.buf[r.from:r.to]
		if end := bytes.Index(data[scanned:], []byte("\r\n\r\n")); end >= 0 {
			end += scanned
			r.from += end + 4
			return parseHead(data[:end])
		}
		scanned = max(0, len(data)-3)
		if err := r.fill(maxHead); err != nil {
			if errors.Is(err, io.EOF) && r.to > r.from {
				return request{}, io.ErrUnexpectedEOF
			}
			return request{}, err
		}
	}
}

// methodName is the text of a method; those of this API cost nothing.
func methodName(b []byte) string {
	switch string(b) {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	}
	return string(b)
}

func parseHead(head []byte) (request, error) {
	var q request
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	method, line, _ := bytes.Cut(line, []byte(" "))
	path, version, _ := bytes.Cut(line, []byte(" "))
	if len(method) == 0 || len(path) == 0 || path[0] != '/' || bytes.IndexByte(version, ' ') >= 0 {
		return q, fmt.Errorf("%w: request line", errProtocol)
	}
	if !bytes.HasPrefix(version, []byte("HTTP/1.")) {
		return q, fmt.Errorf("%w: version", errProtocol)
	}
	q.method, q.path = methodName(method), string(path)
	q.closes = string(version) == "HTTP/1.0"
	sized := false
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok || len(name) == 0 || bytes.ContainsAny(name, " \t") {
			return q, fmt.Errorf("%w: header field", errProtocol)
		}
		if err := q.field(name, bytes.Trim(value, " \t"), &sized); err != nil {
			return q, err
		}
	}
	return q, nil
}

// field takes one header field. A body that is announced in two ways is refused: that is how requests are smuggled.
func (q *request) field(name, value []byte, sized *bool) error {
	switch {
	case equalFold(name, "content-length"):
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil || n < 0 || value[0] == '+' || *sized {
			return fmt.Errorf("%w: content length", errProtocol)
		}
		q.length, *sized = n, true
	case equalFold(name, "transfer-encoding"):
		if !equalFold(value, "chunked") || *sized {
			return fmt.Errorf("%w: transfer encoding", errProtocol)
		}
		q.length, *sized = -1, true
	case equalFold(name, "expect"):
		q.expect = equalFold(value, "100-continue")
	case equalFold(name, "connection"):
		if equalFold(value, "close") {
			q.closes = true
		} else if equalFold(value, "keep-alive") {
			q.closes = false
		}
	case equalFold(name, "content-type"):
		q.contentType = string(value)
	case equalFold(name, "authorization"):
		q.authorization = string(value)
	case equalFold(name, "lambda-runtime-function-error-type"):
		q.errorType = string(value)
	case equalFold(name, "lambda-runtime-function-response-mode"):
		q.responseMode = string(value)
	case equalFold(name, "lambda-extension-name"):
		q.extensionName = string(value)
	case equalFold(name, "lambda-extension-identifier"):
		q.extensionID = string(value)
	case equalFold(name, "lambda-extension-function-error-type"):
		q.extensionError = string(value)
	case equalFold(name, "lambda-extension-accept-feature"):
		q.acceptFeature = string(value)
	}
	return nil
}

// equalFold compares ASCII without regard to case; lower must be in lower case.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// body reads the body of one request. It must be read to its end before the next head.
type body struct {
	r       *reader
	left    int64 // of the body or of the chunk
	chunked bool
	first   bool
	done    bool
	trailer trailer
}

func (r *reader) body(q request) *body {
	b := &body{r: r, left: q.length, chunked: q.length < 0, first: true}
	if b.chunked {
		b.left = 0
	}
	return b
}

// Read returns io.EOF after the last byte and the trailer, and io.ErrUnexpectedEOF when the connection ends before.
func (b *body) Read(p []byte) (int, error) {
	if b.done {
		return 0, io.EOF
	}
	if b.left == 0 {
		if !b.chunked {
			b.done = true
			return 0, io.EOF
		}
		if err := b.nextChunk(); err != nil {
			return 0, err
		}
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	var n int
	var err error
	if b.r.from < b.r.to {
		n = copy(p, b.r.buf[b.r.from:b.r.to])
		b.r.from += n
	} else {
		n, err = b.r.src.Read(p)
	}
	b.left -= int64(n)
	if n > 0 {
		return n, nil
	}
	return 0, unexpected(err)
}

func unexpected(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// nextChunk reads the line before a chunk. After the last chunk it reads the trailer and returns io.EOF.
func (b *body) nextChunk() error {
	if !b.first {
		if line, err := b.line(maxChunkLine); err != nil || len(line) != 0 {
			return errors.Join(fmt.Errorf("%w: end of chunk", errProtocol), err)
		}
	}
	b.first = false
	line, err := b.line(maxChunkLine)
	if err != nil {
		return err
	}
	size, _, _ := bytes.Cut(line, []byte(";"))
	n, err := strconv.ParseUint(string(bytes.TrimRight(size, " \t")), 16, 31)
	if err != nil {
		return fmt.Errorf("%w: chunk size", errProtocol)
	}
	if n > 0 {
		b.left = int64(n)
		return nil
	}
	for {
		line, err := b.line(maxHead)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			b.done = true
			return io.EOF
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch value = bytes.Trim(value, " \t"); {
		case equalFold(name, "lambda-runtime-function-error-type"):
			b.trailer.errorType = string(value)
		case equalFold(name, "lambda-runtime-function-error-body"):
			b.trailer.errorBody = string(value)
		}
	}
}

// line reads one line without its end, valid until the next read.
func (b *body) line(limit int) ([]byte, error) {
	for {
		data := b.r.buf[b.r.from:b.r.to]
		if end := bytes.Index(data, []byte("\r\n")); end >= 0 {
			b.r.from += end + 2
			return data[:end], nil
		}
		if len(data) > limit {
			return nil, fmt.Errorf("%w: line too long", errProtocol)
		}
		if err := b.r.fill(maxHead); err != nil {
			return nil, unexpected(err)
		}
	}
}
