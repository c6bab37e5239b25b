package sam

import (
	"regexp"
	"strings"
)

const (
	defaultPath = "$default"
	keyCORS     = "x-amazon-apigateway-cors"
)

// openAPI is the definition of an HTTP API while SAM adds to it.
type openAPI struct {
	definition
	schemes, info *dict
	tags          any
}

// openOpenAPI begins to change a copy of a definition; [openAPI.close] returns what came of it.
func openOpenAPI(doc any) (*openAPI, error) {
	if !validOpenAPI(doc) {
		return nil, invalidDocument("Invalid OpenApi document. Invalid values or missing keys for 'openapi' or 'paths' in 'DefinitionBody'.")
	}
	d := doc.(*dict).clone()
	o := &openAPI{definition: definition{d, d.dict("paths")}, tags: []any{}}
	schemes, err := deepGet(d, "components", "securitySchemes")
	if err != nil {
		return nil, invalidDocument("Invalid OpenApi document: %v", err)
	}
	if o.schemes, _ = schemes.(*dict); o.schemes.len() == 0 {
		o.schemes = newHashed()
	}
	if o.info = d.dict("info"); o.info.len() == 0 {
		o.info = newHashed()
	}
	if truthy(d.get("tags")) {
		o.tags = d.get("tags")
	}
	return o, nil
}

func validOpenAPI(doc any) bool {
	d, _ := doc.(*dict)
	return d.dict("paths") != nil && truthy(d.get("openapi")) && isOpenAPI3(d.get("openapi"))
}

// close returns a copy of the definition with all that was added.
func (o *openAPI) close() *dict {
	o.doc.set("paths", o.paths)
	if truthy(o.tags) {
		o.doc.set("tags", o.tags)
	}
	if o.schemes.len() > 0 {
		if o.doc.dict("components").len() == 0 {
			o.doc.set("components", newHashed())
		}
		o.doc.dict("components").set("securitySchemes", o.schemes)
	}
	if o.info.len() > 0 {
		o.doc.set("info", o.info)
	}
	return o.doc.clone()
}

var functionARN = regexp.MustCompile(`([A-Za-z0-9]+\.Arn)`)

// isDefaultOf tells whether the default route invokes a function: permissions for other routes are not needed then.
func (o *openAPI) isDefaultOf(function string) (bool, error) {
	if has, err := o.integrated(defaultPath, anyMethod); !has || err != nil {
		return false, err
	}
	items, err := o.pathItems(defaultPath)
	if err != nil {
		return false, err
	}
	for _, item := range items {
		ops, err := operations(item.get(anyMethod), defaultPath, anyMethod)
		if err != nil {
			return false, err
		}
		for _, op := range ops {
			if op.has(keyIntegration) && op.dict.dict(keyIntegration) == nil {
				return false, invalidDocument("Value of '%s' must be a dictionary according to Swagger spec.", keyIntegration)
			}
			uri := op.dict.dict(keyIntegration).dict("uri")
			if uri == nil {
				return false, nil
			}
			all, err := branches(uri)
			if err != nil {
				return false, err
			}
			for _, v := range all {
				d, _ := v.(*dict)
				s, _ := text(d.get("Fn::Sub"))
				if m := functionARN.FindString(s); strings.TrimSuffix(m, ".Arn") != function || m == "" {
					return false, nil
				}
			}
		}
	}
	return true, nil
}

// integrate gives a method of a path its integration, unless it has one.
func (o *openAPI) integrate(path, method, uri, condition any) error {
	p, _ := text(path)
	m, _ := text(method)
	if has, err := o.integrated(p, m); has || err != nil {
		return err
	}
	if err := o.addPath(path, method); err != nil {
		return err
	}
	if truthy(condition) {
		uri = when(condition, uri, nil)
	}
	items, err := o.pathItems(p)
	if err != nil {
		return err
	}
	key := methodName(method)
	for _, item := range items {
		if item.get(key.text) == nil {
			item.put(key, newHashed())
		}
		op := item.dict(key.text)
		if op == nil {
			return invalidDocument("Definition of method '%s' for path '%s' should be a map.", key.text, p)
		}
		op.set(keyIntegration, hashedOf("type", "aws_proxy", "httpMethod", "POST", "payloadFormatVersion", "2.0", "uri", uri))
		if p == defaultPath && key.text == anyMethod {
			op.set("isDefaultRoute", true)
		}
		op.setDefault(name{"responses", false}, newHashed())
		if truthy(condition) {
			item.put(key, when(condition, op, nil))
		}
	}
	return nil
}

func (o *openAPI) addPathParameters(path, method string, parameters []string) error {
	return o.each(path, method, func(op operation) error {
		list, _ := op.get("parameters").([]any)
		for _, p := range parameters {
			var existing *dict
			for _, e := range list {
				if d, ok := e.(*dict); ok && existing == nil && is(d.get("name"), p) {
					existing = d
				}
			}
			if existing == nil {
				existing = hashedOf("name", unicode(p))
				list = append(list, existing)
			}
			existing.set("in", "path")
			existing.set("required", true)
		}
		op.set("parameters", list)
		return nil
	})
}

func (o *openAPI) setPayloadFormat(path, method string, version any) error {
	return o.each(path, method, func(op operation) error {
		if i := op.dict.dict(keyIntegration); i != nil {
			i.set("payloadFormatVersion", version)
		}
		return nil
	})
}

// setDefaultAuthorizer lets an authorizer decide about all methods of a path that say nothing else.
func (o *openAPI) setDefaultAuthorizer(path string, authorizer any, scopes []any) error {
	items, err := o.pathItems(path)
	if err != nil {
		return err
	}
	key, _ := nameOf(authorizer)
	for _, item := range items {
		for method, v := range item.all() {
			normal := normalMethod(method)
			if normal == "parameters" || normal == "options" {
				continue
			}
			if !item.has(normal) {
				return invalidDocument("Could not find %s in %s within DefinitionBody.", normal, path)
			}
			ops, err := operations(v, path, method)
			if err != nil {
				return err
			}
			for _, op := range ops {
				if op.integrated() && !truthy(op.get("security")) {
					requirement := newDict()
					requirement.put(key, scopes)
					op.set("security", []any{requirement})
				}
			}
		}
	}
	return nil
}

// setAuthorizer lets an authorizer decide about a method.
func (o *openAPI) setAuthorizer(path, method string, authorizer any, authorizers *dict, scopes any) error {
	key, _ := nameOf(authorizer)
	return o.each(path, method, func(op operation) error {
		requirement := newDict()
		requirement.put(key, []any{})
		if key.text != "NONE" && key.text != iamAuthorizer {
			v := authorizers.get(key.text)
			a, ok := v.(*dict)
			if !ok && authorizers.has(key.text) {
				return invalidDocument("Type of authorizer '%s' must be a dictionary", key.text)
			}
			own := a.get("AuthorizationScopes")
			if truthy(scopes) {
				own = scopes
			}
			if truthy(v) && truthy(own) {
				requirement.put(key, own)
			}
		}
		existing, err := securityOf(op, path, method)
		if err != nil {
			return err
		}
		op.set("security", append(append([]any{}, existing...), requirement))
		return nil
	})
}

func (o *openAPI) addTags(tags *dict) error {
	for _, k := range tags.names() {
		list, ok := o.tags.([]any)
		if !ok {
			return invalidDocument("Tags in OpenApi DefinitionBody needs to be a list. %s is a %s not a list.", python(o.tags), pythonType(o.tags))
		}
		found := false
		for _, e := range list {
			if d, isMap := e.(*dict); isMap && is(d.get("name"), k.text) && !found {
				d.set("x-amazon-apigateway-tag-value", tags.values[k.text])
				found = true
			}
		}
		if !found {
			o.tags = append(list, hashedOf("name", k.value(), "x-amazon-apigateway-tag-value", tags.values[k.text]))
		}
	}
	return nil
}

func (o *openAPI) disableEndpoint(v any) error {
	servers, ok := o.doc.get("servers").([]any)
	if !ok {
		servers = []any{newHashed()}
	}
	for _, e := range servers {
		server, ok := e.(*dict)
		if !ok {
			return invalidDocument("Value of 'servers' item must be a dictionary according to Swagger spec.")
		}
		endpoint := server.dict(keyEndpoint)
		if endpoint == nil {
			endpoint = newDict()
		}
		endpoint.set("disableExecuteApiEndpoint", v)
		server.set(keyEndpoint, endpoint)
	}
	o.doc.set("servers", servers)
	return nil
}
