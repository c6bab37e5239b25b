package cloudevent

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// The media types of the JSON format.
const (
	MediaType      = "application/cloudevents+json"
	BatchMediaType = "application/cloudevents-batch+json"
)

// Event is a CloudEvent.
type Event struct {
	// Attributes are the context attributes by name, extensions among them, as JSON: strings, whole numbers or booleans. specversion, id, source and type are always there.
	Attributes map[string]json.RawMessage
	// Data is the payload as JSON, and Binary the payload where it is not JSON; both are nil for an event without data.
	Data   json.RawMessage
	Binary []byte
}

// New returns an event with the required attributes.
func New(id, source, kind string) *Event {
	e := &Event{Attributes: map[string]json.RawMessage{}}
	for name, v := range map[string]string{"specversion": "1.0", "id": id, "source": source, "type": kind} {
		e.Set(name, v)
	}
	return e
}

// Set gives the event a text attribute; an empty one is left out.
func (e *Event) Set(name, value string) {
	if value == "" {
		return
	}
	b, err := json.Marshal(value)
	if err == nil { // a string has a JSON form
		e.Attributes[name] = b
	}
}

// Get returns a text attribute, or "".
func (e *Event) Get(name string) string {
	var s string
	if v, ok := e.Attributes[name]; ok && json.Unmarshal(v, &s) == nil {
		return s
	}
	return ""
}

// ID returns the id.
func (e *Event) ID() string { return e.Get("id") }

// Source returns the source.
func (e *Event) Source() string { return e.Get("source") }

// Type returns the type.
func (e *Event) Type() string { return e.Get("type") }

// Time returns the time, or the zero time when the event has none.
func (e *Event) Time() time.Time {
	t, _ := time.Parse(time.RFC3339Nano, e.Get("time")) // Parse of the event has checked it
	return t
}

// Parse reads an event in the JSON format. Its errors are for the sender.
func Parse(b []byte) (*Event, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("the event is not a JSON object: %w", err)
	}
	e := &Event{Attributes: doc}
	if data, ok := doc["data"]; ok {
		e.Data = data
		delete(doc, "data")
	}
	if raw, ok := doc["data_base64"]; ok {
		var text string
		if e.Data != nil {
			return nil, errors.New("an event has data or data_base64, not both")
		}
		err := json.Unmarshal(raw, &text)
		if err == nil {
			e.Binary, err = base64.StdEncoding.DecodeString(text)
		}
		if err != nil {
			return nil, errors.New("data_base64 is not a text in base64")
		}
		delete(doc, "data_base64")
	}
	maps.DeleteFunc(doc, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	return e, e.check()
}

// ParseBatch reads a batch in the JSON format.
func ParseBatch(b []byte) ([]*Event, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("the batch is not a JSON array: %w", err)
	}
	out := make([]*Event, 0, len(list))
	for i, raw := range list {
		e, err := Parse(raw)
		if err != nil {
			return nil, fmt.Errorf("event %d: %w", i, err)
		}
		out = append(out, e)
	}
	return out, nil
}

// check holds the rules of the specification about attributes.
func (e *Event) check() error {
	if v := e.Get("specversion"); v != "1.0" {
		return fmt.Errorf("specversion must be 1.0, and is %q", v)
	}
	for _, name := range []string{"id", "source", "type"} {
		if e.Get(name) == "" {
			return fmt.Errorf("the attribute %s must be a text that is not empty", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Attributes)) {
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return fmt.Errorf("the attribute name %q must consist of lower-case letters and digits", name)
		}
		switch e.Attributes[name][0] {
		case '{', '[':
			return fmt.Errorf("the attribute %s must be a text, a number or a boolean", name)
		}
	}
	if _, ok := e.Attributes["time"]; ok {
		if _, err := time.Parse(time.RFC3339Nano, e.Get("time")); err != nil {
			return fmt.Errorf("the attribute time must be a time as RFC 3339 has it: %w", err)
		}
	}
	return nil
}

// JSON returns the event in the JSON format: the required attributes first, then the others by name, then the data.
func (e *Event) JSON() []byte {
	var b bytes.Buffer
	first := []string{"specversion", "id", "source", "type"}
	add := func(name string, v []byte) {
		b.WriteByte(map[bool]byte{true: '{', false: ','}[b.Len() == 0])
		b.WriteByte('"')
		b.WriteString(name)
		b.WriteString(`":`)
		b.Write(v)
	}
	for _, name := range first {
		add(name, e.Attributes[name])
	}
	for _, name := range slices.Sorted(maps.Keys(e.Attributes)) {
		if !slices.Contains(first, name) {
			add(name, e.Attributes[name])
		}
	}
	switch {
	case e.Data != nil:
		add("data", e.Data)
	case e.Binary != nil:
		add("data_base64", []byte(`"`+base64.StdEncoding.EncodeToString(e.Binary)+`"`))
	}
	b.WriteByte('}')
	return b.Bytes()
}
