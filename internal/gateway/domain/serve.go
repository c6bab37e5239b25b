package domain

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxHosts bounds the hosts whose names are kept compiled, those that are no names of ours among them.
const maxHosts = 4096

// Plane is a data plane that serves APIs under custom domain names.
type Plane interface {
	// Has tells whether a scope has an API, and whether that has a stage. It is called within transactions.
	Has(r store.Reader, s Scope, api, stage string) (hasAPI, hasStage bool, err error)
	// ServeDomain answers a request to a name.
	ServeDomain(w http.ResponseWriter, r *http.Request, t Target)
}

// Target is where a request to a custom domain name goes.
type Target struct {
	Scope

	// Domain is the name, BasePath the path of the mapping that was found, without slashes around it.
	Domain, BasePath string
	API, Stage       string
	// Path is the raw path that the API sees; it begins with a slash.
	Path string
}

// host is a name with all that a request needs, compiled.
type host struct {
	Scope

	name     Name
	mappings []Mapping // the longest path first
	rules    []Rule    // by priority
	pool     *clientPool
}

// find returns the name that a host belongs to, nil for none: itself, or the wildcard one level up.
func (d *Domains) find(ctx context.Context, name string) (*host, error) {
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if !strings.Contains(name, ".") || net.ParseIP(name) != nil {
		return nil, nil
	}
	return d.hosts.Get(ctx, struct{}{}, name, func(r store.Reader) (*host, error) {
		h, err := loadHost(r, name)
		if _, parent, ok := strings.Cut(name, "."); err == nil && h == nil && ok {
			h, err = loadHost(r, "*."+parent)
		}
		return h, err
	})
}

// loadHost reads and compiles a name; nil when there is none.
func loadHost(r store.Reader, name string) (*host, error) {
	o, ok, err := record.Get[owner](r, ownerKey(name))
	if err != nil || !ok {
		return nil, err
	}
	h := &host{Scope: Scope(o)}
	if h.name, err = Load(r, h.Scope, name); err != nil {
		return nil, err
	}
	if h.mappings, err = record.List[Mapping](r, h.Scope.mappings(h.name.Domain).Span()); err != nil {
		return nil, err
	}
	order.Sort(h.mappings, func(a, b Mapping) int { return len(b.Path) - len(a.Path) })
	if h.rules, err = record.List[Rule](r, h.Scope.rules(h.name.Domain).Span()); err != nil {
		return nil, err
	}
	order.Sort(h.rules, func(a, b Rule) int { return int(a.Priority) - int(b.Priority) })
	if m := h.name.MutualTLS; m != nil {
		h.pool = newClientPool(m.PEM)
	}
	return h, nil
}

// Knows reports whether a Host header names a custom domain name.
func (d *Domains) Knows(ctx context.Context, name string) bool {
	h, err := d.find(ctx, name)
	return err == nil && h != nil
}

// ServeHTTP answers a request whose Host is a custom domain name.
func (d *Domains) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	d.serve(w, r, r.Host, path)
}

// ServePath answers a request under /_aws/domains/{domain}, for clients that cannot send the name as their Host.
func (d *Domains) ServePath(w http.ResponseWriter, r *http.Request) {
	d.serve(w, r, front.RouteVar(r, "domain"), front.RoutePath(r))
}

// serve answers a request to a name with a raw path.
func (d *Domains) serve(w http.ResponseWriter, r *http.Request, name, path string) {
	h, err := d.find(r.Context(), name)
	if err != nil {
		d.deps.Log.ErrorContext(r.Context(), "custom domain name could not be loaded", slog.String("domain", name), slog.Any("error", err))
		refuse(w, http.StatusInternalServerError, "Internal Server Error")
		return
	}
	if h == nil {
		refuse(w, http.StatusNotFound, "Not Found")
		return
	}
	if h.pool != nil && !h.pool.proven(r, d.deps.Clock.Now()) {
		refuse(w, http.StatusForbidden, "Forbidden")
		return
	}
	if path == "" || path[0] != '/' {
		path = "/" + path
	}
	plane, t, ok := h.route(r, path)
	p := d.planes[plane]
	if !ok || p == nil {
		refuse(w, http.StatusForbidden, "Forbidden")
		return
	}
	p.ServeDomain(w, r, t)
}

// route finds the API of a request.
func (h *host) route(r *http.Request, path string) (plane string, t Target, ok bool) {
	t = Target{Scope: h.Scope, Domain: h.name.Domain, Path: path}
	if h.name.RoutingMode != MappingOnly {
		for i := range h.rules {
			rule := &h.rules[i]
			base, matched := rule.matches(r, path)
			if !matched {
				continue
			}
			t.API, t.Stage = rule.API, rule.Stage
			if rule.Strip && base != "" {
				t.BasePath, t.Path = base, below(path, base)
			}
			return rule.Plane, t, true
		}
	}
	if h.name.RoutingMode == RuleOnly {
		return "", t, false
	}
	for i := range h.mappings {
		m := &h.mappings[i]
		if !under(path, m.Path) {
			continue
		}
		t.API, t.Stage, t.BasePath, t.Path = m.API, m.Stage, m.Path, below(path, m.Path)
		return m.Plane, t, true
	}
	return "", t, false
}

// matches reports whether a rule is for a request, and the base path by which it is.
func (r *Rule) matches(q *http.Request, path string) (base string, ok bool) {
	if len(r.BasePaths) > 0 {
		i := slices.IndexFunc(r.BasePaths, func(p string) bool { return under(path, p) })
		if i < 0 {
			return "", false
		}
		base = r.BasePaths[i]
	}
	return base, len(r.Headers) == 0 || slices.ContainsFunc(r.Headers, func(h Header) bool {
		return slices.ContainsFunc(q.Header.Values(h.Name), func(v string) bool { return globs(h.Glob, v) })
	})
}

// globs matches a value with a glob that may have a * at either end.
func globs(glob, value string) bool {
	rest, open := strings.CutPrefix(glob, "*")
	rest, more := strings.CutSuffix(rest, "*")
	switch {
	case open && more:
		return strings.Contains(value, rest)
	case open:
		return strings.HasSuffix(value, rest)
	case more:
		return strings.HasPrefix(value, rest)
	}
	return value == glob
}

// under reports whether a raw path is at or below a mapping's path.
func under(path, base string) bool {
	if base == "" {
		return true
	}
	rest, ok := strings.CutPrefix(path, "/"+base)
	return ok && (rest == "" || rest[0] == '/')
}

// below is what a raw path has below a mapping's path.
func below(path, base string) string {
	if base == "" {
		return path
	}
	if rest := path[1+len(base):]; rest != "" {
		return rest
	}
	return "/"
}

// refuse answers in the gateway's own words.
func refuse(w http.ResponseWriter, status int, message string) {
	body := `{"message":"` + message + `"}`
	w.Header()["Content-Type"] = []string{"application/json"}
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
