package apigatewayv2

import (
	"testing"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/service"
)

func TestOnlyWhoMayPassARoleHasAnAPIUseIt(t *testing.T) {
	role := ptr("arn:aws:iam::000000000000:role/powerful")
	function := ptr("arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/arn:aws:lambda:us-east-1:000000000000:function:f/invocations")
	document := `{"openapi": "3.0.1", "info": {"title": "t", "version": "1"}, "paths": {"/a": {"get": {"x-amazon-apigateway-integration": {
		"type": "aws_proxy", "payloadFormatVersion": "2.0", "uri": "` + *function + `", "credentials": "` + *role + `"}}}}}`
	b := newBench(t)
	door := &allowing{}
	b.gateway.deps.Door = door
	made, err := b.gateway.createAPI(b.ctx, &api.CreateApiInput{Name: "a", ProtocolType: "HTTP", Target: function})
	if err != nil {
		t.Fatal(err)
	}
	id := *made.ApiId
	z, err := b.gateway.createAuthorizer(b.ctx, &api.CreateAuthorizerInput{ApiId: id, Name: "z", AuthorizerType: "REQUEST", AuthorizerUri: function, AuthorizerPayloadFormatVersion: ptr("2.0")})
	if err != nil {
		t.Fatal(err)
	}
	i, err := b.gateway.createIntegration(b.ctx, &api.CreateIntegrationInput{ApiId: id, IntegrationType: "AWS_PROXY", IntegrationUri: function, PayloadFormatVersion: ptr("2.0")})
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]func() error{
		"CreateApi": func() error {
			_, err := b.gateway.createAPI(b.ctx, &api.CreateApiInput{Name: "b", ProtocolType: "HTTP", Target: function, CredentialsArn: role})
			return err
		},
		"UpdateApi": func() error {
			_, err := b.gateway.updateAPI(b.ctx, &api.UpdateApiInput{ApiId: id, CredentialsArn: role})
			return err
		},
		"ImportApi": func() error {
			_, err := b.gateway.importAPI(b.ctx, &api.ImportApiInput{Body: document})
			return err
		},
		"ReimportApi": func() error {
			_, err := b.gateway.reimportAPI(b.ctx, &api.ReimportApiInput{ApiId: id, Body: document})
			return err
		},
		"CreateIntegration": func() error {
			_, err := b.gateway.createIntegration(b.ctx, &api.CreateIntegrationInput{ApiId: id, IntegrationType: "AWS_PROXY", IntegrationUri: function, PayloadFormatVersion: ptr("2.0"), CredentialsArn: role})
			return err
		},
		"UpdateIntegration": func() error {
			_, err := b.gateway.updateIntegration(b.ctx, &api.UpdateIntegrationInput{ApiId: id, IntegrationId: *i.IntegrationId, CredentialsArn: role})
			return err
		},
		"CreateAuthorizer": func() error {
			_, err := b.gateway.createAuthorizer(b.ctx, &api.CreateAuthorizerInput{ApiId: id, Name: "y", AuthorizerType: "REQUEST", AuthorizerUri: function, AuthorizerPayloadFormatVersion: ptr("2.0"), AuthorizerCredentialsArn: role})
			return err
		},
		"UpdateAuthorizer": func() error {
			_, err := b.gateway.updateAuthorizer(b.ctx, &api.UpdateAuthorizerInput{ApiId: id, AuthorizerId: *z.AuthorizerId, AuthorizerCredentialsArn: role})
			return err
		},
	}
	for name, call := range calls {
		door.denied, door.target = true, service.Target{}
		if err := call(); err == nil {
			t.Errorf("%s takes a role that the caller may not pass", name)
		}
		if door.target.Action != "iam:PassRole" || door.target.ARN != *role {
			t.Errorf("%s asks for %+v", name, door.target)
		}
	}
	a, err := b.gateway.read(b.ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range a.Config.roles() {
		if r != nil {
			t.Errorf("a refused call left the role %s behind", *r)
		}
	}
	door.denied = false
	for _, name := range []string{"UpdateApi", "UpdateIntegration", "UpdateAuthorizer", "CreateApi", "ImportApi", "CreateIntegration", "CreateAuthorizer", "ReimportApi"} {
		if err := calls[name](); err != nil {
			t.Errorf("%s with the permission: %v", name, err)
		}
	}
}
