package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/awsapi/lambda"
)

// client makes calls of the REST JSON protocol from nothing but the API's schema, so that a call has exactly the members that its input has.
type client struct {
	base   string
	signer sigv4.Signer
}

// answer is what a call got.
type answer struct {
	status        int
	output        map[string]any
	code, message string
}

func operation(name string) (*awsapi.Operation, error) {
	schema, err := lambda.API.Schema()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(schema.Operations, func(o *awsapi.Operation) bool { return o.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("there is no operation %s", name)
	}
	return schema.Operations[i], nil
}

func (c *client) call(ctx context.Context, name string, input map[string]any) (*answer, error) {
	op, err := operation(name)
	if err != nil {
		return nil, err
	}
	r, body, err := c.request(ctx, op, input)
	if err != nil {
		return nil, err
	}
	if err := c.signer.SignHTTP(r, sigv4.Hash(body), time.Now()); err != nil {
		return nil, err
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = got.Body.Close() }()
	raw, err := io.ReadAll(got.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{status: got.StatusCode, output: map[string]any{}}
	if len(raw) > 0 && json.Unmarshal(raw, &a.output) != nil {
		a.output = map[string]any{"Payload": string(raw)}
	}
	for i := range outputs(op) {
		if m := op.Output.Members[i]; m.Location == awsapi.StatusCode && got.StatusCode < 300 {
			a.output[m.Name] = float64(got.StatusCode)
		}
	}
	if got.StatusCode >= 300 {
		a.code, _, _ = strings.Cut(got.Header.Get("X-Amzn-Errortype"), ":")
		for _, key := range []string{"message", "Message"} {
			if m, ok := a.output[key].(string); ok {
				a.message = m
			}
		}
	}
	return a, nil
}

// outputs is how many members the operation's output has.
func outputs(op *awsapi.Operation) int {
	if op.Output == nil {
		return 0
	}
	return len(op.Output.Members)
}

// request puts the members of an input where they travel.
func (c *client) request(ctx context.Context, op *awsapi.Operation, input map[string]any) (*http.Request, []byte, error) {
	path, query, _ := strings.Cut(op.URI, "?")
	params, err := url.ParseQuery(query)
	if err != nil {
		return nil, nil, err
	}
	header, document := http.Header{}, map[string]any{}
	var body []byte
	for name, v := range input {
		i := slices.IndexFunc(op.Input.Members, func(m awsapi.Member) bool { return m.Name == name })
		if i < 0 {
			return nil, nil, fmt.Errorf("%s has no member %s", op.Name, name)
		}
		m := op.Input.Members[i]
		wire := m.WireName
		if wire == "" {
			wire = m.Name
		}
		switch {
		case name == op.Input.Payload:
			body = []byte(fmt.Sprint(v))
		case m.Location == awsapi.URI:
			path = strings.ReplaceAll(path, "{"+wire+"}", strings.ReplaceAll(url.QueryEscape(fmt.Sprint(v)), "+", "%20"))
		case m.Location == awsapi.QueryString:
			list, ok := v.([]any)
			if !ok {
				list = []any{v}
			}
			for _, item := range list {
				params.Add(wire, fmt.Sprint(item))
			}
		case m.Location == awsapi.Header:
			header.Set(wire, fmt.Sprint(v))
		default:
			document[wire] = v
		}
	}
	if len(document) > 0 {
		if body, err = json.Marshal(document); err != nil {
			return nil, nil, err
		}
	}
	target := c.base + path
	if len(params) > 0 {
		target += "?" + params.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, op.Method, target, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	r.Header = header
	r.Header.Set("Content-Type", "application/json")
	return r, body, nil
}
