package cloudwatch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// The longest windows that an alarm looks at, in seconds
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html, EvaluationPeriods).
const (
	dayWindow  = 86_400
	weekWindow = 604_800
)

// putMetricAlarm makes an alarm, or gives one that there is another configuration and leaves its state as it is.
func (m *Metrics) putMetricAlarm(ctx context.Context, in *api.PutMetricAlarmInput) (*api.PutMetricAlarmOutput, error) {
	w, err := metricAlarmOf(in)
	if err != nil {
		return nil, err
	}
	a := alarm{
		Name: in.AlarmName, Description: in.AlarmDescription, Quiet: in.ActionsEnabled != nil && !*in.ActionsEnabled,
		OK: in.OKActions, Alarm: in.AlarmActions, Insufficient: in.InsufficientDataActions, Metric: w,
	}
	if err := checkActions("PutMetricAlarm", a.OK, a.Alarm, a.Insufficient); err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	err = m.deps.Store.Update(ctx, func(tx store.Txn) error { return m.put(tx, s, a, in.Tags) })
	return &api.PutMetricAlarmOutput{}, storeError(err)
}

// put writes an alarm. Tags are for a new one only, as on AWS.
func (m *Metrics) put(tx store.Txn, s scope, a alarm, tags []api.Tag) error {
	now := m.now()
	old, there, err := readAlarm(tx, s, a.Name)
	if err != nil {
		return err
	}
	change := changeUpdate
	switch {
	case there && old.kind() != a.kind():
		return invalid("The alarm %s is a %s. Give the new alarm another name, or delete the old one first.", a.Name, old.kind())
	case there:
		a.State, a.Transitioned, a.Tags = old.State, old.Transitioned, old.Tags
		m.unlink(tx, s, &old)
	default:
		change = changeCreate
		a.State, a.Transitioned = unchecked(now), now
		if a.Tags, err = tagged(nil, tags); err != nil {
			return err
		}
	}
	a.Configured = now
	if err := m.link(tx, s, &a); err != nil {
		return err
	}
	if err := m.configured(tx, s, &a, change, now); err != nil {
		return err
	}
	return record.Set(tx, s.alarm(a.Name), a)
}

// link writes what leads to an alarm.
func (m *Metrics) link(tx store.Txn, s scope, a *alarm) error {
	if c := a.Composite; c != nil {
		c.link(tx, s, a.Name)
		return nil
	}
	if q := a.Metric.watched(); len(a.Metric.Metrics) == 0 {
		tx.Set(s.watcher(digestOf(q.namespace, q.name, q.dimensions), a.Name), nil)
	}
	return m.scheduleEvaluation(tx, s, a)
}

// unlink removes what link wrote.
func (m *Metrics) unlink(tx store.Txn, s scope, a *alarm) {
	if c := a.Composite; c != nil {
		c.unlink(tx, s, a.Name)
		return
	}
	q := a.Metric.watched()
	tx.Delete(s.watcher(digestOf(q.namespace, q.name, q.dimensions), a.Name))
	tx.Delete(s.evaluated(a.Metric.cadence(), a.Name))
}

// metricAlarmOf checks what a call wants to watch.
func metricAlarmOf(in *api.PutMetricAlarmInput) (*metricAlarm, error) {
	switch {
	case in.EvaluationCriteria != nil:
		return nil, unsupported("PutMetricAlarm", "EvaluationCriteria")
	case in.EvaluationInterval != nil:
		return nil, unsupported("PutMetricAlarm", "EvaluationInterval")
	case in.ThresholdMetricId != nil:
		return nil, unsupported("PutMetricAlarm", "ThresholdMetricId")
	case comparisons()[in.ComparisonOperator] == "":
		return nil, invalid("Lambent does not support the comparison operator %s: it has no anomaly detection. Take one of the four operators with a threshold.", in.ComparisonOperator)
	case in.Threshold == nil:
		return nil, missingParameter("Threshold")
	case in.EvaluationPeriods == nil:
		return nil, missingParameter("EvaluationPeriods")
	case in.DatapointsToAlarm != nil && *in.DatapointsToAlarm > *in.EvaluationPeriods:
		return nil, invalid("DatapointsToAlarm must be less than or equal to EvaluationPeriods")
	case in.TreatMissingData != nil && !slices.Contains([]string{missingBreaches, missingIsFine, missingKeeps, missingUnknown}, *in.TreatMissingData):
		return nil, invalid("The value %s is not supported for TreatMissingData parameter. Supported values are [breaching, notBreaching, ignore, missing].", *in.TreatMissingData)
	case in.EvaluateLowSampleCountPercentile != nil && !slices.Contains([]string{"evaluate", missingKeeps}, *in.EvaluateLowSampleCountPercentile):
		return nil, invalid("Option %s is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are evaluate and ignore.", *in.EvaluateLowSampleCountPercentile)
	}
	w := &metricAlarm{
		Namespace: in.Namespace, MetricName: in.MetricName, Dimensions: in.Dimensions, Statistic: in.Statistic, ExtendedStatistic: in.ExtendedStatistic, Period: in.Period, Unit: in.Unit,
		Metrics: in.Metrics, Evaluation: *in.EvaluationPeriods, Datapoints: in.DatapointsToAlarm, Threshold: *in.Threshold, Comparison: in.ComparisonOperator,
		Missing: in.TreatMissingData, LowSamples: in.EvaluateLowSampleCountPercentile,
	}
	if err := w.check(); err != nil {
		return nil, err
	}
	return w, w.checkWindow()
}

// check checks what is watched.
func (w *metricAlarm) check() error {
	if len(w.Metrics) > 0 {
		return w.checkMetrics()
	}
	switch {
	case w.MetricName == nil:
		return missingParameter("MetricName")
	case w.Namespace == nil:
		return missingParameter("Namespace")
	case w.Period == nil:
		return missingParameter("Period")
	case w.Statistic != "" && w.ExtendedStatistic != nil:
		return badCombination("The parameters Statistic and ExtendedStatistic are mutually exclusive and you have specified both.")
	case w.Statistic == "" && w.ExtendedStatistic == nil:
		return badCombination("At least one of the parameters Statistic and ExtendedStatistic must be specified.")
	case w.ExtendedStatistic != nil && parseStatistic(*w.ExtendedStatistic) == nil:
		return badValue("The value %s for parameter ExtendedStatistic is not supported. Lambent has percentiles, such as p99.9.", *w.ExtendedStatistic)
	}
	_, err := dimensionsOf(w.Dimensions, 0)
	return err
}

// checkMetrics checks the queries of an alarm, one of which returns data.
func (w *metricAlarm) checkMetrics() error {
	if w.MetricName != nil || w.Namespace != nil || w.Period != nil || len(w.Dimensions) > 0 || w.Statistic != "" || w.ExtendedStatistic != nil || w.Unit != "" {
		return badCombination("The parameter Metrics and the parameters MetricName, Namespace, Dimensions, Period, Unit, Statistic and ExtendedStatistic are mutually exclusive.")
	}
	returned, ids := 0, map[string]bool{}
	for i := range w.Metrics {
		q := &w.Metrics[i]
		if ids[q.Id] {
			return invalid("The values for parameter id in MetricDataQueries are not unique.")
		}
		ids[q.Id] = true
		if _, err := parseQuery(q, fmt.Sprintf("Metrics.member.%d", i+1)); err != nil {
			return err
		}
		if q.ReturnData == nil || *q.ReturnData {
			returned++
		}
	}
	if returned != 1 {
		return invalid("Exactly one element of the metrics list should return data.")
	}
	return nil
}

// checkWindow checks the period, and how far back an alarm looks.
func (w *metricAlarm) checkWindow() error {
	period := int64(w.watched().period.Seconds())
	if period < 10 || !validPeriod(int32(period)) {
		return invalid("Period must be 10, 20, 30 or a multiple of 60")
	}
	switch window := period * int64(w.Evaluation); {
	case period < 3600 && window > dayWindow:
		return invalid("Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= %d) for alarms using period < 3600", dayWindow)
	case window > weekWindow:
		return invalid("Metrics cannot be checked across more than a week (EvaluationPeriods * Period must be <= %d) for alarms using period >= 3600", weekWindow)
	}
	return nil
}

// deleteAlarms deletes alarms that no other one needs. One that is not there is no error.
func (m *Metrics) deleteAlarms(ctx context.Context, in *api.DeleteAlarmsInput) (*api.DeleteAlarmsOutput, error) {
	s, now := scopeOf(ctx), m.now()
	composites := map[string]bool{}
	err := m.change(ctx, in.AlarmNames, func(tx store.Txn, a *alarm) error {
		if a.Composite != nil {
			if composites[a.Name] = true; len(composites) > 1 {
				return invalid("You can delete at most one composite alarm in a call.")
			}
		}
		needed, err := dependents(tx, s, a.Name)
		if err != nil {
			return err
		}
		if len(needed) > 0 {
			return inUse("Cannot delete %s as there are composite alarm(s) depending on it. To force deletion, change the AlarmRule of %s to FALSE.", a.Name, strings.Join(needed, ", "))
		}
		m.unlink(tx, s, a)
		tx.Delete(s.alarm(a.Name))
		return m.configured(tx, s, a, changeDelete, now)
	})
	return &api.DeleteAlarmsOutput{}, err
}

// maxTags is how many tags a resource may have.
const maxTags = 50

// tagged returns old with the tags of a call.
func tagged(old map[string]string, in []api.Tag) (map[string]string, error) {
	out := maps.Clone(old)
	for _, t := range in {
		if out == nil {
			out = map[string]string{}
		}
		out[t.Key] = t.Value
	}
	if len(out) > maxTags {
		return nil, badValue("A resource may have at most %d tags.", maxTags)
	}
	return out, nil
}

func tagList(tags map[string]string) []api.Tag {
	out := make([]api.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, api.Tag{Key: k, Value: tags[k]})
	}
	return out
}

// maxRecords is how many records a page has.
func maxRecords(asked *int32, otherwise int) int {
	if n := int(opt.Value(asked)); n > 0 {
		return n
	}
	return otherwise
}
