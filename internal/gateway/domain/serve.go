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
	"lambent.dev/lambent/internal/gateway/vpcendpoint"
	"lambent.dev/lambent/internal/lib/jsonenc"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// maxHosts bounds the hosts whose names are kept compiled, those that are no names of ours among them.
const maxHosts = 4096

// Plane is a data plane that serves APIs under custom domain names.
type Plane interface {
	// Has tells whether a scope has an API, and whether that has a stage. It is called within transactions.
	Has(r store.Reader, s Scope, api, stage string) (Found, error)
	// ServeDomain answers a request to a name.
	ServeDomain(w http.ResponseWriter, r *http.Request, t Target)
}

// Found is what a plane has of an API and its stage.
type Found struct {
	API, Stage bool
	// Private tells that the API is for requests through VPC endpoints.
	Private bool
}

// Target is where a request to a custom domain name goes.
type Target struct {
	Scope

	// Domain is the name, BasePath the path of the mapping that was found, without slashes around it.
	Domain, BasePath string
	API, Stage       string
	// Path is the raw path that the API sees; it begins with a slash.
	Path string
	// Private is the ARN of a private name, as policies of APIs see it, and Endpoint the VPC endpoint through which the request came; both are empty for another name.
	Private  string
	Endpoint vpcendpoint.Endpoint
}

// host is a name with all that a request needs, compiled.
type host struct {
	Scope

	name     Name
	mappings []Mapping // the longest path first
	rules    []Rule    // by priority
	pool     *clientPool
	private  *door // nil for a public name
}

// find returns the name that a host belongs to, nil for none: itself, or the wildcard one level up. Private names are found by the VPC endpoint of a request.
func (d *Domains) find(ctx context.Context, name, endpoint string) (*host, error) {
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if !strings.Contains(name, ".") || net.ParseIP(name) != nil {
		return nil, nil
	}
	return d.hosts.Get(ctx, struct{}{}, hostKey{name, endpoint}, func(r store.Reader) (h *host, err error) {
		names := []string{name}
		if _, parent, ok := strings.Cut(name, "."); ok {
			names = append(names, "*."+parent)
		}
		for _, load := range []func(store.Reader, string, string) (*host, error){loadPrivate, loadPublic, loadClosed} {
			for _, n := range names {
				if h, err = load(r, n, endpoint); h != nil || err != nil {
					return h, err
				}
			}
		}
		return nil, nil
	})
}

// hostKey is a host and the VPC endpoint through which it is asked for, or none.
type hostKey struct{ name, endpoint string }

// loadPublic reads and compiles a public name; nil when there is none.
func loadPublic(r store.Reader, name, _ string) (*host, error) {
	o, ok, err := record.Get[owner](r, ownerKey(name))
	if err != nil || !ok {
		return nil, err
	}
	return loadHost(r, Scope(o), name)
}

// loadHost reads and compiles the name with a key.
func loadHost(r store.Reader, s Scope, ref string) (h *host, err error) {
	h = &host{Scope: s}
	if h.name, err = Load(r, s, ref); err != nil {
		return nil, err
	}
	if h.mappings, err = record.List[Mapping](r, s.mappings(ref).Span()); err != nil {
		return nil, err
	}
	order.Sort(h.mappings, func(a, b Mapping) int { return len(b.Path) - len(a.Path) })
	if h.rules, err = record.List[Rule](r, s.rules(ref).Span()); err != nil {
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
	h, err := d.find(ctx, name, "")
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
	h, err := d.find(r.Context(), name, d.options.Endpoints.Named(r))
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
	if refusal := d.refusal(h, r); refusal != "" {
		refuse(w, http.StatusForbidden, refusal)
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
	if h.private != nil {
		t.Private, t.Endpoint = h.private.arn, h.private.endpoint
	}
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
	body := string(append(jsonenc.String([]byte(`{"message":`), message), '}'))
	w.Header()["Content-Type"] = []string{"application/json"}
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(body))}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}
