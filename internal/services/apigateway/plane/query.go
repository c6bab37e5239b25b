package plane

import (
	"net/url"
	"strings"
)

// pair is a parameter.
type pair struct{ name, value string }

// pairs are parameters in their order.
type pairs []pair

// parseQuery reads a query string: parts end with & alone, + is a space, and a broken escape stays as it is.
func parseQuery(raw string) pairs {
	if raw == "" {
		return nil
	}
	out := make(pairs, 0, 1+strings.Count(raw, "&"))
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		out = append(out, pair{unescapeQuery(name), unescapeQuery(value)})
	}
	return out
}

// unescapeQuery decodes a name or a value.
func unescapeQuery(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return strings.ReplaceAll(s, "+", " ")
	}
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s
}

// get returns the last value of a name.
func (p pairs) get(name string) (string, bool) {
	for i := len(p) - 1; i >= 0; i-- {
		if p[i].name == name {
			return p[i].value, true
		}
	}
	return "", false
}

// all returns the values of a name.
func (p pairs) all(name string) []string {
	var out []string
	for i := range p {
		if p[i].name == name {
			out = append(out, p[i].value)
		}
	}
	return out
}

// set replaces the values of a name by one.
func (p pairs) set(name string, values ...string) pairs {
	kept := p[:0:0]
	for i := range p {
		if p[i].name != name {
			kept = append(kept, p[i])
		}
	}
	for _, v := range values {
		kept = append(kept, pair{name, v})
	}
	return kept
}

// encode returns the query string.
func (p pairs) encode() string {
	var b strings.Builder
	for i := range p {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(url.QueryEscape(p[i].name))
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p[i].value))
	}
	return b.String()
}
