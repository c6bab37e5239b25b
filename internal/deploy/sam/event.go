package sam

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is one event source of a function.
type event struct {
	source
	name       string
	properties object
}

// id is the prefix of the logical ids that the event makes.
func (e event) id() string { return e.source.id + e.name }

func (e event) invalid(format string, args ...any) error {
	return invalid(e.source.id, "Event with id ["+e.name+"] is invalid. "+format, args...)
}

func (e event) check(known ...string) error {
	if err := checkKeys(e.source.id, e.properties, known); err != nil {
		for k := range e.properties {
			if !slices.Contains(known, k) {
				return e.invalid("Lambent does not support the property %s.", k)
			}
		}
	}
	return nil
}

// arn is the ARN of what the event invokes.
func (e event) arn() object {
	if e.target != e.source.id {
		return ref(e.target)
	}
	return getAtt(e.source.id, "Arn")
}

// permission lets a service invoke the function.
func (e event) permission(principal string, more object) object {
	p := object{"Action": "lambda:InvokeFunction", "FunctionName": ref(e.target), "Principal": principal}
	maps.Copy(p, more)
	return e.derived("AWS::Lambda::Permission", p)
}

// eventTypes expand the event sources of functions, by type.
var eventTypes = map[string]func(t *transform, e event) error{
	"HttpApi": (*transform).httpEvent, "S3": (*transform).s3Event, "Schedule": (*transform).scheduleEvent,
	"EventBridgeRule": (*transform).ruleEvent, "CloudWatchEvent": (*transform).ruleEvent,
	"SNS": (*transform).snsEvent, "SQS": pull("Queue"), "DynamoDB": pull("Stream"), "Kinesis": pull("Stream"),
}

// s3Event adds a notification to the bucket, which must be in the same template, and waits for the permission.
func (t *transform) s3Event(e event) error {
	if err := e.check("Bucket", "Events", "Filter"); err != nil {
		return err
	}
	name, argument, _ := intrinsic(e.properties["Bucket"])
	id, _ := argument.(string)
	bucket, ok := t.resources[id].(object)
	if name != "Ref" || !ok {
		return e.invalid("S3 events must reference an S3 bucket in the same template.")
	}
	if e.attributes["Condition"] != nil {
		return e.invalid("Lambent does not support S3 events of a function with a Condition.")
	}
	permissionID := e.id() + "Permission"
	t.out[permissionID] = e.permission("s3.amazonaws.com", object{"SourceAccount": ref("AWS::AccountId")})
	depends, _ := bucket["DependsOn"].([]any)
	if s, ok := bucket["DependsOn"].(string); ok {
		depends = []any{s}
	}
	if !slices.Contains(depends, any(permissionID)) {
		depends = append(depends, permissionID)
	}
	bucket["DependsOn"] = depends
	properties, ok := bucket["Properties"].(object)
	if !ok {
		properties = object{}
		bucket["Properties"] = properties
	}
	notification, ok := properties["NotificationConfiguration"].(object)
	if !ok {
		notification = object{}
		properties["NotificationConfiguration"] = notification
	}
	list, _ := notification["LambdaConfigurations"].([]any)
	kinds, isList := e.properties["Events"].([]any)
	if !isList {
		kinds = []any{e.properties["Events"]}
	}
	for _, kind := range kinds {
		c := object{"Event": kind, "Function": e.arn()}
		if f, has := e.properties["Filter"]; has {
			c["Filter"] = f
		}
		if !slices.ContainsFunc(list, func(have any) bool { return same(have, c) }) {
			list = append(list, c)
		}
	}
	notification["LambdaConfigurations"] = list
	return nil
}

// pull expands an event source that Lambda reads itself: a queue or a stream.
func pull(from string) func(t *transform, e event) error {
	return func(t *transform, e event) error {
		p := object{"FunctionName": ref(e.target)}
		if e.properties[from] == nil {
			return e.invalid("No %s (for SQS: Queue, for DynamoDB and Kinesis: Stream) provided.", from)
		}
		p["EventSourceArn"] = e.properties[from]
		known := []string{
			"BatchSize", "BisectBatchOnFunctionError", "FunctionResponseTypes", "MaximumBatchingWindowInSeconds", "MaximumRecordAgeInSeconds",
			"MaximumRetryAttempts", "ParallelizationFactor", "ScalingConfig", "StartingPosition", "StartingPositionTimestamp", "TumblingWindowInSeconds",
			"FilterCriteria", "Enabled", "KmsKeyArn", "MetricsConfig", "LoggingConfig",
		}
		if err := e.check(append(known, from, "DestinationConfig")...); err != nil {
			return err
		}
		for _, k := range known {
			if v, has := e.properties[k]; has {
				p[k] = v
			}
		}
		if v, ok := e.properties["DestinationConfig"].(object); ok && len(v) > 0 {
			d, err := e.failureDestination(v)
			if err != nil {
				return err
			}
			p["DestinationConfig"] = d
		}
		t.out[e.id()] = e.derived("AWS::Lambda::EventSourceMapping", p)
		return nil
	}
}

// eventPolicies are the managed policies that the function's role needs for its event sources.
func (t *transform) eventPolicies(s source) []any {
	events, _ := s.properties["Events"].(object)
	var out []any
	for _, kind := range []struct{ typ, policy string }{
		{"SQS", "AWSLambdaSQSQueueExecutionRole"}, {"DynamoDB", "AWSLambdaDynamoDBExecutionRole"}, {"Kinesis", "AWSLambdaKinesisExecutionRole"},
	} {
		for _, v := range events {
			if e, ok := v.(object); ok && e["Type"] == kind.typ {
				out = append(out, managedARN(kind.policy))
				break
			}
		}
	}
	return out
}

func (t *transform) scheduleEvent(e event) error {
	if err := e.check("Schedule", "Input", "Enabled", "Name", "Description", "State"); err != nil {
		return err
	}
	target := object{"Arn": e.arn(), "Id": e.id() + "LambdaTarget"}
	if v, has := e.properties["Input"]; has {
		target["Input"] = v
	}
	p := object{"ScheduleExpression": e.properties["Schedule"], "Targets": []any{target}}
	for _, k := range []string{"Name", "Description", "State"} {
		if v, has := e.properties[k]; has {
			p[k] = v
		}
	}
	if enabled, has := e.properties["Enabled"]; has {
		p["State"] = "ENABLED"
		if enabled == false {
			p["State"] = "DISABLED"
		}
	}
	return t.rule(e, p)
}

func (t *transform) ruleEvent(e event) error {
	if err := e.check("Pattern", "Input", "InputPath", "EventBusName", "State", "RuleName"); err != nil {
		return err
	}
	target := object{"Arn": e.arn(), "Id": e.id() + "LambdaTarget"}
	for _, k := range []string{"Input", "InputPath"} {
		if v, has := e.properties[k]; has {
			target[k] = v
		}
	}
	p := object{"EventPattern": e.properties["Pattern"], "Targets": []any{target}}
	for from, to := range map[string]string{"EventBusName": "EventBusName", "State": "State", "RuleName": "Name"} {
		if v, has := e.properties[from]; has {
			p[to] = v
		}
	}
	return t.rule(e, p)
}

func (t *transform) rule(e event, p object) error {
	t.out[e.id()] = e.derived("AWS::Events::Rule", p)
	t.out[e.id()+"Permission"] = e.permission("events.amazonaws.com", object{"SourceArn": getAtt(e.id(), "Arn")})
	return nil
}

func (t *transform) snsEvent(e event) error {
	if err := e.check("Topic", "Region", "FilterPolicy", "FilterPolicyScope", "RedrivePolicy"); err != nil {
		return err
	}
	p := object{"Protocol": "lambda", "Endpoint": e.arn(), "TopicArn": e.properties["Topic"]}
	for _, k := range []string{"Region", "FilterPolicy", "FilterPolicyScope", "RedrivePolicy"} {
		if v, has := e.properties[k]; has {
			p[k] = v
		}
	}
	t.out[e.id()] = e.derived("AWS::SNS::Subscription", p)
	t.out[e.id()+"Permission"] = e.permission("sns.amazonaws.com", object{"SourceArn": e.properties["Topic"]})
	return nil
}

var pathVariable = regexp.MustCompile(`\{([^{}]*)\}`)

// wildPath turns the variables of a path into stars, for a permission.
func wildPath(path string) string {
	if len(path) > 1 {
		path = strings.TrimSuffix(path, "/")
	}
	return pathVariable.ReplaceAllStringFunc(path, func(s string) string {
		name := s[1 : len(s)-1]
		if name == "proxy+" || name != "" && !strings.ContainsFunc(name, func(c rune) bool {
			return !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || strings.ContainsRune("._-", c))
		}) {
			return "*"
		}
		return s
	})
}
