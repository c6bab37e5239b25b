package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/wire"
)

// Registry knows every API of the platform, and what each of its operations needs. It is immutable.
type Registry struct {
	order   []*entry
	entries map[string]*entry // by API name
}

// entry is one API with the service behind it, if there is one.
type entry struct {
	wire       *wire.API
	signing    []string              // the services for which its requests may be signed
	operations map[string]*operation // those with a handler
	preflight  func(w http.ResponseWriter, r *http.Request, rawPath string) bool
	form       func(ctx context.Context, w http.ResponseWriter, f *service.FormUpload) error
	answered   func(e *service.Exchange)
}

type operation struct {
	binding awsapi.Binding
	access  service.Access
	wire    *wire.API
	kind    kind
}

// NewRegistry builds the registry from the services and from the APIs that are known without a service, whose
// operations all answer NotImplemented. It reports every operation that has a handler and no access rule, and every rule without a handler.
func NewRegistry(services []service.Service, known []*awsapi.API) (*Registry, error) {
	r := &Registry{entries: make(map[string]*entry, len(known)+len(services))}
	var errs []error
	for i := range services {
		s := &services[i]
		if _, ok := r.entries[s.API.Name]; ok {
			errs = append(errs, fmt.Errorf("service %s is registered twice", s.API.Name))
			continue
		}
		e, err := newEntry(s)
		errs = append(errs, err)
		r.add(s.API.Name, e)
	}
	for _, api := range known {
		if _, ok := r.entries[api.Name]; !ok {
			r.add(api.Name, &entry{wire: wire.New(api, nil)})
		}
	}
	return r, errors.Join(errs...)
}

func newEntry(s *service.Service) (*entry, error) {
	e := &entry{wire: wire.New(s.API, s.Operations), operations: make(map[string]*operation, len(s.Access)), preflight: s.Preflight, form: s.Form, answered: s.Answered}
	var errs []error
	rules := len(s.Access)
	for _, b := range s.Operations {
		access, ok := s.Access[b.Name]
		if ok {
			rules--
		}
		if b.Call == nil {
			if ok {
				errs = append(errs, fmt.Errorf("service %s: %s has an access rule and no handler", s.API.Name, b.Name))
			}
			continue
		}
		if !ok {
			errs = append(errs, fmt.Errorf("service %s: %s has a handler and no access rule", s.API.Name, b.Name))
		}
		access.MakesRoom = access.MakesRoom || removes(b.Name)
		e.operations[b.Name] = &operation{binding: b, access: access, wire: e.wire, kind: kindOf(s, b.Name)}
	}
	for _, name := range s.DataOperations {
		if !slices.ContainsFunc(s.Operations, func(b awsapi.Binding) bool { return b.Name == name }) {
			errs = append(errs, fmt.Errorf("service %s: the data operation %s is none of the API", s.API.Name, name))
		}
	}
	if rules > 0 {
		errs = append(errs, fmt.Errorf("service %s: %d access rules name no operation of the API", s.API.Name, rules))
	}
	return e, errors.Join(errs...)
}

// removing are the words that begin the names of operations that remove something, in all APIs.
var removing = [...]string{"Abort", "Cancel", "Delete", "Deregister", "Detach", "Disassociate", "Purge", "Remove", "Terminate", "Unsubscribe", "Untag"}

// removes tells whether the operation of that name removes something, so that it must be let through when the disk is full.
func removes(name string) bool {
	return slices.ContainsFunc(removing[:], func(word string) bool { return strings.HasPrefix(name, word) })
}

func (r *Registry) add(name string, e *entry) {
	e.signing = signingNames(e.wire)
	r.entries[name] = e
	r.order = append(r.order, e)
}

func (r *Registry) wireAPIs() []*wire.API {
	out := make([]*wire.API, len(r.order))
	for i, e := range r.order {
		out[i] = e.wire
	}
	return out
}

// Implemented reports whether an operation has a handler.
func (r *Registry) Implemented(api, name string) bool {
	e, ok := r.entries[api]
	return ok && e.operations[name] != nil
}

// find returns an operation with a handler, or the error that says it has none.
func (r *Registry) find(api, name string) (*entry, *operation, error) {
	e, ok := r.entries[api]
	if !ok {
		return nil, nil, service.Errorf("UnknownService", "Lambent knows no API named %s.", api)
	}
	op, ok := e.operations[name]
	if !ok {
		return nil, nil, service.NotImplemented(e.wire.ServiceID, name)
	}
	return e, op, nil
}

// signingNames returns the services for which requests of an API may be signed.
func signingNames(a *wire.API) []string {
	if a.SigningName == "s3" {
		return []string{"s3", objectLambda, directoryBuckets}
	}
	return []string{a.SigningName}
}
