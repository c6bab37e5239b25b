package awsapi

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ParseSchema parses a schema text, which is a list of lines:
//
//	op PutItem POST / in=PutItemInput out=PutItemOutput err=ResourceNotFoundException,…
//	structure PutItemInput
//	 TableName! TableName
//	 Item! AttributeMap name=item
//	string TableName min=3 max=255 pattern=[a-zA-Z0-9_.-]+
//	list TagList Tag flat
//	map Tags TagKey TagValue
//
// A shape starts at the margin and its members follow it, one space in. A "!"
// behind a member's name marks it required. Attributes are words or key=value;
// a value with spaces or quotes is a Go string literal. Shapes without
// constraints have no line: they are written as a dot and their kind, such as
// ".string". A list's or map's element attributes are prefixed with "e." and a
// map's key's with "k.".
func ParseSchema(text string) (*Schema, error) {
	p := &parser{schema: &Schema{Shapes: make(map[string]*Shape), byName: make(map[string]*Operation)}}
	for n := 1; text != ""; n++ {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	for name, s := range p.schema.Shapes {
		if s.Kind == 0 {
			return nil, fmt.Errorf("shape %q is used but not defined", name)
		}
	}
	return p.schema, nil
}

type parser struct {
	schema  *Schema
	current *Shape
}

func (p *parser) line(line string) error {
	w := words{rest: line}
	if line[0] == ' ' {
		return p.member(&w)
	}
	first := w.next()
	if first == "op" {
		return p.operation(&w)
	}
	kind, ok := kindByName(first)
	if !ok {
		return fmt.Errorf("unknown kind %q", first)
	}
	return p.shape(kind, &w)
}

func (p *parser) operation(w *words) error {
	o := &Operation{Name: w.next(), Method: w.next(), URI: w.next()}
	if o.Name == "" || o.URI == "" {
		return errors.New("operation without name, method and path")
	}
	for key, value := range w.attributes {
		switch key {
		case "in":
			o.Input = p.ref(value)
		case "out":
			o.Output = p.ref(value)
		case "err":
			for name := range strings.SplitSeq(value, ",") {
				o.Errors = append(o.Errors, p.ref(name))
			}
		case "status":
			o.Status = w.integer(value)
		case "name":
			o.InputName = value
		case "xmlns":
			o.InputNamespace = value
		case "outname":
			o.OutputName = value
		case "wrapper":
			o.ResultWrapper = value
		case "noauth":
			o.NoAuth = true
		case "unsigned":
			o.UnsignedBody = true
		case "host":
			o.HostPrefix = value
		case "checksum":
			o.ChecksumMember = value
		case "checksumrequired":
			o.ChecksumRequired = true
		case "compression":
			o.Compression = strings.Split(value, ",")
		default:
			return fmt.Errorf("operation %s: unknown attribute %q", o.Name, key)
		}
	}
	p.schema.Operations = append(p.schema.Operations, o)
	p.schema.byName[o.Name] = o
	return w.err
}

func (p *parser) shape(kind Kind, w *words) error {
	s := p.ref(w.next())
	if s.Kind != 0 {
		return fmt.Errorf("shape %q is defined twice", s.Name)
	}
	s.Kind = kind
	p.current = s
	switch kind {
	case List:
		s.Element.Shape = p.ref(w.next())
	case Map:
		s.Key.Shape = p.ref(w.next())
		s.Element.Shape = p.ref(w.next())
	}
	for key, value := range w.attributes {
		var err error
		if rest, ok := strings.CutPrefix(key, "e."); ok {
			err = memberAttribute(&s.Element, rest, value)
		} else if rest, ok := strings.CutPrefix(key, "k."); ok {
			err = memberAttribute(&s.Key, rest, value)
		} else {
			err = shapeAttribute(s, w, key, value)
		}
		if err != nil {
			return fmt.Errorf("shape %s: %w", s.Name, err)
		}
	}
	return w.err
}

func shapeAttribute(s *Shape, w *words, key, value string) error {
	switch key {
	case "flat":
		s.Flattened = true
	case "payload":
		s.Payload = value
	case "union":
		s.Union = true
	case "eventstream":
		s.EventStream = true
	case "event":
		s.Event = true
	case "stream":
		s.Streaming = true
	case "xmlns":
		s.NamespacePrefix, s.Namespace = splitNamespace(value)
	case "xmlname":
		s.XMLName = value
	case "format":
		s.TimestampFormat = value
	case "sparse":
		s.Sparse = true
	case "error":
		s.Exception, s.ErrorCode = true, value
	case "status":
		s.Status = w.integer(value)
	case "sender":
		s.SenderFault = true
	case "min":
		s.Min = w.number(value)
	case "max":
		s.Max = w.number(value)
	case "pattern":
		s.Pattern = value
	case "enum":
		s.Enum = strings.Split(value, "|")
	case "sensitive":
		s.Sensitive = true
	default:
		return fmt.Errorf("unknown attribute %q", key)
	}
	return nil
}

func (p *parser) member(w *words) error {
	if p.current == nil || p.current.Kind != Structure {
		return errors.New("member outside of a structure")
	}
	name, required := strings.CutSuffix(w.next(), "!")
	m := Member{Name: name, Required: required, Shape: p.ref(w.next())}
	for key, value := range w.attributes {
		if err := memberAttribute(&m, key, value); err != nil {
			return fmt.Errorf("member %s of %s: %w", name, p.current.Name, err)
		}
	}
	p.current.Members = append(p.current.Members, m)
	return w.err
}

func memberAttribute(m *Member, key, value string) error {
	switch key {
	case "name":
		m.WireName = value
	case "json":
		m.JSONName = value
	case "query":
		m.QueryName = value
	case "in":
		loc, ok := locationByName(value)
		if !ok {
			return fmt.Errorf("unknown location %q", value)
		}
		m.Location = loc
	case "flat":
		m.Flattened = true
	case "attr":
		m.XMLAttribute = true
	case "xmlns":
		m.NamespacePrefix, m.Namespace = splitNamespace(value)
	case "token":
		m.IdempotencyToken = true
	case "stream":
		m.Streaming = true
	case "jsonvalue":
		m.JSONValue = true
	case "hostlabel":
		m.HostLabel = true
	case "eventpayload":
		m.EventPayload = true
	case "eventheader":
		m.EventHeader = true
	case "format":
		m.TimestampFormat = value
	default:
		return fmt.Errorf("unknown attribute %q", key)
	}
	return nil
}

// ref returns the shape of that name, which may be defined later in the text.
// Built-in shapes define themselves.
func (p *parser) ref(name string) *Shape {
	s, ok := p.schema.Shapes[name]
	if !ok {
		s = &Shape{Name: name}
		if builtin, isBuiltin := strings.CutPrefix(name, "."); isBuiltin {
			s.Kind, _ = kindByName(builtin)
		}
		p.schema.Shapes[name] = s
	}
	return s
}

func splitNamespace(value string) (prefix, uri string) {
	if prefix, uri, ok := strings.Cut(value, "="); ok {
		return prefix, uri
	}
	return "", value
}

func kindByName(name string) (Kind, bool) {
	switch name {
	case "string":
		return String, true
	case "boolean":
		return Boolean, true
	case "integer":
		return Integer, true
	case "long":
		return Long, true
	case "float":
		return Float, true
	case "double":
		return Double, true
	case "timestamp":
		return Timestamp, true
	case "blob":
		return Blob, true
	case "list":
		return List, true
	case "map":
		return Map, true
	case "structure":
		return Structure, true
	case "document":
		return Document, true
	case "opaque":
		return Opaque, true
	}
	return 0, false
}

func locationByName(name string) (Location, bool) {
	switch name {
	case "header":
		return Header, true
	case "headers":
		return Headers, true
	case "uri":
		return URI, true
	case "querystring":
		return QueryString, true
	case "statusCode":
		return StatusCode, true
	}
	return 0, false
}

// words splits a line at spaces, keeping quoted attribute values together.
type words struct {
	rest string
	err  error
}

// next returns the next word, "" at the end of the line.
func (w *words) next() string {
	w.rest = strings.TrimLeft(w.rest, " ")
	var word string
	word, w.rest, _ = strings.Cut(w.rest, " ")
	return word
}

// attributes yields what is left of the line as key and value.
func (w *words) attributes(yield func(key, value string) bool) {
	for {
		w.rest = strings.TrimLeft(w.rest, " ")
		end := strings.IndexAny(w.rest, " =")
		if w.rest == "" {
			return
		}
		if end < 0 || w.rest[end] == ' ' {
			if !yield(w.next(), "") {
				return
			}
			continue
		}
		key := w.rest[:end]
		w.rest = w.rest[end+1:]
		if !yield(key, w.value()) {
			return
		}
	}
}

func (w *words) value() string {
	if !strings.HasPrefix(w.rest, `"`) {
		return w.next()
	}
	quoted, err := strconv.QuotedPrefix(w.rest)
	if err != nil {
		w.fail(fmt.Errorf("quoted value: %w", err))
		w.rest = ""
		return ""
	}
	w.rest = w.rest[len(quoted):]
	value, err := strconv.Unquote(quoted)
	w.fail(err)
	return value
}

func (w *words) integer(value string) int {
	n, err := strconv.Atoi(value)
	w.fail(err)
	return n
}

func (w *words) number(value string) *float64 {
	n, err := strconv.ParseFloat(value, 64)
	w.fail(err)
	return &n
}

func (w *words) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}
