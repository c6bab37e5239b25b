package client

import (
	"context"
	"net/url"

	"lambent.dev/lambent/internal/gateway/trace"
)

// Trace returns what a request to an API saw. Only the root user may read it.
func (c *Client) Trace(ctx context.Context, requestID string) (*trace.Document, error) {
	var out trace.Document
	err := c.admin(ctx, "/_lambent/traces/"+url.PathEscape(requestID), &out)
	return &out, err
}
