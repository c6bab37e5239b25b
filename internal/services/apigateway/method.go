package apigateway

import (
	"context"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
)

// The kinds of authorization of a method.
const (
	authNone    = "NONE"
	authIAM     = "AWS_IAM"
	authCustom  = "CUSTOM"
	authCognito = "COGNITO_USER_POOLS"
)

// editMethod runs fn on a method in one transaction and puts it back.
func (g *Gateway) editMethod(ctx context.Context, id, resource, method string, fn func(d *draft, m *aws.Method) error) error {
	return g.editResource(ctx, id, resource, func(d *draft, r *aws.Resource) error {
		m, ok := r.ResourceMethods[method]
		if !ok {
			return noMethod()
		}
		if err := fn(d, &m); err != nil {
			return err
		}
		r.ResourceMethods[method] = m
		return nil
	})
}

// viewMethod runs fn with a method.
func (g *Gateway) viewMethod(ctx context.Context, id, resource, method string, fn func(m *aws.Method) error) error {
	return g.viewResource(ctx, id, resource, func(_ *api.Tree, r *aws.Resource) error {
		m, ok := r.ResourceMethods[method]
		if !ok {
			return noMethod()
		}
		return fn(&m)
	})
}

func (g *Gateway) putMethod(ctx context.Context, in *aws.PutMethodInput) (*aws.PutMethodOutput, error) {
	m := aws.Method{
		HttpMethod: ptr(in.HttpMethod), AuthorizationType: ptr(strings.ToUpper(in.AuthorizationType)), AuthorizerId: in.AuthorizerId, ApiKeyRequired: ptr(isTrue(in.ApiKeyRequired)),
		OperationName: in.OperationName, RequestParameters: in.RequestParameters, RequestModels: in.RequestModels, RequestValidatorId: optional(text(in.RequestValidatorId)),
		AuthorizationScopes: in.AuthorizationScopes,
	}
	err := g.editResource(ctx, in.RestApiId, in.ResourceId, func(d *draft, r *aws.Resource) error {
		if !slices.Contains(api.HTTPMethods, in.HttpMethod) {
			return badRequest("Invalid HttpMethod specified. Valid options are %s", strings.Join(api.HTTPMethods, ","))
		}
		if _, ok := r.ResourceMethods[in.HttpMethod]; ok {
			return conflict("Method already exists for this resource")
		}
		if err := checkMethod(d.tree, &m); err != nil {
			return err
		}
		if r.ResourceMethods == nil {
			r.ResourceMethods = map[string]aws.Method{}
		}
		r.ResourceMethods[in.HttpMethod] = m
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &m, nil
}

// checkMethod validates a method against its API. What belongs to another kind of authorization is dropped.
func checkMethod(t *api.Tree, m *aws.Method) error {
	switch *m.AuthorizationType {
	case authNone, authIAM:
		m.AuthorizerId, m.AuthorizationScopes = nil, nil
	case authCustom, authCognito:
		a, ok := t.Authorizers[text(m.AuthorizerId)]
		if !ok || (*m.AuthorizationType == authCognito) != (a.Type == aws.AuthorizerTypeCognitoUserPools) {
			return badRequest("Invalid authorizer ID specified. Setting the authorization type to CUSTOM or COGNITO_USER_POOLS requires a valid authorizer.")
		}
	default:
		return badRequest("Invalid Authorization Type specified. Valid options are NONE, AWS_IAM, CUSTOM, COGNITO_USER_POOLS")
	}
	if m.RequestValidatorId != nil {
		if _, ok := t.Validators[*m.RequestValidatorId]; !ok {
			return badRequest("Invalid Request Validator identifier specified")
		}
	}
	for _, contentType := range sortedKeys(m.RequestModels) {
		if _, ok := t.Models[m.RequestModels[contentType]]; !ok {
			return badRequest("Invalid model identifier specified: %s", m.RequestModels[contentType])
		}
	}
	return checkRequestParameters(m.RequestParameters)
}

// checkRequestParameters tells whether the request parameters of a method are what they may be. Their names must differ wherever in the request they are.
func checkRequestParameters(parameters map[string]bool) error {
	seen := map[string]bool{}
	for _, p := range sortedKeys(parameters) {
		rest, ok := strings.CutPrefix(p, "method.request.")
		kind, name, dotted := strings.Cut(rest, ".")
		name = strings.TrimPrefix(strings.TrimPrefix(name, "multivalueheader."), "multivaluequerystring.")
		if !ok || !dotted || name == "" || !slices.Contains([]string{"querystring", "header", "path", "multivaluequerystring", "multivalueheader"}, kind) {
			return badRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s]", p)
		}
		if seen[name] {
			return badRequest("Parameter names must be unique across querystring, header and path")
		}
		seen[name] = true
	}
	return nil
}

func (g *Gateway) getMethod(ctx context.Context, in *aws.GetMethodInput) (out *aws.GetMethodOutput, err error) {
	err = g.viewMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(m *aws.Method) error { out = m; return nil })
	return out, err
}

var methodPatches = patch.Table[aws.Method]{Wording: patch.Terse, Paths: []patch.Path[aws.Method]{
	{Pattern: "/authorizationType", Ops: "replace", Apply: patch.Text(func(m *aws.Method) **string { return &m.AuthorizationType })},
	{Pattern: "/authorizerId", Ops: "replace", Apply: patch.Text(func(m *aws.Method) **string { return &m.AuthorizerId })},
	{Pattern: "/apiKeyRequired", Ops: "replace", Apply: patch.Bool(func(m *aws.Method) **bool { return &m.ApiKeyRequired })},
	{Pattern: "/operationName", Ops: "replace", Apply: patch.Text(func(m *aws.Method) **string { return &m.OperationName })},
	{Pattern: "/requestValidatorId", Ops: "replace", Apply: patch.Text(func(m *aws.Method) **string { return &m.RequestValidatorId })},
	{Pattern: "/requestParameters/{}", Ops: "add,remove,replace", Apply: patch.Flags(func(m *aws.Method) *map[string]bool { return &m.RequestParameters }, "Invalid parameter name specified")},
	{Pattern: "/requestModels/{}", Ops: "add,remove,replace", Apply: patch.Map(func(m *aws.Method) *map[string]string { return &m.RequestModels }, "Content-Type specified was not found")},
	{Pattern: "/authorizationScopes", Ops: "add,remove,replace", Apply: patch.Set(func(m *aws.Method) *[]string { return &m.AuthorizationScopes })},
	{Pattern: "/authorizationScopes/{}", Ops: "add,remove,replace", Apply: patch.Set(func(m *aws.Method) *[]string { return &m.AuthorizationScopes })},
}}

func (g *Gateway) updateMethod(ctx context.Context, in *aws.UpdateMethodInput) (out *aws.UpdateMethodOutput, err error) {
	err = g.editMethod(ctx, in.RestApiId, in.ResourceId, in.HttpMethod, func(d *draft, m *aws.Method) error {
		if err := methodPatches.Apply(m, in.PatchOperations); err != nil {
			return err
		}
		out = m
		return checkMethod(d.tree, m)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *Gateway) deleteMethod(ctx context.Context, in *aws.DeleteMethodInput) (*aws.DeleteMethodOutput, error) {
	err := g.editResource(ctx, in.RestApiId, in.ResourceId, func(_ *draft, r *aws.Resource) error {
		if _, ok := r.ResourceMethods[in.HttpMethod]; !ok {
			return noMethod()
		}
		delete(r.ResourceMethods, in.HttpMethod)
		return nil
	})
	return &aws.DeleteMethodOutput{}, err
}
