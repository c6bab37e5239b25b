package logs

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/order"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// Limits of metric filters (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html and
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_MetricTransformation.html).
const (
	maxMetricFilters    = 100
	maxMetricDimensions = 3
	// maxMetricValue is how large a value a metric takes.
	maxMetricValue = 0x1p360
)

// metricFilter is a metric filter; it is part of its group's record.
type metricFilter struct {
	Name      string
	Pattern   string `json:",omitempty"`
	Namespace string
	Metric    string
	Value     string // a number, or the selector of one
	Default   *float64
	// Dimensions are the selectors of their values, by name.
	Dimensions map[string]string `json:",omitempty"`
	Unit       string            `json:",omitempty"`
	Created    int64             // Unix milliseconds
	// Transformed has the filter look at what the group's transformer makes of the events.
	Transformed bool `json:",omitempty"`
}

func (l *Logs) putMetricFilter(ctx context.Context, in *api.PutMetricFilterInput) (*api.PutMetricFilterOutput, error) {
	f, err := l.newMetricFilter(in)
	if err != nil {
		return nil, err
	}
	return &api.PutMetricFilterOutput{}, l.changeGroup(ctx, in.LogGroupName, func(_ store.Txn, _ scope, g *group) error {
		i := slices.IndexFunc(g.MetricFilters, func(have metricFilter) bool { return have.Name == f.Name })
		switch {
		case i >= 0:
			f.Created = g.MetricFilters[i].Created
			g.MetricFilters[i] = f
			return nil
		case len(g.MetricFilters) >= maxMetricFilters:
			return service.Errorf("LimitExceededException", "Resource limit exceeded. A log group has at most %d metric filters: delete one of %s first.", maxMetricFilters, g.Name)
		}
		g.MetricFilters = append(g.MetricFilters, f)
		order.Sort(g.MetricFilters, func(a, b metricFilter) int { return cmp.Compare(a.Name, b.Name) })
		return nil
	})
}

// newMetricFilter checks what a filter is made of.
func (l *Logs) newMetricFilter(in *api.PutMetricFilterInput) (metricFilter, error) {
	t := in.MetricTransformations[0]
	f := metricFilter{
		Name: in.FilterName, Pattern: in.FilterPattern, Namespace: t.MetricNamespace, Metric: t.MetricName, Value: t.MetricValue, Default: t.DefaultValue, Dimensions: t.Dimensions, Unit: t.Unit, Created: l.nowMS(), Transformed: opt.Value(in.ApplyOnTransformedLogs),
	}
	for name, given := range map[string]bool{
		"fieldSelectionCriteria": opt.Value(in.FieldSelectionCriteria) != "", "emitSystemFieldDimensions": len(in.EmitSystemFieldDimensions) > 0,
	} {
		if given {
			return f, service.Unsupported("InvalidParameterException", "PutMetricFilter", name)
		}
	}
	switch {
	case f.Metric == "" || f.Namespace == "":
		return f, invalid("Invalid metric transformation: metricName and metricNamespace must not be empty.")
	case strings.HasPrefix(f.Namespace, "AWS/"):
		return f, invalid("Invalid metric transformation: the metricNamespace %s begins with AWS/, which is reserved for AWS services. Choose another one.", f.Namespace)
	case len(f.Dimensions) > maxMetricDimensions:
		return f, invalid("Invalid metric transformation: a metric has at most %d dimensions.", maxMetricDimensions)
	case len(f.Dimensions) > 0 && f.Default != nil:
		return f, invalid("Invalid metric transformation: dimensions and default value are mutually exclusive properties.")
	case f.Default != nil && !measurable(*f.Default):
		return f, invalid("Invalid metric transformation: %v is no value of a metric.", *f.Default)
	}
	_, err := f.compile()
	return f, err
}

// measurable tells whether a metric takes a value.
func measurable(v float64) bool { return math.Abs(v) <= maxMetricValue }

// compiledFilter is a metric filter that is ready to count.
type compiledFilter struct {
	*metricFilter

	pattern *pattern
	// value is what every event counts, unless selector tells where its value is.
	value    float64
	selector string
	// dimensions are names, sorted, and selectors.
	dimensions [][2]string
}

// compile compiles the filter's pattern and selectors.
func (f *metricFilter) compile() (*compiledFilter, error) {
	p, err := parsePattern(f.Pattern)
	if err != nil {
		return nil, err
	}
	c := &compiledFilter{metricFilter: f, pattern: p}
	if strings.HasPrefix(f.Value, "$") {
		if c.selector, err = p.allow(f.Value); err != nil {
			return nil, err
		}
	} else if c.value, err = strconv.ParseFloat(f.Value, 64); err != nil || !measurable(c.value) {
		return nil, invalid("Invalid metric transformation: metricValue %q is neither a number nor a field of the filter pattern, such as $.latency.", f.Value)
	}
	if len(f.Dimensions) > 0 && p.shape == 0 {
		return nil, invalid("The specified filter pattern does not support dimensions")
	}
	for _, name := range slices.Sorted(maps.Keys(f.Dimensions)) {
		if name == "" || strings.HasPrefix(name, ":") {
			return nil, invalid("Invalid metric transformation: %q is no name of a dimension.", name)
		}
		selector, err := p.allow(f.Dimensions[name])
		if err != nil {
			return nil, err
		}
		c.dimensions = append(c.dimensions, [2]string{name, selector})
	}
	return c, nil
}

func (l *Logs) deleteMetricFilter(ctx context.Context, in *api.DeleteMetricFilterInput) (*api.DeleteMetricFilterOutput, error) {
	err := l.changeGroup(ctx, in.LogGroupName, func(_ store.Txn, _ scope, g *group) error {
		before := len(g.MetricFilters)
		g.MetricFilters = slices.DeleteFunc(g.MetricFilters, func(have metricFilter) bool { return have.Name == in.FilterName })
		if len(g.MetricFilters) == before {
			return notFound("metric filter")
		}
		return nil
	})
	return &api.DeleteMetricFilterOutput{}, err
}

// filterPlace is where a metric filter is in the list of all: by its name, and by its group.
type filterPlace struct{ name, group string }

func (a filterPlace) compare(b filterPlace) int {
	return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.group, b.group))
}

// token is the place as a token: names of filters have no colon.
func (a filterPlace) token() *string { return ptr(a.name + ":" + a.group) }

func (l *Logs) describeMetricFilters(ctx context.Context, in *api.DescribeMetricFiltersInput) (*api.DescribeMetricFiltersOutput, error) {
	if (in.MetricName == nil) != (in.MetricNamespace == nil) {
		return nil, invalid("metricName and metricNamespace must be given together.")
	}
	var after filterPlace
	if in.NextToken != nil {
		var ok bool
		if after.name, after.group, ok = strings.Cut(*in.NextToken, ":"); !ok {
			return nil, invalid("The specified nextToken is invalid.")
		}
	}
	var all []api.MetricFilter
	err := l.deps.Store.View(ctx, func(r store.Reader) error {
		groups, err := groupsOrAll(r, scopeOf(ctx), in.LogGroupName)
		if err != nil {
			return err
		}
		all = nil
		for i := range groups {
			for j := range groups[i].MetricFilters {
				f := &groups[i].MetricFilters[j]
				if strings.HasPrefix(f.Name, opt.Value(in.FilterNamePrefix)) && (in.MetricName == nil || f.Metric == *in.MetricName && f.Namespace == *in.MetricNamespace) &&
					(in.NextToken == nil || (filterPlace{f.Name, groups[i].Name}).compare(after) > 0) {
					all = append(all, f.describe(groups[i].Name))
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	place := func(f api.MetricFilter) filterPlace { return filterPlace{*f.FilterName, *f.LogGroupName} }
	order.Sort(all, func(a, b api.MetricFilter) int { return place(a).compare(place(b)) })
	out := &api.DescribeMetricFiltersOutput{MetricFilters: []api.MetricFilter{}}
	if limit := limitOf(in.Limit, 50); len(all) > limit {
		all = all[:limit]
		out.NextToken = place(all[limit-1]).token()
	}
	out.MetricFilters = append(out.MetricFilters, all...)
	return out, nil
}

// groupsOrAll returns the group of a name, or every group when there is none.
func groupsOrAll(r store.Reader, s scope, name *string) ([]group, error) {
	if name == nil {
		return record.List[group](r, s.groups().Span())
	}
	g, err := getGroup(r, s, *name)
	return []group{g}, err
}

func (f *metricFilter) describe(group string) api.MetricFilter {
	return api.MetricFilter{
		FilterName: &f.Name, FilterPattern: &f.Pattern, LogGroupName: &group, CreationTime: &f.Created, ApplyOnTransformedLogs: &f.Transformed,
		MetricTransformations: []api.MetricTransformation{{
			MetricName: f.Metric, MetricNamespace: f.Namespace, MetricValue: f.Value, DefaultValue: f.Default, Dimensions: f.Dimensions, Unit: f.Unit,
		}},
	}
}

func (l *Logs) testMetricFilter(_ context.Context, in *api.TestMetricFilterInput) (*api.TestMetricFilterOutput, error) {
	p, err := parsePattern(in.FilterPattern)
	if err != nil {
		return nil, err
	}
	out := &api.TestMetricFilterOutput{Matches: []api.MetricFilterMatchRecord{}}
	for i, message := range in.LogEventMessages {
		if values, met := p.extract(newMessage(message)); met {
			out.Matches = append(out.Matches, api.MetricFilterMatchRecord{EventNumber: ptr(int64(i + 1)), EventMessage: &message, ExtractedValues: values})
		}
	}
	return out, nil
}
