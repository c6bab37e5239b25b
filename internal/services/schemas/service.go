package schemas

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/schemas"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/memo"
)

// Service is Amazon EventBridge Schemas. Make one with [New].
type Service struct {
	deps service.Deps
	// watched are the discoverers that are started, by place.
	watched *memo.Cache[place, struct{}, map[string]discovererRecord]
	// known is what is known of discovered schemas, by place and name.
	known *memo.Cache[place, string, *found]
}

// New returns the service, and what EventBridge shows its events to.
func New(d service.Deps) (service.Service, *Service) {
	s := &Service{deps: d}
	s.watched = memo.New[place, struct{}, map[string]discovererRecord](d.Store, 1, func(p place) [][]byte { return [][]byte{p.discoverers()} })
	s.known = memo.New[place, string, *found](d.Store, maxKnown, func(p place) [][]byte { return [][]byte{p.schemas(discoveredRegistry)} })
	return s.describe(), s
}

func (s *Service) describe() service.Service {
	return service.Service{
		API:            api.API,
		Operations:     s.handlers().Bindings(),
		Access:         s.access(),
		DataOperations: []string{"GetDiscoveredSchema"},
		Resources:      s.resources(),
		Close:          func(context.Context) error { s.watched.Close(); s.known.Close(); return nil },
	}
}

func (s *Service) handlers() *api.Handlers {
	return &api.Handlers{
		CreateDiscoverer:     s.createDiscoverer,
		CreateRegistry:       s.createRegistry,
		CreateSchema:         s.createSchema,
		DeleteDiscoverer:     s.deleteDiscoverer,
		DeleteRegistry:       s.deleteRegistry,
		DeleteResourcePolicy: s.deleteResourcePolicy,
		DeleteSchema:         s.deleteSchema,
		DeleteSchemaVersion:  s.deleteSchemaVersion,
		DescribeDiscoverer:   s.describeDiscoverer,
		DescribeRegistry:     s.describeRegistry,
		DescribeSchema:       s.describeSchema,
		ExportSchema:         s.exportSchema,
		GetDiscoveredSchema:  s.getDiscoveredSchema,
		GetResourcePolicy:    s.getResourcePolicy,
		ListDiscoverers:      s.listDiscoverers,
		ListRegistries:       s.listRegistries,
		ListSchemaVersions:   s.listSchemaVersions,
		ListSchemas:          s.listSchemas,
		ListTagsForResource:  s.listTagsForResource,
		PutResourcePolicy:    s.putResourcePolicy,
		SearchSchemas:        s.searchSchemas,
		StartDiscoverer:      s.startDiscoverer,
		StopDiscoverer:       s.stopDiscoverer,
		TagResource:          s.tagResource,
		UntagResource:        s.untagResource,
		UpdateDiscoverer:     s.updateDiscoverer,
		UpdateRegistry:       s.updateRegistry,
		UpdateSchema:         s.updateSchema,
	}
}

func (s *Service) now() time.Time { return s.deps.Clock.Now().UTC() }
