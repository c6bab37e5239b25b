package ssm

import (
	"time"

	api "lambent.dev/lambent/internal/awsapi/ssm"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// Options are what the Parameter Store needs beside what every service gets.
type Options struct {
	// Keys makes the data keys of SecureStrings.
	Keys port.Keys
}

// Service is the Parameter Store. Make one with [New].
type Service struct {
	deps    service.Deps
	options Options
}

// New returns the Parameter Store on the given collaborators.
func New(d service.Deps, o Options) service.Service { return newService(d, o).describe() }

func newService(d service.Deps, o Options) *Service { return &Service{deps: d, options: o} }

func (s *Service) describe() service.Service {
	h := &api.Handlers{
		AddTagsToResource:       s.addTagsToResource,
		DeleteParameter:         s.deleteParameter,
		DeleteParameters:        s.deleteParameters,
		DescribeParameters:      s.describeParameters,
		GetParameter:            s.getParameter,
		GetParameterHistory:     s.getParameterHistory,
		GetParameters:           s.getParameters,
		GetParametersByPath:     s.getParametersByPath,
		LabelParameterVersion:   s.labelParameterVersion,
		ListTagsForResource:     s.listTagsForResource,
		PutParameter:            s.putParameter,
		RemoveTagsFromResource:  s.removeTagsFromResource,
		UnlabelParameterVersion: s.unlabelParameterVersion,
	}
	return service.Service{
		API: api.API, Operations: h.Bindings(), Access: access(), Resources: s.resources(),
		Jobs: []events.Kind{{Name: expireKind, Handle: s.expire}},
	}
}

func (s *Service) now() time.Time { return s.deps.Clock.Now().UTC() }
