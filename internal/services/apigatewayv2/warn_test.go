package apigatewayv2

import (
	"strings"
	"testing"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/service"
)

func TestDeploysWarnOfMissingPermissions(t *testing.T) {
	s := newSite(t, nil)
	z := s.authorizer(&api.CreateAuthorizerInput{Name: "ask", AuthorizerType: authorizerRequest, AuthorizerPayloadFormatVersion: ptr("2.0")})
	s.route(&api.CreateRouteInput{RouteKey: "GET /asked", AuthorizationType: authCustom, AuthorizerId: &z}, proxy("good", "2.0"))
	s.route(&api.CreateRouteInput{RouteKey: "ANY /denied"}, proxy("denied", "2.0"))
	s.route(&api.CreateRouteInput{RouteKey: "GET /denied/too"}, proxy("denied", "2.0"))
	s.route(&api.CreateRouteInput{RouteKey: "$default"}, proxy("gone", "1.0"))
	withRole := proxy("denied", "2.0")
	withRole.CredentialsArn = ptr(roleARN)
	s.route(&api.CreateRouteInput{RouteKey: "GET /role"}, withRole)
	s.answer("ask", "denied")
	s.answer("denied", "denied")
	s.answer("gone", "gone")
	got, err := s.gateway.warnings(s.ctx, service.ResourceCall{PhysicalID: s.id})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(got, "\n")
	for _, part := range []string{
		"function:ask for arn:aws:execute-api:us-east-1:000000000000:" + s.id + "/authorizers/" + z,
		"function:denied for arn:aws:execute-api:us-east-1:000000000000:" + s.id + "/$default/GET/denied",
		"aws lambda add-permission --function-name arn:aws:lambda:us-east-1:000000000000:function:denied",
		"function:gone is to be invoked for arn:aws:execute-api:us-east-1:000000000000:" + s.id + "/$default/$default, and does not exist",
	} {
		if !strings.Contains(text, part) {
			t.Errorf("no warning has %q:\n%s", part, text)
		}
	}
	if len(got) != 3 {
		t.Errorf("%d warnings:\n%s", len(got), text)
	}
}

func TestDeploysWarnForWebSocketAPIs(t *testing.T) {
	s := newSite(t, nil)
	made, err := s.gateway.createAPI(s.ctx, &api.CreateApiInput{Name: "chat", ProtocolType: protocolWebSocket, RouteSelectionExpression: ptr("$request.body.action")})
	if err != nil {
		t.Fatal(err)
	}
	s.id = *made.ApiId
	s.route(&api.CreateRouteInput{RouteKey: "say"}, toFunction("denied"))
	s.stage(&api.CreateStageInput{StageName: "prod"})
	s.answer("denied", "denied")
	got, err := s.gateway.warnings(s.ctx, service.ResourceCall{PhysicalID: s.id})
	if err != nil || len(got) != 1 || !strings.Contains(got[0], "for arn:aws:execute-api:us-east-1:000000000000:"+s.id+"/prod/say") {
		t.Errorf("%q, %v", got, err)
	}
}
