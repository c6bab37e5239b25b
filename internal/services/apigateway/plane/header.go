package plane

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/lib/httpevent"
)

// field is one header line, its name in the spelling of the sender.
type field struct{ name, value string }

// fields are header lines in their order.
type fields []field

// Lines implements [trace.Head].
func (f fields) Lines(yield func(name, value string)) {
	for i := range f {
		yield(f[i].name, f[i].value)
	}
}

// requestFields returns the header lines of a request as they were sent. Where the head was not kept (HTTP/2), names are in their canonical form.
func requestFields(r *http.Request) fields {
	head := front.Head(r) // names and values are parts of it
	if head == "" {
		return canonicalFields(r)
	}
	out := make(fields, 0, 16)
	for first := true; len(head) > 0; first = false {
		var line string
		line, head, _ = strings.Cut(head, "\r\n")
		if first || line == "" {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if n := len(out); n > 0 { // a folded line (RFC 9112, section 5.2)
				out[n-1].value += " " + strings.TrimSpace(line)
			}
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		out = append(out, field{name, strings.TrimSpace(value)})
	}
	return out
}

func canonicalFields(r *http.Request) fields {
	out := fields{{"Host", r.Host}}
	for name, values := range r.Header {
		for _, v := range values {
			out = append(out, field{name, v})
		}
	}
	slices.SortStableFunc(out[1:], func(a, b field) int { return strings.Compare(a.name, b.name) })
	return out
}

// get returns the last value of a header, by any case, as mappings see it.
func (f fields) get(name string) (string, bool) {
	for i := len(f) - 1; i >= 0; i-- {
		if strings.EqualFold(f[i].name, name) {
			return f[i].value, true
		}
	}
	return "", false
}

// all returns the values of a header.
func (f fields) all(name string) []string {
	var out []string
	for i := range f {
		if strings.EqualFold(f[i].name, name) {
			out = append(out, f[i].value)
		}
	}
	return out
}

// check fails for a header that cannot be sent.
func (f fields) check() error {
	for i := range f {
		if !httpevent.ValidHeader(f[i].name, f[i].value) {
			return fmt.Errorf("the header %q cannot be sent", f[i].name)
		}
	}
	return nil
}

// without returns the fields but those that drop tells, by their names in lower case.
func (f fields) without(drop func(lower string) bool) fields {
	out := make(fields, 0, len(f))
	for i := range f {
		if !drop(lowerName(f[i].name)) {
			out = append(out, f[i])
		}
	}
	return out
}

// set replaces all values of a header by one.
func (f fields) set(name, value string) fields {
	kept := f[:0:0]
	for i := range f {
		if !strings.EqualFold(f[i].name, name) {
			kept = append(kept, f[i])
		}
	}
	return append(kept, field{name, value})
}

// header returns the fields as a map, with names as they are spelled first.
func (f fields) header() http.Header {
	h := make(http.Header, len(f))
	values := make([]string, len(f)) // one piece of memory for all names that are there once
	for i := range f {
		name := f.spelled(i)
		values[i] = f[i].value
		if have, ok := h[name]; ok {
			h[name] = append(have, f[i].value)
		} else {
			h[name] = values[i : i+1 : i+1]
		}
	}
	return h
}

// spelled returns the name of a field as it is spelled where it comes first.
func (f fields) spelled(i int) string {
	for j := range i {
		if len(f[j].name) == len(f[i].name) && strings.EqualFold(f[j].name, f[i].name) {
			return f[j].name
		}
	}
	return f[i].name
}

// fieldsOf returns the lines of an answer, sorted by name.
func fieldsOf(h http.Header) fields {
	out := make(fields, 0, len(h))
	for name, values := range h {
		for _, v := range values {
			out = append(out, field{name, v})
		}
	}
	slices.SortStableFunc(out, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return out
}

// lowerName returns the name of a header in lower case. Those that are in nearly every message cost nothing.
func lowerName(name string) string {
	switch name {
	case "Accept":
		return "accept"
	case "Accept-Encoding":
		return "accept-encoding"
	case "Accept-Language":
		return "accept-language"
	case "Authorization":
		return "authorization"
	case "Cache-Control":
		return "cache-control"
	case "Connection":
		return "connection"
	case "Content-Length":
		return "content-length"
	case "Content-Type":
		return "content-type"
	case "Cookie":
		return "cookie"
	case "Date":
		return "date"
	case "Host":
		return "host"
	case "Origin":
		return "origin"
	case "Referer":
		return "referer"
	case "User-Agent":
		return "user-agent"
	case "X-Amzn-Trace-Id":
		return "x-amzn-trace-id"
	case "X-Forwarded-For":
		return "x-forwarded-for"
	case "X-Forwarded-Port":
		return "x-forwarded-port"
	case "X-Forwarded-Proto":
		return "x-forwarded-proto"
	}
	return strings.ToLower(name)
}

// notForwarded names what is never handed from a request to an integration.
func notForwarded(lower string) bool {
	switch lower {
	case "connection", "content-length", "content-md5", "expect", "max-forwards", "proxy-authenticate", "server", "te", "transfer-encoding", "trailer", "upgrade",
		"www-authenticate":
		return true
	}
	return false
}

// notProxied names what goes to no HTTP backend beside that, unless it is mapped.
func notProxied(lower string) bool {
	switch lower {
	case "host", "content-encoding", "via":
		return true
	}
	return notForwarded(lower)
}

// remapped tells which headers of an answer get the prefix x-amzn-Remapped-, in every API, and without Lambda proxy beyond it.
func remapped(lower string, proxy bool) bool {
	switch lower {
	case "connection", "content-length", "date", "server":
		return true
	case "authorization", "content-md5", "expect", "host", "max-forwards", "proxy-authenticate", "trailer", "upgrade", "user-agent", "www-authenticate":
		return !proxy
	}
	return false
}
