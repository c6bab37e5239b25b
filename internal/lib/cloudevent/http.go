package cloudevent

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"
)

const headerPrefix = "Ce-"

// Read reads the events of an HTTP message in any mode: structured and batched by the media type, binary otherwise. Its errors are for the sender.
func Read(h http.Header, body []byte) ([]*Event, error) {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil && h.Get("Content-Type") != "" {
		return nil, fmt.Errorf("the header Content-Type cannot be read: %w", err)
	}
	switch {
	case kind == MediaType:
		e, err := Parse(body)
		return []*Event{e}, err
	case kind == BatchMediaType:
		return ParseBatch(body)
	case strings.HasPrefix(kind, "application/cloudevents"):
		return nil, fmt.Errorf("events in the format %s are not read; send %s, %s or the binary mode", kind, MediaType, BatchMediaType)
	case h.Get("Ce-Specversion") == "":
		return nil, fmt.Errorf("the request is no CloudEvent: it has neither the media type %s nor the header ce-specversion", MediaType)
	}
	e, err := readBinary(h, kind, body)
	return []*Event{e}, err
}

// readBinary reads the binary mode: attributes are headers, and the body is the data.
func readBinary(h http.Header, kind string, body []byte) (*Event, error) {
	e := &Event{Attributes: map[string]json.RawMessage{}}
	for name, values := range h {
		attribute, ok := strings.CutPrefix(name, headerPrefix)
		if !ok {
			continue
		}
		v, err := unescape(values[0])
		if err != nil {
			return nil, fmt.Errorf("the header %s: %w", strings.ToLower(name), err)
		}
		e.Set(strings.ToLower(attribute), v)
	}
	e.Set("datacontenttype", h.Get("Content-Type"))
	switch {
	case len(body) == 0:
	case isJSON(kind) && json.Valid(body):
		e.Data = body
	case strings.HasPrefix(kind, "text/") && utf8.Valid(body):
		text, err := json.Marshal(string(body))
		if err != nil {
			return nil, err
		}
		e.Data = text
	default:
		e.Binary = body
	}
	return e, e.check()
}

// isJSON tells whether a media type, without its parameters, is one of JSON.
func isJSON(kind string) bool {
	_, sub, _ := strings.Cut(kind, "/")
	return sub == "json" || strings.HasSuffix(sub, "+json")
}

// WriteBinary puts the attributes of the event into h as the binary mode has them, and returns the body.
func (e *Event) WriteBinary(h http.Header) []byte {
	for name := range e.Attributes {
		if name == "datacontenttype" {
			continue
		}
		v := string(e.Attributes[name])
		if v[0] == '"' {
			v = e.Get(name)
		}
		h.Set(headerPrefix+name, escape(v))
	}
	content := e.Get("datacontenttype")
	body := e.Binary
	if e.Data != nil {
		body = e.Data
		if content == "" {
			content = "application/json"
		}
		kind, _, _ := mime.ParseMediaType(content) // an empty kind is not JSON
		var text string
		if !isJSON(kind) && json.Unmarshal(e.Data, &text) == nil {
			body = []byte(text)
		}
	}
	if content != "" {
		h.Set("Content-Type", content)
	}
	return body
}

const upperHex = "0123456789ABCDEF"

// escape writes an attribute as a header (section 3.1.3.2 of the binding).
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c > '~' || c == '"' || c == '%' {
			b.WriteByte('%')
			b.WriteByte(upperHex[c>>4])
			b.WriteByte(upperHex[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// unescape reads an attribute from a header: a quoted string is taken out of its quotes, then percent encodings are decoded; a % that begins none stands for itself.
func unescape(s string) (string, error) {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		var b strings.Builder
		for i := 1; i < len(s)-1; i++ {
			if s[i] == '\\' && i+1 < len(s)-1 {
				i++
			}
			b.WriteByte(s[i])
		}
		s = b.String()
	}
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			hi, lo := fromHex(s[i+1]), fromHex(s[i+2])
			if hi >= 0 && lo >= 0 {
				out = append(out, byte(hi<<4|lo))
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	if !utf8.Valid(out) {
		return "", errors.New("it is not UTF-8")
	}
	return string(out), nil
}

func fromHex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
