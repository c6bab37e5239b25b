package apigatewayv2

import (
	"net/http"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/jsonenc"
)

// field is a header or a query parameter with all its values, in the form of payload 1.0.
type field struct {
	name   string
	values []string
}

// headerFields are the headers of a request in the spelling of the client, with those that a gateway adds, in the order of their names.
func headerFields(r *http.Request) []field {
	spelling := map[string]string{}
	for line := range strings.SplitSeq(front.Head(r), "\r\n") {
		if name, _, ok := strings.Cut(line, ":"); ok {
			spelling[http.CanonicalHeaderKey(name)] = name
		}
	}
	var out []field
	add := func(name string, values ...string) {
		if own, ok := spelling[name]; ok {
			name = own
		}
		out = append(out, field{name, values})
	}
	for name, values := range r.Header {
		if name != "X-Forwarded-For" && name != "Connection" && name != "Upgrade" {
			add(name, values...)
		}
	}
	add("Host", r.Host)
	proto, port := scheme(r), "443"
	if i := strings.LastIndexByte(r.Host, ':'); i >= 0 {
		port = r.Host[i+1:]
	} else if proto == "http" {
		port = "80"
	}
	through := append(slices.Clone(r.Header["X-Forwarded-For"]), httpevent.ClientIP(r))
	out = slices.DeleteFunc(out, func(f field) bool { return strings.HasPrefix(strings.ToLower(f.name), "x-forwarded-") })
	out = append(out, field{"X-Forwarded-For", []string{strings.Join(through, ", ")}}, field{"X-Forwarded-Port", []string{port}}, field{"X-Forwarded-Proto", []string{proto}})
	slices.SortFunc(out, func(a, b field) int { return strings.Compare(a.name, b.name) })
	return out
}

// queryFields are the parameters of a raw query, decoded, in the order in which they first come.
func queryFields(query string) []field {
	var out []field
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, text, _ := strings.Cut(part, "=")
		name, text = unquery(name), unquery(text)
		if i := slices.IndexFunc(out, func(f field) bool { return f.name == name }); i >= 0 {
			out[i].values = append(out[i].values, text)
			continue
		}
		out = append(out, field{name, []string{text}})
	}
	return out
}

func unquery(s string) string { return httpevent.Unescape(strings.ReplaceAll(s, "+", " ")) }

// lastValue is the last value of a field, or empty.
func lastValue(fields []field, name string) string {
	for i := range fields {
		if fields[i].name == name {
			return fields[i].values[len(fields[i].values)-1]
		}
	}
	return ""
}

// appendLast appends the fields as an object with the last value of each.
func appendLast(b []byte, fields []field) []byte {
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonenc.String(b, f.name)
		b = append(b, ':')
		b = jsonenc.String(b, f.values[len(f.values)-1])
	}
	return append(b, '}')
}

// appendAll appends the fields as an object with a list of the values of each.
func appendAll(b []byte, fields []field) []byte {
	b = append(b, '{')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		b = jsonenc.String(b, f.name)
		b = append(b, ':', '[')
		for j, v := range f.values {
			if j > 0 {
				b = append(b, ',')
			}
			b = jsonenc.String(b, v)
		}
		b = append(b, ']')
	}
	return append(b, '}')
}
