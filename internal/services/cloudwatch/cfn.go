package cloudwatch

import (
	"context"
	"net/http"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// alarmProperties are the properties of AWS::CloudWatch::Alarm
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-alarm.html).
type alarmProperties struct {
	ActionsEnabled                   *bool                 `cfn:"ActionsEnabled"`
	AlarmActions                     []string              `cfn:"AlarmActions,unordered"`
	AlarmDescription                 *string               `cfn:"AlarmDescription"`
	AlarmName                        *string               `cfn:"AlarmName,createOnly"`
	ComparisonOperator               string                `cfn:"ComparisonOperator,required"`
	DatapointsToAlarm                *int32                `cfn:"DatapointsToAlarm"`
	Dimensions                       []dimensionProperty   `cfn:"Dimensions,unordered"`
	EvaluateLowSampleCountPercentile *string               `cfn:"EvaluateLowSampleCountPercentile"`
	EvaluationPeriods                *int32                `cfn:"EvaluationPeriods,required"`
	ExtendedStatistic                *string               `cfn:"ExtendedStatistic"`
	InsufficientDataActions          []string              `cfn:"InsufficientDataActions,unordered"`
	MetricName                       *string               `cfn:"MetricName"`
	Metrics                          []queryProperty       `cfn:"Metrics,unordered"`
	Namespace                        *string               `cfn:"Namespace"`
	OKActions                        []string              `cfn:"OKActions,unordered"`
	Period                           *int32                `cfn:"Period"`
	Statistic                        string                `cfn:"Statistic"`
	Tags                             []service.TagProperty `cfn:"Tags"`
	Threshold                        *float64              `cfn:"Threshold"`
	ThresholdMetricId                *string               `cfn:"ThresholdMetricId"` //nolint:revive // the name of the property, by which values are copied
	TreatMissingData                 *string               `cfn:"TreatMissingData"`
	Unit                             string                `cfn:"Unit"`
}

type dimensionProperty struct {
	Name  string `cfn:"Name,required"`
	Value string `cfn:"Value,required"`
}

type queryProperty struct {
	AccountId  *string       `cfn:"AccountId"` //nolint:revive // the name of the property, by which values are copied
	Expression *string       `cfn:"Expression"`
	Id         string        `cfn:"Id,required"` //nolint:revive // the name of the property, by which values are copied
	Label      *string       `cfn:"Label"`
	MetricStat *statProperty `cfn:"MetricStat"`
	Period     *int32        `cfn:"Period"`
	ReturnData *bool         `cfn:"ReturnData"`
}

type statProperty struct {
	Metric struct {
		Dimensions []dimensionProperty `cfn:"Dimensions,unordered"`
		MetricName *string             `cfn:"MetricName"`
		Namespace  *string             `cfn:"Namespace"`
	} `cfn:"Metric,required"`
	Period int32  `cfn:"Period,required"`
	Stat   string `cfn:"Stat,required"`
	Unit   string `cfn:"Unit"`
}

// compositeProperties are the properties of AWS::CloudWatch::CompositeAlarm
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-compositealarm.html).
type compositeProperties struct {
	ActionsEnabled                   *bool                 `cfn:"ActionsEnabled"`
	ActionsSuppressor                *string               `cfn:"ActionsSuppressor"`
	ActionsSuppressorExtensionPeriod *int32                `cfn:"ActionsSuppressorExtensionPeriod"`
	ActionsSuppressorWaitPeriod      *int32                `cfn:"ActionsSuppressorWaitPeriod"`
	AlarmActions                     []string              `cfn:"AlarmActions,unordered"`
	AlarmDescription                 *string               `cfn:"AlarmDescription"`
	AlarmName                        *string               `cfn:"AlarmName,createOnly"`
	AlarmRule                        string                `cfn:"AlarmRule,required"`
	InsufficientDataActions          []string              `cfn:"InsufficientDataActions,unordered"`
	OKActions                        []string              `cfn:"OKActions,unordered"`
	Tags                             []service.TagProperty `cfn:"Tags"`
}

// dashboardProperties are the properties of AWS::CloudWatch::Dashboard
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudwatch-dashboard.html).
type dashboardProperties struct {
	DashboardBody string                `cfn:"DashboardBody,required"`
	DashboardName *string               `cfn:"DashboardName,createOnly"`
	Tags          []service.TagProperty `cfn:"Tags"`
}

func (m *Metrics) resources() []service.ResourceType {
	return []service.ResourceType{
		service.NewResourceType("AWS::CloudWatch::Alarm", service.ResourceSpec[alarmProperties]{
			Attributes: []string{"Arn"}, Create: m.createAlarmResource, Update: m.updateAlarmResource,
			Delete: func(ctx context.Context, c service.ResourceCall, _ *alarmProperties) error {
				return m.deleteAlarmResource(ctx, c)
			},
			Identifier: []string{"AlarmName"}, Read: m.readAlarmResource, Missing: []string{codeNoAlarm},
			List: service.Pages(m.deps.Door, "cloudwatch", "DescribeAlarms", func(_ *alarmProperties, next *string) any { return &api.DescribeAlarmsInput{NextToken: next} },
				func(out *api.DescribeAlarmsOutput) ([]api.MetricAlarm, *string) {
					return out.MetricAlarms, out.NextToken
				},
				func(_ *alarmProperties, a *api.MetricAlarm) service.Identifier {
					return service.Identifier{*a.AlarmName}
				}),
		}),
		service.NewResourceType("AWS::CloudWatch::CompositeAlarm", service.ResourceSpec[compositeProperties]{
			Attributes: []string{"Arn"}, Create: m.createCompositeResource, Update: m.updateCompositeResource,
			Delete: func(ctx context.Context, c service.ResourceCall, _ *compositeProperties) error {
				return m.deleteAlarmResource(ctx, c)
			},
			Identifier: []string{"AlarmName"}, Read: m.readCompositeResource, Missing: []string{codeNoAlarm},
			List: service.Pages(m.deps.Door, "cloudwatch", "DescribeAlarms", func(_ *compositeProperties, next *string) any {
				return &api.DescribeAlarmsInput{NextToken: next, AlarmTypes: []string{api.AlarmTypeCompositeAlarm}}
			},
				func(out *api.DescribeAlarmsOutput) ([]api.CompositeAlarm, *string) {
					return out.CompositeAlarms, out.NextToken
				},
				func(_ *compositeProperties, a *api.CompositeAlarm) service.Identifier {
					return service.Identifier{*a.AlarmName}
				}),
		}),
		service.NewResourceType("AWS::CloudWatch::Dashboard", service.ResourceSpec[dashboardProperties]{
			Create: m.createDashboardResource, Update: m.updateDashboardResource, Delete: m.deleteDashboardResource,
			Identifier: []string{"DashboardName"}, Read: m.readDashboardResource, Missing: []string{codeNoDashboard},
			List: service.Pages(m.deps.Door, "cloudwatch", "ListDashboards", func(_ *dashboardProperties, next *string) any { return &api.ListDashboardsInput{NextToken: next} },
				func(out *api.ListDashboardsOutput) ([]api.DashboardEntry, *string) {
					return out.DashboardEntries, out.NextToken
				},
				func(_ *dashboardProperties, d *api.DashboardEntry) service.Identifier {
					return service.Identifier{*d.DashboardName}
				}),
		}),
	}
}

func call[Out any](ctx context.Context, m *Metrics, operation string, in any) (*Out, error) {
	return service.Call[Out](ctx, m.deps.Door, "cloudwatch", operation, in)
}

// named returns the name that a template gives, or one for it.
func named(c service.ResourceCall, given *string) string {
	if given != nil {
		return *given
	}
	return c.Name(255, nil)
}

// taken refuses to make what is there already, unless an earlier try of the same step may have made it.
func taken(c service.ResourceCall, kind, name string, err error) error {
	switch {
	case err != nil:
		return service.Unless(err, codeNoAlarm, codeNoDashboard)
	case c.Retry:
		return nil
	}
	return service.Errorf("AlreadyExists", "%s %s already exists", kind, name).WithStatus(http.StatusConflict)
}

// alarmResource is an alarm as templates refer to it.
func alarmResource(ctx context.Context, name string) service.Resource {
	return service.Resource{PhysicalID: name, Attributes: map[string]any{"Arn": scopeOf(ctx).alarmARN(name)}}
}

func (m *Metrics) retag(ctx context.Context, c service.ResourceCall, arn string, old, own []service.TagProperty) error {
	return service.Retag(c.UserTags(old), c.UserTags(own), func(keys []string) error {
		_, err := call[api.UntagResourceOutput](ctx, m, "UntagResource", &api.UntagResourceInput{ResourceARN: arn, TagKeys: keys})
		return err
	}, func(tags map[string]string) error {
		_, err := call[api.TagResourceOutput](ctx, m, "TagResource", &api.TagResourceInput{ResourceARN: arn, Tags: tagList(tags)})
		return err
	})
}

// tagsOn reads the tags of what an ARN names.
func (m *Metrics) tagsOn(ctx context.Context, arn string) (list []service.TagProperty, err error) {
	out, err := call[api.ListTagsForResourceOutput](ctx, m, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceARN: arn})
	if err != nil {
		return nil, err
	}
	for _, t := range out.Tags {
		list = append(list, service.TagProperty{Key: t.Key, Value: t.Value})
	}
	return list, nil
}

func (m *Metrics) putAlarmResource(ctx context.Context, name string, p *alarmProperties, tags []api.Tag) error {
	in := reshape.To[api.PutMetricAlarmInput](p)
	in.AlarmName, in.Tags = name, tags
	_, err := call[api.PutMetricAlarmOutput](ctx, m, "PutMetricAlarm", in)
	return err
}

func (m *Metrics) createAlarmResource(ctx context.Context, c service.ResourceCall, p *alarmProperties) (service.Resource, error) {
	name := named(c, p.AlarmName)
	_, _, err := m.readAlarmResource(ctx, service.Identifier{name})
	if err = taken(c, "Alarm", name, err); err == nil {
		err = m.putAlarmResource(ctx, name, p, tagList(c.UserTags(p.Tags)))
	}
	return alarmResource(ctx, name), err
}

func (m *Metrics) updateAlarmResource(ctx context.Context, c service.ResourceCall, old, p *alarmProperties) (service.Resource, error) {
	err := m.putAlarmResource(ctx, c.PhysicalID, p, nil)
	if err == nil {
		err = m.retag(ctx, c, scopeOf(ctx).alarmARN(c.PhysicalID), old.Tags, p.Tags)
	}
	return alarmResource(ctx, c.PhysicalID), err
}

func (m *Metrics) deleteAlarmResource(ctx context.Context, c service.ResourceCall) error {
	_, err := call[api.DeleteAlarmsOutput](ctx, m, "DeleteAlarms", &api.DeleteAlarmsInput{AlarmNames: []string{c.PhysicalID}})
	return err
}

func (m *Metrics) readAlarmResource(ctx context.Context, id service.Identifier) (*alarmProperties, service.Resource, error) {
	r := alarmResource(ctx, id[0])
	out, err := call[api.DescribeAlarmsOutput](ctx, m, "DescribeAlarms", &api.DescribeAlarmsInput{AlarmNames: id})
	if err == nil && len(out.MetricAlarms) == 0 {
		err = noAlarm()
	}
	if err != nil {
		return nil, r, err
	}
	p := reshape.To[alarmProperties](out.MetricAlarms[0])
	p.Tags, err = m.tagsOn(ctx, scopeOf(ctx).alarmARN(id[0]))
	return p, r, err
}

func (m *Metrics) putCompositeResource(ctx context.Context, name string, p *compositeProperties, tags []api.Tag) error {
	in := reshape.To[api.PutCompositeAlarmInput](p)
	in.AlarmName, in.Tags = name, tags
	_, err := call[api.PutCompositeAlarmOutput](ctx, m, "PutCompositeAlarm", in)
	return err
}

func (m *Metrics) createCompositeResource(ctx context.Context, c service.ResourceCall, p *compositeProperties) (service.Resource, error) {
	name := named(c, p.AlarmName)
	_, _, err := m.readCompositeResource(ctx, service.Identifier{name})
	if err = taken(c, "Alarm", name, err); err == nil {
		err = m.putCompositeResource(ctx, name, p, tagList(c.UserTags(p.Tags)))
	}
	return alarmResource(ctx, name), err
}

func (m *Metrics) updateCompositeResource(ctx context.Context, c service.ResourceCall, old, p *compositeProperties) (service.Resource, error) {
	err := m.putCompositeResource(ctx, c.PhysicalID, p, nil)
	if err == nil {
		err = m.retag(ctx, c, scopeOf(ctx).alarmARN(c.PhysicalID), old.Tags, p.Tags)
	}
	return alarmResource(ctx, c.PhysicalID), err
}

func (m *Metrics) readCompositeResource(ctx context.Context, id service.Identifier) (*compositeProperties, service.Resource, error) {
	r := alarmResource(ctx, id[0])
	out, err := call[api.DescribeAlarmsOutput](ctx, m, "DescribeAlarms", &api.DescribeAlarmsInput{AlarmNames: id, AlarmTypes: []string{api.AlarmTypeCompositeAlarm}})
	if err == nil && len(out.CompositeAlarms) == 0 {
		err = noAlarm()
	}
	if err != nil {
		return nil, r, err
	}
	p := reshape.To[compositeProperties](out.CompositeAlarms[0])
	p.Tags, err = m.tagsOn(ctx, scopeOf(ctx).alarmARN(id[0]))
	return p, r, err
}

func (m *Metrics) putDashboardResource(ctx context.Context, name string, p *dashboardProperties, tags []api.Tag) error {
	_, err := call[api.PutDashboardOutput](ctx, m, "PutDashboard", &api.PutDashboardInput{DashboardName: name, DashboardBody: p.DashboardBody, Tags: tags})
	return err
}

func (m *Metrics) createDashboardResource(ctx context.Context, c service.ResourceCall, p *dashboardProperties) (service.Resource, error) {
	name := named(c, p.DashboardName)
	_, _, err := m.readDashboardResource(ctx, service.Identifier{name})
	if err = taken(c, "Dashboard", name, err); err == nil {
		err = m.putDashboardResource(ctx, name, p, tagList(c.UserTags(p.Tags)))
	}
	return service.Resource{PhysicalID: name}, err
}

func (m *Metrics) updateDashboardResource(ctx context.Context, c service.ResourceCall, old, p *dashboardProperties) (service.Resource, error) {
	err := m.putDashboardResource(ctx, c.PhysicalID, p, nil)
	if err == nil {
		err = m.retag(ctx, c, scopeOf(ctx).dashboardARN(c.PhysicalID), old.Tags, p.Tags)
	}
	return service.Resource{PhysicalID: c.PhysicalID}, err
}

func (m *Metrics) deleteDashboardResource(ctx context.Context, c service.ResourceCall, _ *dashboardProperties) error {
	_, err := call[api.DeleteDashboardsOutput](ctx, m, "DeleteDashboards", &api.DeleteDashboardsInput{DashboardNames: []string{c.PhysicalID}})
	return service.Unless(err, codeNoDashboard)
}

func (m *Metrics) readDashboardResource(ctx context.Context, id service.Identifier) (*dashboardProperties, service.Resource, error) {
	r := service.Resource{PhysicalID: id[0]}
	out, err := call[api.GetDashboardOutput](ctx, m, "GetDashboard", &api.GetDashboardInput{DashboardName: id[0]})
	if err != nil {
		return nil, r, err
	}
	p := reshape.To[dashboardProperties](out)
	p.Tags, err = m.tagsOn(ctx, scopeOf(ctx).dashboardARN(id[0]))
	return p, r, err
}
