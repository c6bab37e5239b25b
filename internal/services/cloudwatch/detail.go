package cloudwatch

import (
	"encoding/json"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
)

// stateDocument is a state as events and functions get it.
type stateDocument struct {
	SuppressedBy     string `json:"actionsSuppressedBy,omitempty"`
	SuppressedReason string `json:"actionsSuppressedReason,omitempty"`
	Value            string `json:"value"`
	Reason           string `json:"reason"`
	Data             string `json:"reasonData,omitempty"`
	Timestamp        string `json:"timestamp"`
}

func (s *state) document() stateDocument {
	return stateDocument{SuppressedBy: s.SuppressedBy, SuppressedReason: s.suppressedReason(), Value: s.Value, Reason: s.Reason, Data: s.Data, Timestamp: s.Updated.Format(documentTime)}
}

// suppressedReason says what holds back the actions of a composite alarm.
func (s *state) suppressedReason() string {
	if s.SuppressedBy == "" {
		return ""
	}
	return "Actions suppressed by " + s.SuppressedBy
}

// alarmData is what events and functions are told of an alarm
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html).
type alarmData struct {
	Operation     string         `json:"operation,omitempty"`
	AlarmName     string         `json:"alarmName"`
	State         stateDocument  `json:"state"`
	PreviousState *stateDocument `json:"previousState,omitempty"`
	Configuration map[string]any `json:"configuration"`
}

// stateDetail tells of a change of state.
func stateDetail(a *alarm, was state) alarmData {
	return alarmData{AlarmName: a.Name, State: a.State.document(), PreviousState: new(was.document()), Configuration: a.configuration()}
}

// configurationDetail tells of a change of the configuration, which it shows in full.
func configurationDetail(a *alarm, change string) alarmData {
	c := a.configuration()
	c["alarmName"], c["actionsEnabled"], c["timestamp"] = a.Name, !a.Quiet, a.Configured.Format(documentTime)
	c["okActions"], c["alarmActions"], c["insufficientDataActions"] = list(a.OK), list(a.Alarm), list(a.Insufficient)
	if w := a.Metric; w != nil {
		c["evaluationPeriods"], c["threshold"], c["comparisonOperator"] = w.Evaluation, double(w.Threshold), w.Comparison
		if w.Missing != nil {
			c["treatMissingData"] = *w.Missing
		}
		if w.Datapoints != nil {
			c["datapointsToAlarm"] = *w.Datapoints
		}
	}
	return alarmData{Operation: strings.ToLower(change), AlarmName: a.Name, State: a.State.document(), Configuration: c}
}

// configuration is what an alarm watches. The metric of an alarm without a list of metrics has an id that belongs to the alarm.
func (a *alarm) configuration() map[string]any {
	out := map[string]any{}
	if a.Description != nil {
		out["description"] = *a.Description
	}
	if c := a.Composite; c != nil {
		out["alarmRule"] = c.Rule
		if c.Suppressor != "" {
			out["actionsSuppressor"], out["actionsSuppressorWaitPeriod"], out["actionsSuppressorExtensionPeriod"] = c.Suppressor, int(c.Wait/time.Second), int(c.Extension/time.Second)
		}
		return out
	}
	w := a.Metric
	if len(w.Metrics) == 0 {
		q := w.watched()
		one := metricDocument(w.Namespace, w.MetricName, w.Dimensions, int(opt.Value(w.Period)), q.stat, q.unit)
		one["id"], one["returnData"] = uuid.Of("alarm metric", a.Name, q.namespace, q.name), true
		out["metrics"] = []map[string]any{one}
		return out
	}
	var metrics []map[string]any
	for i := range w.Metrics {
		q := &w.Metrics[i]
		one := map[string]any{}
		if x := q.MetricStat; x != nil {
			one = metricDocument(x.Metric.Namespace, x.Metric.MetricName, x.Metric.Dimensions, int(x.Period), x.Stat, x.Unit)
		}
		one["id"], one["returnData"] = q.Id, q.ReturnData == nil || *q.ReturnData
		if q.Label != nil {
			one["label"] = *q.Label
		}
		metrics = append(metrics, one)
	}
	out["metrics"] = metrics
	return out
}

func metricDocument(namespace, name *string, dimensions []api.Dimension, period int, stat, unit string) map[string]any {
	ds := map[string]string{}
	for _, d := range dimensions {
		ds[d.Name] = d.Value
	}
	out := map[string]any{"metric": map[string]any{"namespace": opt.Value(namespace), "name": opt.Value(name), "dimensions": ds}, "period": period, "stat": stat}
	if unit != "" {
		out["unit"] = unit
	}
	return map[string]any{"metricStat": out}
}

// functionDocument is the event that a function gets
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html).
func functionDocument(s scope, a *alarm, was state) ([]byte, error) {
	return json.Marshal(struct {
		Source    string    `json:"source"`
		AlarmARN  string    `json:"alarmArn"`
		AccountID string    `json:"accountId"`
		Time      string    `json:"time"`
		Region    string    `json:"region"`
		AlarmData alarmData `json:"alarmData"`
	}{"aws.cloudwatch", s.alarmARN(a.Name), s.account, a.State.Updated.Format(documentTime), s.region, stateDetail(a, was)})
}
