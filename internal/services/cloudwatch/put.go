package cloudwatch

import (
	"context"
	"math"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/meter"
	"lambent.dev/lambent/internal/service"
)

// Limits of what is put (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html and API_MetricDatum.html).
const (
	maxData       = 1000
	maxDimensions = 30
	maxValues     = 150
	maxAge        = 14 * 24 * time.Hour
	maxAhead      = 2 * time.Hour
	// noUnit is the unit of data without one.
	noUnit = "None"
)

// putMetricData keeps what an application measured.
func (m *Metrics) putMetricData(ctx context.Context, in *api.PutMetricDataInput) (*api.PutMetricDataOutput, error) {
	switch {
	case len(in.EntityMetricData) > 0:
		return nil, unsupported("PutMetricData", "EntityMetricData")
	case in.StrictEntityValidation != nil:
		return nil, unsupported("PutMetricData", "StrictEntityValidation")
	case strings.HasPrefix(in.Namespace, "AWS/"):
		return nil, badValue("The value AWS/ for parameter Namespace is invalid.")
	case len(in.MetricData) > maxData:
		return nil, badValue("The collection MetricData must not have a size greater than %d.", maxData)
	case len(in.MetricData) == 0:
		return nil, service.Errorf("MissingRequiredParameterException", "The parameter MetricData is required.")
	}
	now, s := m.deps.Clock.Now(), scopeOf(ctx)
	points := make([]point, 0, len(in.MetricData))
	for i := range in.MetricData {
		p, err := pointOf(&in.MetricData[i], i+1, now)
		if err != nil {
			return nil, err
		}
		p.scope, p.namespace = s, in.Namespace
		points = append(points, p)
	}
	if _, err := m.commit(ctx, merged(points)); err != nil {
		return nil, err
	}
	return &api.PutMetricDataOutput{}, nil
}

// pointOf returns the point that the n-th datum of a call is.
func pointOf(d *api.MetricDatum, n int, now time.Time) (p point, err error) {
	f := field(n)
	if p.dimensions, err = dimensionsOf(d.Dimensions, f); err != nil {
		return p, err
	}
	p.name, p.unit, p.at = d.MetricName, d.Unit, now
	if p.unit == "" {
		p.unit = noUnit
	}
	if d.Timestamp != nil {
		p.at = *d.Timestamp
	}
	if p.at.Before(now.Add(-maxAge)) || p.at.After(now.Add(maxAhead)) {
		return p, badValue("The parameter %s must specify a time within the past two weeks and no more than two hours in the future.", f.of("Timestamp"))
	}
	switch r := d.StorageResolution; {
	case r == nil || *r == 60:
	case *r == 1:
		p.fine = true
	default:
		return p, badValue("The value %d for parameter %s must be 1 or 60.", *r, f.of("StorageResolution"))
	}
	p.samples, err = samplesOf(d, f)
	return p, err
}

// field names the members of the n-th datum.
type field int

func (f field) of(name string) string { return "MetricData.member." + itoa(int(f)) + "." + name }

// dimensionsOf returns the dimensions of a datum, in their order.
func dimensionsOf(in []api.Dimension, f field) ([]meter.Dimension, error) {
	if len(in) > maxDimensions {
		return nil, badValue("The collection %s must not have a size greater than %d.", f.of("Dimensions"), maxDimensions)
	}
	out := make([]meter.Dimension, 0, len(in))
	for i, d := range in {
		for _, e := range in[:i] {
			if e.Name == d.Name {
				return nil, badValue("The collection %s has the dimension %s more than once.", f.of("Dimensions"), d.Name)
			}
		}
		if strings.HasPrefix(d.Name, ":") || strings.TrimSpace(d.Value) == "" {
			return nil, badValue("The value %q of the dimension %q in %s is invalid.", d.Value, d.Name, f.of("Dimensions"))
		}
		out = append(out, meter.Dimension{Name: d.Name, Value: d.Value})
	}
	return sorted(out), nil
}

// samplesOf returns the values of a datum: one, many with how often each occurred, or statistics. Statistics go before many values, as on AWS.
func samplesOf(d *api.MetricDatum, f field) (s meter.Samples, err error) {
	exclusive := func(a, b string) error {
		return badCombination("The parameters %s and %s are mutually exclusive and you have specified both.", f.of(a), f.of(b))
	}
	switch {
	case d.Value != nil && len(d.Values) > 0:
		return s, exclusive("Value", "Values")
	case d.Value != nil && d.StatisticValues != nil:
		return s, exclusive("Value", "StatisticValues")
	case d.Value != nil:
		return meter.Of(*d.Value, 1), inRange(*d.Value, f.of("Value"))
	case len(d.Counts) > 0 && len(d.Counts) != len(d.Values):
		return s, badValue("The parameters %s and %s must be of the same size.", f.of("Values"), f.of("Counts"))
	case len(d.Values) > maxValues:
		return s, badValue("The collection %s must not have a size greater than %d.", f.of("Values"), maxValues)
	case d.StatisticValues != nil:
		return statisticsOf(d.StatisticValues, f)
	case len(d.Values) == 0:
		return s, badCombination("At least one of the parameters %s, %s and %s must be specified.", f.of("Value"), f.of("Values"), f.of("StatisticValues"))
	}
	for i, v := range d.Values {
		count := 1.0
		if len(d.Counts) > 0 {
			count = d.Counts[i]
		}
		if err := inRange(v, f.of("Values")); err != nil {
			return s, err
		}
		if !(count >= 0) || math.IsInf(count, 0) {
			return s, badValue("The value %v for parameter %s is invalid.", count, f.of("Counts"))
		}
		if count > 0 {
			one := meter.Of(v, count)
			s.Merge(&one)
		}
	}
	return s, nil
}

// statisticsOf returns the samples that statistics tell of. The spread of several values is not known, unless they are all the same.
func statisticsOf(in *api.StatisticSet, f field) (s meter.Samples, err error) {
	for _, v := range []float64{in.Sum, in.Minimum, in.Maximum, in.SampleCount} {
		if err := inRange(v, f.of("StatisticValues")); err != nil {
			return s, err
		}
	}
	if in.SampleCount < 0 || in.Minimum > in.Maximum {
		return s, badValue("The parameter %s is invalid: a count is not below zero, and a minimum not above the maximum.", f.of("StatisticValues"))
	}
	if in.SampleCount == 1 || in.Minimum == in.Maximum {
		s = meter.Of(in.Minimum, in.SampleCount)
		s.Sum = in.Sum
		return s, nil
	}
	return meter.Samples{Count: in.SampleCount, Sum: in.Sum, Min: in.Minimum, Max: in.Maximum, Opaque: true}, nil
}

// inRange refuses what is no number, or beyond 2^360.
func inRange(v float64, name string) error {
	if math.IsNaN(v) || math.Abs(v) > 0x1p360 {
		return badValue("The value %v for parameter %s is invalid.", v, name)
	}
	return nil
}
