package plane

import (
	"lambent.dev/lambent/internal/lib/meter"
)

// measures are the metrics of REST APIs, in the order of [exchange.count]
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html). An error or a hit is counted as 1 and every other request
// as 0, so that the average is a rate.
func measures() []meter.Measure {
	return []meter.Measure{
		{Name: "Count", Unit: "Count"},
		{Name: "4XXError", Unit: "Count"},
		{Name: "5XXError", Unit: "Count"},
		{Name: "Latency", Unit: "Milliseconds"},
		{Name: "IntegrationLatency", Unit: "Milliseconds"},
		{Name: "CacheHitCount", Unit: "Count"},
		{Name: "CacheMissCount", Unit: "Count"},
	}
}

// newMeter returns the meter of a stage; with a method, which is one with detailed metrics, under its dimensions, too.
func (st *stage) newMeter(r *meter.Registry, m *method) *meter.Meter {
	api := meter.Dimension{Name: "ApiName", Value: st.API.Name}
	stage := meter.Dimension{Name: "Stage", Value: st.name}
	sets := [][]meter.Dimension{{api}, {api, stage}}
	if m != nil {
		sets = append(sets, []meter.Dimension{api, {Name: "Method", Value: m.name}, {Name: "Resource", Value: m.resource.path}, stage})
	}
	return r.Meter(meter.Series{Account: st.Account, Region: st.Region, Namespace: "AWS/ApiGateway", Sets: sets, Measures: measures()})
}

// count counts a request that is over.
func (x *exchange) count() {
	m := x.meter
	if x.settings != nil && x.settings.meter != nil {
		m = x.settings.meter
	}
	if m == nil {
		return
	}
	now := x.plane.o.Clock.Now()
	integration, hit, miss := meter.Skip, meter.Skip, meter.Skip
	if x.called {
		integration = meter.Milliseconds(x.times.integration)
	}
	if x.answer != nil && x.settings.cached {
		hit, miss = meter.One(x.answer.cached), meter.One(!x.answer.cached)
	}
	m.Record(now, 1, meter.One(x.status/100 == 4), meter.One(x.status/100 == 5), meter.Milliseconds(now.Sub(x.now)), integration, hit, miss)
}
