package openapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

// Warnings are what an import left out, in sentences for people.
type Warnings []string

// Options say how a document is imported.
type Options struct {
	// APIID is the id of the API, which references between models contain.
	APIID string
	// BasePath is what becomes of the document's base path: ignore, prepend or split.
	BasePath string
	// NewID makes an id of n characters.
	NewID func(n int) (string, error)
}

// Result is what a document says of an API beside its tree.
type Result struct {
	Name                 string
	Description, Version *string
	Tags                 map[string]string
	// Parts are the documentation parts, without ids, and PartsVersion the version that the document gives them.
	Parts        []api.DocumentationPart
	PartsVersion string
	// VPCEndpoints are those of a private API.
	VPCEndpoints []string
	// SecurityPolicy and AccessMode are empty where the document says nothing.
	SecurityPolicy, AccessMode string
	Warnings                   Warnings
}

// Error is a document that cannot be imported. It holds every reason that was found.
type Error struct{ Reasons []string }

// Error lists the reasons, each on its line, as AWS does.
func (e *Error) Error() string {
	return "Errors found during import:\n\t" + strings.Join(e.Reasons, "\n\t")
}

// IsNoDocument tells that an error is about a body that is no OpenAPI document.
func IsNoDocument(err error) bool { return errors.Is(err, errDocument) }

// Readable tells whether a body is an OpenAPI document at all.
func Readable(body []byte) error {
	_, err := parse(body)
	return err
}

// importer walks a document.
type importer struct {
	*document

	options Options
	tree    *api.Tree
	// paths are the resources by their path.
	paths    map[string]*aws.Resource
	result   Result
	problems []string
	// models are the names of models by the names of their schemas.
	models map[string]string
	// schemes are the security schemes of the document.
	schemes map[string]scheme
	// validators are the ids of request validators by name.
	validators map[string]string
	prefix     string
}

// Import reads a document into tree. base, which may be nil, is a tree from which ids are taken for what has the same name or path.
func Import(body []byte, tree, base *api.Tree, o Options) (*Result, error) {
	d, err := parse(body)
	if err != nil {
		return nil, err
	}
	i := &importer{document: d, options: o, tree: tree, paths: map[string]*aws.Resource{}, models: map[string]string{}, schemes: map[string]scheme{}, validators: map[string]string{}}
	for _, r := range tree.Resources {
		i.paths[*r.Path] = r
	}
	i.prefix = i.basePath()
	if base == nil {
		base = tree
	}
	for _, step := range []func(base *api.Tree) error{i.info, i.settings, i.readModels, i.readValidators, i.readSecurity, i.readResponses, i.readPaths} {
		if err := step(base); err != nil {
			return nil, err
		}
	}
	i.readDocumentation(child(i.root, "x-amazon-apigateway-documentation"))
	i.unknown()
	if len(i.problems) > 0 {
		return nil, &Error{i.problems}
	}
	return &i.result, nil
}

func (i *importer) warn(format string, args ...any) {
	i.result.Warnings = append(i.result.Warnings, fmt.Sprintf(format, args...))
}

// maxProblems is how many errors an import lists.
const maxProblems = 50

func (i *importer) problem(format string, args ...any) {
	if len(i.problems) < maxProblems {
		i.problems = append(i.problems, fmt.Sprintf(format, args...))
	}
}

func (i *importer) info(*api.Tree) error {
	info := child(i.root, "info")
	i.result.Name, i.result.Description, i.result.Version = text(info["title"]), optional(text(info["description"])), optional(text(info["version"]))
	for _, t := range list(i.root["tags"]) {
		o, _ := t.(object)
		if v, ok := o["x-amazon-apigateway-tag-value"]; ok {
			if i.result.Tags == nil {
				i.result.Tags = map[string]string{}
			}
			i.result.Tags[text(o["name"])] = text(v)
		}
	}
	return nil
}

// settings reads what applies to the whole API.
func (i *importer) settings(*api.Tree) error {
	for _, m := range texts(i.root["x-amazon-apigateway-binary-media-types"]) {
		add := true
		for _, have := range i.tree.BinaryMediaTypes {
			add = add && have != m
		}
		if add {
			i.tree.BinaryMediaTypes = append(i.tree.BinaryMediaTypes, m)
		}
	}
	if v, ok := i.root["x-amazon-apigateway-minimum-compression-size"]; ok {
		if i.tree.MinimumCompression = number(v); i.tree.MinimumCompression == nil {
			i.problem("Invalid minimum compression size, must be between 0 and 10485760")
		}
	}
	if v := strings.ToUpper(text(i.root["x-amazon-apigateway-api-key-source"])); v != "" {
		if v != aws.ApiKeySourceTypeHeader && v != aws.ApiKeySourceTypeAuthorizer {
			i.problem("Invalid API key source %s: it must be HEADER or AUTHORIZER", v)
		}
		i.tree.KeySource = v
	}
	switch p := i.root["x-amazon-apigateway-policy"].(type) {
	case string:
		i.tree.Policy = p
	case object:
		b, err := json.Marshal(p)
		if err != nil {
			return err
		}
		i.tree.Policy = string(b)
	}
	i.result.SecurityPolicy, i.result.AccessMode = text(i.root["x-amazon-apigateway-security-policy"]), text(i.root["x-amazon-apigateway-endpoint-access-mode"])
	i.endpoint(child(i.root, "x-amazon-apigateway-endpoint-configuration"))
	for _, s := range list(i.root["servers"]) {
		server, _ := s.(object)
		i.endpoint(child(server, "x-amazon-apigateway-endpoint-configuration"))
	}
	return nil
}

func (i *importer) endpoint(o object) {
	if v, ok := o["disableExecuteApiEndpoint"]; ok {
		i.tree.NoEndpoint = flag(v)
	}
	i.result.VPCEndpoints = append(i.result.VPCEndpoints, texts(o["vpcEndpointIds"])...)
}

// variable is a variable of a server's URL.
var variable = regexp.MustCompile(`\{[^{}]*\}`)

// basePath returns what goes in front of all paths, "" or with a leading and without a trailing slash
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-import-api-basePath.html).
func (i *importer) basePath() string {
	base := text(i.root["basePath"])
	if servers := list(i.root["servers"]); i.v3 && len(servers) > 0 {
		server, _ := servers[0].(object)
		base = serverPath(server)
	}
	base = strings.Trim(base, "/")
	switch i.options.BasePath {
	case "prepend":
	case "split":
		_, base, _ = strings.Cut(base, "/")
	default:
		base = ""
	}
	if base == "" {
		return ""
	}
	return "/" + base
}

// serverPath returns the path of a server: the default of its variable basePath, or that of its URL.
func serverPath(server object) string {
	variables := child(server, "variables")
	if v := child(variables, "basePath"); v != nil {
		return text(v["default"])
	}
	url := text(server["url"])
	url = variable.ReplaceAllStringFunc(url, func(name string) string { return text(child(variables, strings.Trim(name, "{}"))["default"]) })
	if _, rest, ok := strings.Cut(url, "://"); ok {
		_, url, _ = strings.Cut(rest, "/")
	}
	return url
}

// readValidators reads the request validators.
func (i *importer) readValidators(base *api.Tree) error {
	for _, v := range i.tree.Validators {
		if v.Name != nil {
			i.validators[*v.Name] = *v.Id
		}
	}
	validators := child(i.root, "x-amazon-apigateway-request-validators")
	for _, name := range sorted(validators) {
		o := child(validators, name)
		id := i.validators[name]
		for _, v := range base.Validators {
			if id == "" && v.Name != nil && *v.Name == name {
				id = *v.Id
			}
		}
		if id == "" {
			var err error
			if id, err = i.options.NewID(6); err != nil {
				return err
			}
		}
		if i.tree.Validators == nil {
			i.tree.Validators = map[string]*aws.RequestValidator{}
		}
		i.tree.Validators[id] = &aws.RequestValidator{
			Id: ptr(id), Name: ptr(name), ValidateRequestBody: ptr(flag(o["validateRequestBody"])), ValidateRequestParameters: ptr(flag(o["validateRequestParameters"])),
		}
		i.validators[name] = id
	}
	return nil
}

// validator returns the id of the validator of an operation, or nil.
func (i *importer) validator(operation object) *string {
	name := text(i.root["x-amazon-apigateway-request-validator"])
	if v, ok := operation["x-amazon-apigateway-request-validator"]; ok {
		name = text(v)
	}
	if name == "" {
		return nil
	}
	id, ok := i.validators[name]
	if !ok {
		i.problem("Unable to find the request validator '%s'", name)
		return nil
	}
	return ptr(id)
}

// readResponses reads the gateway responses.
func (i *importer) readResponses(*api.Tree) error {
	responses := child(i.root, "x-amazon-apigateway-gateway-responses")
	for _, kind := range sorted(responses) {
		o := child(responses, kind)
		r := api.Builtin(kind)
		if !api.IsGatewayResponse(kind) {
			i.warn("Unknown gateway response type %s", kind)
			continue
		}
		if status := text(o["statusCode"]); status != "" {
			r.StatusCode = ptr(status)
		}
		if m := mapping(o["responseParameters"]); m != nil {
			r.ResponseParameters = m
		}
		if m := templates(o["responseTemplates"]); m != nil {
			r.ResponseTemplates = m
		}
		r.DefaultResponse = ptr(false)
		if i.tree.Responses == nil {
			i.tree.Responses = map[string]*aws.GatewayResponse{}
		}
		i.tree.Responses[kind] = r
	}
	return nil
}

// known are the extensions at the root of a document.
var known = map[string]bool{
	"x-amazon-apigateway-api-key-source": true, "x-amazon-apigateway-binary-media-types": true, "x-amazon-apigateway-documentation": true,
	"x-amazon-apigateway-endpoint-configuration": true, "x-amazon-apigateway-gateway-responses": true, "x-amazon-apigateway-importexport-version": true,
	"x-amazon-apigateway-minimum-compression-size": true, "x-amazon-apigateway-policy": true, "x-amazon-apigateway-request-validator": true,
	"x-amazon-apigateway-request-validators": true, "x-amazon-apigateway-security-policy": true, "x-amazon-apigateway-endpoint-access-mode": true,
}

// unknown warns of the extensions that mean nothing here. Those of other vendors are nobody's business.
func (i *importer) unknown() {
	for _, name := range sorted(i.root) {
		if strings.HasPrefix(name, "x-amazon-apigateway-") && !known[name] {
			i.warn("Unknown extension %s is ignored", name)
		}
	}
}
