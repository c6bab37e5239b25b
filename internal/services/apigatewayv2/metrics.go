package apigatewayv2

import (
	"net/http"
	"strings"
	"time"

	"lambent.dev/lambent/internal/lib/meter"
)

// The metrics of HTTP APIs (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-metrics.html), in the order of [exchange.count], and of
// WebSocket APIs (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-logging.html), in that of [message.count]. An error is counted as 1
// and every other request as 0, so that the average is a rate.
func (t *table) measures() []meter.Measure {
	if t.socket != nil {
		return []meter.Measure{
			{Name: "ConnectCount", Unit: "Count"},
			{Name: "MessageCount", Unit: "Count"},
			{Name: "IntegrationError", Unit: "Count"},
			{Name: "ClientError", Unit: "Count"},
			{Name: "ExecutionError", Unit: "Count"},
			{Name: "IntegrationLatency", Unit: "Milliseconds"},
		}
	}
	return []meter.Measure{
		{Name: "Count", Unit: "Count"},
		{Name: "4xx", Unit: "Count"},
		{Name: "5xx", Unit: "Count"},
		{Name: "Latency", Unit: "Milliseconds"},
		{Name: "IntegrationLatency", Unit: "Milliseconds"},
		{Name: "DataProcessed", Unit: "Bytes"},
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
	api, stage := meter.Dimension{Name: "ApiId", Value: t.api}, meter.Dimension{Name: "Stage", Value: t.stage}
	sets := [][]meter.Dimension{{api}, {api, stage}}
	switch method, path, ok := strings.Cut(route, " "); {
	case route == "":
	case t.socket != nil || !ok:
		sets = append(sets, []meter.Dimension{api, {Name: "Route", Value: route}, stage})
	default:
		sets = append(sets, []meter.Dimension{api, {Name: "Method", Value: method}, {Name: "Resource", Value: path}, stage})
	}
	return r.Meter(meter.Series{Account: t.account, Region: t.region, Namespace: "AWS/ApiGateway", Sets: sets, Measures: t.measures()})
}

// count counts a request to an HTTP API that is over.
func (x *exchange) count() {
	m := x.meters.all
	if x.route != nil {
		m = x.meters.of(x.route.key)
	}
	if m == nil {
		return
	}
	now, integration := x.gateway.deps.Clock.Now(), meter.Skip
	if x.called {
		integration = meter.Milliseconds(x.times.integration)
	}
	m.Record(now, 1, meter.One(x.status/100 == 4), meter.One(x.status/100 == 5), meter.Milliseconds(now.Sub(x.now)), integration, float64(len(x.body)+x.sent))
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
