package lambda

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html).
func (l *Lambda) access() map[string]service.Access {
	return map[string]service.Access{
		"CreateFunction":              on(l, "lambda:CreateFunction", func(in *api.CreateFunctionInput) (string, *string) { return in.FunctionName, nil }),
		"GetFunction":                 on(l, "lambda:GetFunction", func(in *api.GetFunctionInput) (string, *string) { return in.FunctionName, in.Qualifier }),
		"GetFunctionConfiguration":    on(l, "lambda:GetFunctionConfiguration", func(in *api.GetFunctionConfigurationInput) (string, *string) { return in.FunctionName, in.Qualifier }),
		"ListFunctions":               service.OnAny("lambda:ListFunctions"),
		"UpdateFunctionCode":          on(l, "lambda:UpdateFunctionCode", func(in *api.UpdateFunctionCodeInput) (string, *string) { return in.FunctionName, nil }),
		"UpdateFunctionConfiguration": on(l, "lambda:UpdateFunctionConfiguration", func(in *api.UpdateFunctionConfigurationInput) (string, *string) { return in.FunctionName, nil }),
		"DeleteFunction":              on(l, "lambda:DeleteFunction", func(in *api.DeleteFunctionInput) (string, *string) { return in.FunctionName, in.Qualifier }),

		"PublishVersion":         on(l, "lambda:PublishVersion", func(in *api.PublishVersionInput) (string, *string) { return in.FunctionName, nil }),
		"ListVersionsByFunction": on(l, "lambda:ListVersionsByFunction", func(in *api.ListVersionsByFunctionInput) (string, *string) { return in.FunctionName, nil }),
		"CreateAlias":            on(l, "lambda:CreateAlias", func(in *api.CreateAliasInput) (string, *string) { return in.FunctionName, nil }),
		"GetAlias":               on(l, "lambda:GetAlias", func(in *api.GetAliasInput) (string, *string) { return in.FunctionName, nil }),
		"ListAliases":            on(l, "lambda:ListAliases", func(in *api.ListAliasesInput) (string, *string) { return in.FunctionName, nil }),
		"UpdateAlias":            on(l, "lambda:UpdateAlias", func(in *api.UpdateAliasInput) (string, *string) { return in.FunctionName, nil }),
		"DeleteAlias":            on(l, "lambda:DeleteAlias", func(in *api.DeleteAliasInput) (string, *string) { return in.FunctionName, nil }),

		"Invoke":           on(l, "lambda:InvokeFunction", func(in *api.InvokeInput) (string, *string) { return in.FunctionName, in.Qualifier }),
		"AddPermission":    on(l, "lambda:AddPermission", func(in *api.AddPermissionInput) (string, *string) { return in.FunctionName, in.Qualifier }),
		"RemovePermission": on(l, "lambda:RemovePermission", func(in *api.RemovePermissionInput) (string, *string) { return in.FunctionName, in.Qualifier }),
		"GetPolicy":        on(l, "lambda:GetPolicy", func(in *api.GetPolicyInput) (string, *string) { return in.FunctionName, in.Qualifier }),

		"PutFunctionConcurrency":    on(l, "lambda:PutFunctionConcurrency", func(in *api.PutFunctionConcurrencyInput) (string, *string) { return in.FunctionName, nil }),
		"GetFunctionConcurrency":    on(l, "lambda:GetFunctionConcurrency", func(in *api.GetFunctionConcurrencyInput) (string, *string) { return in.FunctionName, nil }),
		"DeleteFunctionConcurrency": on(l, "lambda:DeleteFunctionConcurrency", func(in *api.DeleteFunctionConcurrencyInput) (string, *string) { return in.FunctionName, nil }),
		"PutFunctionEventInvokeConfig": on(l, "lambda:PutFunctionEventInvokeConfig", func(in *api.PutFunctionEventInvokeConfigInput) (string, *string) {
			return in.FunctionName, in.Qualifier
		}),
		"UpdateFunctionEventInvokeConfig": on(l, "lambda:UpdateFunctionEventInvokeConfig", func(in *api.UpdateFunctionEventInvokeConfigInput) (string, *string) {
			return in.FunctionName, in.Qualifier
		}),
		"GetFunctionEventInvokeConfig": on(l, "lambda:GetFunctionEventInvokeConfig", func(in *api.GetFunctionEventInvokeConfigInput) (string, *string) {
			return in.FunctionName, in.Qualifier
		}),
		"ListFunctionEventInvokeConfigs": on(l, "lambda:ListFunctionEventInvokeConfigs", func(in *api.ListFunctionEventInvokeConfigsInput) (string, *string) {
			return in.FunctionName, nil
		}),
		"DeleteFunctionEventInvokeConfig": on(l, "lambda:DeleteFunctionEventInvokeConfig", func(in *api.DeleteFunctionEventInvokeConfigInput) (string, *string) {
			return in.FunctionName, in.Qualifier
		}),

		"ListTags":           service.On("lambda:ListTags", func(_ context.Context, in *api.ListTagsInput) string { return in.Resource }),
		"TagResource":        service.On("lambda:TagResource", func(_ context.Context, in *api.TagResourceInput) string { return in.Resource }),
		"UntagResource":      service.On("lambda:UntagResource", func(_ context.Context, in *api.UntagResourceInput) string { return in.Resource }),
		"GetAccountSettings": service.OnAny("lambda:GetAccountSettings"),
	}
}

// on is the rule of an operation on the function that its input names, with the function's resource policy.
func on[In any](l *Lambda, action string, name func(in *In) (string, *string)) service.Access {
	return service.OnAll(action, func(ctx context.Context, in *In) ([]service.Target, error) {
		fn, qualifier := name(in)
		r, err := parseRef(ctx, fn, qualifier)
		if err != nil {
			return nil, err
		}
		t, err := l.target(ctx, action, r)
		return []service.Target{t}, err
	})
}

// target is what must be allowed for an action on r.
func (l *Lambda) target(ctx context.Context, action string, r ref) (service.Target, error) {
	policy, err := l.policy(ctx, r)
	return service.Target{Action: action, ARN: r.arn(), Owner: r.account, Policy: policy}, err
}
