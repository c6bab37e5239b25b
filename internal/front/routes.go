package front

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/observe/access"
	"lambent.dev/lambent/internal/service"
)

// Match is what the route table found for a request.
type Match struct {
	// Route is the route that serves the request; nil for the AWS API plane.
	Route *service.Route
	// Rest is the raw path (without the query) that is left for the route's handler; for a host route with
	// an API it is the path with the bucket put in front.
	Rest string
	// Access is the request's entry in the access log, for what only the handler knows; nil when there is no log.
	Access *access.Entry

	vars []string // name, value, name, value, …
}

// Var returns the value of a variable of the route's pattern, or "".
func (m *Match) Var(name string) string {
	for i := 0; i+1 < len(m.vars); i += 2 {
		if m.vars[i] == name {
			return m.vars[i+1]
		}
	}
	return ""
}

// Table finds routes. It is immutable after New.
type Table struct {
	hosts  []hostRoute
	paths  []pathRoute
	others []service.Route // by Hosts
}

type hostRoute struct {
	route   service.Route
	pattern []segment
}

type pathRoute struct {
	route   service.Route
	pattern []segment
}

// segment is one label of a host or one element of a path: a literal, or a variable, which may have a literal in front of it.
type segment struct {
	literal string
	name    string
	many    bool // the variable takes one or more labels
}

// NewTable compiles routes. Longer patterns are tried first; of two of the same length the one with more
// literals. A pattern that cannot be compiled is an error.
func NewTable(routes []service.Route) (*Table, error) {
	t := &Table{}
	for _, r := range routes {
		given := 0
		for _, set := range []bool{r.Host != "", r.Path != "", r.Hosts != nil} {
			if set {
				given++
			}
		}
		if given != 1 || (r.API == "") == (r.Handler == nil) {
			return nil, fmt.Errorf("route host %q path %q: needs one of host, hosts and path, and one of api and handler", r.Host, r.Path)
		}
		if r.Hosts != nil {
			t.others = append(t.others, r)
			continue
		}
		if r.Host != "" {
			pattern, ok := strings.CutSuffix(r.Host, ".*")
			if !ok {
				return nil, fmt.Errorf("route host %q: must end with .*, since any suffix is served", r.Host)
			}
			t.hosts = append(t.hosts, hostRoute{r, compile(pattern, ".")})
			continue
		}
		t.paths = append(t.paths, pathRoute{r, compile(strings.TrimPrefix(r.Path, "/"), "/")})
	}
	order.Stable(t.hosts, func(a, b hostRoute) int { return rank(b.pattern) - rank(a.pattern) })
	order.Stable(t.paths, func(a, b pathRoute) int { return rank(b.pattern) - rank(a.pattern) })
	return t, nil
}

func compile(pattern, separator string) []segment {
	var out []segment
	for part := range strings.SplitSeq(pattern, separator) {
		s := segment{literal: part}
		if lead, name, ok := strings.Cut(part, "{"); ok {
			name, s.many = strings.CutSuffix(strings.TrimSuffix(name, "}"), "+")
			s.name, s.literal = name, lead
		}
		out = append(out, s)
	}
	return out
}

// rank orders patterns: by length, then by literals.
func rank(pattern []segment) int {
	n := len(pattern) * 100
	for _, s := range pattern {
		if s.literal != "" {
			n++
		}
	}
	return n
}

// Find returns the match of a request by its host and its raw target.
func (t *Table) Find(ctx context.Context, host, target string) Match {
	path, _, _ := strings.Cut(target, "?")
	if labels := hostLabels(host); labels != nil {
		for i := range t.hosts {
			h := &t.hosts[i]
			if vars, ok := matchHost(h.pattern, labels); ok {
				m := Match{Route: &h.route, Rest: path, vars: vars}
				if bucket := m.Var("bucket"); bucket != "" && h.route.API != "" {
					m.Rest = "/" + bucket + path
				}
				return m
			}
		}
		name := strings.Join(labels, ".")
		for i := range t.others {
			if t.others[i].Hosts(ctx, name) {
				return Match{Route: &t.others[i], Rest: path}
			}
		}
	}
	if strings.HasPrefix(path, "/_") || strings.HasPrefix(path, "/restapis/") {
		for i := range t.paths {
			p := &t.paths[i]
			if vars, rest, ok := matchPath(p.pattern, path); ok {
				return Match{Route: &p.route, Rest: rest, vars: vars}
			}
		}
	}
	return Match{Rest: path}
}

// hostLabels returns the labels of a host name without its port, lower-cased, or nil for an IP address or a single label.
func hostLabels(host string) []string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if !strings.Contains(host, ".") || net.ParseIP(strings.Trim(host, "[]")) != nil {
		return nil
	}
	return strings.Split(strings.ToLower(strings.TrimSuffix(host, ".")), ".")
}

// match returns the value of a segment's variable in a label or element; a literal has none.
func (s *segment) match(part string) (value string, ok bool) {
	if s.name == "" {
		return "", s.literal == part
	}
	value, ok = strings.CutPrefix(part, s.literal)
	return value, ok && value != ""
}

// matchHost matches labels against pattern followed by any suffix of at least one label.
func matchHost(pattern []segment, labels []string) ([]string, bool) {
	if len(pattern) == 0 {
		return nil, len(labels) > 0
	}
	if len(labels) < len(pattern)+1 {
		return nil, false
	}
	s := pattern[0]
	if !s.many {
		value, ok := s.match(labels[0])
		if !ok {
			return nil, false
		}
		rest, ok := matchHost(pattern[1:], labels[1:])
		if !ok || s.name == "" {
			return rest, ok
		}
		return append([]string{s.name, value}, rest...), true
	}
	// The longest value wins, so that a bucket named "a.s3" in "a.s3.s3.localhost" is found whole.
	for n := len(labels) - len(pattern); n >= 1; n-- {
		if rest, ok := matchHost(pattern[1:], labels[n:]); ok {
			return append([]string{s.name, strings.Join(labels[:n], ".")}, rest...), true
		}
	}
	return nil, false
}

// matchPath matches the start of a raw path; rest begins with a slash or is empty.
func matchPath(pattern []segment, path string) (vars []string, rest string, ok bool) {
	rest = path
	for _, s := range pattern {
		if !strings.HasPrefix(rest, "/") {
			return nil, "", false
		}
		element := rest[1:]
		if i := strings.IndexByte(element, '/'); i >= 0 {
			element = element[:i]
		}
		value, ok := s.match(element)
		if !ok {
			return nil, "", false
		}
		if s.name != "" {
			vars = append(vars, s.name, value)
		}
		rest = rest[1+len(element):]
	}
	return vars, rest, true
}

type matchKey struct{}

// matchRoom returns where the match of r can be kept: in its context, when that is front's own.
func matchRoom(r *http.Request) *Match {
	if c, ok := r.Context().(*exchangeContext); ok {
		return &c.match
	}
	return &Match{}
}

// withMatch returns r with its match, which lies in its [matchRoom].
func withMatch(r *http.Request, m *Match) *http.Request {
	if _, ok := r.Context().(*exchangeContext); ok {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), matchKey{}, m))
}

// RouteVar returns the value of a variable of the pattern by which r was routed, still percent-encoded as it was sent.
func RouteVar(r *http.Request, name string) string {
	if m, ok := r.Context().Value(matchKey{}).(*Match); ok {
		return m.Var(name)
	}
	return ""
}

// RoutePath returns the raw path that the pattern by which r was routed left over: "" or a string that begins with "/".
func RoutePath(r *http.Request) string {
	if m, ok := r.Context().Value(matchKey{}).(*Match); ok {
		return m.Rest
	}
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return path
}

// WithAPI returns r as the AWS API plane takes it: as a call of the API with a name, whose operation the raw path names. It is for handlers of data planes
// below whose paths an API answers as well.
func WithAPI(r *http.Request, api, path string) *http.Request {
	m := &Match{Route: &service.Route{API: api}, Rest: path, Access: MatchOf(r).Access}
	return r.WithContext(context.WithValue(r.Context(), matchKey{}, m))
}
