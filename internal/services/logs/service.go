package logs

import (
	"slices"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/lru"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/services/logs/transform"
)

// Options are the ports to other services.
type Options struct {
	// Roles checks the roles of subscription filters.
	Roles port.Roles
	// Sender delivers log events to subscribers.
	Sender *deliver.Sender
	// Metrics keeps what metric filters count, and how many anomalies there are.
	Metrics port.MetricSink
	// Logged tells of the resources whose logs can be delivered, and Streams takes them.
	Logged  port.LoggedResources
	Streams port.DeliveryStreams
}

// Logs is the service's state: nothing but its dependencies, the sink's buffer and what is compiled.
type Logs struct {
	deps       service.Deps
	options    Options
	deliveries *deliver.Queue
	sink       *sink
	// transformers are those that were compiled, by their processors.
	transformers *lru.Cache[string, *transform.Transformer]
}

// New returns the service and itself as a sink for other services' lines.
func New(deps service.Deps, o Options) (service.Service, *Logs) {
	l := &Logs{deps: deps, options: o, transformers: lru.New[string, *transform.Transformer](maxTransformers)}
	l.deliveries = &deliver.Queue{Name: "logs.subscription", Sender: o.Sender, MaxAge: deliverFor, Dropped: l.dropped}
	l.sink = newSink(l)
	h := api.Handlers{
		CreateLogGroup:                l.createLogGroup,
		DeleteLogGroup:                l.deleteLogGroup,
		DescribeLogGroups:             l.describeLogGroups,
		PutLogGroupDeletionProtection: l.putLogGroupDeletionProtection,
		PutRetentionPolicy:            l.putRetentionPolicy,
		DeleteRetentionPolicy:         l.deleteRetentionPolicy,
		TagResource:                   l.tagResource,
		UntagResource:                 l.untagResource,
		ListTagsForResource:           l.listTagsForResource,
		CreateLogStream:               l.createLogStream,
		DeleteLogStream:               l.deleteLogStream,
		DescribeLogStreams:            l.describeLogStreams,
		PutLogEvents:                  l.putLogEvents,
		GetLogEvents:                  l.getLogEvents,
		FilterLogEvents:               l.filterLogEvents,

		PutSubscriptionFilter:       l.putSubscriptionFilter,
		DescribeSubscriptionFilters: l.describeSubscriptionFilters,
		DeleteSubscriptionFilter:    l.deleteSubscriptionFilter,
		PutMetricFilter:             l.putMetricFilter,
		DescribeMetricFilters:       l.describeMetricFilters,
		DeleteMetricFilter:          l.deleteMetricFilter,
		TestMetricFilter:            l.testMetricFilter,
		PutDestination:              l.putDestination,
		PutDestinationPolicy:        l.putDestinationPolicy,
		DescribeDestinations:        l.describeDestinations,
		DeleteDestination:           l.deleteDestination,
		PutResourcePolicy:           l.putResourcePolicy,
		DescribeResourcePolicies:    l.describeResourcePolicies,
		DeleteResourcePolicy:        l.deleteResourcePolicy,
		PutTransformer:              l.putTransformer,
		GetTransformer:              l.getTransformer,
		DeleteTransformer:           l.deleteTransformer,
		TestTransformer:             l.testTransformer,
		PutAccountPolicy:            l.putAccountPolicy,
		DescribeAccountPolicies:     l.describeAccountPolicies,
		DeleteAccountPolicy:         l.deleteAccountPolicy,
		GetLogRecord:                l.getLogRecord,
		GetLogGroupFields:           l.getLogGroupFields,
		StartQuery:                  l.startQuery,
		StopQuery:                   l.stopQuery,
		GetQueryResults:             l.getQueryResults,
		DescribeQueries:             l.describeQueries,
		PutQueryDefinition:          l.putQueryDefinition,
		DescribeQueryDefinitions:    l.describeQueryDefinitions,
		DeleteQueryDefinition:       l.deleteQueryDefinition,
		CreateScheduledQuery:        l.createScheduledQuery,
		GetScheduledQuery:           l.getScheduledQuery,
		GetScheduledQueryHistory:    l.getScheduledQueryHistory,
		ListScheduledQueries:        l.listScheduledQueries,
		UpdateScheduledQuery:        l.updateScheduledQuery,
		DeleteScheduledQuery:        l.deleteScheduledQuery,
		CreateLogAnomalyDetector:    l.createLogAnomalyDetector,
		GetLogAnomalyDetector:       l.getLogAnomalyDetector,
		ListLogAnomalyDetectors:     l.listLogAnomalyDetectors,
		UpdateLogAnomalyDetector:    l.updateLogAnomalyDetector,
		DeleteLogAnomalyDetector:    l.deleteLogAnomalyDetector,
		ListAnomalies:               l.listAnomalies,
		UpdateAnomaly:               l.updateAnomaly,

		PutDeliverySource:               l.putDeliverySource,
		GetDeliverySource:               l.getDeliverySource,
		DescribeDeliverySources:         l.describeDeliverySources,
		DeleteDeliverySource:            l.deleteDeliverySource,
		PutDeliveryDestination:          l.putDeliveryDestination,
		GetDeliveryDestination:          l.getDeliveryDestination,
		DescribeDeliveryDestinations:    l.describeDeliveryDestinations,
		DeleteDeliveryDestination:       l.deleteDeliveryDestination,
		PutDeliveryDestinationPolicy:    l.putDeliveryDestinationPolicy,
		GetDeliveryDestinationPolicy:    l.getDeliveryDestinationPolicy,
		DeleteDeliveryDestinationPolicy: l.deleteDeliveryDestinationPolicy,
		CreateDelivery:                  l.createDelivery,
		GetDelivery:                     l.getDelivery,
		DescribeDeliveries:              l.describeDeliveries,
		UpdateDeliveryConfiguration:     l.updateDeliveryConfiguration,
		DeleteDelivery:                  l.deleteDelivery,
		DescribeConfigurationTemplates:  l.describeConfigurationTemplates,
	}
	return service.Service{
		API:            api.API,
		Operations:     h.Bindings(),
		Access:         l.access(),
		DataOperations: []string{"FilterLogEvents", "GetLogEvents", "GetLogObject", "GetLogRecord", "GetQueryResults", "PutLogEvents", "StartLiveTail"},
		Resources:      l.resources(),
		Jobs:           slices.Concat(l.queryJobs(), l.scheduledJobs(), []events.Kind{{Name: expireKind, Handle: l.expire, Concurrency: 1, MakesRoom: true}, {Name: detectKind, Handle: l.detect, Concurrency: 1}, l.deliveries.Kind(), {Name: vendKind, Handle: l.deliverVended, MaxAge: deliverFor, Exhausted: l.vendedDropped}}),
		Start:          l.sink.start,
		Close:          l.sink.close,
	}, l
}

func (l *Logs) nowMS() int64 { return l.deps.Clock.Now().UnixMilli() }

func ptr[T any](v T) *T { return &v }
