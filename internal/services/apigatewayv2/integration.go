package apigatewayv2

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/members"
	"lambent.dev/lambent/internal/store"
)

// The kinds of integrations. HTTP APIs have the two proxies.
const (
	kindAWS       = "AWS"
	kindAWSProxy  = "AWS_PROXY"
	kindHTTP      = "HTTP"
	kindHTTPProxy = "HTTP_PROXY"
	kindMock      = "MOCK"
)

// The integration timeouts: the least, the longest and default of HTTP APIs, and that of WebSocket APIs, in milliseconds
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html).
const (
	minTimeoutMS       = 50
	defaultTimeoutMS   = 30_000
	webSocketTimeoutMS = 29_000
)

// functionOf returns the function ARN in an integration URI: the ARN itself, or API Gateway's invocation path around it.
func functionOf(uri string) (string, error) {
	if _, rest, ok := strings.Cut(uri, ":lambda:path/2015-03-31/functions/"); ok {
		uri = strings.TrimSuffix(rest, "/invocations")
	}
	if p := strings.Split(uri, ":"); len(p) < 7 || p[0] != "arn" || p[2] != "lambda" || p[5] != "function" || p[6] == "" {
		return "", badRequest("Invalid function ARN or invalid uri: %s", uri)
	}
	return uri, nil
}

// checkIntegration checks a whole integration against its API and completes it.
func (a *gatewayAPI) checkIntegration(i *integration) error {
	longest := int32(defaultTimeoutMS)
	if a.webSocket() {
		longest = webSocketTimeoutMS
	}
	if i.TimeoutInMillis == nil {
		i.TimeoutInMillis = ptr(longest)
	}
	if *i.TimeoutInMillis < minTimeoutMS || *i.TimeoutInMillis > longest {
		return badRequest("Invalid TimeoutInMillis %d: give %d to %d.", *i.TimeoutInMillis, minTimeoutMS, longest)
	}
	if err := i.checkConnection(a); err != nil {
		return err
	}
	if a.webSocket() {
		return i.checkWebSocket()
	}
	return i.checkHTTP()
}

// checkConnection checks how an integration is reached.
func (i *integration) checkConnection(a *gatewayAPI) error {
	if i.TlsConfig != nil && i.ConnectionType != "VPC_LINK" {
		return badRequest("TlsConfig is supported only for private integrations (ConnectionType VPC_LINK).")
	}
	if i.ConnectionType != "VPC_LINK" {
		if i.ConnectionId != nil {
			return badRequest("ConnectionId is for ConnectionType VPC_LINK.")
		}
		return nil
	}
	switch {
	case a.webSocket():
		return unsupported("CreateIntegration", "ConnectionType VPC_LINK of a WebSocket API (its links are those of REST APIs)")
	case i.IntegrationType != kindHTTPProxy:
		return badRequest("ConnectionType VPC_LINK is supported only for HTTP_PROXY integrations.")
	case i.ConnectionId == nil:
		return badRequest("ConnectionId is required for ConnectionType VPC_LINK: the id of a VPC link.")
	case strings.HasPrefix(value(i.IntegrationUri), "arn:"):
		return unsupported("CreateIntegration", "an IntegrationUri that is the ARN of a load balancer's listener or of a Cloud Map service, which Lambent does not have; give the http:// or https:// URL of the backend")
	}
	return nil
}

// checkHTTP checks what an integration of an HTTP API can have.
func (i *integration) checkHTTP() error {
	switch {
	case i.IntegrationType != kindAWSProxy && i.IntegrationType != kindHTTPProxy:
		return badRequest("Integration type %s is not supported for HTTP APIs: give AWS_PROXY or HTTP_PROXY.", i.IntegrationType)
	case len(i.RequestTemplates) > 0 || i.TemplateSelectionExpression != nil:
		return badRequest("RequestTemplates are supported only for WEBSOCKET APIs.")
	case i.PassthroughBehavior != "" || i.ContentHandlingStrategy != "":
		return badRequest("PassthroughBehavior and ContentHandlingStrategy are supported only for WEBSOCKET APIs.")
	case i.IntegrationSubtype != nil && i.IntegrationType != kindAWSProxy:
		return badRequest("IntegrationSubtype is supported only for AWS_PROXY integrations.")
	}
	if i.PayloadFormatVersion == nil {
		i.PayloadFormatVersion = ptr("1.0")
	}
	version := *i.PayloadFormatVersion
	if version != "1.0" && version != "2.0" {
		return badRequest("Invalid PayloadFormatVersion %q: give 1.0 or 2.0.", version)
	}
	switch {
	case i.IntegrationSubtype != nil:
		if err := i.checkSubtype(); err != nil {
			return err
		}
	case i.IntegrationType == kindAWSProxy:
		if err := i.checkFunction(slices.Concat(methods, []string{""})); err != nil {
			return err
		}
	default:
		if version != "1.0" {
			return badRequest("PayloadFormatVersion %s is not supported for HTTP_PROXY integrations: give 1.0.", version)
		}
		if err := i.checkBackend(slices.Concat(methods, []string{""})); err != nil {
			return err
		}
		if i.IntegrationMethod == nil {
			return badRequest("IntegrationMethod is required for HTTP_PROXY integrations.")
		}
	}
	return i.checkMappings()
}

// checkFunction checks the function of a Lambda proxy integration, and that its method is one of those allowed. A function is invoked with POST whatever it says.
func (i *integration) checkFunction(allowed []string) error {
	if i.IntegrationUri == nil {
		return badRequest("IntegrationUri is required for an AWS_PROXY integration.")
	}
	if _, err := functionOf(*i.IntegrationUri); err != nil {
		return err
	}
	if i.IntegrationMethod == nil {
		i.IntegrationMethod = ptr("POST")
	}
	if !slices.Contains(allowed, *i.IntegrationMethod) {
		return badRequest("Invalid IntegrationMethod %q: give one of %s.", *i.IntegrationMethod, strings.Join(allowed, ", "))
	}
	return nil
}

// checkBackend checks the URL and the method of an HTTP integration.
func (i *integration) checkBackend(allowed []string) error {
	u, err := url.Parse(strings.NewReplacer("{", "x", "}", "x", "$", "x").Replace(value(i.IntegrationUri)))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return badRequest("Invalid HTTP endpoint specified for URI %q: give a whole URL that begins with http:// or https://.", value(i.IntegrationUri))
	}
	if m := value(i.IntegrationMethod); !slices.Contains(allowed, m) {
		return badRequest("Invalid IntegrationMethod %q: give one of %s.", m, strings.Join(methods, ", "))
	}
	return nil
}

// checkWebSocket checks what an integration of a WebSocket API can have.
func (i *integration) checkWebSocket() error {
	switch {
	case i.IntegrationSubtype != nil:
		return badRequest("IntegrationSubtype is supported only for HTTP APIs.")
	case len(i.ResponseParameters) > 0:
		return badRequest("ResponseParameters of an integration are supported only for HTTP APIs; WEBSOCKET APIs have them in integration responses.")
	case i.PayloadFormatVersion != nil && *i.PayloadFormatVersion != "1.0":
		return badRequest("PayloadFormatVersion %s is not supported for WEBSOCKET APIs: give 1.0.", *i.PayloadFormatVersion)
	}
	i.PayloadFormatVersion = ptr("1.0")
	if i.PassthroughBehavior == "" {
		i.PassthroughBehavior = "WHEN_NO_MATCH"
	}
	for key := range i.RequestParameters {
		if !webSocketTarget.MatchString(key) {
			return badRequest("Invalid request parameter %q: give integration.request.header.<name>, integration.request.querystring.<name> or integration.request.path.<name>.", key)
		}
	}
	if err := checkTemplates(i.RequestTemplates); err != nil {
		return err
	}
	i.IntegrationResponseSelectionExpression = ptr("${integration.response.statuscode}")
	switch i.IntegrationType {
	case kindMock:
		return nil
	case kindHTTP, kindHTTPProxy:
		if i.IntegrationMethod == nil {
			i.IntegrationMethod = ptr("POST")
		}
		return i.checkBackend(methods)
	case kindAWSProxy:
		return i.checkFunction([]string{http.MethodPost})
	}
	if i.IntegrationMethod == nil {
		i.IntegrationMethod = ptr("POST")
	}
	i.IntegrationResponseSelectionExpression = ptr("${integration.response.body.errorMessage}")
	if !strings.HasPrefix(value(i.IntegrationUri), "arn:aws:apigateway:") {
		return badRequest("Invalid IntegrationUri %q: give arn:aws:apigateway:<region>:<service>:path|action/<service's own>.", value(i.IntegrationUri))
	}
	return nil
}

// newIntegration returns an integration with an id of its own, checked.
func (g *Gateway) newIntegration(a *gatewayAPI, in *api.CreateIntegrationInput) (*integration, error) {
	if len(a.Config.Integrations) >= maxIntegrations {
		return nil, badRequest("An API has at most %d integrations.", maxIntegrations)
	}
	id, err := g.newID(7)
	if err != nil {
		return nil, err
	}
	i := &integration{Integration: api.Integration{IntegrationId: ptr(id), ConnectionType: "INTERNET"}}
	members.Copy(&i.Integration, in)
	return i, a.checkIntegration(i)
}

// changeIntegration changes i, an integration of a. An empty value in a map takes its member away.
func (a *gatewayAPI) changeIntegration(i *integration, in *api.UpdateIntegrationInput) error {
	changed := *i
	if in.IntegrationType != "" && in.IntegrationType != i.IntegrationType {
		changed.IntegrationMethod, changed.IntegrationSubtype = nil, nil
	}
	members.Copy(&changed.Integration, in)
	changed.RequestParameters = merged(i.RequestParameters, in.RequestParameters)
	changed.RequestTemplates = merged(i.RequestTemplates, in.RequestTemplates)
	if in.ResponseParameters != nil {
		changed.ResponseParameters = map[string]map[string]string{}
		maps.Copy(changed.ResponseParameters, i.ResponseParameters)
		for status, m := range in.ResponseParameters {
			if changed.ResponseParameters[status] = merged(changed.ResponseParameters[status], m); len(changed.ResponseParameters[status]) == 0 {
				delete(changed.ResponseParameters, status)
			}
		}
	}
	if err := a.checkIntegration(&changed); err != nil {
		return err
	}
	*i = changed
	return nil
}

// merged returns old with the members of update, of which the empty ones take members away.
func merged(old, update map[string]string) map[string]string {
	if update == nil {
		return old
	}
	out := map[string]string{}
	for _, m := range []map[string]string{old, update} {
		for k, v := range m {
			if out[k] = v; v == "" {
				delete(out, k)
			}
		}
	}
	return out
}

func (g *Gateway) createIntegration(ctx context.Context, in *api.CreateIntegrationInput) (*api.CreateIntegrationOutput, error) {
	if err := g.mayPass(ctx, in.CredentialsArn); err != nil {
		return nil, err
	}
	out := &api.CreateIntegrationOutput{}
	_, err := g.change(ctx, in.ApiId, func(tx store.Txn, a *gatewayAPI) error {
		i, err := g.newIntegration(a, in)
		if err != nil {
			return err
		}
		if err := checkLink(tx, scopeOf(ctx), i); err != nil {
			return err
		}
		a.Config.Integrations = append(a.Config.Integrations, *i)
		members.Copy(out, &i.Integration)
		return nil
	})
	return out, err
}

func (g *Gateway) getIntegration(ctx context.Context, in *api.GetIntegrationInput) (*api.GetIntegrationOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	i, err := a.Config.integration(in.IntegrationId)
	if err != nil {
		return nil, err
	}
	out := &api.GetIntegrationOutput{}
	members.Copy(out, &i.Integration)
	return out, nil
}

func (g *Gateway) getIntegrations(ctx context.Context, in *api.GetIntegrationsInput) (*api.GetIntegrationsOutput, error) {
	a, err := g.read(ctx, in.ApiId)
	if err != nil {
		return nil, err
	}
	out := &api.GetIntegrationsOutput{}
	out.Items, out.NextToken, err = items(a.Config.Integrations, paging{in.MaxResults, in.NextToken}, integrationID, func(i *integration) api.Integration { return i.Integration })
	return out, err
}

func (g *Gateway) updateIntegration(ctx context.Context, in *api.UpdateIntegrationInput) (*api.UpdateIntegrationOutput, error) {
	if err := g.mayPass(ctx, in.CredentialsArn); err != nil {
		return nil, err
	}
	out := &api.UpdateIntegrationOutput{}
	_, err := g.change(ctx, in.ApiId, func(tx store.Txn, a *gatewayAPI) error {
		i, err := a.Config.integration(in.IntegrationId)
		if err != nil {
			return err
		}
		if err := a.changeIntegration(i, in); err != nil {
			return err
		}
		if err := checkLink(tx, scopeOf(ctx), i); err != nil {
			return err
		}
		members.Copy(out, &i.Integration)
		return nil
	})
	return out, err
}

func (g *Gateway) deleteIntegration(ctx context.Context, in *api.DeleteIntegrationInput) (*api.DeleteIntegrationOutput, error) {
	_, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) (err error) {
		for i := range a.Config.Routes {
			if r := &a.Config.Routes[i]; r.integration() == in.IntegrationId {
				return conflict("Cannot delete Integration '%s' due to it being referenced by a Route '%s'.", in.IntegrationId, routeID(r))
			}
		}
		if i, err := a.Config.integration(in.IntegrationId); err == nil && value(i.ApiGatewayManaged) {
			return errManaged("Integration", in.IntegrationId)
		}
		a.Config.Integrations, err = without(a.Config.Integrations, in.IntegrationId, "Integration", integrationID)
		return err
	})
	return &api.DeleteIntegrationOutput{}, err
}
