package wire

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/service"
)

// API is one AWS API with the bindings that implement it.
type API struct {
	*awsapi.API

	load     func() (*loaded, error)
	compiler compiler
	dialect  dialect
	patterns patterns
	// buffers keeps the memory of documents that were sent, as *[]byte.
	buffers sync.Pool
}

// loaded is what is made of the schema when the first request comes.
type loaded struct {
	operations map[string]*Operation
	routes     []route
	// errors holds the modelled exceptions by name and by wire code.
	errors map[string]*awsapi.Shape
}

// New joins an API with the bindings of its Handlers; without bindings, every
// operation is known by name and implemented by none.
func New(api *awsapi.API, bindings []awsapi.Binding) *API {
	a := &API{API: api, dialect: dialectOf(api)}
	a.compiler = compiler{nodes: make(map[planKey]*node), unlessEmpty: a.dialect.unlessEmpty, nullTexts: a.dialect.nullTexts}
	a.load = sync.OnceValues(func() (*loaded, error) { return a.build(bindings) })
	return a
}

func (a *API) build(bindings []awsapi.Binding) (*loaded, error) {
	schema, err := a.Schema()
	if err != nil {
		return nil, err
	}
	l := &loaded{operations: make(map[string]*Operation), errors: make(map[string]*awsapi.Shape)}
	ops := make([]*Operation, 0, len(schema.Operations))
	for _, o := range schema.Operations {
		op := &Operation{Name: o.Name, API: a, Schema: o}
		op.compile = sync.OnceValues(op.plan)
		l.operations[o.Name] = op
		ops = append(ops, op)
	}
	for _, b := range bindings {
		op := l.operations[b.Name]
		if op == nil {
			return nil, fmt.Errorf("%s has no operation %s", a.Name, b.Name)
		}
		op.Binding = b
	}
	if a.Has(awsapi.RESTJSON) || a.Has(awsapi.RESTXML) {
		l.routes = newRoutes(ops)
	}
	for _, s := range schema.Shapes {
		if s.Exception && s.ErrorCode != "" {
			l.errors[s.ErrorCode] = s
		}
	}
	for _, s := range schema.Shapes { // a code may be the name of another exception, which it means then
		if s.Exception {
			l.errors[s.Name] = s
		}
	}
	return l, nil
}

// Operation returns an operation by name, or nil.
func (a *API) Operation(name string) *Operation {
	l, err := a.load()
	if err != nil {
		return nil
	}
	return l.operations[name]
}

// Match finds the operation of a request and sets the request's protocol. The
// error is the one that AWS gives to an unknown operation.
func (a *API) Match(req *Request) (*Operation, error) {
	l, err := a.load()
	if err != nil {
		return nil, err
	}
	req.Protocol = a.protocolOf(req)
	var op *Operation
	switch req.Protocol {
	case awsapi.JSON, awsapi.OldCBOR:
		_, name, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
		if op = l.operations[name]; op == nil {
			return nil, unknownOperation(name)
		}
	case awsapi.CBOR:
		_, name, _ := smithyPath(req.RawPath)
		if op = l.operations[name]; op == nil {
			return nil, unknownOperation(name)
		}
	case awsapi.Query, awsapi.EC2:
		form, err := req.formValues()
		if err != nil {
			return nil, a.clientError(req, err)
		}
		if err := a.wrongEndpoint(req, form["Action"]); err != nil {
			return nil, err
		}
		if op = l.operations[form["Action"]]; op == nil {
			return nil, a.unknownAction(form["Action"], form["Version"])
		}
	default:
		return a.matchREST(l, req)
	}
	return op, nil
}

func (a *API) matchREST(l *loaded, req *Request) (*Operation, error) {
	query, err := req.parameters()
	if err != nil {
		return nil, a.clientError(req, err)
	}
	known := false
	for i := range l.routes {
		r := &l.routes[i]
		labels, ok, err := r.match(req, query)
		if err != nil {
			return nil, a.clientError(req, err)
		}
		if ok {
			req.labels = labels
			return r.op, nil
		}
		if !known {
			_, known = r.matchPath(req.RawPath)
		}
	}
	if a.Has(awsapi.RESTXML) || known {
		return nil, &service.Error{
			Code: "MethodNotAllowed", Status: http.StatusMethodNotAllowed,
			Message: fmt.Sprintf("The specified method is not allowed against this resource: %s has no operation for %s %s.", a.ServiceID, req.Method, req.RawPath),
		}
	}
	return nil, &service.Error{
		Code: "UnknownOperationException", Status: http.StatusNotFound,
		Message: fmt.Sprintf("%s has no operation for %s %s. Check the method and the path.", a.ServiceID, req.Method, req.RawPath),
	}
}

// protocolOf decides in which of the API's protocols the request speaks.
func (a *API) protocolOf(req *Request) awsapi.Protocol {
	if a.dialect.oldCBOR && req.mediaType() == oldCBOR {
		return awsapi.OldCBOR
	}
	if len(a.Protocols) == 1 {
		return a.Protocols[0]
	}
	if a.Has(awsapi.CBOR) && req.Header.Get("Smithy-Protocol") == "rpc-v2-cbor" {
		return awsapi.CBOR
	}
	if a.Has(awsapi.JSON) && req.Header.Get("X-Amz-Target") != "" {
		return awsapi.JSON
	}
	if a.Has(awsapi.Query) {
		return awsapi.Query
	}
	return a.Protocols[0]
}

func unknownOperation(name string) error {
	message := "The request names no operation. Send it in the X-Amz-Target header."
	if name != "" {
		message = fmt.Sprintf("The operation %s is not known. Check the X-Amz-Target header or the path.", name)
	}
	return &service.Error{Code: "UnknownOperationException", Status: http.StatusNotFound, Message: message}
}

func (a *API) unknownAction(action, version string) error {
	if action == "" {
		return badRequest("MissingAction", "The request must contain the parameter Action.")
	}
	if a.Name == "sqs" {
		return badRequest("InvalidAction", "The action %s is not valid for this endpoint.", action)
	}
	return badRequest("InvalidAction", "Could not find operation %s for version %s", action, firstOf(version, "NO_VERSION_SPECIFIED"))
}

// wrongEndpoint refuses a GET of a queue's URL that names no action, or one that is not about a queue.
func (a *API) wrongEndpoint(req *Request, action string) error {
	if a.dialect.pathMember == "" || req.Method != http.MethodGet || strings.Count(req.RawPath, "/") < 2 {
		return nil
	}
	switch action {
	case "":
		return &service.Error{Code: "UnknownOperationException", Status: http.StatusNotFound, Message: "The request names no action."}
	case "CreateQueue", "ListQueues":
		return badRequest("InvalidAction", "The action %s is not valid for this endpoint.", action)
	}
	return nil
}

// smithyPath splits a path of rpcv2Cbor, /service/NAME/operation/NAME.
func smithyPath(path string) (serviceName, operation string, ok bool) {
	parts := strings.Split(path, "/")
	if len(parts) < 5 || parts[len(parts)-4] != "service" || parts[len(parts)-2] != "operation" {
		return "", "", false
	}
	return parts[len(parts)-3], parts[len(parts)-1], true
}
