package firehose

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/firehose"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonkinesisfirehose.html).
func (s *Service) access() map[string]service.Access {
	return map[string]service.Access{
		"CreateDeliveryStream": service.OnAll("firehose:CreateDeliveryStream", func(ctx context.Context, in *api.CreateDeliveryStreamInput) ([]service.Target, error) {
			targets := []service.Target{{ARN: placeOf(ctx).arn(in.DeliveryStreamName)}}
			if len(in.Tags) > 0 {
				targets = append(targets, service.Target{Action: "firehose:TagDeliveryStream", ARN: targets[0].ARN})
			}
			return targets, nil
		}),
		"DeleteDeliveryStream":          on("DeleteDeliveryStream", func(in *api.DeleteDeliveryStreamInput) string { return in.DeliveryStreamName }),
		"DescribeDeliveryStream":        on("DescribeDeliveryStream", func(in *api.DescribeDeliveryStreamInput) string { return in.DeliveryStreamName }),
		"ListDeliveryStreams":           service.OnAny("firehose:ListDeliveryStreams"),
		"ListTagsForDeliveryStream":     on("ListTagsForDeliveryStream", func(in *api.ListTagsForDeliveryStreamInput) string { return in.DeliveryStreamName }),
		"PutRecord":                     on("PutRecord", func(in *api.PutRecordInput) string { return in.DeliveryStreamName }),
		"PutRecordBatch":                on("PutRecordBatch", func(in *api.PutRecordBatchInput) string { return in.DeliveryStreamName }),
		"StartDeliveryStreamEncryption": on("StartDeliveryStreamEncryption", func(in *api.StartDeliveryStreamEncryptionInput) string { return in.DeliveryStreamName }),
		"StopDeliveryStreamEncryption":  on("StopDeliveryStreamEncryption", func(in *api.StopDeliveryStreamEncryptionInput) string { return in.DeliveryStreamName }),
		"TagDeliveryStream":             on("TagDeliveryStream", func(in *api.TagDeliveryStreamInput) string { return in.DeliveryStreamName }),
		"UntagDeliveryStream":           on("UntagDeliveryStream", func(in *api.UntagDeliveryStreamInput) string { return in.DeliveryStreamName }),
		"UpdateDestination":             on("UpdateDestination", func(in *api.UpdateDestinationInput) string { return in.DeliveryStreamName }),
	}
}

func on[In any](action string, name func(in In) string) service.Access {
	return service.On("firehose:"+action, func(ctx context.Context, in In) string { return placeOf(ctx).arn(name(in)) })
}
