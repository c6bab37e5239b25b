package secretsmanager

import (
	"time"

	api "lambent.dev/lambent/internal/awsapi/secretsmanager"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// Options are what Secrets Manager needs beside what every service gets.
type Options struct {
	// Keys makes the data keys of values.
	Keys port.Keys
	// Functions rotate secrets.
	Functions port.Functions
}

// Service is Secrets Manager. Make one with [New].
type Service struct {
	deps    service.Deps
	options Options
}

// New returns Secrets Manager on the given collaborators, and what keeps the secrets of services.
func New(d service.Deps, o Options) (service.Service, *Service) {
	s := newService(d, o)
	return s.describe(), s
}

func newService(d service.Deps, o Options) *Service { return &Service{deps: d, options: o} }

func (s *Service) describe() service.Service {
	h := &api.Handlers{
		BatchGetSecretValue:          s.batchGetSecretValue,
		CancelRotateSecret:           s.cancelRotateSecret,
		CreateSecret:                 s.createSecret,
		DeleteResourcePolicy:         s.deleteResourcePolicy,
		DeleteSecret:                 s.deleteSecret,
		DescribeSecret:               s.describeSecret,
		GetRandomPassword:            s.getRandomPassword,
		GetResourcePolicy:            s.getResourcePolicy,
		GetSecretValue:               s.getSecretValue,
		ListSecretVersionIds:         s.listSecretVersionIds,
		ListSecrets:                  s.listSecrets,
		PutResourcePolicy:            s.putResourcePolicy,
		PutSecretValue:               s.putSecretValue,
		RemoveRegionsFromReplication: s.removeRegionsFromReplication,
		ReplicateSecretToRegions:     s.replicateSecretToRegions,
		RestoreSecret:                s.restoreSecret,
		RotateSecret:                 s.rotateSecret,
		StopReplicationToReplica:     s.stopReplicationToReplica,
		TagResource:                  s.tagResource,
		UntagResource:                s.untagResource,
		UpdateSecret:                 s.updateSecret,
		UpdateSecretVersionStage:     s.updateSecretVersionStage,
		ValidateResourcePolicy:       s.validateResourcePolicy,
	}
	return service.Service{
		API: api.API, Operations: h.Bindings(), Access: s.access(), Resources: s.resources(),
		Jobs: []events.Kind{
			{Name: purgeKind, Handle: s.purge}, {Name: scheduleKind, Handle: s.due}, {Name: rotateKind, Handle: s.rotate, MaxAttempts: rotationTries},
		},
	}
}

func (s *Service) now() time.Time { return s.deps.Clock.Now().UTC() }
