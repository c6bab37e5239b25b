package apigatewayv2

import (
	"context"
	"encoding/json"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// pathVariable is a variable of a path.
var pathVariable = regexp.MustCompile(`\{([^{}+]+)\+?\}`)

func (g *Gateway) exportAPI(ctx context.Context, in *api.ExportApiInput) (*api.ExportApiOutput, error) {
	switch {
	case in.Specification != "OAS30":
		return nil, badRequest("Invalid specification %q: give OAS30.", in.Specification)
	case in.OutputType != "JSON" && in.OutputType != "YAML":
		return nil, badRequest("Invalid outputType %q: give JSON or YAML.", in.OutputType)
	case in.ExportVersion != nil && *in.ExportVersion != "1.0":
		return nil, badRequest("Invalid exportVersion %q: give 1.0.", *in.ExportVersion)
	}
	a, err := g.exported(ctx, in)
	if err != nil {
		return nil, err
	}
	if a.webSocket() {
		return nil, badRequest("Only HTTP APIs can be exported.")
	}
	d, err := a.document(g.endpoint(&a), in.IncludeExtensions == nil || *in.IncludeExtensions)
	if err != nil {
		return nil, err
	}
	body, err := json.MarshalIndent(d, "", "  ")
	if err == nil && in.OutputType == "YAML" {
		var tree yaml.Node
		if err = yaml.Unmarshal(body, &tree); err == nil {
			block(&tree)
			body, err = yaml.Marshal(&tree)
		}
	}
	return &api.ExportApiOutput{Body: body}, err
}

// block has a tree that was read from JSON written in YAML's own style.
func block(n *yaml.Node) {
	n.Style = 0
	for _, c := range n.Content {
		block(c)
	}
}

// exported returns the API with the configuration that is wanted: that of a stage's deployment, or the newest.
func (g *Gateway) exported(ctx context.Context, in *api.ExportApiInput) (a gatewayAPI, err error) {
	s := scopeOf(ctx)
	err = g.deps.Store.View(ctx, func(r store.Reader) error {
		if a, err = load(r, s, in.ApiId); err != nil || in.StageName == nil {
			return err
		}
		st, err := loadStage(r, s, in.ApiId, *in.StageName)
		if err != nil || value(st.AutoDeploy) {
			return err
		}
		d, ok, err := record.Get[deployment](r, s.deployment(in.ApiId, value(st.DeploymentId)))
		if err == nil && !ok {
			err = badRequest("The stage %s has no deployment to export.", *in.StageName)
		}
		a.Config = d.Config
		return err
	})
	return a, err
}

// document describes the API in OpenAPI 3.0.
func (a *gatewayAPI) document(endpoint string, extensions bool) (*document, error) {
	d := &document{OpenAPI: "3.0.1", Paths: map[string]map[string]json.RawMessage{}}
	d.Info.Title, d.Info.Description, d.Info.Version = a.Name, a.Description, value(a.Version)
	if d.Info.Version == "" {
		d.Info.Version = a.Created.Format("2006-01-02 15:04:05 UTC")
	}
	d.Servers = []server{{URL: endpoint + "/{basePath}", Variables: map[string]serverVariable{"basePath": {}}}}
	for k, v := range a.Tags {
		if extensions {
			d.Tags = append(d.Tags, documentTag{k, ptr(v)})
		}
	}
	if extensions {
		d.Version = "1.0"
		if c := a.Config.CORS; c != nil {
			d.CORS = &corsExtension{c.AllowOrigins, c.AllowMethods, c.AllowHeaders, c.ExposeHeaders, c.MaxAge, c.AllowCredentials}
		}
	}
	for i := range a.Config.Authorizers {
		if d.Components.SecuritySchemes == nil {
			d.Components.SecuritySchemes = map[string]securityScheme{}
		}
		z := &a.Config.Authorizers[i]
		d.Components.SecuritySchemes[z.Name] = schemeOf(z, extensions)
	}
	for i := range a.Config.Routes {
		if err := a.describe(d, &a.Config.Routes[i], extensions); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// schemeOf describes an authorizer.
func schemeOf(z *api.Authorizer, extensions bool) securityScheme {
	s := securityScheme{Type: "apiKey", Name: "Unused", In: "header"}
	if z.AuthorizerType == authorizerJWT {
		s = securityScheme{Type: "oauth2", Flows: json.RawMessage("{}")}
	}
	if !extensions {
		return s
	}
	e := &authorizerExtension{
		Type: strings.ToLower(z.AuthorizerType), IdentitySource: strings.Join(z.IdentitySource, ","), URI: z.AuthorizerUri, Credentials: z.AuthorizerCredentialsArn,
		TTL: z.AuthorizerResultTtlInSeconds, SimpleResponses: z.EnableSimpleResponses,
	}
	if z.AuthorizerPayloadFormatVersion != nil {
		e.PayloadVersion = *z.AuthorizerPayloadFormatVersion
	}
	if j := z.JwtConfiguration; j != nil {
		e.JWT = &struct {
			Issuer   *string  `json:"issuer"`
			Audience []string `json:"audience"`
		}{j.Issuer, j.Audience}
	}
	s.Authorizer = e
	return s
}

// describe adds a route to a document.
func (a *gatewayAPI) describe(d *document, r *route, extensions bool) error {
	method, path, ok := strings.Cut(r.RouteKey, " ")
	if !ok {
		method, path = "ANY", "/"+defaultRoute
	}
	member := strings.ToLower(method)
	if method == "ANY" {
		member = anyMethod
	}
	op := pathOperation{OperationID: r.OperationName, Responses: json.RawMessage(`{"default":{"description":"Default response for ` + strings.ReplaceAll(r.RouteKey, `"`, "") + `"}}`)}
	for _, v := range pathVariable.FindAllStringSubmatch(path, -1) {
		op.Parameters = append(op.Parameters, pathParameter{Name: v[1], In: "path", Required: true, Schema: map[string]string{"type": "string"}})
	}
	switch {
	case r.AuthorizerId != nil:
		z, err := a.Config.authorizer(*r.AuthorizerId)
		if err != nil {
			return err
		}
		op.Security = []map[string][]string{{z.Name: append([]string{}, r.AuthorizationScopes...)}}
	case r.AuthorizationType == authIAM && extensions:
		op.Auth = &struct {
			Type string `json:"type"`
		}{authIAM}
	}
	if id := r.integration(); id != "" && extensions {
		i, err := a.Config.integration(id)
		if err != nil {
			return err
		}
		op.Integration = i.extension()
	}
	raw, err := json.Marshal(op)
	if err != nil {
		return err
	}
	if d.Paths[path] == nil {
		d.Paths[path] = map[string]json.RawMessage{}
	}
	d.Paths[path][member] = raw
	return nil
}

// extension describes an integration.
func (i *integration) extension() *integrationExtension {
	e := &integrationExtension{
		Type: strings.ToLower(i.IntegrationType), Description: i.Description, Subtype: i.IntegrationSubtype, Credentials: i.CredentialsArn, HTTPMethod: i.IntegrationMethod,
		URI: i.IntegrationUri, ConnectionID: i.ConnectionId, ConnectionType: i.ConnectionType, RequestParameters: i.RequestParameters,
		ResponseParameters: i.ResponseParameters, TimeoutInMillis: i.TimeoutInMillis,
	}
	if i.PayloadFormatVersion != nil {
		e.PayloadFormatVersion = *i.PayloadFormatVersion
	}
	if i.TlsConfig != nil {
		e.TLS = &struct {
			ServerName *string `json:"serverNameToVerify"`
		}{i.TlsConfig.ServerNameToVerify}
	}
	return e
}
