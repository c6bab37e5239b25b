package cloudwatch

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// historyKept is how long history is kept, also that of deleted alarms
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarmHistory.html).
const historyKept = 30 * 24 * time.Hour

// Changes of an alarm's configuration.
const (
	changeCreate = "Create"
	changeUpdate = "Update"
	changeDelete = "Delete"
)

// historyItem is the record of a history item. Its key has the alarm, the time and the type.
type historyItem struct {
	AlarmType, Summary string
	Data               json.RawMessage
}

// note writes a history item; detail tells items of the same time and type apart. The first one of an account and region schedules the sweep.
func (m *Metrics) note(tx store.Txn, s scope, a *alarm, kind, detail string, at time.Time, summary string, data any) error {
	b, err := json.Marshal(data)
	if err != nil {
		return err
	}
	tx.Set(s.agedHistory(a.Name, at, kind, detail), nil)
	if err := m.scheduleSweep(tx, s); err != nil {
		return err
	}
	return record.Set(tx, s.history(a.Name, at, kind, detail), historyItem{a.kind(), summary, b})
}

// sweepHistory removes history that is past its time.
func (m *Metrics) sweepHistory(ctx context.Context, s scope) error {
	until := m.now().Add(-historyKept)
	for more := true; more; {
		err := m.deps.Store.Update(ctx, func(tx store.Txn) error {
			more = false
			n := 0
			for row, err := range tx.Range(store.Span{Lo: s.agedHistories(), Hi: s.agedHistories().Time(until), Limit: sweepMetrics}) {
				if err != nil {
					return err
				}
				d := key.Decode(row.Key).Skip(s.agedHistories())
				at, name, kind, detail := d.Time(), d.Str(), d.Str(), d.Str()
				tx.Delete(row.Key)
				tx.Delete(s.history(name, at, kind, detail))
				n++
			}
			more = n == sweepMetrics
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stateHistory is the document of a change of state.
func stateHistory(was, is state) any {
	type part struct {
		Value  string          `json:"stateValue"`
		Reason string          `json:"stateReason"`
		Data   json.RawMessage `json:"stateReasonData,omitempty"`
	}
	of := func(s state) part { return part{s.Value, s.Reason, json.RawMessage(s.Data)} }
	return struct {
		Version  string `json:"version"`
		OldState part   `json:"oldState"`
		NewState part   `json:"newState"`
	}{"1.0", of(was), of(is)}
}

// configured writes the history and the event of a change of an alarm's configuration.
func (m *Metrics) configured(tx store.Txn, s scope, a *alarm, change string, now time.Time) error {
	verb := map[string]string{changeCreate: "created", changeUpdate: "updated", changeDelete: "deleted"}[change]
	data := map[string]any{"version": "1.0", "type": change, verb + "Alarm": a.document(s)}
	if err := m.note(tx, s, a, api.HistoryItemTypeConfigurationUpdate, change, now, `Alarm "`+a.Name+`" `+verb, data); err != nil {
		return err
	}
	return m.publish(tx, s, a, "CloudWatch Alarm Configuration Change", configurationDetail(a, change))
}

// document is an alarm as its history shows it.
func (a *alarm) document(s scope) map[string]any {
	out := map[string]any{
		"alarmName": a.Name, "alarmArn": s.alarmARN(a.Name), "alarmConfigurationUpdatedTimestamp": a.Configured.Format(documentTime), "stateValue": a.State.Value,
		"stateUpdatedTimestamp": a.State.Updated.Format(documentTime), "actionsEnabled": !a.Quiet, "okactions": list(a.OK), "alarmActions": list(a.Alarm), "insufficientDataActions": list(a.Insufficient),
	}
	put := func(name string, v *string) {
		if v != nil {
			out[name] = *v
		}
	}
	put("alarmDescription", a.Description)
	if c := a.Composite; c != nil {
		out["alarmRule"] = c.Rule
		return out
	}
	w := a.Metric
	put("namespace", w.Namespace)
	put("metricName", w.MetricName)
	put("statistic", opt.Of(w.Statistic))
	put("extendedStatistic", w.ExtendedStatistic)
	put("unit", opt.Of(w.Unit))
	put("treatMissingData", w.Missing)
	if w.Period != nil {
		out["period"], out["dimensions"] = *w.Period, triggerDimensions(w.Dimensions)
	}
	if w.Datapoints != nil {
		out["datapointsToAlarm"] = *w.Datapoints
	}
	if len(w.Metrics) > 0 {
		out["metrics"] = triggerMetrics(w.Metrics)
	}
	out["threshold"], out["comparisonOperator"], out["evaluationPeriods"] = double(w.Threshold), w.Comparison, w.Evaluation
	return out
}

// describeAlarmHistory lists what happened to an alarm or to all, the newest first unless the oldest is wanted first.
func (m *Metrics) describeAlarmHistory(ctx context.Context, in *api.DescribeAlarmHistoryInput) (*api.DescribeAlarmHistoryOutput, error) {
	if in.AlarmContributorId != nil {
		return nil, unsupported("DescribeAlarmHistory", "AlarmContributorId")
	}
	s := scopeOf(ctx)
	q := historyQuery{DescribeAlarmHistoryInput: in, limit: maxRecords(in.MaxRecords, 100), prefix: s.agedHistories()}
	if in.AlarmName != nil {
		q.prefix = s.histories(*in.AlarmName)
	}
	out := &api.DescribeAlarmHistoryOutput{}
	err := m.deps.Store.View(ctx, func(r store.Reader) (err error) {
		out.AlarmHistoryItems, out.NextToken, err = q.read(r, s)
		return err
	})
	if errors.Is(err, record.ErrToken) {
		return nil, badToken()
	}
	return out, storeError(err)
}

// historyQuery reads a page of history.
type historyQuery struct {
	*api.DescribeAlarmHistoryInput
	limit  int
	prefix key.Key
}

// span is the part of the prefix that the dates and the token of a query leave.
func (q *historyQuery) span() (store.Span, error) {
	out := q.prefix.Span()
	out.Reverse = q.ScanBy != api.ScanByTimestampAscending
	if q.StartDate != nil {
		out.Lo = q.prefix.Time(*q.StartDate)
	}
	if q.EndDate != nil {
		out.Hi = q.prefix.Time(q.EndDate.Add(1))
	}
	if opt.Value(q.NextToken) == "" {
		return out, nil
	}
	at, err := decodePlace(*q.NextToken)
	if err != nil {
		return out, record.ErrToken
	}
	if at = q.prefix.Raw(at); out.Reverse {
		out.Hi = at
	} else {
		out.Lo = append(at, 0)
	}
	return out, nil
}

func (q *historyQuery) read(r store.Reader, s scope) (items []api.AlarmHistoryItem, next *string, err error) {
	span, err := q.span()
	if err != nil {
		return nil, nil, err
	}
	items = []api.AlarmHistoryItem{}
	last := ""
	for row, err := range r.Range(span) {
		if err != nil {
			return nil, nil, err
		}
		item, wanted, err := q.item(r, s, row.Key)
		if err != nil {
			return nil, nil, err
		}
		if !wanted {
			continue
		}
		if len(items) == q.limit {
			return items, &last, nil
		}
		items = append(items, item)
		last = encodePlace(row.Key[len(q.prefix):])
	}
	return items, nil, nil
}

// item reads the history item of a row, and whether it is one that is asked for.
func (q *historyQuery) item(r store.Reader, s scope, row []byte) (api.AlarmHistoryItem, bool, error) {
	d := key.Decode(row).Skip(q.prefix)
	at, name := d.Time(), ""
	if q.AlarmName == nil {
		name = d.Str()
	} else {
		name = *q.AlarmName
	}
	kind, detail := d.Str(), d.Str()
	if q.HistoryItemType != "" && q.HistoryItemType != kind {
		return api.AlarmHistoryItem{}, false, nil
	}
	h, there, err := record.Get[historyItem](r, s.history(name, at, kind, detail))
	if err != nil || !there || len(q.AlarmTypes) > 0 && !slices.Contains(q.AlarmTypes, h.AlarmType) {
		return api.AlarmHistoryItem{}, false, err
	}
	return api.AlarmHistoryItem{AlarmName: &name, AlarmType: h.AlarmType, Timestamp: new(at.UTC()), HistoryItemType: kind, HistorySummary: &h.Summary, HistoryData: new(string(h.Data))}, true, nil
}
