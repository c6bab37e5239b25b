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
	// Path, Query and Header return the parameters by name, as the template shall see them; nil for none. They are asked once at most, when a template wants parameters.
	Path, Query, Header func() *Map
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
	// path, query and header are the parameters, and params all of them, once a template has asked for some.
	path, query, header, params *Map
	looked                      int // bytes of the body that paths with wildcards have gone through
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
		path, err := bodyPath(text)
		if err != nil {
			return nil, true, err
		}
		v, err := in.callPath(name, path)
		return v, true, err
	case "params":
		if len(args) == 0 {
			return in.all(), true, nil
		}
		key, err := argument(name, args)
		return in.param(key), true, err
	}
	return nil, false, nil
}

// bodyPath parses a path into the body, whose dollar sign may be left out.
func bodyPath(text string) (*jsonpath.Path, error) {
	if !strings.HasPrefix(text, "$") {
		text = "$." + text
	}
	path, err := jsonpath.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the path %q is not supported: %w", text, err)
	}
	return path, nil
}

// callPath is Call of json or path for a path that has been parsed.
func (in *input) callPath(name string, path *jsonpath.Path) (any, error) {
	v, err := in.find(path)
	if err != nil || name == "path" {
		return v, err
	}
	if v == nil {
		v = ""
	}
	p := printer{max: DefaultLimits().Output}
	err = p.json(v, 0)
	return string(p.out), err
}

// find returns what a path leads to in the body. A body that is not JSON is one string.
func (in *input) find(path *jsonpath.Path) (any, error) {
	if !in.parsed {
		in.parsed = true
		var err error
		if in.value, err = ParseJSON(in.Property("body").(string)); err != nil {
			in.value = in.req.Body
		}
	}
	found, _ := path.Find(in.value)
	if !path.Many() {
		return found, nil
	}
	if in.looked += len(in.req.Body) / 16; in.looked > DefaultLimits().Text {
		return nil, fmt.Errorf("%w of paths with wildcards", ErrLimit)
	}
	list, _ := found.([]any)
	return &List{Items: list, json: true}, nil
}

// param looks for a parameter in the path, the query string and the headers, in this order.
func (in *input) param(name string) any {
	for _, m := range []*Map{once(&in.path, in.req.Path), once(&in.query, in.req.Query)} {
		if v, ok := m.Member(name); ok {
			return v
		}
	}
	header := once(&in.header, in.req.Header)
	if v, ok := header.Member(name); ok {
		return v
	}
	for _, k := range header.Keys() {
		if strings.EqualFold(k, name) {
			return header.Get(k)
		}
	}
	return nil
}

// once returns the map that has been kept, or that which is made now.
func once(kept **Map, parameters func() *Map) *Map {
	if *kept == nil && parameters != nil {
		*kept = parameters()
	}
	if *kept == nil {
		*kept = NewMap()
	}
	return *kept
}

func (in *input) all() *Map {
	if in.params == nil {
		in.params = NewMap()
		in.params.Put("path", once(&in.path, in.req.Path))
		in.params.Put("querystring", once(&in.query, in.req.Query))
		in.params.Put("header", once(&in.header, in.req.Header))
	}
	return in.params
}

// argument returns the only argument of a method, as text.
func argument(name string, args []any) (string, error) {
	if len(args) != 1 {
		return "", fmt.Errorf("%s takes one argument", name)
	}
	if s, ok := args[0].(string); ok {
		return s, nil
	}
	p := printer{max: DefaultLimits().Output}
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
