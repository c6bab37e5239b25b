package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Debugging is an open debugger of a function. Close ends it.
type Debugging struct {
	// Address is where a debugger attaches, as host:port; Help says how.
	Address string `json:"address"`
	Help    string `json:"help"`

	body io.Closer
}

// Debug opens the debugger of a function: until it is closed, the function's invocations wait for a debugger, run one at a time, and have no limit
// of time. Only the root user may do that.
func (c *Client) Debug(ctx context.Context, function string) (*Debugging, error) {
	answer, err := c.send(ctx, call{service: "lambent", method: http.MethodPost, target: "/_lambent/debug?function=" + url.QueryEscape(function)})
	if err != nil {
		return nil, err
	}
	if answer.StatusCode >= 300 {
		defer answer.Body.Close()
		body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		if err != nil {
			return nil, fmt.Errorf("debug %s: %w", function, err)
		}
		return nil, failure(answer, body)
	}
	d := &Debugging{body: answer.Body}
	if err := json.NewDecoder(answer.Body).Decode(d); err != nil {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("debug %s: %w", function, err)
	}
	return d, nil
}

// Close closes the debugger and ends the environment that it was open for.
func (d *Debugging) Close() error { return d.body.Close() }
