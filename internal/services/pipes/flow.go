package pipes

import (
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/pipes"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/pattern"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/sources"
)

const (
	// principal is the service that assumes the roles of pipes.
	principal = "pipes.amazonaws.com"
	// queueBatch and streamBatch are the sizes of a batch of a source that says none
	// (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-batching-concurrency.html).
	queueBatch  = 10
	streamBatch = 100
	// concurrency is how many batches of a queue are on their way at the same time.
	concurrency = 100
	// maxFilters is how many patterns a pipe may have.
	maxFilters = 5
)

// targets are the services in the ARN of a target.
var targets = []string{"lambda", "sqs", "sns", "events", "kinesis", "states", "logs", "firehose", "execute-api"}

// isEndpoint tells whether an ARN names what is called over HTTP: an API destination or a method of a stage.
func isEndpoint(a arn.ARN) bool {
	return a.Service == "execute-api" || a.Service == "events" && strings.HasPrefix(a.Resource, "api-destination/")
}

// flow is a pipe that is ready.
type flow struct {
	*pipeRecord

	arn        string
	source     port.Source
	from       arn.ARN
	config     sources.Config
	deadLetter string
	// enrichment is the zero value for a pipe without one.
	target, enrichment arn.ARN
	// enrich and shape are the input templates of the enrichment and the target; nil leaves records as they are.
	enrich, shape *template
}

// newFlow checks a pipe and makes it ready.
func newFlow(p place, r *pipeRecord) (*flow, error) {
	f := &flow{pipeRecord: r, arn: p.arn(r.Name)}
	f.source = port.Source{Service: principal, ARN: f.arn, Account: p.account}
	var err error
	if f.from, err = arn.Parse(r.Source); err != nil {
		return nil, invalid("Source %s is not an ARN.", r.Source)
	}
	if f.target, err = arn.Parse(r.Target); err != nil {
		return nil, invalid("Target %s is not an ARN.", r.Target)
	}
	if r.Source == r.Target {
		return nil, invalid("Target %s is the source of the pipe: every record would come back to it for ever. Give the pipe another target.", r.Target)
	}
	if !slices.Contains(targets, f.target.Service) || f.target.Service == "events" && !isEndpoint(f.target) && !strings.HasPrefix(f.target.Resource, "event-bus/") {
		return nil, invalid("Target %s is not supported: pipes of Lambent deliver to %s, and to API destinations.", r.Target, strings.Join(targets, ", "))
	}
	if r.Enrichment != "" {
		if f.enrichment, err = arn.Parse(r.Enrichment); err != nil || f.enrichment.Service != "lambda" && !isEndpoint(f.enrichment) {
			return nil, invalid("Enrichment %s is not supported: the enrichment of a pipe of Lambent is a function, an API destination or a stage of API Gateway.", r.Enrichment)
		}
		if r.EnrichmentHTTP != nil && !isEndpoint(f.enrichment) {
			return nil, invalid("EnrichmentParameters.HttpParameters are for API destinations and API Gateway, and the enrichment is %s.", r.Enrichment)
		}
	}
	if err := f.setSource(); err != nil {
		return nil, err
	}
	if err := f.setTarget(); err != nil {
		return nil, err
	}
	if f.enrich, err = newTemplate(opt.Value(r.EnrichmentInput)); err != nil {
		return nil, invalid("EnrichmentParameters.InputTemplate: %s", err)
	}
	shape := ""
	if r.TargetParameters != nil {
		shape = opt.Value(r.TargetParameters.InputTemplate)
	}
	if f.shape, err = newTemplate(shape); err != nil {
		return nil, invalid("TargetParameters.InputTemplate: %s", err)
	}
	return f, nil
}

// setSource reads what the pipe says of its source.
func (f *flow) setSource() error {
	in := f.SourceParameters
	if in == nil {
		in = &api.PipeSourceParameters{}
	}
	for name, given := range map[string]bool{
		"ActiveMQBrokerParameters": in.ActiveMQBrokerParameters != nil, "RabbitMQBrokerParameters": in.RabbitMQBrokerParameters != nil,
		"ManagedStreamingKafkaParameters": in.ManagedStreamingKafkaParameters != nil, "SelfManagedKafkaParameters": in.SelfManagedKafkaParameters != nil,
	} {
		if given {
			return invalid("SourceParameters.%s is not supported: the sources of Lambent's pipes are SQS queues, DynamoDB streams and Kinesis data streams.", name)
		}
	}
	f.config = sources.Config{
		UUID: "pipe/" + f.ID, Source: f.from, Function: f.arn, Role: f.Role, Partial: true, Concurrency: concurrency, Since: f.Created, Parallel: 1, Retries: sources.Forever, MaxAge: sources.Forever,
	}
	if f.target.Service != "lambda" {
		f.config.Partial = f.Enrichment == ""
	}
	var err error
	switch f.from.Service {
	case "sqs":
		err = f.setQueue(in.SqsQueueParameters)
	case "dynamodb":
		x := in.DynamoDBStreamParameters
		if x == nil {
			return invalid("SourceParameters.DynamoDBStreamParameters must be specified for a source that is a DynamoDB stream.")
		}
		err = f.setStream(&streamParameters{x.BatchSize, x.MaximumBatchingWindowInSeconds, x.MaximumRecordAgeInSeconds, x.MaximumRetryAttempts, x.ParallelizationFactor, x.DeadLetterConfig, x.OnPartialBatchItemFailure, x.StartingPosition, nil})
	case "kinesis":
		x := in.KinesisStreamParameters
		if x == nil {
			return invalid("SourceParameters.KinesisStreamParameters must be specified for a source that is a data stream.")
		}
		err = f.setStream(&streamParameters{x.BatchSize, x.MaximumBatchingWindowInSeconds, x.MaximumRecordAgeInSeconds, x.MaximumRetryAttempts, x.ParallelizationFactor, x.DeadLetterConfig, x.OnPartialBatchItemFailure, x.StartingPosition, x.StartingPositionTimestamp})
	default:
		return invalid("Source %s is not supported: the sources of Lambent's pipes are SQS queues, DynamoDB streams and Kinesis data streams.", f.Source)
	}
	if err != nil || in.FilterCriteria == nil {
		return err
	}
	return f.setFilters(in.FilterCriteria)
}

func (f *flow) setQueue(x *api.PipeSourceSqsQueueParameters) error {
	f.config.BatchSize = queueBatch
	if x == nil {
		return nil
	}
	if x.BatchSize != nil {
		f.config.BatchSize = int(*x.BatchSize)
	}
	f.config.Window = seconds(x.MaximumBatchingWindowInSeconds)
	switch fifo := strings.HasSuffix(f.from.Resource, ".fifo"); {
	case fifo && (f.config.BatchSize > queueBatch || f.config.Window > 0):
		return invalid("A FIFO queue as source has batches of at most %d messages and no batching window.", queueBatch)
	case f.config.BatchSize > queueBatch && f.config.Window == 0:
		return invalid("MaximumBatchingWindowInSeconds must be at least 1 when BatchSize is greater than %d.", queueBatch)
	}
	return nil
}

// streamParameters are what the parameters of both kinds of streams say alike.
type streamParameters struct {
	batch, window, maxAge, retries, parallel *int32
	deadLetter                               *api.DeadLetterConfig
	onPartial, start                         string
	at                                       *time.Time
}

func (f *flow) setStream(x *streamParameters) error {
	c := &f.config
	c.BatchSize, c.Window, c.Start, c.Bisect = streamBatch, seconds(x.window), x.start, x.onPartial == "AUTOMATIC_BISECT"
	if x.batch != nil {
		c.BatchSize = int(*x.batch)
	}
	if x.parallel != nil {
		c.Parallel = int(*x.parallel)
	}
	if x.retries != nil && *x.retries >= 0 {
		c.Retries = int(*x.retries)
	}
	if x.maxAge != nil && *x.maxAge >= 0 {
		c.MaxAge = seconds(x.maxAge)
	}
	switch c.Start {
	case sources.Latest, sources.TrimHorizon:
	case sources.AtTimestamp:
		if x.at == nil {
			return invalid("StartingPositionTimestamp must be specified when StartingPosition is AT_TIMESTAMP.")
		}
		c.Since = *x.at
	default:
		return invalid("StartingPosition must be specified.")
	}
	if x.deadLetter == nil || x.deadLetter.Arn == nil {
		return nil
	}
	f.deadLetter = *x.deadLetter.Arn
	if a, err := arn.Parse(f.deadLetter); err != nil || a.Service != "sqs" && a.Service != "sns" {
		return invalid("DeadLetterConfig.Arn %s is not the ARN of a queue or a topic.", f.deadLetter)
	}
	return nil
}

func seconds(n *int32) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * time.Second
}

func (f *flow) setFilters(in *api.FilterCriteria) error {
	if len(in.Filters) > maxFilters {
		return invalid("FilterCriteria has %d filters, and may have %d.", len(in.Filters), maxFilters)
	}
	for i, x := range in.Filters {
		p, err := pattern.Compile(opt.Value(x.Pattern), pattern.EventBridge)
		if err != nil {
			return invalid("Event pattern is not valid. Reason: %s", err)
		}
		if f.config.Filters == nil {
			f.config.Filters = &pattern.Set[int]{}
		}
		f.config.Filters.Add(i, p)
	}
	return nil
}

// setTarget refuses what the pipe says of its target that is not honoured.
func (f *flow) setTarget() error {
	in := f.TargetParameters
	if in == nil {
		in = &api.PipeTargetParameters{}
	}
	for name, given := range map[string]bool{
		"EcsTaskParameters": in.EcsTaskParameters != nil, "BatchJobParameters": in.BatchJobParameters != nil,
		"RedshiftDataParameters": in.RedshiftDataParameters != nil, "SageMakerPipelineParameters": in.SageMakerPipelineParameters != nil, "TimestreamParameters": in.TimestreamParameters != nil,
	} {
		if given {
			return invalid("TargetParameters.%s is not supported by Lambent.", name)
		}
	}
	if in.HttpParameters != nil && !isEndpoint(f.target) {
		return invalid("TargetParameters.HttpParameters are for API destinations and API Gateway, and the target is %s.", f.Target)
	}
	if x := in.EventBridgeEventBusParameters; x != nil && x.EndpointId != nil {
		return invalid("TargetParameters.EventBridgeEventBusParameters.EndpointId is not supported by Lambent.")
	}
	if x := in.CloudWatchLogsParameters; x != nil && x.Timestamp != nil {
		return invalid("TargetParameters.CloudWatchLogsParameters.Timestamp is not supported by Lambent: an event has the time at which it is delivered.")
	}
	if f.target.Service == "kinesis" && in.KinesisStreamParameters == nil {
		return invalid("TargetParameters.KinesisStreamParameters must be specified for a target that is a data stream.")
	}
	if f.target.Service == "sqs" && strings.HasSuffix(f.target.Resource, ".fifo") && (in.SqsQueueParameters == nil || in.SqsQueueParameters.MessageGroupId == nil) {
		return invalid("TargetParameters.SqsQueueParameters.MessageGroupId must be specified for a target that is a FIFO queue.")
	}
	return nil
}

// sourceName is what the ARN of a source says of its kind, as events of a pipe tell it.
func (f *flow) sourceName() string { return "aws:" + f.from.Service }
