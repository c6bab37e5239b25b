package sam

// moveToComponents turns what SAM writes as Swagger 2 into OpenAPI 3, if that is the version of the definition.
func (a *restAPI) moveToComponents() error {
	body, _ := a.body.(*dict)
	if body.get("swagger") != nil {
		return nil
	}
	version := a.get("OpenApiVersion")
	if own := body.get("openapi"); own != nil && (version == nil || a.NormalizeOpenAPI) {
		version = own
	}
	if !truthy(version) || !isOpenAPI3(version) {
		return nil
	}
	for _, move := range [][2]string{{keySecurity, "securitySchemes"}, {"definitions", "schemas"}} {
		v := body.get(move[0])
		if !truthy(v) {
			continue
		}
		components := body.dict("components")
		if components.len() == 0 {
			components = newHashed()
		}
		components.set(move[1], v)
		body.set("components", components)
		body.remove(move[0])
	}
	if !truthy(body.get("paths")) {
		return nil
	}
	paths := body.dict("paths")
	if paths == nil {
		return invalidDocument("Value of paths must be a dictionary according to Swagger spec.")
	}
	for path, v := range paths.all() {
		item, ok := v.(*dict)
		if !ok {
			return invalidDocument("Value of '%s' path must be a dictionary according to Swagger spec.", path)
		}
		if err := moveOptions(path, item.get("options")); err != nil {
			return err
		}
	}
	return nil
}

// moveOptions rewrites the method that answers preflight requests.
func moveOptions(path string, v any) error {
	if !truthy(v) {
		return nil
	}
	options, ok := v.(*dict)
	if !ok {
		return invalidDocument("Value of options method for path %s must be a dictionary according to Swagger spec.", path)
	}
	options.remove("produces")
	options.remove("consumes")
	headers, err := deepGet(options.get("responses"), "200", "headers")
	if err != nil {
		return invalidDocument("Invalid responses in options method for path %s: %v.", path, err)
	}
	if !truthy(headers) {
		return nil
	}
	all, ok := headers.(*dict)
	if !ok {
		return invalidDocument("Value of response's headers in options method for path %s must be a dictionary according to Swagger spec.", path)
	}
	for h, v := range all.all() {
		all.set(h, hashedOf("schema", v))
	}
	return nil
}
