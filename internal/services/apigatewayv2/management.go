package apigatewayv2

import (
	"context"
	"net/http"

	management "lambent.dev/lambent/internal/awsapi/apigatewaymanagementapi"
	"lambent.dev/lambent/internal/front"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/services/apigatewayv2/socket"
)

// managementPath begins the path, within a stage of a WebSocket API, of the calls by which an application reaches its connections.
const managementPath = "/@connections/"

// target is the stage that a call of the management API is for.
type target struct {
	scope
	API, Stage string
}

type targetKey struct{}

// targetOf returns the stage that the host and the path of a call of the management API named.
func targetOf(ctx context.Context) (target, error) {
	t, ok := ctx.Value(targetKey{}).(target)
	if !ok {
		return t, service.Errorf("ForbiddenException", "Call the management API at the address of a stage: http://HOST/_aws/execute-api/API/STAGE.").WithStatus(http.StatusForbidden)
	}
	return t, nil
}

// manage hands a call of the management API to the door, with the stage that it is for.
func (p *plane) manage(w http.ResponseWriter, r *http.Request, t *table, path string) {
	r = r.WithContext(context.WithValue(r.Context(), targetKey{}, target{t.scope, t.api, t.stage}))
	p.gateway.options.Calls.ServeHTTP(w, front.WithAPI(r, management.API.Name, path))
}

// managementService is the API by which applications send to their connections and close them (apigatewaymanagementapi).
func (g *Gateway) managementService() service.Service {
	h := management.Handlers{
		PostToConnection: g.postToConnection,
		GetConnection:    g.getConnection,
		DeleteConnection: g.deleteConnection,
	}
	return service.Service{
		API:        management.API,
		Operations: h.Bindings(),
		Access: map[string]service.Access{
			"PostToConnection": manageRule("POST", func(in *management.PostToConnectionInput) string { return in.ConnectionId }),
			"GetConnection":    manageRule("GET", func(in *management.GetConnectionInput) string { return in.ConnectionId }),
			"DeleteConnection": manageRule("DELETE", func(in *management.DeleteConnectionInput) string { return in.ConnectionId }),
		},
	}
}

// manageRule returns the access rule of a call about a connection
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-control-access-iam.html).
func manageRule[In any](method string, id func(in In) string) service.Access {
	return service.OnAll("execute-api:ManageConnections", func(ctx context.Context, in In) ([]service.Target, error) {
		t, err := targetOf(ctx)
		if err != nil {
			return nil, err
		}
		return []service.Target{{
			ARN:   "arn:aws:execute-api:" + t.region + ":" + t.account + ":" + t.API + "/" + t.Stage + "/" + method + "/@connections/" + id(in),
			Owner: t.account,
		}}, nil
	})
}

func gone() error {
	return service.Errorf("GoneException", "The connection with the provided id no longer exists.").WithStatus(http.StatusGone)
}

func (g *Gateway) postToConnection(ctx context.Context, in *management.PostToConnectionInput) (*management.PostToConnectionOutput, error) {
	if len(in.Data) > socket.MaxMessage {
		return nil, service.Errorf("PayloadTooLargeException", "A message has at most %d bytes, and this one %d.", socket.MaxMessage, len(in.Data))
	}
	t, err := targetOf(ctx)
	if err != nil {
		return nil, err
	}
	c, err := g.findConnection(ctx, t, in.ConnectionId)
	if err != nil {
		return nil, err
	}
	if err := g.send(ctx, &c, in.Data); err != nil {
		return nil, err
	}
	if open, err := g.table(ctx, t.API, t.Stage); err == nil && open != nil {
		open.countSent(g.deps.Clock.Now())
	}
	return &management.PostToConnectionOutput{}, nil
}

func (g *Gateway) getConnection(ctx context.Context, in *management.GetConnectionInput) (*management.GetConnectionOutput, error) {
	t, err := targetOf(ctx)
	if err != nil {
		return nil, err
	}
	c, err := g.findConnection(ctx, t, in.ConnectionId)
	if err != nil {
		return nil, err
	}
	out := &management.GetConnectionOutput{
		ConnectedAt: ptr(c.Connected), LastActiveAt: ptr(c.Connected), Identity: &management.Identity{SourceIp: c.SourceIP, UserAgent: c.UserAgent},
	}
	if open := g.hub.Find(c.ID); open != nil {
		out.LastActiveAt = ptr(open.Active().UTC())
	}
	return out, nil
}

func (g *Gateway) deleteConnection(ctx context.Context, in *management.DeleteConnectionInput) (*management.DeleteConnectionOutput, error) {
	t, err := targetOf(ctx)
	if err != nil {
		return nil, err
	}
	c, err := g.findConnection(ctx, t, in.ConnectionId)
	if err != nil {
		return nil, err
	}
	return &management.DeleteConnectionOutput{}, g.end(ctx, &c)
}
