package ec2

import (
	"context"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/ec2"
	"lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// flowLog says where records of traffic shall go. There is no traffic to record.
type flowLog struct{ api.FlowLog }

// defaultFlowFormat is the format of records when none is given
// (https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html).
const defaultFlowFormat = "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}"

// Types of destinations of flow logs.
const (
	toLogs     = "cloud-watch-logs"
	toS3       = "s3"
	toFirehose = "kinesis-data-firehose"
)

var flowLogs = kind[flowLog]{
	class: class{name: "vpc-flow-log", prefix: "fl", absent: "InvalidFlowLogId.NotFound", malformed: "InvalidFlowLogId.Malformed", unknown: "These flow log ids in the input list are not found: [%s]"},
	id:    func(f *flowLog) string { return *f.FlowLogId },
}

var flowLogFields = fields[*api.FlowLog]{
	id:   func(f *api.FlowLog) *string { return f.FlowLogId },
	tags: func(f *api.FlowLog) []api.Tag { return f.Tags },
	values: map[string]func(*api.FlowLog) []string{
		"deliver-log-status":   func(f *api.FlowLog) []string { return text(f.DeliverLogsStatus) },
		"log-destination-type": func(f *api.FlowLog) []string { return []string{f.LogDestinationType} },
		"flow-log-id":          func(f *api.FlowLog) []string { return text(f.FlowLogId) },
		"log-group-name":       func(f *api.FlowLog) []string { return text(f.LogGroupName) },
		"resource-id":          func(f *api.FlowLog) []string { return text(f.ResourceId) },
		"traffic-type":         func(f *api.FlowLog) []string { return []string{f.TrafficType} },
	},
}

func showFlowLog(v *view, f *flowLog) (out api.FlowLog, err error) {
	out = f.FlowLog
	out.Tags, err = v.tagsOf(*f.FlowLogId)
	return out, err
}

func (s *Service) describeFlowLogs(ctx context.Context, in *api.DescribeFlowLogsInput) (*api.DescribeFlowLogsOutput, error) {
	out, next, err := list(ctx, s, &flowLogs, query{in.FlowLogIds, in.Filter, in.MaxResults, in.NextToken}, &flowLogFields, showFlowLog)
	return &api.DescribeFlowLogsOutput{FlowLogs: out, NextToken: next}, err
}

// flowResources are the classes of what traffic can be recorded of, by the names that calls have for them.
func flowResources(name string) (*class, error) {
	switch name {
	case "VPC":
		return &vpcs.class, nil
	case "Subnet":
		return &subnets.class, nil
	case "NetworkInterface":
		return &interfaces.class, nil
	}
	return nil, refuse(codeUnsupported, "Lambent keeps flow logs of VPC, Subnet and NetworkInterface, and not of %s.", name)
}

// flowDestination checks where records shall go, and returns the log as far as it is the same for all resources.
func flowDestination(in *api.CreateFlowLogsInput) (f api.FlowLog, err error) {
	bad := func(text string) (api.FlowLog, error) { return f, refuse("InvalidParameter", "%s", text) }
	typ := or(in.LogDestinationType, toLogs)
	switch {
	case in.LogDestination == nil && in.LogGroupName == nil:
		return bad("LogDestination can't be empty if LogGroupName is not provided.")
	case in.LogDestination != nil && in.LogGroupName != nil:
		return bad("Please only provide LogGroupName or only provide LogDestination.")
	case in.LogGroupName != nil && typ != toLogs:
		return bad("LogDestination type must be cloud-watch-logs if LogGroupName is provided.")
	case typ == toLogs && in.DeliverLogsPermissionArn == nil:
		return bad("DeliverLogsPermissionArn can't be empty if LogDestinationType is cloud-watch-logs.")
	case typ != toLogs && in.DeliverLogsPermissionArn != nil:
		return bad("DeliverLogsPermissionArn is not applicable for " + typ + " delivery")
	}
	if in.LogDestination != nil {
		a, err := arn.Parse(*in.LogDestination)
		service := map[string]string{toLogs: "logs", toS3: "s3", toFirehose: "firehose"}[typ]
		if err != nil || a.Service != service {
			return bad("LogDestination " + *in.LogDestination + " is not valid for the type " + typ)
		}
	}
	interval := opt.Value(in.MaxAggregationInterval)
	switch interval {
	case 0:
		interval = 600
	case 60, 600:
	default:
		return bad("Invalid Flow Log Max Aggregation Interval")
	}
	f = api.FlowLog{
		LogDestinationType: typ, LogDestination: in.LogDestination, LogGroupName: in.LogGroupName, DeliverLogsPermissionArn: in.DeliverLogsPermissionArn,
		LogFormat: new(or(opt.Value(in.LogFormat), defaultFlowFormat)), MaxAggregationInterval: &interval, TrafficType: or(in.TrafficType, "ALL"),
		DeliverLogsStatus: new("SUCCESS"), FlowLogStatus: new("ACTIVE"),
	}
	if typ == toS3 {
		f.DestinationOptions = &api.DestinationOptionsResponse{FileFormat: "plain-text", HiveCompatiblePartitions: new(false), PerHourPartition: new(false)}
		if o := in.DestinationOptions; o != nil {
			f.DestinationOptions.FileFormat = or(o.FileFormat, f.DestinationOptions.FileFormat)
			f.DestinationOptions.HiveCompatiblePartitions = new(opt.Value(o.HiveCompatiblePartitions))
			f.DestinationOptions.PerHourPartition = new(opt.Value(o.PerHourPartition))
		}
	}
	return f, nil
}

// createFlowLogs makes a log for each resource. What stands against one is told in the answer.
func (s *Service) createFlowLogs(ctx context.Context, in *api.CreateFlowLogsInput) (*api.CreateFlowLogsOutput, error) {
	c, err := flowResources(in.ResourceType)
	if err != nil {
		return nil, err
	}
	spec, err := flowDestination(in)
	if err != nil {
		return nil, err
	}
	out := &api.CreateFlowLogsOutput{ClientToken: in.ClientToken, FlowLogIds: []string{}, Unsuccessful: []api.UnsuccessfulItem{}}
	if problem := s.checkBucket(ctx, &spec); problem != "" {
		for _, id := range in.ResourceIds {
			out.Unsuccessful = append(out.Unsuccessful, api.UnsuccessfulItem{ResourceId: &id, Error: &api.UnsuccessfulItemError{Code: new("400"), Message: &problem}})
		}
		return out, nil
	}
	return out, s.update(ctx, func(e *edit) error {
		out.FlowLogIds, out.Unsuccessful = []string{}, []api.UnsuccessfulItem{}
		if out.ClientToken == nil {
			out.ClientToken = new(e.draw("token", 32))
		}
		there, err := all(e.view, &flowLogs)
		if err != nil {
			return err
		}
		for _, id := range in.ResourceIds {
			made, err := e.makeFlowLog(c, id, spec, there)
			if err == nil {
				out.FlowLogIds = append(out.FlowLogIds, made)
				err = e.specified(&flowLogs.class, made, in.TagSpecifications)
			}
			if err := unsuccessful(&out.Unsuccessful, id, err); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *edit) makeFlowLog(c *class, resource string, spec api.FlowLog, there []flowLog) (id string, err error) {
	id = e.newID(flowLogs.prefix)
	if err := c.check(resource); err != nil {
		return id, err
	}
	if err := e.taggable([]string{resource}); err != nil {
		return id, err
	}
	for _, f := range there {
		switch {
		case *f.FlowLogId == id:
			return id, nil // an earlier try of the same call
		case *f.ResourceId == resource && f.TrafficType == spec.TrafficType && opt.Value(f.LogDestination) == opt.Value(spec.LogDestination) && opt.Value(f.LogGroupName) == opt.Value(spec.LogGroupName):
			return id, refuse("FlowLogAlreadyExists", "Error. There is an existing Flow Log with the same configuration and log destination.")
		}
	}
	spec.FlowLogId, spec.ResourceId, spec.CreationTime = &id, &resource, &e.now
	return id, put(e, &flowLogs, &flowLog{spec})
}

// checkBucket returns what is wrong with the bucket that records shall go to.
func (s *Service) checkBucket(ctx context.Context, f *api.FlowLog) string {
	if f.LogDestinationType != toS3 {
		return ""
	}
	a, err := arn.Parse(*f.LogDestination)
	if err != nil {
		return err.Error()
	}
	bucket, _, _ := strings.Cut(a.Resource, "/")
	_, err = service.Call[s3.HeadBucketOutput](ctx, s.deps.Door, "s3", "HeadBucket", &s3.HeadBucketInput{Bucket: bucket})
	switch code := service.Code(err); {
	case err == nil:
		return ""
	case code == "AccessDenied" || code == "403" || code == "Forbidden":
		return "Access Denied for LogDestination: " + bucket + ". Please check LogDestination permission"
	}
	return "LogDestination: " + bucket + " does not exist"
}

func (s *Service) deleteFlowLogs(ctx context.Context, in *api.DeleteFlowLogsInput) (*api.DeleteFlowLogsOutput, error) {
	out := &api.DeleteFlowLogsOutput{}
	return out, s.update(ctx, func(e *edit) error {
		out.Unsuccessful = []api.UnsuccessfulItem{}
		for _, id := range slices.Compact(slices.Sorted(slices.Values(in.FlowLogIds))) {
			f, err := get(e.view, &flowLogs, id)
			if err == nil {
				drop(e, &flowLogs, f)
			}
			if err := unsuccessful(&out.Unsuccessful, id, err); err != nil {
				return err
			}
		}
		return nil
	})
}

// endFlowLogs deletes the logs of a resource that is deleted.
func (e *edit) endFlowLogs(resource string) error {
	there, err := all(e.view, &flowLogs)
	if err != nil {
		return err
	}
	for i := range there {
		if *there[i].ResourceId == resource {
			drop(e, &flowLogs, &there[i])
		}
	}
	return nil
}
