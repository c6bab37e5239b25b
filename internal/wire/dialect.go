package wire

import "lambent.dev/lambent/internal/awsapi"

// dialect is in what the services of one protocol differ from each other.
type dialect struct {
	// validates is false where the service checks its input itself.
	validates bool
	// presence is true where only missing parameters are found here, and the service checks the values itself.
	presence bool
	// pathMember is the parameter that a query request may have in its path instead: the queue's URL.
	pathMember string
	// invalid and missing are the codes of a broken constraint and of a missing
	// parameter.
	invalid, missing string
	// plainMissing words a missing parameter as "The request must contain the
	// parameter X." instead of a validation error.
	plainMissing bool
	// errorNamespace is in front of the code in a JSON or CBOR error's __type.
	errorNamespace string
	// validationNamespace is the same for validation errors.
	validationNamespace string
	// bareErrors are S3's: an <Error> without <ErrorResponse> around it.
	bareErrors bool
	// crc32 adds the header x-amz-crc32, which DynamoDB's clients check.
	crc32 bool
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
		d.crc32 = true
	case "cloudwatch":
		d.errorNamespace = "com.amazonaws.cloudwatch.v2010_08_01#"
		d.validationNamespace = "com.amazon.coral.validate#"
	case "sqs":
		d.errorNamespace = "com.amazonaws.sqs#"
		d.invalid, d.missing, d.plainMissing = "InvalidParameterValueException", "MissingRequiredParameterException", true
		d.presence, d.pathMember = true, "QueueUrl"
	case "sns":
		d.invalid, d.missing = "InvalidParameter", "InvalidParameter"
	case "rds":
		d.invalid, d.missing, d.plainMissing = "InvalidParameterValue", "MissingParameter", true
	case "apigateway", "apigatewayv2", "apigatewaymanagementapi":
		d.invalid, d.missing = "BadRequestException", "BadRequestException"
	case "efs", "xray", "rdsdata", "appsync":
		d.invalid, d.missing = restJSONCode(api.Name), restJSONCode(api.Name)
	case "cloudfront":
		d.invalid, d.missing = "InvalidArgument", "InvalidArgument"
	case "s3":
		d.validates, d.bareErrors = false, true
	}
	return d
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
