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

// Execution is a durable execution.
type Execution struct {
	ARN      string  `json:"DurableExecutionArn"`
	Name     string  `json:"DurableExecutionName"`
	Function string  `json:"FunctionArn"`
	Status   string  `json:"Status"`
	Start    float64 `json:"StartTimestamp"`         // Unix seconds
	End      float64 `json:"EndTimestamp,omitempty"` // 0 for one that runs
	// Input, Result and Error are those of [Client.Execution] alone.
	Input  string          `json:"InputPayload,omitempty"`
	Result string          `json:"Result,omitempty"`
	Error  json.RawMessage `json:"Error,omitempty"`
}

// ExecutionEvent is an event of an execution's history. Details are the members that events of its type have.
type ExecutionEvent struct {
	ID      int
	Type    string
	Time    float64 // Unix seconds
	Name    string
	Details json.RawMessage
}

// UnmarshalJSON reads an event in the API's form.
func (e *ExecutionEvent) UnmarshalJSON(b []byte) error {
	var head struct {
		ID   int     `json:"EventId"`
		Type string  `json:"EventType"`
		Time float64 `json:"EventTimestamp"`
		Name string  `json:"Name"`
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &head); err != nil {
		return err
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return err
	}
	*e = ExecutionEvent{head.ID, head.Type, head.Time, head.Name, all[head.Type+"Details"]}
	return nil
}

// UnixTime is the time of a number of seconds as the API has it.
func UnixTime(seconds float64) time.Time { return time.UnixMilli(int64(seconds * 1000)).UTC() }

// Executions lists at most limit durable executions of a function, the newest first; of one status unless that is empty.
func (c *Client) Executions(ctx context.Context, function, status string, limit int) ([]Execution, error) {
	var all []Execution
	query := url.Values{"ReverseOrder": {"true"}}
	if status != "" {
		query.Set("Statuses", status)
	}
	for {
		query.Set("MaxItems", strconv.Itoa(min(limit-len(all), 1000)))
		var page struct {
			DurableExecutions []Execution
			NextMarker        string
		}
		if err := c.lambda(ctx, http.MethodGet, "/2025-12-01/functions/"+url.PathEscape(function)+"/durable-executions?"+query.Encode(), &page); err != nil {
			return nil, err
		}
		if all = append(all, page.DurableExecutions...); page.NextMarker == "" || len(all) >= limit {
			return all, nil
		}
		query.Set("Marker", page.NextMarker)
	}
}

// Execution returns one durable execution.
func (c *Client) Execution(ctx context.Context, arn string) (*Execution, error) {
	var out Execution
	return &out, c.lambda(ctx, http.MethodGet, executionPath(arn), &out)
}

// ExecutionHistory returns the events of a durable execution, the first one first.
func (c *Client) ExecutionHistory(ctx context.Context, arn string) ([]ExecutionEvent, error) {
	var all []ExecutionEvent
	query := url.Values{"IncludeExecutionData": {"true"}}
	for {
		var page struct {
			Events     []ExecutionEvent
			NextMarker string
		}
		if err := c.lambda(ctx, http.MethodGet, executionPath(arn)+"/history?"+query.Encode(), &page); err != nil {
			return nil, err
		}
		if all = append(all, page.Events...); page.NextMarker == "" {
			return all, nil
		}
		query.Set("Marker", page.NextMarker)
	}
}

// StopExecution ends a durable execution.
func (c *Client) StopExecution(ctx context.Context, arn string) error {
	var out struct{}
	return c.lambda(ctx, http.MethodPost, executionPath(arn)+"/stop", &out)
}

func executionPath(arn string) string {
	return "/2025-12-01/durable-executions/" + url.PathEscape(arn)
}

// lambda calls an operation of Lambda without a body.
func (c *Client) lambda(ctx context.Context, method, target string, out any) error {
	_, answer, err := c.do(ctx, call{service: "lambda", method: method, target: target})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("read the answer of lambda: %w", err)
	}
	return nil
}
