package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"lambent.dev/lambent/internal/awsapi"
)

// maxDepth bounds the nesting of values in requests and answers.
const maxDepth = 128

// node is a shape joined with the Go type that carries it.
type node struct {
	shape *awsapi.Shape
	kind  awsapi.Kind
	typ   reflect.Type
	// fields are a structure's members, byJSON and byXML their places by name.
	fields []field
	byJSON map[string]int
	byXML  map[string]int
	// required is the mask of the ordinals of the required fields in the body,
	// outside of those that travel elsewhere.
	required, outside uint64
	// element is a list's element or a map's value, key a map's key.
	element, key *field
}

// field is a structure's member, or a list's or map's element.
type field struct {
	*awsapi.Member
	*node
	index int
	// pointer tells that the Go field is a pointer to node.typ.
	pointer bool
	// ordinal is one bit for a required field, 0 for an optional one.
	ordinal uint64
	// unlessEmpty tells that the service leaves a required list or text out of its answers when it is empty.
	unlessEmpty bool
	// nullTexts tells that null and an empty text are the same in a map, and that answers have null.
	nullTexts bool
	// jsonName is the name in JSON and CBOR, queryName in awsQuery and ec2
	// requests, xmlName in XML.
	jsonName, xmlName, queryName string
	jsonKey                      string // jsonName quoted, with a colon
	// headerName is the name of a member that travels in a header, as http.Header has it.
	headerName string
}

var (
	typeTime    = reflect.TypeFor[time.Time]()
	typeBytes   = reflect.TypeFor[[]byte]()
	typeStrings = reflect.TypeFor[[]string]()
	typeRaw     = reflect.TypeFor[json.RawMessage]()
	typeCodec   = reflect.TypeFor[awsapi.JSONCodec]()
	typeSource  = reflect.TypeFor[awsapi.EventSource]()
)

// compiler builds nodes for one API; a shape with a type is compiled once.
type compiler struct {
	// unlessEmpty are the names of required lists and texts that answers leave out when they are empty.
	unlessEmpty []string
	// nullTexts are the names of maps of texts in which null and an empty text are the same.
	nullTexts []string

	mu    sync.Mutex // guards the fields below
	nodes map[planKey]*node
}

type planKey struct {
	shape *awsapi.Shape
	typ   reflect.Type
}

func (c *compiler) compile(shape *awsapi.Shape, typ reflect.Type) (*node, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nodeLocked(shape, typ)
}

func (c *compiler) nodeLocked(shape *awsapi.Shape, typ reflect.Type) (*node, error) {
	key := planKey{shape, typ}
	if n := c.nodes[key]; n != nil {
		return n, nil
	}
	n := &node{shape: shape, kind: shape.Kind, typ: typ}
	c.nodes[key] = n
	if err := c.fillLocked(n); err != nil {
		delete(c.nodes, key)
		return nil, fmt.Errorf("shape %s as %v: %w", shape.Name, typ, err)
	}
	return n, nil
}

func (c *compiler) fillLocked(n *node) error {
	switch n.kind {
	case awsapi.Structure:
		if n.typ.Kind() != reflect.Struct {
			return errors.New("a structure needs a struct")
		}
		return c.structLocked(n)
	case awsapi.List:
		if n.typ.Kind() != reflect.Slice {
			return errors.New("a list needs a slice")
		}
		var err error
		n.element, err = c.fieldLocked(&n.shape.Element, n.typ.Elem())
		return err
	case awsapi.Map:
		if n.typ.Kind() != reflect.Map {
			return errors.New("a map needs a map")
		}
		var err error
		if n.key, err = c.fieldLocked(&n.shape.Key, n.typ.Key()); err != nil {
			return err
		}
		n.element, err = c.fieldLocked(&n.shape.Element, n.typ.Elem())
		return err
	case awsapi.Opaque:
		if !reflect.PointerTo(n.typ).Implements(typeCodec) {
			return errors.New("an opaque shape needs an awsapi.JSONCodec")
		}
	default:
		if !fits(n.kind, n.typ) {
			return errors.New("the Go type does not fit")
		}
	}
	return nil
}

func (c *compiler) structLocked(n *node) error {
	n.byJSON = make(map[string]int, len(n.shape.Members))
	n.byXML = make(map[string]int, len(n.shape.Members))
	n.fields = make([]field, 0, len(n.shape.Members))
	ordinal := uint64(1)
	for i := range n.shape.Members {
		m := &n.shape.Members[i]
		sf, ok := n.typ.FieldByName(awsapi.FieldName(m.Name, n.shape.Exception))
		if !ok {
			return fmt.Errorf("no field for member %s", m.Name)
		}
		f, err := c.fieldLocked(m, sf.Type)
		if err != nil {
			return err
		}
		f.index = sf.Index[0]
		f.unlessEmpty, f.nullTexts = slices.Contains(c.unlessEmpty, m.Name), slices.Contains(c.nullTexts, m.Name)
		if m.Required {
			f.ordinal = ordinal
			if m.Location == awsapi.Body && m.Name != n.shape.Payload {
				n.required |= ordinal
			} else if m.Location != awsapi.Body {
				n.outside |= ordinal
			}
			ordinal <<= 1
		}
		n.byJSON[f.jsonName] = i
		n.byXML[f.xmlName] = i
		n.fields = append(n.fields, *f)
	}
	return nil
}

func (c *compiler) fieldLocked(m *awsapi.Member, typ reflect.Type) (*field, error) {
	f := &field{Member: m}
	shape := m.Shape
	switch {
	case shape.EventStream && typ.Implements(typeSource), typ.Kind() == reflect.Interface:
		f.node = &node{shape: shape, kind: shape.Kind, typ: typ}
	default:
		if typ.Kind() == reflect.Pointer {
			f.pointer = true
			typ = typ.Elem()
		}
		var err error
		if f.node, err = c.nodeLocked(shape, typ); err != nil {
			return nil, err
		}
	}
	f.jsonName = firstOf(m.JSONName, m.WireName, m.Name)
	f.jsonKey = string(appendJSONString(nil, f.jsonName)) + ":"
	f.xmlName = firstOf(m.WireName, m.Name)
	f.headerName = http.CanonicalHeaderKey(f.xmlName)
	f.queryName = firstOf(m.QueryName, m.WireName, m.Name)
	return f, nil
}

// fits reports whether a scalar kind can be carried by a Go type.
func fits(kind awsapi.Kind, typ reflect.Type) bool {
	switch kind {
	case awsapi.String:
		return typ.Kind() == reflect.String
	case awsapi.Boolean:
		return typ.Kind() == reflect.Bool
	case awsapi.Integer:
		return typ.Kind() == reflect.Int32
	case awsapi.Long:
		return typ.Kind() == reflect.Int64
	case awsapi.Float:
		return typ.Kind() == reflect.Float32
	case awsapi.Double:
		return typ.Kind() == reflect.Float64
	case awsapi.Timestamp:
		return typ == typeTime
	case awsapi.Blob:
		return typ == typeBytes
	case awsapi.Document:
		return typ == typeRaw
	}
	return false
}

// target returns the value to decode the field into, making the pointer that
// carries it.
func (f *field) target(parent reflect.Value) reflect.Value {
	v := parent.Field(f.index)
	if !f.pointer {
		return v
	}
	if v.IsNil() {
		v.Set(reflect.New(f.typ))
	}
	return v.Elem()
}

// value returns the field's value and whether it is present. A required
// field is present even when it is empty, as clients count on it.
func (f *field) value(parent reflect.Value) (reflect.Value, bool) {
	v := parent.Field(f.index)
	if f.pointer {
		if v.IsNil() {
			return v, false
		}
		return v.Elem(), true
	}
	switch f.kind {
	case awsapi.List, awsapi.Map:
		return v, f.Required && !f.unlessEmpty || !v.IsNil()
	case awsapi.Blob, awsapi.Document:
		return v, !v.IsNil()
	case awsapi.Opaque, awsapi.Timestamp:
		return v, !v.IsZero()
	case awsapi.String:
		return v, f.Required && !f.unlessEmpty || v.Len() > 0
	}
	return v, true
}

// flat reports whether a list or map member repeats without a wrapper.
func (f *field) flat() bool { return f.Member.Flattened || f.shape.Flattened }

// format returns the timestamp format of the field, def when the model has none.
func (f *field) format(def timeFormat) timeFormat {
	switch firstOf(f.TimestampFormat, f.shape.TimestampFormat) {
	case "iso8601":
		return formatISO8601
	case "rfc822":
		return formatHTTPDate
	case "unixTimestamp":
		return formatEpoch
	}
	return def
}

// body reports whether the member travels in the body.
func (f *field) body() bool { return f.Location == awsapi.Body }

func firstOf(names ...string) string {
	for _, name := range names {
		if name != "" {
			return name
		}
	}
	return ""
}

// lowerFirst is how AWS writes a member in validation messages.
func lowerFirst(name string) string {
	if name == "" {
		return name
	}
	return strings.ToLower(name[:1]) + name[1:]
}
