package plane

import (
	"lambent.dev/lambent/internal/gateway/metrics"
	"lambent.dev/lambent/internal/lib/meter"
)

// newMeter returns the meter of a stage; with a method, which is one with detailed metrics, under its dimensions, too.
func (st *stage) newMeter(r *meter.Registry, m *method) *meter.Meter {
	var detail []meter.Dimension
	if m != nil {
		detail = metrics.Method(m.name, m.resource.path)
	}
	measures := metrics.OfRequests("4XXError", "5XXError", meter.Measure{Name: "CacheHitCount", Unit: "Count"}, meter.Measure{Name: "CacheMissCount", Unit: "Count"})
	of := metrics.Stage{Account: st.Account, Region: st.Region, API: meter.Dimension{Name: "ApiName", Value: st.API.Name}, Name: st.name}
	return of.Meter(r, measures, detail...)
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
	hit, miss := meter.Skip, meter.Skip
	if x.answer != nil && x.settings.cached {
		hit, miss = meter.One(x.answer.cached), meter.One(!x.answer.cached)
	}
	q := metrics.Request{Began: x.now, Ended: x.ended, Status: x.status, Called: x.called, Integration: x.times.integration}
	q.Record(m, hit, miss)
}
