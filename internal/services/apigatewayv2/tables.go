package apigatewayv2

import (
	"context"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/tokenbucket"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/memo"
	"lambent.dev/lambent/internal/store/record"
)

// maxTables bounds the compiled stages in memory; one more starts the cache over.
const maxTables = 1024

// table is one stage of one API, compiled. It is immutable.
type table struct {
	scope
	api, stage string
	variables  map[string]string
	cors       *httpevent.CORS
	disabled   bool
	routes     []compiled   // most specific first
	socket     *socketTable // of a WebSocket API; nil for an HTTP API
	log        *logged
	rate       *tokenbucket.Limit           // of the whole stage
	rates      map[string]tokenbucket.Limit // of routes
}

// compiled is a route ready to match.
type compiled struct {
	key, method string // method is "ANY" or a method; "" for $default
	path        string
	segments    []string
	function    string // ARN; "" when the route has no integration
	timeoutMS   int32
	// missing is what the plane lacks to serve the route; empty when it can.
	missing string
}

// tableKey names a stage of an API.
type tableKey struct{ api, stage string }

// newTables returns the cache of compiled stages. Every commit of this service drops them all: an API changes seldom, and compiling takes microseconds.
func newTables(s store.Store) *memo.Cache[struct{}, tableKey, *table] {
	return memo.New[struct{}, tableKey, *table](s, maxTables, func(struct{}) [][]byte { return [][]byte{key.New(root)} })
}

// table returns the compiled stage, or nil when there is no such API or stage.
func (g *Gateway) table(ctx context.Context, id, name string) (*table, error) {
	return g.tables.Get(ctx, struct{}{}, tableKey{id, name}, func(r store.Reader) (*table, error) { return loadTable(r, id, name) })
}

// loadTable reads and compiles a stage. It returns nil when there is no such API or stage: paths are asked for a stage's name first, so this is the usual answer.
func loadTable(r store.Reader, id, name string) (*table, error) {
	o, ok, err := record.Get[owner](r, ownerKey(id))
	if err != nil || !ok {
		return nil, err
	}
	s := scope{o.Account, o.Region}
	a, ok, err := record.Get[gatewayAPI](r, s.api(id))
	if err != nil || !ok {
		return nil, err
	}
	st, ok, err := record.Get[stage](r, s.stage(id, name))
	if err != nil || !ok {
		return nil, err
	}
	c := a.Config
	if !value(st.AutoDeploy) {
		d, ok, err := record.Get[deployment](r, s.deployment(id, value(st.DeploymentId)))
		if err != nil || !ok {
			return nil, err
		}
		c = d.Config
	}
	t := &table{scope: s, api: id, stage: name, variables: st.StageVariables, disabled: a.NoEndpoint}
	t.compileRates(&st)
	if t.log, err = compileLog(id, &st); err != nil {
		return nil, err
	}
	if a.webSocket() {
		t.socket, err = compileSocket(&c)
		return t, err
	}
	t.cors, t.routes = newCORS(c.CORS), compile(&c)
	return t, nil
}

func compile(c *config) []compiled {
	out := make([]compiled, 0, len(c.Routes))
	for _, r := range c.Routes {
		k := compiled{key: r.RouteKey}
		if method, path, ok := strings.Cut(r.RouteKey, " "); ok {
			k.method, k.path, k.segments = method, path, splitPath(path)
		}
		if i, err := c.integration(r.integration()); err == nil {
			// The URI was checked when it was stored.
			k.function, _ = functionOf(value(i.IntegrationUri))
			k.timeoutMS = value(i.TimeoutInMillis)
			k.missing = missing(&r, i)
		}
		out = append(out, k)
	}
	slices.SortStableFunc(out, func(a, b compiled) int { return b.compare(&a) })
	return out
}

// missing says what the plane lacks to serve a route.
func missing(r *route, i *integration) string {
	switch {
	case r.AuthorizationType != authNone:
		return "authorization " + r.AuthorizationType
	case i.IntegrationType != kindAWSProxy || i.IntegrationSubtype != nil:
		return "integration type " + i.IntegrationType + " " + value(i.IntegrationSubtype)
	case value(i.PayloadFormatVersion) != "2.0":
		return "payload format " + value(i.PayloadFormatVersion)
	case len(i.RequestParameters)+len(i.ResponseParameters) > 0:
		return "parameter mapping"
	}
	return ""
}

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

// param is one path parameter, decoded.
type param struct{ name, value string }

// find returns the route of a request and its path parameters, or nil. path is raw and begins with a slash.
func (t *table) find(method, path string) (*compiled, []param) {
	segments := splitPath(path)
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
				if rest == "" {
					return nil, false
				}
				return append(params, param{name, httpevent.Unescape(rest)}), true
			}
			if segments[i] == "" {
				return nil, false
			}
			params = append(params, param{name, httpevent.Unescape(segments[i])})
			continue
		}
		if httpevent.Unescape(segments[i]) != s {
			return nil, false
		}
	}
	return params, len(segments) == len(r.segments)
}
