package logs

import (
	"cmp"
	"context"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/logs"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatchlogs.html).
func (l *Logs) access() map[string]service.Access {
	return map[string]service.Access{
		"CreateLogGroup": service.On("logs:CreateLogGroup", func(ctx context.Context, in *api.CreateLogGroupInput) string {
			return groupTarget(ctx, in.LogGroupName)
		}),
		"DeleteLogGroup": service.On("logs:DeleteLogGroup", func(ctx context.Context, in *api.DeleteLogGroupInput) string {
			return groupTarget(ctx, in.LogGroupName)
		}),
		"DescribeLogGroups": service.On("logs:DescribeLogGroups", func(ctx context.Context, _ *api.DescribeLogGroupsInput) string { return groupTarget(ctx, "*") }),
		"CreateLogStream": service.OnAll("logs:CreateLogStream", func(ctx context.Context, in *api.CreateLogStreamInput) ([]service.Target, error) {
			return l.shared(ctx, in.LogGroupName, streamTarget(ctx, in.LogGroupName, in.LogStreamName))
		}),
		"DeleteLogStream": service.On("logs:DeleteLogStream", func(ctx context.Context, in *api.DeleteLogStreamInput) string {
			return streamTarget(ctx, in.LogGroupName, in.LogStreamName)
		}),
		"DescribeLogStreams": service.On("logs:DescribeLogStreams", func(ctx context.Context, in *api.DescribeLogStreamsInput) string {
			return groupTarget(ctx, either(in.LogGroupName, in.LogGroupIdentifier))
		}),
		"PutLogEvents": service.OnAll("logs:PutLogEvents", func(ctx context.Context, in *api.PutLogEventsInput) ([]service.Target, error) {
			return l.shared(ctx, in.LogGroupName, streamTarget(ctx, in.LogGroupName, in.LogStreamName))
		}),
		"PutSubscriptionFilter": service.OnAll("logs:PutSubscriptionFilter", l.subscribing),
		"DescribeSubscriptionFilters": service.On("logs:DescribeSubscriptionFilters", func(ctx context.Context, in *api.DescribeSubscriptionFiltersInput) string {
			return groupTarget(ctx, in.LogGroupName)
		}),
		"DeleteSubscriptionFilter": service.On("logs:DeleteSubscriptionFilter", func(ctx context.Context, in *api.DeleteSubscriptionFilterInput) string {
			return groupTarget(ctx, in.LogGroupName)
		}),
		"PutMetricFilter": service.On("logs:PutMetricFilter", func(ctx context.Context, in *api.PutMetricFilterInput) string {
			return groupTarget(ctx, in.LogGroupName)
		}),
		"DescribeMetricFilters": service.On("logs:DescribeMetricFilters", func(ctx context.Context, in *api.DescribeMetricFiltersInput) string {
			return groupTarget(ctx, cmp.Or(opt.Value(in.LogGroupName), "*"))
		}),
		"DeleteMetricFilter": service.On("logs:DeleteMetricFilter", func(ctx context.Context, in *api.DeleteMetricFilterInput) string {
			return groupTarget(ctx, in.LogGroupName)
		}),
		"TestMetricFilter": service.OnAny("logs:TestMetricFilter"),
		"PutDestination": service.On("logs:PutDestination", func(ctx context.Context, in *api.PutDestinationInput) string {
			return destinationARN(scopeOf(ctx), in.DestinationName)
		}),
		"PutDestinationPolicy": service.On("logs:PutDestinationPolicy", func(ctx context.Context, in *api.PutDestinationPolicyInput) string {
			return destinationARN(scopeOf(ctx), in.DestinationName)
		}),
		"DeleteDestination": service.On("logs:DeleteDestination", func(ctx context.Context, in *api.DeleteDestinationInput) string {
			return destinationARN(scopeOf(ctx), in.DestinationName)
		}),
		"DescribeDestinations":     service.OnAny("logs:DescribeDestinations"),
		"PutResourcePolicy":        service.OnAny("logs:PutResourcePolicy"),
		"DescribeResourcePolicies": service.OnAny("logs:DescribeResourcePolicies"),
		"DeleteResourcePolicy":     service.OnAny("logs:DeleteResourcePolicy"),
		"PutTransformer": service.On("logs:PutTransformer", func(ctx context.Context, in *api.PutTransformerInput) string {
			return groupTarget(ctx, in.LogGroupIdentifier)
		}),
		"GetTransformer": service.On("logs:GetTransformer", func(ctx context.Context, in *api.GetTransformerInput) string {
			return groupTarget(ctx, in.LogGroupIdentifier)
		}),
		"DeleteTransformer": service.On("logs:DeleteTransformer", func(ctx context.Context, in *api.DeleteTransformerInput) string {
			return groupTarget(ctx, in.LogGroupIdentifier)
		}),
		"TestTransformer":  service.OnAny("logs:TestTransformer"),
		"PutAccountPolicy": service.OnAll("logs:PutAccountPolicy", l.puttingPolicy),
		"DescribeAccountPolicies": service.OnAll("logs:DescribeAccountPolicies", func(ctx context.Context, in *api.DescribeAccountPoliciesInput) ([]service.Target, error) {
			return policyTargets(ctx, policyKinds[in.PolicyType].describe), nil
		}),
		"DeleteAccountPolicy": service.OnAll("logs:DeleteAccountPolicy", func(ctx context.Context, in *api.DeleteAccountPolicyInput) ([]service.Target, error) {
			return policyTargets(ctx, policyKinds[in.PolicyType].remove), nil
		}),
		"StartQuery": service.OnAll("logs:StartQuery", func(ctx context.Context, in *api.StartQueryInput) ([]service.Target, error) {
			var targets []service.Target
			for _, name := range slices.Concat(in.LogGroupNames, in.LogGroupIdentifiers, []string{either(in.LogGroupName, nil)}) {
				if name != "" {
					targets = append(targets, service.Target{ARN: groupTarget(ctx, name)})
				}
			}
			if targets == nil { // which the operation refuses
				targets = []service.Target{{ARN: "*"}}
			}
			return targets, nil
		}),
		"GetLogRecord": service.OnAny("logs:GetLogRecord"),
		"GetLogGroupFields": service.On("logs:GetLogGroupFields", func(ctx context.Context, in *api.GetLogGroupFieldsInput) string {
			return groupTarget(ctx, either(in.LogGroupName, in.LogGroupIdentifier))
		}),
		"PutLogGroupDeletionProtection": service.On("logs:PutLogGroupDeletionProtection", func(ctx context.Context, in *api.PutLogGroupDeletionProtectionInput) string {
			return groupTarget(ctx, in.LogGroupIdentifier)
		}),
		"StopQuery":                service.OnAny("logs:StopQuery"),
		"GetQueryResults":          service.OnAny("logs:GetQueryResults"),
		"DescribeQueries":          service.OnAny("logs:DescribeQueries"),
		"PutQueryDefinition":       service.OnAny("logs:PutQueryDefinition"),
		"DescribeQueryDefinitions": service.OnAny("logs:DescribeQueryDefinitions"),
		"DeleteQueryDefinition":    service.OnAny("logs:DeleteQueryDefinition"),
		"CreateScheduledQuery": service.On("logs:CreateScheduledQuery", func(ctx context.Context, _ *api.CreateScheduledQueryInput) string {
			return scheduledQueryARN(scopeOf(ctx), "*")
		}),
		"GetScheduledQuery": service.OnAll("logs:GetScheduledQuery", func(ctx context.Context, in *api.GetScheduledQueryInput) ([]service.Target, error) {
			return l.scheduledTarget(ctx, in.Identifier)
		}),
		"GetScheduledQueryHistory": service.OnAll("logs:GetScheduledQueryHistory", func(ctx context.Context, in *api.GetScheduledQueryHistoryInput) ([]service.Target, error) {
			return l.scheduledTarget(ctx, in.Identifier)
		}),
		"UpdateScheduledQuery": service.OnAll("logs:UpdateScheduledQuery", func(ctx context.Context, in *api.UpdateScheduledQueryInput) ([]service.Target, error) {
			return l.scheduledTarget(ctx, in.Identifier)
		}),
		"DeleteScheduledQuery": service.OnAll("logs:DeleteScheduledQuery", func(ctx context.Context, in *api.DeleteScheduledQueryInput) ([]service.Target, error) {
			return l.scheduledTarget(ctx, in.Identifier)
		}),
		"CreateLogAnomalyDetector": service.On("logs:CreateLogAnomalyDetector", func(ctx context.Context, in *api.CreateLogAnomalyDetectorInput) string {
			return groupTarget(ctx, strings.Join(in.LogGroupArnList, ",")) // the operation refuses more than one
		}),
		"GetLogAnomalyDetector": service.On("logs:GetLogAnomalyDetector", func(_ context.Context, in *api.GetLogAnomalyDetectorInput) string {
			return in.AnomalyDetectorArn
		}),
		"UpdateLogAnomalyDetector": service.On("logs:UpdateLogAnomalyDetector", func(_ context.Context, in *api.UpdateLogAnomalyDetectorInput) string {
			return in.AnomalyDetectorArn
		}),
		"DeleteLogAnomalyDetector": service.On("logs:DeleteLogAnomalyDetector", func(_ context.Context, in *api.DeleteLogAnomalyDetectorInput) string {
			return in.AnomalyDetectorArn
		}),
		"ListLogAnomalyDetectors": service.OnAny("logs:ListLogAnomalyDetectors"),
		"ListAnomalies": service.On("logs:ListAnomalies", func(ctx context.Context, in *api.ListAnomaliesInput) string {
			return cmp.Or(opt.Value(in.AnomalyDetectorArn), detectorARN(scopeOf(ctx), "*"))
		}),
		"UpdateAnomaly": service.On("logs:UpdateAnomaly", func(_ context.Context, in *api.UpdateAnomalyInput) string { return in.AnomalyDetectorArn }),
		"PutDeliverySource": service.OnAll("logs:PutDeliverySource", func(ctx context.Context, in *api.PutDeliverySourceInput) ([]service.Target, error) {
			out := []service.Target{{ARN: deliverySourceARN(scopeOf(ctx), in.Name)}}
			if v, _, err := vendorOf(in.ResourceArn); err == nil { // the operation refuses others
				out = append(out, service.Target{Action: v.service + ":AllowVendedLogDeliveryForResource", ARN: in.ResourceArn})
			}
			return out, nil
		}),
		"GetDeliverySource": service.On("logs:GetDeliverySource", func(ctx context.Context, in *api.GetDeliverySourceInput) string {
			return deliverySourceARN(scopeOf(ctx), in.Name)
		}),
		"DeleteDeliverySource": service.On("logs:DeleteDeliverySource", func(ctx context.Context, in *api.DeleteDeliverySourceInput) string {
			return deliverySourceARN(scopeOf(ctx), in.Name)
		}),
		"DescribeDeliverySources": service.OnAny("logs:DescribeDeliverySources"),
		"PutDeliveryDestination": service.On("logs:PutDeliveryDestination", func(ctx context.Context, in *api.PutDeliveryDestinationInput) string {
			return deliveryDestinationARN(scopeOf(ctx), in.Name)
		}),
		"GetDeliveryDestination": service.On("logs:GetDeliveryDestination", func(ctx context.Context, in *api.GetDeliveryDestinationInput) string {
			return deliveryDestinationARN(scopeOf(ctx), in.Name)
		}),
		"DeleteDeliveryDestination": service.On("logs:DeleteDeliveryDestination", func(ctx context.Context, in *api.DeleteDeliveryDestinationInput) string {
			return deliveryDestinationARN(scopeOf(ctx), in.Name)
		}),
		"DescribeDeliveryDestinations": service.OnAny("logs:DescribeDeliveryDestinations"),
		"PutDeliveryDestinationPolicy": service.On("logs:PutDeliveryDestinationPolicy", func(ctx context.Context, in *api.PutDeliveryDestinationPolicyInput) string {
			return deliveryDestinationARN(scopeOf(ctx), in.DeliveryDestinationName)
		}),
		"GetDeliveryDestinationPolicy": service.On("logs:GetDeliveryDestinationPolicy", func(ctx context.Context, in *api.GetDeliveryDestinationPolicyInput) string {
			return deliveryDestinationARN(scopeOf(ctx), in.DeliveryDestinationName)
		}),
		"DeleteDeliveryDestinationPolicy": service.On("logs:DeleteDeliveryDestinationPolicy", func(ctx context.Context, in *api.DeleteDeliveryDestinationPolicyInput) string {
			return deliveryDestinationARN(scopeOf(ctx), in.DeliveryDestinationName)
		}),
		"CreateDelivery": service.OnAll("logs:CreateDelivery", l.delivering),
		"GetDelivery": service.On("logs:GetDelivery", func(ctx context.Context, in *api.GetDeliveryInput) string {
			return deliveryARN(scopeOf(ctx), in.Id)
		}),
		"UpdateDeliveryConfiguration": service.On("logs:UpdateDeliveryConfiguration", func(ctx context.Context, in *api.UpdateDeliveryConfigurationInput) string {
			return deliveryARN(scopeOf(ctx), in.Id)
		}),
		"DeleteDelivery": service.On("logs:DeleteDelivery", func(ctx context.Context, in *api.DeleteDeliveryInput) string {
			return deliveryARN(scopeOf(ctx), in.Id)
		}),
		"DescribeDeliveries":             service.OnAny("logs:DescribeDeliveries"),
		"DescribeConfigurationTemplates": service.OnAny("logs:DescribeConfigurationTemplates"),
		"ListScheduledQueries":           service.OnAny("logs:ListScheduledQueries"),
		"GetLogEvents": service.On("logs:GetLogEvents", func(ctx context.Context, in *api.GetLogEventsInput) string {
			return streamTarget(ctx, either(in.LogGroupName, in.LogGroupIdentifier), in.LogStreamName)
		}),
		"FilterLogEvents": service.On("logs:FilterLogEvents", func(ctx context.Context, in *api.FilterLogEventsInput) string {
			return groupTarget(ctx, either(in.LogGroupName, in.LogGroupIdentifier))
		}),
		"PutRetentionPolicy": service.On("logs:PutRetentionPolicy", func(ctx context.Context, in *api.PutRetentionPolicyInput) string {
			return groupTarget(ctx, in.LogGroupName)
		}),
		"DeleteRetentionPolicy": service.On("logs:DeleteRetentionPolicy", func(ctx context.Context, in *api.DeleteRetentionPolicyInput) string {
			return groupTarget(ctx, in.LogGroupName)
		}),
		"TagResource":         service.On("logs:TagResource", func(_ context.Context, in *api.TagResourceInput) string { return in.ResourceArn }),
		"UntagResource":       service.On("logs:UntagResource", func(_ context.Context, in *api.UntagResourceInput) string { return in.ResourceArn }),
		"ListTagsForResource": service.On("logs:ListTagsForResource", func(_ context.Context, in *api.ListTagsForResourceInput) string { return in.ResourceArn }),
	}
}

// groupARN returns the ARN of a group without the ":*" that stands for its streams.
func groupARN(s scope, group string) string {
	return "arn:aws:logs:" + s.region + ":" + s.account + ":log-group:" + group
}

func groupTarget(ctx context.Context, group string) string {
	return groupARN(scopeOf(ctx), groupName(group)) + ":*"
}

func streamTarget(ctx context.Context, group, stream string) string {
	return groupARN(scopeOf(ctx), groupName(group)) + ":log-stream:" + stream
}

func scopeOf(ctx context.Context) scope {
	r := service.RequestFrom(ctx)
	return scope{r.Account, r.Region}
}

// either returns the name or the identifier of a group, of which a caller sends one.
func either(name, identifier *string) string {
	switch {
	case name != nil:
		return *name
	case identifier != nil:
		return *identifier
	}
	return ""
}

// groupName returns the name in a log group identifier, which is a name or an ARN.
func groupName(identifier string) string {
	if _, name, ok := strings.Cut(identifier, ":log-group:"); ok {
		return strings.TrimSuffix(name, ":*")
	}
	return identifier
}
