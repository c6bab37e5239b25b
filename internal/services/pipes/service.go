package pipes

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/pipes"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/sources"
)

// Options are what Pipes needs beside what every service gets.
type Options struct {
	Sender *deliver.Sender
	Roles  port.Roles
	// Logs takes the logs of pipes.
	Logs port.LogSink
	// Endpoints calls API destinations and stages of API Gateway.
	Endpoints port.Endpoints
	// Arrivals tells when a source has something new.
	Arrivals port.Arrivals
}

// Service is EventBridge Pipes. Make one with [New].
type Service struct {
	deps    service.Deps
	options Options
	owners  sources.Owners[pipeID]
	// failures delivers batches that were given up.
	failures *deliver.Queue
}

// New returns Pipes on the given collaborators.
func New(d service.Deps, o Options) service.Service { return newService(d, o).describe() }

func newService(d service.Deps, o Options) *Service {
	s := &Service{deps: d, options: o}
	s.owners = sources.Owners[pipeID]{Store: d.Store, Clock: d.Clock, Log: d.Log, Prefix: everywhere(), List: listPipes, Apply: s.apply}
	s.failures = &deliver.Queue{Name: "pipes.failure", Sender: o.Sender, MaxAge: maxFailureAge}
	return s
}

// maxFailureAge is how long a batch that was given up waits for its dead-letter queue.
const maxFailureAge = 24 * time.Hour

func (s *Service) describe() service.Service {
	return service.Service{
		API:        api.API,
		Operations: s.handlers().Bindings(),
		Access:     access(),
		Resources:  s.resources(),
		Jobs:       []events.Kind{s.failures.Kind()},
		Start:      func(ctx context.Context) error { s.owners.Start(ctx); return nil },
		Close:      func(context.Context) error { s.owners.Close(); return nil },
	}
}

func (s *Service) handlers() *api.Handlers {
	return &api.Handlers{
		CreatePipe:          s.createPipe,
		DeletePipe:          s.deletePipe,
		DescribePipe:        s.describePipe,
		ListPipes:           s.listPipes,
		ListTagsForResource: s.listTagsForResource,
		StartPipe:           s.startPipe,
		StopPipe:            s.stopPipe,
		TagResource:         s.tagResource,
		UntagResource:       s.untagResource,
		UpdatePipe:          s.updatePipe,
	}
}

func (s *Service) now() time.Time { return s.deps.Clock.Now().UTC() }
