package apigatewayv2

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// answer is a function's response, ready to be written.
type answer struct {
	status  int
	headers map[string]string
	cookies []string
	body    []byte
}

// proxyAnswer is the structured form of a response.
type proxyAnswer struct {
	StatusCode        json.RawMessage            `json:"statusCode"`
	Headers           map[string]json.RawMessage `json:"headers"`
	MultiValueHeaders map[string]json.RawMessage `json:"multiValueHeaders"`
	Cookies           []string                   `json:"cookies"`
	Body              *string                    `json:"body"`
	Base64            bool                       `json:"isBase64Encoded"`
}

// parseAnswer reads what a function returned. Without a statusCode the payload itself is the body of a 200 of JSON.
func parseAnswer(payload []byte) (*answer, error) {
	if a, ok := scanAnswer(payload); ok {
		return a, nil
	}
	return decodeAnswer(payload)
}

// decodeAnswer is parseAnswer for every form of response.
func decodeAnswer(payload []byte) (*answer, error) {
	payload = bytes.TrimSpace(payload)
	var p proxyAnswer
	if len(payload) > 0 && payload[0] == '{' {
		if err := json.Unmarshal(payload, &p); err != nil {
			var probe struct {
				StatusCode json.RawMessage `json:"statusCode"`
			}
			if json.Unmarshal(payload, &probe) != nil || probe.StatusCode != nil {
				return nil, fmt.Errorf("response: %w", err)
			}
			p = proxyAnswer{}
		}
	}
	if p.StatusCode == nil {
		return inferred(payload)
	}
	a := &answer{headers: make(map[string]string, len(p.Headers)+1), cookies: p.Cookies}
	var err error
	if a.status, err = strconv.Atoi(strings.Trim(string(p.StatusCode), `"`)); err != nil || a.status < 100 || a.status > 599 {
		return nil, fmt.Errorf("statusCode %s is not an HTTP status", p.StatusCode)
	}
	for name, raw := range p.Headers {
		v, err := scalar(raw)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", name, err)
		}
		if !validHeader(name, v) {
			return nil, fmt.Errorf("header %q cannot be sent", name)
		}
		a.headers[strings.ToLower(name)] = v
	}
	if _, ok := a.headers["content-type"]; !ok {
		a.headers["content-type"] = "text/plain;charset=UTF-8"
	}
	if p.Body == nil {
		return a, nil
	}
	a.body = []byte(*p.Body)
	if p.Base64 {
		if a.body, err = base64.StdEncoding.DecodeString(*p.Body); err != nil {
			return nil, fmt.Errorf("body is not base64: %w", err)
		}
	}
	return a, nil
}

// inferred makes a response of a payload without structure.
func inferred(payload []byte) (*answer, error) {
	a := &answer{status: http.StatusOK, headers: map[string]string{"content-type": "application/json"}, body: payload}
	if len(payload) > 0 && payload[0] == '"' {
		var s string
		if err := json.Unmarshal(payload, &s); err != nil {
			return nil, fmt.Errorf("response: %w", err)
		}
		a.body = []byte(s)
	}
	return a, nil
}

// scalar returns a header value, which may be a string, a number or a boolean.
func scalar(raw json.RawMessage) (string, error) {
	switch {
	case len(raw) == 0 || raw[0] == '{' || raw[0] == '[':
		return "", errors.New("the value is not a string, number or boolean")
	case raw[0] == '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err
	case string(raw) == "null":
		return "", nil
	}
	return string(raw), nil
}

// validHeader reports whether a header can be written without changing the message (RFC 9110, section 5.5).
func validHeader(name, value string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("()<>@,;:\\\"/[]?={}", c) >= 0 {
			return false
		}
	}
	return name != "" && !strings.ContainsAny(value, "\r\n\x00")
}

// write sends the answer. With a CORS configuration the gateway's own CORS headers take the place of the function's.
func (a *answer) write(w http.ResponseWriter, c *exchange) {
	h := w.Header()
	for name, v := range a.headers {
		switch {
		case name == "content-length" || name == "connection" || name == "transfer-encoding" || name == "date":
			continue
		case c.cors != nil && strings.HasPrefix(name, "access-control-"):
			continue
		}
		h[http.CanonicalHeaderKey(name)] = []string{v}
	}
	for _, cookie := range a.cookies {
		if validHeader("set-cookie", cookie) {
			h.Add("Set-Cookie", cookie)
		}
	}
	c.cors.Allow(h, c.request)
	h["Apigw-Requestid"] = []string{c.id}
	h["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	if a.status == http.StatusNoContent || a.status == http.StatusNotModified || a.status < 200 {
		delete(h, "Content-Length")
		w.WriteHeader(a.status)
		return
	}
	w.WriteHeader(a.status)
	if c.request.Method != http.MethodHead {
		_, _ = w.Write(a.body)
	}
}
