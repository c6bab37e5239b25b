package cli

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/cli/client"
	"lambent.dev/lambent/internal/lib/attr"
)

// plain returns an item as the JSON that people write: numbers are numbers, sets are lists, binaries are base64.
func plain(item attr.Map) []byte { return appendPlainMap(nil, item) }

func appendPlainMap(dst []byte, m attr.Map) []byte {
	dst = append(dst, '{')
	first := true
	for name, v := range m.All() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = appendText(dst, string(name))
		dst = appendPlain(append(dst, ':'), v)
	}
	return append(dst, '}')
}

func appendPlain(dst []byte, v attr.Value) []byte {
	switch t := v.Type(); t {
	case attr.M:
		return appendPlainMap(dst, v.Map())
	case attr.N:
		return v.Number().AppendText(dst)
	case attr.Bool:
		return fmt.Appendf(dst, "%v", v.Bool())
	case attr.S:
		return appendText(dst, v.Text())
	case attr.B:
		return appendText(dst, base64.StdEncoding.EncodeToString(v.Bytes()))
	case attr.L, attr.SS, attr.NS, attr.BS:
		return appendPlainList(dst, v)
	}
	return append(dst, "null"...)
}

func appendPlainList(dst []byte, v attr.Value) []byte {
	dst = append(dst, '[')
	first := true
	comma := func() {
		if !first {
			dst = append(dst, ',')
		}
		first = false
	}
	for _, e := range v.List() {
		comma()
		dst = appendPlain(dst, e)
	}
	for e := range v.Elements() {
		comma()
		switch v.Type() {
		case attr.NS:
			dst = attr.Number(e).AppendText(dst)
		case attr.BS:
			dst = appendText(dst, base64.StdEncoding.EncodeToString(e))
		default:
			dst = appendText(dst, string(e))
		}
	}
	return append(dst, ']')
}

func appendText(dst []byte, text string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil { // a string always can be
		return dst
	}
	return append(dst, bytes.TrimSpace(b.Bytes())...)
}

// parsePlain is the inverse of plain, as far as JSON tells: there are no sets and binaries.
func parsePlain(text []byte) (attr.Map, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var tree map[string]any
	if err := d.Decode(&tree); err != nil {
		return nil, usage{fmt.Errorf("the item is not a JSON object: %w", err)}
	}
	v, err := valueOf(tree)
	return v.Map(), err
}

func valueOf(tree any) (attr.Value, error) {
	switch tree := tree.(type) {
	case map[string]any:
		fields := make([]attr.Field, 0, len(tree))
		for name, e := range tree {
			v, err := valueOf(e)
			if err != nil {
				return nil, err
			}
			fields = append(fields, attr.Field{Name: name, Value: v})
		}
		return attr.NewMap(fields...).Value(), nil
	case []any:
		elems := make([]attr.Value, len(tree))
		for i, e := range tree {
			var err error
			if elems[i], err = valueOf(e); err != nil {
				return nil, err
			}
		}
		return attr.List(elems...), nil
	case json.Number:
		return numberOf(tree.String())
	case string:
		return attr.String(tree), nil
	case bool:
		return attr.Boolean(tree), nil
	}
	return attr.NullValue(), nil
}

func numberOf(text string) (attr.Value, error) {
	n, err := attr.ParseNumber(text)
	if err != nil {
		return nil, usage{fmt.Errorf("%s is no number that a table holds: %w", text, err)}
	}
	return n.Value(), nil
}

// keyValue returns a text as a value of a key attribute's type.
func keyValue(typ, text string) (attr.Value, error) {
	switch typ {
	case "N":
		return numberOf(text)
	case "B":
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, usage{fmt.Errorf("%q is not base64: %w", text, err)}
		}
		return attr.Binary(b), nil
	}
	return attr.String(text), nil
}

// parseKey reads arguments of the form attribute=value into the key of a table.
func parseKey(t *client.Table, args []string) (attr.Map, error) {
	var fields []attr.Field
	for _, arg := range args {
		name, text, ok := strings.Cut(arg, "=")
		isKey := slices.ContainsFunc(t.KeySchema, func(k client.KeyAttribute) bool { return k.AttributeName == name })
		if !ok || !isKey {
			return nil, usage{fmt.Errorf("%q is not part of the key of %s, which is %s", arg, t.TableName, keyForm(t.KeySchema))}
		}
		v, err := keyValue(t.Type(name), text)
		if err != nil {
			return nil, err
		}
		fields = append(fields, attr.Field{Name: name, Value: v})
	}
	key := attr.NewMap(fields...)
	if key.Len() != len(t.KeySchema) {
		return nil, usage{fmt.Errorf("the key of %s is %s", t.TableName, keyForm(t.KeySchema))}
	}
	return key, nil
}

// keyForm writes how a key is given.
func keyForm(keys []client.KeyAttribute) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k.AttributeName + "=…"
	}
	return strings.Join(parts, " ")
}

// keyConditions turns arguments such as id=7 and day>=2026 into the parameters of a Query.
func keyConditions(t *client.Table, args []string) (map[string]any, error) {
	var parts []string
	names, values := map[string]string{}, []attr.Field{}
	add := func(typ, text string) (string, error) {
		v, err := keyValue(typ, text)
		name := fmt.Sprintf(":v%d", len(values))
		values = append(values, attr.Field{Name: name, Value: v})
		return name, err
	}
	for i, arg := range args {
		at := strings.IndexAny(arg, "=<>^")
		if at <= 0 {
			return nil, usage{fmt.Errorf("%q is no condition: write attribute=value, with <, <=, >, >=, ^= (begins with) or attribute=from..to for sort keys", arg)}
		}
		operator := arg[at : at+1]
		if strings.HasPrefix(arg[at+1:], "=") {
			operator += "="
		}
		attribute, text := arg[:at], arg[at+len(operator):]
		typ, name := t.Type(attribute), fmt.Sprintf("#n%d", i)
		names[name] = attribute
		low, high, between := strings.Cut(text, "..")
		if !between || operator != "=" {
			low = text
		}
		v, err := add(typ, low)
		if err != nil {
			return nil, err
		}
		switch {
		case between && operator == "=":
			to, err := add(typ, high)
			if err != nil {
				return nil, err
			}
			parts = append(parts, name+" BETWEEN "+v+" AND "+to)
		case operator == "^=":
			parts = append(parts, "begins_with("+name+", "+v+")")
		case operator == "^":
			return nil, usage{errors.New("write ^= for keys that begin with a text")}
		default:
			parts = append(parts, name+" "+operator+" "+v)
		}
	}
	return map[string]any{
		"TableName": t.TableName, "KeyConditionExpression": strings.Join(parts, " AND "), "ExpressionAttributeNames": names, "ExpressionAttributeValues": attr.NewMap(values...),
	}, nil
}
