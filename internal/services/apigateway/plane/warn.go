package plane

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Warnings tells which functions the stages of an API cannot invoke.
func (p *Plane) Warnings(ctx context.Context, s api.Scope, id string) ([]string, error) {
	var names []string
	err := p.o.Store.View(ctx, func(r store.Reader) error {
		all, err := record.List[api.Stage](r, s.Stages(id).Span())
		for i := range all {
			names = append(names, deref(all[i].StageName))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var calls []integration.Call
	for _, name := range names {
		st, err := p.stage(ctx, s, id, name)
		if err != nil {
			return nil, err
		}
		if st != nil && st.plain != nil {
			calls = append(calls, st.calls()...)
		}
	}
	return p.functions.Flaws(ctx, calls), nil
}

// calls are the invocations that requests to a stage may cause.
func (st *stage) calls() []integration.Call {
	base := "arn:aws:execute-api:" + st.Region + ":" + st.Account + ":" + st.API.ID + "/"
	var out []integration.Call
	add := func(target *uri, source, role string) {
		if target == nil {
			return
		}
		if function, ok := integration.FunctionOf(target.fill(nil, st.variables.plain)); ok {
			out = append(out, integration.Call{Function: function, Source: source, Account: st.Account, Role: role})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(st.plain.resources)) {
		r := st.plain.resources[key]
		for _, name := range slices.Sorted(maps.Keys(r.methods)) {
			m := r.methods[name]
			if a := m.auth; a != nil {
				add(a.function, base+"authorizers/"+a.id, a.role)
			}
			if name == "ANY" {
				name = http.MethodGet
			}
			if c := m.call; c != nil {
				add(c.uri, base+st.name+"/"+name+r.path, deref(c.Credentials))
			}
		}
	}
	return out
}
