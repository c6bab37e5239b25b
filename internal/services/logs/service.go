package logs

import (
	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
)

// Logs is the service's state: nothing but its dependencies and the sink's buffer.
type Logs struct {
	deps service.Deps
	sink *sink
}

// New returns the service and itself as a sink for other services' lines.
func New(deps service.Deps) (service.Service, *Logs) {
	l := &Logs{deps: deps}
	l.sink = newSink(l)
	h := api.Handlers{
		CreateLogGroup:        l.createLogGroup,
		DeleteLogGroup:        l.deleteLogGroup,
		DescribeLogGroups:     l.describeLogGroups,
		PutRetentionPolicy:    l.putRetentionPolicy,
		DeleteRetentionPolicy: l.deleteRetentionPolicy,
		TagResource:           l.tagResource,
		UntagResource:         l.untagResource,
		ListTagsForResource:   l.listTagsForResource,
		CreateLogStream:       l.createLogStream,
		DeleteLogStream:       l.deleteLogStream,
		DescribeLogStreams:    l.describeLogStreams,
		PutLogEvents:          l.putLogEvents,
		GetLogEvents:          l.getLogEvents,
		FilterLogEvents:       l.filterLogEvents,
	}
	return service.Service{
		API:            api.API,
		Operations:     h.Bindings(),
		Access:         access(),
		DataOperations: []string{"FilterLogEvents", "GetLogEvents", "GetLogObject", "GetLogRecord", "GetQueryResults", "PutLogEvents", "StartLiveTail"},
		Resources:      l.resources(),
		Jobs:           []events.Kind{{Name: expireKind, Handle: l.expire, Concurrency: 1, MakesRoom: true}},
		Start:          l.sink.start,
		Close:          l.sink.close,
	}, l
}

func (l *Logs) nowMS() int64 { return l.deps.Clock.Now().UnixMilli() }

func ptr[T any](v T) *T { return &v }
