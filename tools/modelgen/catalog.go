package main

import (
	_ "embed" // of what later models have
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"
)

// api is one API that is generated.
type api struct {
	// model is the folder of the model in botocore's data.
	model string
	// name is the package that is written.
	name string
	// patch changes the model before it is used; nil for none.
	patch func(*model) error
}

// catalog lists the APIs.
func catalog() []api {
	return []api{
		{model: "lambda", name: "lambda", patch: patchLambda},
		{model: "s3", name: "s3", patch: patchS3},
		{model: "s3control", name: "s3control", patch: patchS3Control},
		{model: "dynamodb", name: "dynamodb", patch: patchDynamoDB},
		{model: "dynamodbstreams", name: "dynamodbstreams", patch: patchDynamoDB},
		{model: "apigateway", name: "apigateway"},
		{model: "apigatewayv2", name: "apigatewayv2"},
		{model: "apigatewaymanagementapi", name: "apigatewaymanagementapi"},
		{model: "iam", name: "iam"},
		{model: "sts", name: "sts"},
		{model: "cloudformation", name: "cloudformation", patch: patchCloudFormation},
		{model: "cloudcontrol", name: "cloudcontrol"},
		{model: "codedeploy", name: "codedeploy"},
		{model: "logs", name: "logs", patch: patchLogs},
		{model: "cloudwatch", name: "cloudwatch"},
		{model: "sqs", name: "sqs", patch: patchSQS},
		{model: "sns", name: "sns"},
		{model: "events", name: "events"},
		{model: "scheduler", name: "scheduler"},
		{model: "pipes", name: "pipes"},
		{model: "schemas", name: "schemas"},
		{model: "stepfunctions", name: "stepfunctions"},
		{model: "kinesis", name: "kinesis"},
		{model: "firehose", name: "firehose"},
		{model: "ssm", name: "ssm"},
		{model: "secretsmanager", name: "secretsmanager"},
		{model: "kms", name: "kms"},
		{model: "cognito-idp", name: "cognitoidp"},
		{model: "cognito-identity", name: "cognitoidentity"},
		{model: "ecs", name: "ecs"},
		{model: "ecr", name: "ecr"},
		{model: "apprunner", name: "apprunner"},
		{model: "elasticbeanstalk", name: "elasticbeanstalk"},
		{model: "elbv2", name: "elbv2"},
		{model: "application-autoscaling", name: "applicationautoscaling"},
		{model: "servicediscovery", name: "servicediscovery"},
		{model: "cloudfront", name: "cloudfront", patch: xmlNamespaceOf("http://cloudfront.amazonaws.com/doc/2020-05-31/")},
		{model: "cloudfront-keyvaluestore", name: "cloudfrontkeyvaluestore"},
		{model: "acm", name: "acm"},
		{model: "acm-pca", name: "acmpca"},
		{model: "route53", name: "route53", patch: xmlNamespaceOf("https://route53.amazonaws.com/doc/2013-04-01/")},
		{model: "rds", name: "rds"},
		{model: "rds-data", name: "rdsdata"},
		{model: "efs", name: "efs"},
		{model: "xray", name: "xray"},
		{model: "ec2", name: "ec2", patch: patchEC2},
		{model: "resourcegroupstaggingapi", name: "resourcegroupstaggingapi"},
		{model: "appsync", name: "appsync"},
	}
}

// The hand-written types of the DynamoDB item codec.
const (
	attrImport = "lambent.dev/lambent/internal/lib/attr"
	attrValue  = "attr.Value"
	attrMap    = "attr.Map"
)

// patchDynamoDB puts the item codec in the place of attribute values and of
// every map that has them as values.
func patchDynamoDB(m *model) error {
	value := m.Shapes["AttributeValue"]
	if value == nil {
		return errors.New("no AttributeValue")
	}
	value.GoType = attrValue
	for _, s := range m.Shapes {
		if s.Type == "map" && s.Value.Shape == "AttributeValue" {
			s.GoType = attrMap
		}
	}
	return nil
}

// patchLogs lets the namespaces of metrics have colons, which the model refuses and CloudWatch Logs takes.
func patchLogs(m *model) error {
	namespace := m.Shapes["MetricNamespace"]
	if namespace == nil {
		return errors.New("the model has no shape MetricNamespace")
	}
	namespace.Pattern = strings.Replace(namespace.Pattern, ":", "", 1)
	return nil
}

// patchCloudFormation lets publishers be aws-hooks, which the model refuses and the user guide of hooks gives to ActivateType.
func patchCloudFormation(m *model) error {
	const id = `[0-9a-zA-Z]{12,40}`
	for _, name := range []string{"PublisherId", "ThirdPartyTypeArn"} {
		s := m.Shapes[name]
		if s == nil || !strings.Contains(s.Pattern, id) {
			return fmt.Errorf("the shape %s has no pattern %s", name, id)
		}
		s.Pattern = strings.Replace(s.Pattern, id, `(`+id+`|aws-hooks)`, 1)
	}
	return nil
}

// patchLambda writes the patterns as Lambda itself does in its errors: with the regions of the European sovereign cloud, and with layers among
// what can be tagged.
func patchLambda(m *model) error {
	const region = `[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}`
	for _, s := range m.Shapes {
		s.Pattern = strings.ReplaceAll(s.Pattern, region, "(eusc-)?"+region)
	}
	layer, taggable := m.Shapes["LayerVersionArn"], m.Shapes["TaggableResource"]
	if layer == nil || taggable == nil {
		return errors.New("no LayerVersionArn or TaggableResource")
	}
	layer.Pattern = `(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?` + region + `:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)`
	longest := json.Number("2048")
	layer.Max = &longest
	taggable.Pattern = strings.Replace(taggable.Pattern, `|code-signing-config:`, `|layer:([a-zA-Z0-9-_]+)|code-signing-config:`, 1)
	return m.add(lambdaPolicies)
}

// lambdaPolicies are the operations on whole resource policies, which came after the pinned models: those of botocore 1.44.8.
//
//go:embed lambda.json
var lambdaPolicies []byte

// add adds the operations and shapes of a part of a model.
func (m *model) add(part []byte) error {
	var more model
	if err := json.Unmarshal(part, &more); err != nil {
		return fmt.Errorf("read the added operations: %w", err)
	}
	for name := range more.Operations {
		if m.Operations[name] != nil {
			return fmt.Errorf("the model has operation %s", name)
		}
	}
	for name := range more.Shapes {
		if m.Shapes[name] != nil {
			return fmt.Errorf("the model has shape %s", name)
		}
	}
	maps.Copy(m.Operations, more.Operations)
	maps.Copy(m.Shapes, more.Shapes)
	return nil
}

// patchS3 keeps Expires as the text it is: S3 stores whatever header it gets,
// and only clients read it as a timestamp (sdk-extras). It also names the root
// elements of S3's answers, which are in the API reference and not in the model.
func patchS3(m *model) error {
	// Requests for these are the same on the wire as those for the operations
	// that replaced them; directory buckets are listed at an endpoint of their own.
	for _, name := range []string{
		"GetBucketLifecycle", "PutBucketLifecycle", "GetBucketNotification", "PutBucketNotification", "ListDirectoryBuckets",
	} {
		delete(m.Operations, name)
	}
	m.Operations["PutBucketTagging"].HTTP.ResponseCode = 204 // as S3 answers; the model does not say so
	expires := m.Shapes["Expires"]
	if expires == nil {
		return errors.New("no Expires")
	}
	expires.Type = "string"
	m.Metadata.XMLNamespace = "http://s3.amazonaws.com/doc/2006-03-01/"
	roots := map[string]string{
		"CompleteMultipartUpload":                    "CompleteMultipartUploadResult",
		"CreateMultipartUpload":                      "InitiateMultipartUploadResult",
		"CreateSession":                              "CreateSessionResult",
		"DeleteObjects":                              "DeleteResult",
		"GetBucketAccelerateConfiguration":           "AccelerateConfiguration",
		"GetBucketAcl":                               "AccessControlPolicy",
		"GetBucketCors":                              "CORSConfiguration",
		"GetBucketLifecycleConfiguration":            "LifecycleConfiguration",
		"GetBucketLocation":                          "LocationConstraint",
		"GetBucketLogging":                           "BucketLoggingStatus",
		"GetBucketNotificationConfiguration":         "NotificationConfiguration",
		"GetBucketRequestPayment":                    "RequestPaymentConfiguration",
		"GetBucketTagging":                           "Tagging",
		"GetBucketVersioning":                        "VersioningConfiguration",
		"GetBucketWebsite":                           "WebsiteConfiguration",
		"GetObjectAcl":                               "AccessControlPolicy",
		"GetObjectAttributes":                        "GetObjectAttributesResponse",
		"GetObjectTagging":                           "Tagging",
		"ListBucketAnalyticsConfigurations":          "ListBucketAnalyticsConfigurationResult",
		"ListBucketIntelligentTieringConfigurations": "ListBucketIntelligentTieringConfigurationsOutput",
		"ListBucketInventoryConfigurations":          "ListInventoryConfigurationsResult",
		"ListBucketMetricsConfigurations":            "ListMetricsConfigurationsResult",
		"ListBuckets":                                "ListAllMyBucketsResult",
		"ListMultipartUploads":                       "ListMultipartUploadsResult",
		"ListObjectVersions":                         "ListVersionsResult",
		"ListObjects":                                "ListBucketResult",
		"ListObjectsV2":                              "ListBucketResult",
		"ListParts":                                  "ListPartsResult",
	}
	for name, root := range roots {
		o := m.Operations[name]
		if o == nil || o.Output == nil {
			return fmt.Errorf("no output of %s", name)
		}
		o.Output.LocationName = root
	}
	return nil
}

// xmlNamespaceOf makes a patch that sets the namespace of an API's answers.
func xmlNamespaceOf(uri string) func(*model) error {
	return func(m *model) error {
		m.Metadata.XMLNamespace = uri
		return nil
	}
}

// patchS3Control sets the namespace of answers, and renames the shapes whose names are those that inputs of operations get. It lets the ARNs of general
// purpose buckets, which have neither region nor account, be tagged, as the API reference says and the model does not.
func patchS3Control(m *model) error {
	m.Metadata.XMLNamespace = "http://awss3control.amazonaws.com/doc/2018-08-20/"
	taggable, routed := m.Shapes["S3ResourceArn"], m.Shapes["MultiRegionAccessPointId"]
	if taggable == nil || routed == nil {
		return errors.New("no S3ResourceArn or MultiRegionAccessPointId")
	}
	taggable.Pattern = strings.Replace(taggable.Pattern, `[^:].*`, `.*`, 1)
	routed.Pattern = strings.Replace(routed.Pattern, `.-]`, `./-]`, 1) // the ARNs that it is documented to take have a slash
	for name := range m.Operations {
		taken := name + "Input"
		s := m.Shapes[taken]
		if s == nil {
			continue
		}
		renamed := name + "Details"
		delete(m.Shapes, taken)
		m.Shapes[renamed] = s
		for _, other := range m.Shapes {
			for _, member := range other.Members.refs {
				if member.Shape == taken {
					member.Shape = renamed
				}
			}
		}
	}
	return nil
}

// patchSQS adds the query protocol that SQS still answers and its model no
// longer describes: the names of parameters and elements in the API reference
// of version 2012-11-05.
func patchSQS(m *model) error {
	m.Metadata.Protocols = append(m.Metadata.Protocols, "query")
	m.Metadata.XMLNamespace = "http://queue.amazonaws.com/doc/2012-11-05/"
	elements := map[string]string{
		"AWSAccountIdList":          "AWSAccountId",
		"ActionNameList":            "ActionName",
		"AttributeNameList":         "AttributeName",
		"BatchResultErrorEntryList": "BatchResultErrorEntry",
		"BinaryList":                "BinaryListValue",
		"ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
		"ChangeMessageVisibilityBatchResultEntryList":  "ChangeMessageVisibilityBatchResultEntry",
		"DeleteMessageBatchRequestEntryList":           "DeleteMessageBatchRequestEntry",
		"DeleteMessageBatchResultEntryList":            "DeleteMessageBatchResultEntry",
		"ListMessageMoveTasksResultEntryList":          "ListMessageMoveTasksResultEntry",
		"MessageAttributeNameList":                     "MessageAttributeName",
		"MessageList":                                  "Message",
		"MessageSystemAttributeList":                   "MessageSystemAttributeName",
		"QueueUrlList":                                 "QueueUrl",
		"SendMessageBatchRequestEntryList":             "SendMessageBatchRequestEntry",
		"SendMessageBatchResultEntryList":              "SendMessageBatchResultEntry",
		"StringList":                                   "StringListValue",
		"TagKeyList":                                   "TagKey",
	}
	for name := range elements {
		s := m.Shapes[name]
		if s == nil || s.Type != "list" {
			return fmt.Errorf("%s is not a list", name)
		}
		s.Flattened = true
	}
	maps := map[string][3]string{
		"MessageBodyAttributeMap":       {"MessageAttribute", "Name", "Value"},
		"MessageBodySystemAttributeMap": {"MessageSystemAttribute", "Name", "Value"},
		"MessageSystemAttributeMap":     {"Attribute", "Name", "Value"},
		"QueueAttributeMap":             {"Attribute", "Name", "Value"},
		"TagMap":                        {"Tag", "Key", "Value"},
	}
	for name, names := range maps {
		s := m.Shapes[name]
		if s == nil || s.Type != "map" {
			return fmt.Errorf("%s is not a map", name)
		}
		s.Flattened = true
		s.Key.LocationName, s.Value.LocationName = names[1], names[2]
	}
	for name, code := range map[string]string{
		"QueueDoesNotExist":            "AWS.SimpleQueueService.NonExistentQueue",
		"QueueNameExists":              "QueueAlreadyExists",
		"QueueDeletedRecently":         "AWS.SimpleQueueService.QueueDeletedRecently",
		"PurgeQueueInProgress":         "AWS.SimpleQueueService.PurgeQueueInProgress",
		"TooManyEntriesInBatchRequest": "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
		"EmptyBatchRequest":            "AWS.SimpleQueueService.EmptyBatchRequest",
		"BatchEntryIdsNotDistinct":     "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
		"BatchRequestTooLong":          "AWS.SimpleQueueService.BatchRequestTooLong",
		"InvalidBatchEntryId":          "AWS.SimpleQueueService.InvalidBatchEntryId",
		"MessageNotInflight":           "AWS.SimpleQueueService.MessageNotInflight",
		"UnsupportedOperation":         "AWS.SimpleQueueService.UnsupportedOperation",
	} {
		s := m.Shapes[name]
		if s == nil {
			return fmt.Errorf("no exception %s", name)
		}
		s.Error = &shapeError{Code: code, HTTPStatusCode: 400, SenderFault: true}
	}
	m.Shapes["PurgeQueueInProgress"].Error.HTTPStatusCode = 403
	for _, s := range m.Shapes {
		for _, name := range s.Members.names {
			r := s.Members.refs[name]
			if element := elements[r.Shape]; element != "" {
				r.LocationName, r.JSONName = element, name
			}
			if maps[r.Shape][0] != "" {
				r.LocationName, r.JSONName = maps[r.Shape][0], name
			}
		}
	}
	return nil
}

// patchEC2 keeps networking and the describe calls.
func patchEC2(m *model) error {
	keep := regexp.MustCompile(`^Describe|Vpc|Subnet|RouteTable|Route$|InternetGateway|NatGateway|` +
		`SecurityGroup|NetworkAcl|NetworkInterface|Address|KeyPair|Tags$|PrefixList|DhcpOptions|FlowLogs|` +
		// Launch templates are data; the rest are the calls for machines and disks that people make most, which are refused by their names.
		`LaunchTemplate|VpnGateway|VgwRoutePropagation|^(Run|Start|Stop|Reboot|Terminate)Instances$|^(Create|Delete|Attach|Detach)Volume$|^(Create|Delete)Snapshot$|^(Create|Register|Deregister)Image$`)
	drop := regexp.MustCompile(`TransitGateway|LocalGateway|Ipam|ClientVpn|VerifiedAccess|ClassicLink|Outpost|` +
		`TrafficMirror|RouteServer|Byoip|Secondary|CreateFpga`)
	maps.DeleteFunc(m.Operations, func(name string, _ *operation) bool {
		return !keep.MatchString(name) || drop.MatchString(name) && !strings.HasPrefix(name, "Describe")
	})
	return nil
}
