package apigatewayv2

import (
	"context"
	"regexp"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/store"
)

// The types of authorizers.
const (
	authorizerJWT     = "JWT"
	authorizerRequest = "REQUEST"
)

const (
	// maxAuthorizers is AWS's quota for one API.
	maxAuthorizers = 10
	// defaultTTL and maxTTL are for how long the answer of a Lambda authorizer is kept, in seconds.
	defaultTTL = 300
	maxTTL     = 3600
)

// httpSource and messageSource are the identity sources of the two protocols
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html).
var (
	httpSource    = regexp.MustCompile(`^\$(request\.(header|querystring)\.[^\s.]+|context\.[A-Za-z.]+|stageVariables\.[A-Za-z0-9_]+)$`)
	messageSource = regexp.MustCompile(`^(route\.request\.(header|querystring)\.[^\s.]+|context\.[A-Za-z.]+|stageVariables\.[A-Za-z0-9_]+)$`)
)

// checkAuthorizer checks a whole authorizer and completes it.
func (a *gatewayAPI) checkAuthorizer(z *api.Authorizer) error {
	if slices.ContainsFunc(a.Config.Authorizers, func(o api.Authorizer) bool { return o.Name == z.Name && authorizerID(&o) != authorizerID(z) }) {
		return conflict("Authorizer with name %s already exists for this API", z.Name)
	}
	if z.AuthorizerType == authorizerJWT {
		return a.checkJWT(z)
	}
	if z.JwtConfiguration != nil {
		return badRequest("JwtConfiguration is supported only for JWT authorizers.")
	}
	if z.AuthorizerUri == nil {
		return badRequest("AuthorizerUri is required for REQUEST authorizers: the invocation path of a function.")
	}
	if _, err := functionOf(*z.AuthorizerUri); err != nil {
		return err
	}
	if z.IdentityValidationExpression != nil && *z.IdentityValidationExpression != "" {
		return badRequest("IdentityValidationExpression is not supported for REQUEST authorizers.")
	}
	source := httpSource
	if a.webSocket() {
		source = messageSource
	}
	for _, s := range z.IdentitySource {
		if !source.MatchString(s) {
			return badRequest("Invalid identity source %q for a %s API.", s, a.Protocol)
		}
	}
	if a.webSocket() {
		switch {
		case z.AuthorizerPayloadFormatVersion != nil:
			return badRequest("AuthorizerPayloadFormatVersion is supported only for HTTP APIs.")
		case value(z.EnableSimpleResponses):
			return badRequest("EnableSimpleResponses is supported only for HTTP APIs.")
		case value(z.AuthorizerResultTtlInSeconds) != 0:
			return badRequest("AuthorizerResultTtlInSeconds is supported only for HTTP APIs.")
		}
		return nil
	}
	return checkPayload(z)
}

// checkPayload checks what only Lambda authorizers of HTTP APIs have.
func checkPayload(z *api.Authorizer) error {
	version := value(z.AuthorizerPayloadFormatVersion)
	switch {
	case version != "1.0" && version != "2.0":
		return badRequest("AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizer: give 1.0 or 2.0.")
	case value(z.EnableSimpleResponses) && version == "1.0":
		return badRequest("EnableSimpleResponses needs AuthorizerPayloadFormatVersion 2.0.")
	}
	if z.AuthorizerResultTtlInSeconds == nil {
		z.AuthorizerResultTtlInSeconds = ptr(int32(0))
		if len(z.IdentitySource) > 0 {
			z.AuthorizerResultTtlInSeconds = ptr(int32(defaultTTL))
		}
	}
	if ttl := *z.AuthorizerResultTtlInSeconds; ttl < 0 || ttl > maxTTL {
		return badRequest("Invalid AuthorizerResultTtlInSeconds %d: give 0 to %d.", ttl, maxTTL)
	} else if ttl > 0 && len(z.IdentitySource) == 0 {
		return badRequest("IdentitySource is required when authorizer caching is enabled (AuthorizerResultTtlInSeconds > 0).")
	}
	if z.EnableSimpleResponses == nil {
		z.EnableSimpleResponses = ptr(false)
	}
	return nil
}

// checkJWT checks what only JWT authorizers have.
func (a *gatewayAPI) checkJWT(z *api.Authorizer) error {
	switch j := z.JwtConfiguration; {
	case a.webSocket():
		return badRequest("JWT authorizers are supported only for HTTP APIs.")
	case j == nil || value(j.Issuer) == "" || len(j.Audience) == 0:
		return badRequest("JwtConfiguration with Issuer and Audience is required for JWT authorizers.")
	case !strings.HasPrefix(*j.Issuer, "https://") && !strings.HasPrefix(*j.Issuer, "http://"):
		return badRequest("Invalid issuer: %s. Issuer must have a valid URL.", *j.Issuer)
	case len(z.IdentitySource) != 1 || !httpSource.MatchString(z.IdentitySource[0]):
		return badRequest("A JWT authorizer needs one IdentitySource, such as $request.header.Authorization.")
	case z.AuthorizerUri != nil || z.AuthorizerCredentialsArn != nil || z.AuthorizerPayloadFormatVersion != nil || value(z.EnableSimpleResponses) || z.AuthorizerResultTtlInSeconds != nil:
		return badRequest("AuthorizerUri, AuthorizerCredentialsArn, AuthorizerPayloadFormatVersion, EnableSimpleResponses and AuthorizerResultTtlInSeconds are for REQUEST authorizers.")
	}
	return nil
}

// newAuthorizer returns an authorizer with an id of its own, checked.
func (g *Gateway) newAuthorizer(a *gatewayAPI, in *api.CreateAuthorizerInput) (*api.Authorizer, error) {
	if len(a.Config.Authorizers) >= maxAuthorizers {
		return nil, badRequest("An API has at most %d authorizers.", maxAuthorizers)
	}
	id, err := g.newID(6)
	if err != nil {
		return nil, err
	}
	z := &api.Authorizer{AuthorizerId: ptr(id)}
	members.Copy(z, in)
	return z, a.checkAuthorizer(z)
}

func (g *Gateway) createAuthorizer(ctx context.Context, in *api.CreateAuthorizerInput) (*api.CreateAuthorizerOutput, error) {
	if err := g.mayPass(ctx, in.AuthorizerCredentialsArn); err != nil {
		return nil, err
	}
	out := &api.CreateAuthorizerOutput{}
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		z, err := g.newAuthorizer(a, in)
		if err != nil {
			return err
		}
		a.Config.Authorizers = append(a.Config.Authorizers, *z)
		members.Copy(out, z)
		return nil
	})
	return out, err
}

func (g *Gateway) getAuthorizer(ctx context.Context, in *api.GetAuthorizerInput) (*api.GetAuthorizerOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	z, err := a.Config.authorizer(in.AuthorizerId)
	if err != nil {
		return nil, err
	}
	out := &api.GetAuthorizerOutput{}
	members.Copy(out, z)
	return out, nil
}

func (g *Gateway) getAuthorizers(ctx context.Context, in *api.GetAuthorizersInput) (*api.GetAuthorizersOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	out := &api.GetAuthorizersOutput{}
	out.Items, out.NextToken, err = items(a.Config.Authorizers, paging{in.MaxResults, in.NextToken}, authorizerID, func(z *api.Authorizer) api.Authorizer { return *z })
	return out, err
}

func (g *Gateway) updateAuthorizer(ctx context.Context, in *api.UpdateAuthorizerInput) (*api.UpdateAuthorizerOutput, error) {
	if err := g.mayPass(ctx, in.AuthorizerCredentialsArn); err != nil {
		return nil, err
	}
	out := &api.UpdateAuthorizerOutput{}
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		z, err := a.Config.authorizer(in.AuthorizerId)
		if err != nil {
			return err
		}
		if in.AuthorizerType != "" && in.AuthorizerType != z.AuthorizerType {
			return badRequest("The type of an authorizer cannot be changed; create another one.")
		}
		changed := *z
		members.Copy(&changed, in)
		if err := a.checkAuthorizer(&changed); err != nil {
			return err
		}
		*z = changed
		members.Copy(out, z)
		return nil
	})
	return out, err
}

func (g *Gateway) deleteAuthorizer(ctx context.Context, in *api.DeleteAuthorizerInput) (*api.DeleteAuthorizerOutput, error) {
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) (err error) {
		for i := range a.Config.Routes {
			if r := &a.Config.Routes[i]; value(r.AuthorizerId) == in.AuthorizerId {
				return conflict("Cannot delete authorizer '%s', is referenced in route: %s", in.AuthorizerId, r.RouteKey)
			}
		}
		a.Config.Authorizers, err = without(a.Config.Authorizers, in.AuthorizerId, "Authorizer", authorizerID)
		return err
	})
	return &api.DeleteAuthorizerOutput{}, err
}
