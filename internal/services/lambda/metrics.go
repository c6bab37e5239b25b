package lambda

import (
	"slices"
	"time"

	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service"
)

// The metrics of functions, in the namespace AWS/Lambda (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html).
const metricNamespace = "AWS/Lambda"

// maxMeters bounds the functions, versions and aliases whose meters are kept.
const maxMeters = 4096

// The measures of a function, in the order of measures.
const (
	invocations = iota
	failures
	throttles
	duration
	onProvisioned
	spilledOver
	provisionedUse
	asyncReceived
	asyncAge
	asyncDropped
	deadLetterErrors
	destinationFailures
	iteratorAge
	loopsStopped
	measureCount
)

// measures are those of a function, of a version or alias of it, and of all functions together. An error is counted as 1 and every other invocation
// as 0, so that the average is a rate.
func measures() []meter.Measure {
	const count, milliseconds = "Count", "Milliseconds"
	return []meter.Measure{
		invocations:         {Name: "Invocations", Unit: count},
		failures:            {Name: "Errors", Unit: count},
		throttles:           {Name: "Throttles", Unit: count},
		duration:            {Name: "Duration", Unit: milliseconds},
		onProvisioned:       {Name: "ProvisionedConcurrencyInvocations", Unit: count},
		spilledOver:         {Name: "ProvisionedConcurrencySpilloverInvocations", Unit: count},
		provisionedUse:      {Name: "ProvisionedConcurrencyUtilization", Unit: "Percent"},
		asyncReceived:       {Name: "AsyncEventsReceived", Unit: count},
		asyncAge:            {Name: "AsyncEventAge", Unit: milliseconds},
		asyncDropped:        {Name: "AsyncEventsDropped", Unit: count},
		deadLetterErrors:    {Name: "DeadLetterErrors", Unit: count},
		destinationFailures: {Name: "DestinationDeliveryFailures", Unit: count},
		iteratorAge:         {Name: "IteratorAge", Unit: milliseconds},
		loopsStopped:        {Name: "RecursiveInvocationsDropped", Unit: count},
	}
}

// meters are what one function, or one version or alias of it, is counted into.
type meters struct {
	of *meter.Meter
	// function and region count how many invocations run at a time, of the function and of all of them.
	function, region *meter.Meter
}

// metered names meters: what was invoked and, where that is an alias, the version that ran.
type metered struct {
	ref

	executed string
}

// metersOf returns the meters of a function, version or alias. executed is the version that runs, where it is known.
func (l *Lambda) metersOf(r ref, executed string) *meters {
	k := metered{ref: r}
	if isAlias(r.qualifier) {
		k.executed = executed
	}
	if m, ok := l.meters.Get(k); ok {
		return m
	}
	m := l.newMeters(k)
	l.meters.Put(k, m)
	return m
}

func (l *Lambda) newMeters(k metered) *meters {
	function, resource := meter.Dimension{Name: "FunctionName", Value: k.name}, k.name
	if k.qualifier != "" {
		resource += ":" + k.qualifier
	}
	sets := [][]meter.Dimension{nil, {function}, {function, {Name: "Resource", Value: resource}}}
	if k.executed != "" {
		sets = append(sets, append(slices.Clone(sets[2]), meter.Dimension{Name: "ExecutedVersion", Value: k.executed}))
	}
	series := meter.Series{Account: k.account, Region: k.region, Namespace: metricNamespace, Sets: sets, Measures: measures()}
	m := &meters{of: l.deps.Meters.Meter(series)}
	series.Sets, series.Measures = [][]meter.Dimension{{function}}, []meter.Measure{{Name: "ConcurrentExecutions", Unit: "Count"}}
	m.function = l.deps.Meters.Meter(series)
	series.Sets, series.Measures = [][]meter.Dimension{nil}, append(series.Measures, meter.Measure{Name: "UnreservedConcurrentExecutions", Unit: "Count"})
	m.region = l.deps.Meters.Meter(series)
	return m
}

// add counts the given value of one measure. Nil meters count nothing.
func (m *meters) add(at time.Time, measure int, value float64) {
	if m == nil {
		return
	}
	values := [measureCount]float64{}
	for i := range values {
		values[i] = meter.Skip
	}
	values[measure] = value
	m.of.Record(at, values[:]...)
}

// ran counts an invocation that is over. What was refused for another reason than its concurrency is no invocation, as on AWS.
func (m *meters) ran(at time.Time, out *outcome, err error) {
	switch {
	case service.Code(err) == codeThrottled:
		m.add(at, throttles, 1)
	case err == nil:
		m.of.Record(at, 1, meter.One(out.failure != ""), 0, meter.Milliseconds(out.took))
	}
}

// running counts what runs at the time at which an invocation begins.
func (m *meters) running(at time.Time, n *running) {
	m.function.Record(at, float64(n.function))
	m.region.Record(at, float64(n.region), float64(n.unreserved))
	if n.allotted == 0 {
		return
	}
	values := [provisionedUse + 1]float64{}
	for i := range values {
		values[i] = meter.Skip
	}
	if values[provisionedUse] = float64(n.provisioned) / float64(n.allotted); n.covered {
		values[onProvisioned] = 1
	} else {
		values[spilledOver] = 1
	}
	m.of.Record(at, values[:]...)
}
