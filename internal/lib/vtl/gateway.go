package vtl

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf16"

	"lambent.dev/lambent/internal/lib/jsonpath"
)

// Request is what $input shows of a request or of the answer of an integration.
type Request struct {
	// Body is the text of the body.
	Body string
	// Path, Query and Header are the parameters by name, as the template shall see them.
	Path, Query, Header *Map
}

// Variables returns the variables of a mapping template: $input, $util, $context and $stageVariables. A template may change context, to
// which the caller gives the maps requestOverride or responseOverride and reads them afterwards. The result is for one run at a time.
func Variables(req Request, context, stageVariables *Map) map[string]any {
	for _, m := range []**Map{&context, &stageVariables} {
		if *m == nil {
			*m = NewMap()
		}
	}
	return map[string]any{"input": &input{req: req}, "util": util{}, "context": context, "stageVariables": stageVariables}
}

// input is $input. The body is parsed when a path is first asked for.
type input struct {
	req    Request
	parsed bool
	value  any
	params *Map
	looked int // bytes of the body that paths with wildcards have gone through
}

// Property returns the body; that of an empty body is {}.
func (in *input) Property(name string) any {
	if name != "body" {
		return nil
	}
	if in.req.Body == "" {
		return "{}"
	}
	return in.req.Body
}

// Call calls json, path and params.
func (in *input) Call(name string, args []any) (any, bool, error) {
	switch name {
	case "json", "path":
		text, err := argument(name, args)
		if err != nil {
			return nil, true, err
		}
		v, err := in.find(text)
		if err != nil || name == "path" {
			return v, true, err
		}
		if v == nil {
			v = ""
		}
		p := printer{max: DefaultLimits().Output}
		err = p.json(v, 0)
		return string(p.out), true, err
	case "params":
		if len(args) == 0 {
			return in.all(), true, nil
		}
		key, err := argument(name, args)
		return in.param(key), true, err
	}
	return nil, false, nil
}

// find returns what a path leads to in the body. A body that is not JSON is one string.
func (in *input) find(text string) (any, error) {
	if !in.parsed {
		in.parsed = true
		var err error
		if in.value, err = ParseJSON(in.Property("body").(string)); err != nil {
			in.value = in.req.Body
		}
	}
	if text == "$" {
		return in.value, nil
	}
	if !strings.HasPrefix(text, "$") {
		text = "$." + text
	}
	path, err := jsonpath.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the path %q is not supported: %w", text, err)
	}
	found, many := path.Find(in.value)
	if many {
		if in.looked += len(in.req.Body) / 16; in.looked > DefaultLimits().Text {
			return nil, fmt.Errorf("%w of paths with wildcards", ErrLimit)
		}
		return &List{Items: found, json: true}, nil
	}
	if len(found) == 0 {
		return nil, nil
	}
	return found[0], nil
}

// param looks for a parameter in the path, the query string and the headers, in this order.
func (in *input) param(name string) any {
	for _, m := range []*Map{in.req.Path, in.req.Query} {
		if m != nil {
			if v, ok := m.Member(name); ok {
				return v
			}
		}
	}
	if in.req.Header == nil {
		return nil
	}
	if v, ok := in.req.Header.Member(name); ok {
		return v
	}
	for _, k := range in.req.Header.Keys() {
		if strings.EqualFold(k, name) {
			return in.req.Header.Get(k)
		}
	}
	return nil
}

func (in *input) all() *Map {
	if in.params == nil {
		in.params = NewMap()
		for i, m := range []*Map{in.req.Path, in.req.Query, in.req.Header} {
			if m == nil {
				m = NewMap()
			}
			in.params.Put([]string{"path", "querystring", "header"}[i], m)
		}
	}
	return in.params
}

// argument returns the only argument of a method, as text.
func argument(name string, args []any) (string, error) {
	if len(args) != 1 {
		return "", fmt.Errorf("%s takes one argument", name)
	}
	p := printer{max: DefaultLimits().Output}
	if s, ok := args[0].(string); ok {
		return s, nil
	}
	err := p.text(args[0], 0)
	return string(p.out), err
}

// util is $util.
type util struct{}

// Property returns nothing.
func (util) Property(string) any { return nil }

// Call calls the functions of $util.
func (util) Call(name string, args []any) (any, bool, error) {
	switch name {
	case "escapeJavaScript", "parseJson", "urlEncode", "urlDecode", "base64Encode", "base64Decode":
	default:
		return nil, false, nil
	}
	text, err := argument("$util."+name, args)
	if err != nil {
		return nil, true, err
	}
	var out any
	switch name {
	case "escapeJavaScript":
		out = escapeJavaScript(text)
	case "parseJson":
		if out, err = ParseJSON(text); err != nil {
			err = fmt.Errorf("$util.parseJson: %w", err)
		}
	case "urlEncode":
		// Java's URLEncoder leaves * alone and writes ~ as %7E.
		out = strings.NewReplacer("%2A", "*", "~", "%7E").Replace(url.QueryEscape(text))
	case "urlDecode":
		if out, err = url.QueryUnescape(text); err != nil {
			err = fmt.Errorf("$util.urlDecode: %w", err)
		}
	case "base64Encode":
		out = base64.StdEncoding.EncodeToString([]byte(text))
	case "base64Decode":
		var b []byte
		if b, err = base64.StdEncoding.DecodeString(text); err != nil {
			err = fmt.Errorf("$util.base64Decode: %w", err)
		}
		out = strings.ToValidUTF8(string(b), "\ufffd")
	}
	if err != nil {
		return nil, true, err
	}
	return out, true, nil
}

// escapeJavaScript escapes as commons-lang's StringEscapeUtils does, which API Gateway names as its rule: quotes of both kinds, backslash,
// slash, and everything outside of printable ASCII.
func escapeJavaScript(s string) string {
	b := make([]byte, 0, len(s)+16)
	for _, c := range s {
		switch {
		case c == '"' || c == '\'' || c == '\\' || c == '/':
			b = append(b, '\\', byte(c))
		case c >= ' ' && c < 0x7f:
			b = append(b, byte(c))
		case c >= '\b' && c <= '\r' && c != '\v':
			b = append(b, '\\', "btn-fr"[c-'\b'])
		default:
			for _, u := range utf16.AppendRune(nil, c) {
				hex := strconv.FormatUint(uint64(u)|0x10000, 16)
				b = append(append(b, `\u`...), strings.ToUpper(hex[1:])...)
			}
		}
	}
	return string(b)
}
