package wire

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"lambent.dev/lambent/internal/awsapi"
)

// The protocol cases describe their own small models in botocore's form. The
// test makes shapes and Go types of them at run time; recursive shapes are
// unrolled, as reflect cannot make recursive types.

type caseRef struct {
	Shape            string
	LocationName     string
	Location         string
	QueryName        string
	Flattened        bool
	XMLAttribute     bool `json:"xmlAttribute"`
	XMLNamespace     any  `json:"xmlNamespace"`
	IdempotencyToken bool `json:"idempotencyToken"`
	Streaming        bool
	JSONValue        bool `json:"jsonvalue"`
	HostLabel        bool
	ResultWrapper    string
}

type caseShape struct {
	Type            string
	Members         map[string]caseRef
	Required        []string
	Member          *caseRef
	Key, Value      *caseRef
	Flattened       bool
	Payload         string
	Union           bool
	Streaming       bool
	Document        bool
	Sparse          bool
	EventStream     bool
	XMLNamespace    any `json:"xmlNamespace"`
	LocationName    string
	TimestampFormat string
	Exception       bool
	Error           *struct {
		Code           string
		HTTPStatusCode int
		SenderFault    bool
	}
}

type suite struct {
	Description string
	Metadata    struct {
		Protocol           string
		APIVersion         string
		JSONVersion        string
		TargetPrefix       string
		XMLNamespace       string
		AWSQueryCompatible *struct{}
	}
	Shapes map[string]*caseShape
	Cases  []protocolCase
}

type protocolCase struct {
	ID    string
	Given struct {
		Name string
		HTTP struct {
			Method       string
			RequestURI   string
			ResponseCode int
		}
		Input, Output      *caseRef
		Errors             []caseRef
		HTTPChecksum       map[string]any
		RequestCompression struct{ Encodings []string }
	}
	Params     json.RawMessage
	Serialized struct {
		Method, URI, Body string
		Headers           map[string]string
	}
	Result, Error json.RawMessage
	ErrorCode     string
	Response      struct {
		StatusCode int `json:"status_code"`
		Headers    map[string]string
		Body       string
	}
}

const unrollDepth = 4

type caseModel struct {
	*suite
	active map[string]int
}

func xmlNS(x any) (prefix, uri string) {
	switch ns := x.(type) {
	case string:
		return "", ns
	case map[string]any:
		prefix, _ = ns["prefix"].(string)
		uri, _ = ns["uri"].(string)
	}
	return prefix, uri
}

// shape makes the shape and the Go type of a name; nil when it is nested deeper
// than the test unrolls.
func (m *caseModel) shape(name string) (*awsapi.Shape, reflect.Type) {
	if m.active[name] >= unrollDepth {
		return nil, nil
	}
	m.active[name]++
	defer func() { m.active[name]-- }()
	c := m.Shapes[name]
	s := &awsapi.Shape{
		Name: name, Flattened: c.Flattened, Payload: c.Payload, Union: c.Union, Streaming: c.Streaming,
		Sparse: c.Sparse, XMLName: c.LocationName, TimestampFormat: c.TimestampFormat, Exception: c.Exception,
	}
	s.NamespacePrefix, s.Namespace = xmlNS(c.XMLNamespace)
	if c.Error != nil {
		s.Exception, s.ErrorCode, s.Status, s.SenderFault = true, c.Error.Code, c.Error.HTTPStatusCode, c.Error.SenderFault
	}
	if c.Document {
		s.Kind = awsapi.Document
		return s, typeRaw
	}
	switch c.Type {
	case "structure":
		s.Kind = awsapi.Structure
		return s, m.structure(s, c)
	case "list":
		s.Kind = awsapi.List
		element, typ := m.member("", *c.Member)
		if element == nil {
			return nil, nil
		}
		s.Element = *element
		return s, reflect.SliceOf(sparse(s, typ))
	case "map":
		s.Kind = awsapi.Map
		key, _ := m.member("", *c.Key)
		element, typ := m.member("", *c.Value)
		if element == nil {
			return nil, nil
		}
		s.Key, s.Element = *key, *element
		return s, reflect.MapOf(reflect.TypeFor[string](), sparse(s, typ))
	}
	scalars := map[string]struct {
		kind awsapi.Kind
		typ  reflect.Type
	}{
		"string": {awsapi.String, reflect.TypeFor[string]()}, "character": {awsapi.String, reflect.TypeFor[string]()},
		"boolean": {awsapi.Boolean, reflect.TypeFor[bool]()}, "integer": {awsapi.Integer, reflect.TypeFor[int32]()},
		"long": {awsapi.Long, reflect.TypeFor[int64]()}, "float": {awsapi.Float, reflect.TypeFor[float32]()},
		"double": {awsapi.Double, reflect.TypeFor[float64]()}, "timestamp": {awsapi.Timestamp, typeTime},
		"blob": {awsapi.Blob, typeBytes},
	}
	scalar, ok := scalars[c.Type]
	if !ok {
		panic("unknown type " + c.Type)
	}
	s.Kind = scalar.kind
	return s, scalar.typ
}

func sparse(s *awsapi.Shape, typ reflect.Type) reflect.Type {
	if s.Sparse && typ.Kind() != reflect.Slice && typ.Kind() != reflect.Map {
		return reflect.PointerTo(typ)
	}
	return typ
}

func (m *caseModel) structure(s *awsapi.Shape, c *caseShape) reflect.Type {
	var fields []reflect.StructField
	for _, name := range sortedNames(c.Members) {
		member, typ := m.member(name, c.Members[name])
		if member == nil {
			continue
		}
		switch member.Shape.Kind {
		case awsapi.List, awsapi.Map, awsapi.Blob, awsapi.Document:
		default:
			typ = reflect.PointerTo(typ)
		}
		s.Members = append(s.Members, *member)
		fields = append(fields, reflect.StructField{Name: awsapi.FieldName(name, s.Exception), Type: typ})
	}
	return reflect.StructOf(fields)
}

func (m *caseModel) member(name string, r caseRef) (*awsapi.Member, reflect.Type) {
	shape, typ := m.shape(r.Shape)
	if shape == nil {
		return nil, nil
	}
	out := &awsapi.Member{
		Name: name, Shape: shape, WireName: r.LocationName, QueryName: r.QueryName, Flattened: r.Flattened,
		XMLAttribute: r.XMLAttribute, IdempotencyToken: r.IdempotencyToken, JSONValue: r.JSONValue,
		TimestampFormat: "",
	}
	out.NamespacePrefix, out.Namespace = xmlNS(r.XMLNamespace)
	out.Location = map[string]awsapi.Location{
		"header": awsapi.Header, "headers": awsapi.Headers, "uri": awsapi.URI,
		"querystring": awsapi.QueryString, "statusCode": awsapi.StatusCode,
	}[r.Location]
	return out, typ
}

// operation makes the API and the operation of a case.
func (s *suite) operation(c *protocolCase) *Operation {
	meta := awsapi.Meta{
		Name: "prototest", ServiceID: "Protocol Tests", Version: s.Metadata.APIVersion,
		TargetPrefix: s.Metadata.TargetPrefix, Protocols: []awsapi.Protocol{awsapi.Protocol(s.Metadata.Protocol)},
		JSONVersion: s.Metadata.JSONVersion, XMLNamespace: s.Metadata.XMLNamespace,
		QueryCompatible: s.Metadata.AWSQueryCompatible != nil,
	}
	m := &caseModel{s, make(map[string]int)}
	o := &awsapi.Operation{
		Name: c.Given.Name, Method: c.Given.HTTP.Method, URI: c.Given.HTTP.RequestURI, Status: c.Given.HTTP.ResponseCode,
		Compression: c.Given.RequestCompression.Encodings,
	}
	b := awsapi.Binding{Name: c.Given.Name}
	if r := c.Given.Input; r != nil {
		o.Input, b.Input = m.shape(r.Shape)
	}
	if r := c.Given.Output; r != nil {
		o.Output, b.Output = m.shape(r.Shape)
		o.ResultWrapper = r.ResultWrapper
	}
	l := &loaded{operations: make(map[string]*Operation), errors: make(map[string]*awsapi.Shape)}
	api := &API{API: awsapi.Define(meta, ""), compiler: compiler{nodes: make(map[planKey]*node)}}
	api.dialect = dialectOf(api.API)
	api.load = func() (*loaded, error) { return l, nil }
	op := &Operation{Name: o.Name, API: api, Schema: o, Binding: b}
	op.compile = op.plan
	l.operations[o.Name] = op
	l.routes = newRoutes([]*Operation{op})
	return op
}

// build sets a Go value from the form that cases write values in: blobs are
// text, timestamps seconds, special floats names.
func build(s *awsapi.Shape, v reflect.Value, raw json.RawMessage) error {
	if string(raw) == "null" || len(raw) == 0 {
		return nil
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch s.Kind {
	case awsapi.Structure:
		var members map[string]json.RawMessage
		if err := json.Unmarshal(raw, &members); err != nil {
			return err
		}
		for name, value := range members {
			m := s.Member(name)
			if m == nil {
				continue
			}
			if err := build(m.Shape, v.FieldByName(awsapi.FieldName(name, s.Exception)), value); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	case awsapi.List:
		var items []json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return err
		}
		v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
		for i, item := range items {
			if err := build(s.Element.Shape, v.Index(i), item); err != nil {
				return err
			}
		}
	case awsapi.Map:
		var items map[string]json.RawMessage
		if err := json.Unmarshal(raw, &items); err != nil {
			return err
		}
		v.Set(reflect.MakeMap(v.Type()))
		for key, item := range items {
			element := reflect.New(v.Type().Elem()).Elem()
			if err := build(s.Element.Shape, element, item); err != nil {
				return err
			}
			v.SetMapIndex(reflect.ValueOf(key), element)
		}
	case awsapi.Document:
		v.SetBytes(raw)
	case awsapi.Blob:
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return err
		}
		v.SetBytes([]byte(text))
	case awsapi.Timestamp:
		var seconds float64
		if err := json.Unmarshal(raw, &seconds); err != nil {
			return err
		}
		t, err := epochTime(seconds)
		v.Set(reflect.ValueOf(t))
		return err
	case awsapi.Float, awsapi.Double:
		var text string
		if json.Unmarshal(raw, &text) == nil {
			n, err := parseFloat(text)
			v.SetFloat(n)
			return err
		}
		return json.Unmarshal(raw, v.Addr().Interface())
	default:
		return json.Unmarshal(raw, v.Addr().Interface())
	}
	return nil
}

// plain turns a Go value into maps, lists and scalars for comparison; absent
// members are left out.
func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return plain(v.Elem())
	case reflect.Struct:
		if t, ok := v.Interface().(time.Time); ok {
			return t.UTC().Format(time.RFC3339Nano)
		}
		out := map[string]any{}
		for i := range v.NumField() {
			if f := v.Field(i); !f.IsZero() {
				out[v.Type().Field(i).Name] = plain(f)
			}
		}
		return out
	case reflect.Slice:
		if v.Type() == typeRaw {
			var doc any
			if err := json.Unmarshal(v.Bytes(), &doc); err != nil {
				return err.Error()
			}
			return doc
		}
		if v.Type() == typeBytes {
			return "blob:" + string(v.Bytes())
		}
		out := make([]any, v.Len())
		for i := range out {
			out[i] = plain(v.Index(i))
		}
		return out
	case reflect.Map:
		out := map[string]any{}
		for _, key := range v.MapKeys() {
			out[key.String()] = plain(v.MapIndex(key))
		}
		return out
	case reflect.Float32, reflect.Float64:
		return formatFloat(v.Float(), v.Type().Bits())
	}
	return fmt.Sprint(v.Interface())
}
