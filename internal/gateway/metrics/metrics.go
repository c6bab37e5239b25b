package metrics

import (
	"time"

	"lambent.dev/lambent/internal/lib/meter"
)

// Stage is what is counted for.
type Stage struct {
	Account, Region string
	// API is the dimension by which metrics of the API are known: REST APIs have a name there, others an id.
	API meter.Dimension
	// Name is that of the stage.
	Name string
}

// Meter returns a meter of the stage; with detail, under these dimensions of a method or route, too.
func (s *Stage) Meter(r *meter.Registry, measures []meter.Measure, detail ...meter.Dimension) *meter.Meter {
	stage := meter.Dimension{Name: "Stage", Value: s.Name}
	sets := [][]meter.Dimension{{s.API}, {s.API, stage}}
	if len(detail) > 0 {
		sets = append(sets, append(append([]meter.Dimension{s.API}, detail...), stage))
	}
	return r.Meter(meter.Series{Account: s.Account, Region: s.Region, Namespace: "AWS/ApiGateway", Sets: sets, Measures: measures})
}

// Method are the dimensions of a method of a resource, or of a route that has both.
func Method(method, resource string) []meter.Dimension {
	return []meter.Dimension{{Name: "Method", Value: method}, {Name: "Resource", Value: resource}}
}

// common is how many measures all kinds of APIs with requests have.
const common = 5

// OfRequests are the measures of requests, with the names that an API's kind has for errors and with more measures of its own.
func OfRequests(clientErrors, serverErrors string, more ...meter.Measure) []meter.Measure {
	return append([]meter.Measure{
		{Name: "Count", Unit: "Count"},
		{Name: clientErrors, Unit: "Count"},
		{Name: serverErrors, Unit: "Count"},
		{Name: "Latency", Unit: "Milliseconds"},
		{Name: "IntegrationLatency", Unit: "Milliseconds"},
	}, more...)
}

// Request is a request that is over.
type Request struct {
	Began, Ended time.Time
	Status       int
	// Called tells whether the integration was called, which took Integration.
	Called      bool
	Integration time.Duration
}

// Record counts a request, with the values of the further measures of [OfRequests], two at most. An error is counted as 1 and every other
// request as 0, so that the average is a rate.
func (q *Request) Record(m *meter.Meter, more ...float64) {
	integration := meter.Skip
	if q.Called {
		integration = meter.Milliseconds(q.Integration)
	}
	values := [common + 2]float64{1, meter.One(q.Status/100 == 4), meter.One(q.Status/100 == 5), meter.Milliseconds(q.Ended.Sub(q.Began)), integration}
	m.Record(q.Ended, values[:common+copy(values[common:], more)]...)
}
