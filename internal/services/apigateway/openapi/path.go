package openapi

import (
	"regexp"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

// methods are the members of a path that are methods.
var methods = map[string]string{
	"get": "GET", "put": "PUT", "post": "POST", "delete": "DELETE", "patch": "PATCH", "options": "OPTIONS", "head": "HEAD", "x-amazon-apigateway-any-method": "ANY",
}

// readPaths makes the resources and their methods.
func (i *importer) readPaths(base *api.Tree) error {
	ids := map[string]string{}
	for _, r := range base.Resources {
		ids[*r.Path] = *r.Id
	}
	paths := child(i.root, "paths")
	for _, path := range sorted(paths) {
		if strings.HasPrefix(path, "x-") {
			continue
		}
		if !strings.HasPrefix(path, "/") {
			i.problem("Unable to create resource at path '%s': it must begin with a slash", path)
			continue
		}
		r, err := i.resource(ids, i.prefix+path)
		if err != nil {
			return err
		}
		if r != nil {
			i.readMethods(r, path, i.resolve(paths[path]))
		}
	}
	return nil
}

// resource returns the resource at a path, and makes what is missing of the path. It is nil when the path is not possible.
func (i *importer) resource(ids map[string]string, path string) (*aws.Resource, error) {
	at := i.tree.Root()
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		whole := strings.TrimSuffix(*at.Path, "/") + "/" + part
		if r := i.paths[whole]; r != nil {
			at = r
			continue
		}
		r := &aws.Resource{Path: ptr(whole)}
		if err := i.tree.Place(at, part, r); err != nil {
			i.problem("Unable to create resource at path '%s': %s", path, api.Message(err))
			return nil, nil
		}
		id := ids[whole]
		if id == "" {
			var err error
			if id, err = i.options.NewID(6); err != nil {
				return nil, err
			}
		}
		r.Id = ptr(id)
		i.tree.Resources[id], i.paths[whole] = r, r
		at = r
	}
	return at, nil
}

func (i *importer) readMethods(r *aws.Resource, path string, item object) {
	for _, name := range sorted(item) {
		method := methods[strings.ToLower(name)]
		operation, ok := item[name].(object)
		if method == "" || !ok {
			if name != "parameters" && name != "summary" && name != "description" && name != "servers" && (!strings.HasPrefix(name, "x-") || strings.HasPrefix(name, "x-amazon-apigateway-")) {
				i.warn("%s of the path %s is ignored", name, path)
			}
			continue
		}
		if r.ResourceMethods == nil {
			r.ResourceMethods = map[string]aws.Method{}
		}
		r.ResourceMethods[method] = i.method(method+" "+path, r, method, operation, list(item["parameters"]))
	}
}

// pathVariable is a variable of a path.
var pathVariable = regexp.MustCompile(`\{([^{}+]+)\+?\}`)

// method reads an operation. shared are the parameters of its path.
func (i *importer) method(where string, r *aws.Resource, method string, operation object, shared []any) aws.Method {
	m := aws.Method{
		HttpMethod: ptr(method), AuthorizationType: ptr("NONE"), ApiKeyRequired: ptr(false), OperationName: optional(text(operation["operationId"])), RequestValidatorId: i.validator(operation),
	}
	i.secure(where, operation, &m)
	parameters := map[string]bool{}
	for _, v := range pathVariable.FindAllStringSubmatch(*r.Path, -1) {
		parameters["method.request.path."+v[1]] = true
	}
	for _, p := range append(shared[:len(shared):len(shared)], list(operation["parameters"])...) {
		i.parameter(where, operation, i.resolve(p), parameters, &m)
	}
	if len(parameters) > 0 {
		m.RequestParameters = parameters
	}
	if body := i.resolve(operation["requestBody"]); body != nil {
		m.RequestModels = i.content(body)
	}
	responses := child(operation, "responses")
	for _, status := range sorted(responses) {
		i.methodResponse(where, status, operation, i.resolve(responses[status]), &m)
	}
	if extension := i.resolve(operation["x-amazon-apigateway-integration"]); extension != nil {
		i.checkTexts(*r.Path, method, child(extension, "requestParameters"))
		m.MethodIntegration = i.integration(where, *r.Id, extension)
	}
	return m
}

// content returns the models by content type of a body in OpenAPI 3.
func (i *importer) content(body object) map[string]string {
	content := child(body, "content")
	var out map[string]string
	for _, contentType := range sorted(content) {
		if name := i.model(child(content, contentType)["schema"]); name != "" {
			if out == nil {
				out = map[string]string{}
			}
			out[contentType] = name
		}
	}
	return out
}

// places are the places of parameters as API Gateway calls them.
var places = map[string]string{"query": "querystring", "header": "header", "path": "path"}

func (i *importer) parameter(where string, operation, p object, parameters map[string]bool, m *aws.Method) {
	in, name := text(p["in"]), text(p["name"])
	switch {
	case p == nil:
		i.warn("A parameter of %s leads to nothing in the document", where)
	case in == "body":
		if model := i.model(p["schema"]); model != "" {
			m.RequestModels = map[string]string{}
			for _, contentType := range i.mediaTypes(operation, "consumes") {
				m.RequestModels[contentType] = model
			}
		}
	case places[in] != "" && name != "":
		parameters["method.request."+places[in]+"."+name] = in == "path" || flag(p["required"])
	default:
		i.warn("The parameter %s of %s is ignored: API Gateway has no parameters in %q", name, where, in)
	}
}

// mediaTypes returns the media types of an operation in Swagger 2.0.
func (i *importer) mediaTypes(operation object, member string) []string {
	for _, o := range []object{operation, i.root} {
		if t := texts(o[member]); len(t) > 0 {
			return t
		}
	}
	return []string{"application/json"}
}

var anyStatus = regexp.MustCompile(`^[1-5]\d\d$`)

func (i *importer) methodResponse(where, status string, operation, o object, m *aws.Method) {
	if status == "default" {
		return // it documents the rest
	}
	if !anyStatus.MatchString(status) {
		i.warn("The response %s of %s is ignored: API Gateway has responses with a status only", status, where)
		return
	}
	r := aws.MethodResponse{StatusCode: ptr(status)}
	for name := range child(o, "headers") {
		if r.ResponseParameters == nil {
			r.ResponseParameters = map[string]bool{}
		}
		r.ResponseParameters["method.response.header."+name] = false
	}
	if i.v3 {
		r.ResponseModels = i.content(o)
	} else if model := i.model(o["schema"]); model != "" {
		r.ResponseModels = map[string]string{}
		for _, contentType := range i.mediaTypes(operation, "produces") {
			r.ResponseModels[contentType] = model
		}
	}
	if m.MethodResponses == nil {
		m.MethodResponses = map[string]aws.MethodResponse{}
	}
	m.MethodResponses[status] = r
}

// kinds are the types of integrations.
var kinds = map[string]bool{
	aws.IntegrationTypeAws: true, aws.IntegrationTypeAwsProxy: true, aws.IntegrationTypeHttp: true, aws.IntegrationTypeHttpProxy: true, aws.IntegrationTypeMock: true,
}

// integration reads an integration; the caller completes and checks it.
func (i *importer) integration(where, resource string, o object) *aws.Integration {
	n := &aws.Integration{
		Type: strings.ToUpper(text(o["type"])), HttpMethod: optional(text(o["httpMethod"])), Uri: optional(text(o["uri"])), ConnectionType: strings.ToUpper(text(o["connectionType"])),
		ConnectionId: optional(text(o["connectionId"])), Credentials: optional(text(o["credentials"])), RequestParameters: mapping(o["requestParameters"]),
		RequestTemplates: templates(o["requestTemplates"]), PassthroughBehavior: optional(strings.ToUpper(text(o["passthroughBehavior"]))),
		ContentHandling: strings.ToUpper(text(o["contentHandling"])), TimeoutInMillis: number(o["timeoutInMillis"]), CacheNamespace: optional(text(o["cacheNamespace"])),
		CacheKeyParameters: texts(o["cacheKeyParameters"]), ResponseTransferMode: strings.ToUpper(text(o["responseTransferMode"])), IntegrationTarget: optional(text(o["integrationTarget"])),
	}
	if !kinds[n.Type] {
		i.problem("Unable to put integration on %s: unknown integration type %q", where, text(o["type"]))
	}
	if tls := child(o, "tlsConfig"); tls != nil {
		n.TlsConfig = &aws.TlsConfig{InsecureSkipVerification: ptr(flag(tls["insecureSkipVerification"]))}
	}
	for _, unsupported := range []string{"integrationSubtype", "responseParameters"} {
		if _, ok := o[unsupported]; ok {
			i.warn("%s of the integration of %s is ignored: REST APIs have none", unsupported, where)
		}
	}
	responses := child(o, "responses")
	for _, pattern := range sorted(responses) {
		r := i.resolve(responses[pattern])
		status := text(r["statusCode"])
		if status == "" {
			i.problem("Unable to put integration response on %s: the response '%s' has no statusCode", where, pattern)
			continue
		}
		answer := aws.IntegrationResponse{
			StatusCode: ptr(status), ResponseParameters: mapping(r["responseParameters"]), ResponseTemplates: templates(r["responseTemplates"]), ContentHandling: strings.ToUpper(text(r["contentHandling"])),
		}
		if pattern != "default" {
			answer.SelectionPattern = ptr(pattern)
		}
		if n.IntegrationResponses == nil {
			n.IntegrationResponses = map[string]aws.IntegrationResponse{}
		}
		n.IntegrationResponses[status] = answer
	}
	i.finish(where, resource, n)
	return n
}

// checkTexts warns of request parameters that are no texts, and which are left out.
func (i *importer) checkTexts(resource, method string, parameters object) {
	for _, name := range sorted(parameters) {
		if _, ok := parameters[name].(string); !ok {
			i.warn("Invalid format for 'requestParameters'. Expected type string for property '%s' of resource '%s' and method '%s' but got '%s'", name, resource, method, text(parameters[name]))
		}
	}
}

// finish fills in the defaults of an integration and notes what is wrong with it.
func (i *importer) finish(where, resource string, n *aws.Integration) {
	api.CompleteIntegration(n, resource)
	if !kinds[n.Type] {
		return
	}
	if err := api.CheckIntegration(n); err != nil {
		i.problem("Unable to put integration on %s: %s", where, api.Message(err))
	}
}
