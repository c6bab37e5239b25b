package cloudwatch

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// defaultAlarms is how many alarms a page has unless MaxRecords says otherwise.
const defaultAlarms = 50

// describeAlarms lists alarms: metric alarms alone unless AlarmTypes says otherwise, as on AWS.
func (m *Metrics) describeAlarms(ctx context.Context, in *api.DescribeAlarmsInput) (*api.DescribeAlarmsOutput, error) {
	out := &api.DescribeAlarmsOutput{CompositeAlarms: []api.CompositeAlarm{}, MetricAlarms: []api.MetricAlarm{}}
	s := scopeOf(ctx)
	filter := alarmFilter{in}
	if err := filter.check(); err != nil {
		return nil, err
	}
	add := func(a *alarm) bool {
		if !filter.matches(a) {
			return false
		}
		if a.Composite != nil {
			out.CompositeAlarms = append(out.CompositeAlarms, a.shownComposite(s))
		} else {
			out.MetricAlarms = append(out.MetricAlarms, a.shown(s))
		}
		return true
	}
	var err error
	switch {
	case in.ChildrenOfAlarmName != nil:
		err = m.deps.Store.View(ctx, func(r store.Reader) error { return describeChildren(r, s, *in.ChildrenOfAlarmName, out) })
	case in.ParentsOfAlarmName != nil:
		err = m.deps.Store.View(ctx, func(r store.Reader) error { return describeParents(r, s, *in.ParentsOfAlarmName, out) })
	case len(in.AlarmNames) > 0:
		err = m.deps.Store.View(ctx, func(r store.Reader) error {
			out.MetricAlarms, out.CompositeAlarms = []api.MetricAlarm{}, []api.CompositeAlarm{}
			for _, name := range slices.Compact(slices.Sorted(slices.Values(in.AlarmNames))) {
				a, there, err := readAlarm(r, s, name)
				if err != nil {
					return err
				}
				if there {
					add(&a)
				}
			}
			return nil
		})
	default:
		out.NextToken, err = record.Page(ctx, m.deps.Store, s.alarms(), record.Paging{NamePrefix: opt.Value(in.AlarmNamePrefix), Token: in.NextToken, Limit: maxRecords(in.MaxRecords, defaultAlarms)}, func(_ string, a alarm) bool { return add(&a) })
	}
	if errors.Is(err, record.ErrToken) {
		return nil, badToken()
	}
	return out, storeError(err)
}

// alarmFilter tells which alarms a call wants.
type alarmFilter struct{ *api.DescribeAlarmsInput }

func (f alarmFilter) check() error {
	relatives := f.ChildrenOfAlarmName != nil || f.ParentsOfAlarmName != nil
	others := len(f.AlarmNames) > 0 || f.AlarmNamePrefix != nil || len(f.AlarmTypes) > 0 || f.StateValue != "" || f.ActionPrefix != nil || f.ChildrenOfAlarmName != nil && f.ParentsOfAlarmName != nil
	switch {
	case relatives && others:
		return invalid("ChildrenOfAlarmName and ParentsOfAlarmName can be combined with MaxRecords and NextToken only.")
	case len(f.AlarmNames) > 0 && f.AlarmNamePrefix != nil:
		return badCombination("The parameters AlarmNames and AlarmNamePrefix are mutually exclusive and you have specified both.")
	}
	return nil
}

func (f alarmFilter) matches(a *alarm) bool {
	if f.StateValue != "" && f.StateValue != a.State.Value {
		return false
	}
	if f.ActionPrefix != nil && !slices.ContainsFunc(slices.Concat(a.OK, a.Alarm, a.Insufficient), func(target string) bool { return strings.HasPrefix(target, *f.ActionPrefix) }) {
		return false
	}
	if len(f.AlarmTypes) == 0 {
		return a.Metric != nil
	}
	return slices.Contains(f.AlarmTypes, a.kind())
}

// describeChildren shows of the alarms that a composite alarm's rule names what AWS shows of them: name, ARN and state.
func describeChildren(r store.Reader, s scope, name string, out *api.DescribeAlarmsOutput) error {
	a, there, err := readAlarm(r, s, name)
	if err != nil || !there || a.Composite == nil {
		return err
	}
	out.MetricAlarms, out.CompositeAlarms = []api.MetricAlarm{}, []api.CompositeAlarm{}
	for _, child := range a.Composite.children() {
		c, there, err := readAlarm(r, s, child)
		if err != nil {
			return err
		}
		switch {
		case !there:
		case c.Composite != nil:
			out.CompositeAlarms = append(out.CompositeAlarms, api.CompositeAlarm{AlarmName: &c.Name, AlarmArn: new(s.alarmARN(c.Name)), StateValue: c.State.Value, StateUpdatedTimestamp: &c.State.Updated})
		default:
			out.MetricAlarms = append(out.MetricAlarms, api.MetricAlarm{AlarmName: &c.Name, AlarmArn: new(s.alarmARN(c.Name)), StateValue: c.State.Value, StateUpdatedTimestamp: &c.State.Updated})
		}
	}
	return nil
}

// describeParents shows the names of the composite alarms whose rules name an alarm.
func describeParents(r store.Reader, s scope, name string, out *api.DescribeAlarmsOutput) error {
	names, err := namesUnder(r, s.parents(name))
	out.CompositeAlarms = []api.CompositeAlarm{}
	for _, p := range names {
		out.CompositeAlarms = append(out.CompositeAlarms, api.CompositeAlarm{AlarmName: &p, AlarmArn: new(s.alarmARN(p))})
	}
	return err
}

// namesUnder returns the names with which the keys under a prefix end.
func namesUnder(r store.Reader, prefix key.Key) (names []string, err error) {
	for row, err := range r.Range(prefix.Span()) {
		if err != nil {
			return nil, err
		}
		names = append(names, key.Decode(row.Key).Skip(prefix).Str())
	}
	return names, nil
}

// describeAlarmsForMetric lists the alarms on one metric; those on lists of metrics are none of them, as on AWS.
func (m *Metrics) describeAlarmsForMetric(ctx context.Context, in *api.DescribeAlarmsForMetricInput) (*api.DescribeAlarmsForMetricOutput, error) {
	dimensions, err := dimensionsOf(in.Dimensions, 0)
	if err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	out := &api.DescribeAlarmsForMetricOutput{}
	err = m.deps.Store.View(ctx, func(r store.Reader) error {
		out.MetricAlarms = []api.MetricAlarm{}
		names, err := namesUnder(r, s.watchers(digestOf(in.Namespace, in.MetricName, dimensions)))
		if err != nil {
			return err
		}
		for _, name := range names {
			a, there, err := readAlarm(r, s, name)
			if err != nil {
				return err
			}
			if there && a.Metric.fits(in) {
				out.MetricAlarms = append(out.MetricAlarms, a.shown(s))
			}
		}
		return nil
	})
	return out, storeError(err)
}

// fits tells whether an alarm has the statistic, the period and the unit that a call asks for.
func (w *metricAlarm) fits(in *api.DescribeAlarmsForMetricInput) bool {
	return (in.Statistic == "" || in.Statistic == w.Statistic) && (in.ExtendedStatistic == nil || *in.ExtendedStatistic == opt.Value(w.ExtendedStatistic)) &&
		(in.Period == nil || *in.Period == opt.Value(w.Period)) && (in.Unit == "" || in.Unit == w.Unit)
}

// encodePlace is the token of a place among keys.
func encodePlace(rest []byte) string { return base64.RawURLEncoding.EncodeToString(rest) }

// decodePlace reads what encodePlace wrote.
func decodePlace(token string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(token) }

func isJSON(text string) bool { return json.Valid([]byte(text)) }
