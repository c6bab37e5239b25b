package cloudwatch

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoncloudwatch.html). No metric is a resource.
func access() map[string]service.Access {
	return map[string]service.Access{
		"PutMetricData": service.OnAll("cloudwatch:PutMetricData", func(_ context.Context, in *api.PutMetricDataInput) ([]service.Target, error) {
			return []service.Target{{ARN: "*", Condition: map[string][]string{"cloudwatch:namespace": {in.Namespace}}}}, nil
		}),
		"GetMetricData":       service.OnAny("cloudwatch:GetMetricData"),
		"GetMetricStatistics": service.OnAny("cloudwatch:GetMetricStatistics"),
		"ListMetrics":         service.OnAny("cloudwatch:ListMetrics"),
	}
}
