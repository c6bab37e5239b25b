package cloudwatch

import (
	"context"
	"sync"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
)

// Metrics is the service.
type Metrics struct {
	deps service.Deps

	flushing sync.Mutex // guards pending, and is held during a flush
	// pending is what was counted and could not be written yet.
	pending []point

	stop context.CancelFunc
	done chan struct{}
}

// New returns the service of metrics, which keeps what the meters of deps count.
func New(deps service.Deps) service.Service {
	m := newMetrics(deps)
	h := api.Handlers{
		PutMetricData:       m.putMetricData,
		GetMetricData:       m.getMetricData,
		GetMetricStatistics: m.getMetricStatistics,
		ListMetrics:         m.listMetrics,
	}
	return service.Service{
		API:            api.API,
		Operations:     h.Bindings(),
		Access:         access(),
		DataOperations: []string{"PutMetricData", "GetMetricData", "GetMetricStatistics", "ListMetrics"},
		Jobs:           []events.Kind{{Name: sweepKind, Handle: m.sweep, Concurrency: 1, MakesRoom: true}},
		Start:          m.start,
		Close:          m.close,
	}
}

func newMetrics(deps service.Deps) *Metrics {
	return &Metrics{deps: deps, done: make(chan struct{})}
}
