package integration

import (
	"context"
	"net/http"
	"regexp"
	"strings"

	"lambent.dev/lambent/internal/service"
)

// AnyUser are the credentials by which an integration is called as the caller of the API.
const AnyUser = "arn:aws:iam::*:user/*"

// variable is a stage variable in a role's ARN.
var variable = regexp.MustCompile(`\$\{stageVariables\.[^}]*\}|\$stageVariables\.\w+`)

// MayPass tells whether the principal of ctx may have API Gateway use a role: it needs iam:PassRole, for every role that a stage variable may name, and the role
// is one of its account (https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html). Whether the role lets API Gateway assume it is found out when it is used, as on AWS.
// [AnyUser] and no role need no permission. It asks the door, and must not be called within a transaction.
func MayPass(ctx context.Context, door service.Door, role *string) error {
	if role == nil || *role == "" || *role == AnyUser {
		return nil
	}
	arn, account := variable.ReplaceAllLiteralString(*role, "*"), service.RequestFrom(ctx).Account
	if !strings.HasPrefix(arn, "arn:aws:iam::"+account+":") {
		return service.Errorf("AccessDeniedException", "Cross-account pass role is not allowed: %s is no role of the account %s.", *role, account).WithStatus(http.StatusForbidden)
	}
	return door.Allow(ctx, service.Target{Action: "iam:PassRole", ARN: arn, Owner: account, Condition: map[string][]string{"iam:PassedToService": {Principal}}})
}
