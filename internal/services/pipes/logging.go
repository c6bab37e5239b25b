package pipes

import (
	api "lambent.dev/lambent/internal/awsapi/pipes"
)

// shownLog returns log settings as they are shown.
func shownLog(in *api.PipeLogConfigurationParameters) *api.PipeLogConfiguration {
	if in == nil {
		return nil
	}
	out := &api.PipeLogConfiguration{Level: in.Level, IncludeExecutionData: in.IncludeExecutionData}
	if x := in.CloudwatchLogsLogDestination; x != nil {
		out.CloudwatchLogsLogDestination = &api.CloudwatchLogsLogDestination{LogGroupArn: &x.LogGroupArn}
	}
	if x := in.FirehoseLogDestination; x != nil {
		out.FirehoseLogDestination = &api.FirehoseLogDestination{DeliveryStreamArn: &x.DeliveryStreamArn}
	}
	if x := in.S3LogDestination; x != nil {
		out.S3LogDestination = &api.S3LogDestination{BucketName: &x.BucketName, Prefix: x.Prefix, BucketOwner: &x.BucketOwner, OutputFormat: x.OutputFormat}
	}
	return out
}
