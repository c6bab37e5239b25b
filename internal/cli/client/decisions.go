package client

import (
	"context"
	"net/url"

	"lambent.dev/lambent/internal/auth/iam"
)

// Decision is one permission decision of a request, as the platform explains it.
type Decision struct {
	RequestID string      `json:"requestId"`
	Time      string      `json:"time"`
	API       string      `json:"service"`
	Operation string      `json:"operation"`
	Principal string      `json:"principal"`
	Action    string      `json:"action"`
	Resource  string      `json:"resource"`
	Allowed   bool        `json:"allowed"`
	Message   string      `json:"message"`
	Trace     []iam.Trace `json:"trace,omitempty"`
}

// Decisions returns the permission decisions of a request. Only the root user may read them.
func (c *Client) Decisions(ctx context.Context, requestID string) ([]Decision, error) {
	var out struct {
		Decisions []Decision `json:"decisions"`
	}
	err := c.admin(ctx, "/_lambent/decisions/"+url.PathEscape(requestID), &out)
	return out.Decisions, err
}
