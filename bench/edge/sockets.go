package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"lambent.dev/lambent/bench/lab"
)

// idleSockets is how many connections are held open, and idleTarget what each may keep of the platform's memory, in bytes.
const (
	idleSockets = 10_000
	idleTarget  = 15 << 10
)

// sockets prints how much memory of the platform idle connections of a WebSocket API keep.
func (b *bench) sockets(ctx context.Context, g *gates) (err error) {
	var api struct {
		ID string `json:"apiId"`
	}
	if err := g.call(ctx, "apigateway", http.MethodPost, "/v2/apis", `{"name":"idle","protocolType":"WEBSOCKET","routeSelectionExpression":"$request.body.action"}`, &api); err != nil {
		return err
	}
	if err := g.call(ctx, "apigateway", http.MethodPost, "/v2/apis/"+api.ID+"/stages", `{"stageName":"live","autoDeploy":true}`, nil); err != nil {
		return err
	}
	before, err := lab.ResidentOf(g.platform.PID())
	if err != nil {
		return err
	}
	var open []net.Conn
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.Close())
		}
	}()
	for range idleSockets {
		c, err := handshake(ctx, g.host, "/_aws/execute-api/"+api.ID+"/live")
		if err != nil {
			return fmt.Errorf("connection %d: %w", len(open)+1, err)
		}
		open = append(open, c)
	}
	least := int64(1 << 62)
	for range 20 { // what the handshakes left behind is given back after a while
		after, err := lab.ResidentOf(g.platform.PID())
		if err != nil {
			return err
		}
		least = min(least, after)
		time.Sleep(500 * time.Millisecond)
	}
	each := (least - before) / idleSockets
	lab.Row(fmt.Sprintf("%d open idle WebSockets, resident memory each", idleSockets), "≤ 15 KB", fmt.Sprintf("%.1f KB", float64(each)/1024), each <= idleTarget)
	return nil
}

// handshake opens a WebSocket, with nothing between it and the kernel.
func handshake(ctx context.Context, host, path string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, host)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	answer, err := http.ReadResponse(bufio.NewReaderSize(c, 512), &http.Request{Method: http.MethodGet})
	if err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
		err = errors.New(answer.Status)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}
