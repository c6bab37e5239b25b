package openapi

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

// Export is what is written of a deployed API.
type Export struct {
	API  *api.RestAPI
	Tree *api.Tree
	// Stage is the stage that is exported, and Host where it is.
	Stage, Host string
	// Documentation is the stage's documentation version, or nil.
	Documentation *api.DocumentationVersion
	// V3 writes OpenAPI 3.0 instead of Swagger 2.0.
	V3 bool
	// Integrations, Authorizers, Gateway and Parts tell which extensions are written: integrations, authorizers, all that is API Gateway's but these two, and
	// the documentation parts.
	Integrations, Authorizers, Gateway, Parts bool
}

// Version is the version of the exported document: that of the API, or when the API was made.
func (e *Export) Version() string {
	if e.API.Version != nil && *e.API.Version != "" {
		return *e.API.Version
	}
	return e.API.Created.UTC().Format(time.RFC3339)
}

// JSON returns the document in JSON.
func (e *Export) JSON() ([]byte, error) {
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	w.SetIndent("", "  ")
	err := w.Encode(e.document())
	return b.Bytes(), err
}

// YAML returns the document in YAML.
func (e *Export) YAML() ([]byte, error) {
	var b bytes.Buffer
	w := yaml.NewEncoder(&b)
	w.SetIndent(2)
	if err := w.Encode(plain(e.document())); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

// plain returns a tree whose numbers are Go's.
func plain(v any) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for k, e := range v {
			out[k] = plain(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = plain(e)
		}
		return out
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
	}
	return v
}

func (e *Export) document() object {
	info := object{"title": e.API.Name, "version": e.Version()}
	put(info, "description", e.API.Description)
	doc := object{"info": info, "paths": e.paths()}
	schemas, schemes := e.schemas(), e.schemes()
	if e.V3 {
		doc["openapi"] = "3.0.1"
		doc["servers"] = []any{object{"url": "https://" + e.Host + "/{basePath}", "variables": object{"basePath": object{"default": e.Stage}}}}
		components := object{}
		if len(schemas) > 0 {
			components["schemas"] = schemas
		}
		if len(schemes) > 0 {
			components["securitySchemes"] = schemes
		}
		doc["components"] = components
	} else {
		doc["swagger"], doc["host"], doc["basePath"], doc["schemes"] = "2.0", e.Host, "/"+e.Stage, []any{"https"}
		if len(schemas) > 0 {
			doc["definitions"] = schemas
		}
		if len(schemes) > 0 {
			doc["securityDefinitions"] = schemes
		}
	}
	if e.Gateway {
		e.extensions(doc)
	}
	if e.Parts && e.Documentation != nil {
		doc["x-amazon-apigateway-documentation"] = e.documentation()
	}
	return doc
}

// put sets a member that is there.
func put(o object, name string, value *string) {
	if value != nil && *value != "" {
		o[name] = *value
	}
}

// extensions writes API Gateway's settings of the whole API.
func (e *Export) extensions(doc object) {
	t := e.Tree
	if len(t.BinaryMediaTypes) > 0 {
		doc["x-amazon-apigateway-binary-media-types"] = anys(t.BinaryMediaTypes)
	}
	if t.MinimumCompression != nil {
		doc["x-amazon-apigateway-minimum-compression-size"] = *t.MinimumCompression
	}
	if t.KeySource != "" && t.KeySource != aws.ApiKeySourceTypeHeader {
		doc["x-amazon-apigateway-api-key-source"] = t.KeySource
	}
	if t.Policy != "" {
		doc["x-amazon-apigateway-policy"] = parsed(t.Policy)
	}
	if e.API.SecurityPolicy != "" {
		doc["x-amazon-apigateway-security-policy"] = e.API.SecurityPolicy
	}
	if e.API.AccessMode != "" {
		doc["x-amazon-apigateway-endpoint-access-mode"] = e.API.AccessMode
	}
	if t.NoEndpoint || len(e.API.Endpoint.VpcEndpointIds) > 0 {
		endpoint := object{"disableExecuteApiEndpoint": t.NoEndpoint}
		if ids := e.API.Endpoint.VpcEndpointIds; len(ids) > 0 {
			endpoint["vpcEndpointIds"] = anys(ids)
		}
		if servers := list(doc["servers"]); len(servers) > 0 {
			doc = servers[0].(object) //nolint:forcetypeassert // it was made above
		}
		doc["x-amazon-apigateway-endpoint-configuration"] = endpoint
	}
	e.responses(doc)
	e.validators(doc)
}

func (e *Export) responses(doc object) {
	responses := object{}
	for kind, r := range e.Tree.Responses {
		o := object{}
		put(o, "statusCode", r.StatusCode)
		if len(r.ResponseParameters) > 0 {
			o["responseParameters"] = stringMap(r.ResponseParameters)
		}
		if len(r.ResponseTemplates) > 0 {
			o["responseTemplates"] = stringMap(r.ResponseTemplates)
		}
		responses[kind] = o
	}
	if len(responses) > 0 {
		doc["x-amazon-apigateway-gateway-responses"] = responses
	}
}

func (e *Export) validators(doc object) {
	validators := object{}
	for _, v := range e.Tree.Validators {
		validators[e.validatorName(v)] = object{"validateRequestBody": isTrue(v.ValidateRequestBody), "validateRequestParameters": isTrue(v.ValidateRequestParameters)}
	}
	if len(validators) > 0 {
		doc["x-amazon-apigateway-request-validators"] = validators
	}
}

// validatorName returns the name of a validator, or its id where it has none.
func (e *Export) validatorName(v *aws.RequestValidator) string {
	if v.Name != nil && *v.Name != "" {
		return *v.Name
	}
	return *v.Id
}

func isTrue(b *bool) bool { return b != nil && *b }

func anys(texts []string) []any {
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}

func stringMap(m map[string]string) object {
	out := make(object, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// parsed returns a text in JSON as what it holds, or as it is.
func parsed(document string) any {
	d := json.NewDecoder(strings.NewReader(document))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return document
	}
	return v
}

// modelURL is how the schema of a model names another one.
var modelURL = regexp.MustCompile(`/restapis/[^/]+/models/([a-zA-Z0-9]+)$`)

func (e *Export) reference(model string) object {
	if e.V3 {
		return object{"$ref": "#/components/schemas/" + model}
	}
	return object{"$ref": "#/definitions/" + model}
}

func (e *Export) schemas() object {
	out := object{}
	for name, m := range e.Tree.Models {
		if m.Schema == nil {
			continue
		}
		if schema, ok := parsed(*m.Schema).(object); ok {
			out[name] = e.relative(schema)
		}
	}
	return out
}

// relative returns a schema whose references are within the document.
func (e *Export) relative(v any) any {
	switch v := v.(type) {
	case object:
		if ref, ok := v["$ref"].(string); ok {
			if found := modelURL.FindStringSubmatch(ref); found != nil {
				return e.reference(found[1])
			}
		}
		out := make(object, len(v))
		for k, child := range v {
			out[k] = e.relative(child)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, child := range v {
			out[i] = e.relative(child)
		}
		return out
	}
	return v
}

// The names of the security schemes that are no authorizers.
const (
	keyScheme  = "api_key"
	signScheme = "sigv4"
)

func (e *Export) schemes() object {
	out := object{}
	for _, r := range e.Tree.Resources {
		for _, m := range r.ResourceMethods {
			if isTrue(m.ApiKeyRequired) {
				out[keyScheme] = object{"type": "apiKey", "name": "x-api-key", "in": "header"}
			}
			if m.AuthorizationType != nil && *m.AuthorizationType == "AWS_IAM" {
				out[signScheme] = object{"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "awsSigv4"}
			}
		}
	}
	for _, a := range e.Tree.Authorizers {
		out[*a.Name] = e.authorizer(a)
	}
	return out
}

func (e *Export) authorizer(a *aws.Authorizer) object {
	header, ok := "Unused", false
	if a.IdentitySource != nil && !strings.Contains(*a.IdentitySource, ",") {
		if header, ok = strings.CutPrefix(*a.IdentitySource, "method.request.header."); !ok {
			header = "Unused"
		}
	}
	o := object{"type": "apiKey", "name": header, "in": "header"}
	put(o, "x-amazon-apigateway-authtype", a.AuthType)
	if !e.Authorizers {
		return o
	}
	x := object{"type": strings.ToLower(a.Type)}
	put(x, "authorizerUri", a.AuthorizerUri)
	put(x, "authorizerCredentials", a.AuthorizerCredentials)
	put(x, "identityValidationExpression", a.IdentityValidationExpression)
	if !ok || a.Type == aws.AuthorizerTypeRequest {
		put(x, "identitySource", a.IdentitySource)
	}
	if a.AuthorizerResultTtlInSeconds != nil {
		x["authorizerResultTtlInSeconds"] = *a.AuthorizerResultTtlInSeconds
	}
	if len(a.ProviderARNs) > 0 {
		x["providerARNs"] = anys(a.ProviderARNs)
	}
	o["x-amazon-apigateway-authorizer"] = x
	return o
}

func (e *Export) documentation() object {
	parts := []any{}
	for _, p := range e.Documentation.Parts {
		l := object{"type": p.Location.Type}
		put(l, "path", p.Location.Path)
		put(l, "method", p.Location.Method)
		put(l, "statusCode", p.Location.StatusCode)
		put(l, "name", p.Location.Name)
		parts = append(parts, object{"location": l, "properties": parsed(p.Properties)})
	}
	return object{"version": e.Documentation.Version, "createdDate": e.Documentation.Created.UTC().Format(time.RFC3339), "documentationParts": parts}
}
