package logs

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// metricFilterProperties are the properties of AWS::Logs::MetricFilter
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-metricfilter.html).
type metricFilterProperties struct {
	FilterName                *string          `cfn:"FilterName,createOnly"`
	LogGroupName              string           `cfn:"LogGroupName,required,createOnly"`
	FilterPattern             string           `cfn:"FilterPattern,required"`
	MetricTransformations     []transformation `cfn:"MetricTransformations,required"`
	ApplyOnTransformedLogs    *bool            `cfn:"ApplyOnTransformedLogs"`
	FieldSelectionCriteria    *string          `cfn:"FieldSelectionCriteria"`
	EmitSystemFieldDimensions []string         `cfn:"EmitSystemFieldDimensions"`
}

type transformation struct {
	MetricName      string   `cfn:"MetricName,required"`
	MetricNamespace string   `cfn:"MetricNamespace,required"`
	MetricValue     string   `cfn:"MetricValue,required"`
	DefaultValue    *float64 `cfn:"DefaultValue"`
	Dimensions      []tag    `cfn:"Dimensions"`
	Unit            *string  `cfn:"Unit"`
}

func (l *Logs) metricFilterType() service.ResourceType {
	return service.NewResourceType("AWS::Logs::MetricFilter", service.ResourceSpec[metricFilterProperties]{
		Create: func(ctx context.Context, c service.ResourceCall, p *metricFilterProperties) (service.Resource, error) {
			name := c.Name(512, nil)
			if p.FilterName != nil {
				name = *p.FilterName
			}
			return l.putMetricFilterResource(ctx, name, p)
		},
		Update: func(ctx context.Context, c service.ResourceCall, _, p *metricFilterProperties) (service.Resource, error) {
			return l.putMetricFilterResource(ctx, c.PhysicalID, p)
		},
		Delete:     l.deleteMetricFilterResource,
		Identifier: []string{"LogGroupName", "FilterName"}, Read: l.readMetricFilterResource, List: l.listMetricFilterResources, Missing: []string{"ResourceNotFoundException"},
	})
}

func (l *Logs) putMetricFilterResource(ctx context.Context, name string, p *metricFilterProperties) (service.Resource, error) {
	in := &api.PutMetricFilterInput{
		LogGroupName: p.LogGroupName, FilterName: name, FilterPattern: p.FilterPattern, ApplyOnTransformedLogs: p.ApplyOnTransformedLogs,
		FieldSelectionCriteria: p.FieldSelectionCriteria, EmitSystemFieldDimensions: p.EmitSystemFieldDimensions,
	}
	for _, t := range p.MetricTransformations {
		in.MetricTransformations = append(in.MetricTransformations, *reshape.To[api.MetricTransformation](t))
	}
	return service.Resource{PhysicalID: name}, l.call(ctx, "PutMetricFilter", in)
}

func (l *Logs) deleteMetricFilterResource(ctx context.Context, c service.ResourceCall, p *metricFilterProperties) error {
	return service.Unless(l.call(ctx, "DeleteMetricFilter", &api.DeleteMetricFilterInput{LogGroupName: p.LogGroupName, FilterName: c.PhysicalID}), "ResourceNotFoundException")
}

func (l *Logs) readMetricFilterResource(ctx context.Context, id service.Identifier) (*metricFilterProperties, service.Resource, error) {
	out, err := ask[api.DescribeMetricFiltersOutput](ctx, l, "DescribeMetricFilters", &api.DescribeMetricFiltersInput{LogGroupName: &id[0], FilterNamePrefix: &id[1]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	// The first filter with the prefix is the one that is the prefix, if it is there.
	if len(out.MetricFilters) == 0 || opt.Value(out.MetricFilters[0].FilterName) != id[1] {
		return nil, service.Resource{}, service.ErrGone
	}
	return reshape.To[metricFilterProperties](out.MetricFilters[0]), service.Resource{PhysicalID: id[1]}, nil
}

func (l *Logs) listMetricFilterResources(ctx context.Context, _ *metricFilterProperties, next string) (service.Page, error) {
	out, err := ask[api.DescribeMetricFiltersOutput](ctx, l, "DescribeMetricFilters", &api.DescribeMetricFiltersInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.MetricFilters, out.NextToken, func(f *api.MetricFilter) service.Identifier {
		return service.Identifier{opt.Value(f.LogGroupName), opt.Value(f.FilterName)}
	}), nil
}
