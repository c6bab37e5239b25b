package apigateway

import (
	"context"
	"regexp"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
	"lambent.dev/lambent/internal/services/apigateway/patch"
	"lambent.dev/lambent/internal/store"
)

// maxTTL is how long an authorizer's answers are cached at most, in seconds
// (https://docs.aws.amazon.com/apigateway/latest/api/API_CreateAuthorizer.html).
const maxTTL = 3600

var (
	authorizerURI  = regexp.MustCompile(`^arn:[\w-]+:apigateway:[^:]+:lambda:path/.+/functions/.+/invocations$`)
	userPool       = regexp.MustCompile(`^arn:[\w-]+:cognito-idp:[^:]*:[^:]*:userpool/.+$`)
	identitySource = regexp.MustCompile(`^(method\.request\.(header|querystring|multivalueheader|multivaluequerystring)\.[^,\s]+|context\.[^,\s]+|stageVariables\.[^,\s]+)$`)
)

func noAuthorizer() error { return notFound("Invalid Authorizer identifier specified") }

// checkAuthorizer validates an authorizer.
func checkAuthorizer(a *aws.Authorizer) error {
	if text(a.Name) == "" {
		return badRequest("Authorizer name must be non-empty")
	}
	if a.AuthorizerResultTtlInSeconds != nil && (*a.AuthorizerResultTtlInSeconds < 0 || *a.AuthorizerResultTtlInSeconds > maxTTL) {
		return badRequest("Authorizer result TTL must be between 0 and %d seconds", maxTTL)
	}
	if err := checkIdentity(a); err != nil {
		return err
	}
	if a.Type == aws.AuthorizerTypeCognitoUserPools {
		if len(a.ProviderARNs) == 0 {
			return badRequest("Invalid Provider ARN: an authorizer of type COGNITO_USER_POOLS needs the ARN of a user pool.")
		}
		for _, arn := range a.ProviderARNs {
			if !userPool.MatchString(arn) && !api.HasVariable(arn) {
				return badRequest("Invalid Provider ARN: %s", arn)
			}
		}
		return nil
	}
	if !authorizerURI.MatchString(text(a.AuthorizerUri)) {
		return badRequest("Invalid Authorizer URI: %s. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation.", text(a.AuthorizerUri))
	}
	return nil
}

// checkIdentity validates where an authorizer finds who calls.
func checkIdentity(a *aws.Authorizer) error {
	sources := strings.Split(text(a.IdentitySource), ",")
	cached := a.AuthorizerResultTtlInSeconds == nil || *a.AuthorizerResultTtlInSeconds > 0
	if text(a.IdentitySource) == "" {
		if a.Type == aws.AuthorizerTypeRequest && !cached {
			return nil
		}
		return badRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Identity source must be specified for this type of authorizer]")
	}
	for _, s := range sources {
		if !identitySource.MatchString(strings.TrimSpace(s)) {
			return badRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s]", strings.TrimSpace(s))
		}
	}
	if a.Type != aws.AuthorizerTypeRequest && (len(sources) > 1 || !strings.HasPrefix(sources[0], "method.request.header.")) {
		return badRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid identity source for a %s authorizer, which must be one request header: %s]", a.Type, *a.IdentitySource)
	}
	if a.IdentityValidationExpression != nil {
		if _, err := regexp.Compile(*a.IdentityValidationExpression); err != nil {
			return badRequest("Invalid identity validation expression specified: %v", err)
		}
	}
	return nil
}

// completeAuthorizer fills in the defaults of an authorizer.
func completeAuthorizer(a *aws.Authorizer) {
	if a.AuthType == nil {
		a.AuthType = ptr("custom")
		if a.Type == aws.AuthorizerTypeCognitoUserPools {
			a.AuthType = ptr("cognito_user_pools")
		}
	}
}

func (g *Gateway) createAuthorizer(ctx context.Context, in *aws.CreateAuthorizerInput) (*aws.CreateAuthorizerOutput, error) {
	a := aws.Authorizer{
		Name: ptr(in.Name), Type: in.Type, ProviderARNs: in.ProviderARNs, AuthType: in.AuthType, AuthorizerUri: in.AuthorizerUri, AuthorizerCredentials: in.AuthorizerCredentials,
		IdentitySource: in.IdentitySource, IdentityValidationExpression: in.IdentityValidationExpression, AuthorizerResultTtlInSeconds: in.AuthorizerResultTtlInSeconds,
	}
	completeAuthorizer(&a)
	if err := checkAuthorizer(&a); err != nil {
		return nil, err
	}
	if err := g.mayPass(ctx, a.AuthorizerCredentials); err != nil {
		return nil, err
	}
	err := g.edit(ctx, in.RestApiId, func(_ store.Txn, d *draft) error {
		id, err := g.idFor(ctx, 6)
		if err != nil {
			return err
		}
		for _, other := range d.tree.Authorizers {
			if *other.Name == in.Name && *other.Id != id {
				return badRequest("Authorizer name must be unique. Authorizer %s already exists in this RestApi.", in.Name)
			}
		}
		a.Id = ptr(id)
		if d.tree.Authorizers == nil {
			d.tree.Authorizers = map[string]*aws.Authorizer{}
		}
		d.tree.Authorizers[id] = &a
		return nil
	})
	if isNotFound(err) {
		return nil, conflict("Unable to complete operation due to concurrent modification. Please try again later.")
	}
	if err != nil {
		return nil, err
	}
	return &a, nil
}

func (g *Gateway) getAuthorizer(ctx context.Context, in *aws.GetAuthorizerInput) (out *aws.GetAuthorizerOutput, err error) {
	err = g.view(ctx, in.RestApiId, func(_ store.Reader, _ *api.RestAPI, t *api.Tree) error {
		var ok bool
		if out, ok = t.Authorizers[in.AuthorizerId]; !ok {
			return noAuthorizer()
		}
		return nil
	})
	return out, err
}

func (g *Gateway) getAuthorizers(ctx context.Context, in *aws.GetAuthorizersInput) (*aws.GetAuthorizersOutput, error) {
	out := &aws.GetAuthorizersOutput{}
	err := g.view(ctx, in.RestApiId, func(_ store.Reader, _ *api.RestAPI, t *api.Tree) (err error) {
		out.Items, out.Position, err = page(values(t.Authorizers), func(a *aws.Authorizer) string { return *a.Name + " " + *a.Id }, in.Position, in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

var authorizerPatches = patch.Table[aws.Authorizer]{Wording: patch.Terse, Paths: []patch.Path[aws.Authorizer]{
	{Pattern: "/name", Ops: "replace", Apply: patch.Text(func(a *aws.Authorizer) **string { return &a.Name })},
	{Pattern: "/type", Ops: "replace", Apply: func(a *aws.Authorizer, e patch.Edit) error {
		if !slices.Contains([]string{aws.AuthorizerTypeToken, aws.AuthorizerTypeRequest, aws.AuthorizerTypeCognitoUserPools}, e.Text()) {
			return badRequest("Invalid authorizer type specified. Valid options are TOKEN,REQUEST,COGNITO_USER_POOLS")
		}
		a.Type = e.Text()
		return nil
	}},
	{Pattern: "/authType", Ops: "replace", Apply: patch.Text(func(a *aws.Authorizer) **string { return &a.AuthType })},
	{Pattern: "/authorizerUri", Ops: "replace", Apply: patch.Text(func(a *aws.Authorizer) **string { return &a.AuthorizerUri })},
	{Pattern: "/authorizerCredentials", Ops: "replace,remove", Apply: patch.Text(func(a *aws.Authorizer) **string { return &a.AuthorizerCredentials })},
	{Pattern: "/authorizerResultTtlInSeconds", Ops: "replace", Apply: patch.Int(func(a *aws.Authorizer) **int32 { return &a.AuthorizerResultTtlInSeconds }, 0, maxTTL, "Authorizer result TTL must be between 0 and 3600 seconds")},
	{Pattern: "/identitySource", Ops: "replace", Apply: patch.Text(func(a *aws.Authorizer) **string { return &a.IdentitySource })},
	{Pattern: "/identityValidationExpression", Ops: "replace,remove", Apply: patch.Text(func(a *aws.Authorizer) **string { return &a.IdentityValidationExpression })},
	{Pattern: "/providerARNs", Ops: "add,remove", Apply: patch.Set(func(a *aws.Authorizer) *[]string { return &a.ProviderARNs })},
	{Pattern: "/providerARNs/{}", Ops: "add,remove", Apply: patch.Set(func(a *aws.Authorizer) *[]string { return &a.ProviderARNs })},
}}

func (g *Gateway) updateAuthorizer(ctx context.Context, in *aws.UpdateAuthorizerInput) (out *aws.UpdateAuthorizerOutput, err error) {
	for _, o := range in.PatchOperations {
		if text(o.Path) == "/authorizerCredentials" {
			if err := g.mayPass(ctx, o.Value); err != nil {
				return nil, err
			}
		}
	}
	err = g.edit(ctx, in.RestApiId, func(_ store.Txn, d *draft) error {
		a, ok := d.tree.Authorizers[in.AuthorizerId]
		if !ok {
			return noAuthorizer()
		}
		if err := authorizerPatches.Apply(a, in.PatchOperations); err != nil {
			return err
		}
		out = a
		return checkAuthorizer(a)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (g *Gateway) deleteAuthorizer(ctx context.Context, in *aws.DeleteAuthorizerInput) (*aws.DeleteAuthorizerOutput, error) {
	err := g.edit(ctx, in.RestApiId, func(_ store.Txn, d *draft) error {
		if _, ok := d.tree.Authorizers[in.AuthorizerId]; !ok {
			return noAuthorizer()
		}
		for _, r := range byPath(d.tree) {
			for method, m := range r.ResourceMethods {
				if text(m.AuthorizerId) == in.AuthorizerId {
					return conflict("Cannot delete authorizer '%s', is referenced in method: %s%s%s", in.AuthorizerId, *r.Path, slash(*r.Path)[:1], method)
				}
			}
		}
		delete(d.tree.Authorizers, in.AuthorizerId)
		return nil
	})
	return &aws.DeleteAuthorizerOutput{}, err
}
