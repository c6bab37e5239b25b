package cloudcontrol

import (
	"context"
	"sync"

	"lambent.dev/lambent/internal/awsapi/cloudcontrol"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// maxRequests is how many requests are carried out at a time.
const maxRequests = 64

// Options are the ports that the service uses.
type Options struct {
	// Types returns every resource type of the platform; it is called when the first one is needed, after all services are built.
	Types func() []service.ResourceType
	// Roles checks the passing of roles.
	Roles port.Roles
	// Hooks may forbid requests.
	Hooks port.Hooks
}

// Service holds what the handlers share.
type Service struct {
	service.Deps

	options Options
	types   func() deploy.Types
	// running holds how to stop the requests that are under way, by token: a context.CancelFunc each.
	running sync.Map
}

// New returns the service.
func New(deps service.Deps, options Options) service.Service {
	s := &Service{Deps: deps, options: options}
	s.types = sync.OnceValue(func() deploy.Types { return deploy.NewTypes(options.Types()...) })
	h := &cloudcontrol.Handlers{
		CreateResource: s.createResource, UpdateResource: s.updateResource, DeleteResource: s.deleteResource,
		GetResource: s.getResource, ListResources: s.listResources,
		GetResourceRequestStatus: s.getResourceRequestStatus, ListResourceRequests: s.listResourceRequests, CancelResourceRequest: s.cancelResourceRequest,
	}
	return service.Service{
		API: cloudcontrol.API, Operations: h.Bindings(), Access: access(),
		Jobs: []events.Kind{{Name: workKind, Handle: s.work, Concurrency: maxRequests}, {Name: expiryKind, Handle: s.expire}},
	}
}

// access says what each operation needs, see
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudcontrolapi.html.
func access() map[string]service.Access {
	out := map[string]service.Access{}
	for _, name := range []string{
		"CreateResource", "UpdateResource", "DeleteResource", "GetResource", "ListResources", "GetResourceRequestStatus", "ListResourceRequests", "CancelResourceRequest",
	} {
		out[name] = service.OnAny("cloudformation:" + name)
	}
	return out
}

// as returns a context of calls by the role that a call passes, or by its caller when it passes none.
func (s *Service) as(ctx context.Context, role *string) (context.Context, error) {
	if role == nil {
		return ctx, nil
	}
	if err := s.options.Roles.CheckPassRole(ctx, *role, roleService); err != nil {
		return nil, err
	}
	p, err := s.options.Roles.SessionForService(ctx, roleService, *role, "AWSCloudControlAPI")
	if err != nil {
		return nil, err
	}
	return service.As(ctx, p), nil
}

// roleService is who assumes the roles that calls pass, see
// https://docs.aws.amazon.com/cloudcontrolapi/latest/userguide/resource-operations.html#resource-operations-permissions.
const roleService = "cloudformation.amazonaws.com"
