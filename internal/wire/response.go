package wire

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"lambent.dev/lambent/internal/awsapi"
)

// WriteResponse writes the answer of a success; out is an *Output of the
// operation's binding. An error means that nothing was written if the answer
// could not be encoded, or that the client has gone.
func (o *Operation) WriteResponse(ctx context.Context, w http.ResponseWriter, req *Request, out any) error {
	p, err := o.compile()
	if err != nil {
		return err
	}
	a := &answer{w: w, req: req, api: o.API, status: o.successStatus()}
	if p.output == nil {
		err = a.encodeEmpty(o)
		if err != nil {
			return err
		}
		return a.send()
	}
	v := reflect.ValueOf(out)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Type() != p.output.typ {
		return fmt.Errorf("encode %s: the output is a %T and not a *%v", o.Name, out, p.output.typ)
	}
	v = v.Elem()
	if p.output.stream != nil {
		return a.sendEvents(ctx, o, p.output, v)
	}
	if err := a.encode(o, p.output, v); err != nil {
		return err
	}
	defer a.recycle()
	return a.send()
}

// keptBuffer is the size in bytes up to which the memory of a body is used for the next one.
const keptBuffer = 1 << 20

// take returns empty memory for the body, which recycle gives back.
func (a *answer) take() []byte {
	var ok bool
	if a.taken, ok = a.api.buffers.Get().(*[]byte); !ok {
		a.taken = new([]byte)
	}
	return *a.taken
}

// recycle gives the memory of the body back when it was taken from the API's.
func (a *answer) recycle() {
	if a.taken != nil && cap(a.body) <= keptBuffer {
		*a.taken = a.body[:0]
		a.api.buffers.Put(a.taken)
	}
}

func (o *Operation) successStatus() int {
	if o.Schema.Status != 0 {
		return o.Schema.Status
	}
	if slices.Contains(o.API.dialect.noContent, o.Name) {
		return http.StatusNoContent
	}
	return http.StatusOK
}

// answer is one HTTP answer in the making.
type answer struct {
	w      http.ResponseWriter
	req    *Request
	api    *API
	status int
	body   []byte
	taken  *[]byte       // where body goes back to; nil when its memory is its own
	stream io.ReadCloser // the body instead, for streaming outputs
}

func (a *answer) encode(o *Operation, m *message, v reflect.Value) error {
	var err error
	switch a.req.Protocol {
	case awsapi.JSON:
		a.contentType("application/x-amz-json-" + firstOf(a.api.JSONVersion, "1.0"))
		a.body, err = appendJSON(a.take(), m.field, v, 0)
	case awsapi.CBOR, awsapi.OldCBOR:
		a.cborHeaders()
		a.body, err = a.cbor().append(a.take(), m.field, v, 0)
	case awsapi.Query:
		err = a.encodeQuery(o, m, v)
	case awsapi.EC2:
		err = a.encodeEC2(o, m, v)
	default:
		err = a.encodeREST(o, m, v)
	}
	return err
}

// encodeEmpty answers an operation whose model has no output.
func (a *answer) encodeEmpty(o *Operation) error {
	switch a.req.Protocol {
	case awsapi.JSON:
		a.contentType("application/x-amz-json-" + firstOf(a.api.JSONVersion, "1.0"))
		a.body = []byte("{}")
	case awsapi.CBOR, awsapi.OldCBOR:
		a.cborHeaders()
		a.body = []byte{cborMap<<5 | 31, 0xff}
	case awsapi.Query:
		return a.encodeQuery(o, nil, reflect.Value{})
	case awsapi.EC2:
		return a.encodeEC2(o, nil, reflect.Value{})
	case awsapi.RESTJSON:
		if a.status != http.StatusNoContent {
			a.contentType("application/json")
			a.body = []byte("{}")
		}
	}
	return nil
}

// oldCBOR is the media type of awsapi.OldCBOR.
const oldCBOR = "application/x-amz-cbor-1.1"

// cbor returns the encoder of the request's kind of CBOR.
func (a *answer) cbor() cborEncoder { return cborEncoder{millis: a.req.Protocol == awsapi.OldCBOR} }

func (a *answer) cborHeaders() {
	if a.req.Protocol == awsapi.OldCBOR {
		a.contentType(oldCBOR)
		return
	}
	a.contentType("application/cbor")
	a.w.Header().Set("Smithy-Protocol", "rpc-v2-cbor")
}

func (a *answer) contentType(media string) { a.w.Header().Set("Content-Type", media) }

func (a *answer) encodeQuery(o *Operation, m *message, v reflect.Value) error {
	a.contentType("text/xml")
	e := &xmlEncoder{}
	e.open(o.Name+"Response", namespace("", a.api.XMLNamespace))
	if m != nil {
		wrapper := firstOf(o.Schema.ResultWrapper, o.Name+"Result")
		e.open(wrapper, "")
		if err := e.members(m.node, v, 0); err != nil {
			return err
		}
		e.close(wrapper)
	}
	e.open("ResponseMetadata", "")
	e.leaf("RequestId", a.req.ID)
	e.close("ResponseMetadata")
	e.close(o.Name + "Response")
	a.body = e.buf
	return nil
}

func (a *answer) encodeEC2(o *Operation, m *message, v reflect.Value) error {
	a.contentType("text/xml;charset=UTF-8")
	e := &xmlEncoder{buf: []byte(xmlProlog)}
	e.open(o.Name+"Response", namespace("", a.api.XMLNamespace))
	e.leaf("requestId", a.req.ID)
	if m == nil {
		e.leaf("return", "true")
	} else if err := e.members(m.node, v, 0); err != nil {
		return err
	}
	e.close(o.Name + "Response")
	a.body = e.buf
	return nil
}

func (a *answer) encodeREST(o *Operation, m *message, v reflect.Value) error {
	if status := writeLocated(a.w.Header(), m.node, v); status != 0 {
		a.status = status
	}
	if a.status == http.StatusOK && a.w.Header().Get("Content-Range") != "" {
		a.status = http.StatusPartialContent // RFC 9110, section 15.3.7; the models leave it to the server
	}
	switch {
	case m.payload != nil:
		return a.encodePayload(m.payload, v)
	case a.req.Protocol == awsapi.RESTJSON:
		if a.status == http.StatusNoContent || !m.inBody && a.status == http.StatusNotModified {
			return nil
		}
		a.contentType("application/json")
		var err error
		a.body, err = appendJSON(nil, m.field, v, 0)
		return err
	case m.inBody:
		return a.encodeRoot(o, m, v)
	}
	return nil
}

// encodeRoot writes an XML document whose root is the output. A root that is
// named like its only member holds that member's text, as S3's
// LocationConstraint does.
func (a *answer) encodeRoot(o *Operation, m *message, v reflect.Value) error {
	a.contentType("application/xml")
	root := firstOf(o.Schema.OutputName, m.shape.XMLName, m.shape.Name)
	ns := namespace(m.shape.NamespacePrefix, m.shape.Namespace)
	if ns == "" {
		ns = namespace("", a.api.XMLNamespace)
	}
	e := &xmlEncoder{buf: append(a.take(), xmlProlog...)}
	e.open(root, ns+e.attributes(m.node, v))
	if only := m.shape.Member(root); only != nil && len(m.fields) == 1 && m.fields[0].kind == awsapi.String {
		if value, present := m.fields[0].value(v); present {
			e.text(value.String())
		}
	} else if err := e.members(m.node, v, 0); err != nil {
		return err
	}
	e.close(root)
	a.body = e.buf
	return nil
}

// encodePayload makes the body of the member that is all of it.
func (a *answer) encodePayload(f *field, v reflect.Value) error {
	if f.kind == awsapi.Blob && f.typ.Kind() == reflect.Interface {
		a.stream, _ = v.Field(f.index).Interface().(io.ReadCloser)
		a.defaultType("application/octet-stream")
		return nil
	}
	value, present := f.value(v)
	if !present {
		return nil
	}
	switch f.kind {
	case awsapi.Blob:
		a.defaultType("application/octet-stream")
		a.body = value.Bytes()
		return nil
	case awsapi.String:
		a.defaultType("text/plain")
		a.body = []byte(value.String())
		return nil
	}
	if a.req.Protocol == awsapi.RESTJSON {
		a.contentType("application/json")
		var err error
		a.body, err = appendJSON(nil, f, value, 0)
		return err
	}
	a.contentType("application/xml")
	e := &xmlEncoder{buf: []byte(xmlProlog)}
	root := *f
	member := *f.Member
	if member.Namespace == "" && f.shape.Namespace == "" {
		member.Namespace = a.api.XMLNamespace
	}
	root.Member = &member
	if err := e.member(&root, firstOf(f.WireName, f.shape.XMLName, f.shape.Name), value, 0); err != nil {
		return err
	}
	a.body = e.buf
	return nil
}

// defaultType sets the media type unless a member of the output did.
func (a *answer) defaultType(media string) {
	if a.w.Header().Get("Content-Type") == "" {
		a.contentType(media)
	}
}

// send writes the answer: head and body in one write where the body is in
// memory, so that no small answer waits for a delayed acknowledgement.
func (a *answer) send() error {
	a.identify()
	header := a.w.Header()
	if a.stream != nil {
		return a.sendStream()
	}
	if a.api.dialect.crc32 {
		header.Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(a.body)), 10))
	}
	bodyless := a.status == http.StatusNoContent || a.status == http.StatusNotModified
	if len(a.body) == 0 && header.Get("Content-Type") == "" {
		header["Content-Type"] = nil // keeps net/http from guessing one
	}
	if !bodyless && (a.req.Method != http.MethodHead || header.Get("Content-Length") == "") {
		header.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	a.w.WriteHeader(a.status)
	if a.req.Method == http.MethodHead || bodyless || len(a.body) == 0 {
		return nil
	}
	if _, err := a.w.Write(a.body); err != nil {
		return fmt.Errorf("write response: %w", err)
	}
	return nil
}

func (a *answer) sendStream() error {
	defer a.stream.Close()
	a.w.WriteHeader(a.status)
	if a.req.Method == http.MethodHead {
		return nil
	}
	if _, err := io.Copy(a.w, a.stream); err != nil {
		return fmt.Errorf("write response body: %w", err)
	}
	return nil
}

// identify sets the request ids.
func (a *answer) identify() {
	header := a.w.Header()
	if a.api.dialect.bareErrors {
		header.Set("X-Amz-Request-Id", a.req.ID)
		header.Set("X-Amz-Id-2", a.req.hostID())
		return
	}
	header.Set("X-Amzn-Requestid", a.req.ID)
}
