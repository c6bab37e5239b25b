package cloudwatch

import (
	"context"
	"sync"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// Metrics is the service.
type Metrics struct {
	deps    service.Deps
	options Options
	// actions carries the actions and the events of alarms.
	actions *deliver.Queue

	flushing sync.Mutex // guards pending, and is held during a flush
	// pending is what was counted and could not be written yet.
	pending []point

	stop context.CancelFunc
	done chan struct{}
}

// Options are what the service needs beside what every service gets.
type Options struct {
	// Sender carries the actions of alarms.
	Sender *deliver.Sender
	// Watchers are told of alarms that go off.
	Watchers []port.AlarmWatcher
}

// New returns the service of metrics and alarms, which keeps what the meters of deps count.
func New(deps service.Deps, o Options) service.Service {
	return newMetrics(deps, o).service()
}

func (m *Metrics) service() service.Service {
	h := api.Handlers{
		DeleteAlarms:            m.deleteAlarms,
		DeleteDashboards:        m.deleteDashboards,
		DescribeAlarmHistory:    m.describeAlarmHistory,
		DescribeAlarms:          m.describeAlarms,
		DescribeAlarmsForMetric: m.describeAlarmsForMetric,
		DisableAlarmActions:     m.disableAlarmActions,
		EnableAlarmActions:      m.enableAlarmActions,
		GetDashboard:            m.getDashboard,
		GetMetricData:           m.getMetricData,
		GetMetricStatistics:     m.getMetricStatistics,
		ListDashboards:          m.listDashboards,
		ListMetrics:             m.listMetrics,
		ListTagsForResource:     m.listTagsForResource,
		PutCompositeAlarm:       m.putCompositeAlarm,
		PutDashboard:            m.putDashboard,
		PutMetricAlarm:          m.putMetricAlarm,
		PutMetricData:           m.putMetricData,
		SetAlarmState:           m.setAlarmState,
		TagResource:             m.tagResource,
		UntagResource:           m.untagResource,
	}
	return service.Service{
		API:            api.API,
		Operations:     h.Bindings(),
		Access:         access(),
		Resources:      m.resources(),
		DataOperations: []string{"PutMetricData", "GetMetricData", "GetMetricStatistics", "ListMetrics"},
		Jobs:           m.jobs(),
		Start:          m.start,
		Close:          m.close,
	}
}

func newMetrics(deps service.Deps, o Options) *Metrics {
	m := &Metrics{deps: deps, options: o, done: make(chan struct{})}
	m.actions = &deliver.Queue{Name: actionQueue, Sender: o.Sender, MaxAge: actionAge, Send: m.send, Dropped: m.dropped}
	return m
}

// jobs are the kinds of durable work.
func (m *Metrics) jobs() []events.Kind {
	return []events.Kind{
		{Name: sweepKind, Handle: m.sweep, Concurrency: 1, MakesRoom: true}, {Name: evaluateKind, Handle: m.evaluate}, {Name: releaseKind, Handle: m.release}, m.actions.Kind(),
	}
}
