package apigatewayv2

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/store"
)

// maxBody bounds an OpenAPI document, in bytes.
const maxBody = 6 << 20

// document is the part of an OpenAPI 3.0 definition that an HTTP API is made of. Schemas, responses and
// descriptions say nothing about routing and are skipped; an extension that would change behaviour is refused by name.
type document struct {
	OpenAPI string `json:"openapi"`
	Info    struct {
		Title       string  `json:"title"`
		Description *string `json:"description"`
		Version     string  `json:"version"`
	} `json:"info"`
	Tags []struct {
		Name  string  `json:"name"`
		Value *string `json:"x-amazon-apigateway-tag-value"`
	} `json:"tags"`
	Paths map[string]map[string]json.RawMessage `json:"paths"`
	CORS  *corsExtension                        `json:"x-amazon-apigateway-cors"`
}

type corsExtension struct {
	AllowOrigins     []string `json:"allowOrigins"`
	AllowMethods     []string `json:"allowMethods"`
	AllowHeaders     []string `json:"allowHeaders"`
	ExposeHeaders    []string `json:"exposeHeaders"`
	MaxAge           *int32   `json:"maxAge"`
	AllowCredentials *bool    `json:"allowCredentials"`
}

func (c *corsExtension) cors() *api.Cors {
	if c == nil {
		return nil
	}
	return &api.Cors{
		AllowCredentials: c.AllowCredentials, AllowHeaders: c.AllowHeaders, AllowMethods: c.AllowMethods, AllowOrigins: c.AllowOrigins,
		ExposeHeaders: c.ExposeHeaders, MaxAge: c.MaxAge,
	}
}

type pathOperation struct {
	OperationID *string               `json:"operationId"`
	Security    json.RawMessage       `json:"security"`
	Integration *integrationExtension `json:"x-amazon-apigateway-integration"`
}

type integrationExtension struct {
	Type                 string          `json:"type"`
	URI                  *string         `json:"uri"`
	HTTPMethod           string          `json:"httpMethod"`
	PayloadFormatVersion any             `json:"payloadFormatVersion"`
	TimeoutInMillis      *int32          `json:"timeoutInMillis"`
	ConnectionType       string          `json:"connectionType"`
	PassthroughBehavior  string          `json:"passthroughBehavior"`
	ContentHandling      string          `json:"contentHandling"`
	Credentials          *string         `json:"credentials"`
	ConnectionID         *string         `json:"connectionId"`
	Subtype              *string         `json:"integrationSubtype"`
	RequestParameters    json.RawMessage `json:"requestParameters"`
	ResponseParameters   json.RawMessage `json:"responseParameters"`
	TLSConfig            json.RawMessage `json:"tlsConfig"`
}

// parseDocument reads an OpenAPI definition in JSON or YAML.
func parseDocument(body string) (*document, error) {
	if len(body) > maxBody {
		return nil, badRequest("The OpenAPI definition is %d bytes long; at most %d are accepted.", len(body), maxBody)
	}
	raw := []byte(body)
	if !json.Valid(raw) {
		var tree any
		if err := yaml.Unmarshal(raw, &tree); err != nil {
			return nil, badRequest("Unable to parse API definition because of a malformed document: %v", err)
		}
		var err error
		if raw, err = json.Marshal(tree); err != nil {
			return nil, badRequest("Unable to parse API definition: %v", err)
		}
	}
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, badRequest("Unable to parse API definition: %v", err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.0") {
		return nil, badRequest("Unsupported OpenAPI version %q: HTTP APIs are imported from OpenAPI 3.0.", d.OpenAPI)
	}
	return &d, nil
}

// config returns the routes and integrations of a definition, in a fixed order and with ids made by newID.
func (d *document) config(newID func(n int) (string, error)) (config, error) {
	c := config{CORS: d.CORS.cors()}
	byURI := map[string]string{}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			if err := d.addOperation(&c, byURI, path, method, newID); err != nil {
				return c, err
			}
		}
	}
	if len(c.Routes) > maxRoutes {
		return c, badRequest("The definition has %d routes; an API has at most %d.", len(c.Routes), maxRoutes)
	}
	return c, nil
}

func (d *document) addOperation(c *config, byURI map[string]string, path, method string, newID func(n int) (string, error)) error {
	routeKey := routeKeyOf(path, method)
	if routeKey == "" {
		return nil // parameters, summary and other members of a path that are no methods
	}
	var op pathOperation
	if err := json.Unmarshal(d.Paths[path][method], &op); err != nil {
		return badRequest("Unable to parse API definition: %s %s: %v", method, path, err)
	}
	if s := string(op.Security); s != "" && s != "[]" && s != "null" && s != `[{"NONE":[]}]` {
		return service501("security of " + routeKey)
	}
	if err := checkRouteKey(routeKey); err != nil {
		return err
	}
	id, err := newID(7)
	if err != nil {
		return err
	}
	r := route{ID: id, Key: routeKey, OperationName: op.OperationID}
	if op.Integration != nil {
		i, err := op.Integration.integration()
		if err != nil {
			return fmt.Errorf("route %s: %w", routeKey, err)
		}
		shared := fmt.Sprintf("%s %d", i.URI, i.TimeoutMS)
		if r.Integration = byURI[shared]; r.Integration == "" {
			if i.ID, err = newID(7); err != nil {
				return err
			}
			r.Integration, byURI[shared] = i.ID, i.ID
			c.Integrations = append(c.Integrations, i)
		}
	}
	c.Routes = append(c.Routes, r)
	return nil
}

func service501(what string) error {
	no := refused{operation: "ImportApi"}
	no.when(true, what)
	return no.err
}

// routeKeyOf returns the route key of a path item's member, or "" when the member is no method.
func routeKeyOf(path, method string) string {
	if method == "x-amazon-apigateway-any-method" {
		if path == "/$default" || path == "$default" {
			return "$default"
		}
		return "ANY " + path
	}
	if m := strings.ToUpper(method); slices.Contains(methods, m) {
		return m + " " + path
	}
	return ""
}

func (e *integrationExtension) integration() (integration, error) {
	payload := fmt.Sprint(e.PayloadFormatVersion)
	switch payload {
	case "<nil>":
		payload = "1.0"
	case "2":
		payload = "2.0" // an unquoted 2.0 in YAML
	}
	var i integration
	p := proxy{
		kind: strings.ToUpper(e.Type), connection: e.ConnectionType, passthrough: e.PassthroughBehavior, content: e.ContentHandling,
		method: e.HTTPMethod, payload: payload, uri: e.URI, timeoutMS: e.TimeoutInMillis,
		others: e.ConnectionID != nil || e.Credentials != nil || e.Subtype != nil || len(e.RequestParameters) > 0 || len(e.ResponseParameters) > 0 || len(e.TLSConfig) > 0,
	}
	return i, p.check("ImportApi", &i)
}

// tags returns the tags that SAM writes into a definition.
func (d *document) tags() map[string]string {
	var out map[string]string
	for _, t := range d.Tags {
		if t.Value != nil {
			if out == nil {
				out = map[string]string{}
			}
			out[t.Name] = *t.Value
		}
	}
	return out
}

func (g *Gateway) importAPI(ctx context.Context, in *api.ImportApiInput) (*api.ImportApiOutput, error) {
	no := refused{operation: "ImportApi"}
	no.when(in.Basepath != nil && *in.Basepath != "ignore", "Basepath")
	if no.err != nil {
		return nil, no.err
	}
	d, err := parseDocument(in.Body)
	if err != nil {
		return nil, err
	}
	c, err := d.config(g.newID)
	if err != nil {
		return nil, err
	}
	if d.Info.Title == "" {
		return nil, badRequest("The OpenAPI definition has no info.title, which names the API.")
	}
	a := httpAPI{Name: d.Info.Title, Description: d.Info.Description, Version: optional(d.Info.Version), Tags: d.tags(), Config: c}
	if err := g.insert(ctx, &a); err != nil {
		return nil, err
	}
	return (*api.ImportApiOutput)(g.view(a)), nil
}

func (g *Gateway) reimportAPI(ctx context.Context, in *api.ReimportApiInput) (*api.ReimportApiOutput, error) {
	no := refused{operation: "ReimportApi"}
	no.when(in.Basepath != nil && *in.Basepath != "ignore", "Basepath")
	if no.err != nil {
		return nil, no.err
	}
	d, err := parseDocument(in.Body)
	if err != nil {
		return nil, err
	}
	c, err := d.config(g.newID)
	if err != nil {
		return nil, err
	}
	a, err := g.change(ctx, in.ApiId, func(_ store.Txn, a *httpAPI) error {
		if d.Info.Title != "" {
			a.Name = d.Info.Title
		}
		a.Description, a.Version = d.Info.Description, optional(d.Info.Version)
		cors := a.Config.CORS
		if a.Config = c; c.CORS == nil {
			a.Config.CORS = cors
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return (*api.ReimportApiOutput)(g.view(a)), nil
}
