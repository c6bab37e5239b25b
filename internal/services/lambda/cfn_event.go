package lambda

import (
	"context"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// eventSourceProperties are the properties of AWS::Lambda::EventSourceMapping. Those for sources that Lambent does not have are refused by name.
type eventSourceProperties struct {
	BatchSize                      *int32                    `cfn:"BatchSize"`
	BisectBatchOnFunctionError     *bool                     `cfn:"BisectBatchOnFunctionError"`
	DestinationConfig              *destinationProperties    `cfn:"DestinationConfig"`
	Enabled                        *bool                     `cfn:"Enabled"`
	EventSourceArn                 string                    `cfn:"EventSourceArn,required,createOnly"`
	FilterCriteria                 *filterCriteriaProperties `cfn:"FilterCriteria"`
	FunctionName                   string                    `cfn:"FunctionName,required"`
	FunctionResponseTypes          []string                  `cfn:"FunctionResponseTypes"`
	LoggingConfig                  *mappingLogProperties     `cfn:"LoggingConfig"`
	MaximumBatchingWindowInSeconds *int32                    `cfn:"MaximumBatchingWindowInSeconds"`
	MaximumRecordAgeInSeconds      *int32                    `cfn:"MaximumRecordAgeInSeconds"`
	MaximumRetryAttempts           *int32                    `cfn:"MaximumRetryAttempts"`
	MetricsConfig                  *mappingMetricsProperties `cfn:"MetricsConfig"`
	ParallelizationFactor          *int32                    `cfn:"ParallelizationFactor"`
	ScalingConfig                  *scalingProperties        `cfn:"ScalingConfig"`
	StartingPosition               *string                   `cfn:"StartingPosition,createOnly"`
	StartingPositionTimestamp      *float64                  `cfn:"StartingPositionTimestamp,createOnly"` // seconds since 1970
	Tags                           []tag                     `cfn:"Tags"`
	TumblingWindowInSeconds        *int32                    `cfn:"TumblingWindowInSeconds"`
}

type destinationProperties struct {
	OnFailure *struct {
		Destination *string `cfn:"Destination"`
	} `cfn:"OnFailure"`
	OnSuccess *struct {
		Destination *string `cfn:"Destination"`
	} `cfn:"OnSuccess"`
}

func (p *destinationProperties) input() *api.DestinationConfig {
	if p == nil {
		return nil
	}
	d := &api.DestinationConfig{}
	if p.OnFailure != nil {
		d.OnFailure = &api.OnFailure{Destination: p.OnFailure.Destination}
	}
	if p.OnSuccess != nil {
		d.OnSuccess = &api.OnSuccess{Destination: p.OnSuccess.Destination}
	}
	return d
}

type filterCriteriaProperties struct {
	Filters []struct {
		Pattern *string `cfn:"Pattern"`
	} `cfn:"Filters"`
}

func (p *filterCriteriaProperties) input() *api.FilterCriteria {
	c := &api.FilterCriteria{}
	if p != nil {
		for _, f := range p.Filters {
			c.Filters = append(c.Filters, api.Filter{Pattern: f.Pattern})
		}
	}
	return c
}

type mappingLogProperties struct {
	SystemLogLevel *string `cfn:"SystemLogLevel"`
}

type mappingMetricsProperties struct {
	Metrics []string `cfn:"Metrics"`
}

type scalingProperties struct {
	MaximumConcurrency *int32 `cfn:"MaximumConcurrency"`
}

func (l *Lambda) eventSourceResource() service.ResourceType {
	return service.NewResourceType("AWS::Lambda::EventSourceMapping", service.ResourceSpec[eventSourceProperties]{
		Attributes: []string{"Id", "EventSourceMappingArn"}, Create: l.createEventSourceResource, Update: l.updateEventSourceResource, Delete: l.deleteEventSourceResource,
		Identifier: []string{"Id"}, Read: l.readEventSourceResource, Missing: []string{missing}, List: l.listEventSourceResources,
	})
}

func (l *Lambda) createEventSourceResource(ctx context.Context, c service.ResourceCall, p *eventSourceProperties) (service.Resource, error) {
	in := &api.CreateEventSourceMappingInput{
		EventSourceArn: &p.EventSourceArn, FunctionName: p.FunctionName, Enabled: p.Enabled, BatchSize: p.BatchSize, FunctionResponseTypes: p.FunctionResponseTypes,
		MaximumBatchingWindowInSeconds: p.MaximumBatchingWindowInSeconds, ParallelizationFactor: p.ParallelizationFactor, StartingPosition: orZero(p.StartingPosition),
		DestinationConfig: p.DestinationConfig.input(), MaximumRecordAgeInSeconds: p.MaximumRecordAgeInSeconds, BisectBatchOnFunctionError: p.BisectBatchOnFunctionError,
		MaximumRetryAttempts: p.MaximumRetryAttempts, TumblingWindowInSeconds: p.TumblingWindowInSeconds, Tags: tagsOf(c, p.Tags),
	}
	if p.StartingPositionTimestamp != nil {
		in.StartingPositionTimestamp = ptr(time.Unix(0, int64(*p.StartingPositionTimestamp*1e9)).UTC())
	}
	if p.FilterCriteria != nil {
		in.FilterCriteria = p.FilterCriteria.input()
	}
	in.ScalingConfig, in.MetricsConfig, in.LoggingConfig = p.groups()
	out, err := service.Call[api.CreateEventSourceMappingOutput](ctx, l.deps.Door, "lambda", "CreateEventSourceMapping", in)
	if c.Retry && service.Code(err) == "ResourceConflictException" {
		// The mapping of this function and source was made by an earlier try of this step.
		list, err := service.Call[api.ListEventSourceMappingsOutput](ctx, l.deps.Door, "lambda", "ListEventSourceMappings", &api.ListEventSourceMappingsInput{EventSourceArn: &p.EventSourceArn, FunctionName: &p.FunctionName})
		if err == nil && len(list.EventSourceMappings) == 1 {
			return mappingResource(&list.EventSourceMappings[0]), nil
		}
	}
	if err != nil {
		return service.Resource{}, err
	}
	return mappingResource(out), l.awaitMapping(ctx, orZero(out.UUID))
}

// groups are the members that are structures of their own.
func (p *eventSourceProperties) groups() (*api.ScalingConfig, *api.EventSourceMappingMetricsConfig, *api.EventSourceMappingLoggingConfig) {
	var scaling *api.ScalingConfig
	var metrics *api.EventSourceMappingMetricsConfig
	var logging *api.EventSourceMappingLoggingConfig
	if p.ScalingConfig != nil {
		scaling = &api.ScalingConfig{MaximumConcurrency: p.ScalingConfig.MaximumConcurrency}
	}
	if p.MetricsConfig != nil {
		metrics = &api.EventSourceMappingMetricsConfig{Metrics: p.MetricsConfig.Metrics}
	}
	if p.LoggingConfig != nil {
		logging = &api.EventSourceMappingLoggingConfig{SystemLogLevel: orZero(p.LoggingConfig.SystemLogLevel)}
	}
	return scaling, metrics, logging
}

func mappingResource(c *api.EventSourceMappingConfiguration) service.Resource {
	id := orZero(c.UUID)
	return service.Resource{PhysicalID: id, Attributes: map[string]any{"Id": id, "EventSourceMappingArn": orZero(c.EventSourceMappingArn)}}
}

// awaitMapping waits until a mapping is in a state in which it can be changed, or gone.
func (l *Lambda) awaitMapping(ctx context.Context, uuid string) error {
	s := scopeOf(ctx)
	w := l.deps.Store.Watch(s.eventSource(uuid))
	defer w.Close()
	for {
		var e eventSource
		found := false
		err := l.deps.Store.View(ctx, func(rd store.Reader) (err error) {
			e, found, err = record.Get[eventSource](rd, s.eventSource(uuid))
			return err
		})
		if err != nil || !found || e.settled("") == nil {
			return err
		}
		select {
		case <-w.C():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *Lambda) updateEventSourceResource(ctx context.Context, c service.ResourceCall, old, p *eventSourceProperties) (service.Resource, error) {
	if err := l.awaitMapping(ctx, c.PhysicalID); err != nil {
		return service.Resource{}, err
	}
	in := &api.UpdateEventSourceMappingInput{
		UUID: c.PhysicalID, FunctionName: &p.FunctionName, Enabled: p.Enabled, BatchSize: p.BatchSize, FilterCriteria: p.FilterCriteria.input(),
		MaximumBatchingWindowInSeconds: p.MaximumBatchingWindowInSeconds, ParallelizationFactor: p.ParallelizationFactor, DestinationConfig: p.DestinationConfig.input(),
		MaximumRecordAgeInSeconds: p.MaximumRecordAgeInSeconds, BisectBatchOnFunctionError: p.BisectBatchOnFunctionError, MaximumRetryAttempts: p.MaximumRetryAttempts,
		TumblingWindowInSeconds: p.TumblingWindowInSeconds, FunctionResponseTypes: p.FunctionResponseTypes,
	}
	if in.FunctionResponseTypes == nil && old.FunctionResponseTypes != nil {
		in.FunctionResponseTypes = []string{}
	}
	if in.Enabled == nil {
		in.Enabled = ptr(true)
	}
	if p.ScalingConfig == nil && old.ScalingConfig != nil {
		p.ScalingConfig = &scalingProperties{}
	}
	in.ScalingConfig, in.MetricsConfig, in.LoggingConfig = p.groups()
	out, err := service.Call[api.UpdateEventSourceMappingOutput](ctx, l.deps.Door, "lambda", "UpdateEventSourceMapping", in)
	if err != nil {
		return service.Resource{}, err
	}
	if err := l.updateTags(ctx, c, orZero(out.EventSourceMappingArn), old.Tags, p.Tags); err != nil {
		return service.Resource{}, err
	}
	return mappingResource(out), l.awaitMapping(ctx, c.PhysicalID)
}

func (l *Lambda) deleteEventSourceResource(ctx context.Context, c service.ResourceCall, _ *eventSourceProperties) error {
	err := l.do(ctx, "DeleteEventSourceMapping", &api.DeleteEventSourceMappingInput{UUID: c.PhysicalID})
	if code := service.Code(err); code != "" && code != "ResourceNotFoundException" && code != "ResourceInUseException" {
		return err
	}
	return l.awaitMapping(ctx, c.PhysicalID)
}

// invokeConfigProperties are the properties of AWS::Lambda::EventInvokeConfig.
type invokeConfigProperties struct {
	DestinationConfig        *destinationProperties `cfn:"DestinationConfig"`
	FunctionName             string                 `cfn:"FunctionName,required,createOnly"`
	MaximumEventAgeInSeconds *int32                 `cfn:"MaximumEventAgeInSeconds"`
	MaximumRetryAttempts     *int32                 `cfn:"MaximumRetryAttempts"`
	Qualifier                string                 `cfn:"Qualifier,required,createOnly"`
}

func (l *Lambda) invokeConfigResource() service.ResourceType {
	return service.NewResourceType("AWS::Lambda::EventInvokeConfig", service.ResourceSpec[invokeConfigProperties]{
		Identifier: []string{"FunctionName", "Qualifier"}, Read: l.readInvokeConfigResource, Missing: []string{missing}, List: l.listInvokeConfigResources, ListBy: []string{"FunctionName"},
		Create: func(ctx context.Context, c service.ResourceCall, p *invokeConfigProperties) (service.Resource, error) {
			if !c.Retry {
				// A put would take over what the stack did not make.
				_, err := l.deps.Door.Call(ctx, "lambda", "GetFunctionEventInvokeConfig", &api.GetFunctionEventInvokeConfigInput{FunctionName: p.FunctionName, Qualifier: &p.Qualifier})
				if err == nil {
					return service.Resource{}, service.Errorf("AlreadyExists", "The function %s:%s has an event invoke configuration already", p.FunctionName, p.Qualifier)
				} else if service.Code(err) != "ResourceNotFoundException" {
					return service.Resource{}, err
				}
			}
			return l.putInvokeConfigResource(ctx, p)
		},
		Update: func(ctx context.Context, _ service.ResourceCall, _, p *invokeConfigProperties) (service.Resource, error) {
			return l.putInvokeConfigResource(ctx, p)
		},
		Delete: func(ctx context.Context, c service.ResourceCall, _ *invokeConfigProperties) error {
			name, qualifier, _ := strings.Cut(c.PhysicalID, "|")
			return service.Unless(l.do(ctx, "DeleteFunctionEventInvokeConfig", &api.DeleteFunctionEventInvokeConfigInput{FunctionName: name, Qualifier: &qualifier}), "ResourceNotFoundException")
		},
	})
}

func (l *Lambda) putInvokeConfigResource(ctx context.Context, p *invokeConfigProperties) (service.Resource, error) {
	d := p.DestinationConfig.input()
	if d == nil {
		d = &api.DestinationConfig{}
	}
	err := l.do(ctx, "PutFunctionEventInvokeConfig", &api.PutFunctionEventInvokeConfigInput{
		FunctionName: p.FunctionName, Qualifier: &p.Qualifier, DestinationConfig: d, MaximumEventAgeInSeconds: p.MaximumEventAgeInSeconds, MaximumRetryAttempts: p.MaximumRetryAttempts,
	})
	return service.Resource{PhysicalID: p.FunctionName + "|" + p.Qualifier}, err
}
