package apigateway

import (
	"context"
	"fmt"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	backend "lambent.dev/lambent/internal/gateway/integration"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
)

func noIntegration() error { return notFound("Invalid Integration identifier specified") }

func (g *Gateway) putIntegration(ctx context.Context, in *aws.PutIntegrationInput) (*aws.PutIntegrationOutput, error) {
	i := aws.Integration{
		Type: in.Type, HttpMethod: in.IntegrationHttpMethod, Uri: in.Uri, ConnectionType: in.ConnectionType, ConnectionId: in.ConnectionId, Credentials: in.Credentials,
		RequestParameters: in.RequestParameters, RequestTemplates: in.RequestTemplates, PassthroughBehavior: in.PassthroughBehavior, ContentHandling: in.ContentHandling,
		TimeoutInMillis: in.TimeoutInMillis, CacheNamespace: in.CacheNamespace, CacheKeyParameters: in.CacheKeyParameters, TlsConfig: in.TlsConfig,
		ResponseTransferMode: in.ResponseTransferMode, IntegrationTarget: in.IntegrationTarget,
	}
	if err := g.mayPass(ctx, i.Credentials); err != nil {
		return nil, err
	}
	err := g.editMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(_ *draft, m *aws.Method) error {
		api.CompleteIntegration(&i, in.ResourceId)
		if err := api.CheckIntegration(&i); err != nil {
			return err
		}
		m.MethodIntegration = &i
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &i, nil
}

func (g *Gateway) mayPass(ctx context.Context, role *string) error {
	return backend.MayPass(ctx, g.deps.Door, role)
}

// editIntegration runs fn on an integration in one transaction.
func (g *Gateway) editIntegration(ctx context.Context, id, resource, method string, fn func(m *aws.Method, i *aws.Integration) error) error {
	return g.editMethod(ctx, id, resource, method, func(_ *draft, m *aws.Method) error {
		if m.MethodIntegration == nil {
			return noIntegration()
		}
		return fn(m, m.MethodIntegration)
	})
}

func (g *Gateway) getIntegration(ctx context.Context, in *aws.GetIntegrationInput) (out *aws.GetIntegrationOutput, err error) {
	err = g.viewMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *aws.Method) error {
		if m.MethodIntegration == nil {
			return noIntegration()
		}
		out = m.MethodIntegration
		return nil
	})
	return out, err
}

var integrationPatches = patch.Table[aws.Integration]{Wording: patch.Terse, Paths: []patch.Path[aws.Integration]{
	{Pattern: "/type", Ops: "replace", Apply: patch.Plain(func(i *aws.Integration) *string { return &i.Type })},
	{Pattern: "/httpMethod", Ops: "replace", Apply: patch.Text(func(i *aws.Integration) **string { return &i.HttpMethod })},
	{Pattern: "/uri", Ops: "replace", Apply: patch.Text(func(i *aws.Integration) **string { return &i.Uri })},
	{Pattern: "/connectionType", Ops: "replace", Apply: patch.Plain(func(i *aws.Integration) *string { return &i.ConnectionType })},
	{Pattern: "/connectionId", Ops: "replace,remove", Apply: patch.Text(func(i *aws.Integration) **string { return &i.ConnectionId })},
	{Pattern: "/credentials", Ops: "replace,remove", Apply: patch.Text(func(i *aws.Integration) **string { return &i.Credentials })},
	{Pattern: "/passthroughBehavior", Ops: "replace", Apply: patch.Text(func(i *aws.Integration) **string { return &i.PassthroughBehavior })},
	{Pattern: "/contentHandling", Ops: "replace,remove", Apply: contentHandling(func(i *aws.Integration) *string { return &i.ContentHandling })},
	{Pattern: "/timeoutInMillis", Ops: "replace", Apply: patch.Int(func(i *aws.Integration) **int32 { return &i.TimeoutInMillis }, api.MinTimeout, api.MaxStreamTimeout, fmt.Sprintf("Timeout should be between %d ms and %d ms", api.MinTimeout, api.MaxTimeout))},
	{Pattern: "/cacheNamespace", Ops: "replace", Apply: patch.Text(func(i *aws.Integration) **string { return &i.CacheNamespace })},
	{Pattern: "/cacheKeyParameters", Ops: "add,remove,replace", Apply: patch.Set(func(i *aws.Integration) *[]string { return &i.CacheKeyParameters })},
	{Pattern: "/cacheKeyParameters/{}", Ops: "add,remove,replace", Apply: patch.Set(func(i *aws.Integration) *[]string { return &i.CacheKeyParameters })},
	{Pattern: "/requestParameters/{}", Ops: "add,remove,replace", Apply: patch.Map(func(i *aws.Integration) *map[string]string { return &i.RequestParameters }, "Invalid parameter name specified")},
	{Pattern: "/requestTemplates/{}", Ops: "add,remove,replace", Apply: patch.Map(func(i *aws.Integration) *map[string]string { return &i.RequestTemplates }, "Content-Type specified was not found")},
	{Pattern: "/responseTransferMode", Ops: "replace", Apply: patch.Plain(func(i *aws.Integration) *string { return &i.ResponseTransferMode })},
	{Pattern: "/integrationTarget", Ops: "replace,remove", Apply: patch.Text(func(i *aws.Integration) **string { return &i.IntegrationTarget })},
	{Pattern: "/tlsConfig/insecureSkipVerification", Ops: "replace", Apply: func(i *aws.Integration, e patch.Edit) error {
		i.TlsConfig = &aws.TlsConfig{InsecureSkipVerification: ptr(patch.IsTrue(e))}
		return nil
	}},
}}

// contentHandling sets a content handling strategy.
func contentHandling[T any](member func(t *T) *string) func(t *T, e patch.Edit) error {
	return func(t *T, e patch.Edit) error {
		if e.Text() != "" && e.Text() != aws.ContentHandlingStrategyConvertToBinary && e.Text() != aws.ContentHandlingStrategyConvertToText {
			return badRequest("Invalid content handling strategy specified. Valid options are CONVERT_TO_BINARY,CONVERT_TO_TEXT")
		}
		return patch.Plain(member)(t, e)
	}
}

func (g *Gateway) updateIntegration(ctx context.Context, in *aws.UpdateIntegrationInput) (out *aws.UpdateIntegrationOutput, err error) {
	for _, o := range in.PatchOperations {
		if text(o.Path) == "/credentials" {
			if err := g.mayPass(ctx, o.Value); err != nil {
				return nil, err
			}
		}
	}
	err = g.editIntegration(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(_ *aws.Method, i *aws.Integration) error {
		if err := integrationPatches.Apply(i, in.PatchOperations); err != nil {
			return err
		}
		out = i
		api.CompleteIntegration(i, in.ResourceId)
		return api.CheckIntegration(i)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *Gateway) deleteIntegration(ctx context.Context, in *aws.DeleteIntegrationInput) (*aws.DeleteIntegrationOutput, error) {
	err := g.editIntegration(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *aws.Method, _ *aws.Integration) error {
		m.MethodIntegration = nil
		return nil
	})
	return &aws.DeleteIntegrationOutput{}, err
}
