package codedeploy

import (
	"time"

	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// Options are what CodeDeploy needs beside what every service gets.
type Options struct{ Roles port.Roles }

// Service is CodeDeploy. Make one with [New].
type Service struct {
	deps    service.Deps
	options Options
}

var _ port.Deployments = (*Service)(nil)

// New returns CodeDeploy on the given collaborators, and what waits for its deployments.
func New(d service.Deps, o Options) (service.Service, *Service) {
	s := &Service{deps: d, options: o}
	return service.Service{
		API: api.API, Operations: s.handlers().Bindings(), Access: access(), Resources: s.resources(),
		Jobs: []events.Kind{{Name: stepKind, Handle: s.step, Concurrency: 64}},
	}, s
}

func (s *Service) handlers() *api.Handlers {
	return &api.Handlers{
		BatchGetApplications:                 s.batchGetApplications,
		BatchGetDeploymentGroups:             s.batchGetDeploymentGroups,
		BatchGetDeploymentTargets:            s.batchGetDeploymentTargets,
		BatchGetDeployments:                  s.batchGetDeployments,
		CreateApplication:                    s.createApplication,
		CreateDeployment:                     s.createDeployment,
		CreateDeploymentConfig:               s.createDeploymentConfig,
		CreateDeploymentGroup:                s.createDeploymentGroup,
		DeleteApplication:                    s.deleteApplication,
		DeleteDeploymentConfig:               s.deleteDeploymentConfig,
		DeleteDeploymentGroup:                s.deleteDeploymentGroup,
		GetApplication:                       s.getApplication,
		GetDeployment:                        s.getDeployment,
		GetDeploymentConfig:                  s.getDeploymentConfig,
		GetDeploymentGroup:                   s.getDeploymentGroup,
		GetDeploymentTarget:                  s.getDeploymentTarget,
		ListApplications:                     s.listApplications,
		ListDeploymentConfigs:                s.listDeploymentConfigs,
		ListDeploymentGroups:                 s.listDeploymentGroups,
		ListDeploymentTargets:                s.listDeploymentTargets,
		ListDeployments:                      s.listDeployments,
		ListTagsForResource:                  s.listTagsForResource,
		PutLifecycleEventHookExecutionStatus: s.putLifecycleEventHookExecutionStatus,
		StopDeployment:                       s.stopDeployment,
		TagResource:                          s.tagResource,
		UntagResource:                        s.untagResource,
		UpdateDeploymentGroup:                s.updateDeploymentGroup,
	}
}

func (s *Service) now() time.Time { return s.deps.Clock.Now().UTC() }
