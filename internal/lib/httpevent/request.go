package httpevent

import (
	"encoding/base64"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"lambent.dev/lambent/internal/lib/jsonenc"
)

// AppendCookies appends the member cookies, with a comma in front; a request without cookies has none.
func AppendCookies(b []byte, r *http.Request) []byte {
	lines := r.Header["Cookie"]
	if len(lines) == 0 {
		return b
	}
	b = append(b, `,"cookies":[`...)
	first := true
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ";") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = jsonenc.String(b, part)
		}
	}
	return append(b, ']')
}

// AppendHeaders appends the member headers, with a comma in front: names in lower case, values joined by commas, and those that a gateway adds.
func AppendHeaders(b []byte, r *http.Request) []byte {
	type field struct{ name, value string }
	fields := make([]field, 0, len(r.Header)+5)
	for name, values := range r.Header {
		switch name {
		case "Connection", "Cookie", "X-Forwarded-For", "X-Forwarded-Port", "X-Forwarded-Proto":
			continue
		}
		fields = append(fields, field{strings.ToLower(name), strings.Join(values, ",")})
	}
	has := func(name string) bool {
		return slices.ContainsFunc(fields, func(f field) bool { return f.name == name })
	}
	host, port := r.Host, "443"
	scheme := "https"
	if i := strings.LastIndexByte(host, ':'); i >= 0 && r.TLS == nil {
		port, scheme = host[i+1:], "http"
	}
	fields = append(fields, field{"host", host})
	if !has("content-length") {
		fields = append(fields, field{"content-length", strconv.FormatInt(max(0, r.ContentLength), 10)})
	}
	fields = append(fields, field{"x-forwarded-for", Forwarded(r)}, field{"x-forwarded-port", port}, field{"x-forwarded-proto", scheme})
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	b = append(b, `,"headers":{`...)
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonenc.String(b, f.name)
		b = append(b, ':')
		b = jsonenc.String(b, f.value)
	}
	return append(b, '}')
}

// AppendQuery appends the member queryStringParameters, with a comma in front: decoded, values of one name joined by commas in their order. An
// empty query has none.
func AppendQuery(b []byte, query string) []byte {
	if query == "" {
		return b
	}
	var names []string
	values := map[string]string{}
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, value = unquery(name), unquery(value)
		if old, ok := values[name]; ok {
			values[name] = old + "," + value
			continue
		}
		names = append(names, name)
		values[name] = value
	}
	b = append(b, `,"queryStringParameters":{`...)
	for i, n := range names {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonenc.String(b, n)
		b = append(b, ':')
		b = jsonenc.String(b, values[n])
	}
	return append(b, '}')
}

func unquery(s string) string { return Unescape(strings.ReplaceAll(s, "+", " ")) }

// Unescape decodes percent-encoding; a broken one stays as it is.
func Unescape(s string) string {
	if d, err := url.PathUnescape(s); err == nil {
		return d
	}
	return s
}

// AppendBody appends the members body and isBase64Encoded, with a comma in front: text as it is, everything else in base64. No body is no member.
func AppendBody(b []byte, contentType string, body []byte) []byte {
	if len(body) == 0 {
		return append(b, `,"isBase64Encoded":false`...)
	}
	if IsText(contentType, body) {
		b = append(b, `,"body":`...)
		b = jsonenc.String(b, string(body))
		return append(b, `,"isBase64Encoded":false`...)
	}
	b = append(b, `,"body":"`...)
	b = base64.StdEncoding.AppendEncode(b, body)
	return append(b, `","isBase64Encoded":true`...)
}

// IsText reports whether a body goes into the event as it is: HTTP APIs send text/*, JSON, XML and JavaScript as text, everything
// else base64-encoded; a body of no declared type is text when it is valid UTF-8.
func IsText(contentType string, body []byte) bool {
	if !utf8.Valid(body) {
		return false
	}
	if contentType == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	switch t {
	case "application/json", "application/xml", "application/javascript":
		return true
	}
	return strings.HasPrefix(t, "text/")
}

// Forwarded returns the value of X-Forwarded-For: what the client sent, and behind it the address that it has here. Only the last is one that can be relied on.
func Forwarded(r *http.Request) string {
	if before := r.Header["X-Forwarded-For"]; len(before) > 0 {
		return strings.Join(before, ", ") + ", " + ClientIP(r)
	}
	return ClientIP(r)
}

// ClientIP returns the address of the client.
func ClientIP(r *http.Request) string {
	if i := strings.LastIndexByte(r.RemoteAddr, ':'); i > 0 && strings.Trim(r.RemoteAddr[:i], "0123456789.") == "" {
		return r.RemoteAddr[:i] // an address of IPv4, which has one form
	}
	if a, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return a.Addr().Unmap().String()
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "127.0.0.1"
	}
	return host
}
