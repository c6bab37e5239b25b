package wire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/service"
)

// Operation is one operation of an API.
type Operation struct {
	Name    string
	API     *API
	Schema  *awsapi.Operation
	Binding awsapi.Binding

	compile func() (*plan, error)
}

// plan is what codecs need of an operation. Input and output are nil when the
// model has none.
type plan struct {
	input, output *message
}

// message is an input or output with its HTTP binding taken apart.
type message struct {
	*field
	// located are the members that do not travel in the body.
	located []int
	// labels are the places of the path's labels in the fields, in path order.
	labels []int
	// payload is the member that is the body, nil when the members are.
	payload *field
	// inBody tells that some member travels in the body.
	inBody bool
	// stream is the member that is a stream of events.
	stream *field
}

// Implemented reports whether the operation has a handler.
func (o *Operation) Implemented() bool { return o.Binding.Call != nil }

// Streaming reports whether the input's body is passed on as a reader, so that
// it must not be buffered.
func (o *Operation) Streaming() bool {
	in := o.Schema.Input
	if in == nil || in.Payload == "" {
		return false
	}
	m := in.Member(in.Payload)
	return m != nil && m.Shape.Kind == awsapi.Blob && (m.Streaming || m.Shape.Streaming)
}

func (o *Operation) plan() (*plan, error) {
	p := &plan{}
	var err error
	if o.Schema.Input != nil {
		if p.input, err = o.message(o.Schema.Input, o.Binding.Input); err != nil {
			return nil, fmt.Errorf("input of %s: %w", o.Name, err)
		}
		for _, s := range newRoute(o).segments {
			if s.label == "" {
				continue
			}
			place := -1
			for i := range p.input.fields {
				f := &p.input.fields[i]
				if f.Location == awsapi.URI && firstOf(f.WireName, f.Name) == s.label {
					place = i
				}
			}
			p.input.labels = append(p.input.labels, place)
		}
	}
	if o.Schema.Output != nil {
		if p.output, err = o.message(o.Schema.Output, o.Binding.Output); err != nil {
			return nil, fmt.Errorf("output of %s: %w", o.Name, err)
		}
	}
	return p, nil
}

func (o *Operation) message(shape *awsapi.Shape, typ reflect.Type) (*message, error) {
	if typ == nil {
		return nil, errors.New("the operation has no binding")
	}
	n, err := o.API.compiler.compile(shape, typ)
	if err != nil {
		return nil, err
	}
	m := &message{field: &field{Member: &awsapi.Member{Shape: shape}, node: n}}
	for i := range n.fields {
		f := &n.fields[i]
		switch {
		case f.shape.EventStream:
			m.stream = f
		case f.Name == shape.Payload:
			m.payload = f
		case f.body():
			m.inBody = true
		default:
			m.located = append(m.located, i)
		}
	}
	return m, nil
}

// Decode fills in, a fresh input of the operation's binding, from the request.
// What the client did wrong comes back as a *service.Error.
func (o *Operation) Decode(req *Request, in any) error {
	p, err := o.compile()
	if err != nil {
		return err
	}
	if p.input == nil {
		return nil
	}
	v := reflect.ValueOf(in).Elem()
	if v.Type() != p.input.typ {
		return fmt.Errorf("decode %s: the input is a %v and not a %v", o.Name, v.Type(), p.input.typ)
	}
	if !o.Streaming() {
		if err := o.readBody(req); err != nil {
			return o.API.clientError(req, err)
		}
	}
	t := trail{}
	err = o.decode(req, p.input, v, &t)
	req.violations = t.violations
	if err != nil {
		return o.API.clientError(req, err)
	}
	return nil
}

func (o *Operation) readBody(req *Request) error {
	if _, err := req.ReadBody(); err != nil {
		return err
	}
	if err := req.verifyChecksum(o.Schema, &o.API.dialect); err != nil {
		return err
	}
	if len(o.Schema.Compression) == 0 {
		return nil
	}
	return req.decompress()
}

func (o *Operation) decode(req *Request, m *message, v reflect.Value, t *trail) error {
	switch req.Protocol {
	case awsapi.JSON:
		return decodeJSON(req.body, m.field, v, t)
	case awsapi.CBOR, awsapi.OldCBOR:
		return decodeCBOR(req.body, m.field, v, t, req.Protocol == awsapi.OldCBOR)
	case awsapi.Query, awsapi.EC2:
		form, err := req.formValues()
		if err != nil {
			return err
		}
		if name := o.API.dialect.pathMember; name != "" && form[name] == "" && strings.Count(req.RawPath, "/") > 1 {
			form[name] = req.RawPath
		}
		tree, err := parameterTree(form)
		if err != nil {
			return err
		}
		d := queryDecoder{trail: *t, ec2: req.Protocol == awsapi.EC2}
		err = d.structure(m.node, v, tree)
		*t = d.trail
		return err
	}
	return o.decodeREST(req, m, v, t)
}

// decodeREST reads the body and the members that travel outside of it.
func (o *Operation) decodeREST(req *Request, m *message, v reflect.Value, t *trail) error {
	if err := o.decodeRESTBody(req, m, v, t); err != nil {
		return err
	}
	seen, err := o.decodeLocated(req, m, v, t)
	if err != nil {
		return err
	}
	wanted := m.outside
	if m.payload != nil && len(req.body) == 0 && !o.Streaming() {
		wanted |= m.payload.ordinal
	}
	t.missing(m.node, wanted&^seen)
	return nil
}

func (o *Operation) decodeRESTBody(req *Request, m *message, v reflect.Value, t *trail) error {
	switch {
	case m.payload != nil && o.Streaming():
		body := req.Body
		if body == nil {
			body = http.NoBody
		}
		target := v.Field(m.payload.index)
		if !reflect.TypeFor[io.Reader]().AssignableTo(target.Type()) {
			return fmt.Errorf("decode %s: %s is not an io.Reader", o.Name, m.payload.Name)
		}
		target.Set(reflect.ValueOf(body))
		return nil
	case m.payload != nil:
		return o.decodePayload(req, m.payload, v, t)
	case !m.inBody:
		return nil
	case req.Protocol == awsapi.RESTJSON:
		return decodeJSON(req.body, m.field, v, t)
	}
	return o.decodeXMLBody(req.body, m.field, nil, v, t)
}

// decodePayload reads the body into the member that is all of it. An empty body
// leaves the member absent.
func (o *Operation) decodePayload(req *Request, f *field, v reflect.Value, t *trail) error {
	if len(req.body) == 0 {
		return nil
	}
	switch f.kind {
	case awsapi.Blob:
		v.Field(f.index).SetBytes(req.body)
		return nil
	case awsapi.String:
		f.target(v).SetString(string(req.body))
		return nil
	}
	t.push(f.Name)
	defer t.pop()
	if req.Protocol == awsapi.RESTJSON {
		return decodeJSON(req.body, f, f.target(v), t)
	}
	return o.decodeXMLBody(req.body, f, []string{f.WireName, f.shape.XMLName, f.shape.Name}, f.target(v), t)
}

// decodeXMLBody reads a document, whose root element has one of the names, or any when there are none. A document with another root is that of
// another operation: read as this one's it would be empty, and the call would remove what it was to set.
func (o *Operation) decodeXMLBody(body []byte, f *field, names []string, v reflect.Value, t *trail) error {
	if len(body) == 0 {
		t.finish(f.node, 0)
		return nil
	}
	root, err := parseXML(body)
	if err != nil {
		return err
	}
	if len(names) > 0 && !slices.Contains(names, root.name) {
		return &syntaxError{"the root element is " + strconv.Quote(root.name) + ", not " + names[0], 0}
	}
	d := xmlDecoder{trail: *t, strict: o.API.dialect.strictXML}
	err = d.value(f, v, root)
	*t = d.trail
	return err
}

// misplaced is a mistake in a member that travels outside of the body: in the path, the query or a header.
type misplaced struct {
	err error
	// kind, name and value are those of the member; name is empty where the mistake is in none.
	kind        awsapi.Kind
	name, value string
}

// s3Message words the mistake as S3 does.
func (e *misplaced) s3Message() string {
	switch e.kind {
	case awsapi.Integer, awsapi.Long:
		return "Provided " + e.name + " not an integer or within integer range"
	case awsapi.Timestamp:
		if strings.EqualFold(e.name, "x-amz-object-lock-retain-until-date") {
			return "The retain until date must be provided in ISO 8601 format"
		}
	default:
	}
	return e.Error()
}

// argument is what S3 adds to an error about a parameter.
type argument struct{ ArgumentName, ArgumentValue string }

func (e *misplaced) Error() string { return e.err.Error() }
func (e *misplaced) Unwrap() error { return e.err }

// clientError turns what a decoder says into the error that a client sees.
func (a *API) clientError(req *Request, err error) error {
	var known *service.Error
	if errors.As(err, &known) {
		return err
	}
	var syntax *syntaxError
	var wrong *mismatch
	var scalar *conversion
	switch {
	case errors.As(err, &syntax), errors.As(err, &wrong), errors.As(err, &scalar):
		code := "SerializationException"
		var outside *misplaced
		switch req.Protocol {
		case awsapi.RESTXML:
			code = "MalformedXML"
			if errors.As(err, &outside) {
				code = "InvalidArgument"
			}
			if outside != nil && outside.name != "" && a.Name == "s3" {
				return badRequest(code, "%s", outside.s3Message()).WithDetail(&argument{outside.name, outside.value})
			}
		case awsapi.Query, awsapi.EC2:
			code = "MalformedInput"
		}
		message := err.Error()
		if scalar != nil && a.dialect.namesClasses {
			message = scalar.inClasses()
		}
		if a.Name == "s3" && errors.As(err, &syntax) && outside == nil {
			message = "The XML you provided was not well-formed or did not validate against our published schema"
		}
		return &service.Error{Code: code, Status: http.StatusBadRequest, Message: message, Err: err}
	}
	return err
}
