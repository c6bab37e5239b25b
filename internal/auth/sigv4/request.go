package sigv4

import (
	"net/http"
	"strings"
)

// Field is one header field as it was sent.
type Field struct {
	Name, Value string
}

// Request is the head of a request as it was sent.
type Request struct {
	// Method is the verb, such as GET.
	Method string
	// Target is the raw request target: path, and after the first "?" the query. Nothing is
	// decoded or cleaned.
	Target string
	// Host is the authority as sent, with its port: the Host field or HTTP/2's :authority.
	Host string
	// Fields are the header fields in their order. A Host field among them is not needed.
	Fields []Field
}

// FromHTTP returns the head of r for clients inside the program and for tests. A server's front
// builds a [Request] from the bytes it read instead.
func FromHTTP(r *http.Request) *Request {
	out := &Request{Method: r.Method, Target: r.RequestURI, Host: r.Host}
	if out.Target == "" {
		out.Target = r.URL.RequestURI()
	}
	if out.Host == "" {
		out.Host = r.URL.Host
	}
	out.Fields = make([]Field, 0, len(r.Header)+4)
	for name, values := range r.Header {
		for _, v := range values {
			out.Fields = append(out.Fields, Field{name, v})
		}
	}
	return out
}

// Get returns the value of the first field of that name, in any case.
func (r *Request) Get(name string) string {
	v, _ := r.lookup(name)
	return v
}

// lookup returns the first value of a field and how many fields have the name.
func (r *Request) lookup(name string) (value string, n int) {
	for i := range r.Fields {
		if len(r.Fields[i].Name) == len(name) && strings.EqualFold(r.Fields[i].Name, name) {
			if n == 0 {
				value = r.Fields[i].Value
			}
			n++
		}
	}
	if n == 0 && r.Host != "" && strings.EqualFold(name, "host") {
		return r.Host, 1
	}
	return value, n
}

// split cuts the target into its raw path and its raw query. The scheme and authority of an
// absolute target are left out.
func (r *Request) split() (path, query string) {
	path, query, _ = strings.Cut(r.Target, "?")
	if path == "" || path[0] == '/' {
		return path, query
	}
	if _, rest, ok := strings.Cut(path, "://"); ok {
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			return rest[i:], query
		}
		return "", query
	}
	return path, query
}
