package apigatewayv2

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"time"

	"lambent.dev/lambent/internal/services/apigatewayv2/socket"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// connection is the record of an open connection of a WebSocket API. Whoever can read the store can tell that it is open, and which node holds it.
type connection struct {
	ID, Node                    string
	Account, Region, API, Stage string
	Domain                      string // host by which the client connected
	Connected                   time.Time
	SourceIP, UserAgent         string
	// Authorizer is what the authorizer of $connect said, as events show it; nil without one.
	Authorizer json.RawMessage `json:",omitempty"`
}

// connectionRoot is the first element of the keys of connections: they are not below those that compiled stages are made of.
const connectionRoot = "apigatewayv2-connections"

func connectionKey(id string) key.Key { return key.New(connectionRoot, "c", id) }
func nodeKey(node, id string) key.Key { return key.New(connectionRoot, "n", node, id) }
func nodesKey() key.Key               { return key.New(connectionRoot, "n") }
func mailKey(node string) key.Key     { return key.New(connectionRoot, "m", node) }
func (c *connection) arn(route string) string {
	return "arn:aws:execute-api:" + c.Region + ":" + c.Account + ":" + c.API + "/" + c.Stage + "/" + route
}

// mail is what another node wants done with a connection: a message for the client, or with Close its end.
type mail struct {
	ID    string
	Data  []byte `json:",omitempty"`
	Close bool   `json:",omitempty"`
}

// newConnectionID returns an id in the form of AWS's: eleven random bytes in base64.
func (g *Gateway) newConnectionID() (string, error) {
	b := make([]byte, 11)
	if _, err := io.ReadFull(g.deps.Random, b); err != nil {
		return "", err
	}
	return base64.URLEncoding.EncodeToString(b), nil
}

// register stores the record of a connection.
func (g *Gateway) register(ctx context.Context, c *connection) error {
	return g.deps.Store.Update(ctx, func(tx store.Txn) error {
		tx.Set(nodeKey(c.Node, c.ID), nil)
		return record.Set(tx, connectionKey(c.ID), *c)
	})
}

// forget removes the record of a connection.
func (g *Gateway) forget(ctx context.Context, c *connection) error {
	return g.deps.Store.Update(ctx, func(tx store.Txn) error {
		tx.Delete(nodeKey(c.Node, c.ID))
		tx.Delete(connectionKey(c.ID))
		return nil
	})
}

// findConnection returns the record of a connection of a stage, or GoneException.
func (g *Gateway) findConnection(ctx context.Context, at target, id string) (c connection, err error) {
	err = g.deps.Store.View(ctx, func(r store.Reader) error {
		var ok bool
		c, ok, err = record.Get[connection](r, connectionKey(id))
		if err == nil && (!ok || c.API != at.API || c.Stage != at.Stage) {
			err = gone()
		}
		return err
	})
	return c, err
}

// send sends a message to a client, through the node that holds the connection.
func (g *Gateway) send(ctx context.Context, c *connection, data []byte) error {
	if c.Node != g.node {
		return g.post(ctx, c.Node, mail{ID: c.ID, Data: data})
	}
	open := g.hub.Find(c.ID)
	if open == nil {
		return gone()
	}
	if err := open.Send(ctx, data); err != nil {
		if errors.Is(err, socket.ErrGone) {
			return gone()
		}
		return err
	}
	return nil
}

// end closes a connection.
func (g *Gateway) end(ctx context.Context, c *connection) error {
	if c.Node != g.node {
		return g.post(ctx, c.Node, mail{ID: c.ID, Close: true})
	}
	if open := g.hub.Find(c.ID); open != nil {
		go open.Close(closeNormal, "Connection Closed Normally")
	}
	return nil
}

// closeNormal is the close code of a connection that the application ends.
const closeNormal = 1000

// post leaves mail for another node, which the commit wakes up.
func (g *Gateway) post(ctx context.Context, node string, m mail) error {
	return g.deps.Store.Update(ctx, func(tx store.Txn) error { return record.Append(tx, mailKey(node), m) })
}

// maxMail is how much mail is taken at a time.
const maxMail = 256

// deliverMail sends what other nodes left for the connections of this one, until ctx ends.
func (g *Gateway) deliverMail(ctx context.Context) {
	w := g.deps.Store.Watch(mailKey(g.node))
	defer w.Close()
	for {
		n, err := g.takeMail(ctx)
		if err != nil && ctx.Err() == nil {
			g.deps.Log.ErrorContext(ctx, "messages for connections could not be read", slog.Any("error", err))
		}
		if n == maxMail {
			continue
		}
		select {
		case <-w.C():
		case <-ctx.Done():
			return
		}
	}
}

// takeMail takes some mail out of the store and sends it.
func (g *Gateway) takeMail(ctx context.Context) (int, error) {
	var all []mail
	err := g.deps.Store.Update(ctx, func(tx store.Txn) error {
		all = nil
		for row, err := range record.Range[mail](tx, mailKey(g.node).Span()) {
			if err != nil {
				return err
			}
			all = append(all, row.Value)
			tx.Delete(row.Key)
			if len(all) == maxMail {
				break
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, m := range all {
		open := g.hub.Find(m.ID)
		switch {
		case open == nil:
		case m.Close:
			go open.Close(closeNormal, "Connection Closed Normally")
		default:
			if err := open.Send(ctx, m.Data); err != nil {
				g.deps.Log.DebugContext(ctx, "message for a connection was lost", slog.String("connection", m.ID), slog.Any("error", err))
			}
		}
	}
	return len(all), nil
}

// adopt ends the connections that an earlier run of this process left in the store: their clients are gone, and their $disconnect has not been told.
func (g *Gateway) adopt(ctx context.Context) error {
	var stale []connection
	err := g.deps.Store.View(ctx, func(r store.Reader) error {
		for p, err := range r.Range(nodesKey().Span()) {
			if err != nil {
				return err
			}
			d := key.Decode(p.Key).Skip(nodesKey())
			node, id := d.Str(), d.Str()
			if node == g.node {
				continue
			}
			c, ok, err := record.Get[connection](r, connectionKey(id))
			if err != nil {
				return err
			}
			if !ok {
				c = connection{ID: id, Node: node}
			}
			stale = append(stale, c)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range stale {
		g.disconnected(ctx, &stale[i], closeAbnormal, "Connection Closed Abnormally")
	}
	return nil
}

// closeAbnormal is the close code of a connection that ended without one (RFC 6455, section 7.4.1).
const closeAbnormal = 1006
