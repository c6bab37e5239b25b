package apigatewayv2

import (
	"maps"
	"slices"
	"strings"
)

// subtype is a first-class integration of an HTTP API with another service: the operation that it calls, and the parameters that it takes
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-aws-services-reference.html).
type subtype struct {
	api, operation     string
	required, optional []string
}

// subtypes are the integrations whose services Lambent has. The others are refused by their names.
func subtypes() map[string]subtype {
	return map[string]subtype{
		"EventBridge-PutEvents": {
			"events", "PutEvents", []string{"Detail", "DetailType", "Source"}, []string{"Time", "EventBusName", "Resources", "TraceHeader"},
		},
		"SQS-SendMessage": {"sqs", "SendMessage", []string{"QueueUrl", "MessageBody"}, []string{
			"DelaySeconds", "MessageAttributes", "MessageDeduplicationId", "MessageGroupId", "MessageSystemAttributes",
		}},
		"SQS-ReceiveMessage": {"sqs", "ReceiveMessage", []string{"QueueUrl"}, []string{
			"AttributeNames", "MaxNumberOfMessages", "MessageAttributeNames", "ReceiveRequestAttemptId", "VisibilityTimeout", "WaitTimeSeconds",
		}},
		"SQS-DeleteMessage": {"sqs", "DeleteMessage", []string{"QueueUrl", "ReceiptHandle"}, nil},
		"SQS-PurgeQueue":    {"sqs", "PurgeQueue", []string{"QueueUrl"}, nil},
		"Kinesis-PutRecord": {"kinesis", "PutRecord", []string{"StreamName", "Data", "PartitionKey"}, []string{"SequenceNumberForOrdering", "ExplicitHashKey"}},
	}
}

// laterSubtypes are those of AWS whose services Lambent does not have.
var laterSubtypes = []string{"AppConfig-GetConfiguration", "StepFunctions-StartExecution", "StepFunctions-StartSyncExecution", "StepFunctions-StopExecution"}

// checkSubtype checks a first-class integration.
func (i *integration) checkSubtype() error {
	name := *i.IntegrationSubtype
	if slices.Contains(laterSubtypes, name) {
		return unsupported("CreateIntegration", "IntegrationSubtype "+name+" (Lambent does not have that service)")
	}
	all := subtypes()
	s, ok := all[name]
	switch {
	case !ok:
		return badRequest("Invalid IntegrationSubtype %q: give one of %s.", name, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
	case *i.PayloadFormatVersion != "1.0":
		return badRequest("PayloadFormatVersion %s is not supported for integrations with AWS services: give 1.0.", *i.PayloadFormatVersion)
	case i.IntegrationUri != nil:
		return badRequest("IntegrationUri is not supported together with IntegrationSubtype.")
	case i.CredentialsArn == nil:
		return badRequest("CredentialsArn is required for integrations with AWS services: the role with which API Gateway calls the service.")
	}
	for _, p := range s.required {
		if i.RequestParameters[p] == "" {
			return badRequest("Required parameter %s of %s is missing in RequestParameters.", p, name)
		}
	}
	for _, p := range slices.Sorted(maps.Keys(i.RequestParameters)) {
		if p != "Region" && !slices.Contains(s.required, p) && !slices.Contains(s.optional, p) {
			return badRequest("%s is no parameter of %s.", p, name)
		}
		if _, err := parseExpression(i.RequestParameters[p], requestReference); err != nil {
			return badRequest("Invalid value of parameter %s: %v", p, err)
		}
	}
	return nil
}
