package sam

import (
	"strconv"
	"strings"
)

const iamAuthorizer = "AWS_IAM"

// authorizer decides about calls of a REST API.
type authorizer struct {
	api, name string
	// given are the properties; nil is the authorizer that checks signatures.
	given *dict
}

// authorizersOf reads the authorizers of a REST API, in the order of the template. The one that checks signatures is among them if it is the default.
func authorizersOf(api string, config, byDefault any) (*dict, error) {
	out := newHashed()
	if is(byDefault, iamAuthorizer) {
		key, _ := nameOf(byDefault)
		out.put(key, &authorizer{api: api, name: iamAuthorizer})
	}
	if !truthy(config) {
		return out, nil
	}
	all, err := inResource(api, "Auth.Authorizers").dict(config)
	if err != nil {
		return nil, err
	}
	for _, k := range all.names() {
		given, err := inResource(api, "Auth.Authorizers."+k.text).dict(all.values[k.text])
		if err != nil {
			return nil, err
		}
		a := &authorizer{api, k.text, given}
		if err := a.check(); err != nil {
			return nil, err
		}
		out.put(k, a)
	}
	return out, nil
}

func (a *authorizer) check() error {
	payload := a.given.get("FunctionPayloadType")
	if payload != nil && !is(payload, "TOKEN", "REQUEST") {
		return invalid(a.api, "%s Authorizer has invalid 'FunctionPayloadType': %s.", a.name, python(payload))
	}
	if is(payload, "REQUEST") {
		missing, err := a.lacksSource()
		if err != nil {
			return err
		}
		if missing {
			return invalid(a.api, "%s Authorizer must specify Identity with at least one of Headers, QueryStrings, StageVariables, or Context.", a.name)
		}
	}
	if v := a.given.get("AuthorizationScopes"); v != nil {
		if _, err := inResource(a.api, "Authorizers."+a.name+".AuthorizationScopes").list(v); err != nil {
			return err
		}
	}
	if v := a.given.get("DisableFunctionDefaultPermissions"); v != nil {
		return inResource(a.api, "Authorizers."+a.name+".DisableFunctionDefaultPermissions").bool(v)
	}
	return nil
}

// lacksSource tells whether an authorizer of requests has nothing to tell callers apart by. One whose answers are not kept needs nothing.
func (a *authorizer) lacksSource() (bool, error) {
	if !truthy(a.given.get("Identity")) {
		return true, nil
	}
	identity, err := inResource(a.api, "Authorizer."+a.name+".Identity").dict(a.given.get("Identity"))
	if err != nil {
		return false, err
	}
	for _, k := range []string{"Headers", "QueryStrings", "StageVariables", "Context"} {
		if truthy(identity.get(k)) {
			return false, nil
		}
	}
	switch ttl := identity.get("ReauthorizeEvery").(type) {
	case int64:
		return ttl > 0, nil
	case float64:
		return ttl >= 1, nil
	case string, unicode:
		s, _ := text(ttl)
		if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil {
			return n > 0, nil
		}
	}
	return true, nil
}

func (a *authorizer) scopes() []any {
	list, _ := a.given.get("AuthorizationScopes").([]any)
	if list == nil {
		list = []any{}
	}
	return list
}

func (a *authorizer) pools() bool    { return truthy(a.given.get("UserPoolArn")) }
func (a *authorizer) requests() bool { return is(a.given.get("FunctionPayloadType"), "REQUEST") }

// definition is the security scheme in the definition of the API.
func (a *authorizer) definition(partition string) (*dict, error) {
	if a.given == nil {
		return hashedOf("type", "apiKey", "name", "Authorization", "in", "header", "x-amazon-apigateway-authtype", "awsSigv4"), nil
	}
	identity, isMap := a.given.get("Identity").(*dict)
	var header any = "Authorization"
	switch {
	case !a.pools() && a.requests():
		header = "Unused"
	case truthy(a.given.get("Identity")) && !isMap:
		return nil, invalid(a.api, "Auth.Authorizers.<Authorizer>.Identity must be a dict (LambdaTokenAuthorizationIdentity, LambdaRequestAuthorizationIdentity or CognitoAuthorizationIdentity).")
	case truthy(identity.get("Header")):
		header = identity.get("Header")
	}
	scheme := hashedOf("type", "apiKey", "name", header, "in", "header")
	validation := identity.get("ValidationExpression")
	if !truthy(validation) {
		validation = nil
	}
	if a.pools() {
		arns, ok := a.given.get("UserPoolArn").([]any)
		if !ok {
			arns = []any{a.given.get("UserPoolArn")}
		}
		return scheme.with("x-amazon-apigateway-authtype", "cognito_user_pools",
			keyAuthorizer, hashedOf("type", "cognito_user_pools", "providerARNs", arns, "identityValidationExpression", validation)), nil
	}
	kind := "token"
	var source any
	if a.requests() {
		kind, validation = "request", nil
		var err error
		if source, err = a.source(identity); err != nil {
			return nil, err
		}
	}
	var role any
	if v := a.given.get("FunctionInvokeRole"); truthy(v) && !is(v, "NONE") {
		role = v
	}
	return scheme.with("x-amazon-apigateway-authtype", "custom", keyAuthorizer, hashedOf("type", kind,
		"authorizerUri", authorizerURI(partition, a.given.get("FunctionArn")), "authorizerResultTtlInSeconds", identity.get("ReauthorizeEvery"),
		"authorizerCredentials", role, "identitySource", source, "identityValidationExpression", validation)), nil
}

func authorizerURI(partition string, function any) *dict {
	d := newDict()
	d.set("__FunctionArn__", function)
	return dictOf("Fn::Sub", []any{"arn:" + partition + ":apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${__FunctionArn__}/invocations", d})
}

// source lists what of a request tells callers apart.
func (a *authorizer) source(identity *dict) (any, error) {
	var parts []string
	var mark any = ""
	for _, k := range [][2]string{{"Headers", "method.request.header."}, {"QueryStrings", "method.request.querystring."}, {"StageVariables", "stageVariables."}, {"Context", "context."}} {
		v := identity.get(k[0])
		if !truthy(v) {
			continue
		}
		list, err := inResource(a.api, "Auth.Authorizers."+a.name+".Identity."+k[0]).texts(v)
		if err != nil {
			return nil, err
		}
		for _, e := range list {
			s, _ := text(e)
			parts = append(parts, k[1]+s)
			if _, marked := e.(unicode); marked {
				mark = e
			}
		}
	}
	if parts == nil {
		return nil, nil
	}
	return like(mark, strings.Join(parts, ", ")), nil
}
