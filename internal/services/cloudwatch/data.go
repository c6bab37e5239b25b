package cloudwatch

import (
	"context"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

const (
	// maxQueries bounds the metrics of one GetMetricData, maxDatapoints the datapoints of a page
	// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html).
	maxQueries    = 500
	maxDatapoints = 100_800
	// timestampAscending is the order that is not the default one.
	timestampAscending = "TimestampAscending"
)

// query is one metric of GetMetricData.
type query struct {
	id, label       string
	namespace, name string
	dimensions      []meter.Dimension
	unit            string
	period          int32
	compute         statistic
}

// getMetricData answers with one statistic of each of many metrics, a page at a time.
func (m *Metrics) getMetricData(ctx context.Context, in *api.GetMetricDataInput) (*api.GetMetricDataOutput, error) {
	queries, err := parseQueries(in)
	if err != nil {
		return nil, err
	}
	from, err := parsePlace(in.NextToken)
	if err != nil || from.query >= len(queries) {
		return nil, service.Errorf("InvalidNextToken", "The token is not one that GetMetricData returned for these queries.")
	}
	if err := m.flush(ctx); err != nil {
		return nil, err
	}
	left := maxDatapoints
	if in.MaxDatapoints != nil {
		left = min(left, int(*in.MaxDatapoints))
	}
	out := &api.GetMetricDataOutput{MetricDataResults: []api.MetricDataResult{}, Messages: []api.MessageData{}}
	for ; from.query < len(queries); from = (place{query: from.query + 1}) {
		q := &queries[from.query]
		res, rest, err := m.answer(ctx, in, q, from.skip, left)
		if err != nil {
			return nil, storeError(err)
		}
		out.MetricDataResults = append(out.MetricDataResults, res)
		left -= len(res.Values)
		if rest || left == 0 && from.query+1 < len(queries) {
			next := place{query: from.query + 1}
			if rest {
				next = place{from.query, from.skip + len(res.Values)}
			}
			token := next.String()
			out.NextToken = &token
			break
		}
	}
	return out, nil
}

// answer returns the values of a query beyond the first skip, and whether there are more than most.
func (m *Metrics) answer(ctx context.Context, in *api.GetMetricDataInput, q *query, skip, most int) (out api.MetricDataResult, rest bool, err error) {
	var values []value
	p, s := spanOf(in.StartTime, in.EndTime, q.period, m.deps.Clock.Now()), scopeOf(ctx)
	out = api.MetricDataResult{Id: &q.id, Label: &q.label, Timestamps: []time.Time{}, Values: []float64{}, StatusCode: "Complete"}
	err = m.deps.Store.View(ctx, func(r store.Reader) error {
		found, d, err := lookUp(r, s, q.namespace, q.name, q.dimensions)
		if err != nil {
			return err
		}
		values, out.Messages = nil, nil
		var units []string
		for _, unit := range found.Units {
			if q.unit != "" && q.unit != unit {
				continue
			}
			got, err := p.read(r, s, &found, d, unit)
			if err != nil {
				return err
			}
			if len(got) == 0 {
				continue
			}
			if units = append(units, unit); values == nil { // of many units, the first is shown
				values = got
			}
		}
		if len(units) > 1 {
			code, text := "MultipleUnits", "Multiple units returned: '["+strings.Join(units, ", ")+"]'"
			out.Messages = []api.MessageData{{Code: &code, Value: &text}}
		}
		return nil
	})
	if err != nil {
		return out, false, err
	}
	if in.ScanBy != timestampAscending {
		slices.Reverse(values)
	}
	for i := range values {
		n, ok := q.compute(&values[i].samples)
		switch {
		case !ok:
		case skip > 0:
			skip--
		case len(out.Values) == most:
			out.StatusCode = "PartialData"
			return out, true, nil
		default:
			out.Timestamps, out.Values = append(out.Timestamps, values[i].at), append(out.Values, n)
		}
	}
	return out, false, nil
}
