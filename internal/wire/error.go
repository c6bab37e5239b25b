package wire

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/service"
)

// WriteError answers with an error of the operation.
func (o *Operation) WriteError(w http.ResponseWriter, req *Request, err error) error {
	return o.API.WriteError(w, req, err)
}

// WriteError answers with an error in the request's protocol. An error that is
// not a *service.Error, and holds no generated exception, is an internal
// failure whose text the client does not see.
func (a *API) WriteError(w http.ResponseWriter, req *Request, err error) error {
	if req.Protocol == "" {
		req.Protocol = a.protocolOf(req)
	}
	e := a.describe(err)
	ans := &answer{w: w, req: req, api: a, status: e.status}
	if h, ok := e.extra.(headed); ok {
		maps.Copy(w.Header(), h.ResponseHeader())
	}
	if encodeErr := ans.encodeError(e); encodeErr != nil {
		return encodeErr
	}
	return ans.send()
}

// NotImplemented is the error of an operation without a handler. Its code is
// NotImplemented and its status 501 in every protocol, so that clients do not
// take it for a broken request; the SDKs do not retry it.
func (o *Operation) NotImplemented() error {
	return service.NotImplemented(o.API.ServiceID, o.Name)
}

// headed is a detail of an error that has something to say in the head of the
// answer, such as the ETag of a 304.
type headed interface {
	ResponseHeader() http.Header
}

// elements is a detail of an error that names its own elements: some of S3's have names that no field of Go can have.
type elements interface {
	ErrorElements() [][2]string
}

// failure is an error with all that the protocols say of one.
type failure struct {
	shape   *awsapi.Shape // nil when it is not modelled
	name    string        // the shape's name
	code    string        // the code in query protocols
	status  int
	sender  bool
	message string
	detail  reflect.Value // the generated exception, invalid when there is none
	extra   any           // the same, as it came
}

func (a *API) describe(err error) failure {
	e := asServiceError(err)
	f := failure{name: e.Code, code: e.Code, status: e.Status, message: e.Message, extra: e.Detail}
	if l, loadErr := a.load(); loadErr == nil {
		f.shape = l.errors[e.Code]
	}
	if f.shape != nil {
		f.name, f.code = f.shape.Name, firstOf(f.shape.ErrorCode, f.shape.Name)
		if f.status == 0 {
			f.status = f.shape.Status
		}
	}
	if f.status == 0 {
		f.status = http.StatusBadRequest
	}
	f.sender = f.status < http.StatusInternalServerError
	if a.Name == "sqs" && f.shape == nil {
		f.code = strings.TrimSuffix(f.code, "Exception")
		if f.name == "MissingRequiredParameterException" {
			f.code = "MissingParameter"
		}
	}
	if a.QueryCompatible && f.shape == nil && f.name == "ValidationException" {
		f.code = "ValidationError"
	}
	if _, named := e.Detail.(elements); named {
		return f
	}
	if v := reflect.ValueOf(e.Detail); v.Kind() == reflect.Pointer && !v.IsNil() {
		f.detail = v.Elem()
	}
	return f
}

// asServiceError finds the error that the client may see.
func asServiceError(err error) *service.Error {
	var e *service.Error
	if errors.As(err, &e) {
		return e
	}
	var exception interface {
		error
		ErrorCode() string
	}
	if errors.As(err, &exception) {
		return &service.Error{Code: exception.ErrorCode(), Detail: exception}
	}
	return &service.Error{
		Code: "InternalFailure", Status: http.StatusInternalServerError, Err: err,
		Message: "The request failed because of an internal error. The log has the reason under the request id.",
	}
}

func (a *answer) encodeError(e failure) error {
	header := a.w.Header()
	if a.api.QueryCompatible {
		a.asQuery(e)
	}
	switch a.req.Protocol {
	case awsapi.JSON:
		a.contentType("application/x-amz-json-" + firstOf(a.api.JSONVersion, "1.0"))
		return a.encodeErrorJSON(e, true)
	case awsapi.CBOR, awsapi.OldCBOR:
		a.cborHeaders()
		return a.encodeErrorCBOR(e)
	case awsapi.RESTJSON:
		a.contentType("application/json")
		header.Set("X-Amzn-Errortype", e.name)
		return a.encodeErrorJSON(e, false)
	case awsapi.EC2:
		return a.encodeErrorEC2(e)
	}
	return a.encodeErrorXML(e)
}

// asQuery tells clients that come from the query protocol the code and the status that the error has there. Others see 400 in its place.
func (a *answer) asQuery(e failure) {
	if a.req.Header.Get("X-Amzn-Query-Mode") == "true" {
		a.w.Header().Set("X-Amzn-Query-Error", e.code+";"+map[bool]string{true: "Sender", false: "Receiver"}[e.sender])
		return
	}
	if (a.req.Protocol == awsapi.JSON || a.req.Protocol == awsapi.CBOR) && e.shape != nil && e.sender {
		a.status = http.StatusBadRequest
	}
}

// typeName is a JSON or CBOR error's __type.
func (a *answer) typeName(e failure) string {
	if e.name == "ValidationException" {
		return a.api.dialect.validationNamespace + e.name
	}
	if a.api.dialect.coralNamespace != "" && ofFramework(e.name) {
		return a.api.dialect.coralNamespace + e.name
	}
	return a.api.dialect.errorNamespace + e.name
}

// members compiles the detail of an error; nil when it has none that fits.
func (a *answer) members(e failure) (*node, error) {
	if !e.detail.IsValid() || e.shape == nil {
		return nil, nil
	}
	return a.api.compiler.compile(e.shape, e.detail.Type())
}

// messageName is what the error's model calls its message.
func (e *failure) messageName(d *dialect) string {
	if e.shape != nil {
		for _, m := range e.shape.Members {
			if strings.EqualFold(m.Name, "message") {
				return firstOf(m.JSONName, m.WireName, m.Name)
			}
		}
	}
	if d.coralNamespace != "" && (e.name == "SerializationException" || e.name == "AccessDeniedException") {
		return "Message"
	}
	return "message"
}

func (a *answer) encodeErrorJSON(e failure, typed bool) error {
	b := []byte{'{'}
	if typed {
		b = appendJSONString(append(b, `"__type":`...), a.typeName(e))
	}
	n, err := a.members(e)
	if err != nil {
		return err
	}
	if n != nil {
		if status := writeLocated(a.w.Header(), n, e.detail); status != 0 {
			a.status = status
		}
		if b, err = appendJSONMembers(b, n, e.detail, !typed, 0); err != nil {
			return err
		}
	}
	for _, extra := range a.impliedMembers(e, n) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = appendJSONString(b, extra[0])
		b = appendJSONString(append(b, ':'), extra[1])
	}
	a.body = append(b, '}')
	return nil
}

// impliedMembers are the members of a JSON error that follow from the others:
// its message, and the Type and ErrorCode that some APIs repeat.
func (a *answer) impliedMembers(e failure, n *node) [][2]string {
	var extra [][2]string
	set := func(name string) bool {
		if n == nil {
			return false
		}
		i, ok := n.byJSON[name]
		if !ok {
			return false
		}
		_, present := n.fields[i].value(e.detail)
		return present
	}
	if name := e.messageName(&a.api.dialect); e.message != "" && !set(name) {
		extra = append(extra, [2]string{name, e.message})
	}
	if e.shape == nil || a.req.Protocol != awsapi.RESTJSON {
		return extra
	}
	if e.shape.Member("Type") != nil && !set("Type") {
		extra = append(extra, [2]string{"Type", map[bool]string{true: "User", false: "Service"}[e.sender]})
	}
	if e.shape.Member("ErrorCode") != nil && n == nil {
		extra = append(extra, [2]string{"ErrorCode", e.name})
	}
	return extra
}

func (a *answer) encodeErrorCBOR(e failure) error {
	b := append([]byte{}, cborMap<<5|31)
	b = appendCBORText(appendCBORText(b, "__type"), a.typeName(e))
	n, err := a.members(e)
	if err != nil {
		return err
	}
	if n != nil {
		if b, err = a.cbor().members(b, n, e.detail, 0); err != nil {
			return err
		}
	}
	for _, extra := range a.impliedMembers(e, n) {
		b = appendCBORText(appendCBORText(b, extra[0]), extra[1])
	}
	a.body = append(b, 0xff)
	return nil
}

// encodeErrorXML answers in restXml and awsQuery.
func (a *answer) encodeErrorXML(e failure) error {
	a.contentType("text/xml")
	if e.name == "QueueDoesNotExist" {
		e.message = strings.TrimSuffix(e.message, ".") + " for this wsdl version." // what the older protocol says
	}
	if a.api.dialect.emptyDetail && e.name == "UnknownOperationException" {
		a.body = []byte("<UnknownOperationException/>\n") // of a request that names no action there is nothing more to say
		return nil
	}
	x := &xmlEncoder{}
	rest := a.req.Protocol == awsapi.RESTXML
	if rest {
		a.contentType("application/xml")
		x.buf = append(x.buf, xmlProlog...)
	}
	if !a.api.dialect.bareErrors {
		x.open("ErrorResponse", namespace("", a.api.XMLNamespace))
	}
	x.open("Error", "")
	if !a.api.dialect.bareErrors {
		x.leaf("Type", map[bool]string{true: "Sender", false: "Receiver"}[e.sender])
	}
	if err := a.errorElements(x, e); err != nil {
		return err
	}
	if a.api.dialect.bareErrors {
		x.leaf("RequestId", a.req.ID)
		x.leaf("HostId", a.req.hostID())
		x.close("Error")
	} else {
		if a.api.dialect.emptyDetail {
			x.leaf("Detail", "")
		}
		x.close("Error")
		x.leaf("RequestId", a.req.ID)
		x.close("ErrorResponse")
	}
	a.body = x.buf
	return nil
}

// errorElements writes code, message and the members of an exception.
func (a *answer) errorElements(x *xmlEncoder, e failure) error {
	x.leaf("Code", e.code)
	n, err := a.members(e)
	if err != nil {
		return err
	}
	if n == nil {
		if e.message != "" || a.api.dialect.bareErrors {
			x.leaf("Message", e.message)
		}
		return a.freeElements(x, e)
	}
	if status := writeLocated(a.w.Header(), n, e.detail); status != 0 {
		a.status = status
	}
	hasMessage := false
	for i := range n.fields {
		if strings.EqualFold(n.fields[i].Name, "message") {
			_, hasMessage = n.fields[i].value(e.detail)
		}
	}
	if !hasMessage {
		x.leaf("Message", e.message)
	}
	if len(n.fields) == 0 {
		return a.freeElements(x, e)
	}
	return x.members(n, e.detail, 0)
}

// freeElements writes the text fields of a detail that is not a modelled
// exception, or one without members: S3's errors carry elements that its model does not have, such as
// StringToSign or BucketName.
func (a *answer) freeElements(x *xmlEncoder, e failure) error {
	if named, ok := e.extra.(elements); ok {
		for _, e := range named.ErrorElements() {
			x.leaf(e[0], e[1])
		}
		return nil
	}
	if !e.detail.IsValid() {
		return nil
	}
	if e.detail.Kind() != reflect.Struct {
		return fmt.Errorf("encode error %s: its detail is a %v and not a struct", e.name, e.detail.Type())
	}
	t := e.detail.Type()
	for i := range t.NumField() {
		v := e.detail.Field(i)
		if v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if t.Field(i).IsExported() && v.Kind() == reflect.String && v.Len() > 0 {
			x.leaf(t.Field(i).Name, v.String())
		}
	}
	return nil
}

func (a *answer) encodeErrorEC2(e failure) error {
	a.contentType("text/xml;charset=UTF-8")
	x := &xmlEncoder{buf: []byte(xmlProlog)}
	x.open("Response", "")
	x.open("Errors", "")
	x.open("Error", "")
	if err := a.errorElements(x, e); err != nil {
		return err
	}
	x.close("Error")
	x.close("Errors")
	x.leaf("RequestID", a.req.ID)
	x.close("Response")
	a.body = x.buf
	return nil
}
