package cloudwatch

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// alarm is the record of an alarm: exactly one of Metric and Composite is set.
type alarm struct {
	Name        string
	Description *string `json:",omitempty"`
	// Quiet tells that its actions are disabled.
	Quiet bool `json:",omitempty"`
	// OK, Alarm and Insufficient are the ARNs of the actions for the state of that name.
	OK, Alarm, Insufficient []string          `json:",omitempty"`
	Metric                  *metricAlarm      `json:",omitempty"`
	Composite               *compositeAlarm   `json:",omitempty"`
	Tags                    map[string]string `json:",omitempty"`
	// Configured is when PutMetricAlarm or PutCompositeAlarm last wrote it.
	Configured time.Time
	State      state
	// Transitioned is when the value of the state last changed.
	Transitioned time.Time
}

// state is what an alarm was found to be, when and why.
type state struct {
	Value, Reason string
	// Data is a JSON document of what the reason says.
	Data    string `json:",omitempty"`
	Updated time.Time
	// SuppressedBy says what holds back the actions of a composite alarm.
	SuppressedBy string `json:",omitempty"`
}

// metricAlarm is what an alarm on a metric watches, as PutMetricAlarm says it.
type metricAlarm struct {
	// Metric is the one that is watched by itself; its fields are empty when Metrics are set.
	Namespace, MetricName *string         `json:",omitempty"`
	Dimensions            []api.Dimension `json:",omitempty"`
	Statistic             string          `json:",omitempty"`
	ExtendedStatistic     *string         `json:",omitempty"`
	Period                *int32          `json:",omitempty"`
	Unit                  string          `json:",omitempty"`
	// Metrics are queries, one of which returns the data that is watched.
	Metrics    []api.MetricDataQuery `json:",omitempty"`
	Evaluation int32
	Datapoints *int32 `json:",omitempty"`
	Threshold  float64
	Comparison string
	Missing    *string `json:",omitempty"`
	LowSamples *string `json:",omitempty"`
}

// unchecked is the state of a new alarm.
func unchecked(now time.Time) state {
	return state{Value: api.StateValueInsufficientData, Reason: "Unchecked: Initial alarm creation", Updated: now}
}

// actions are the ARNs of what happens when an alarm comes into a state.
func (a *alarm) actions(value string) []string {
	switch value {
	case api.StateValueAlarm:
		return a.Alarm
	case api.StateValueOk:
		return a.OK
	}
	return a.Insufficient
}

func (a *alarm) kind() string {
	if a.Composite != nil {
		return api.AlarmTypeCompositeAlarm
	}
	return api.AlarmTypeMetricAlarm
}

// shown is a metric alarm as answers have it.
func (a *alarm) shown(s scope) api.MetricAlarm {
	w := a.Metric
	return api.MetricAlarm{
		AlarmName: &a.Name, AlarmArn: new(s.alarmARN(a.Name)), AlarmDescription: a.Description, AlarmConfigurationUpdatedTimestamp: &a.Configured,
		ActionsEnabled: new(!a.Quiet), OKActions: list(a.OK), AlarmActions: list(a.Alarm), InsufficientDataActions: list(a.Insufficient),
		StateValue: a.State.Value, StateReason: &a.State.Reason, StateReasonData: opt.Of(a.State.Data), StateUpdatedTimestamp: &a.State.Updated, StateTransitionedTimestamp: &a.Transitioned,
		MetricName: w.MetricName, Namespace: w.Namespace, Statistic: w.Statistic, ExtendedStatistic: w.ExtendedStatistic, Dimensions: list(w.Dimensions), Period: w.Period, Unit: w.Unit,
		EvaluationPeriods: &w.Evaluation, DatapointsToAlarm: w.Datapoints, Threshold: &w.Threshold, ComparisonOperator: w.Comparison, TreatMissingData: w.Missing,
		EvaluateLowSampleCountPercentile: w.LowSamples, Metrics: w.Metrics,
	}
}

// list is never nil, as answers show empty lists.
func list[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}

// readAlarm returns the alarm of a name, and whether there is one.
func readAlarm(r store.Reader, s scope, name string) (alarm, bool, error) {
	return record.Get[alarm](r, s.alarm(name))
}

// change runs fn on each alarm of the names; one that is not there is left out.
func (m *Metrics) change(ctx context.Context, names []string, fn func(tx store.Txn, a *alarm) error) error {
	s := scopeOf(ctx)
	return storeError(m.deps.Store.Update(ctx, func(tx store.Txn) error {
		for _, name := range names {
			a, there, err := readAlarm(tx, s, name)
			if err != nil {
				return err
			}
			if !there {
				continue
			}
			if err := fn(tx, &a); err != nil {
				return err
			}
		}
		return nil
	}))
}

func (m *Metrics) enableAlarmActions(ctx context.Context, in *api.EnableAlarmActionsInput) (*api.EnableAlarmActionsOutput, error) {
	return &api.EnableAlarmActionsOutput{}, m.quiet(ctx, in.AlarmNames, false)
}

func (m *Metrics) disableAlarmActions(ctx context.Context, in *api.DisableAlarmActionsInput) (*api.DisableAlarmActionsOutput, error) {
	return &api.DisableAlarmActionsOutput{}, m.quiet(ctx, in.AlarmNames, true)
}

// quiet switches the actions of alarms off or on.
func (m *Metrics) quiet(ctx context.Context, names []string, off bool) error {
	s, now := scopeOf(ctx), m.now()
	return m.change(ctx, names, func(tx store.Txn, a *alarm) error {
		if a.Quiet == off {
			return nil
		}
		a.Quiet, a.Configured = off, now
		if err := m.configured(tx, s, a, changeUpdate, now); err != nil {
			return err
		}
		return record.Set(tx, s.alarm(a.Name), a)
	})
}

func (m *Metrics) now() time.Time { return m.deps.Clock.Now().UTC() }
