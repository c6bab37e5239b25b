package wire

import (
	"fmt"
	"net/http"
	"reflect"
	"time"

	"lambent.dev/lambent/internal/awsapi"
)

// hidden is what CloudTrail shows in the place of a sensitive value
// (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).
const hidden = `"HIDDEN_DUE_TO_SECURITY_REASONS"`

// Note returns the input and the output of a call as CloudTrail shows them: JSON objects whose members begin in lower case, in which sensitive values are hidden and
// bodies and blobs are left out; null where there is nothing to show. out is nil for a call that failed.
func (o *Operation) Note(in, out any) (request, response []byte, err error) {
	p, err := o.compile()
	if err != nil {
		return nil, nil, err
	}
	if request, err = note(p.input, in); err != nil {
		return nil, nil, fmt.Errorf("note input of %s: %w", o.Name, err)
	}
	if response, err = note(p.output, out); err != nil {
		return nil, nil, fmt.Errorf("note output of %s: %w", o.Name, err)
	}
	return request, response, nil
}

func note(m *message, value any) ([]byte, error) {
	v := reflect.ValueOf(value)
	if m == nil || value == nil || v.IsNil() {
		return []byte("null"), nil
	}
	b, err := appendNote(nil, m.field, v.Elem(), 0)
	if string(b) == "{}" {
		b = []byte("null")
	}
	return b, err
}

func appendNote(dst []byte, f *field, v reflect.Value, depth int) ([]byte, error) {
	switch {
	case depth > maxDepth:
		return nil, fmt.Errorf("%s is nested too deeply", f.shape.Name)
	case f.shape.Sensitive:
		return append(dst, hidden...), nil
	case f.kind == awsapi.Structure:
		return appendNoteStruct(dst, f.node, v, depth)
	case f.kind == awsapi.List:
		dst = append(dst, '[')
		for i := range v.Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendNoteItem(dst, f.element, v.Index(i), depth); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	case f.kind == awsapi.Map:
		dst = append(dst, '{')
		for i, key := range sortedKeys(v) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendJSONString(dst, key.String()), ':')
			var err error
			if dst, err = appendNoteItem(dst, f.element, v.MapIndex(key), depth); err != nil {
				return nil, err
			}
		}
		return append(dst, '}'), nil
	case f.kind == awsapi.Timestamp:
		t, _ := v.Interface().(time.Time)
		return append(append(append(dst, '"'), t.UTC().Format(http.TimeFormat)...), '"'), nil
	}
	return appendJSON(dst, f, v, depth)
}

func appendNoteItem(dst []byte, f *field, v reflect.Value, depth int) ([]byte, error) {
	v, present := f.item(v)
	if !present {
		return append(dst, "null"...), nil
	}
	return appendNote(dst, f, v, depth+1)
}

func appendNoteStruct(dst []byte, n *node, v reflect.Value, depth int) ([]byte, error) {
	dst = append(dst, '{')
	first := true
	for i := range n.fields {
		f := &n.fields[i]
		if f.shape.EventStream || f.kind == awsapi.Blob || f.Streaming || f.shape.Streaming || f.typ.Kind() == reflect.Interface {
			continue
		}
		value, present := f.value(v)
		if !present {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendJSONString(dst, lowerFirst(f.Name)), ':')
		var err error
		if dst, err = appendNote(dst, f, value, depth+1); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}
