package apigatewayv2

import (
	"strings"

	"lambent.dev/lambent/internal/lib/httpevent"
)

// compare orders routes by how specific they are: literals before variables before greedy variables, element
// by element, then a method before ANY; $default is the least.
func (r *compiled) compare(o *compiled) int {
	if (r.method == "") != (o.method == "") {
		return rank(r.method != "") - rank(o.method != "")
	}
	for i := range min(len(r.segments), len(o.segments)) {
		if d := weight(r.segments[i]) - weight(o.segments[i]); d != 0 {
			return d
		}
	}
	if d := len(r.segments) - len(o.segments); d != 0 {
		return d
	}
	return rank(r.method != "ANY") - rank(o.method != "ANY")
}

func rank(b bool) int {
	if b {
		return 1
	}
	return 0
}

func weight(segment string) int {
	switch {
	case strings.HasSuffix(segment, "+}"):
		return 0
	case strings.HasPrefix(segment, "{"):
		return 1
	}
	return 2
}

// param is one path parameter: decoded, and as it was sent.
type param struct{ name, value, raw string }

// find returns the route of a request and its path parameters, or nil. path is raw and begins with a slash; more slashes at its beginning are as one.
func (t *table) find(method, path string) (*compiled, []param) {
	segments := splitPath(strings.TrimLeft(path, "/"))
	for i := range t.routes {
		r := &t.routes[i]
		if r.method == "" {
			return r, nil
		}
		if r.method != "ANY" && r.method != method {
			continue
		}
		if params, ok := r.match(segments); ok {
			return r, params
		}
	}
	return nil, nil
}

func (r *compiled) match(segments []string) ([]param, bool) {
	var params []param
	for i, s := range r.segments {
		if i >= len(segments) {
			return nil, false
		}
		if name, ok := strings.CutPrefix(s, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			if name, greedy := strings.CutSuffix(name, "+"); greedy {
				rest := strings.Join(segments[i:], "/")
				if rest == "" && i == 0 { // /a/ is a path of the route /a/{p+}, as AWS shows it; / is none of /{p+}
					return nil, false
				}
				return append(params, param{name, httpevent.Unescape(rest), rest}), true
			}
			if segments[i] == "" {
				return nil, false
			}
			params = append(params, param{name, httpevent.Unescape(segments[i]), segments[i]})
			continue
		}
		if httpevent.Unescape(segments[i]) != s {
			return nil, false
		}
	}
	return params, len(segments) == len(r.segments)
}
