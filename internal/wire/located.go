package wire

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/awsapi"
)

// decodeLocated reads the members that travel in the path, the query string and
// the headers, and returns the mask of the required ones it found.
func (o *Operation) decodeLocated(req *Request, m *message, v reflect.Value, t *trail) (uint64, error) {
	query, err := req.parameters()
	if err != nil {
		return 0, &misplaced{err: err}
	}
	seen := uint64(0)
	for i, place := range m.labels {
		if place < 0 || i >= len(req.labels) {
			continue
		}
		f := &m.fields[place]
		seen |= f.ordinal
		if err := f.setText(f.target(v), req.labels[i]); err != nil {
			return 0, &misplaced{err: &mismatch{fmt.Sprintf("%s: %v", t.path(f.Name), err)}}
		}
	}
	for _, place := range m.located {
		f := &m.fields[place]
		name := firstOf(f.WireName, f.Name)
		found := false
		switch f.Location {
		case awsapi.Header:
			found, err = f.setHeader(v, req)
		case awsapi.Headers:
			found = f.setHeaders(v, req.Header, f.WireName)
		case awsapi.QueryString:
			if number := f.kind == awsapi.Integer || f.kind == awsapi.Long; number && o.API.dialect.emptyNumbers && strings.Join(query[name], "") == "" {
				continue
			}
			found, err = m.setQuery(f, v, query, name)
		}
		if err != nil {
			value := req.Header.Get(name)
			if f.Location == awsapi.QueryString {
				value = strings.Join(query[name], ",")
			}
			return 0, &misplaced{&mismatch{fmt.Sprintf("%s: %v", t.path(f.Name), err)}, f.kind, name, value}
		}
		if found {
			seen |= f.ordinal
		}
	}
	return seen, nil
}

func (f *field) setHeader(v reflect.Value, req *Request) (bool, error) {
	values := req.Header[f.headerName]
	if len(values) == 0 {
		if f.headerName != "Content-Length" || req.ContentLength < 0 {
			return false, nil
		}
		values = []string{strconv.FormatInt(req.ContentLength, 10)}
	}
	target := f.target(v)
	switch {
	case f.kind == awsapi.List:
		for _, item := range splitHeader(values, f.element.kind == awsapi.Timestamp) {
			if err := f.element.setText(f.element.inside(grow(target)), item); err != nil {
				return true, err
			}
		}
		return true, nil
	case f.JSONValue:
		text, err := base64.StdEncoding.DecodeString(values[0])
		if err != nil {
			return true, fmt.Errorf("%q is not base64", values[0])
		}
		target.SetString(string(text))
		return true, nil
	}
	return true, f.setText(target, values[0])
}

// splitHeader splits a list in headers at its commas, of which a date has one
// of its own; quoted items are unquoted.
func splitHeader(values []string, dates bool) []string {
	var items []string
	for _, value := range values {
		for value != "" {
			var item string
			value = strings.TrimLeft(value, " \t")
			if strings.HasPrefix(value, `"`) {
				item, value = unquoteHeader(value)
			} else {
				item, value = cutComma(value)
				if dates && len(item) == 3 {
					var rest string
					rest, value = cutComma(value)
					item += "," + rest
				}
				item = strings.TrimSpace(item)
			}
			items = append(items, item)
		}
	}
	return items
}

func cutComma(s string) (before, after string) {
	before, after, _ = strings.Cut(s, ",")
	return before, after
}

func unquoteHeader(s string) (item, rest string) {
	var b strings.Builder
	i := 1
	for ; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	if i < len(s) {
		i++
	}
	_, rest, _ = strings.Cut(s[i:], ",")
	return b.String(), rest
}

// setHeaders fills a map from all headers with a prefix; the keys are in lower
// case, as HTTP does not keep them.
func (f *field) setHeaders(v reflect.Value, header http.Header, prefix string) bool {
	target := f.target(v)
	for name, values := range header {
		if len(name) < len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) || len(values) == 0 {
			continue
		}
		if target.IsNil() {
			target.Set(reflect.MakeMap(f.typ))
		}
		key := strings.ToLower(name[len(prefix):])
		target.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(strings.Join(values, ",")).Convert(f.typ.Elem()))
	}
	return !target.IsNil()
}

func (m *message) setQuery(f *field, v reflect.Value, query map[string][]string, name string) (bool, error) {
	if f.kind == awsapi.Map {
		return m.setQueryMap(f, v, query)
	}
	values := query[name]
	if len(values) == 0 {
		return false, nil
	}
	target := f.target(v)
	if f.kind != awsapi.List {
		return true, f.setText(target, values[0])
	}
	for _, value := range values {
		if err := f.element.setText(f.element.inside(grow(target)), value); err != nil {
			return true, err
		}
	}
	return true, nil
}

// setQueryMap fills a map with the parameters that no other member takes.
func (m *message) setQueryMap(f *field, v reflect.Value, query map[string][]string) (bool, error) {
	target := f.target(v)
	for name, values := range query {
		if m.hasQuery(name) {
			continue
		}
		if target.IsNil() {
			target.Set(reflect.MakeMap(f.typ))
		}
		if f.element.kind == awsapi.List {
			target.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(slices.Clone(values)).Convert(f.typ.Elem()))
			continue
		}
		item := reflect.New(f.typ.Elem()).Elem()
		if err := f.element.setText(f.element.inside(item), values[0]); err != nil {
			return true, err
		}
		target.SetMapIndex(reflect.ValueOf(name), item)
	}
	return !target.IsNil(), nil
}

// hasQuery reports whether a parameter has a member of its own.
func (m *message) hasQuery(name string) bool {
	for _, place := range m.located {
		f := &m.fields[place]
		if f.Location == awsapi.QueryString && f.kind != awsapi.Map && firstOf(f.WireName, f.Name) == name {
			return true
		}
	}
	return false
}

// writeLocated sets the headers of an answer and returns its status, 0 when no
// member says one.
func writeLocated(header http.Header, n *node, v reflect.Value) int {
	status := 0
	for i := range n.fields {
		f := &n.fields[i]
		if f.body() {
			continue
		}
		value, present := f.value(v)
		if !present {
			continue
		}
		name := firstOf(f.WireName, f.Name)
		switch f.Location {
		case awsapi.StatusCode:
			status = int(value.Int())
		case awsapi.Header:
			if text := f.headerText(value); text != "" {
				header.Set(name, text)
			}
		case awsapi.Headers:
			for _, key := range sortedKeys(value) {
				// The name goes out as it is, and not as http.Header would write it: clients make the keys of a map of it.
				header[strings.ToLower(f.WireName)+key.String()] = []string{value.MapIndex(key).String()}
			}
		}
	}
	return status
}

func (f *field) headerText(v reflect.Value) string {
	switch {
	case f.kind == awsapi.List:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = f.element.text(v.Index(i), formatHTTPDate)
			if f.element.kind == awsapi.String && strings.ContainsAny(items[i], `",`) {
				items[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(items[i]) + `"`
			}
		}
		return strings.Join(items, ", ")
	case f.JSONValue:
		return base64.StdEncoding.EncodeToString([]byte(v.String()))
	}
	return f.text(v, formatHTTPDate)
}
