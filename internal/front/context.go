package front

import "context"

// exchangeContext is the context of a request that is served directly: one value that holds what front knows of it.
type exchangeContext struct {
	context.Context //nolint:containedctx // what this context adds to

	conn  *headConn
	match Match
}

// newExchangeContext returns a context that ends with cancel.
func newExchangeContext(c *headConn) (*exchangeContext, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	return &exchangeContext{Context: ctx, conn: c}, cancel
}

// Value implements [context.Context].
func (c *exchangeContext) Value(key any) any {
	switch key.(type) {
	case connKey:
		return c.conn
	case matchKey:
		return &c.match
	}
	return c.Context.Value(key)
}
