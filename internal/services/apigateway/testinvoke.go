package apigateway

import (
	"context"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/plane"
	"lambent.dev/lambent/internal/store"
)

// rehearse runs fn with the working tree of an API, which is what the console's test button runs.
func (g *Gateway) rehearse(ctx context.Context, id string, fn func(target *plane.Rehearsal) error) error {
	if g.options.Plane == nil {
		return service.NotImplemented("apigateway", service.RequestFrom(ctx).Operation)
	}
	target := &plane.Rehearsal{Scope: scopeOf(ctx)}
	if err := g.view(ctx, id, func(_ store.Reader, a *api.RestAPI, t *api.Tree) error { target.API, target.Tree = *a, t; return nil }); err != nil {
		return err
	}
	return fn(target)
}

func (g *Gateway) testInvokeMethod(ctx context.Context, in *aws.TestInvokeMethodInput) (out *aws.TestInvokeMethodOutput, err error) {
	err = g.rehearse(ctx, in.RestApiId, func(target *plane.Rehearsal) error {
		r := target.Tree.Resources[in.ResourceId]
		if r == nil {
			return notFound("Invalid Resource identifier specified")
		}
		_, exact := r.ResourceMethods[in.HttpMethod]
		if _, other := r.ResourceMethods["ANY"]; !exact && !other {
			return notFound("Invalid Method identifier specified")
		}
		out, err = g.options.Plane.TestMethod(ctx, target, in)
		return err
	})
	return out, err
}

func (g *Gateway) testInvokeAuthorizer(ctx context.Context, in *aws.TestInvokeAuthorizerInput) (out *aws.TestInvokeAuthorizerOutput, err error) {
	err = g.rehearse(ctx, in.RestApiId, func(target *plane.Rehearsal) error {
		if target.Tree.Authorizers[in.AuthorizerId] == nil {
			return notFound("Invalid Authorizer identifier specified")
		}
		out, err = g.options.Plane.TestAuthorizer(ctx, target, in)
		return err
	})
	return out, err
}
