package wire

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/lib/order"
)

// route is the HTTP binding of a REST operation.
type route struct {
	op       *Operation
	method   string
	segments []segment
	// literals are the query parameters that the request must have, with their
	// values where the model fixes them.
	literals []literal
	// params and headers must be present: they tell operations apart that have
	// one path, such as PutObject and UploadPart.
	params, headers []string
}

type segment struct {
	literal string // "" for a label
	label   string
	greedy  bool
}

type literal struct {
	name, value string
	fixed       bool
}

// newRoute reads the binding of an operation, such as
// "/{Bucket}/{Key+}?uploads".
func newRoute(op *Operation) route {
	path, query, _ := strings.Cut(op.Schema.URI, "?")
	r := route{op: op, method: op.Schema.Method}
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		switch {
		case part == "":
		case strings.HasPrefix(part, "{"):
			name := strings.TrimSuffix(part[1:], "}")
			name, greedy := strings.CutSuffix(name, "+")
			r.segments = append(r.segments, segment{label: name, greedy: greedy})
		default:
			r.segments = append(r.segments, segment{literal: part})
		}
	}
	for part := range strings.SplitSeq(query, "&") {
		if part != "" {
			name, value, fixed := strings.Cut(part, "=")
			r.literals = append(r.literals, literal{name, value, fixed})
		}
	}
	return r
}

// pattern is the same for routes that the path and the literals do not tell
// apart.
func (r *route) pattern() string {
	var b strings.Builder
	b.WriteString(r.method)
	for _, s := range r.segments {
		switch {
		case s.greedy:
			b.WriteString("/{+}")
		case s.label != "":
			b.WriteString("/{}")
		default:
			b.WriteString("/" + s.literal)
		}
	}
	for _, l := range r.literals {
		fmt.Fprintf(&b, "?%s=%s", l.name, l.value)
	}
	return b.String()
}

// newRoutes returns the routes of an API, the most specific first.
func newRoutes(ops []*Operation) []route {
	routes := make([]route, 0, len(ops))
	groups := make(map[string]int)
	for _, op := range ops {
		r := newRoute(op)
		groups[r.pattern()]++
		routes = append(routes, r)
	}
	for i := range routes {
		if groups[routes[i].pattern()] > 1 {
			routes[i].distinguish()
		}
	}
	order.Stable(routes, compareRoutes)
	return routes
}

// distinguish adds the required parameters and headers to the conditions.
func (r *route) distinguish() {
	if r.op.Schema.Input == nil {
		return
	}
	for i := range r.op.Schema.Input.Members {
		m := &r.op.Schema.Input.Members[i]
		switch {
		case !m.Required:
		case m.Location == awsapi.QueryString:
			r.params = append(r.params, firstOf(m.WireName, m.Name))
		case m.Location == awsapi.Header:
			r.headers = append(r.headers, firstOf(m.WireName, m.Name))
		}
	}
}

// compareRoutes orders by path, segment for segment: literals before labels
// before greedy labels; then the one with more conditions first.
func compareRoutes(a, b route) int {
	if c := strings.Compare(a.method, b.method); c != 0 {
		return c
	}
	for i := range min(len(a.segments), len(b.segments)) {
		if c := cmp.Compare(a.segments[i].rank(), b.segments[i].rank()); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(len(b.segments), len(a.segments)); c != 0 {
		return c
	}
	return cmp.Compare(b.conditions(), a.conditions())
}

func (s segment) rank() int {
	switch {
	case s.greedy:
		return 2
	case s.label != "":
		return 1
	}
	return 0
}

func (r *route) conditions() int {
	return 4*len(r.literals) + len(r.params) + len(r.headers)
}

// match reports whether the request takes this route and returns the decoded
// values of the labels.
func (r *route) match(req *Request, query map[string][]string) ([]string, bool, error) {
	if r.method != req.Method {
		return nil, false, nil
	}
	raw, ok := r.matchPath(req.RawPath)
	if !ok {
		return nil, false, nil
	}
	for _, l := range r.literals {
		values, present := query[l.name]
		if !present || l.fixed && !slices.Contains(values, l.value) {
			return nil, false, nil
		}
	}
	for _, name := range r.params {
		if _, present := query[name]; !present {
			return nil, false, nil
		}
	}
	for _, name := range r.headers {
		if req.Header.Get(name) == "" {
			return nil, false, nil
		}
	}
	for i, label := range raw {
		value, err := url.PathUnescape(label)
		if err != nil {
			return nil, false, &syntaxError{fmt.Sprintf("%q in the path is not properly encoded", label), 0}
		}
		raw[i] = value
	}
	return raw, true, nil
}

// matchPath matches the raw path. A greedy label takes the rest as it is, with
// its empty segments; other routes ignore one slash at the end.
func (r *route) matchPath(path string) ([]string, bool) {
	path = strings.TrimPrefix(path, "/")
	if !r.mayMatch(path) {
		return nil, false
	}
	labels := make([]string, 0, len(r.segments))
	for i, s := range r.segments {
		if s.greedy {
			return r.matchGreedy(labels, path, i)
		}
		part, rest, more := strings.Cut(path, "/")
		if part == "" && s.literal == "" || s.literal != "" && part != s.literal {
			return nil, false
		}
		if s.label != "" {
			labels = append(labels, part)
		}
		path = rest
		if !more && i < len(r.segments)-1 {
			return nil, false
		}
	}
	return labels, path == ""
}

// mayMatch tells most of the paths of other routes by their literal segments, before anything is made for the labels.
func (r *route) mayMatch(path string) bool {
	for i := range r.segments {
		s := &r.segments[i]
		if s.greedy {
			return true
		}
		part, rest, _ := strings.Cut(path, "/")
		if s.literal != "" && part != s.literal {
			return false
		}
		path = rest
	}
	return true
}

// matchGreedy gives a greedy label all that the segments behind it leave.
func (r *route) matchGreedy(labels []string, path string, at int) ([]string, bool) {
	behind := r.segments[at+1:]
	for i := len(behind) - 1; i >= 0; i-- {
		cut := strings.LastIndexByte(path, '/')
		if cut < 0 || behind[i].literal != path[cut+1:] {
			return nil, false
		}
		path = path[:cut]
	}
	return append(labels, path), path != ""
}

func queryUnescape(s string) (string, error) {
	out, err := url.QueryUnescape(s)
	if err != nil {
		return "", &syntaxError{fmt.Sprintf("parameter %q is not properly encoded", s), 0}
	}
	return out, nil
}
