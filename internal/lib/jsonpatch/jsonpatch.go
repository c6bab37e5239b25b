// Package jsonpatch changes JSON documents by patches, as RFC 6902 defines them.
package jsonpatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// maxOperations bounds a patch.
const maxOperations = 1000

// Operation is one change.
type Operation struct {
	Op    string           `json:"op"`
	Path  *string          `json:"path"`
	From  *string          `json:"from"`
	Value *json.RawMessage `json:"value"`
}

// Parse reads a patch and checks that each operation has the members that it needs.
func Parse(text []byte) ([]Operation, error) {
	var ops []Operation
	if err := json.Unmarshal(text, &ops); err != nil {
		return nil, fmt.Errorf("read the patch: %w", err)
	}
	if len(ops) > maxOperations {
		return nil, fmt.Errorf("the patch has %d operations, and %d are the limit", len(ops), maxOperations)
	}
	for i, o := range ops {
		switch {
		case o.Path == nil:
			return nil, fmt.Errorf("operation %d has no path", i)
		case !slices.Contains([]string{"add", "remove", "replace", "move", "copy", "test"}, o.Op):
			return nil, fmt.Errorf("operation %d has the unknown op %q", i, o.Op)
		case o.Value == nil && slices.Contains([]string{"add", "replace", "test"}, o.Op):
			return nil, fmt.Errorf("operation %d (%s) has no value", i, o.Op)
		case o.From == nil && (o.Op == "move" || o.Op == "copy"):
			return nil, fmt.Errorf("operation %d (%s) has no from", i, o.Op)
		}
	}
	return ops, nil
}

// Apply returns the document with all operations applied in their order; none is applied when one fails. The document, which consists of what encoding/json makes of
// JSON, is not changed.
func Apply(document any, ops []Operation) (any, error) {
	document = clone(document)
	for i, o := range ops {
		var err error
		if document, err = o.apply(document); err != nil {
			return nil, fmt.Errorf("operation %d (%s %s): %w", i, o.Op, *o.Path, err)
		}
	}
	return document, nil
}

func (o Operation) apply(doc any) (any, error) {
	path, err := pointer(*o.Path)
	if err != nil {
		return nil, err
	}
	var value any
	switch o.Op {
	case "add", "replace", "test":
		if err := json.Unmarshal(*o.Value, &value); err != nil {
			return nil, fmt.Errorf("read the value: %w", err)
		}
	case "move", "copy":
		from, err := pointer(*o.From)
		if err != nil {
			return nil, err
		}
		if value, err = get(doc, from); err != nil {
			return nil, err
		}
		value = clone(value)
		if o.Op == "move" {
			if len(path) > len(from) && slices.Equal(path[:len(from)], from) {
				return nil, errors.New("a value cannot be moved into itself")
			}
			if doc, err = change(doc, from, "remove", nil); err != nil {
				return nil, err
			}
		}
		return change(doc, path, "add", value)
	}
	if o.Op == "test" {
		have, err := get(doc, path)
		if err == nil && !reflect.DeepEqual(plain(have), value) {
			err = errors.New("the value is another")
		}
		return doc, err
	}
	return change(doc, path, o.Op, value)
}

// pointer splits a JSON pointer (RFC 6901).
func pointer(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	if text[0] != '/' {
		return nil, fmt.Errorf("%q is no JSON pointer", text)
	}
	parts := strings.Split(text[1:], "/")
	for i, p := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(p)
	}
	return parts, nil
}

func get(doc any, path []string) (any, error) {
	for _, name := range path {
		switch v := doc.(type) {
		case map[string]any:
			inner, ok := v[name]
			if !ok {
				return nil, fmt.Errorf("there is no member %q", name)
			}
			doc = inner
		case []any:
			i, err := index(name, len(v)-1)
			if err != nil {
				return nil, err
			}
			doc = v[i]
		default:
			return nil, fmt.Errorf("%q is a member of no object or array", name)
		}
	}
	return doc, nil
}

// index reads the place of an element, which is at most last.
func index(name string, last int) (int, error) {
	i, err := strconv.Atoi(name)
	if err != nil || strconv.Itoa(i) != name || i < 0 || i > last {
		return 0, fmt.Errorf("there is no element %q", name)
	}
	return i, nil
}

// change returns the document with the value at path added, removed or replaced.
func change(doc any, path []string, op string, value any) (any, error) {
	if len(path) == 0 {
		if op == "remove" {
			return nil, errors.New("the whole document cannot be removed")
		}
		return value, nil
	}
	name, rest := path[0], path[1:]
	switch v := doc.(type) {
	case map[string]any:
		return v, changeMember(v, name, rest, op, value)
	case []any:
		return changeElement(v, name, rest, op, value)
	}
	return nil, fmt.Errorf("%q is a member of no object or array", name)
}

func changeMember(v map[string]any, name string, rest []string, op string, value any) error {
	inner, has := v[name]
	if !has && (len(rest) > 0 || op != "add") {
		return fmt.Errorf("there is no member %q", name)
	}
	if len(rest) == 0 && op == "remove" {
		delete(v, name)
		return nil
	}
	changed, err := change(inner, rest, op, value)
	if err == nil {
		v[name] = changed
	}
	return err
}

func changeElement(v []any, name string, rest []string, op string, value any) (any, error) {
	if len(rest) == 0 && op == "add" {
		if name == "-" {
			return append(v, value), nil
		}
		i, err := index(name, len(v))
		if err != nil {
			return nil, err
		}
		return slices.Insert(v, i, value), nil
	}
	i, err := index(name, len(v)-1)
	if err != nil {
		return nil, err
	}
	if len(rest) == 0 && op == "remove" {
		return slices.Delete(v, i, i+1), nil
	}
	v[i], err = change(v[i], rest, op, value)
	return v, err
}

func clone(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := maps.Clone(x)
		for k := range out {
			out[k] = clone(out[k])
		}
		return out
	case []any:
		out := slices.Clone(x)
		for i := range out {
			out[i] = clone(out[i])
		}
		return out
	}
	return v
}

// plain brings integers to the form that they have after JSON.
func plain(v any) any {
	switch x := v.(type) {
	case int64:
		return float64(x)
	case map[string]any:
		out := make(map[string]any, len(x))
		for k := range x {
			out[k] = plain(x[k])
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = plain(x[i])
		}
		return out
	}
	return v
}
