package auth

import (
	"net/http"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/service"
)

// FamilyOf returns the set of error codes of an API by the name of its generated package, which
// follows from the protocol that AWS's own service answers in.
func FamilyOf(api string) sigv4.Family {
	switch api {
	case "s3":
		return sigv4.FamilyS3
	case "ec2":
		return sigv4.FamilyEC2
	case "iam", "sts", "sns", "cloudformation", "cloudfront", "route53", "rds", "elbv2", "elasticbeanstalk", "s3control":
		return sigv4.FamilyQuery
	case "lambda", "apigateway", "apigatewayv2", "apigatewaymanagementapi", "appsync", "efs", "xray", "scheduler", "pipes", "rdsdata", "cloudfrontkeyvaluestore":
		return sigv4.FamilyREST
	default:
		return sigv4.FamilyJSON
	}
}

// denied returns the access denial of an API.
func denied(api, msg string) *service.Error {
	switch FamilyOf(api) {
	case sigv4.FamilyJSON:
		return &service.Error{Code: "AccessDeniedException", Status: http.StatusBadRequest, Message: msg}
	case sigv4.FamilyREST:
		return &service.Error{Code: "AccessDeniedException", Status: http.StatusForbidden, Message: msg}
	case sigv4.FamilyEC2:
		return &service.Error{Code: "UnauthorizedOperation", Status: http.StatusForbidden, Message: msg}
	case sigv4.FamilyQuery, sigv4.FamilyS3:
	}
	return &service.Error{Code: "AccessDenied", Status: http.StatusForbidden, Message: msg}
}
