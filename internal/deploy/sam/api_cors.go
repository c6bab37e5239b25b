package sam

import (
	"slices"
	"strings"
)

// addCORS gives each path a method that answers the preflight requests of browsers.
func (a *restAPI) addCORS() error {
	v := a.get("Cors")
	if !truthy(v) {
		return nil
	}
	if !truthy(a.body) {
		return a.needsBody("Cors", "")
	}
	given, _ := v.(*dict)
	if _, ok := text(v); ok || isIntrinsic(v) {
		given = dictOf("AllowOrigin", v)
	}
	if given == nil {
		return invalid(a.id, "Invalid value for 'Cors' property")
	}
	for k := range given.all() {
		if !slices.Contains([]string{"AllowMethods", "AllowHeaders", "AllowOrigin", "MaxAge", "AllowCredentials"}, k) {
			return invalid(a.id, "Invalid key '%s' for 'Cors' property.", k)
		}
	}
	if err := a.needsBody("Cors", "Cors configuration"); err != nil {
		return err
	}
	var origin any = "'*'"
	if given.has("AllowOrigin") {
		origin = given.get("AllowOrigin")
	}
	if given.get("AllowCredentials") == true && is(origin, "'*'") {
		return invalid(a.id, `Unable to add Cors configuration because 'AllowCredentials' can not be true when 'AllowOrigin' is "'*'" or not set`)
	}
	return a.edit(func(e *swagger) error {
		done := map[string]bool{}
		for path := range e.paths.all() {
			normal := path
			if path != "/" {
				normal = strings.TrimRight(path, "/")
			}
			if done[normal] {
				continue
			}
			done[normal] = true
			if err := a.addPreflight(e, path, origin, given); err != nil {
				return err
			}
		}
		return nil
	})
}

func (a *restAPI) addPreflight(e *swagger, path string, origin any, given *dict) error {
	items, err := e.pathItems(path)
	if err != nil {
		return err
	}
	methods := given.get("AllowMethods")
	for _, item := range items {
		if item.has("options") {
			continue
		}
		if !truthy(origin) {
			return invalid(a.id, "%v", invalidTemplate("Invalid input. Value for AllowedOrigins is required"))
		}
		if !truthy(methods) {
			methods = "'" + allowedMethods(item) + "'"
		}
		item.set("options", preflight(origin, methods, given))
	}
	return nil
}

// allowedMethods lists the methods of a path.
func allowedMethods(item *dict) string {
	methods := []string{"OPTIONS"}
	for k := range item.all() {
		methods = append(methods, strings.ToUpper(k))
	}
	if item.has(anyMethod) {
		methods = []string{"OPTIONS", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"}
	}
	slices.Sort(methods)
	return strings.Join(slices.Compact(methods), ",")
}

// preflight is a method that answers with CORS headers.
func preflight(origin, methods any, given *dict) *dict {
	parameters, headers := newHashed(), newHashed()
	add := func(header string, value any, typ string) {
		parameters.set("method.response.header.Access-Control-"+header, value)
		headers.set("Access-Control-"+header, dictOf("type", typ))
	}
	add("Allow-Origin", origin, "string")
	if v := given.get("AllowHeaders"); truthy(v) {
		add("Allow-Headers", v, "string")
	}
	add("Allow-Methods", methods, "string")
	if v := given.get("MaxAge"); v != nil {
		add("Max-Age", v, "integer")
	}
	if given.get("AllowCredentials") == true {
		add("Allow-Credentials", "'true'", "string")
	}
	return hashedOf(
		"summary", "CORS support",
		"consumes", []any{"application/json"},
		"produces", []any{"application/json"},
		keyIntegration, hashedOf(
			"type", "mock",
			"requestTemplates", dictOf("application/json", "{\n  \"statusCode\" : 200\n}\n"),
			"responses", hashedOf("default", hashedOf("statusCode", "200", "responseParameters", parameters, "responseTemplates", dictOf("application/json", "{}\n"))),
		),
		"responses", hashedOf("200", hashedOf("description", "Default response for CORS method", "headers", headers)),
	)
}
