package sam

import (
	"slices"
	"strings"
)

const (
	keySecurity         = "securityDefinitions"
	keyPolicy           = "x-amazon-apigateway-policy"
	keyGatewayResponses = "x-amazon-apigateway-gateway-responses"
	keyValidators       = "x-amazon-apigateway-request-validators"
)

// swagger is the definition of a REST API while SAM adds to it.
type swagger struct {
	definition
	security any
	// responses are the gateway responses, policy is the resource policy, and models are the definitions of data.
	responses, policy, models any
}

// openSwagger begins to change a copy of a definition; [swagger.close] returns what came of it.
func openSwagger(doc any) (*swagger, error) {
	if !validSwagger(doc) {
		return nil, invalidDocument("Invalid Swagger document or the Swagger document is not explicitly defined in 'DefinitionBody'.")
	}
	d := doc.(*dict).clone()
	s := &swagger{definition: definition{d, d.dict("paths")}}
	or := func(v any) any {
		if truthy(v) {
			return v
		}
		return newHashed()
	}
	s.security, s.responses, s.policy = or(d.get(keySecurity)), or(d.get(keyGatewayResponses)), or(d.get(keyPolicy))
	s.models = newHashed()
	if d.has("definitions") {
		s.models = d.get("definitions")
	}
	for path := range s.paths.all() {
		if _, err := s.pathItems(path); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func validSwagger(doc any) bool {
	d, _ := doc.(*dict)
	if d.dict("paths") == nil {
		return false
	}
	return truthy(d.get("swagger")) || truthy(d.get("openapi")) && isOpenAPI3(d.get("openapi"))
}

// close returns a copy of the definition with all that was added.
func (s *swagger) close() *dict {
	s.doc.set("paths", s.paths)
	for _, part := range []struct {
		key string
		v   any
	}{{keySecurity, s.security}, {keyGatewayResponses, s.responses}, {"definitions", s.models}} {
		if truthy(part.v) {
			s.doc.set(part.key, part.v)
		}
	}
	return s.doc.clone()
}

// disableEndpoint says whether the API answers at its own host name.
func (s *swagger) disableEndpoint(v any) error {
	const key = "disableExecuteApiEndpoint"
	if !truthy(s.doc.get("openapi")) || !isOpenAPI3(s.doc.get("openapi")) {
		if err := deepSet(s.doc, keyEndpoint, key, v); err != nil {
			return invalidDocument("Invalid OpenAPI definition: %v.", err)
		}
		return nil
	}
	servers, ok := s.doc.get("servers").([]any)
	if !ok {
		servers = []any{newHashed()}
	}
	for i, server := range servers {
		if err := deepSet(server, keyEndpoint, key, v); err != nil {
			return invalidDocument("Invalid OpenAPI definition of 'servers[%d]': %v.", i, err)
		}
	}
	s.doc.set("servers", servers)
	return nil
}

// integrate gives a method of a path its integration, in all cases of the path. With a condition the method exists only if it holds.
func (s *swagger) integrate(path, method, condition any, integration func(o *dict)) error {
	if err := s.addPath(path, method); err != nil {
		return err
	}
	p, _ := text(path)
	items, err := s.pathItems(p)
	if err != nil {
		return err
	}
	key := methodName(method).text
	for _, item := range items {
		o, ok := item.get(key).(*dict)
		if !ok {
			return invalidDocument("Definition of method '%s' for path '%s' should be a map.", key, p)
		}
		integration(o)
		if truthy(condition) {
			item.set(key, when(condition, o, nil))
		}
	}
	return nil
}

// methods returns the operations of a path that have an integration.
func (s *swagger) methods(path string) ([]operation, error) {
	items, err := s.pathItems(path)
	if err != nil {
		return nil, err
	}
	var out []operation
	for _, item := range items {
		for method, v := range item.all() {
			if slices.Contains([]string{"summary", "description", "parameters"}, method) {
				continue
			}
			ops, err := operations(v, path, method)
			if err != nil {
				return nil, err
			}
			for _, o := range ops {
				if o.integrated() {
					out = append(out, o)
				}
			}
		}
	}
	return out, nil
}

// addValidator gives a method a validator of requests.
func (s *swagger) addValidator(path, method string, body, parameters bool) error {
	validator := "no-validation"
	switch {
	case body && parameters:
		validator = "body-and-params"
	case body:
		validator = "body-only"
	case parameters:
		validator = "params-only"
	}
	if !truthy(s.doc.get(keyValidators)) {
		s.doc.set(keyValidators, newHashed())
	}
	if validators := s.doc.dict(keyValidators); !truthy(validators.get(validator)) {
		validators.update(hashedOf(validator, hashedOf("validateRequestBody", body, "validateRequestParameters", parameters)))
	}
	return s.each(path, method, func(o operation) error {
		o.update(hashedOf("x-amazon-apigateway-request-validator", validator))
		return nil
	})
}

// addRequestModel says which model the body of requests follows.
func (s *swagger) addRequestModel(path, method string, model any, isRequired any) error {
	m, _ := text(model)
	m = strings.ToLower(m)
	return s.each(path, method, func(o operation) error {
		switch version := s.doc.get("openapi"); {
		case s.doc.get("swagger") != nil:
			list, _ := o.get("parameters").([]any)
			o.set("parameters", append(list, hashedOf("in", "body", "name", like(model, m), "schema", dictOf("$ref", "#/definitions/"+m), "required", isRequired)))
		case truthy(version) && isOpenAPI3(version):
			o.set("requestBody", dictOf("content", dictOf("application/json", dictOf("schema", dictOf("$ref", "#/components/schemas/"+m))), "required", isRequired))
		}
		return nil
	})
}

// requestParameter is a parameter of requests, by the name of the mapping: method.request.header.X.
type requestParameter struct {
	name              any
	required, caching any
}

func (s *swagger) addRequestParameters(path, method string, parameters []requestParameter) error {
	return s.each(path, method, func(o operation) error {
		list, _ := o.get("parameters").([]any)
		for _, p := range parameters {
			full, _ := text(p.name)
			in, key, _ := strings.Cut(strings.ReplaceAll(full, "method.request.", ""), ".")
			location := like(p.name, in)
			if in == "querystring" {
				location = "query"
			}
			list = append(list, hashedOf("in", location, "name", like(p.name, key), "required", p.required, "type", "string"))
			if truthy(p.caching) {
				i := o.dict.dict(keyIntegration)
				cached, _ := i.get("cacheKeyParameters").([]any)
				i.set("cacheKeyParameters", append(cached, p.name))
			}
		}
		o.set("parameters", list)
		return nil
	})
}

// addModels adds the models of the API.
func (s *swagger) addModels(models *dict) error {
	if !truthy(s.models) {
		s.models = newHashed()
	}
	to, ok := s.models.(*dict)
	if !ok {
		return invalidDocument("Value of definitions must be a dictionary according to Swagger spec.")
	}
	for _, k := range models.names() {
		model, _ := models.values[k.text].(*dict)
		if !truthy(model.get("type")) {
			return invalidDocument("'Models' schema is missing 'type'.")
		}
		to.put(name{strings.ToLower(k.text), k.unicode}, model)
	}
	return nil
}

// setBinaryMediaTypes writes the types of bodies that are binary; templates write ~1 where a type has a slash.
func (s *swagger) setBinaryMediaTypes(v any) {
	s.doc.set("x-amazon-apigateway-binary-media-types", withSlashes(v))
}

func withSlashes(v any) any {
	switch x := v.(type) {
	case *dict:
		out := newHashed()
		for k, e := range x.all() {
			out.put(name{strings.ReplaceAll(k, "~1", "/"), true}, withSlashes(e))
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = withSlashes(e)
		}
		return out
	}
	if s, ok := text(v); ok {
		return unicode(strings.ReplaceAll(s, "~1", "/"))
	}
	return v
}
