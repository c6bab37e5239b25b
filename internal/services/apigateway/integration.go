package apigateway

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/patch"
)

// The integration timeout of AWS in milliseconds, and the limits of what may be set. Regional APIs may have more than 29 s on AWS when the quota is raised, here always.
const (
	defaultTimeout = 29_000
	minTimeout     = 50
	maxTimeout     = 300_000
	// maxTemplate is the size of a mapping template in bytes.
	maxTemplate = 300 << 10
)

func noIntegration() error { return notFound("Invalid Integration identifier specified") }

// The values of passthroughBehavior.
var passthroughs = []string{"WHEN_NO_MATCH", "WHEN_NO_TEMPLATES", "NEVER"}

// serviceARN is the URI of an integration with an AWS service: arn:aws:apigateway:{region}:{service}:{path|action}/{…}.
var serviceARN = regexp.MustCompile(`^arn:[\w-]+:apigateway:([^:]+):([^:]+):(path|action)/.+$`)

// proxied is the path of what AWS_PROXY integrations may call.
var proxied = regexp.MustCompile(`^arn:[\w-]+:apigateway:[^:]+:(lambda:path/(/?2015-03-31/functions/.+/invocations|/?2021-11-15/functions/.+/response-streaming-invocations)|firehose:(path|action)/.*PutRecord.*)$`)

// hasVariable tells whether a text is known only when a request comes, because a stage variable is in it.
func hasVariable(s string) bool {
	return strings.Contains(s, "${stageVariables.") || strings.Contains(s, "$stageVariables.")
}

// completeIntegration fills in the defaults of an integration of a resource.
func completeIntegration(i *aws.Integration, resource string) {
	if i.PassthroughBehavior == nil {
		i.PassthroughBehavior = ptr("WHEN_NO_MATCH")
	}
	if i.TimeoutInMillis == nil {
		i.TimeoutInMillis = ptr(int32(defaultTimeout))
	}
	if i.CacheNamespace == nil || *i.CacheNamespace == "" {
		i.CacheNamespace = ptr(resource)
	}
	if i.CacheKeyParameters == nil {
		i.CacheKeyParameters = []string{}
	}
	if i.Type == aws.IntegrationTypeMock {
		i.HttpMethod, i.Uri, i.ConnectionType, i.ConnectionId = nil, nil, "", nil
	}
	if i.ConnectionType == "" && (i.Type == aws.IntegrationTypeHttp || i.Type == aws.IntegrationTypeHttpProxy) {
		i.ConnectionType = aws.ConnectionTypeInternet
	}
}

// checkIntegration validates an integration that has its defaults.
func checkIntegration(i *aws.Integration) error {
	if i.Type == aws.IntegrationTypeMock {
		return checkTemplates(i)
	}
	if text(i.HttpMethod) == "" {
		return badRequest("Enumeration value for HttpMethod must be non-empty")
	}
	if !slices.Contains(httpMethods, strings.ToUpper(*i.HttpMethod)) {
		return badRequest("Invalid HttpMethod specified. Valid options are %s", strings.Join(httpMethods, ","))
	}
	i.HttpMethod = ptr(strings.ToUpper(*i.HttpMethod))
	if err := checkURI(i.Type, text(i.Uri)); err != nil {
		return err
	}
	switch {
	case *i.TimeoutInMillis < minTimeout || *i.TimeoutInMillis > maxTimeout:
		return badRequest("Timeout should be between %d ms and %d ms", minTimeout, maxTimeout)
	case i.ConnectionType == aws.ConnectionTypeVpcLink && text(i.ConnectionId) == "":
		return badRequest("A connectionId is required for connectionType VPC_LINK")
	case i.ResponseTransferMode == aws.ResponseTransferModeStream && i.Type != aws.IntegrationTypeHttpProxy && i.Type != aws.IntegrationTypeAwsProxy:
		return badRequest("Response transfer mode STREAM is only supported for HTTP_PROXY and AWS_PROXY integrations.")
	}
	return checkTemplates(i)
}

func checkURI(kind, uri string) error {
	if kind == aws.IntegrationTypeHttp || kind == aws.IntegrationTypeHttpProxy {
		u, err := url.Parse(strings.NewReplacer("{", "x", "}", "x", "$", "x").Replace(uri))
		if err != nil || !hasVariable(uri) && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return badRequest("Invalid HTTP endpoint specified for URI")
		}
		return nil
	}
	switch {
	case !strings.HasPrefix(uri, "arn:"):
		return badRequest("Invalid ARN specified in the request")
	case !serviceARN.MatchString(uri):
		return badRequest("AWS ARN for integration must contain path or action")
	case kind == aws.IntegrationTypeAwsProxy && !(proxied.MatchString(uri) && (hasVariable(uri) || wellFormed(uri))):
		return badRequest("Integrations of type 'AWS_PROXY' currently only supports Lambda function and Firehose stream invocations.")
	}
	return nil
}

// wellFormed tells whether a URI that calls a function names one.
func wellFormed(uri string) bool {
	_, rest, ok := strings.Cut(uri, "/functions/")
	return !ok || strings.HasPrefix(rest, "arn:") && strings.Count(rest[:strings.LastIndexByte(rest, '/')], ":") >= 6
}

func checkTemplates(i *aws.Integration) error {
	if !slices.Contains(passthroughs, *i.PassthroughBehavior) {
		return badRequest("Invalid passthrough behavior specified. Valid options are %s", strings.Join(passthroughs, ","))
	}
	for _, contentType := range sortedKeys(i.RequestTemplates) {
		if len(i.RequestTemplates[contentType]) > maxTemplate {
			return badRequest("The mapping template for %s is %d bytes long; at most %d are accepted.", contentType, len(i.RequestTemplates[contentType]), maxTemplate)
		}
	}
	for _, p := range sortedKeys(i.RequestParameters) {
		if err := checkMapping(p, i.RequestParameters[p]); err != nil {
			return err
		}
	}
	return nil
}

var (
	integrationParameter = regexp.MustCompile(`^integration\.request\.(header|querystring|path|multivalueheader|multivaluequerystring)\..+$`)
	requestSource        = regexp.MustCompile(`^(method\.request\.(header|querystring|path|multivalueheader|multivaluequerystring)\..+|method\.request\.body(\..+|\[.*)?|context\..+|stageVariables\..+|'(.|\n)*')$`)
)

// checkMapping validates a mapping of a request's parts to those of the integration's request.
func checkMapping(to, from string) error {
	if !integrationParameter.MatchString(to) {
		return badRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s]", to)
	}
	if !requestSource.MatchString(from) {
		return badRequest("Invalid mapping expression specified: Validation Result: warnings : [], errors : [Invalid mapping expression specified: %s]", from)
	}
	return nil
}

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
		completeIntegration(&i, in.ResourceId)
		if err := checkIntegration(&i); err != nil {
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

// mayPass tells whether the caller may have API Gateway use a role. The credentials of the caller, arn:aws:iam::*:user/*, need no permission.
func (g *Gateway) mayPass(ctx context.Context, role *string) error {
	if g.options.Roles == nil || role == nil || !strings.Contains(*role, ":role/") || hasVariable(*role) {
		return nil
	}
	return g.options.Roles.CheckPassRole(ctx, *role, "apigateway.amazonaws.com")
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
	{Pattern: "/timeoutInMillis", Ops: "replace", Apply: patch.Int(func(i *aws.Integration) **int32 { return &i.TimeoutInMillis }, minTimeout, maxTimeout, fmt.Sprintf("Timeout should be between %d ms and %d ms", minTimeout, maxTimeout))},
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
		completeIntegration(i, in.ResourceId)
		return checkIntegration(i)
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
