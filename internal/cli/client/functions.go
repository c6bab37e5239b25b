package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// Invocation is the answer of a function.
type Invocation struct {
	// Error is "Handled" or "Unhandled" when the function failed.
	Error string
	// Payload is the function's answer.
	Payload []byte
	// Log is the end of the invocation's log.
	Log string
}

// Event is what a function is invoked with.
type Event struct {
	// Function is its name or ARN, with a qualifier or not.
	Function string
	// Payload is the event as JSON; ClientContext is a JSON document, or empty.
	Payload       []byte
	ClientContext string
	// Tenant is whom the function serves, if it isolates its tenants; empty otherwise.
	Tenant string
}

// Invoke runs a function and waits for its answer.
func (c *Client) Invoke(ctx context.Context, e Event) (*Invocation, error) {
	header := http.Header{"X-Amz-Log-Type": {"Tail"}, "Content-Type": {"application/json"}}
	if e.ClientContext != "" {
		header["X-Amz-Client-Context"] = []string{base64.StdEncoding.EncodeToString([]byte(e.ClientContext))}
	}
	if e.Tenant != "" {
		header["X-Amz-Tenant-Id"] = []string{e.Tenant}
	}
	answer, body, err := c.do(ctx, call{
		service: "lambda", method: http.MethodPost, target: "/2015-03-31/functions/" + url.PathEscape(e.Function) + "/invocations",
		header: header, body: e.Payload,
	})
	if err != nil {
		return nil, err
	}
	out := &Invocation{Error: answer.Header.Get("X-Amz-Function-Error"), Payload: body}
	if tail, err := base64.StdEncoding.DecodeString(answer.Header.Get("X-Amz-Log-Result")); err == nil {
		out.Log = string(tail)
	}
	return out, nil
}

// UpdateCode gives a function new code, a zip file.
func (c *Client) UpdateCode(ctx context.Context, function string, zip []byte) error {
	body, err := json.Marshal(map[string][]byte{"ZipFile": zip})
	if err != nil {
		return err
	}
	_, _, err = c.do(ctx, call{
		service: "lambda", method: http.MethodPut, target: "/2015-03-31/functions/" + url.PathEscape(function) + "/code",
		header: http.Header{"Content-Type": {"application/json"}}, body: body,
	})
	return err
}

// LogEvent is a line of a log.
type LogEvent struct {
	ID      string `json:"eventId"`
	Stream  string `json:"logStreamName"`
	Message string `json:"message"`
	// Timestamp and Ingested are Unix milliseconds.
	Timestamp int64 `json:"timestamp"`
	Ingested  int64 `json:"ingestionTime"`
}

// LogEvents returns the events of a log group from a time (Unix milliseconds) on, in order.
func (c *Client) LogEvents(ctx context.Context, group string, from int64, pattern string) ([]LogEvent, error) {
	var all []LogEvent
	in := map[string]any{"logGroupName": group, "startTime": from}
	if pattern != "" {
		in["filterPattern"] = pattern
	}
	for {
		var out struct {
			Events    []LogEvent `json:"events"`
			NextToken string     `json:"nextToken"`
		}
		if err := c.json(ctx, "logs", "Logs_20140328.FilterLogEvents", in, &out); err != nil {
			return nil, err
		}
		if all = append(all, out.Events...); out.NextToken == "" {
			return all, nil
		}
		in["nextToken"] = out.NextToken
	}
}

// json calls an operation of a JSON-protocol API.
func (c *Client) json(ctx context.Context, service, target string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	_, answer, err := c.do(ctx, call{
		service: service, method: http.MethodPost, target: "/",
		header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {target}}, body: body,
	})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read the answer of %s: %w", target, err)
	}
	return nil
}
