package apigatewayv2

import (
	"strconv"
	"testing"

	"github.com/coder/websocket"

	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/test/badinput"
)

// TestBadRequestsAreAnsweredAsByAWS runs the column of HTTP APIs of the table in test/badinput.
func TestBadRequestsAreAnsweredAsByAWS(t *testing.T) {
	s := newSite(t, nil)
	z := s.authorizer(&api.CreateAuthorizerInput{Name: "auth", AuthorizerType: authorizerRequest, AuthorizerPayloadFormatVersion: ptr("2.0"), IdentitySource: []string{"$request.header.Authorization"}})
	s.route(&api.CreateRouteInput{RouteKey: "GET /auth", AuthorizationType: authCustom, AuthorizerId: &z}, proxy("f", "2.0"))
	s.route(&api.CreateRouteInput{RouteKey: "$default"}, proxy("f", "2.0"))
	root := "/_aws/execute-api/" + s.id
	badinput.Run(t, badinput.Gate{Kind: badinput.HTTP, Addr: s.addr, Host: s.addr, Paths: map[string]string{"f": root + "/f", "auth": root + "/auth"}, Answer: s.answer})
}

// TestBadHandshakesAndMessagesAreAnsweredAsByAWS runs the column of WebSocket APIs of the table in test/badinput: against an API whose $connect is a function, and one that asks an
// authorizer before.
func TestBadHandshakesAndMessagesAreAnsweredAsByAWS(t *testing.T) {
	c := newChat(t)
	c.route(t, connectRoute, toFunction("f"), false)
	c.route(t, "g", toFunction("g"), false)
	open := "/_aws/execute-api/" + c.id + "/prod"
	c.add(t)
	connect := c.route(t, connectRoute, toFunction("f"), false)
	z, err := c.gateway.createAuthorizer(c.ctx, &api.CreateAuthorizerInput{
		ApiId: c.id, Name: "z", AuthorizerType: authorizerRequest, AuthorizerUri: ptr("arn:aws:lambda:us-east-1:000000000000:function:auth"), IdentitySource: []string{"route.request.querystring.token"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.gateway.updateRoute(c.ctx, &api.UpdateRouteInput{ApiId: c.id, RouteId: *connect.RouteId, AuthorizationType: authCustom, AuthorizerId: z.AuthorizerId}); err != nil {
		t.Fatal(err)
	}
	badinput.Run(t, badinput.Gate{
		Kind: badinput.WebSocket, Addr: c.addr, Host: c.addr, Paths: map[string]string{"f": open, "auth": "/_aws/execute-api/" + c.id + "/prod"}, Answer: c.fns.say,
		Say: func(t *testing.T, message string) string {
			t.Helper()
			ws, _, err := websocket.Dial(t.Context(), "ws://"+c.addr+open, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = ws.CloseNow() }()
			say(t, ws, message)
			_, reply, err := ws.Read(t.Context())
			if err != nil {
				return "close " + strconv.Itoa(int(websocket.CloseStatus(err)))
			}
			return string(reply)
		},
	})
}
