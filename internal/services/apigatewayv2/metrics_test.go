package apigatewayv2

import (
	"context"
	"testing"

	management "lambent.dev/lambent/internal/awsapi/apigatewaymanagementapi"
	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/test/metertest"
)

func TestRequestsAreCounted(t *testing.T) {
	s := newSite(t, nil)
	var counts meter.Registry
	s.gateway.deps.Meters = &counts
	s.route(&api.CreateRouteInput{RouteKey: "GET /a/{id}"}, proxy("f", "2.0"))
	s.route(&api.CreateRouteInput{RouteKey: "POST /b"}, proxy("g", "2.0"))
	s.stage(&api.CreateStageInput{
		StageName: "live", RouteSettings: map[string]api.RouteSettings{"GET /a/{id}": {DetailedMetricsEnabled: ptr(true)}},
	})
	s.answer("f", `{"statusCode":200,"body":"four"}`)
	s.answer("g", `{"statusCode":503}`)
	s.get("/live/a/1")
	s.get("/live/a/2")
	s.get("/live/nothing")
	s.post("/live/b", "0123456789")
	of := "ApiId=" + s.id
	metertest.Await(t, &counts, map[string]string{
		"Count " + of: "4/4", "Count " + of + " Stage=live": "4/4", "4xx " + of + " Stage=live": "1/4", "5xx " + of: "1/4", "Latency " + of: "0/4",
		"IntegrationLatency " + of: "0/3", "DataProcessed " + of + " Method=GET Resource=/a/{id} Stage=live": "8/2", "Count " + of + " Method=GET Resource=/a/{id} Stage=live": "2/2",
	})
}

func TestMessagesAreCounted(t *testing.T) {
	c := newChat(t)
	var counts meter.Registry
	c.gateway.deps.Meters = &counts
	c.route(t, "hello", toFunction("hello"), true)
	c.route(t, "fail", toFunction("fail"), false)
	c.route(t, connectRoute, toFunction("connect"), false)
	if _, err := c.gateway.updateStage(c.ctx, &api.UpdateStageInput{ApiId: c.id, StageName: "prod", RouteSettings: map[string]api.RouteSettings{"hello": {DetailedMetricsEnabled: ptr(true)}}}); err != nil {
		t.Fatal(err)
	}
	c.fns.answer["fail"] = `!{"errorMessage": "no"}`
	c.fns.answer["hello"] = `{"statusCode": 200, "body": "hi"}`
	ws := c.mustDial(t)
	say(t, ws, `{"action":"hello"}`)
	hear(t, ws)
	say(t, ws, `{"action":"fail"}`)
	hear(t, ws)
	say(t, ws, `{"action":"nothing"}`)
	hear(t, ws)
	to := context.WithValue(c.ctx, targetKey{}, target{scope{"000000000000", "us-east-1"}, c.id, "prod"})
	if _, err := c.gateway.postToConnection(to, &management.PostToConnectionInput{ConnectionId: c.connectionID(t), Data: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	of := "ApiId=" + c.id
	metertest.Await(t, &counts, map[string]string{
		"ConnectCount " + of + " Stage=prod": "1/1", "MessageCount " + of: "4/4", "ClientError " + of: "1/4", "ExecutionError " + of: "1/4", "IntegrationError " + of: "0/4",
		"IntegrationLatency " + of: "0/3", "MessageCount " + of + " Route=hello Stage=prod": "1/1",
	})
}
