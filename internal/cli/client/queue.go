package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// QueueMessage is a message of a queue that was looked at.
type QueueMessage struct {
	MessageID  string            `json:"messageId"`
	Sent       time.Time         `json:"sent"`
	State      string            `json:"state"`
	Until      time.Time         `json:"until,omitzero"`
	Received   uint64            `json:"received"`
	Group      string            `json:"group,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	Body       string            `json:"body"`
}

// OutboxMessage is a mail, a text message or a push that was kept instead of being sent.
type OutboxMessage struct {
	Kind    string `json:"kind"`
	To      string `json:"to"`
	Subject string `json:"subject,omitempty"`
	Body    string `json:"body"`
	Time    string `json:"time"`
}

// Peek returns the first messages of a queue without receiving them. Only the root user may look.
func (c *Client) Peek(ctx context.Context, account, queue string, limit int) ([]QueueMessage, error) {
	return list[QueueMessage](ctx, c, "/_lambent/queues/"+account+"/"+url.PathEscape(c.Region)+"/"+url.PathEscape(queue), limit)
}

// Outbox returns the newest messages that were kept instead of being sent. Only the root user may look.
func (c *Client) Outbox(ctx context.Context, account string, limit int) ([]OutboxMessage, error) {
	return list[OutboxMessage](ctx, c, "/_lambent/outbox/"+account+"/"+url.PathEscape(c.Region), limit)
}

func list[M any](ctx context.Context, c *Client, path string, limit int) ([]M, error) {
	_, body, err := c.do(ctx, call{service: "lambent", method: http.MethodGet, target: path + "?limit=" + strconv.Itoa(limit)})
	if err != nil {
		return nil, err
	}
	var out struct {
		Messages []M `json:"messages"`
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return nil, fmt.Errorf("read the messages: %w", err)
	}
	return out.Messages, nil
}
