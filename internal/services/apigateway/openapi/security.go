package openapi

import (
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/services/apigateway/api"
)

// scheme is a security scheme: how a method is authorised that requires it.
type scheme struct {
	// kind is the authorization type; empty for a scheme that says nothing to API Gateway.
	kind string
	// authorizer is the id of its authorizer.
	authorizer string
	// key tells that an API key is required.
	key bool
}

func (d *document) securitySchemes() object {
	if d.v3 {
		return child(child(d.root, "components"), "securitySchemes")
	}
	return child(d.root, "securityDefinitions")
}

// readSecurity makes the authorizers.
func (i *importer) readSecurity(base *api.Tree) error {
	schemes := i.securitySchemes()
	for _, name := range sorted(schemes) {
		o := i.resolve(schemes[name])
		authType := text(o["x-amazon-apigateway-authtype"])
		extension := child(o, "x-amazon-apigateway-authorizer")
		switch {
		case extension != nil:
			s, err := i.authorizer(base, name, o, extension)
			if err != nil {
				return err
			}
			i.schemes[name] = s
		case strings.EqualFold(authType, "awsSigv4"):
			i.schemes[name] = scheme{kind: "AWS_IAM"}
		case text(o["type"]) == "apiKey" && strings.EqualFold(text(o["name"]), "x-api-key"):
			i.schemes[name] = scheme{key: true}
		default:
			i.schemes[name] = scheme{}
		}
	}
	return nil
}

// authorizer makes the authorizer of a scheme; one of that name keeps its id.
func (i *importer) authorizer(base *api.Tree, name string, o, extension object) (scheme, error) {
	a := &aws.Authorizer{
		Name: ptr(name), Type: strings.ToUpper(text(extension["type"])), ProviderARNs: texts(extension["providerARNs"]), AuthType: optional(text(o["x-amazon-apigateway-authtype"])),
		AuthorizerUri: optional(text(extension["authorizerUri"])), AuthorizerCredentials: optional(text(extension["authorizerCredentials"])),
		IdentitySource: optional(text(extension["identitySource"])), IdentityValidationExpression: optional(text(extension["identityValidationExpression"])),
		AuthorizerResultTtlInSeconds: number(extension["authorizerResultTtlInSeconds"]),
	}
	s := scheme{kind: "CUSTOM"}
	switch a.Type {
	case aws.AuthorizerTypeToken, aws.AuthorizerTypeRequest:
	case aws.AuthorizerTypeCognitoUserPools:
		s.kind = "COGNITO_USER_POOLS"
	default:
		i.problem("Unable to create authorizer '%s': its type is %q, and must be token, request or cognito_user_pools", name, text(extension["type"]))
	}
	if a.IdentitySource == nil && a.Type != aws.AuthorizerTypeRequest {
		header := text(o["name"])
		if header == "" {
			header = "Authorization"
		}
		a.IdentitySource = ptr("method.request.header." + header)
	}
	if a.AuthType == nil {
		a.AuthType = ptr(strings.ToLower(s.kind))
	}
	for _, t := range []*api.Tree{i.tree, base} {
		for _, old := range t.Authorizers {
			if a.Id == nil && *old.Name == name {
				a.Id = old.Id
			}
		}
	}
	if a.Id == nil {
		id, err := i.options.NewID(6)
		if err != nil {
			return s, err
		}
		a.Id = ptr(id)
	}
	if i.tree.Authorizers == nil {
		i.tree.Authorizers = map[string]*aws.Authorizer{}
	}
	i.tree.Authorizers[*a.Id] = a
	s.authorizer = *a.Id
	return s, nil
}

// secure sets how a method is authorised, by the requirements of its operation or those of the document.
func (i *importer) secure(where string, operation object, m *aws.Method) {
	requirements, own := operation["security"]
	if !own {
		requirements = i.root["security"]
	}
	for _, r := range list(requirements) {
		o, _ := r.(object)
		for _, name := range sorted(o) {
			s, ok := i.schemes[name]
			switch {
			case strings.EqualFold(name, "NONE"):
			case strings.EqualFold(name, "AWS_IAM") && !ok:
				m.AuthorizationType = ptr("AWS_IAM")
			case !ok:
				i.warn("The security scheme %s of %s is not defined", name, where)
			case s.key:
				m.ApiKeyRequired = ptr(true)
			case s.kind != "":
				m.AuthorizationType, m.AuthorizerId = ptr(s.kind), optional(s.authorizer)
				if scopes := texts(o[name]); s.kind == "COGNITO_USER_POOLS" {
					m.AuthorizationScopes = scopes
				}
			}
		}
	}
	if auth := child(operation, "x-amazon-apigateway-auth"); auth != nil {
		if kind := strings.ToUpper(text(auth["type"])); kind == "AWS_IAM" || kind == "NONE" {
			m.AuthorizationType, m.AuthorizerId, m.AuthorizationScopes = ptr(kind), nil, nil
		}
	}
	if v, ok := operation["x-amazon-apigateway-api-key-required"]; ok {
		m.ApiKeyRequired = ptr(flag(v))
	}
}
