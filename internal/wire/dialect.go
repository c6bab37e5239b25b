package wire

import (
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi"
)

// dialect is in what the services of one protocol differ from each other.
type dialect struct {
	// validates is false where the service checks its input itself.
	validates bool
	// pathMember is the parameter that a query request may have in its path instead: the queue's URL.
	pathMember string
	// invalid and missing are the codes of a broken constraint and of a missing
	// parameter.
	invalid, missing string
	// plainMissing words a missing parameter as "The request must contain the
	// parameter X." instead of a validation error.
	plainMissing bool
	// wholeLists words a broken constraint of a list's or a map's scalar as one of the whole list, with all constraints of its members.
	wholeLists bool
	// bareWhole leaves "Member must not be null" out of the constraints of a whole list.
	bareWhole bool
	// namesInput puts the name of the input, such as createRestApiInput, in front of the path to a member of the body; what is wrong there is told first.
	namesInput bool
	// openEnum is the path of a member whose enumeration the service checks itself, in its own words.
	openEnum string
	// plainList is the path of a list whose values are answered for as a single value would be.
	plainList string
	// unlessEmpty are the names of required lists and texts that answers leave out when they are empty; clients see other required ones empty.
	unlessEmpty []string
	// nullTexts are the names of maps of texts in which null and an empty text are the same; answers have null.
	nullTexts []string
	// namesClasses words a value of the wrong type in a JSON document with the names of Java's classes.
	namesClasses bool
	// errorNamespace is in front of the code in a JSON or CBOR error's __type.
	errorNamespace string
	// validationNamespace is the same for validation errors.
	validationNamespace string
	// coralNamespace, when set, is the same for the errors that the framework of the service makes before the service sees the call.
	coralNamespace string
	// oldCBOR tells that the service also speaks awsapi.OldCBOR.
	oldCBOR bool
	// emptyDetail puts an element <Detail> without content into the errors of the query protocol.
	emptyDetail bool
	// bareErrors are S3's: an <Error> without <ErrorResponse> around it.
	bareErrors bool
	// strictXML refuses documents with elements that the model does not know.
	strictXML bool
	// emptyNumbers takes an empty number in the query for none.
	emptyNumbers bool
	// noContent are operations without a status in the model that the service answers with 204.
	noContent []string
	// digests tells that every body is compared with the checksums that it comes with, also where the model does not speak of them.
	digests bool
	// sumsOfObject is the operation whose checksums are those of an object and not of its body.
	sumsOfObject string
	// unchecked are operations that the service takes without a checksum although the model demands one.
	unchecked []string
	// crc32 adds the header x-amz-crc32, which DynamoDB's clients check.
	crc32 bool
	// wording, when set, tells how the service words a broken constraint of an operation in a way of its own: with the whole message of the error, or own for
	// constraints that the service checks itself.
	wording func(operation string, v *violation) (message string, own bool)
}

// dialectOf returns an API's dialect: that of its protocol, and what is known
// to be different.
func dialectOf(api *awsapi.API) dialect {
	d := dialect{validates: true, invalid: "ValidationException", missing: "ValidationException"}
	switch api.Protocols[0] {
	case awsapi.Query:
		d.invalid, d.missing = "ValidationError", "ValidationError"
	case awsapi.EC2:
		d.invalid, d.missing, d.plainMissing = "InvalidParameterValue", "MissingParameter", true
	case awsapi.RESTXML:
		d.invalid, d.missing = "InvalidInput", "InvalidInput"
	}
	switch api.Name {
	case "dynamodb", "dynamodbstreams":
		d.errorNamespace = "com.amazonaws.dynamodb.v20120810#"
		d.validationNamespace = "com.amazon.coral.validate#"
		d.coralNamespace = "com.amazon.coral.service#"
		d.crc32, d.wording = true, dynamodbWording
	case "cloudwatch":
		d.errorNamespace = "com.amazonaws.cloudwatch.v2010_08_01#"
		d.validationNamespace = "com.amazon.coral.validate#"
	case "sqs":
		d.errorNamespace = "com.amazonaws.sqs#"
		d.invalid, d.missing, d.plainMissing = "InvalidParameterValueException", "MissingRequiredParameterException", true
		d.wording, d.pathMember, d.unlessEmpty = queueWording, "QueueUrl", []string{"Successful", "Failed"}
		d.emptyDetail = true
	case "sns":
		d.invalid, d.missing, d.wording = "InvalidParameter", "ValidationError", topicWording
	case "rds":
		d.invalid, d.missing, d.plainMissing = "InvalidParameterValue", "MissingParameter", true
	case "apigateway":
		d.invalid, d.missing = "ValidationException", "BadRequestException"
		d.wholeLists, d.bareWhole, d.namesInput = true, true, true
		d.nullTexts, d.namesClasses = []string{"requestTemplates", "responseTemplates"}, true
	case "apigatewayv2", "apigatewaymanagementapi":
		d.invalid, d.missing = "BadRequestException", "BadRequestException"
	case "efs", "xray", "rdsdata", "appsync":
		d.invalid, d.missing = restJSONCode(api.Name), restJSONCode(api.Name)
	case "logs":
		d.invalid, d.missing = "InvalidParameterException", "InvalidParameterException"
	case "kinesis":
		// The last event of a shard has no continuation: by that clients know it.
		d.oldCBOR, d.unlessEmpty = true, []string{"ContinuationSequenceNumber"}
	case "lambda":
		d.wholeLists, d.openEnum, d.plainList = true, "runtime", "compatibleRuntimes"
		// A function without a configuration for code signing is answered with an empty document.
		d.unlessEmpty = []string{"CodeSigningConfigArn", "FunctionName"}
	case "cloudfront":
		d.invalid, d.missing = "InvalidArgument", "InvalidArgument"
	case "s3":
		d.validates, d.bareErrors, d.strictXML, d.emptyNumbers = false, true, true, true
		d.digests, d.sumsOfObject = true, "CompleteMultipartUpload"
		// Tools that are older than the models send none, such as s3cmd, and S3 takes that for everything that it took before. The suite in
		// test/compat/s3 tells which ones demand it.
		d.unchecked = []string{
			"PutBucketAccelerateConfiguration", "PutBucketAcl", "PutBucketEncryption", "PutBucketLogging", "PutBucketOwnershipControls", "PutBucketPolicy",
			"PutBucketRequestPayment", "PutBucketVersioning", "PutBucketWebsite", "PutObjectAcl", "PutObjectTagging", "PutPublicAccessBlock",
		}
		d.noContent = []string{
			"PutBucketAnalyticsConfiguration", "PutBucketIntelligentTieringConfiguration", "PutBucketInventoryConfiguration",
			"PutBucketMetricsConfiguration", "PutBucketPolicy", "PutBucketTagging",
		}
	}
	return d
}

// takesUnchecked tells whether an operation may come without the checksum that its model demands.
func (d *dialect) takesUnchecked(operation string) bool {
	return slices.Contains(d.unchecked, operation)
}

// dynamodbWording is for the constraints of which DynamoDB's messages differ from those of other services.
func dynamodbWording(operation string, v *violation) (message string, own bool) {
	switch operation {
	case "CreateTable":
		if v.path == "tableName" && v.missing {
			return "The parameter 'TableName' is required but was not present in the request", false
		}
		return "", v.path == "keySchema" || strings.HasSuffix(v.path, ".attributeType")
	case "BatchGetItem":
		return "", v.path == "requestItems" || strings.HasSuffix(v.path, ".member.keys")
	case "BatchWriteItem":
		return "", v.path == "requestItems" || strings.HasSuffix(v.path, ".member") && strings.HasPrefix(v.rule, "Member must have length")
	case "Query":
		return "", v.path == "limit" || v.path == "select"
	case "TransactGetItems", "TransactWriteItems":
		return "", v.path == "transactItems"
	}
	return "", false
}

// ofFramework tells whether an error is one that AWS's framework makes before the service sees the call.
func ofFramework(code string) bool {
	switch code {
	case "SerializationException", "UnknownOperationException", "MissingAuthenticationTokenException", "IncompleteSignatureException", "InvalidSignatureException",
		"UnrecognizedClientException", "AccessDeniedException", "InternalFailure":
		return true
	}
	return false
}

func restJSONCode(name string) string {
	switch name {
	case "efs":
		return "BadRequest"
	case "xray":
		return "InvalidRequestException"
	}
	return "BadRequestException"
}

// topicWording leaves to the service what it words in a way of its own.
func topicWording(operation string, v *violation) (message string, own bool) {
	return "", v.missing && (operation == "Unsubscribe" && v.path == "subscriptionArn" || operation == "SetPlatformApplicationAttributes" && v.path == "attributes")
}

// queueWording leaves every constraint but the presence of a parameter to the service, which knows empty batches too: in the query protocol they cannot
// be told from missing ones.
func queueWording(_ string, v *violation) (message string, own bool) {
	return "", !v.missing || v.path == "entries"
}
