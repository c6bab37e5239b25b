package openapi

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"unicode/utf16"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

func (e *Export) paths() object {
	out := object{}
	for _, r := range e.Tree.Resources {
		item := object{}
		for name, m := range r.ResourceMethods {
			if name == "ANY" {
				name = "x-amazon-apigateway-any-method"
			}
			item[strings.ToLower(name)] = e.operation(r, &m)
		}
		if len(item) > 0 {
			out[*r.Path] = item
		}
	}
	return out
}

func (e *Export) operation(r *aws.Resource, m *aws.Method) object {
	responses := e.methodResponses(m)
	if len(responses) == 0 { // an operation must have one
		responses["default"] = object{"description": "Default response for " + *m.HttpMethod + " " + *r.Path}
	}
	o := object{"responses": responses}
	put(o, "operationId", m.OperationName)
	if p := e.parameters(m); len(p) > 0 {
		o["parameters"] = p
	}
	if e.V3 {
		if len(m.RequestModels) > 0 {
			o["requestBody"] = object{"content": e.content(m.RequestModels), "required": true}
		}
	} else {
		if types := consumes(m); len(types) > 0 {
			o["consumes"] = anys(types)
		}
		if types := produces(m); len(types) > 0 {
			o["produces"] = anys(types)
		}
	}
	if s := e.security(m); len(s) > 0 {
		o["security"] = s
	}
	if m.RequestValidatorId != nil && e.Gateway {
		if v := e.Tree.Validators[*m.RequestValidatorId]; v != nil {
			o["x-amazon-apigateway-request-validator"] = e.validatorName(v)
		}
	}
	if m.MethodIntegration != nil && e.Integrations {
		o["x-amazon-apigateway-integration"] = integration(*r.Id, m.MethodIntegration)
	}
	return o
}

// consumes are the media types of a method's requests, and produces those of its answers.
func consumes(m *aws.Method) []string {
	types := map[string]bool{}
	for t := range m.RequestModels {
		types[t] = true
	}
	if m.MethodIntegration != nil {
		for t := range m.MethodIntegration.RequestTemplates {
			types[t] = true
		}
	}
	return sorted(types)
}

func produces(m *aws.Method) []string {
	types := map[string]bool{}
	for _, r := range m.MethodResponses {
		for t := range r.ResponseModels {
			types[t] = true
		}
	}
	if m.MethodIntegration != nil {
		for _, r := range m.MethodIntegration.IntegrationResponses {
			for t := range r.ResponseTemplates {
				types[t] = true
			}
		}
	}
	return sorted(types)
}

// parameters returns the parameters of a method, and in Swagger 2.0 its body.
func (e *Export) parameters(m *aws.Method) []any {
	var out []any
	for _, name := range hashed(m.RequestParameters) {
		place, rest, ok := strings.Cut(strings.TrimPrefix(name, "method.request."), ".")
		if !ok {
			continue
		}
		required := m.RequestParameters[name]
		p := object{"name": strings.TrimPrefix(strings.TrimPrefix(rest, "multivalueheader."), "multivaluequerystring."), "in": strings.TrimPrefix(place, "multivalue")}
		if strings.HasSuffix(place, "querystring") {
			p["in"] = "query"
		}
		if e.V3 {
			p["schema"] = object{"type": "string"}
			if required {
				p["required"] = true
			}
		} else {
			p["type"], p["required"] = "string", required
		}
		out = append(out, p)
	}
	if model := preferred(m.RequestModels); model != "" && !e.V3 {
		out = append(out, object{"in": "body", "name": model, "required": true, "schema": e.reference(model)})
	}
	return out
}

// hashed returns the keys of a map in the order in which AWS exports parameters: that of a hash table of Java, whose buckets are chosen by the low bits of the hash of a text.
func hashed[V any](m map[string]V) []string {
	buckets := uint32(16)
	for len(m)*4 > int(buckets)*3 {
		buckets *= 2
	}
	bucket := func(s string) uint32 {
		h := uint32(0)
		for _, unit := range utf16.Encode([]rune(s)) {
			h = 31*h + uint32(unit)
		}
		return (h ^ h>>16) % buckets
	}
	names := sorted(m)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(bucket(a), bucket(b)) })
	return names
}

// preferred returns the model for JSON, or else the first one.
func preferred(models map[string]string) string {
	if m, ok := models["application/json"]; ok {
		return m
	}
	for _, t := range sorted(models) {
		return models[t]
	}
	return ""
}

func (e *Export) content(models map[string]string) object {
	out := object{}
	for t, model := range models {
		out[t] = object{"schema": e.reference(model)}
	}
	return out
}

func (e *Export) methodResponses(m *aws.Method) object {
	out := object{}
	for status, r := range m.MethodResponses {
		o := object{"description": status + " response"}
		headers := object{}
		for name := range r.ResponseParameters {
			header, ok := strings.CutPrefix(name, "method.response.header.")
			if !ok {
				header = strings.TrimPrefix(name, "method.response.multivalueheader.")
			}
			if e.V3 {
				headers[header] = object{"schema": object{"type": "string"}}
			} else {
				headers[header] = object{"type": "string"}
			}
		}
		if len(headers) > 0 {
			o["headers"] = headers
		}
		if e.V3 {
			o["content"] = e.content(r.ResponseModels)
		} else if model := preferred(r.ResponseModels); model != "" {
			o["schema"] = e.reference(model)
		}
		out[status] = o
	}
	return out
}

func (e *Export) security(m *aws.Method) []any {
	required := object{}
	if isTrue(m.ApiKeyRequired) {
		required[keyScheme] = []any{}
	}
	if m.AuthorizationType != nil && *m.AuthorizationType == "AWS_IAM" {
		required[signScheme] = []any{}
	}
	if m.AuthorizerId != nil {
		if a := e.Tree.Authorizers[*m.AuthorizerId]; a != nil {
			required[*a.Name] = anys(m.AuthorizationScopes)
		}
	}
	var out []any
	for _, name := range slices.Sorted(maps.Keys(required)) {
		out = append(out, object{name: required[name]})
	}
	return out
}

// integration returns an integration as its extension; what is as it would be without is left out.
func integration(resource string, n *aws.Integration) object {
	o := object{"type": strings.ToLower(n.Type)}
	put(o, "httpMethod", n.HttpMethod)
	put(o, "uri", n.Uri)
	put(o, "credentials", n.Credentials)
	put(o, "integrationTarget", n.IntegrationTarget)
	if n.PassthroughBehavior != nil {
		o["passthroughBehavior"] = strings.ToLower(*n.PassthroughBehavior)
	}
	if n.ConnectionType == aws.ConnectionTypeVpcLink {
		o["connectionType"] = n.ConnectionType
		put(o, "connectionId", n.ConnectionId)
	}
	for name, value := range map[string]string{"contentHandling": n.ContentHandling, "responseTransferMode": n.ResponseTransferMode} {
		if value != "" {
			o[name] = value
		}
	}
	if n.TimeoutInMillis != nil && *n.TimeoutInMillis != api.DefaultTimeout {
		o["timeoutInMillis"] = *n.TimeoutInMillis
	}
	if n.CacheNamespace != nil && *n.CacheNamespace != resource {
		o["cacheNamespace"] = *n.CacheNamespace
	}
	if len(n.CacheKeyParameters) > 0 {
		o["cacheKeyParameters"] = anys(n.CacheKeyParameters)
	}
	if n.TlsConfig != nil {
		o["tlsConfig"] = object{"insecureSkipVerification": isTrue(n.TlsConfig.InsecureSkipVerification)}
	}
	for name, m := range map[string]map[string]string{"requestParameters": n.RequestParameters, "requestTemplates": n.RequestTemplates} {
		if len(m) > 0 {
			o[name] = stringMap(m)
		}
	}
	if responses := integrationResponses(n); len(responses) > 0 {
		o["responses"] = responses
	}
	return o
}

func integrationResponses(n *aws.Integration) object {
	out := object{}
	for status, r := range n.IntegrationResponses {
		o := object{"statusCode": status}
		if len(r.ResponseParameters) > 0 {
			o["responseParameters"] = stringMap(r.ResponseParameters)
		}
		if len(r.ResponseTemplates) > 0 {
			o["responseTemplates"] = stringMap(r.ResponseTemplates)
		}
		if r.ContentHandling != "" {
			o["contentHandling"] = r.ContentHandling
		}
		pattern := "default"
		if r.SelectionPattern != nil && *r.SelectionPattern != "" {
			pattern = *r.SelectionPattern
		}
		out[pattern] = o
	}
	return out
}
