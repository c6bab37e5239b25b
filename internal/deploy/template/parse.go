package template

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// Bounds of a template: its text in bytes, its values with aliases expanded, and its nesting.
//
// CloudFormation takes 1 MB from a URL, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html.
const (
	MaxBytes = 1_000_000
	MaxNodes = 200_000
	MaxDepth = 100
)

// Document is a parsed template: plain values and the positions of the values it was written with.
type Document struct {
	// Root is the top-level mapping.
	Root map[string]any
	pos  map[string]Position
}

// Position returns where the value at path stands in the text.
func (d *Document) Position(path ...string) (Position, bool) {
	p, ok := d.pos[strings.Join(path, "\x00")]
	return p, ok
}

// WithRoot returns a document with another root and the same positions: what a transform makes of a template.
func (d *Document) WithRoot(root map[string]any) *Document {
	return &Document{Root: root, pos: d.pos}
}

// Parse reads a template, in JSON when its first character is a brace and in YAML otherwise.
func Parse(text []byte) (*Document, error) {
	p := &parser{pos: map[string]Position{}}
	value, err := p.parse(text)
	if err != nil {
		return nil, err
	}
	root, ok := value.(map[string]any)
	if !ok {
		return nil, Errorf("Template format error: unsupported structure.")
	}
	return &Document{Root: root, pos: p.pos}, nil
}

// ParseValue reads a part of a template, which may be any value.
func ParseValue(text []byte) (any, error) { return (&parser{pos: map[string]Position{}}).parse(text) }

func (p *parser) parse(text []byte) (any, error) {
	if len(text) > MaxBytes {
		return nil, Errorf("Template may not exceed %d bytes in size; this one has %d.", MaxBytes, len(text))
	}
	if !utf8.Valid(text) {
		return nil, Errorf("Template format error: the text is not UTF-8.")
	}
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return p.yaml(text)
	}
	value, err := p.json(text)
	if err == nil || errors.As(err, new(*Error)) {
		return value, err
	}
	// Flow-style YAML also begins with a brace.
	*p = parser{pos: map[string]Position{}}
	if v, yamlErr := p.yaml(text); yamlErr == nil {
		return v, nil
	}
	var syntax *json.SyntaxError
	if errors.As(json.Unmarshal(text, new(json.RawMessage)), &syntax) {
		at := newLineIndex(text).position(syntax.Offset)
		return nil, Errorf("Template format error: JSON not well-formed. (line %d, column %d)", at.Line, at.Column+1)
	}
	return nil, Errorf("Template format error: JSON not well-formed. (%v)", err)
}

type parser struct {
	pos   map[string]Position
	path  []string
	nodes int
}

func (p *parser) enter(at Position) error {
	p.nodes++
	if p.nodes > MaxNodes {
		return &Error{Message: "Template format error: more than " + strconv.Itoa(MaxNodes) + " values; check for aliases that repeat one another.", Position: at}
	}
	if len(p.path) > MaxDepth {
		return &Error{Message: "Template format error: nested more than " + strconv.Itoa(MaxDepth) + " levels deep.", Position: at}
	}
	if at.Line > 0 && len(p.path) > 0 {
		p.pos[strings.Join(p.path, "\x00")] = at
	}
	return nil
}

func (p *parser) push(key string) { p.path = append(p.path, key) }
func (p *parser) pop()            { p.path = p.path[:len(p.path)-1] }

func (p *parser) yaml(text []byte) (any, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, Errorf("Template format error: the template is empty.")
		}
		return nil, Errorf("Template format error: YAML not well-formed. (%s)", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, Errorf("Template format error: the text holds more than one YAML document.")
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, Errorf("Template format error: unsupported structure.")
	}
	return p.node(doc.Content[0])
}

func (p *parser) node(n *yaml.Node) (any, error) {
	at := Position{n.Line, n.Column}
	if err := p.enter(at); err != nil {
		return nil, err
	}
	if n.Kind == yaml.AliasNode {
		return p.nested(n.Alias)
	}
	tag := n.Tag
	if !strings.HasPrefix(tag, "!") || strings.HasPrefix(tag, "!!") {
		return p.plain(n)
	}
	name, ok := shortTags[tag[1:]]
	if !ok {
		return nil, &Error{Message: "Template format error: unknown tag " + tag + ".", Position: at}
	}
	bare := *n
	bare.Tag = ""
	var value any
	var err error
	if n.Kind == yaml.ScalarNode {
		value = scalar(n.Value, n.Style != 0 && n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0)
		if name == "Ref" || name == "Condition" || name == "Fn::GetAtt" || name == "Fn::Sub" {
			value = n.Value
		}
	} else {
		p.push(name)
		value, err = p.plain(&bare)
		p.pop()
		if err != nil {
			return nil, err
		}
	}
	if s, isString := value.(string); isString && name == "Fn::GetAtt" {
		resource, attribute, found := strings.Cut(s, ".")
		if !found {
			return nil, &Error{Message: "Template error: !GetAtt needs Resource.Attribute, not " + strconv.Quote(s) + ".", Position: at}
		}
		value = []any{resource, attribute}
	}
	return map[string]any{name: value}, nil
}

// nested expands an alias; the depth and node bounds keep it from growing without end.
func (p *parser) nested(n *yaml.Node) (any, error) {
	p.push("*")
	defer p.pop()
	saved := p.pos
	p.pos = map[string]Position{}
	defer func() { p.pos = saved }()
	return p.node(n)
}

func (p *parser) plain(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		return p.mapping(n)
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for i, c := range n.Content {
			p.push(strconv.Itoa(i))
			v, err := p.node(c)
			p.pop()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case yaml.AliasNode:
		return p.nested(n.Alias)
	case yaml.ScalarNode:
		quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0 || (n.Style&yaml.TaggedStyle != 0 && n.Tag == "!!str")
		return scalar(n.Value, quoted), nil
	}
	return nil, &Error{Message: "Template format error: unsupported structure.", Position: Position{n.Line, n.Column}}
}

func (p *parser) mapping(n *yaml.Node) (any, error) {
	m := make(map[string]any, len(n.Content)/2)
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		at := Position{k.Line, k.Column}
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			return nil, &Error{Message: "Template format error: a key must be a string.", Position: at}
		}
		if k.Tag == "!!merge" {
			merges = append(merges, v)
			continue
		}
		if _, twice := m[k.Value]; twice {
			return nil, &Error{Message: "Template format error: duplicate key " + strconv.Quote(k.Value) + ".", Position: at}
		}
		p.push(k.Value)
		value, err := p.node(v)
		if err == nil && v.Kind != yaml.AliasNode {
			p.pos[strings.Join(p.path, "\x00")] = at
		}
		p.pop()
		if err != nil {
			return nil, err
		}
		m[k.Value] = value
	}
	for _, v := range merges {
		if err := p.merge(m, v); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// merge adds the keys of a "<<" entry that m does not have.
func (p *parser) merge(m map[string]any, n *yaml.Node) error {
	value, err := p.nested(n)
	if err != nil {
		return err
	}
	sources, ok := value.([]any)
	if !ok {
		sources = []any{value}
	}
	for _, s := range sources {
		from, ok := s.(map[string]any)
		if !ok {
			return &Error{Message: "Template format error: << needs a mapping.", Position: Position{n.Line, n.Column}}
		}
		for k, v := range from {
			if _, has := m[k]; !has {
				m[k] = v
			}
		}
	}
	return nil
}

func (p *parser) json(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	lines := newLineIndex(text)
	value, err := p.jsonValue(dec, lines)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, Errorf("Template format error: JSON not well-formed. (text after the end of the template)")
	}
	return value, nil
}

func (p *parser) jsonValue(dec *json.Decoder, lines lineIndex) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if err := p.enter(lines.position(dec.InputOffset())); err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return p.jsonObject(dec, lines)
		}
		list := []any{}
		for i := 0; dec.More(); i++ {
			p.push(strconv.Itoa(i))
			v, err := p.jsonValue(dec, lines)
			p.pop()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	case json.Number:
		return number(t.String()), nil
	default:
		return t, nil
	}
}

func (p *parser) jsonObject(dec *json.Decoder, lines lineIndex) (any, error) {
	m := map[string]any{}
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string)
		if _, twice := m[key]; twice {
			return nil, &Error{Message: "Template format error: duplicate key " + strconv.Quote(key) + ".", Position: lines.position(dec.InputOffset())}
		}
		p.push(key)
		v, err := p.jsonValue(dec, lines)
		p.pop()
		if err != nil {
			return nil, err
		}
		m[key] = v
	}
	_, err := dec.Token()
	return m, err
}

// lineIndex holds the offsets of line breaks.
type lineIndex []int

func newLineIndex(text []byte) lineIndex {
	var idx lineIndex
	for i, b := range text {
		if b == '\n' {
			idx = append(idx, i)
		}
	}
	return idx
}

func (l lineIndex) position(offset int64) Position {
	lo, hi := 0, len(l)
	for lo < hi {
		if mid := (lo + hi) / 2; int64(l[mid]) < offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	start := 0
	if lo > 0 {
		start = l[lo-1] + 1
	}
	return Position{lo + 1, int(offset) - start}
}
