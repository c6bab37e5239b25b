package apigatewayv2

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/lib/httpevent"
	"lambent.dev/lambent/internal/lib/jsonenc"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigatewayv2/socket"
)

// The types of events of a connection.
const (
	eventConnect    = "CONNECT"
	eventMessage    = "MESSAGE"
	eventDisconnect = "DISCONNECT"
)

// message is one event of a connection on its way: its handshake, a message, its end.
type message struct {
	*connection

	table *table
	route *socketRoute
	kind  string
	// id is the request's id, messageID that of a message.
	id, messageID string
	now           time.Time
	body          []byte
	// request is the handshake's request; nil for other events.
	request *http.Request
	// code and reason are those of the end of the connection.
	code   int
	reason string
	// called tells that the integration was, and took for how long.
	called bool
	took   time.Duration

	context []byte // see requestContext
}

// newMessage returns an event of a connection for a route.
func (g *Gateway) newMessage(c *connection, t *table, route *socketRoute, kind string) (*message, error) {
	m := &message{connection: c, table: t, route: route, kind: kind, now: g.deps.Clock.Now()}
	var err error
	if m.id, err = g.newID(15); err == nil && kind == eventMessage {
		m.messageID, err = g.newID(15)
	}
	m.id += "="
	return m, err
}

// routeKey is the key of the route.
func (m *message) routeKey() string {
	if m.route == nil {
		return ""
	}
	return m.route.RouteKey
}

// requestContext is the member requestContext of events, a JSON object
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-mapping-template-reference.html).
func (m *message) requestContext() []byte {
	if m.context != nil {
		return m.context
	}
	b := append(make([]byte, 0, 1024), `{"routeKey":`...)
	b = jsonenc.String(b, m.routeKey())
	if m.Authorizer != nil {
		b = append(append(b, `,"authorizer":`...), m.Authorizer...)
	}
	if m.kind == eventMessage {
		b = member(b, "messageId", m.messageID)
	}
	if m.kind == eventDisconnect {
		b = append(b, `,"disconnectStatusCode":`...)
		b = strconv.AppendInt(b, int64(m.code), 10)
		b = member(b, "disconnectReason", m.reason)
	}
	b = member(b, "eventType", m.kind)
	b = member(b, "extendedRequestId", m.id)
	b = append(b, `,"requestTime":"`...)
	b = m.now.UTC().AppendFormat(b, "02/Jan/2006:15:04:05 +0000")
	b = append(b, `","messageDirection":"IN"`...)
	b = member(b, "stage", m.Stage)
	b = append(b, `,"connectedAt":`...)
	b = strconv.AppendInt(b, m.Connected.UnixMilli(), 10)
	b = append(b, `,"requestTimeEpoch":`...)
	b = strconv.AppendInt(b, m.now.UnixMilli(), 10)
	b = append(b, `,"identity":{"sourceIp":`...)
	b = jsonenc.String(b, m.SourceIP)
	if m.UserAgent != "" {
		b = member(b, "userAgent", m.UserAgent)
	}
	b = append(b, '}')
	b = member(b, "requestId", m.id)
	b = member(b, "domainName", m.Domain)
	b = member(b, "connectionId", m.connection.ID)
	b = member(b, "apiId", m.API)
	m.context = append(b, '}')
	return m.context
}

// member appends a member with a text, with a comma in front.
func member(b []byte, name, text string) []byte {
	b = append(append(append(b, `,"`...), name...), `":`...)
	return jsonenc.String(b, text)
}

// event is the payload of a Lambda proxy integration.
func (m *message) event() []byte {
	b := append(make([]byte, 0, 2048+len(m.body)), '{')
	if m.request != nil {
		b = m.appendRequest(b)
		b = append(b, ',')
	}
	if m.kind == eventDisconnect {
		b = append(b, `"headers":{"Host":`...)
		b = jsonenc.String(b, m.Domain)
		b = append(b, `,"x-api-key":"","X-Forwarded-For":"","x-restapi":""},"multiValueHeaders":{"Host":[`...)
		b = jsonenc.String(b, m.Domain)
		b = append(b, `],"x-api-key":[""],"X-Forwarded-For":[""],"x-restapi":[""]},`...)
	}
	b = append(append(b, `"requestContext":`...), m.requestContext()...)
	b = appendVariables(b, m.table.variables)
	if m.kind == eventMessage {
		b = append(b, `,"body":`...)
		b = jsonenc.String(b, m.body)
	}
	return append(b, `,"isBase64Encoded":false}`...)
}

// appendRequest appends what events show of the handshake's request: headers in the spelling of the client, and the query.
func (m *message) appendRequest(b []byte) []byte {
	fields := headerFields(m.request)
	b = append(b, `"headers":`...)
	b = appendLast(b, fields)
	b = append(b, `,"multiValueHeaders":`...)
	b = appendAll(b, fields)
	_, query, _ := strings.Cut(m.request.RequestURI, "?")
	if parameters := queryFields(query); len(parameters) > 0 {
		b = append(b, `,"queryStringParameters":`...)
		b = appendLast(b, parameters)
		b = append(b, `,"multiValueQueryStringParameters":`...)
		b = appendAll(b, parameters)
	}
	return b
}

// scheme is how a client reached the platform.
func scheme(r *http.Request) string {
	if front.Secure(r) {
		return "https"
	}
	return "http"
}

// serviceRequest is the request of calls that an event causes.
func (m *message) serviceRequest() *service.Request {
	return &service.Request{ID: m.id, API: "execute-api", Operation: m.routeKey(), Account: m.Account, Region: m.Region, Time: m.now}
}

// handler is told what happens on the connections of a gateway.
type handler struct {
	gateway    *Gateway
	connection *connection
}

// Message implements [socket.Handler].
func (h *handler) Message(c *socket.Conn, data []byte) {
	ctx := context.Background()
	answer := h.gateway.receive(ctx, h.connection, data)
	if answer == nil {
		return
	}
	if err := c.Send(ctx, answer); err != nil {
		h.gateway.deps.Log.DebugContext(ctx, "answer to a message was lost", slog.String("connection", c.ID), slog.Any("error", err))
	}
}

// Closed implements [socket.Handler].
func (h *handler) Closed(_ *socket.Conn, code int, reason string) {
	h.gateway.disconnected(context.Background(), h.connection, code, reason)
}

// receive runs the route of a message, and returns what goes back to the client; nil for nothing.
func (g *Gateway) receive(ctx context.Context, c *connection, data []byte) []byte {
	t, err := g.table(ctx, c.API, c.Stage)
	if err != nil || t == nil || t.socket == nil {
		return g.broken(ctx, c, err)
	}
	m, err := g.newMessage(c, t, nil, eventMessage)
	if err != nil {
		return g.broken(ctx, c, err)
	}
	m.body = data
	answer, e := g.dispatch(ctx, m)
	m.count(g.deps.Clock.Now(), e)
	return answer
}

// dispatch finds the route of a message and runs it. It returns what goes back to the client, and how the message ended.
func (g *Gateway) dispatch(ctx context.Context, m *message) ([]byte, end) {
	t := m.table
	key := t.socket.selection.text(m.resolve)
	m.route = t.socket.find(key)
	if m.route == nil || m.route.integration == nil {
		return m.failure("Forbidden"), refused
	}
	if g.options.Rates.Admit(m.now, t.limits(g.options.Rates, m.route.RouteKey)...) >= 0 {
		return m.failure("Too Many Requests"), refused
	}
	if why := m.route.invalid(m); why != "" {
		g.deps.Log.DebugContext(ctx, "message does not satisfy its model", slog.String("api", m.API), slog.String("route", m.routeKey()), slog.String("why", why))
		return m.failure("Invalid request body"), refused
	}
	answer, err := g.run(service.WithRequest(ctx, m.serviceRequest()), m)
	g.logAccess(ctx, m, answer.status, err)
	switch {
	case err != nil:
		m.log(ctx, g.deps.Log, err)
		return m.failure("Internal server error"), failed
	case !m.route.answers || len(answer.body) == 0:
		return nil, endOf(answer.status, nil)
	}
	return answer.body, endOf(answer.status, nil)
}

// broken logs what should not happen and answers the client.
func (g *Gateway) broken(ctx context.Context, c *connection, err error) []byte {
	g.deps.Log.ErrorContext(ctx, "a message could not be handled: its stage is gone or cannot be loaded", slog.String("api", c.API), slog.String("stage", c.Stage), slog.String("connection", c.ID), slog.Any("error", err))
	return (&message{connection: c}).failure("Internal server error")
}

// failure is the gateway's own answer to a message.
func (m *message) failure(text string) []byte {
	b := append([]byte(nil), `{"message": `...)
	b = jsonenc.String(b, text)
	b = append(b, `, "connectionId":`...)
	b = jsonenc.String(b, m.connection.ID)
	b = append(b, `, "requestId":`...)
	b = jsonenc.String(b, m.id)
	return append(b, '}')
}

// log writes why an integration gave no answer.
func (m *message) log(ctx context.Context, log *slog.Logger, err error) {
	log.ErrorContext(ctx, "integration of a WebSocket route failed", slog.String("request_id", m.id), slog.String("api", m.API), slog.String("stage", m.Stage),
		slog.String("route", m.routeKey()), slog.String("connection", m.connection.ID), slog.Any("error", err))
}

// disconnected tells the application that a connection has ended, and removes its record.
func (g *Gateway) disconnected(ctx context.Context, c *connection, code int, reason string) {
	if t, err := g.table(ctx, c.API, c.Stage); err == nil && t != nil && t.socket != nil {
		if route := t.socket.routes[disconnectRoute]; route != nil && route.integration != nil {
			m, err := g.newMessage(c, t, route, eventDisconnect)
			if err == nil {
				m.code, m.reason = code, reason
				answer, err := g.run(service.WithRequest(ctx, m.serviceRequest()), m)
				g.logAccess(ctx, m, answer.status, err)
				m.count(g.deps.Clock.Now(), endOf(answer.status, err))
				if err != nil {
					m.log(ctx, g.deps.Log, err)
				}
			}
		}
	}
	if err := g.forget(ctx, c); err != nil {
		g.deps.Log.ErrorContext(ctx, "record of a connection could not be removed", slog.String("connection", c.ID), slog.Any("error", err))
	}
}

// resolve returns what a reference of an expression stands for.
func (m *message) resolve(reference string) string {
	reference = strings.TrimPrefix(reference, "route.")
	switch name, rest, _ := strings.Cut(reference, "."); name {
	case "context":
		return bodyPath(m.requestContext(), rest)
	case "stageVariables":
		return m.table.variables[rest]
	case "request":
		place, rest, _ := strings.Cut(rest, ".")
		switch {
		case place == "body" && rest == "":
			return string(m.body)
		case place == "body":
			if !json.Valid(m.body) {
				return ""
			}
			return bodyPath(m.body, rest)
		case m.request != nil && place == "header":
			return m.request.Header.Get(rest)
		case m.request != nil && place == "querystring":
			_, query, _ := strings.Cut(m.request.RequestURI, "?")
			return lastValue(queryFields(query), rest)
		}
	}
	return ""
}

// sourceIP is the address of the client.
func sourceIP(r *http.Request) string { return httpevent.ClientIP(r) }
