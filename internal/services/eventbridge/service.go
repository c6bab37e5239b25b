package eventbridge

import (
	"context"
	"net/http"
	"time"

	api "lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store/memo"
)

// Options are what EventBridge needs beside what every service gets.
type Options struct {
	// Queues and Functions take events for queues and functions into the commit of PutEvents.
	Queues    port.Queues
	Functions port.Functions
	// Schemas is shown the events that come to buses; nil means that nobody is.
	Schemas port.Discovery
	// Sender delivers to the other targets.
	Sender *deliver.Sender
	Roles  port.Roles
	// Secrets keeps what connections hide.
	Secrets port.Secrets
	// Caller proves who sent a request to the endpoint for CloudEvents, which is signed for the service named api.
	Caller func(r *http.Request, api string, body []byte) (service.Principal, error)
	// Transport reaches API destinations, and where they get their tokens; nil means [http.DefaultTransport].
	Transport http.RoundTripper
	// Logs takes what buses log; nil means that nobody does.
	Logs port.VendedLogs
}

// Service is Amazon EventBridge. Make one with [New].
type Service struct {
	deps    service.Deps
	options Options
	http    *http.Client
	routers *routers
	// policies keeps the records of buses, for their policies.
	policies *memo.Cache[busKey, struct{}, busRecord]
	// queue delivers to targets, calls to API destinations.
	queue *deliver.Queue
	calls *deliver.Queue
	rates rates
	oauth tokens
}

// New returns EventBridge on the given collaborators, and what is to be told of calls and calls endpoints.
func New(d service.Deps, o Options) (service.Service, *Service) {
	s := newService(d, o)
	return s.describe(), s
}

func newService(d service.Deps, o Options) *Service {
	s := &Service{deps: d, options: o, http: deliver.NewClient(o.Transport, callTimeout), routers: newRouters(d.Store)}
	s.policies = memo.New[busKey, struct{}, busRecord](d.Store, 1, func(k busKey) [][]byte { return [][]byte{k.bus(k.name)} })
	s.queue = &deliver.Queue{Name: targetQueue, Sender: o.Sender, Dropped: s.dropped, Reported: s.reported}
	s.calls = &deliver.Queue{Name: callQueue, Sender: o.Sender, Dropped: s.dropped, Reported: s.reported, Send: s.deliverCall}
	return s
}

func (s *Service) describe() service.Service {
	return service.Service{
		API:            api.API,
		Operations:     s.handlers().Bindings(),
		Access:         s.access(),
		DataOperations: []string{"PutEvents", "TestEventPattern"},
		Resources:      s.resources(),
		Routes:         []service.Route{{Path: "/_aws/cloudevents", Handler: cloudPlane{s}}},
		Close:          func(context.Context) error { s.routers.memo.Close(); s.policies.Close(); return nil },
		Jobs: []events.Kind{
			{Name: routeKind, Handle: s.route, Concurrency: 64, MaxAge: seconds(defaultAge)},
			{Name: scheduleKind, Handle: s.run, Concurrency: 64},
			{Name: retentionKind, Handle: s.expire},
			{Name: replayKind, Handle: s.replayNext},
			s.queue.Kind(),
			s.calls.Kind(),
		},
	}
}

func (s *Service) handlers() *api.Handlers {
	return &api.Handlers{
		CancelReplay:           s.cancelReplay,
		CreateApiDestination:   s.createAPIDestination,
		CreateArchive:          s.createArchive,
		CreateConnection:       s.createConnection,
		CreateEndpoint:         s.createEndpoint,
		CreateEventBus:         s.createEventBus,
		DeauthorizeConnection:  s.deauthorizeConnection,
		DeleteApiDestination:   s.deleteAPIDestination,
		DeleteArchive:          s.deleteArchive,
		DeleteConnection:       s.deleteConnection,
		DeleteEndpoint:         s.deleteEndpoint,
		DeleteEventBus:         s.deleteEventBus,
		DeleteRule:             s.deleteRule,
		DescribeApiDestination: s.describeAPIDestination,
		DescribeArchive:        s.describeArchive,
		DescribeConnection:     s.describeConnection,
		DescribeEndpoint:       s.describeEndpoint,
		DescribeEventBus:       s.describeEventBus,
		DescribeReplay:         s.describeReplay,
		DescribeRule:           s.describeRule,
		DisableRule:            s.disableRule,
		EnableRule:             s.enableRule,
		ListApiDestinations:    s.listAPIDestinations,
		ListArchives:           s.listArchives,
		ListConnections:        s.listConnections,
		ListEndpoints:          s.listEndpoints,
		ListEventBuses:         s.listEventBuses,
		ListReplays:            s.listReplays,
		ListRuleNamesByTarget:  s.listRuleNamesByTarget,
		ListRules:              s.listRules,
		ListTagsForResource:    s.listTagsForResource,
		ListTargetsByRule:      s.listTargetsByRule,
		PutEvents:              s.putEvents,
		PutPermission:          s.putPermission,
		PutRule:                s.putRule,
		PutTargets:             s.putTargets,
		RemovePermission:       s.removePermission,
		RemoveTargets:          s.removeTargets,
		StartReplay:            s.startReplay,
		TagResource:            s.tagResource,
		TestEventPattern:       s.testEventPattern,
		UntagResource:          s.untagResource,
		UpdateApiDestination:   s.updateAPIDestination,
		UpdateArchive:          s.updateArchive,
		UpdateConnection:       s.updateConnection,
		UpdateEndpoint:         s.updateEndpoint,
		UpdateEventBus:         s.updateEventBus,
	}
}

func (s *Service) now() time.Time { return s.deps.Clock.Now().UTC() }

func seconds(n int32) time.Duration { return time.Duration(n) * time.Second }
