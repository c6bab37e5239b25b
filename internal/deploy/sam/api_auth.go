package sam

import "slices"

// addAuth adds the authorizers, the need for API keys and the resource policy to the definition.
func (a *restAPI) addAuth() error {
	auth := a.properties.dict("Auth")
	if auth.len() == 0 {
		return nil
	}
	if !truthy(a.body) {
		return a.needsBody("Auth", "")
	}
	for k := range auth.all() {
		if !slices.Contains([]string{
			"Authorizers", "DefaultAuthorizer", "InvokeRole", "AddDefaultAuthorizerToCorsPreflight", "AddApiKeyRequiredToCorsPreflight", "ApiKeyRequired", "ResourcePolicy", "UsagePlan",
		}, k) {
			return invalid(a.id, "Invalid value for 'Auth' property")
		}
	}
	if err := a.needsBody("Auth", "Auth configuration"); err != nil {
		return err
	}
	if err := a.edit(func(e *swagger) error { return a.authorize(e, auth) }); err != nil {
		return err
	}
	return a.moveToComponents()
}

func (a *restAPI) authorize(e *swagger, auth *dict) error {
	preflight := func(k string) bool { return !auth.has(k) || truthy(auth.get(k)) }
	authorizers, err := authorizersOf(a.id, auth.get("Authorizers"), auth.get("DefaultAuthorizer"))
	if err != nil {
		return err
	}
	if authorizers.len() > 0 {
		if err := e.addAuthorizers(authorizers, a.partition()); err != nil {
			return err
		}
		if err := a.setDefaultAuthorizer(e, auth.get("DefaultAuthorizer"), authorizers, preflight("AddDefaultAuthorizerToCorsPreflight")); err != nil {
			return err
		}
	}
	if truthy(auth.get("ApiKeyRequired")) {
		if err := e.addAPIKeyScheme(); err != nil {
			return err
		}
		for path := range e.paths.all() {
			if err := e.setDefaultAPIKey(path, preflight("AddApiKeyRequiredToCorsPreflight")); err != nil {
				return err
			}
		}
	}
	if v := auth.get("ResourcePolicy"); truthy(v) {
		policy, ok := v.(*dict)
		if !ok {
			return invalidDocument("ResourcePolicy must be a map (ResourcePolicyStatement).")
		}
		for path := range e.paths.all() {
			if err := e.addResourcePolicy(policy, path, a.get("StageName")); err != nil {
				return err
			}
		}
		if custom := policy.get("CustomStatements"); truthy(custom) {
			e.addStatements(custom)
		}
	}
	return nil
}

func (a *restAPI) setDefaultAuthorizer(e *swagger, v any, authorizers *dict, preflight bool) error {
	if !truthy(v) {
		return nil
	}
	s, ok := text(v)
	if !ok {
		return invalid(a.id, "DefaultAuthorizer is not a string.")
	}
	if !authorizers.has(s) && s != iamAuthorizer {
		return invalid(a.id, "Unable to set DefaultAuthorizer because '%s' was not defined in 'Authorizers'.", s)
	}
	for path := range e.paths.all() {
		if err := e.setDefaultAuthorizer(path, v, authorizers, preflight); err != nil {
			return err
		}
	}
	return nil
}

// permissions let the API invoke the functions of its authorizers.
func (a *restAPI) permissions() ([]*resource, error) {
	auth := a.properties.dict("Auth")
	authorizers, err := authorizersOf(a.id, auth.get("Authorizers"), nil)
	if err != nil {
		return nil, err
	}
	var out []*resource
	for k, v := range authorizers.all() {
		given := v.(*authorizer).given
		if !truthy(given.get("FunctionArn")) || truthy(given.get("DisableFunctionDefaultPermissions")) {
			continue
		}
		out = append(out, authorizerPermission(a.source, a.id+k+"AuthorizerPermission", a.partition(), given.get("FunctionArn")))
	}
	return out, nil
}

// authorizerPermission lets an API invoke the function of an authorizer.
func authorizerPermission(s *source, id, partition string, function any) *resource {
	return s.beside("AWS::Lambda::Permission", id, dictOf("Action", "lambda:InvokeFunction", "FunctionName", function, "Principal", "apigateway.amazonaws.com",
		"SourceArn", sub(arn(partition, "execute-api", "${__ApiId__}/authorizers/*"), "__ApiId__", ref(s.id))))
}

func (s *swagger) schemes() (*dict, error) {
	if !truthy(s.security) {
		s.security = newHashed()
	}
	d, ok := s.security.(*dict)
	if !ok {
		return nil, invalidTemplate("securityDefinitions must be a dictionary.")
	}
	return d, nil
}

func (s *swagger) addAuthorizers(authorizers *dict, partition string) error {
	schemes, err := s.schemes()
	if err != nil {
		return err
	}
	for _, k := range authorizers.names() {
		d, err := authorizers.values[k.text].(*authorizer).definition(partition)
		if err != nil {
			return err
		}
		schemes.put(k, d)
	}
	return nil
}

func (s *swagger) addIAMScheme() error {
	schemes, err := s.schemes()
	if err != nil || schemes.has(iamAuthorizer) {
		return err
	}
	schemes.update(hashedOf(iamAuthorizer, hashedOf("x-amazon-apigateway-authtype", "awsSigv4", "type", "apiKey", "name", "Authorization", "in", "header")))
	return nil
}

func (s *swagger) addAPIKeyScheme() error {
	schemes, err := s.schemes()
	if err != nil || schemes.has("api_key") {
		return err
	}
	schemes.update(hashedOf("api_key", hashedOf("type", "apiKey", "name", "x-api-key", "in", "header")))
	return nil
}

// setSecurity writes the security requirements of an operation. Requirements of signatures need the scheme for them.
func (s *swagger) setSecurity(o operation, requirements []any) error {
	if len(requirements) == 0 {
		return nil
	}
	o.set("security", requirements)
	if first, ok := requirements[0].(*dict); ok && first.has(iamAuthorizer) {
		return s.addIAMScheme()
	}
	return nil
}

// partSecurity splits the requirements of an operation into those that name one of the given schemes, and the others.
func partSecurity(o operation, path string, schemes ...string) (of, others []any, err error) {
	list, err := securityOf(o, path, o.method)
	if err != nil {
		return nil, nil, err
	}
	for _, v := range list {
		d, ok := v.(*dict)
		if !ok {
			return nil, nil, invalidDocument("%s in Security for path %s method %s is not a valid dictionary.", python(v), path, o.method)
		}
		if slices.ContainsFunc(schemes, d.has) {
			of = append(of, d)
		} else {
			others = append(others, d)
		}
	}
	return of, others, nil
}

// setDefaultAuthorizer lets an authorizer decide about all methods of a path that name no other, and do not name NONE.
func (s *swagger) setDefaultAuthorizer(path string, byDefault any, authorizers *dict, preflight bool) error {
	ops, err := s.methods(path)
	if err != nil {
		return err
	}
	schemes := []string{iamAuthorizer}
	for k := range authorizers.all() {
		schemes = append(schemes, k)
	}
	key, _ := nameOf(byDefault)
	for _, o := range ops {
		if o.method == "options" && !preflight {
			continue
		}
		named, others, err := partSecurity(o, path, schemes...)
		if err != nil {
			return err
		}
		none := slices.IndexFunc(others, func(v any) bool { return v.(*dict).has("NONE") })
		switch {
		case none >= 0:
			others, named = slices.Delete(others, none, none+1), nil
		case len(named) == 0:
			scopes := []any{}
			if a, ok := authorizers.get(key.text).(*authorizer); ok {
				scopes = a.scopes()
			}
			requirement := newHashed()
			requirement.put(key, scopes)
			named = []any{requirement}
		}
		if err := s.setSecurity(o, append(others, named...)); err != nil {
			return err
		}
	}
	return nil
}

// setDefaultAPIKey makes an API key necessary for all methods of a path that do not refuse it.
func (s *swagger) setDefaultAPIKey(path string, preflight bool) error {
	ops, err := s.methods(path)
	if err != nil {
		return err
	}
	for _, o := range ops {
		keys, others, err := partSecurity(o, path, "api_key", "api_key_false")
		if err != nil {
			return err
		}
		list := slices.Clone(others)
		if !slices.ContainsFunc(keys, func(v any) bool { return v.(*dict).has("api_key_false") }) && (o.method != "options" || preflight) {
			list = append(list, hashedOf("api_key", []any{}))
		}
		if !equal(list, append([]any{}, asList(o.get("security"))...)) {
			o.set("security", list)
		}
	}
	return nil
}

func asList(v any) []any {
	list, _ := v.([]any)
	return list
}
