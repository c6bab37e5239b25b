package cloudwatch

import (
	"context"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/store"
)

// maxStatistics bounds the datapoints of GetMetricStatistics.
const maxStatistics = 1440

// getMetricStatistics answers with the statistics of one metric, under one unit or each of its own.
func (m *Metrics) getMetricStatistics(ctx context.Context, in *api.GetMetricStatisticsInput) (*api.GetMetricStatisticsOutput, error) {
	if err := checkStatistics(in); err != nil {
		return nil, err
	}
	dimensions, err := dimensionsOf(in.Dimensions, 0)
	if err != nil {
		return nil, err
	}
	if err := m.flush(ctx); err != nil {
		return nil, err
	}
	p, s := spanOf(in.StartTime, in.EndTime, in.Period, m.deps.Clock.Now()), scopeOf(ctx)
	out := &api.GetMetricStatisticsOutput{Label: &in.MetricName, Datapoints: []api.Datapoint{}}
	err = m.deps.Store.View(ctx, func(r store.Reader) error {
		out.Datapoints = out.Datapoints[:0]
		found, d, err := lookUp(r, s, in.Namespace, in.MetricName, dimensions)
		if err != nil {
			return err
		}
		for _, unit := range found.Units {
			if in.Unit != "" && in.Unit != unit {
				continue
			}
			values, err := p.read(r, s, &found, d, unit)
			if err != nil {
				return err
			}
			for i := range values {
				out.Datapoints = append(out.Datapoints, datapoint(in, &values[i], unit))
			}
		}
		return nil
	})
	if err != nil {
		return nil, storeError(err)
	}
	return out, nil
}

// checkStatistics checks what the model does not.
func checkStatistics(in *api.GetMetricStatisticsInput) error {
	if !in.StartTime.Before(in.EndTime) {
		return badValue("The parameter StartTime must be less than the parameter EndTime.")
	}
	if !validPeriod(in.Period) {
		return badValue("The parameter Period must be 1, 5, 10, 20, 30, or a multiple of 60.")
	}
	if n := int64(in.EndTime.Sub(in.StartTime) / (time.Duration(in.Period) * time.Second)); n > maxStatistics {
		return badCombination("You have requested up to %d datapoints, which exceeds the limit of %d. You may reduce the datapoints requested by increasing Period, or decreasing the time range.", n, maxStatistics)
	}
	if len(in.Statistics) == 0 && len(in.ExtendedStatistics) == 0 {
		return badCombination("At least one of the parameters Statistics and ExtendedStatistics must be specified.")
	}
	for i, name := range in.ExtendedStatistics {
		if _, ok := percentOf(name); !ok {
			return badValue("The value %s for parameter ExtendedStatistics.member.%d is not supported. Lambent has percentiles, such as p99.9.", name, i+1)
		}
	}
	return nil
}

// datapoint is what was asked for of one period.
func datapoint(in *api.GetMetricStatisticsInput, v *value, unit string) api.Datapoint {
	out := api.Datapoint{Timestamp: &v.at, Unit: unit}
	pick := func(name string) *float64 {
		if !slices.Contains(in.Statistics, name) {
			return nil
		}
		n, _ := parseStatistic(name)(&v.samples)
		return &n
	}
	out.SampleCount, out.Average, out.Sum, out.Minimum, out.Maximum = pick("SampleCount"), pick("Average"), pick("Sum"), pick("Minimum"), pick("Maximum")
	for _, name := range in.ExtendedStatistics {
		if n, ok := parseStatistic(name)(&v.samples); ok {
			if out.ExtendedStatistics == nil {
				out.ExtendedStatistics = map[string]float64{}
			}
			out.ExtendedStatistics[name] = n
		}
	}
	return out
}
