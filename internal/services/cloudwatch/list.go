package cloudwatch

import (
	"context"
	"errors"
	"time"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// listPage is how many metrics a page has.
	listPage = 500
	// listed is how long a metric without data is still listed, recent how long it counts as recently active.
	listed, recent = 14 * 24 * time.Hour, 3 * time.Hour
)

// listMetrics lists the metrics that have had data in the last two weeks.
func (m *Metrics) listMetrics(ctx context.Context, in *api.ListMetricsInput) (*api.ListMetricsOutput, error) {
	if in.IncludeLinkedAccounts != nil && *in.IncludeLinkedAccounts {
		return nil, unsupported("ListMetrics", "IncludeLinkedAccounts")
	}
	if in.OwningAccount != nil {
		return nil, unsupported("ListMetrics", "OwningAccount")
	}
	if err := m.flush(ctx); err != nil {
		return nil, err
	}
	since := m.deps.Clock.Now().Add(-listed - seenEvery)
	if in.RecentlyActive != "" {
		since = m.deps.Clock.Now().Add(-recent - seenEvery)
	}
	prefix := scopeOf(ctx).metrics()
	if in.Namespace != nil {
		prefix = prefix.Str(*in.Namespace)
		if in.MetricName != nil {
			prefix = prefix.Str(*in.MetricName)
		}
	}
	out := &api.ListMetricsOutput{Metrics: []api.Metric{}}
	names := scopeOf(ctx).metrics()
	var err error
	out.NextToken, err = record.PageRows(ctx, m.deps.Store, prefix, record.Paging{Token: in.NextToken, Limit: listPage}, func(k []byte, r metric) bool {
		d := key.Decode(k).Skip(names)
		namespace, name := d.Str(), d.Str()
		if r.Seen.Before(since) || in.MetricName != nil && name != *in.MetricName || !matches(&r, in.Dimensions) {
			return false
		}
		out.Metrics = append(out.Metrics, api.Metric{Namespace: &namespace, MetricName: &name, Dimensions: dimensions(&r)})
		return true
	})
	if errors.Is(err, record.ErrToken) {
		return nil, badValue("Invalid nextToken")
	}
	if err != nil {
		return nil, storeError(err)
	}
	return out, nil
}

// matches tells whether a metric has all dimensions of a filter: by name, and by value where it has one.
func matches(r *metric, filter []api.DimensionFilter) bool {
	for _, f := range filter {
		found := false
		for _, d := range r.Dimensions {
			found = found || d.Name == f.Name && (f.Value == nil || *f.Value == d.Value)
		}
		if !found {
			return false
		}
	}
	return true
}

// dimensions are those of a metric, as answers show them.
func dimensions(r *metric) []api.Dimension {
	out := make([]api.Dimension, len(r.Dimensions))
	for i, d := range r.Dimensions {
		out[i] = api.Dimension{Name: d.Name, Value: d.Value}
	}
	return out
}
