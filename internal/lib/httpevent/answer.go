package httpevent

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Answer is a function's response, ready to be written.
type Answer struct {
	Status int
	// Headers have names in lower case.
	Headers map[string]string
	Cookies []string
	Body    []byte
}

// Rules are in what the planes differ.
type Rules struct {
	// ContentType is that of a structured response which names none.
	ContentType string
	// JSON allows a body that is not a string, which is sent as JSON, and sends JSON without spaces.
	JSON bool
}

// structured is the form of a response with a status.
type structured struct {
	StatusCode json.RawMessage            `json:"statusCode"`
	Headers    map[string]json.RawMessage `json:"headers"`
	Cookies    []string                   `json:"cookies"`
	Body       json.RawMessage            `json:"body"`
	Base64     bool                       `json:"isBase64Encoded"`
}

// Parse reads what a function returned. Without a statusCode the payload itself is the body of a 200 of JSON.
func Parse(payload []byte, rules Rules) (*Answer, error) {
	if a, ok := scan(payload, rules.ContentType); ok {
		return a, nil
	}
	return decode(payload, rules)
}

// decode is Parse for every form of response.
func decode(payload []byte, rules Rules) (*Answer, error) {
	payload = bytes.TrimSpace(payload)
	var p structured
	if len(payload) > 0 && payload[0] == '{' {
		if err := json.Unmarshal(payload, &p); err != nil {
			var probe struct {
				StatusCode json.RawMessage `json:"statusCode"`
			}
			if json.Unmarshal(payload, &probe) != nil || probe.StatusCode != nil {
				return nil, fmt.Errorf("response: %w", err)
			}
			p = structured{}
		}
	}
	if p.StatusCode == nil {
		return inferred(payload, rules)
	}
	return p.answer(rules)
}

// answer checks a structured response.
func (p *structured) answer(rules Rules) (*Answer, error) {
	a := &Answer{Headers: make(map[string]string, len(p.Headers)+1), Cookies: p.Cookies}
	var err error
	if a.Status, err = strconv.Atoi(strings.Trim(string(p.StatusCode), `"`)); err != nil || a.Status < 100 || a.Status > 599 {
		return nil, fmt.Errorf("statusCode %s is not an HTTP status", p.StatusCode)
	}
	for name, raw := range p.Headers {
		v, err := scalar(raw)
		if err != nil {
			return nil, fmt.Errorf("header %s: %w", name, err)
		}
		if !ValidHeader(name, v) {
			return nil, fmt.Errorf("header %q cannot be sent", name)
		}
		a.Headers[strings.ToLower(name)] = v
	}
	if _, ok := a.Headers["content-type"]; !ok {
		a.Headers["content-type"] = rules.ContentType
	}
	a.Body, err = p.body(rules)
	return a, err
}

// body is the bytes of a structured response's body.
func (p *structured) body(rules Rules) ([]byte, error) {
	if len(p.Body) == 0 || string(p.Body) == "null" {
		return nil, nil
	}
	if p.Body[0] != '"' && rules.JSON {
		return compact(p.Body), nil
	}
	var text string
	if err := json.Unmarshal(p.Body, &text); err != nil {
		return nil, fmt.Errorf("body: %w", err)
	}
	if !p.Base64 {
		return []byte(text), nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("body is not base64: %w", err)
	}
	return b, nil
}

// compact is a JSON document without spaces.
func compact(doc []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, doc) != nil {
		return doc
	}
	return b.Bytes()
}

// inferred makes a response of a payload without structure.
func inferred(payload []byte, rules Rules) (*Answer, error) {
	a := &Answer{Status: http.StatusOK, Headers: map[string]string{"content-type": "application/json"}, Body: payload}
	if len(payload) > 0 && payload[0] == '"' {
		var s string
		if err := json.Unmarshal(payload, &s); err != nil {
			return nil, fmt.Errorf("response: %w", err)
		}
		a.Body = []byte(s)
	} else if rules.JSON {
		a.Body = compact(payload)
	}
	return a, nil
}

// StreamType is the content type with which a function says that its streamed answer begins with a head.
const StreamType = "application/vnd.awslambda.http-integration-response"

const (
	// maxHead bounds the head of a streamed answer, in bytes.
	maxHead = 64 << 10
	// headEnd is the number of zero bytes that end it.
	headEnd = 8
)

// ReadStreamed reads the head of an answer that a function streams and returns it with the body that follows. With StreamType the head is a JSON
// document of status, headers and cookies, and eight zero bytes (https://docs.aws.amazon.com/lambda/latest/dg/config-rs-write-functions.html);
// with any other content type everything is the body.
func ReadStreamed(contentType string, stream io.Reader) (head *Answer, body io.Reader, err error) {
	if contentType != StreamType {
		if contentType == "" {
			contentType = "application/octet-stream"
		}
		return &Answer{Status: http.StatusOK, Headers: map[string]string{"content-type": contentType}}, stream, nil
	}
	document, body, err := ReadHead(stream, maxHead)
	if err != nil {
		return nil, nil, err
	}
	var p structured
	if err := json.Unmarshal(document, &p); err != nil {
		return nil, nil, fmt.Errorf("head of the response: %w", err)
	}
	if p.StatusCode == nil {
		p.StatusCode = json.RawMessage("200")
	}
	head, err = p.answer(Rules{ContentType: "application/octet-stream"})
	return head, body, err
}

// ReadHead reads the JSON document in front of a streamed answer, which eight zero bytes end, and returns it with the body that follows. A document of more
// than limit bytes is an error.
func ReadHead(stream io.Reader, limit int) (document []byte, body io.Reader, err error) {
	r := bufio.NewReader(stream)
	for zeros := 0; zeros < headEnd; {
		c, err := r.ReadByte()
		if err != nil {
			return nil, nil, fmt.Errorf("head of the response: %w", err)
		}
		if document = append(document, c); len(document) > limit {
			return nil, nil, fmt.Errorf("the head of the response has more than %d bytes", limit)
		}
		if zeros++; c != 0 {
			zeros = 0
		}
	}
	return document[:len(document)-headEnd], r, nil
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

// ValidHeader reports whether a header can be written without changing the message (RFC 9110, section 5.5).
func ValidHeader(name, value string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("()<>@,;:\\\"/[]?={}", c) >= 0 {
			return false
		}
	}
	return name != "" && !strings.ContainsAny(value, "\r\n\x00")
}

// Write sends the answer to r. With a CORS configuration its headers take the place of the function's. What is in the header of w already stays.
func (a *Answer) Write(w http.ResponseWriter, r *http.Request, cors *CORS) {
	a.Fill(w.Header(), r, cors)
	w.Header()["Content-Length"] = []string{strconv.Itoa(len(a.Body))}
	if Bodiless(a.Status) {
		delete(w.Header(), "Content-Length")
	}
	w.WriteHeader(a.Status)
	if r.Method != http.MethodHead && !Bodiless(a.Status) {
		_, _ = w.Write(a.Body)
	}
}

// WriteStream is Write with a body that is sent while it arrives. The error is that of the body or of the connection.
func (a *Answer) WriteStream(w http.ResponseWriter, r *http.Request, cors *CORS, body io.Reader) error {
	a.Fill(w.Header(), r, cors)
	w.WriteHeader(a.Status)
	if r.Method == http.MethodHead || Bodiless(a.Status) {
		return nil
	}
	control := http.NewResponseController(w)
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			if err := control.Flush(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Bodiless reports whether answers of a status have no body.
func Bodiless(status int) bool {
	return status == http.StatusNoContent || status == http.StatusNotModified || status < 200
}

// Fill sets the headers of the answer to r, those of CORS among them; with a CORS configuration they take the place of the function's.
func (a *Answer) Fill(h http.Header, r *http.Request, cors *CORS) {
	for name, v := range a.Headers {
		switch {
		case name == "content-length" || name == "connection" || name == "transfer-encoding" || name == "date":
			continue
		case cors != nil && strings.HasPrefix(name, "access-control-"):
			continue
		}
		h[http.CanonicalHeaderKey(name)] = []string{v}
	}
	for _, cookie := range a.Cookies {
		if ValidHeader("set-cookie", cookie) {
			h.Add("Set-Cookie", cookie)
		}
	}
	cors.Allow(h, r)
}
