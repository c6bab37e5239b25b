package apigatewayv2

import (
	"context"
	"maps"
	"slices"

	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// warnings tells which functions the stages of an API cannot invoke.
func (g *Gateway) warnings(ctx context.Context, c service.ResourceCall) ([]string, error) {
	s := scopeOf(ctx)
	var stages []stage
	if err := g.deps.Store.View(ctx, func(r store.Reader) (err error) {
		stages, err = record.List[stage](r, s.stages(c.PhysicalID).Span())
		return err
	}); err != nil {
		return nil, err
	}
	var calls []backend.Call
	for i := range stages {
		t, err := g.table(ctx, c.PhysicalID, stages[i].StageName)
		if err != nil {
			return nil, err
		}
		if t != nil {
			calls = append(calls, t.calls()...)
		}
	}
	return g.options.Functions.Flaws(ctx, calls), nil
}

// calls are the invocations that requests to a stage may cause.
func (t *table) calls() []backend.Call {
	if t.socket != nil {
		return t.socketCalls()
	}
	var out []backend.Call
	for i := range t.routes {
		r := &t.routes[i]
		x := &exchange{table: t, route: r}
		if a := r.admission; a != nil && a.function != "" {
			out = append(out, backend.Call{Function: a.function, Source: authorizerARN(t.scope, t.api, a.id), Account: t.account, Role: a.role})
		}
		if n := r.integration; n != nil && n.function != "" && n.broken == nil {
			out = append(out, backend.Call{Function: n.function, Source: x.sourceOf(r.anyMethod()), Account: t.account, Role: n.role})
		}
	}
	return out
}

// anyMethod is a method of the route.
func (r *compiled) anyMethod() string {
	if r.method == "ANY" {
		return "GET"
	}
	return r.method
}

// socketCalls is calls for a WebSocket API.
func (t *table) socketCalls() []backend.Call {
	var out []backend.Call
	for _, key := range slices.Sorted(maps.Keys(t.socket.routes)) {
		r := t.socket.routes[key]
		if z := r.authorizer; z != nil {
			if function, err := functionOf(variables(value(z.AuthorizerUri), t.variables)); err == nil {
				out = append(out, backend.Call{Function: function, Source: authorizerARN(t.scope, t.api, authorizerID(z)), Account: t.account, Role: value(z.AuthorizerCredentialsArn)})
			}
		}
		if i := r.integration; i != nil && i.function != "" {
			m := &message{connection: &connection{Account: t.account, Region: t.region, API: t.api, Stage: t.stage}}
			out = append(out, backend.Call{Function: variables(i.function, t.variables), Source: m.arn(key), Account: t.account, Role: value(i.CredentialsArn)})
		}
	}
	return out
}
