package cloudwatch

import (
	"encoding/base64"
	"fmt"
	"regexp"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
)

// parseQueries checks the queries of GetMetricData, and labels them.
func parseQueries(in *api.GetMetricDataInput) ([]query, error) {
	switch {
	case in.LabelOptions != nil && in.LabelOptions.Timezone != nil:
		return nil, unsupported("GetMetricData", "LabelOptions.Timezone")
	case !in.StartTime.Before(in.EndTime):
		return nil, invalid("The parameter StartTime must be less than the parameter EndTime.")
	case len(in.MetricDataQueries) == 0:
		return nil, invalid("The collection MetricDataQueries must not be empty.")
	case len(in.MetricDataQueries) > maxQueries:
		return nil, invalid("The collection MetricDataQueries must not have a size greater than %d.", maxQueries)
	case in.MaxDatapoints != nil && (*in.MaxDatapoints < 1 || *in.MaxDatapoints > maxDatapoints):
		return nil, invalid("The value %d for parameter MaxDatapoints must be between 1 and %d.", *in.MaxDatapoints, maxDatapoints)
	}
	seen := map[string]bool{}
	id := regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)
	var out []query
	for i := range in.MetricDataQueries {
		q := &in.MetricDataQueries[i]
		at := fmt.Sprintf("MetricDataQueries.member.%d", i+1)
		if !id.MatchString(q.Id) {
			return nil, invalid("The value %s for parameter %s.Id is invalid: it must start with a lower case letter, and have letters, digits and _ alone.", q.Id, at)
		}
		if seen[q.Id] {
			return nil, invalid("The values for parameter id in MetricDataQueries are not unique.")
		}
		seen[q.Id] = true
		p, err := parseQuery(q, at)
		if err != nil {
			return nil, err
		}
		if q.ReturnData == nil || *q.ReturnData {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		return nil, invalid("At least one of the MetricDataQueries must return data.")
	}
	label(in, out)
	return out, nil
}

// parseQuery checks one query.
func parseQuery(q *api.MetricDataQuery, at string) (query, error) {
	s := q.MetricStat
	switch {
	case q.Expression != nil && s != nil:
		return query{}, invalid("The parameters %s.Expression and %s.MetricStat are mutually exclusive and you have specified both.", at, at)
	case q.Expression != nil:
		return query{}, notOfQueries("Expression")
	case q.AccountId != nil:
		return query{}, notOfQueries("AccountId")
	case s == nil:
		return query{}, invalid("Either %s.Expression or %s.MetricStat must be specified.", at, at)
	case s.Metric == nil || s.Metric.Namespace == nil || s.Metric.MetricName == nil:
		return query{}, invalid("The parameters %s.MetricStat.Metric.Namespace and %s.MetricStat.Metric.MetricName must be specified.", at, at)
	case !validPeriod(s.Period):
		return query{}, invalid("Period must be 1, 5, 10, 20, 30, or a multiple of 60")
	}
	out := query{id: q.Id, namespace: *s.Metric.Namespace, name: *s.Metric.MetricName, unit: s.Unit, period: s.Period, compute: parseStatistic(s.Stat)}
	if out.compute == nil {
		return out, invalid("The value %s for parameter %s.MetricStat.Stat is not supported. Lambent has SampleCount, Average, Sum, Minimum, Maximum and percentiles, such as p99.9.", s.Stat, at)
	}
	var err error
	out.dimensions, err = dimensionsOf(s.Metric.Dimensions, 0)
	return out, err
}

// notOfQueries is the error of a part of queries that this version does not have.
func notOfQueries(parameter string) error {
	return invalid("Lambent does not support the parameter %s of a query of GetMetricData: each query must name one metric in MetricStat.", parameter)
}

// label gives each query its own label, or one of the name of its metric with what tells the queries apart: the statistic and the period.
func label(in *api.GetMetricDataInput, out []query) {
	stats := map[string]string{}
	var stat, period bool
	var first *api.MetricStat
	for i := range in.MetricDataQueries {
		s := in.MetricDataQueries[i].MetricStat
		if first == nil {
			first = s
		}
		stats[in.MetricDataQueries[i].Id] = s.Stat
		stat, period = stat || s.Stat != first.Stat, period || s.Period != first.Period
	}
	for i := range out {
		q := &out[i]
		q.label = q.name
		if stat {
			q.label += " " + stats[q.id]
		}
		if period {
			q.label += " " + itoa(int(q.period))
		}
	}
	for i := range in.MetricDataQueries {
		for j := range out {
			if l := in.MetricDataQueries[i].Label; l != nil && out[j].id == in.MetricDataQueries[i].Id {
				out[j].label = *l
			}
		}
	}
}

// place is where a page of GetMetricData begins: at a query, behind some of its values.
type place struct{ query, skip int }

// String is the token of a place.
func (p place) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d/%d", p.query, p.skip))
}

// parsePlace reads a token; nil is that of the first page.
func parsePlace(token *string) (p place, err error) {
	if token == nil || *token == "" {
		return p, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(*token)
	if err == nil {
		_, err = fmt.Sscanf(string(b), "%d/%d", &p.query, &p.skip)
	}
	if err == nil && (p.query < 0 || p.skip < 0) {
		err = fmt.Errorf("%q is no place", b)
	}
	return p, err
}
