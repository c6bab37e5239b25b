package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Recorded is a past invocation. Payload and ClientContext are those of [Client.Recorded] alone.
type Recorded struct {
	RequestID     string          `json:"requestId"`
	Function      string          `json:"function"`
	Time          time.Time       `json:"time"`
	Size          int             `json:"size"`
	Tenant        string          `json:"tenant,omitempty"`
	ClientContext string          `json:"clientContext,omitempty"`
	Payload       json.RawMessage `json:"payload,omitempty"`
}

// RecordedList returns the last invocations, the newest first. Only the root user may read them.
func (c *Client) RecordedList(ctx context.Context) ([]Recorded, error) {
	var out struct {
		Invocations []Recorded `json:"invocations"`
	}
	err := c.admin(ctx, "/_lambent/invocations", &out)
	return out.Invocations, err
}

// Recorded returns a past invocation with its event. Only the root user may read it.
func (c *Client) Recorded(ctx context.Context, requestID string) (*Recorded, error) {
	var out Recorded
	err := c.admin(ctx, "/_lambent/invocations/"+url.PathEscape(requestID), &out)
	return &out, err
}

// Rehearsal is a function with the tags that say what is rehearsed with it.
type Rehearsal struct {
	Function string            `json:"function"`
	Tags     map[string]string `json:"tags"`
}

// Rehearsals returns the functions with which something is rehearsed. Only the root user may read them.
func (c *Client) Rehearsals(ctx context.Context) ([]Rehearsal, error) {
	var out struct {
		Rehearsals []Rehearsal `json:"rehearsals"`
	}
	err := c.admin(ctx, "/_lambent/rehearsals", &out)
	return out.Rehearsals, err
}

// admin reads from the platform's own administration.
func (c *Client) admin(ctx context.Context, target string, out any) error {
	_, body, err := c.do(ctx, call{service: "lambent", method: http.MethodGet, target: target})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read the answer of %s: %w", target, err)
	}
	return nil
}
