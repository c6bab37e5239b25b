package apigatewayv2

import (
	"net/http"
	"strings"
	"time"

	"lambent.dev/lambent/internal/gateway/metrics"
	"lambent.dev/lambent/internal/lib/meter"
)

// measures are those of HTTP APIs or, in the order of [message.count], of WebSocket APIs
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html).
func (t *table) measures() []meter.Measure {
	if t.socket == nil {
		return metrics.OfRequests("4xx", "5xx", meter.Measure{Name: "DataProcessed", Unit: "Bytes"})
	}
	return []meter.Measure{
		{Name: "ConnectCount", Unit: "Count"},
		{Name: "MessageCount", Unit: "Count"},
		{Name: "IntegrationError", Unit: "Count"},
		{Name: "ClientError", Unit: "Count"},
		{Name: "ExecutionError", Unit: "Count"},
		{Name: "IntegrationLatency", Unit: "Milliseconds"},
	}
}

// meters are those of a stage: of all its routes, and of those with detailed metrics.
type meters struct {
	all    *meter.Meter
	routes map[string]*meter.Meter
}

// of returns the meter of a route.
func (m *meters) of(route string) *meter.Meter {
	if own := m.routes[route]; own != nil {
		return own
	}
	return m.all
}

// compileMeters makes the meters of a stage with the routes of a deployment.
func (t *table) compileMeters(r *meter.Registry, st *stage, c *config) {
	t.meters.all = t.newMeter(r, "")
	for i := range c.Routes {
		key := c.Routes[i].RouteKey
		detailed := st.DefaultRouteSettings != nil && value(st.DefaultRouteSettings.DetailedMetricsEnabled)
		if s, ok := st.RouteSettings[key]; ok && s.DetailedMetricsEnabled != nil {
			detailed = *s.DetailedMetricsEnabled
		}
		if !detailed {
			continue
		}
		if t.meters.routes == nil {
			t.meters.routes = map[string]*meter.Meter{}
		}
		t.meters.routes[key] = t.newMeter(r, key)
	}
}

// newMeter returns a meter of the stage; with a route, under its dimensions, too.
func (t *table) newMeter(r *meter.Registry, route string) *meter.Meter {
	var detail []meter.Dimension
	switch method, path, ok := strings.Cut(route, " "); {
	case route == "":
	case t.socket != nil || !ok:
		detail = []meter.Dimension{{Name: "Route", Value: route}}
	default:
		detail = metrics.Method(method, path)
	}
	of := metrics.Stage{Account: t.account, Region: t.region, API: meter.Dimension{Name: "ApiId", Value: t.api}, Name: t.stage}
	return of.Meter(r, t.measures(), detail...)
}

// count counts a request to an HTTP API that has ended.
func (x *exchange) count(at time.Time) {
	m := x.meters.all
	if x.route != nil {
		m = x.meters.of(x.route.key)
	}
	q := metrics.Request{Began: x.now, Ended: at, Status: x.status, Called: x.called, Integration: x.times.integration}
	q.Record(m, float64(len(x.body)+x.sent))
}

// end is how an event of a WebSocket API ended.
type end int

const (
	ended     end = iota
	refused       // before its integration was called
	failed        // its integration could not be called, or gave no answer
	erroneous     // its integration answered with an error
)

// endOf is how an event ended whose integration answered with a status.
func endOf(status int, err error) end {
	switch {
	case err != nil:
		return failed
	case status >= http.StatusBadRequest:
		return erroneous
	}
	return ended
}

// count counts an event that is over.
func (m *message) count(now time.Time, e end) {
	connects, messages, latency := meter.Skip, meter.Skip, meter.Skip
	switch m.kind {
	case eventConnect:
		connects = 1
	case eventMessage:
		messages = 1
	}
	if m.called {
		latency = meter.Milliseconds(m.took)
	}
	m.table.meters.of(m.routeKey()).Record(now, connects, messages, meter.One(e == erroneous), meter.One(e == refused), meter.One(e == failed), latency)
}

// countSent counts a message to a client, which is of no route.
func (t *table) countSent(now time.Time) { t.meters.all.Record(now, meter.Skip, 1) }
