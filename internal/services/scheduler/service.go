package scheduler

import (
	"time"

	api "lambent.dev/lambent/internal/awsapi/scheduler"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// Options are what the Scheduler needs beside what every service gets.
type Options struct {
	Sender *deliver.Sender
	Roles  port.Roles
	// Operation returns a fresh input of an operation, for universal targets, with the operation's name as the door knows it. api is the name of a package of
	// package awsapi; operation is in any case.
	Operation func(api, operation string) (name string, input any, ok bool)
}

// Service is EventBridge Scheduler. Make one with [New].
type Service struct {
	deps    service.Deps
	options Options
	queue   *deliver.Queue
}

// New returns the Scheduler on the given collaborators.
func New(d service.Deps, o Options) service.Service { return newService(d, o).describe() }

func newService(d service.Deps, o Options) *Service {
	s := &Service{deps: d, options: o}
	s.queue = &deliver.Queue{Name: targetQueue, Sender: o.Sender, Dropped: s.dropped, Send: s.send}
	return s
}

func (s *Service) describe() service.Service {
	return service.Service{
		API:        api.API,
		Operations: s.handlers().Bindings(),
		Access:     access(),
		Resources:  s.resources(),
		Jobs: []events.Kind{
			{Name: runKind, Handle: s.run, Concurrency: 64},
			{Name: emptyKind, Handle: s.empty},
			s.queue.Kind(),
		},
	}
}

func (s *Service) handlers() *api.Handlers {
	return &api.Handlers{
		CreateSchedule:      s.createSchedule,
		CreateScheduleGroup: s.createScheduleGroup,
		DeleteSchedule:      s.deleteSchedule,
		DeleteScheduleGroup: s.deleteScheduleGroup,
		GetSchedule:         s.getSchedule,
		GetScheduleGroup:    s.getScheduleGroup,
		ListScheduleGroups:  s.listScheduleGroups,
		ListSchedules:       s.listSchedules,
		ListTagsForResource: s.listTagsForResource,
		TagResource:         s.tagResource,
		UntagResource:       s.untagResource,
		UpdateSchedule:      s.updateSchedule,
	}
}

func (s *Service) now() time.Time { return s.deps.Clock.Now().UTC() }
