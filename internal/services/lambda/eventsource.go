package lambda

import (
	"context"
	"log/slog"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/sources"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// eventSource is the record of an event source mapping. What works for it is in package mapping.
type eventSource struct {
	UUID     string
	Source   string // the ARN of a queue or stream
	Function string // the ARN, with the qualifier that was given
	Modified time.Time
	Enabled  bool
	// Revision is new with every change that the worker must know of, State what the API shows.
	Revision string
	State    string

	BatchSize   int32
	Window      int32    `json:",omitempty"` // seconds
	Filters     []string `json:",omitempty"`
	Partial     bool     `json:",omitempty"`
	Concurrency *int32   `json:",omitempty"`
	OnFailure   string   `json:",omitempty"`
	Metrics     []string `json:",omitempty"`
	LogLevel    string   `json:",omitempty"`

	Start   string    `json:",omitempty"`
	StartAt time.Time `json:",omitzero"`
	// Created is from when a stream is read that starts at its end.
	Created  time.Time
	Parallel int32 `json:",omitempty"`
	Retries  int32 `json:",omitempty"`
	MaxAge   int32 `json:",omitempty"` // seconds
	Bisect   bool  `json:",omitempty"`
	Tumbling int32 `json:",omitempty"` // seconds

	Tags map[string]string `json:",omitempty"`
}

// The states of a mapping.
const (
	stateCreating  = "Creating"
	stateEnabling  = "Enabling"
	stateEnabled   = "Enabled"
	stateDisabling = "Disabling"
	stateDisabled  = "Disabled"
	stateUpdating  = "Updating"
	stateDeleting  = "Deleting"
)

// eventSources is where the mappings of all accounts and regions lie: the runner watches them.
func eventSources() key.Key { return key.New("lambda.mapping") }

func (s scope) eventSources() key.Key           { return eventSources().Str(s.account).Str(s.region) }
func (s scope) eventSource(uuid string) key.Key { return s.eventSources().Str(uuid) }

func (s scope) eventSourceARN(uuid string) string {
	return "arn:aws:lambda:" + s.region + ":" + s.account + ":event-source-mapping:" + uuid
}

// resultKey is where the last processing result of a mapping lies: apart from its record, of which the runner follows every change.
func resultKey(uuid string) []byte { return key.New("lambda.result").Str(uuid) }

// resultOf returns the last processing result of a mapping.
func resultOf(rd store.Reader, uuid string) (string, error) {
	result, ok, err := record.Get[string](rd, resultKey(uuid))
	if !ok {
		result = sources.NoResult
	}
	return result, err
}

// ofQueue tells whether the source is a queue and not a stream.
func (e *eventSource) ofQueue() bool { return serviceOf(e.Source) == "sqs" }

// configuration is what the API shows of a mapping with its last processing result.
func (e *eventSource) configuration(s scope, result string) *api.EventSourceMappingConfiguration {
	c := &api.EventSourceMappingConfiguration{
		UUID: ptr(e.UUID), EventSourceMappingArn: ptr(s.eventSourceARN(e.UUID)), EventSourceArn: ptr(e.Source), FunctionArn: ptr(e.Function),
		LastModified: ptr(e.Modified), State: ptr(e.State), BatchSize: ptr(e.BatchSize), MaximumBatchingWindowInSeconds: ptr(e.Window),
		FunctionResponseTypes: []string{},
	}
	if e.Partial {
		c.FunctionResponseTypes = []string{api.FunctionResponseTypeReportBatchItemFailures}
	}
	if len(e.Filters) > 0 {
		c.FilterCriteria = &api.FilterCriteria{}
		for _, p := range e.Filters {
			c.FilterCriteria.Filters = append(c.FilterCriteria.Filters, api.Filter{Pattern: ptr(p)})
		}
	}
	if e.Metrics != nil {
		c.MetricsConfig = &api.EventSourceMappingMetricsConfig{Metrics: e.Metrics}
	}
	if e.LogLevel != "" {
		c.LoggingConfig = &api.EventSourceMappingLoggingConfig{SystemLogLevel: e.LogLevel}
	}
	if e.ofQueue() {
		c.StateTransitionReason = ptr("USER_INITIATED")
		if e.Concurrency != nil {
			c.ScalingConfig = &api.ScalingConfig{MaximumConcurrency: e.Concurrency}
		}
		return c
	}
	c.StateTransitionReason, c.LastProcessingResult = ptr("User action"), ptr(result)
	c.StartingPosition, c.ParallelizationFactor, c.MaximumRetryAttempts = e.Start, ptr(e.Parallel), ptr(e.Retries)
	if !e.StartAt.IsZero() {
		c.StartingPositionTimestamp = ptr(e.StartAt)
	}
	c.MaximumRecordAgeInSeconds, c.BisectBatchOnFunctionError, c.TumblingWindowInSeconds = ptr(e.MaxAge), ptr(e.Bisect), ptr(e.Tumbling)
	c.DestinationConfig = &api.DestinationConfig{OnFailure: &api.OnFailure{}}
	if e.OnFailure != "" {
		c.DestinationConfig.OnFailure.Destination = ptr(e.OnFailure)
	}
	return c
}

var errNoMapping = notFound("The resource you requested does not exist.")

// loadEventSource returns a mapping that exists.
func loadEventSource(rd store.Reader, s scope, uuid string) (eventSource, error) {
	e, ok, err := record.Get[eventSource](rd, s.eventSource(uuid))
	if err == nil && !ok {
		err = errNoMapping
	}
	return e, err
}

func (l *Lambda) createEventSourceMapping(ctx context.Context, in *api.CreateEventSourceMappingInput) (*api.CreateEventSourceMappingOutput, error) {
	s := scopeOf(ctx)
	e, err := l.newEventSource(ctx, in)
	if err != nil {
		return nil, err
	}
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if err := e.unique(tx, s); err != nil {
			return err
		}
		return record.Set(tx, s.eventSource(e.UUID), e)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return e.configuration(s, sources.NoResult), nil
}

// unique fails when the function has a mapping of the source already.
func (e *eventSource) unique(rd store.Reader, s scope) error {
	for row, err := range record.Range[eventSource](rd, s.eventSources().Span()) {
		if err != nil {
			return err
		}
		o := &row.Value
		if o.Source != e.Source || o.Function != e.Function || o.UUID == e.UUID {
			continue
		}
		r, err := parseARN(e.Function)
		if err != nil {
			return err
		}
		if e.ofQueue() {
			return conflict("An event source mapping with SQS arn (\" %s \") and function (\" %s \") already exists. Please update or delete the existing mapping with UUID %s", e.Source, r.name, o.UUID)
		}
		return conflict("The event source arn (\" %s \") and function (\" %s \") provided mapping already exists. Please update or delete the existing mapping with UUID %s", e.Source, r.name, o.UUID)
	}
	return nil
}

func (l *Lambda) getEventSourceMapping(ctx context.Context, in *api.GetEventSourceMappingInput) (*api.GetEventSourceMappingOutput, error) {
	s := scopeOf(ctx)
	var e eventSource
	result := ""
	err := l.deps.Store.View(ctx, func(rd store.Reader) (err error) {
		if e, err = loadEventSource(rd, s, in.UUID); err == nil {
			result, err = resultOf(rd, in.UUID)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return e.configuration(s, result), nil
}

func (l *Lambda) listEventSourceMappings(ctx context.Context, in *api.ListEventSourceMappingsInput) (*api.ListEventSourceMappingsOutput, error) {
	s := scopeOf(ctx)
	function := ""
	if in.FunctionName != nil {
		r, err := parseRef(ctx, *in.FunctionName, nil)
		if err != nil {
			return nil, err
		}
		function = r.arn()
	}
	limit := pageSize(in.MaxItems, 100)
	out := &api.ListEventSourceMappingsOutput{EventSourceMappings: []api.EventSourceMappingConfiguration{}}
	span := s.eventSources().Span()
	if in.Marker != nil {
		span.Lo = append(s.eventSource(*in.Marker), 0)
	}
	err := l.deps.Store.View(ctx, func(rd store.Reader) error {
		for row, err := range record.Range[eventSource](rd, span) {
			if err != nil {
				return err
			}
			e := &row.Value
			if function != "" && e.Function != function || in.EventSourceArn != nil && e.Source != *in.EventSourceArn {
				continue
			}
			if len(out.EventSourceMappings) == limit {
				out.NextMarker = out.EventSourceMappings[limit-1].UUID
				return nil
			}
			result, err := resultOf(rd, e.UUID)
			if err != nil {
				return err
			}
			out.EventSourceMappings = append(out.EventSourceMappings, *e.configuration(s, result))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (l *Lambda) updateEventSourceMapping(ctx context.Context, in *api.UpdateEventSourceMappingInput) (*api.UpdateEventSourceMappingOutput, error) {
	s := scopeOf(ctx)
	change, err := l.changeEventSource(ctx, in)
	if err != nil {
		return nil, err
	}
	id, err := l.newID()
	if err != nil {
		return nil, err
	}
	var shown eventSource
	result := ""
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		e, err := loadEventSource(tx, s, in.UUID)
		if err != nil {
			return err
		}
		if err := e.settled("UpdateEventSourceMapping"); err != nil {
			return err
		}
		was := e.Enabled
		if err := change(&e); err != nil {
			return err
		}
		if err := e.unique(tx, s); err != nil {
			return err
		}
		e.Modified, e.Revision, e.State = l.deps.Clock.Now().UTC(), id, stateUpdating
		if in.Enabled != nil {
			e.Enabled = *in.Enabled
		}
		switch {
		case e.Enabled && !was:
			e.State = stateEnabling
		case !e.Enabled && was:
			e.State = stateDisabling
		case !e.Enabled:
			e.State = stateDisabled
		}
		shown = e
		if result, err = resultOf(tx, e.UUID); err != nil {
			return err
		}
		return record.Set(tx, s.eventSource(e.UUID), e)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return shown.configuration(s, result), nil
}

// settled fails while a mapping is on its way to another state.
func (e *eventSource) settled(operation string) error {
	if e.State == stateEnabled || e.State == stateDisabled {
		return nil
	}
	return service.Errorf("ResourceInUseException", "Cannot %s on event source mapping %s while it is %s. Try again when it is Enabled or Disabled.", operation, e.UUID, e.State).WithStatus(400)
}

func (l *Lambda) deleteEventSourceMapping(ctx context.Context, in *api.DeleteEventSourceMappingInput) (*api.DeleteEventSourceMappingOutput, error) {
	s := scopeOf(ctx)
	id, err := l.newID()
	if err != nil {
		return nil, err
	}
	var shown eventSource
	result := ""
	err = l.deps.Store.Update(ctx, func(tx store.Txn) error {
		e, err := loadEventSource(tx, s, in.UUID)
		if err != nil {
			return err
		}
		if e.State == stateDeleting {
			return e.settled("DeleteEventSourceMapping")
		}
		e.State, e.Enabled, e.Revision, e.Modified = stateDeleting, false, id, l.deps.Clock.Now().UTC()
		shown = e
		if result, err = resultOf(tx, e.UUID); err != nil {
			return err
		}
		return record.Set(tx, s.eventSource(e.UUID), e)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return shown.configuration(s, result), nil
}

// setResult records the last processing result of a mapping that exists.
func (l *Lambda) setResult(ctx context.Context, s scope, uuid, result string) {
	err := l.deps.Store.Update(ctx, func(tx store.Txn) error {
		if ok, err := record.Has(tx, s.eventSource(uuid)); err != nil || !ok {
			return err
		}
		return record.Set(tx, resultKey(uuid), result)
	})
	if err != nil {
		l.deps.Log.WarnContext(ctx, "cannot write the result of a mapping", slog.String("mapping", uuid), slog.Any("error", err))
	}
}
