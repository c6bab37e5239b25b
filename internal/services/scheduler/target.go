package scheduler

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/scheduler"
	"lambent.dev/lambent/internal/deliver"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
)

const (
	// principal is the service that assumes the roles of targets.
	principal = "scheduler.amazonaws.com"
	// targetQueue delivers to targets.
	targetQueue = "scheduler.target"
	// universal is what the resource of a universal target begins with.
	universal = "aws-sdk:"
)

// templated are the services in the ARN of templated targets.
var templated = []string{"lambda", "sqs", "sns", "events", "kinesis", "firehose", "states"}

// apiNames are the packages of package awsapi whose service has another name in universal targets.
var apiNames = map[string]string{
	"eventbridge": "events", "cloudwatchlogs": "logs", "sfn": "stepfunctions", "cognitoidentityprovider": "cognitoidp", "elasticloadbalancingv2": "elbv2",
}

// readOnly are the beginnings of the operations that a schedule cannot call (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html).
var readOnly = []string{"get", "describe", "list", "poll", "receive", "search", "scan", "query", "select", "read", "lookup", "discover", "validate", "batchGet", "batchDescribe", "batchRead", "transactGet", "adminGet", "adminList", "testMigrate", "retrieve", "translateDocument", "isAuthorized", "isVpcPeered", "head", "filter", "invokeModel"}

// isUniversal returns the API and the operation of a universal target.
func isUniversal(a arn.ARN) (apiName, operation string, ok bool) {
	rest, ok := strings.CutPrefix(a.Resource, universal)
	if !ok || a.Service != "scheduler" {
		return "", "", false
	}
	apiName, operation, ok = strings.Cut(rest, ":")
	if known := apiNames[apiName]; known != "" {
		apiName = known
	}
	return apiName, operation, ok
}

func (s *Service) checkTarget(ctx context.Context, t *api.Target) error {
	a, err := arn.Parse(t.Arn)
	if err != nil {
		return invalid("Provided Arn is not in correct format.")
	}
	for name, given := range map[string]bool{"EcsParameters": t.EcsParameters != nil, "SageMakerPipelineParameters": t.SageMakerPipelineParameters != nil} {
		if given {
			return service.Unsupported(codeValidation, "CreateSchedule", "Target."+name)
		}
	}
	if apiName, operation, ok := isUniversal(a); ok {
		if err := s.checkUniversal(apiName, operation, opt.Value(t.Input)); err != nil {
			return err
		}
	} else if !slices.Contains(templated, a.Service) {
		return service.Unsupported(codeValidation, "CreateSchedule", fmt.Sprintf("Target.Arn (%s: schedules of Lambent call %s, and operations as universal targets)", t.Arn, strings.Join(templated, ", ")))
	}
	switch a.Service {
	case "events":
		if t.EventBridgeParameters == nil {
			return invalid("EventBridgeParameters must be specified for a target that is an event bus.")
		}
		if !json.Valid([]byte(opt.Value(t.Input))) {
			return invalid("Input must be the detail of an event, a JSON object, for a target that is an event bus.")
		}
	case "kinesis":
		if t.KinesisParameters == nil {
			return invalid("KinesisParameters must be specified for a target that is a data stream.")
		}
	case "sqs":
		if strings.HasSuffix(a.Resource, ".fifo") && (t.SqsParameters == nil || t.SqsParameters.MessageGroupId == nil) {
			return invalid("SqsParameters must be specified for a target that is a FIFO queue.")
		}
	case "lambda":
		if t.Input != nil && !json.Valid([]byte(*t.Input)) {
			return invalid("Input must be valid JSON for a target that is a function.")
		}
	}
	return s.options.Roles.CheckPassRole(ctx, t.RoleArn, principal)
}

// checkUniversal checks the operation and the input of a universal target.
func (s *Service) checkUniversal(apiName, operation, input string) error {
	for _, begin := range readOnly {
		if rest, ok := strings.CutPrefix(operation, begin); ok && (rest == "" || rest[0] >= 'A' && rest[0] <= 'Z') {
			return invalid("The operation %s:%s is read-only, and cannot be the target of a schedule.", apiName, operation)
		}
	}
	_, in, ok := s.options.Operation(apiName, operation)
	if !ok {
		return invalid("The operation %s:%s is not one of this platform. A universal target is arn:aws:scheduler:::aws-sdk:service:action, with the action's first letter in lower case.", apiName, operation)
	}
	if input == "" {
		return nil
	}
	if err := decodeInput(in, input); err != nil {
		return invalid("Input is not one of %s:%s: %s", apiName, operation, err)
	}
	return nil
}

// decodeInput reads the input of an operation. Binary members are given as text.
func decodeInput(in any, text string) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return err
	}
	t := reflect.TypeOf(in).Elem()
	for name, raw := range members {
		f, ok := t.FieldByNameFunc(func(have string) bool { return strings.EqualFold(have, name) })
		if !ok {
			return fmt.Errorf("it has no member %s", name)
		}
		var value string
		if f.Type == reflect.TypeFor[[]byte]() && json.Unmarshal(raw, &value) == nil {
			b, err := json.Marshal([]byte(value))
			if err != nil {
				return err
			}
			members[name] = b
		}
	}
	b, err := json.Marshal(members)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, in)
}

// The context attributes of an input (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html).
const (
	attributeARN       = "<aws.scheduler.schedule-arn>"
	attributeTime      = "<aws.scheduler.scheduled-time>"
	attributeExecution = "<aws.scheduler.execution-id>"
	attributeAttempt   = "<aws.scheduler.attempt-number>"
)

// message returns the delivery of a run.
func (s *Service) message(p place, r *scheduleRecord, at time.Time, jobID string) (*deliver.Message, error) {
	scheduleARN := p.scheduleARN(r.Group, r.Name)
	id, when := uuid.Of("scheduler", scheduleARN, jobID), at.UTC().Format("2006-01-02T15:04:05Z")
	m := &deliver.Message{
		Target: r.Target.Arn, From: port.Source{Service: principal, ARN: scheduleARN, Account: p.account}, Role: r.Target.RoleArn, ID: id, PartitionKey: id,
		Retry: r.retry(), Body: []byte(strings.NewReplacer(attributeARN, scheduleARN, attributeTime, when, attributeExecution, id).Replace(opt.Value(r.Target.Input))),
	}
	if r.Target.Input == nil {
		body, err := json.Marshal(defaultInput{
			Version: "0", ID: id, DetailType: "Scheduled Event", Source: "aws.scheduler", Account: p.account, Time: when, Region: p.region, Resources: []string{scheduleARN}, Detail: "{}",
		})
		if err != nil {
			return nil, err
		}
		m.Body = body
	}
	if x := r.Target.SqsParameters; x != nil {
		m.Group = opt.Value(x.MessageGroupId)
	}
	if x := r.Target.KinesisParameters; x != nil {
		m.PartitionKey = x.PartitionKey
	}
	if x := r.Target.EventBridgeParameters; x != nil {
		m.Event = &deliver.Event{Source: x.Source, DetailType: x.DetailType, Resources: []string{scheduleARN}, Time: at}
	}
	if d := r.Target.DeadLetterConfig; d != nil && d.Arn != nil {
		m.DeadLetter = &deliver.DeadLetter{Queue: *d.Arn, Role: r.Target.RoleArn, Attributes: map[string]deliver.Attribute{
			"SCHEDULE_ARN": {Type: "String", Text: scheduleARN}, "TARGET_ARN": {Type: "String", Text: r.Target.Arn}, "SCHEDULED_TIME": {Type: "String", Text: when},
			"EXECUTION_ID": {Type: "String", Text: id}, "IS_PAYLOAD_TRUNCATED": {Type: "String", Text: "false"},
		}}
	}
	return m, nil
}

// defaultInput is what a target is given when the schedule has no input.
type defaultInput struct {
	Version    string   `json:"version"`
	ID         string   `json:"id"`
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"`
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     string   `json:"detail"`
}

// send makes one try of a delivery.
func (s *Service) send(ctx context.Context, m *deliver.Message, attempt int) error {
	try := *m
	try.Body = []byte(strings.ReplaceAll(string(m.Body), attributeAttempt, strconv.Itoa(attempt)))
	a, err := arn.Parse(m.Target)
	if err != nil {
		return err
	}
	apiName, operation, ok := isUniversal(a)
	if !ok {
		return s.options.Sender.Send(ctx, &try)
	}
	name, in, ok := s.options.Operation(apiName, operation)
	if !ok {
		return service.NotImplemented(apiName, operation)
	}
	if len(try.Body) > 0 {
		if err := decodeInput(in, string(try.Body)); err != nil {
			return invalid("Input is not one of %s:%s: %s", apiName, operation, err)
		}
	}
	as, err := s.options.Sender.Caller(ctx, m.From, m.Role, m.ID, m.From.ARN)
	if err != nil {
		return err
	}
	_, err = s.deps.Door.Call(as, apiName, name, in)
	return err
}
