package lambda

import (
	"context"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/awsapi/dynamodbstreams"
	"lambent.dev/lambent/internal/awsapi/kinesis"
	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/sources"
)

// Limits of mappings, https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html.
const (
	maxBatch       = 10_000
	maxFIFOBatch   = 10
	maxFilters     = 10
	queueBatch     = 10
	streamBatch    = 100
	maxConcurrency = 1000
)

// serviceOf is the service in an ARN, "" if it is none.
func serviceOf(name string) string {
	a, err := arn.Parse(name)
	if err != nil {
		return ""
	}
	return a.Service
}

// newEventSource makes the record of a mapping from its input.
func (l *Lambda) newEventSource(ctx context.Context, in *api.CreateEventSourceMappingInput) (*eventSource, error) {
	if err := refuse("CreateEventSourceMapping", refusedOfMapping(in)); err != nil {
		return nil, err
	}
	source := orZero(in.EventSourceArn)
	switch serviceOf(source) {
	case "sqs", "dynamodb", "kinesis":
	case "":
		return nil, invalid("Unrecognized event source.")
	default:
		return nil, invalid("Unrecognized event source. Lambent reads Amazon SQS queues, DynamoDB streams and Kinesis data streams; %s is none of them.", source)
	}
	id, err := l.newID()
	if err != nil {
		return nil, err
	}
	now := l.deps.Clock.Now().UTC()
	e := &eventSource{
		UUID: id, Source: source, Modified: now, Created: now, Revision: id, State: stateCreating, Enabled: in.Enabled == nil || *in.Enabled,
		BatchSize: queueBatch, Tags: in.Tags,
	}
	if e.ofQueue() && !e.Enabled {
		e.State = stateDisabled // as it was recorded of queues
	}
	if !e.ofQueue() {
		e.BatchSize, e.Parallel, e.Retries, e.MaxAge = streamBatch, 1, sources.Forever, sources.Forever
		if err := e.startAt(in); err != nil {
			return nil, err
		}
	} else if err := noDestination(in.DestinationConfig); err != nil {
		return nil, err // before the function is looked for, as recorded
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	change, err := l.changeEventSource(ctx, &api.UpdateEventSourceMappingInput{
		FunctionName: &in.FunctionName, BatchSize: in.BatchSize, FilterCriteria: in.FilterCriteria, MaximumBatchingWindowInSeconds: in.MaximumBatchingWindowInSeconds,
		DestinationConfig: in.DestinationConfig, MaximumRecordAgeInSeconds: in.MaximumRecordAgeInSeconds, BisectBatchOnFunctionError: in.BisectBatchOnFunctionError,
		MaximumRetryAttempts: in.MaximumRetryAttempts, ParallelizationFactor: in.ParallelizationFactor, TumblingWindowInSeconds: in.TumblingWindowInSeconds,
		FunctionResponseTypes: in.FunctionResponseTypes, ScalingConfig: in.ScalingConfig, MetricsConfig: in.MetricsConfig, LoggingConfig: in.LoggingConfig,
	})
	if err != nil {
		return nil, err
	}
	if err := change(e); err != nil {
		return nil, err
	}
	return e, l.checkSource(ctx, e)
}

// refusedOfMapping lists the members for sources that Lambent does not have.
func refusedOfMapping(in *api.CreateEventSourceMappingInput) []refused {
	return []refused{
		{"Topics", len(in.Topics) > 0},
		{"Queues", len(in.Queues) > 0},
		{"SelfManagedEventSource", in.SelfManagedEventSource != nil},
		{"SourceAccessConfigurations", len(in.SourceAccessConfigurations) > 0},
		{"AmazonManagedKafkaEventSourceConfig", in.AmazonManagedKafkaEventSourceConfig != nil},
		{"SelfManagedKafkaEventSourceConfig", in.SelfManagedKafkaEventSourceConfig != nil},
		{"DocumentDBEventSourceConfig", in.DocumentDBEventSourceConfig != nil},
		{"ProvisionedPollerConfig", in.ProvisionedPollerConfig != nil},
		{"KMSKeyArn", orZero(in.KMSKeyArn) != ""},
	}
}

// startAt sets the starting position of a stream.
func (e *eventSource) startAt(in *api.CreateEventSourceMappingInput) error {
	switch in.StartingPosition {
	case "":
		return invalid("1 validation error detected: Value null at 'startingPosition' failed to satisfy constraint: Member must not be null.")
	case sources.AtTimestamp:
		if serviceOf(e.Source) == "dynamodb" {
			return invalid("Unsupported starting position for arn type: %s", e.Source)
		}
		if in.StartingPositionTimestamp == nil {
			return invalid("StartingPositionTimestamp is required when StartingPosition is AT_TIMESTAMP.")
		}
		e.StartAt = in.StartingPositionTimestamp.UTC()
	}
	if in.StartingPosition != sources.AtTimestamp && in.StartingPositionTimestamp != nil {
		return invalid("StartingPositionTimestamp is only supported when StartingPosition is AT_TIMESTAMP.")
	}
	e.Start = in.StartingPosition
	return nil
}

// changeEventSource checks what an input changes as far as it can be told without the mapping, and returns the change. It may call other services, so it runs
// before the transaction.
func (l *Lambda) changeEventSource(ctx context.Context, in *api.UpdateEventSourceMappingInput) (func(e *eventSource) error, error) {
	if err := refuse("UpdateEventSourceMapping", []refused{
		{"SourceAccessConfigurations", len(in.SourceAccessConfigurations) > 0},
		{"AmazonManagedKafkaEventSourceConfig", in.AmazonManagedKafkaEventSourceConfig != nil},
		{"SelfManagedKafkaEventSourceConfig", in.SelfManagedKafkaEventSourceConfig != nil},
		{"DocumentDBEventSourceConfig", in.DocumentDBEventSourceConfig != nil},
		{"ProvisionedPollerConfig", in.ProvisionedPollerConfig != nil},
		{"KMSKeyArn", orZero(in.KMSKeyArn) != ""},
	}); err != nil {
		return nil, err
	}
	function := ""
	if in.FunctionName != nil {
		r, err := parseRef(ctx, *in.FunctionName, nil)
		if err != nil {
			return nil, err
		}
		s, err := l.snapshot(ctx, r)
		if err != nil {
			if service.Code(err) == errNoFunction.Code {
				err = invalid("Function does not exist")
			}
			return nil, err
		}
		if err := s.version.withoutTenants("An event source mapping"); err != nil {
			return nil, err
		}
		function = r.arn()
	}
	filters, err := filtersOf(in.FilterCriteria)
	if err != nil {
		return nil, err
	}
	return func(e *eventSource) error {
		if function != "" {
			e.Function = function
		}
		if in.FilterCriteria != nil {
			e.Filters = filters
		}
		if in.FunctionResponseTypes != nil {
			e.Partial = len(in.FunctionResponseTypes) > 0
		}
		if in.MetricsConfig != nil {
			e.Metrics = in.MetricsConfig.Metrics
		}
		if in.LoggingConfig != nil {
			e.LogLevel = in.LoggingConfig.SystemLogLevel
		}
		if err := e.setBatch(in); err != nil {
			return err
		}
		if e.ofQueue() {
			return e.changeQueue(in)
		}
		return l.changeStream(ctx, e, in)
	}, nil
}

// filtersOf checks filter criteria.
func filtersOf(c *api.FilterCriteria) (out []string, err error) {
	if c == nil {
		return nil, nil
	}
	if len(c.Filters) > maxFilters {
		return nil, invalid("Number of filters exceeds the limit of %d per event source mapping.", maxFilters)
	}
	for _, f := range c.Filters {
		if f.Pattern == nil {
			return nil, invalid("Invalid filter pattern definition.")
		}
		if _, err := pattern.Compile(*f.Pattern, pattern.EventBridge); err != nil {
			e := invalid("Invalid filter pattern definition.")
			e.Err = err
			return nil, e
		}
		out = append(out, *f.Pattern)
	}
	return out, nil
}

// setBatch sets how batches are made.
func (e *eventSource) setBatch(in *api.UpdateEventSourceMappingInput) error {
	if err := setNumber(&e.BatchSize, in.BatchSize, 1, maxBatch, "batchSize"); err != nil {
		return err
	}
	return setNumber(&e.Window, in.MaximumBatchingWindowInSeconds, 0, 300, "maximumBatchingWindowInSeconds")
}

// noDestination refuses destinations of a mapping whose source has none: a queue redrives its messages itself.
func noDestination(d *api.DestinationConfig) error {
	if d != nil && (d.OnFailure != nil || d.OnSuccess != nil) {
		return errNoDestination()
	}
	return nil
}

func errNoDestination() error {
	return invalid("Unsupported DestinationConfig parameter for given event source mapping type.")
}

// changeQueue sets what is for queues only.
func (e *eventSource) changeQueue(in *api.UpdateEventSourceMappingInput) error {
	if err := noDestination(in.DestinationConfig); err != nil {
		return err
	}
	for name, set := range map[string]bool{
		"BisectBatchOnFunctionError": in.BisectBatchOnFunctionError != nil, "MaximumRecordAgeInSeconds": in.MaximumRecordAgeInSeconds != nil,
		"MaximumRetryAttempts": in.MaximumRetryAttempts != nil, "ParallelizationFactor": in.ParallelizationFactor != nil, "TumblingWindowInSeconds": in.TumblingWindowInSeconds != nil,
	} {
		if set {
			return invalid("Unsupported %s parameter for given event source mapping type.", name)
		}
	}
	a, err := arn.Parse(e.Source)
	if err != nil {
		return invalid("Unrecognized event source.")
	}
	fifo := len(a.Resource) > 5 && a.Resource[len(a.Resource)-5:] == ".fifo"
	switch {
	case fifo && e.BatchSize > maxFIFOBatch:
		return invalid("Batch size must be less than or equal to %d for a FIFO queue.", maxFIFOBatch)
	case fifo && e.Window > 0:
		return invalid("Batching window is not supported for FIFO queues.")
	case e.BatchSize > queueBatch && e.Window == 0:
		return invalid("Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10")
	}
	if in.ScalingConfig != nil {
		e.Concurrency = nil
		if n := in.ScalingConfig.MaximumConcurrency; n != nil {
			e.Concurrency = new(int32)
			return setNumber(e.Concurrency, n, 2, maxConcurrency, "scalingConfig.maximumConcurrency")
		}
	}
	return nil
}

// changeStream sets what is for streams only.
func (l *Lambda) changeStream(ctx context.Context, e *eventSource, in *api.UpdateEventSourceMappingInput) error {
	if in.ScalingConfig != nil {
		return invalid("Unsupported ScalingConfig parameter for given event source mapping type.")
	}
	for _, n := range []struct {
		to, value   *int32
		least, most int32
		name        string
	}{
		{&e.Parallel, in.ParallelizationFactor, 1, 10, "parallelizationFactor"},
		{&e.Retries, in.MaximumRetryAttempts, -1, 10_000, "maximumRetryAttempts"},
		{&e.MaxAge, in.MaximumRecordAgeInSeconds, -1, 604_800, "maximumRecordAgeInSeconds"},
		{&e.Tumbling, in.TumblingWindowInSeconds, 0, 900, "tumblingWindowInSeconds"},
	} {
		if err := setNumber(n.to, n.value, n.least, n.most, n.name); err != nil {
			return err
		}
	}
	if age := e.MaxAge; age != sources.Forever && age < 60 {
		return invalid("MaximumRecordAgeInSeconds must be -1 or at least 60.")
	}
	if in.BisectBatchOnFunctionError != nil {
		e.Bisect = *in.BisectBatchOnFunctionError
	}
	if e.Tumbling > 0 && e.Bisect {
		return invalid("BisectBatchOnFunctionError is not supported together with TumblingWindowInSeconds.")
	}
	d := in.DestinationConfig
	if d == nil {
		return nil
	}
	if d.OnSuccess != nil && orZero(d.OnSuccess.Destination) != "" {
		return errNoDestination()
	}
	if e.OnFailure = ""; d.OnFailure != nil {
		e.OnFailure = orZero(d.OnFailure.Destination)
	}
	return l.checkOnFailure(ctx, e, d)
}

// checkOnFailure makes sure that the function's role may send to the destination.
func (l *Lambda) checkOnFailure(ctx context.Context, e *eventSource, d *api.DestinationConfig) error {
	if e.OnFailure == "" {
		return nil
	}
	switch serviceOf(e.OnFailure) {
	case "sqs", "sns", "s3":
	default:
		return invalid("The provided destination config %s is invalid.", describeDestinations(d))
	}
	r, err := parseARN(e.Function)
	if err != nil {
		return err
	}
	s, err := l.snapshot(ctx, r)
	if err != nil {
		return err
	}
	return l.checkDestination(ctx, r, &s.version, d, e.OnFailure, true)
}

// checkSource reads the source once with the function's role, as AWS does: it must exist, and the role must be allowed to read it.
func (l *Lambda) checkSource(ctx context.Context, e *eventSource) error {
	if l.o.Roles == nil {
		return nil
	}
	a, err := arn.Parse(e.Source)
	if err != nil {
		return invalid("Unrecognized event source.")
	}
	as, err := l.roleContext(ctx, e.Function, e.Source)
	if err != nil {
		return invalid("The provided execution role cannot be assumed by Lambda: %v", err)
	}
	switch a.Service {
	case "sqs":
		var out *sqs.GetQueueAttributesOutput
		out, err = service.Call[sqs.GetQueueAttributesOutput](as, l.deps.Door, "sqs", "GetQueueAttributes", &sqs.GetQueueAttributesInput{QueueUrl: l.sender.QueueURL(a), AttributeNames: []string{"VisibilityTimeout"}})
		if err != nil {
			return queueProblem(err)
		}
		return l.checkVisibility(ctx, e, out.Attributes["VisibilityTimeout"])
	case "dynamodb":
		_, err = l.deps.Door.Call(as, "dynamodbstreams", "DescribeStream", &dynamodbstreams.DescribeStreamInput{StreamArn: e.Source, Limit: ptr(int32(1))})
		err = streamProblem(err, e.Source, "DescribeStream", "dynamodb")
	case "kinesis":
		stream, _, _ := strings.Cut(e.Source, "/consumer/")
		_, err = l.deps.Door.Call(as, "kinesis", "DescribeStreamSummary", &kinesis.DescribeStreamSummaryInput{StreamARN: &stream})
		err = streamProblem(err, e.Source, "DescribeStreamSummary", "kinesis")
	}
	return err
}

// checkVisibility makes sure that messages stay hidden while the function works on them.
func (l *Lambda) checkVisibility(ctx context.Context, e *eventSource, hidden string) error {
	r, err := parseARN(e.Function)
	if err != nil {
		return err
	}
	s, err := l.snapshot(ctx, r)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(hidden)
	if err == nil && n < int(s.version.Timeout) {
		return invalid("Queue visibility timeout: %d seconds is less than Function timeout: %d seconds", n, s.version.Timeout)
	}
	return nil
}

// queueProblem is an error of a queue as Lambda repeats it.
func queueProblem(err error) error {
	switch service.Code(err) {
	case "":
		return nil
	case "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue":
		return invalid("Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.")
	case "AccessDenied", "AccessDeniedException":
		e := invalid("The provided execution role does not have permissions to call ReceiveMessage on SQS")
		e.Err = err
		return e
	}
	return err
}

// streamProblem is an error of a stream as Lambda repeats it.
func streamProblem(err error, source, operation, name string) error {
	switch service.Code(err) {
	case "":
		return nil
	case "ResourceNotFoundException":
		return invalid("Stream not found: %s", source)
	case "AccessDenied", "AccessDeniedException":
		e := invalid("Cannot access stream %s. Please ensure the role can perform the GetRecords, GetShardIterator, %s, and ListStreams Actions on your stream in IAM. (%s)", source, operation, name)
		e.Err = err
		return e
	}
	return err
}

// roleContext returns a context for calls to target with the role of a function.
func (l *Lambda) roleContext(ctx context.Context, function, target string) (context.Context, error) {
	r, err := parseARN(function)
	if err != nil {
		return nil, err
	}
	s, err := l.snapshot(ctx, r)
	if err != nil {
		return nil, err
	}
	id, err := l.newID()
	if err != nil {
		return nil, err
	}
	return l.sender.Caller(ctx, r.source(), s.version.Role, id, target)
}
