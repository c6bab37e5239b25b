package cloudwatch

import (
	"encoding/json"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/regions"
)

// maxSubject is the longest subject of a message, in characters.
const maxSubject = 100

// regionTitle is the long name of a region as alarms have it, which call Europe "EU".
func regionTitle(code string) string {
	return strings.Replace(regions.Title(code), "Europe (", "EU (", 1)
}

// subject is that of the message to a topic.
func subject(s scope, a *alarm) string {
	text := a.State.Value + `: "` + a.Name + `" in ` + regionTitle(s.region)
	if r := []rune(text); len(r) > maxSubject {
		return string(r[:maxSubject-3]) + "..."
	}
	return text
}

// topicMessage is the document that topics get
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html).
type topicMessage struct {
	AlarmName               string
	AlarmDescription        *string
	Account                 string `json:"AWSAccountId"`
	Configured              string `json:"AlarmConfigurationUpdatedTimestamp"`
	NewStateValue           string
	NewStateReason          string
	StateChangeTime         string
	Region                  string
	AlarmArn                string
	OldStateValue           string
	OKActions               []string
	AlarmActions            []string
	InsufficientDataActions []string
	// Muted is always false: nothing mutes alarms.
	Muted     bool                 `json:"ActionExecutedAfterMuteWindow"`
	Trigger   map[string]any       `json:",omitempty"`
	AlarmRule string               `json:",omitempty"`
	Children  *[]triggeringMessage `json:"TriggeringChildren,omitempty"`
}

// triggeringMessage is an alarm that changed a composite alarm, for topics.
type triggeringMessage struct {
	Arn   string
	State struct{ Value, Timestamp string }
}

// topicDocument returns what a topic is told of the state that an alarm has come into.
func topicDocument(s scope, a *alarm, was state) ([]byte, error) {
	out := topicMessage{
		AlarmName: a.Name, AlarmDescription: a.Description, Account: s.account, Configured: a.Configured.Format(documentTime), NewStateValue: a.State.Value, NewStateReason: a.State.Reason,
		StateChangeTime: a.State.Updated.Format(documentTime), Region: regionTitle(s.region), AlarmArn: s.alarmARN(a.Name), OldStateValue: was.Value,
		OKActions: list(a.OK), AlarmActions: list(a.Alarm), InsufficientDataActions: list(a.Insufficient),
	}
	if a.Metric != nil {
		out.Trigger = a.Metric.trigger()
		return json.Marshal(out)
	}
	out.AlarmRule = a.Composite.Rule
	var data triggering
	if a.State.Data != "" {
		if err := json.Unmarshal([]byte(a.State.Data), &data); err != nil {
			return nil, err
		}
	}
	children := []triggeringMessage{}
	for _, t := range data.Alarms {
		children = append(children, triggeringMessage{Arn: t.ARN, State: struct{ Value, Timestamp string }{t.State.Value, t.State.Timestamp}})
	}
	out.Children = &children
	return json.Marshal(out)
}

// trigger is what an alarm watches, for topics.
func (w *metricAlarm) trigger() map[string]any {
	out := map[string]any{
		"EvaluationPeriods": w.Evaluation, "ComparisonOperator": w.Comparison, "Threshold": double(w.Threshold),
		"TreatMissingData": opt.Value(w.Missing), "EvaluateLowSampleCountPercentile": opt.Value(w.LowSamples),
	}
	if w.Missing == nil {
		out["TreatMissingData"] = missingUnknown
	}
	if w.Datapoints != nil {
		out["DatapointsToAlarm"] = *w.Datapoints
	}
	if len(w.Metrics) > 0 {
		out["Period"], out["Metrics"] = int(w.watched().period.Seconds()), triggerMetrics(w.Metrics)
		return out
	}
	out["MetricName"], out["Namespace"], out["Period"], out["Dimensions"] = opt.Value(w.MetricName), opt.Value(w.Namespace), opt.Value(w.Period), triggerDimensions(w.Dimensions)
	out["Unit"] = opt.Of(w.Unit)
	if w.ExtendedStatistic != nil {
		out["StatisticType"], out["ExtendedStatistic"] = "ExtendedStatistic", *w.ExtendedStatistic
	} else {
		out["StatisticType"], out["Statistic"] = "Statistic", triggerStatistic(w.Statistic)
	}
	return out
}

// triggerStatistic is a statistic as topics are told it: SAMPLE_COUNT for SampleCount.
func triggerStatistic(name string) string {
	if name == api.StatisticSampleCount {
		return "SAMPLE_COUNT"
	}
	return strings.ToUpper(name)
}

// triggerDimension is a dimension as topics and history are told it.
type triggerDimension struct {
	Value string `json:"value"`
	Name  string `json:"name"`
}

func triggerDimensions(in []api.Dimension) []triggerDimension {
	out := []triggerDimension{}
	for _, d := range in {
		out = append(out, triggerDimension{d.Value, d.Name})
	}
	return out
}

// triggerMetrics are queries as topics are told them.
func triggerMetrics(in []api.MetricDataQuery) []map[string]any {
	var out []map[string]any
	for i := range in {
		q := &in[i]
		one := map[string]any{"Id": q.Id, "ReturnData": q.ReturnData == nil || *q.ReturnData}
		if q.Label != nil {
			one["Label"] = *q.Label
		}
		if x := q.MetricStat; x != nil {
			stat := map[string]any{
				"Period": x.Period, "Stat": x.Stat,
				"Metric": map[string]any{"Namespace": opt.Value(x.Metric.Namespace), "MetricName": opt.Value(x.Metric.MetricName), "Dimensions": triggerDimensions(x.Metric.Dimensions)},
			}
			if x.Unit != "" {
				stat["Unit"] = x.Unit
			}
			one["MetricStat"] = stat
		}
		out = append(out, one)
	}
	return out
}
