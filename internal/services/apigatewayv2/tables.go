package apigatewayv2

import (
	"context"

	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/meter"
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
	resets     int          // of the results of authorizers
	routes     []compiled   // most specific first
	socket     *socketTable // of a WebSocket API; nil for an HTTP API
	log        *logged
	rate       *tokenbucket.Limit           // of the whole stage
	rates      map[string]tokenbucket.Limit // of routes
	meters     meters
}

// tableKey names a stage of an API.
type tableKey struct{ api, stage string }

// newTables returns the cache of compiled stages. Every commit of this service drops them all: an API changes seldom, and compiling takes microseconds.
func newTables(s store.Store) *memo.Cache[struct{}, tableKey, *table] {
	return memo.New[struct{}, tableKey, *table](s, maxTables, func(struct{}) [][]byte { return [][]byte{key.New(root)} })
}

// table returns the compiled stage, or nil when there is no such API or stage.
func (g *Gateway) table(ctx context.Context, id, name string) (*table, error) {
	return g.tables.Get(ctx, struct{}{}, tableKey{id, name}, func(r store.Reader) (*table, error) { return loadTable(r, id, name, g.deps.Meters) })
}

// loadTable reads and compiles a stage. It returns nil when there is no such API or stage: paths are asked for a stage's name first, so this is the usual answer.
func loadTable(r store.Reader, id, name string, counts *meter.Registry) (*table, error) {
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
	t := &table{scope: s, api: id, stage: name, variables: st.StageVariables, disabled: a.NoEndpoint, resets: st.Resets}
	t.compileRates(&st)
	if t.log, err = compileLog(id, &st); err != nil {
		return nil, err
	}
	if a.webSocket() {
		t.socket, err = compileSocket(&c)
		t.compileMeters(counts, &st, &c)
		return t, err
	}
	t.compileMeters(counts, &st, &c)
	t.cors, t.routes = newCORS(c.CORS), compile(&c, st.StageVariables)
	return t, nil
}
