package pipes

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/pipes"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

// maxLogged is how much of a batch a log record shows, in bytes.
const maxLogged = 64 << 10

// logLevels are the steps of an execution that are logged, with the level from which on they are
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-logs-execution-steps.html).
var logLevels = map[string]string{
	"EXECUTION_STARTED":            api.LogLevelInfo,
	"ENRICHMENT_STAGE_ENTERED":     api.LogLevelTrace,
	"ENRICHMENT_INVOCATION_FAILED": api.LogLevelError,
	"ENRICHMENT_STAGE_SUCCEEDED":   api.LogLevelTrace,
	"TARGET_STAGE_ENTERED":         api.LogLevelTrace,
	"TARGET_INVOCATION_FAILED":     api.LogLevelError,
	"TARGET_STAGE_SUCCEEDED":       api.LogLevelTrace,
	"EXECUTION_SUCCEEDED":          api.LogLevelInfo,
	"EXECUTION_PARTIALLY_FAILED":   api.LogLevelError,
	"EXECUTION_FAILED":             api.LogLevelError,
}

// levelOrder are the levels from the fewest records to the most.
var levelOrder = []string{api.LogLevelOff, api.LogLevelError, api.LogLevelInfo, api.LogLevelTrace}

// checkLog refuses what is not honoured of log settings, and asks whether the caller may have logs delivered.
func (s *Service) checkLog(ctx context.Context, in *api.PipeLogConfiguration) error {
	if in == nil {
		return nil
	}
	for name, given := range map[string]bool{"FirehoseLogDestination": in.FirehoseLogDestination != nil, "S3LogDestination": in.S3LogDestination != nil} {
		if given {
			return service.Unsupported(codeValidation, "CreatePipe", "LogConfiguration."+name)
		}
	}
	d := in.CloudwatchLogsLogDestination
	if d == nil {
		if in.Level != "" && in.Level != api.LogLevelOff {
			return invalid("LogConfiguration has the level %s and no destination. Give it a CloudwatchLogsLogDestination, or the level OFF.", in.Level)
		}
		return nil
	}
	if _, ok := logGroup(opt.Value(d.LogGroupArn)); !ok {
		return invalid("LogConfiguration.CloudwatchLogsLogDestination.LogGroupArn %s is not the ARN of a log group.", opt.Value(d.LogGroupArn))
	}
	return s.deps.Door.Allow(ctx, service.Target{Action: "logs:CreateLogDelivery", ARN: "*"})
}

// logGroup returns the log group that an ARN names, as the ARN with the name of the group as its resource.
func logGroup(text string) (arn.ARN, bool) {
	a, err := arn.Parse(text)
	name, ok := strings.CutPrefix(strings.TrimSuffix(a.Resource, ":*"), "log-group:")
	a.Resource = name
	return a, err == nil && a.Service == "logs" && ok && name != ""
}

// journal writes the log of one execution of a pipe. A nil journal writes nothing.
type journal struct {
	s     *Service
	f     *flow
	id    string
	group arn.ARN
	level int
	data  bool
	lines []port.LogLine
}

// journalOf returns the journal of an execution, nil when the pipe has no log.
func (s *Service) journalOf(f *flow, id string) *journal {
	c := f.Log
	if c == nil || c.CloudwatchLogsLogDestination == nil || s.options.Logs == nil {
		return nil
	}
	j := &journal{s: s, f: f, id: id, level: slices.Index(levelOrder, c.Level), data: slices.Contains(c.IncludeExecutionData, api.IncludeExecutionDataOptionAll)}
	if j.level <= 0 {
		return nil
	}
	j.group, _ = logGroup(opt.Value(c.CloudwatchLogsLogDestination.LogGroupArn)) // it was checked when the pipe was made
	return j
}

// logged is a record of the log
// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-logs-execution-data.html).
type logged struct {
	Resource  string       `json:"resourceArn"`
	Timestamp int64        `json:"timestamp"`
	Execution string       `json:"executionId"`
	Message   string       `json:"messageType"`
	Level     string       `json:"logLevel"`
	Payload   string       `json:"payload,omitempty"`
	Truncated []string     `json:"truncatedFields,omitempty"`
	Error     *loggedError `json:"error,omitempty"`
}

type loggedError struct {
	Message string `json:"message"`
	Status  int    `json:"httpStatusCode,omitempty"`
	Type    string `json:"exceptionType,omitempty"`
}

// note adds a step to the log, with the records that it is about and the error that it ended with, if any.
func (j *journal) note(step string, b *batch, cause error) {
	if j == nil {
		return
	}
	level := logLevels[step]
	if slices.Index(levelOrder, level) > j.level {
		return
	}
	now := j.s.now()
	l := logged{Resource: j.f.arn, Timestamp: now.UnixMilli(), Execution: j.id, Message: step, Level: level}
	if j.data && b != nil {
		payload, err := json.Marshal(b.records)
		if err == nil {
			if len(payload) > maxLogged {
				payload, l.Truncated = payload[:maxLogged], []string{"payload"}
			}
			l.Payload = strings.ToValidUTF8(string(payload), "")
		}
	}
	if cause != nil {
		l.Error = &loggedError{Message: cause.Error()}
		var known *service.Error
		if errors.As(cause, &known) {
			l.Error = &loggedError{Message: known.Message, Status: known.Status, Type: known.Code}
		}
	}
	text, err := json.Marshal(l)
	if err == nil {
		j.lines = append(j.lines, port.LogLine{Time: now, Message: string(text)})
	}
}

// end notes how the execution ended and writes the log. A log that cannot be written does not hold the pipe up.
func (j *journal) end(ctx context.Context, step string, cause error) {
	if j == nil {
		return
	}
	if j.note(step, nil, cause); len(j.lines) == 0 {
		return
	}
	if err := j.s.options.Logs.PutLog(context.WithoutCancel(ctx), j.group.Account, j.group.Region, j.group.Resource, j.f.Name, j.lines); err != nil {
		j.s.deps.Log.WarnContext(ctx, "log of a pipe not written", slog.String("pipe", j.f.arn), slog.Any("error", err))
	}
}

// shownLog returns log settings as they are shown.
func shownLog(in *api.PipeLogConfigurationParameters) *api.PipeLogConfiguration {
	if in == nil {
		return nil
	}
	out := &api.PipeLogConfiguration{Level: in.Level, IncludeExecutionData: in.IncludeExecutionData}
	if x := in.CloudwatchLogsLogDestination; x != nil {
		out.CloudwatchLogsLogDestination = &api.CloudwatchLogsLogDestination{LogGroupArn: &x.LogGroupArn}
	}
	if x := in.FirehoseLogDestination; x != nil {
		out.FirehoseLogDestination = &api.FirehoseLogDestination{DeliveryStreamArn: &x.DeliveryStreamArn}
	}
	if x := in.S3LogDestination; x != nil {
		out.S3LogDestination = &api.S3LogDestination{BucketName: &x.BucketName, Prefix: x.Prefix, BucketOwner: &x.BucketOwner, OutputFormat: x.OutputFormat}
	}
	return out
}
