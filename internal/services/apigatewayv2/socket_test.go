package apigatewayv2

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	management "lambent.dev/lambent/internal/awsapi/apigatewaymanagementapi"
	api "lambent.dev/lambent/internal/awsapi/apigatewayv2"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/apigatewayv2/socket"
)

// chatFunctions answers the functions of a chat by what their ARN ends with, and keeps the events.
type chatFunctions struct {
	functions

	mu     sync.Mutex // guards the fields below
	events map[string][]map[string]any
	answer map[string]string
	seen   chan string
}

func (f *chatFunctions) Invoke(_ context.Context, _ port.Source, function string, payload []byte) (port.Invocation, error) {
	name := function[strings.LastIndexByte(function, ':')+1:]
	var e map[string]any
	if err := json.Unmarshal(payload, &e); err != nil {
		return port.Invocation{}, err
	}
	f.mu.Lock()
	f.events[name] = append(f.events[name], e)
	answer, ok := f.answer[name]
	f.mu.Unlock()
	f.seen <- name
	if !ok {
		answer = `{"statusCode":200}`
	}
	if answer == "late" {
		return port.Invocation{}, context.DeadlineExceeded
	}
	if failure, failed := strings.CutPrefix(answer, "!"); failed {
		return port.Invocation{Error: "Unhandled", Payload: []byte(failure)}, nil
	}
	return port.Invocation{Payload: []byte(answer)}, nil
}

// say has a function answer so from now on.
func (f *chatFunctions) say(name, answer string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer[name] = answer
}

// last waits for the next invocation of a function and returns its event.
func (f *chatFunctions) last(t *testing.T, name string) map[string]any {
	t.Helper()
	for got := range f.seen {
		if got == name {
			break
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.events[name][len(f.events[name])-1]
}

// chat is a WebSocket API behind a listener.
type chat struct {
	*bench

	fns *chatFunctions
	id  string
}

func newChat(t *testing.T) *chat {
	t.Helper()
	fns := &chatFunctions{events: map[string][]map[string]any{}, answer: map[string]string{}, seen: make(chan string, 1000)}
	c := &chat{bench: runWith(t, fns), fns: fns}
	c.add(t)
	return c
}

// add makes the API with its stage; another one takes the place of the one before.
func (c *chat) add(t *testing.T) {
	t.Helper()
	out, err := c.gateway.createAPI(c.ctx, &api.CreateApiInput{Name: "chat", ProtocolType: protocolWebSocket, RouteSelectionExpression: ptr("$request.body.action")})
	if err != nil {
		t.Fatal(err)
	}
	c.id = *out.ApiId
	if _, err := c.gateway.createStage(c.ctx, &api.CreateStageInput{ApiId: c.id, StageName: "prod", AutoDeploy: ptr(true), StageVariables: map[string]string{"v": "1"}}); err != nil {
		t.Fatal(err)
	}
}

// integration makes an integration and returns its id.
func (c *chat) integration(t *testing.T, in *api.CreateIntegrationInput) string {
	t.Helper()
	in.ApiId = c.id
	out, err := c.gateway.createIntegration(c.ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	return *out.IntegrationId
}

// route makes a route to a function, or to the integration that in has; with answers its answer goes back.
func (c *chat) route(t *testing.T, key string, in *api.CreateIntegrationInput, answers bool) *api.CreateRouteOutput {
	t.Helper()
	r := &api.CreateRouteInput{ApiId: c.id, RouteKey: key, Target: ptr("integrations/" + c.integration(t, in))}
	if answers {
		r.RouteResponseSelectionExpression = ptr(defaultRoute)
	}
	out, err := c.gateway.createRoute(c.ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if answers {
		if _, err := c.gateway.createRouteResponse(c.ctx, &api.CreateRouteResponseInput{ApiId: c.id, RouteId: *out.RouteId, RouteResponseKey: defaultRoute}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func toFunction(name string) *api.CreateIntegrationInput {
	return &api.CreateIntegrationInput{IntegrationType: kindAWSProxy, IntegrationUri: ptr("arn:aws:lambda:us-east-1:000000000000:function:" + name)}
}

// dial connects, and returns the client or the refusal.
func (c *chat) dial(t *testing.T, query string, header http.Header, protocols ...string) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	ws, resp, err := websocket.Dial(t.Context(), "ws://"+c.addr+"/_aws/execute-api/"+c.id+"/prod"+query, &websocket.DialOptions{HTTPHeader: header, Subprotocols: protocols})
	if err == nil {
		t.Cleanup(func() { _ = ws.CloseNow() })
	}
	return ws, resp, err
}

func (c *chat) mustDial(t *testing.T) *websocket.Conn {
	t.Helper()
	ws, _, err := c.dial(t, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

func say(t *testing.T, ws *websocket.Conn, text string) {
	t.Helper()
	if err := ws.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hear(t *testing.T, ws *websocket.Conn) string {
	t.Helper()
	_, got, err := ws.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

// connectionID is the only open connection.
func (c *chat) connectionID(t *testing.T) string {
	t.Helper()
	var id string
	c.fns.mu.Lock()
	defer c.fns.mu.Unlock()
	for _, events := range c.fns.events {
		for _, e := range events {
			id, _ = e["requestContext"].(map[string]any)["connectionId"].(string)
		}
	}
	return id
}

func TestMessagesFindTheirRoutes(t *testing.T) {
	c := newChat(t)
	c.route(t, connectRoute, toFunction("connect"), false)
	c.route(t, disconnectRoute, toFunction("disconnect"), false)
	c.route(t, defaultRoute, toFunction("default"), true)
	c.route(t, "send", toFunction("send"), true)
	c.fns.answer["connect"] = `{"statusCode":200,"headers":{"Sec-WebSocket-Protocol":"chat","X-Own":"a"}}`
	c.fns.answer["send"] = `{"statusCode":200,"body":"sent"}`
	ws, resp, err := c.dial(t, "?room=a%20b&room=c", http.Header{"X-Name": {"ann"}}, "chat")
	if err != nil {
		t.Fatal(err)
	}
	if ws.Subprotocol() != "chat" || resp.Header.Get("X-Own") != "a" {
		t.Errorf("subprotocol %q, headers %v", ws.Subprotocol(), resp.Header)
	}
	e := c.fns.last(t, "connect")
	about := e["requestContext"].(map[string]any)
	if about["eventType"] != "CONNECT" || about["routeKey"] != connectRoute || about["stage"] != "prod" || about["apiId"] != c.id || about["connectionId"] == "" {
		t.Errorf("context of $connect: %v", about)
	}
	if q := e["queryStringParameters"].(map[string]any)["room"]; q != "c" || e["headers"].(map[string]any)["X-Name"] != "ann" || e["stageVariables"].(map[string]any)["v"] != "1" {
		t.Errorf("event of $connect: %v", e)
	}
	say(t, ws, `{"action":"send","text":"hi"}`)
	if got := hear(t, ws); got != "sent" {
		t.Errorf("answer %q", got)
	}
	e = c.fns.last(t, "send")
	if about := e["requestContext"].(map[string]any); e["body"] != `{"action":"send","text":"hi"}` || about["eventType"] != "MESSAGE" || about["messageId"] == "" || about["messageDirection"] != "IN" {
		t.Errorf("event of a message: %v", e)
	}
	c.fns.answer["default"] = `!{"errorMessage":"boom"}`
	for _, text := range []string{"no json", `{"action":"$connect"}`, `{"action":7}`} {
		say(t, ws, text)
		if got := hear(t, ws); !strings.Contains(got, `"message": "Internal server error"`) || !strings.Contains(got, `"connectionId":`) {
			t.Errorf("%s: %q", text, got)
		}
		c.fns.last(t, "default")
	}
	if err := ws.Close(4001, "bye"); err != nil {
		t.Fatal(err)
	}
	about = c.fns.last(t, "disconnect")["requestContext"].(map[string]any)
	if about["eventType"] != "DISCONNECT" || about["disconnectStatusCode"] != float64(4001) || about["disconnectReason"] != "bye" {
		t.Errorf("context of $disconnect: %v", about)
	}
}

func TestAMessageWithoutARouteIsForbidden(t *testing.T) {
	c := newChat(t)
	c.route(t, "send", toFunction("send"), false)
	ws := c.mustDial(t)
	say(t, ws, `{"action":"other"}`)
	if got := hear(t, ws); !strings.HasPrefix(got, `{"message": "Forbidden", "connectionId":"`) {
		t.Errorf("got %s", got)
	}
}

func TestConnectCanRefuse(t *testing.T) {
	c := newChat(t)
	c.route(t, connectRoute, toFunction("connect"), false)
	for _, tc := range []struct {
		answer string
		want   int
	}{
		{`{"statusCode":401,"body":"no"}`, 401}, {`{"statusCode":403}`, 403},
	} {
		c.fns.answer["connect"] = tc.answer
		if _, resp, err := c.dial(t, "", nil); err == nil || resp.StatusCode != tc.want {
			t.Errorf("%s: %v, %v", tc.answer, resp, err)
		}
	}
	if n := c.gateway.hub.Len(); n != 0 {
		t.Errorf("%d connections are open", n)
	}
	if resp, _ := c.do(t, "GET", "/_aws/execute-api/"+c.id+"/prod", ""); resp.StatusCode != http.StatusUpgradeRequired {
		t.Errorf("without a handshake: %d", resp.StatusCode)
	}
	if resp, _ := c.do(t, "GET", "/_aws/execute-api/"+c.id+"/prod/path", ""); resp.StatusCode != http.StatusForbidden {
		t.Errorf("below the stage: %d", resp.StatusCode)
	}
}

func TestAuthorizersOfConnect(t *testing.T) {
	c := newChat(t)
	r := c.route(t, connectRoute, toFunction("connect"), false)
	c.route(t, "send", toFunction("send"), false)
	z, err := c.gateway.createAuthorizer(c.ctx, &api.CreateAuthorizerInput{
		ApiId: c.id, Name: "z", AuthorizerType: authorizerRequest, AuthorizerUri: ptr("arn:aws:lambda:us-east-1:000000000000:function:auth"),
		IdentitySource: []string{"route.request.querystring.token"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.gateway.updateRoute(c.ctx, &api.UpdateRouteInput{ApiId: c.id, RouteId: *r.RouteId, AuthorizationType: authCustom, AuthorizerId: z.AuthorizerId}); err != nil {
		t.Fatal(err)
	}
	policy := func(effect string) string {
		return `{"principalId":"ann","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"` + effect + `","Action":"execute-api:Invoke","Resource":"*"}]},"context":{"n":7}}`
	}
	for _, tc := range []struct {
		query, answer string
		want          int
	}{
		{"", policy("Allow"), 401},
		{"?token=a", policy("Deny"), 403},
		{"?token=a", policy("Allow"), 101},
	} {
		c.fns.answer["auth"] = tc.answer
		ws, resp, err := c.dial(t, tc.query, nil)
		if resp == nil || resp.StatusCode != tc.want {
			t.Fatalf("%s %s: %v, %v", tc.query, tc.answer, resp, err)
		}
		if err == nil {
			say(t, ws, `{"action":"send"}`)
		}
	}
	got := c.fns.last(t, "send")["requestContext"].(map[string]any)["authorizer"].(map[string]any)
	if got["principalId"] != "ann" || got["n"] != "7" {
		t.Errorf("authorizer of a message: %v", got)
	}
}

func TestIAMDecidesAboutConnect(t *testing.T) {
	c := newChat(t)
	if _, err := c.gateway.createRoute(c.ctx, &api.CreateRouteInput{ApiId: c.id, RouteKey: connectRoute, AuthorizationType: authIAM}); err != nil {
		t.Fatal(err)
	}
	door := &allowing{}
	c.gateway.deps.Door = door
	caller := service.Principal{Kind: service.User, Account: "000000000000", UserID: "AIDA1"}
	for name, tc := range map[string]struct {
		caller service.Principal
		err    error
		denied bool
		want   int
	}{
		"unsigned": {service.Principal{}, nil, false, 403}, "badly signed": {caller, errors.New("bad"), false, 403},
		"denied": {caller, nil, true, 403}, "allowed": {caller, nil, false, 101},
	} {
		c.gateway.options.Caller = func(*http.Request, []byte) (service.Principal, error) { return tc.caller, tc.err }
		door.denied = tc.denied
		if _, resp, err := c.dial(t, "", nil); resp == nil || resp.StatusCode != tc.want {
			t.Errorf("%s: %v, %v", name, resp, err)
		}
	}
	if want := "arn:aws:execute-api:us-east-1:000000000000:" + c.id + "/prod/$connect"; door.target.ARN != want || door.target.Action != "execute-api:Invoke" {
		t.Errorf("asked for %+v, want %s", door.target, want)
	}
}

// allowing is a door that keeps what it was asked.
type allowing struct {
	service.Door

	denied bool
	target service.Target
}

func (d *allowing) Allow(_ context.Context, t service.Target) error {
	d.target = t
	if d.denied {
		return service.Errorf("AccessDeniedException", "no")
	}
	return nil
}

func TestMockAndTemplates(t *testing.T) {
	c := newChat(t)
	mock := &api.CreateIntegrationInput{
		IntegrationType: kindMock, TemplateSelectionExpression: ptr(`\$default`), RequestTemplates: map[string]string{"$default": `{"statusCode": $input.json('$.status')}`},
	}
	c.route(t, "ask", mock, true)
	id := ""
	if a, err := c.gateway.read(c.ctx, c.id); err == nil {
		id = *a.Config.Integrations[0].IntegrationId
	}
	for key, text := range map[string]string{"/4\\d\\d/": "bad $context.connectionId.length()", "$default": `{"v":"$stageVariables.v","key":"$context.routeKey"}`} {
		if _, err := c.gateway.createIntegrationResponse(c.ctx, &api.CreateIntegrationResponseInput{
			ApiId: c.id, IntegrationId: id, IntegrationResponseKey: key, ResponseTemplates: map[string]string{"$default": text},
		}); err != nil {
			t.Fatal(err)
		}
	}
	ws := c.mustDial(t)
	for status, want := range map[string]string{"200": `{"v":"1","key":"ask"}`, "404": "bad 16"} {
		say(t, ws, `{"action":"ask","status":`+status+`}`)
		if got := hear(t, ws); got != want {
			t.Errorf("%s: %s, want %s", status, got, want)
		}
	}
}

func TestHTTPBackendsGetMessages(t *testing.T) {
	c := newChat(t)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(r.Method + " " + r.URL.String() + " " + r.Header.Get("X-Id")))
	}))
	defer backend.Close()
	c.route(t, "ask", &api.CreateIntegrationInput{
		IntegrationType: kindHTTPProxy, IntegrationMethod: ptr("PUT"), IntegrationUri: ptr(backend.URL + "/rooms/{room}"),
		RequestParameters: map[string]string{"integration.request.path.room": "route.request.body.room", "integration.request.header.X-Id": "context.routeKey", "integration.request.querystring.q": "'fixed'"},
	}, true)
	ws := c.mustDial(t)
	say(t, ws, `{"action":"ask","room":"a b"}`)
	if got := hear(t, ws); got != "PUT /rooms/a%20b?q=fixed ask" {
		t.Errorf("got %q", got)
	}
}

func TestModelsAreHeld(t *testing.T) {
	c := newChat(t)
	if _, err := c.gateway.createModel(c.ctx, &api.CreateModelInput{ApiId: c.id, Name: "Send", Schema: `{"type":"object","required":["text"]}`}); err != nil {
		t.Fatal(err)
	}
	r := c.route(t, "send", toFunction("send"), true)
	if _, err := c.gateway.updateRoute(c.ctx, &api.UpdateRouteInput{ApiId: c.id, RouteId: *r.RouteId, RequestModels: map[string]string{"send": "Send"}, ModelSelectionExpression: ptr("$request.body.action")}); err != nil {
		t.Fatal(err)
	}
	c.fns.answer["send"] = `{"statusCode":200,"body":"ok"}`
	ws := c.mustDial(t)
	say(t, ws, `{"action":"send"}`)
	if got := hear(t, ws); !strings.Contains(got, "Invalid request body") {
		t.Errorf("without text: %s", got)
	}
	say(t, ws, `{"action":"send","text":""}`)
	if got := hear(t, ws); got != "ok" {
		t.Errorf("with text: %s", got)
	}
}

func TestRatesOfAStageHoldForMessages(t *testing.T) {
	c := newChat(t)
	c.route(t, "send", toFunction("send"), true)
	c.fns.answer["send"] = `{"statusCode":200,"body":"ok"}`
	if _, err := c.gateway.updateStage(c.ctx, &api.UpdateStageInput{ApiId: c.id, StageName: "prod", RouteSettings: map[string]api.RouteSettings{
		"send": {ThrottlingBurstLimit: ptr(int32(1)), ThrottlingRateLimit: ptr(1.0)},
	}}); err != nil {
		t.Fatal(err)
	}
	ws := c.mustDial(t)
	say(t, ws, `{"action":"send"}`)
	if got := hear(t, ws); got != "ok" {
		t.Errorf("first: %s", got)
	}
	say(t, ws, `{"action":"send"}`)
	if got := hear(t, ws); !strings.Contains(got, "Too Many Requests") {
		t.Errorf("second: %s", got)
	}
}

func TestApplicationsReachTheirConnections(t *testing.T) {
	c := newChat(t)
	c.route(t, connectRoute, toFunction("connect"), false)
	c.route(t, disconnectRoute, toFunction("disconnect"), false)
	ws := c.mustDial(t)
	c.fns.last(t, "connect")
	id := c.connectionID(t)
	at := target{scope{"000000000000", "us-east-1"}, c.id, "prod"}
	ctx := context.WithValue(c.ctx, targetKey{}, at)
	if _, err := c.gateway.postToConnection(ctx, &management.PostToConnectionInput{ConnectionId: id, Data: []byte("news")}); err != nil {
		t.Fatal(err)
	}
	if got := hear(t, ws); got != "news" {
		t.Errorf("got %q", got)
	}
	out, err := c.gateway.getConnection(ctx, &management.GetConnectionInput{ConnectionId: id})
	if err != nil || out.Identity.SourceIp != "127.0.0.1" || out.ConnectedAt.IsZero() {
		t.Errorf("%+v, %v", out, err)
	}
	large := &management.PostToConnectionInput{ConnectionId: id, Data: make([]byte, socket.MaxMessage+1)}
	if _, err := c.gateway.postToConnection(ctx, large); service.Code(err) != "PayloadTooLargeException" {
		t.Errorf("too large: %v", err)
	}
	other := context.WithValue(c.ctx, targetKey{}, target{at.scope, c.id, "other"})
	if _, err := c.gateway.postToConnection(other, &management.PostToConnectionInput{ConnectionId: id, Data: []byte("x")}); service.Code(err) != "GoneException" {
		t.Errorf("another stage: %v", err)
	}
	if _, err := c.gateway.deleteConnection(ctx, &management.DeleteConnectionInput{ConnectionId: id}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("closed with %v", err)
	}
	c.fns.last(t, "disconnect")
	c.gateway.close(t.Context()) //nolint:errcheck // it waits for the connection's record to be gone
	if _, err := c.gateway.getConnection(ctx, &management.GetConnectionInput{ConnectionId: id}); service.Code(err) != "GoneException" {
		t.Errorf("after the end: %v", err)
	}
}

func TestAnyNodePosts(t *testing.T) {
	c := newChat(t)
	c.route(t, connectRoute, toFunction("connect"), false)
	ws := c.mustDial(t)
	c.fns.last(t, "connect")
	id := c.connectionID(t)
	other := newGateway(c.gateway.deps, c.gateway.options)
	other.node = "other"
	ctx := context.WithValue(c.ctx, targetKey{}, target{scope{"000000000000", "us-east-1"}, c.id, "prod"})
	if _, err := other.postToConnection(ctx, &management.PostToConnectionInput{ConnectionId: id, Data: []byte("from afar")}); err != nil {
		t.Fatal(err)
	}
	if got := hear(t, ws); got != "from afar" {
		t.Errorf("got %q", got)
	}
	if _, err := other.deleteConnection(ctx, &management.DeleteConnectionInput{ConnectionId: id}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Errorf("closed with %v", err)
	}
}

func TestConnectionsOfAnEarlierRunAreEnded(t *testing.T) {
	c := newChat(t)
	c.route(t, disconnectRoute, toFunction("disconnect"), false)
	left := &connection{ID: "left", Node: "before", Account: "000000000000", Region: "us-east-1", API: c.id, Stage: "prod", Connected: c.gateway.deps.Clock.Now()}
	if err := c.gateway.register(t.Context(), left); err != nil {
		t.Fatal(err)
	}
	if err := c.gateway.adopt(t.Context()); err != nil {
		t.Fatal(err)
	}
	if about := c.fns.last(t, "disconnect")["requestContext"].(map[string]any); about["connectionId"] != "left" || about["disconnectStatusCode"] != float64(1006) {
		t.Errorf("context of $disconnect: %v", about)
	}
	ctx := context.WithValue(c.ctx, targetKey{}, target{scope{"000000000000", "us-east-1"}, c.id, "prod"})
	if _, err := c.gateway.getConnection(ctx, &management.GetConnectionInput{ConnectionId: "left"}); service.Code(err) != "GoneException" {
		t.Errorf("its record: %v", err)
	}
}

func TestLimitsOfConnections(t *testing.T) {
	for name, tc := range map[string]struct {
		do   func(t *testing.T, c *chat, ws *websocket.Conn)
		want websocket.StatusCode
	}{
		"a large frame": {func(t *testing.T, _ *chat, ws *websocket.Conn) { say(t, ws, strings.Repeat("x", socket.MaxFrame+1)) }, websocket.StatusMessageTooBig},
		"a large message": {func(t *testing.T, _ *chat, ws *websocket.Conn) {
			w, err := ws.Writer(t.Context(), websocket.MessageText)
			for i := 0; i < 5 && err == nil; i++ {
				_, err = w.Write([]byte(strings.Repeat("x", socket.MaxFrame)))
			}
			if err != nil {
				t.Log(err) // it may be closed before all is written
			}
		}, websocket.StatusMessageTooBig},
		"a binary message": {func(t *testing.T, _ *chat, ws *websocket.Conn) {
			if err := ws.Write(t.Context(), websocket.MessageBinary, []byte{1}); err != nil {
				t.Fatal(err)
			}
		}, websocket.StatusUnsupportedData},
		"idle for ten minutes": {func(_ *testing.T, c *chat, _ *websocket.Conn) { c.clock.Advance(socket.IdleTimeout) }, websocket.StatusGoingAway},
		"the end of the server": {func(t *testing.T, c *chat, _ *websocket.Conn) {
			go func() { _ = c.gateway.close(context.WithoutCancel(t.Context())) }()
		}, websocket.StatusGoingAway},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChat(t)
			c.route(t, disconnectRoute, toFunction("disconnect"), false)
			ws := c.mustDial(t)
			tc.do(t, c, ws)
			if _, _, err := ws.Read(t.Context()); websocket.CloseStatus(err) != tc.want {
				t.Errorf("closed with %v, want %d", err, tc.want)
			}
			if about := c.fns.last(t, "disconnect")["requestContext"].(map[string]any); about["disconnectStatusCode"] != float64(tc.want) {
				t.Errorf("$disconnect says %v", about)
			}
		})
	}
}
