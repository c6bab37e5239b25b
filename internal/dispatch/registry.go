package dispatch

import (
	"errors"
	"fmt"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/service"
)

// Registry knows every API of the platform, and what each of its operations needs. It is immutable.
type Registry struct {
	apis    []*awsapi.API
	entries map[string]*entry // by API name
}

// entry is one API with the service behind it, if there is one.
type entry struct {
	api        *awsapi.API
	operations map[string]*operation // those with a handler
}

type operation struct {
	binding awsapi.Binding
	access  service.Access
}

// NewRegistry builds the registry from the services and from the APIs that are known without a service, whose
// operations all answer NotImplemented. It reports every operation that has a handler and no access rule, and every rule without a handler.
func NewRegistry(services []service.Service, known []*awsapi.API) (*Registry, error) {
	r := &Registry{entries: make(map[string]*entry, len(known)+len(services))}
	var errs []error
	for _, s := range services {
		if _, ok := r.entries[s.API.Name]; ok {
			errs = append(errs, fmt.Errorf("service %s is registered twice", s.API.Name))
			continue
		}
		e := &entry{api: s.API, operations: make(map[string]*operation, len(s.Access))}
		for _, b := range s.Operations {
			access, ok := s.Access[b.Name]
			if (b.Call != nil) != ok {
				errs = append(errs, fmt.Errorf("service %s: operation %s: has handler %v, has access rule %v", s.API.Name, b.Name, b.Call != nil, ok))
			}
			if b.Call != nil {
				e.operations[b.Name] = &operation{binding: b, access: access}
			}
		}
		r.add(e)
	}
	for _, api := range known {
		if _, ok := r.entries[api.Name]; !ok {
			r.add(&entry{api: api})
		}
	}
	return r, errors.Join(errs...)
}

func (r *Registry) add(e *entry) {
	r.entries[e.api.Name] = e
	r.apis = append(r.apis, e.api)
}

// APIs returns the descriptors of all known APIs, those with a service first.
func (r *Registry) APIs() []*awsapi.API { return r.apis }

// Implemented reports whether an operation has a handler.
func (r *Registry) Implemented(api, name string) bool {
	e, ok := r.entries[api]
	return ok && e.operations[name] != nil
}

// find returns an operation with a handler, or the error that says it has none.
func (r *Registry) find(api, name string) (*operation, error) {
	e, ok := r.entries[api]
	if !ok {
		return nil, service.Errorf("UnknownService", "Lambent knows no API named %s.", api)
	}
	op, ok := e.operations[name]
	if !ok {
		return nil, service.NotImplemented(e.api.ServiceID, name)
	}
	return op, nil
}
