package logs

import (
	"context"
	"encoding/json"
	"strings"

	firehoseapi "lambent.dev/lambent/internal/awsapi/firehose"
	api "lambent.dev/lambent/internal/awsapi/logs"
	s3api "lambent.dev/lambent/internal/awsapi/s3"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/service"
)

const (
	// deliveryPolicy is the resource policy by which CreateDelivery opens log groups.
	deliveryPolicy = "AWSLogDeliveryWrite20150319"
	// validationStream is made in a log group to see whether it is open.
	validationStream = "log_stream_created_by_aws_to_validate_log_delivery_subscriptions"
	// deliveryTag is the tag of delivery streams that are open.
	deliveryTag = "LogDeliveryEnabled"
)

// statement opens a destination to the deliveries of an account.
type statement struct {
	Sid       string
	Effect    string
	Principal map[string]string
	Action    []string
	Resource  string
	Condition map[string]map[string]string
}

func deliveryStatement(s scope, resource string, actions ...string) statement {
	return statement{
		Sid: deliveryPolicy, Effect: "Allow", Principal: map[string]string{"Service": deliveryPrincipal}, Action: actions, Resource: resource,
		Condition: map[string]map[string]string{
			"StringEquals": {"aws:SourceAccount": s.account}, "ArnLike": {"aws:SourceArn": "arn:aws:logs:" + s.region + ":" + s.account + ":delivery-source:*"},
		},
	}
}

// policyWith returns a policy document with a statement more; document may be empty.
func policyWith(document string, st statement) (string, error) {
	d := map[string]any{"Version": "2012-10-17"}
	if document != "" {
		if err := json.Unmarshal([]byte(document), &d); err != nil {
			return "", err
		}
	}
	all, ok := d["Statement"].([]any)
	if one, single := d["Statement"].(map[string]any); single && !ok {
		all = []any{one}
	}
	d["Statement"] = append(all, st)
	out, err := json.Marshal(d)
	return string(out), err
}

// openDestination makes sure that logs of a source may be delivered to a destination of the caller's account: as the caller, it adds to the policies of a log group or a bucket, and tags a delivery stream, where
// AWS does (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-vended-logs-permissions-V2.html).
func (l *Logs) openDestination(ctx context.Context, s scope, source *deliverySource, to *deliveryDestination) error {
	switch to.Type {
	case api.DeliveryDestinationTypeCwl:
		return l.openGroup(ctx, s, source, groupName(to.Resource))
	case api.DeliveryDestinationTypeS3:
		bucket, _, _ := strings.Cut(strings.TrimPrefix(to.Resource, "arn:aws:s3:::"), "/")
		return l.openBucket(ctx, s, bucket)
	}
	_, name, _ := strings.Cut(to.Resource, ":deliverystream/")
	_, err := l.deps.Door.Call(ctx, "firehose", "TagDeliveryStream", &firehoseapi.TagDeliveryStreamInput{
		DeliveryStreamName: name, Tags: []firehoseapi.Tag{{Key: deliveryTag, Value: ptr("true")}},
	})
	return err
}

func (l *Logs) openGroup(ctx context.Context, s scope, source *deliverySource, group string) error {
	id, err := uuid.New(l.deps.Random)
	if err != nil {
		return err
	}
	as, err := l.options.Sender.Caller(ctx, deliveringFrom(s, source.Name), "", id, groupARN(s, group))
	if err != nil {
		return err
	}
	in := &api.CreateLogStreamInput{LogGroupName: group, LogStreamName: validationStream}
	err = service.Unless(l.call(as, "CreateLogStream", in), "ResourceAlreadyExistsException")
	if service.Code(err) != "AccessDeniedException" {
		return err
	}
	have, err := ask[api.DescribeResourcePoliciesOutput](ctx, l, "DescribeResourcePolicies", &api.DescribeResourcePoliciesInput{})
	if err != nil {
		return err
	}
	document := ""
	for _, p := range have.ResourcePolicies {
		if opt.Value(p.PolicyName) == deliveryPolicy {
			document = opt.Value(p.PolicyDocument)
		}
	}
	document, err = policyWith(document, deliveryStatement(s, groupARN(s, group)+":log-stream:*", "logs:CreateLogStream", "logs:PutLogEvents"))
	if err != nil {
		return err
	}
	if err := l.call(ctx, "PutResourcePolicy", &api.PutResourcePolicyInput{PolicyName: ptr(deliveryPolicy), PolicyDocument: &document}); err != nil {
		return err
	}
	return service.Unless(l.call(as, "CreateLogStream", in), "ResourceAlreadyExistsException")
}

// openBucket leaves alone a bucket whose policy speaks of deliveries, and one whose policy the caller may not read.
func (l *Logs) openBucket(ctx context.Context, s scope, bucket string) error {
	have, err := service.Call[s3api.GetBucketPolicyOutput](ctx, l.deps.Door, "s3", "GetBucketPolicy", &s3api.GetBucketPolicyInput{Bucket: bucket})
	document := ""
	switch service.Code(err) {
	case "":
		if err != nil {
			return err
		}
		document = opt.Value(have.Policy)
	case "AccessDenied":
		return nil
	case "NoSuchBucketPolicy":
	default:
		return err
	}
	if strings.Contains(document, deliveryPrincipal) {
		return nil
	}
	st := deliveryStatement(s, "arn:aws:s3:::"+bucket+"/*", "s3:PutObject")
	st.Condition["StringEquals"]["s3:x-amz-acl"] = s3api.ObjectCannedACLBucketOwnerFullControl
	if document, err = policyWith(document, st); err != nil {
		return err
	}
	_, err = l.deps.Door.Call(ctx, "s3", "PutBucketPolicy", &s3api.PutBucketPolicyInput{Bucket: bucket, Policy: document})
	return err
}
