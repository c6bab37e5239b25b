package front

import (
	"context"
	"time"

	"lambent.dev/lambent/internal/clock"
)

// exchangeContext is the context of a request that is served directly: one value that holds what front knows of it.
type exchangeContext struct {
	clock.Context

	conn  *headConn
	head  string // of the request, if it was read here
	match Match
}

// room is what a direct exchange needs beside its request, in one piece of memory.
type room struct {
	ctx   exchangeContext
	body  requestBody
	plain plainBody
}

func newRoom(d *direct) *room {
	m := &room{ctx: exchangeContext{conn: d.headConn}, plain: plainBody{d: d}}
	m.ctx.Init(context.Background(), time.Time{})
	return m
}

// Value implements [context.Context].
func (c *exchangeContext) Value(key any) any {
	switch key.(type) {
	case connKey:
		return c.conn
	case matchKey:
		return &c.match
	case headKey:
		return c
	}
	return c.Context.Value(key)
}
