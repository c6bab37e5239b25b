package lambda

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// permissionProperties are the properties of AWS::Lambda::Permission.
type permissionProperties struct {
	Action                string  `cfn:"Action,required,createOnly"`
	EventSourceToken      *string `cfn:"EventSourceToken,createOnly"`
	FunctionName          string  `cfn:"FunctionName,required,createOnly"`
	FunctionUrlAuthType   *string `cfn:"FunctionUrlAuthType,createOnly"`
	InvokedViaFunctionUrl *bool   `cfn:"InvokedViaFunctionUrl,createOnly"`
	Principal             string  `cfn:"Principal,required,createOnly"`
	PrincipalOrgID        *string `cfn:"PrincipalOrgID,createOnly"`
	SourceAccount         *string `cfn:"SourceAccount,createOnly"`
	SourceArn             *string `cfn:"SourceArn,createOnly"`
}

func (l *Lambda) createPermissionResource(ctx context.Context, c service.ResourceCall, p *permissionProperties) (service.Resource, error) {
	id := c.Name(100, nil)
	err := l.do(ctx, "AddPermission", &api.AddPermissionInput{
		FunctionName: p.FunctionName, StatementId: id, Action: p.Action, Principal: p.Principal, SourceArn: p.SourceArn, SourceAccount: p.SourceAccount,
		EventSourceToken: p.EventSourceToken, PrincipalOrgID: p.PrincipalOrgID, FunctionUrlAuthType: orZero(p.FunctionUrlAuthType), InvokedViaFunctionUrl: p.InvokedViaFunctionUrl,
	})
	// The id is new for every resource: a statement that has it was made by an earlier try of this step.
	return service.Resource{PhysicalID: id, Attributes: map[string]any{"Id": id}}, service.Unless(err, "ResourceConflictException")
}

func (l *Lambda) deletePermissionResource(ctx context.Context, c service.ResourceCall, p *permissionProperties) error {
	return service.Unless(l.do(ctx, "RemovePermission", &api.RemovePermissionInput{FunctionName: p.FunctionName, StatementId: c.PhysicalID}), "ResourceNotFoundException")
}
