package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
	_, body, err := c.do(ctx, call{service: "lambent", method: http.MethodGet, target: "/_lambent/decisions/" + url.PathEscape(requestID)})
	if err != nil {
		return nil, err
	}
	var out struct {
		Decisions []Decision `json:"decisions"`
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return nil, fmt.Errorf("read the decisions: %w", err)
	}
	return out.Decisions, nil
}
