package front

import (
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
)

// plainRequest makes the request whose whole head is given, just as [http.ReadRequest] does, if it is one of the kind that nearly all are. It returns nil for every
// other: what is malformed, and what needs the care of net/http. What it returns is ordinary.
func plainRequest(head string, m *room) *http.Request {
	line, fields, _ := strings.Cut(head, "\r\n")
	method, line, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(line, " ")
	if version != "HTTP/1.1" || !plainMethod(method) {
		return nil
	}
	u := plainURL(target)
	if u == nil {
		return nil
	}
	n := max(strings.Count(fields, "\r\n")-1, 0) // behind the last one is an empty line
	r := new(http.Request).WithContext(&m.ctx)
	r.Method, r.URL, r.RequestURI = method, u, target
	r.Proto, r.ProtoMajor, r.ProtoMinor = version, 1, 1
	r.Header, r.Body = make(http.Header, n), http.NoBody
	values := make([]string, n) // one piece of memory for all of them
	for i := range n {
		line, fields, _ = strings.Cut(fields, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok || !validName(name) || !plainValue(value) {
			return nil
		}
		values[i] = strings.Trim(value, " \t")
		if !addField(r, http.CanonicalHeaderKey(name), values[i:i+1:i+1]) {
			return nil
		}
	}
	if r.Host == "" || !plainHost(r.Host) {
		return nil
	}
	if r.ContentLength > 0 {
		m.plain.left = r.ContentLength
		r.Body = &m.plain
	}
	return r
}

// addField adds a header line to a request, and what follows from it. It reports whether the request is a plain one so far.
func addField(r *http.Request, name string, value []string) bool {
	switch name {
	case "Host":
		if r.Host != "" || value[0] == "" {
			return false
		}
		r.Host = value[0]
		return true
	case "Content-Length":
		n, err := strconv.ParseUint(value[0], 10, 63)
		if _, twice := r.Header[name]; twice || err != nil {
			return false
		}
		r.ContentLength = int64(n)
	case "Connection":
		r.Close = strings.EqualFold(value[0], "close")
		if _, twice := r.Header[name]; twice || !r.Close && !strings.EqualFold(value[0], "keep-alive") {
			return false
		}
	case "Expect", "Pragma", "Trailer", "Transfer-Encoding", "Upgrade":
		return false
	}
	if before, twice := r.Header[name]; twice {
		value = append(before, value[0])
	}
	r.Header[name] = value
	return true
}

// plainMethod tells the usual methods.
func plainMethod(method string) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return true
	}
	return false
}

// plainURL is [url.ParseRequestURI] for a path and a query; nil for what is malformed or something else.
func plainURL(target string) *url.URL {
	if target == "" || target[0] != '/' {
		return nil
	}
	path, query, _ := strings.Cut(target, "?")
	for i := range len(path) {
		if !pathByte[path[i]] {
			return parsedURL(target)
		}
	}
	for i := range len(query) {
		if query[i] <= ' ' || query[i] >= 0x7f || query[i] == '#' {
			return parsedURL(target)
		}
	}
	if query == "" && len(path) < len(target) {
		return parsedURL(target)
	}
	return &url.URL{Path: path, RawQuery: query}
}

func parsedURL(target string) *url.URL {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil
	}
	return u
}

// plainValue tells whether a field can have this value (RFC 9110, section 5.5).
func plainValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// pathByte tells the bytes of a path that stand for themselves (RFC 3986, section 3.3), and nameByte those of the name of a field (RFC 9110, section 5.6.2).
var (
	pathByte = among("-_.~/$&+,:;=@")
	nameByte = among("!#$%&'*+-.^_`|~")
)

// among is a table of the letters, the digits and others.
func among(others string) (table [256]bool) {
	for c := range table {
		table[c] = c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || strings.IndexByte(others, byte(c)) >= 0
	}
	return table
}

// plainBody is a body of known length.
type plainBody struct {
	d *direct

	mu     sync.Mutex // guards the fields below
	left   int64
	closed bool
}

// Read implements [io.Reader] as the bodies of net/http do: the end is told with the last bytes.
func (b *plainBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, http.ErrBodyReadAfterClose
	case b.left == 0:
		return 0, io.EOF
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.d.r.Read(p)
	b.left -= int64(n)
	switch {
	case err == io.EOF && b.left > 0: //nolint:errorlint // as bufio returns it
		err = io.ErrUnexpectedEOF
	case err == nil && b.left == 0:
		err = io.EOF
	}
	return n, err
}

// Close reads what is left.
func (b *plainBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	n, err := io.CopyN(io.Discard, b.d.r, b.left)
	b.left -= n
	b.closed = true
	if err == io.EOF { //nolint:errorlint // as bufio returns it
		err = io.ErrUnexpectedEOF
	}
	return err
}
