package apigatewayv2

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/store"
)

// importer makes an API's configuration of a definition.
type importer struct {
	*document

	gateway *Gateway
	api     gatewayAPI
	// prefix goes before every path.
	prefix string
	// integrations and authorizers are the ids of what was made: by content, and by the names of security schemes.
	integrations, authorizers map[string]string
	warnings                  []string
}

// importing is what ImportApi and ReimportApi share.
type importing struct {
	body, basepath *string
	failOnWarnings *bool
}

// importDocument returns what a definition says, in a fixed order, or all that is wrong with it.
func (g *Gateway) importDocument(in importing) (*importer, error) {
	d, err := parseDocument(*in.body)
	if err != nil {
		return nil, err
	}
	m := &importer{document: d, gateway: g, api: gatewayAPI{Protocol: protocolHTTP}, integrations: map[string]string{}, authorizers: map[string]string{}}
	if err := m.base(value(in.basepath)); err != nil {
		return nil, err
	}
	m.api.Name, m.api.Description, m.api.Version, m.api.Tags = d.Info.Title, d.Info.Description, optional(d.Info.Version), d.tags()
	m.api.Config.CORS = d.CORS.cors()
	if err := checkCORS(m.api.Config.CORS); err != nil {
		return nil, err
	}
	if len(d.Servers) > 0 && d.Servers[0].Endpoint != nil {
		m.api.NoEndpoint = value(d.Servers[0].Endpoint.Disabled)
	}
	for _, name := range slices.Sorted(maps.Keys(d.Components.SecuritySchemes)) {
		if err := m.addAuthorizer(name); err != nil {
			return nil, err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			if err := m.addOperation(path, method); err != nil {
				return nil, err
			}
		}
	}
	if value(in.failOnWarnings) && len(m.warnings) > 0 {
		return nil, badRequest("Warnings found during import:\n\t%s", strings.Join(m.warnings, "\n\t"))
	}
	m.api.Warnings = m.warnings
	return m, nil
}

// roles are the roles that a configuration has API Gateway use.
func (c *config) roles() (all []*string) {
	for i := range c.Authorizers {
		all = append(all, c.Authorizers[i].AuthorizerCredentialsArn)
	}
	for i := range c.Integrations {
		all = append(all, c.Integrations[i].CredentialsArn)
	}
	return all
}

// base says what becomes of the path of the definition's server.
func (m *importer) base(mode string) error {
	base := m.basePath()
	switch mode {
	case "", "ignore":
		return nil
	case "prepend":
		m.prefix = base
		return nil
	case "split":
		if i := strings.Index(strings.TrimPrefix(base, "/"), "/"); i >= 0 {
			m.prefix = base[i+1:]
		}
		return nil
	}
	return badRequest("Invalid basepath %q: give ignore, prepend or split.", mode)
}

func (m *importer) warn(format string, args ...any) {
	m.warnings = append(m.warnings, fmt.Sprintf(format, args...))
}

// addAuthorizer makes the authorizer of a security scheme; a scheme without one is a warning when a route uses it.
func (m *importer) addAuthorizer(name string) error {
	e := m.Components.SecuritySchemes[name].Authorizer
	if e == nil {
		return nil
	}
	in := api.CreateAuthorizerInput{
		Name: name, AuthorizerType: strings.ToUpper(e.Type), AuthorizerUri: e.URI, AuthorizerCredentialsArn: e.Credentials,
		AuthorizerPayloadFormatVersion: versionText(e.PayloadVersion), AuthorizerResultTtlInSeconds: e.TTL, EnableSimpleResponses: e.SimpleResponses,
	}
	switch source := e.IdentitySource.(type) {
	case string:
		for part := range strings.SplitSeq(source, ",") {
			in.IdentitySource = append(in.IdentitySource, strings.TrimSpace(part))
		}
	case []any:
		for _, part := range source {
			in.IdentitySource = append(in.IdentitySource, fmt.Sprint(part))
		}
	}
	if e.JWT != nil {
		in.JwtConfiguration = &api.JWTConfiguration{Issuer: e.JWT.Issuer, Audience: e.JWT.Audience}
	}
	z, err := m.gateway.newAuthorizer(&m.api, &in)
	if err != nil {
		return fmt.Errorf("authorizer %s: %w", name, err)
	}
	m.api.Config.Authorizers = append(m.api.Config.Authorizers, *z)
	m.authorizers[name] = *z.AuthorizerId
	return nil
}

// addOperation makes the route of an operation, and its integration.
func (m *importer) addOperation(path, method string) error {
	routeKey := routeKeyOf(m.prefix+path, method)
	if path == defaultRoute || path == "/"+defaultRoute {
		routeKey = routeKeyOf(path, method)
	}
	if routeKey == "" {
		if strings.HasPrefix(method, "x-amazon-apigateway-") {
			m.warn("%s: the extension %s is not supported for HTTP APIs and was left out", path, method)
		}
		return nil // parameters, summary and other members of a path that are no methods
	}
	raw := m.Paths[path][method]
	var op pathOperation
	if err := json.Unmarshal(raw, &op); err != nil {
		return badRequest("Unable to parse API definition: %s %s: %v", method, path, err)
	}
	m.warnOfExtensions(routeKey, raw)
	in := api.CreateRouteInput{RouteKey: routeKey, OperationName: op.OperationID}
	if err := m.secure(&in, &op); err != nil {
		return fmt.Errorf("route %s: %w", routeKey, err)
	}
	if op.Integration != nil {
		id, err := m.addIntegration(op.Integration)
		if err != nil {
			return fmt.Errorf("route %s: %w", routeKey, err)
		}
		in.Target = ptr("integrations/" + id)
	} else {
		m.warn("%s has no x-amazon-apigateway-integration", routeKey)
	}
	r, err := m.gateway.newRoute(&m.api, &in)
	if err != nil {
		return err
	}
	m.api.Config.Routes = append(m.api.Config.Routes, *r)
	return nil
}

// warnOfExtensions warns of the extensions of an operation that only REST APIs have.
func (m *importer) warnOfExtensions(routeKey string, raw json.RawMessage) {
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if strings.HasPrefix(name, "x-amazon-apigateway-") && name != "x-amazon-apigateway-integration" && name != "x-amazon-apigateway-auth" {
			m.warn("%s: the extension %s is not supported for HTTP APIs and was left out", routeKey, name)
		}
	}
}

// secure sets who may use a route: what the operation says, or else the whole definition.
func (m *importer) secure(in *api.CreateRouteInput, op *pathOperation) error {
	if op.Auth != nil {
		switch strings.ToUpper(op.Auth.Type) {
		case authNone:
			return nil
		case authIAM:
			in.AuthorizationType = authIAM
			return nil
		}
		return badRequest("Invalid x-amazon-apigateway-auth type %q: give NONE or AWS_IAM.", op.Auth.Type)
	}
	security := op.Security
	if security == nil {
		security = m.Security
	}
	for _, requirement := range security {
		for _, name := range slices.Sorted(maps.Keys(requirement)) {
			id, ok := m.authorizers[name]
			if !ok {
				if name != authNone {
					m.warn("%s: the security scheme %s has no x-amazon-apigateway-authorizer and was left out", in.RouteKey, name)
				}
				continue
			}
			z, err := m.api.Config.authorizer(id)
			if err != nil {
				return err
			}
			in.AuthorizerId, in.AuthorizationType = ptr(id), authCustom
			if z.AuthorizerType == authorizerJWT {
				in.AuthorizationType, in.AuthorizationScopes = authJWT, requirement[name]
			}
			return nil
		}
	}
	return nil
}

// addIntegration makes the integration of an extension, unless an equal one was made already, and returns its id.
func (m *importer) addIntegration(e *integrationExtension) (string, error) {
	if e.Ref != "" {
		shared, ok := m.Components.Integrations[strings.TrimPrefix(e.Ref, "#/components/x-amazon-apigateway-integrations/")]
		if !ok || shared.Ref != "" {
			return "", badRequest("Unable to resolve the reference %s.", e.Ref)
		}
		e = &shared
	}
	content, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	if id := m.integrations[string(content)]; id != "" {
		return id, nil
	}
	in := api.CreateIntegrationInput{
		IntegrationType: strings.ToUpper(e.Type), Description: e.Description, IntegrationSubtype: e.Subtype, CredentialsArn: e.Credentials, IntegrationMethod: e.HTTPMethod,
		IntegrationUri: e.URI, ConnectionId: e.ConnectionID, ConnectionType: e.ConnectionType, RequestParameters: e.RequestParameters,
		ResponseParameters: e.ResponseParameters, PayloadFormatVersion: versionText(e.PayloadFormatVersion), TimeoutInMillis: e.TimeoutInMillis,
	}
	if in.IntegrationType == kindHTTPProxy && in.IntegrationMethod != nil && *in.IntegrationMethod == anyMethod {
		in.IntegrationMethod = ptr("ANY")
	}
	if in.IntegrationType == kindAWSProxy && e.Subtype == nil {
		in.IntegrationMethod = nil // a function is always invoked with POST
	}
	if e.PassthroughBehavior != "" || e.ContentHandling != "" {
		m.warn("passthroughBehavior and contentHandling are not supported for HTTP APIs and were left out")
	}
	if e.TLS != nil {
		in.TlsConfig = &api.TlsConfigInput{ServerNameToVerify: e.TLS.ServerName}
	}
	i, err := m.gateway.newIntegration(&m.api, &in)
	if err != nil {
		return "", err
	}
	m.api.Config.Integrations = append(m.api.Config.Integrations, *i)
	m.integrations[string(content)] = *i.IntegrationId
	return *i.IntegrationId, nil
}

func (g *Gateway) importAPI(ctx context.Context, in *api.ImportApiInput) (*api.ImportApiOutput, error) {
	m, err := g.importDocument(importing{&in.Body, in.Basepath, in.FailOnWarnings})
	if err == nil {
		err = g.mayPass(ctx, m.api.Config.roles()...)
	}
	if err != nil {
		return nil, err
	}
	if m.api.Name == "" {
		return nil, badRequest("The OpenAPI definition has no info.title, which names the API.")
	}
	if err := g.insert(ctx, &m.api, nil); err != nil {
		return nil, err
	}
	return (*api.ImportApiOutput)(g.view(&m.api)), nil
}

func (g *Gateway) reimportAPI(ctx context.Context, in *api.ReimportApiInput) (*api.ReimportApiOutput, error) {
	m, err := g.importDocument(importing{&in.Body, in.Basepath, in.FailOnWarnings})
	if err == nil {
		err = g.mayPass(ctx, m.api.Config.roles()...)
	}
	if err != nil {
		return nil, err
	}
	a, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *gatewayAPI) error {
		if a.webSocket() {
			return badRequest("Only HTTP APIs can be imported.")
		}
		if m.api.Name != "" {
			a.Name = m.api.Name
		}
		a.Description, a.Version, a.Warnings = m.api.Description, m.api.Version, m.api.Warnings
		if len(m.Servers) > 0 && m.Servers[0].Endpoint != nil {
			a.NoEndpoint = m.api.NoEndpoint
		}
		cors := a.Config.CORS
		if a.Config = m.api.Config; a.Config.CORS == nil {
			a.Config.CORS = cors
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return (*api.ReimportApiOutput)(g.view(&a)), nil
}
