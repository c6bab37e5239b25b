package cloudwatch

import (
	"context"
	"slices"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html). No metric is a resource.
func access() map[string]service.Access {
	return map[string]service.Access{
		"PutMetricData": service.OnAll("cloudwatch:PutMetricData", func(_ context.Context, in *api.PutMetricDataInput) ([]service.Target, error) {
			return []service.Target{{ARN: "*", Condition: map[string][]string{"cloudwatch:namespace": {in.Namespace}}}}, nil
		}),
		"GetMetricData":           service.OnAny("cloudwatch:GetMetricData"),
		"GetMetricStatistics":     service.OnAny("cloudwatch:GetMetricStatistics"),
		"ListMetrics":             service.OnAny("cloudwatch:ListMetrics"),
		"DescribeAlarmsForMetric": service.OnAny("cloudwatch:DescribeAlarmsForMetric"),
		"DeleteAlarms":            onAlarms("DeleteAlarms", func(in *api.DeleteAlarmsInput) []string { return in.AlarmNames }),
		"EnableAlarmActions":      onAlarms("EnableAlarmActions", func(in *api.EnableAlarmActionsInput) []string { return in.AlarmNames }),
		"DisableAlarmActions":     onAlarms("DisableAlarmActions", func(in *api.DisableAlarmActionsInput) []string { return in.AlarmNames }),
		"DescribeAlarms":          onAlarms("DescribeAlarms", func(in *api.DescribeAlarmsInput) []string { return in.AlarmNames }),
		"DescribeAlarmHistory": onAlarms("DescribeAlarmHistory", func(in *api.DescribeAlarmHistoryInput) []string {
			if in.AlarmName == nil {
				return nil
			}
			return []string{*in.AlarmName}
		}),
		"SetAlarmState": onAlarms("SetAlarmState", func(in *api.SetAlarmStateInput) []string { return []string{in.AlarmName} }),
		"PutMetricAlarm": service.OnAll("cloudwatch:PutMetricAlarm", func(ctx context.Context, in *api.PutMetricAlarmInput) ([]service.Target, error) {
			return put(ctx, in.AlarmName, in.Tags, in.OKActions, in.AlarmActions, in.InsufficientDataActions), nil
		}),
		"PutCompositeAlarm": service.OnAll("cloudwatch:PutCompositeAlarm", func(ctx context.Context, in *api.PutCompositeAlarmInput) ([]service.Target, error) {
			return put(ctx, in.AlarmName, in.Tags, in.OKActions, in.AlarmActions, in.InsufficientDataActions), nil
		}),
		"TagResource":         service.On("cloudwatch:TagResource", func(_ context.Context, in *api.TagResourceInput) string { return in.ResourceARN }),
		"UntagResource":       service.On("cloudwatch:UntagResource", func(_ context.Context, in *api.UntagResourceInput) string { return in.ResourceARN }),
		"ListTagsForResource": service.On("cloudwatch:ListTagsForResource", func(_ context.Context, in *api.ListTagsForResourceInput) string { return in.ResourceARN }),
		"PutDashboard": service.On("cloudwatch:PutDashboard", func(ctx context.Context, in *api.PutDashboardInput) string {
			return scopeOf(ctx).dashboardARN(in.DashboardName)
		}),
		"GetDashboard": service.On("cloudwatch:GetDashboard", func(ctx context.Context, in *api.GetDashboardInput) string {
			return scopeOf(ctx).dashboardARN(in.DashboardName)
		}),
		"ListDashboards": service.OnAny("cloudwatch:ListDashboards"),
		"DeleteDashboards": service.OnAll("cloudwatch:DeleteDashboards", func(ctx context.Context, in *api.DeleteDashboardsInput) ([]service.Target, error) {
			return each(in.DashboardNames, scopeOf(ctx).dashboardARN), nil
		}),
	}
}

// onAlarms is the rule of an operation on alarms; a call that names none is about all of them.
func onAlarms[In any](operation string, names func(in *In) []string) service.Access {
	return service.OnAll("cloudwatch:"+operation, func(ctx context.Context, in *In) ([]service.Target, error) {
		list := names(in)
		if len(list) == 0 {
			list = []string{"*"}
		}
		return each(list, scopeOf(ctx).alarmARN), nil
	})
}

func each(names []string, arn func(name string) string) []service.Target {
	out := make([]service.Target, len(names))
	for i, name := range names {
		out[i].ARN = arn(name)
	}
	return out
}

// put is the target of a call that writes an alarm, with the actions and the tags that policies may ask for.
func put(ctx context.Context, name string, tags []api.Tag, actions ...[]string) []service.Target {
	t := service.Target{ARN: scopeOf(ctx).alarmARN(name), Condition: map[string][]string{}}
	if all := slices.Concat(actions...); len(all) > 0 {
		t.Condition["cloudwatch:AlarmActions"] = all
	}
	for _, tag := range tags {
		t.Condition["aws:RequestTag/"+tag.Key] = []string{tag.Value}
		t.Condition["aws:TagKeys"] = append(t.Condition["aws:TagKeys"], tag.Key)
	}
	return []service.Target{t}
}
