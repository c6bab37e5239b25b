package sam

import (
	"regexp"
	"strings"
)

// Keys of definitions of APIs, see https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions.html.
const (
	keyIntegration = "x-amazon-apigateway-integration"
	anyMethod      = "x-amazon-apigateway-any-method"
	keyEndpoint    = "x-amazon-apigateway-endpoint-configuration"
	keyAuthorizer  = "x-amazon-apigateway-authorizer"
)

// definition is the definition of an API while SAM adds to it: the part that OpenAPI and Swagger have in common.
type definition struct {
	doc, paths *dict
}

var openAPI3 = regexp.MustCompile(`\A3(\.\d)(\.\d)?$`)

func isOpenAPI3(version any) bool { return openAPI3.MatchString(python(version)) }

// branches returns the values that a value may have: those of Fn::If, or itself.
func branches(v any) ([]any, error) {
	d, ok := v.(*dict)
	if !ok || !d.has("Fn::If") {
		return []any{v}, nil
	}
	list, ok := d.get("Fn::If").([]any)
	if !ok {
		return nil, invalidDocument("Value of Fn::If must be a list.")
	}
	var out []any
	for _, e := range list[min(1, len(list)):] {
		if !isNoValue(e) {
			out = append(out, e)
		}
	}
	return out, nil
}

// pathItems returns what a path has in all cases.
func (d *definition) pathItems(path string) ([]*dict, error) {
	all, err := branches(d.paths.get(path))
	if err != nil {
		return nil, err
	}
	out := make([]*dict, len(all))
	for i, v := range all {
		var ok bool
		if out[i], ok = v.(*dict); !ok {
			return nil, invalidDocument("Value of '%s' path must be a dictionary according to Swagger spec.", path)
		}
	}
	return out, nil
}

// operation is one method of a path.
type operation struct {
	method string
	*dict
}

// operations returns what a value of a method may be.
func operations(v any, path, method string) ([]operation, error) {
	all, err := branches(v)
	if err != nil {
		return nil, err
	}
	out := make([]operation, len(all))
	for i, e := range all {
		d, ok := e.(*dict)
		if !ok {
			return nil, invalidDocument("Definition of method '%s' for path '%s' should be a map.", method, path)
		}
		out[i] = operation{normalMethod(method), d}
	}
	return out, nil
}

func (o operation) integrated() bool { return truthy(o.get(keyIntegration)) }

// at returns what a path does for a method, as far as it has an integration.
func (d *definition) at(path, method string) ([]operation, error) {
	items, err := d.pathItems(path)
	if err != nil {
		return nil, err
	}
	var out []operation
	for _, item := range items {
		ops, err := operations(item.get(normalMethod(method)), path, method)
		if err != nil {
			return nil, err
		}
		for _, o := range ops {
			if o.integrated() {
				out = append(out, o)
			}
		}
	}
	return out, nil
}

// normalMethod is a method as a definition names it.
func normalMethod(method string) string {
	if method = strings.ToLower(method); method == "any" {
		return anyMethod
	}
	return method
}

// methodName is the key of a method; it keeps the mark of a text that it is not replaced for.
func methodName(method any) name {
	s, _ := text(method)
	n, _ := nameOf(like(method, normalMethod(s)))
	if n.text == anyMethod && strings.ToLower(s) == "any" {
		n.unicode = false
	}
	return n
}

func (d *definition) hasPath(path, method string) (bool, error) {
	if !d.paths.has(path) {
		return false, nil
	}
	all, err := branches(d.paths.get(path))
	if err != nil {
		return false, err
	}
	for _, v := range all {
		if item, ok := v.(*dict); method != "" && (!ok || !item.has(normalMethod(method))) {
			return false, nil
		}
	}
	return true, nil
}

// integrated tells whether a method of a path has an integration in all cases.
func (d *definition) integrated(path, method string) (bool, error) {
	if has, err := d.hasPath(path, method); !has || err != nil {
		return false, err
	}
	items, err := d.pathItems(path)
	if err != nil {
		return false, err
	}
	for _, item := range items {
		v, ok := item.get(normalMethod(method)).(*dict)
		if !ok {
			return false, nil
		}
		ops, err := operations(v, path, method)
		if err != nil {
			return false, err
		}
		some := false
		for _, o := range ops {
			some = some || o.integrated()
		}
		if !some {
			return false, nil
		}
	}
	return true, nil
}

// addPath adds a method to a path, without saying what it does.
func (d *definition) addPath(path, method any) error {
	key, _ := nameOf(path)
	item, ok := d.paths.setDefault(key, newHashed()).(*dict)
	if !ok {
		return invalidDocument("Value of '%s' path must be a dictionary according to Swagger spec.", key.text)
	}
	all, err := branches(item)
	if err != nil {
		return err
	}
	for _, v := range all {
		if item, ok := v.(*dict); ok {
			item.setDefault(methodName(method), newHashed())
		}
	}
	return nil
}

// makeConditional lets a path exist only if a condition holds.
func (d *definition) makeConditional(path string, condition any) {
	d.paths.set(path, when(condition, d.paths.get(path), nil))
}

func (d *definition) setTimeout(path, method string, timeout any) error {
	return d.each(path, method, func(o operation) error {
		if i := o.dict.dict(keyIntegration); i != nil {
			i.set("timeoutInMillis", timeout)
		}
		return nil
	})
}

// each calls f for what a path does for a method.
func (d *definition) each(path, method string, f func(o operation) error) error {
	ops, err := d.at(path, method)
	if err != nil {
		return err
	}
	for _, o := range ops {
		if err := f(o); err != nil {
			return err
		}
	}
	return nil
}

// securityOf returns the security requirements of an operation.
func securityOf(o operation, path, method string) ([]any, error) {
	list, ok := o.get("security").([]any)
	if !ok && o.has("security") {
		return nil, invalidDocument("Type of security for path %s method %s must be a list", path, method)
	}
	return list, nil
}

// deepGet follows keys through mappings. It fails with the path of what is no mapping.
func deepGet(v any, keys ...string) (any, error) {
	for i, k := range keys {
		if v == nil {
			return nil, nil
		}
		d, ok := v.(*dict)
		if !ok {
			return nil, mapError(strings.Join(keys[:i], "."))
		}
		v = d.get(k)
	}
	return v, nil
}

// mapError is the error about a value that should be a mapping, at a path.
type mapError string

func (e mapError) Error() string {
	if e == "" {
		return "It should be a map"
	}
	return "The value of '" + string(e) + "' should be a map"
}

// deepSet writes a value under two keys.
func deepSet(v any, first, second string, value any) error {
	d, ok := v.(*dict)
	if !ok {
		return mapError("")
	}
	inner, ok := d.setDefault(name{first, false}, newDict()).(*dict)
	if !ok {
		return mapError(first)
	}
	inner.set(second, value)
	return nil
}

var (
	pathVariable     = regexp.MustCompile(`{([a-zA-Z0-9._-]+|[a-zA-Z0-9._-]+\+|proxy\+)}`)
	httpPathVariable = regexp.MustCompile(`{([a-zA-Z0-9._-]+|proxy\+)}`)
)
