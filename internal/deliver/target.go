package deliver

import (
	"bytes"
	"context"
	"strings"

	"lambent.dev/lambent/internal/awsapi/events"
	"lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/awsapi/sns"
	"lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/awsapi/stepfunctions"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// delivery is a message on its way, with its target's name taken apart.
type delivery struct {
	*Message
	sender *Sender
	target arn.ARN
	id     string
}

// targets are the ways to deliver, by the service in the target's ARN.
func targets() map[string]func(ctx context.Context, d *delivery) error {
	return map[string]func(context.Context, *delivery) error{
		"lambda": toFunction, "sqs": toQueue, "sns": toTopic, "events": toBus, "kinesis": toStream, "firehose": toFirehose,
		"states": toStateMachine, "logs": toLogGroup, "s3": toBucket,
	}
}

func (d *delivery) call(ctx context.Context, api, operation string, in any) error {
	_, err := d.sender.door.Call(ctx, api, operation, in)
	return err
}

func toFunction(ctx context.Context, d *delivery) error {
	service.RequestFrom(ctx).Trace = d.Trace
	return d.call(ctx, "lambda", "Invoke", &lambda.InvokeInput{FunctionName: d.Target, InvocationType: lambda.InvocationTypeEvent, Payload: d.Body})
}

// QueueURL returns the URL of a queue from its ARN.
func (s *Sender) QueueURL(queue arn.ARN) string {
	return s.baseURL + "/" + queue.Account + "/" + queue.Resource
}

func toQueue(ctx context.Context, d *delivery) error {
	in := &sqs.SendMessageInput{
		QueueUrl: d.sender.QueueURL(d.target), MessageBody: string(d.Body), MessageGroupId: opt.Of(d.Group), MessageDeduplicationId: opt.Of(d.Deduplication),
	}
	for name, a := range d.Attributes {
		if in.MessageAttributes == nil {
			in.MessageAttributes = map[string]sqs.MessageAttributeValue{}
		}
		v := sqs.MessageAttributeValue{DataType: a.Type, BinaryValue: a.Binary}
		if a.Binary == nil {
			v.StringValue = &a.Text
		}
		in.MessageAttributes[name] = v
	}
	if d.Trace != "" {
		in.MessageSystemAttributes = map[string]sqs.MessageSystemAttributeValue{"AWSTraceHeader": {DataType: "String", StringValue: &d.Trace}}
	}
	return d.call(ctx, "sqs", "SendMessage", in)
}

func toTopic(ctx context.Context, d *delivery) error {
	service.RequestFrom(ctx).Trace = d.Trace
	in := &sns.PublishInput{
		TopicArn: &d.Target, Message: string(d.Body), Subject: opt.Of(d.Subject),
		MessageGroupId: opt.Of(d.Group), MessageDeduplicationId: opt.Of(d.Deduplication),
	}
	for name, a := range d.Attributes {
		if in.MessageAttributes == nil {
			in.MessageAttributes = map[string]sns.MessageAttributeValue{}
		}
		v := sns.MessageAttributeValue{DataType: a.Type, BinaryValue: a.Binary}
		if a.Binary == nil {
			v.StringValue = &a.Text
		}
		in.MessageAttributes[name] = v
	}
	return d.call(ctx, "sns", "Publish", in)
}

func toBus(ctx context.Context, d *delivery) error {
	if d.Event == nil {
		return refused("a message to the event bus %s needs a source and a detail type", d.Target)
	}
	detail := string(d.Body)
	entry := events.PutEventsRequestEntry{
		EventBusName: &d.Target, Source: &d.Event.Source, DetailType: &d.Event.DetailType, Resources: d.Event.Resources, Detail: &detail, TraceHeader: opt.Of(d.Trace),
	}
	if !d.Event.Time.IsZero() {
		entry.Time = &d.Event.Time
	}
	out, err := service.Call[events.PutEventsOutput](ctx, d.sender.door, "events", "PutEvents", &events.PutEventsInput{Entries: []events.PutEventsRequestEntry{entry}})
	if err != nil {
		return err
	}
	for _, e := range out.Entries {
		if e.ErrorCode != nil {
			message := ""
			if e.ErrorMessage != nil {
				message = *e.ErrorMessage
			}
			return service.Errorf(*e.ErrorCode, "%s", message).WithStatus(400)
		}
	}
	return nil
}

func toStream(ctx context.Context, d *delivery) error {
	return d.call(ctx, "kinesis", "PutRecord", &kinesis.PutRecordInput{StreamARN: &d.Target, Data: d.Body, PartitionKey: orID(d.PartitionKey, d.id)})
}

func toFirehose(ctx context.Context, d *delivery) error {
	name, ok := strings.CutPrefix(d.target.Resource, "deliverystream/")
	if !ok {
		return refused("%s is not a delivery stream", d.Target)
	}
	return d.call(ctx, "firehose", "PutRecord", &firehose.PutRecordInput{DeliveryStreamName: name, Record: &firehose.Record{Data: d.Body}})
}

func toStateMachine(ctx context.Context, d *delivery) error {
	input, name := string(d.Body), orID(d.Execution, d.id)
	return d.call(ctx, "stepfunctions", "StartExecution", &stepfunctions.StartExecutionInput{StateMachineArn: d.Target, Input: &input, Name: &name, TraceHeader: opt.Of(d.Trace)})
}

// toLogGroup writes one event. The stream is made when the group does not have it yet.
func toLogGroup(ctx context.Context, d *delivery) error {
	name, ok := strings.CutPrefix(strings.TrimSuffix(d.target.Resource, ":*"), "log-group:")
	if !ok {
		return refused("%s is not a log group", d.Target)
	}
	stream := orID(d.Stream, d.id)
	in := &logs.PutLogEventsInput{LogGroupName: name, LogStreamName: stream, LogEvents: []logs.InputLogEvent{{Timestamp: d.sender.clock.Now().UnixMilli(), Message: string(d.Body)}}}
	err := d.call(ctx, "logs", "PutLogEvents", in)
	if service.Code(err) != "ResourceNotFoundException" {
		return err
	}
	err = d.call(ctx, "logs", "CreateLogStream", &logs.CreateLogStreamInput{LogGroupName: name, LogStreamName: stream})
	if err != nil && service.Code(err) != "ResourceAlreadyExistsException" {
		return err
	}
	return d.call(ctx, "logs", "PutLogEvents", in)
}

func toBucket(ctx context.Context, d *delivery) error {
	size := int64(len(d.Body))
	kind := "application/json"
	return d.call(ctx, "s3", "PutObject", &s3.PutObjectInput{
		Bucket: d.target.Resource, Key: orID(d.Key, d.id), Body: bytes.NewReader(d.Body), ContentLength: &size, ContentType: &kind,
	})
}

func orID(s, id string) string {
	if s == "" {
		return id
	}
	return s
}
