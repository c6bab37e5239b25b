package lambda

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// access names what each operation needs (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html).
func (l *Lambda) access() map[string]service.Access {
	return map[string]service.Access{
		"CreateFunction": withProvider(onWith(l, "lambda:CreateFunction", func(in *api.CreateFunctionInput) (string, *string) { return in.FunctionName, nil },
			func(in *api.CreateFunctionInput) conditions {
				return conditions{}.add("lambda:Layer", in.Layers...).add("lambda:CodeSigningConfigArn", orZero(in.CodeSigningConfigArn)).vpc(in.VpcConfig)
			}), func(in *api.CreateFunctionInput) *api.CapacityProviderConfig { return in.CapacityProviderConfig }),
		"GetFunction":              on(l, "lambda:GetFunction", func(in *api.GetFunctionInput) (string, *string) { return in.FunctionName, in.Qualifier }),
		"GetFunctionConfiguration": on(l, "lambda:GetFunctionConfiguration", func(in *api.GetFunctionConfigurationInput) (string, *string) { return in.FunctionName, in.Qualifier }),
		"ListFunctions":            service.OnAny("lambda:ListFunctions"),
		"UpdateFunctionCode":       on(l, "lambda:UpdateFunctionCode", func(in *api.UpdateFunctionCodeInput) (string, *string) { return in.FunctionName, nil }),
		"UpdateFunctionConfiguration": withProvider(onWith(l, "lambda:UpdateFunctionConfiguration", func(in *api.UpdateFunctionConfigurationInput) (string, *string) { return in.FunctionName, nil },
			func(in *api.UpdateFunctionConfigurationInput) conditions {
				return conditions{}.add("lambda:Layer", in.Layers...).vpc(in.VpcConfig)
			}), func(in *api.UpdateFunctionConfigurationInput) *api.CapacityProviderConfig {
			return in.CapacityProviderConfig
		}),
		"DeleteFunction": on(l, "lambda:DeleteFunction", func(in *api.DeleteFunctionInput) (string, *string) { return in.FunctionName, in.Qualifier }),

		"PublishVersion":         on(l, "lambda:PublishVersion", func(in *api.PublishVersionInput) (string, *string) { return in.FunctionName, nil }),
		"ListVersionsByFunction": on(l, "lambda:ListVersionsByFunction", func(in *api.ListVersionsByFunctionInput) (string, *string) { return in.FunctionName, nil }),
		"CreateAlias":            on(l, "lambda:CreateAlias", func(in *api.CreateAliasInput) (string, *string) { return in.FunctionName, nil }),
		"GetAlias":               on(l, "lambda:GetAlias", func(in *api.GetAliasInput) (string, *string) { return in.FunctionName, nil }),
		"ListAliases":            on(l, "lambda:ListAliases", func(in *api.ListAliasesInput) (string, *string) { return in.FunctionName, nil }),
		"UpdateAlias":            on(l, "lambda:UpdateAlias", func(in *api.UpdateAliasInput) (string, *string) { return in.FunctionName, nil }),
		"DeleteAlias":            on(l, "lambda:DeleteAlias", func(in *api.DeleteAliasInput) (string, *string) { return in.FunctionName, nil }),

		"Invoke":      on(l, "lambda:InvokeFunction", func(in *api.InvokeInput) (string, *string) { return in.FunctionName, in.Qualifier }),
		"InvokeAsync": on(l, "lambda:InvokeFunction", func(in *api.InvokeAsyncInput) (string, *string) { return in.FunctionName, nil }),
		"InvokeWithResponseStream": on(l, "lambda:InvokeFunction", func(in *api.InvokeWithResponseStreamInput) (string, *string) {
			return in.FunctionName, in.Qualifier
		}),
		"AddPermission": onWith(l, "lambda:AddPermission", func(in *api.AddPermissionInput) (string, *string) { return in.FunctionName, in.Qualifier },
			func(in *api.AddPermissionInput) conditions {
				return conditions{}.add("lambda:Principal", in.Principal).add("lambda:FunctionUrlAuthType", in.FunctionUrlAuthType)
			}),
		"RemovePermission":  on(l, "lambda:RemovePermission", func(in *api.RemovePermissionInput) (string, *string) { return in.FunctionName, in.Qualifier }),
		"PutResourcePolicy": on(l, "lambda:PutResourcePolicy", func(in *api.PutResourcePolicyInput) (string, *string) { return in.ResourceArn, nil }),
		"GetResourcePolicy": on(l, "lambda:GetResourcePolicy", func(in *api.GetResourcePolicyInput) (string, *string) { return in.ResourceArn, nil }),
		"DeleteResourcePolicy": on(l, "lambda:DeleteResourcePolicy", func(in *api.DeleteResourcePolicyInput) (string, *string) {
			return in.ResourceArn, nil
		}),
		"GetPolicy": on(l, "lambda:GetPolicy", func(in *api.GetPolicyInput) (string, *string) { return in.FunctionName, in.Qualifier }),

		"PublishLayerVersion": service.On("lambda:PublishLayerVersion", func(ctx context.Context, in *api.PublishLayerVersionInput) string {
			return layerOf(ctx, in.LayerName, 0).layer()
		}),
		"ListLayerVersions":            service.OnAny("lambda:ListLayerVersions"),
		"ListLayers":                   service.OnAny("lambda:ListLayers"),
		"GetLayerVersion":              onLayer(l, "lambda:GetLayerVersion", func(in *api.GetLayerVersionInput) (string, int64) { return in.LayerName, in.VersionNumber }),
		"GetLayerVersionByArn":         onLayer(l, "lambda:GetLayerVersion", func(in *api.GetLayerVersionByArnInput) (string, int64) { return in.Arn, versionIn(in.Arn) }),
		"DeleteLayerVersion":           onLayer(l, "lambda:DeleteLayerVersion", func(in *api.DeleteLayerVersionInput) (string, int64) { return in.LayerName, in.VersionNumber }),
		"AddLayerVersionPermission":    onLayer(l, "lambda:AddLayerVersionPermission", func(in *api.AddLayerVersionPermissionInput) (string, int64) { return in.LayerName, in.VersionNumber }),
		"GetLayerVersionPolicy":        onLayer(l, "lambda:GetLayerVersionPolicy", func(in *api.GetLayerVersionPolicyInput) (string, int64) { return in.LayerName, in.VersionNumber }),
		"RemoveLayerVersionPermission": onLayer(l, "lambda:RemoveLayerVersionPermission", func(in *api.RemoveLayerVersionPermissionInput) (string, int64) { return in.LayerName, in.VersionNumber }),

		"CreateFunctionUrlConfig": onWith(l, "lambda:CreateFunctionUrlConfig", func(in *api.CreateFunctionUrlConfigInput) (string, *string) { return in.FunctionName, in.Qualifier },
			func(in *api.CreateFunctionUrlConfigInput) conditions {
				return conditions{}.add("lambda:FunctionUrlAuthType", in.AuthType)
			}),
		"UpdateFunctionUrlConfig": onWith(l, "lambda:UpdateFunctionUrlConfig", func(in *api.UpdateFunctionUrlConfigInput) (string, *string) { return in.FunctionName, in.Qualifier },
			func(in *api.UpdateFunctionUrlConfigInput) conditions {
				return conditions{}.add("lambda:FunctionUrlAuthType", in.AuthType)
			}),
		"GetFunctionUrlConfig":    on(l, "lambda:GetFunctionUrlConfig", func(in *api.GetFunctionUrlConfigInput) (string, *string) { return in.FunctionName, in.Qualifier }),
		"DeleteFunctionUrlConfig": on(l, "lambda:DeleteFunctionUrlConfig", func(in *api.DeleteFunctionUrlConfigInput) (string, *string) { return in.FunctionName, in.Qualifier }),
		"ListFunctionUrlConfigs":  on(l, "lambda:ListFunctionUrlConfigs", func(in *api.ListFunctionUrlConfigsInput) (string, *string) { return in.FunctionName, nil }),

		"CreateCodeSigningConfig": service.OnAny("lambda:CreateCodeSigningConfig"),
		"ListCodeSigningConfigs":  service.OnAny("lambda:ListCodeSigningConfigs"),
		"GetCodeSigningConfig":    service.On("lambda:GetCodeSigningConfig", func(_ context.Context, in *api.GetCodeSigningConfigInput) string { return in.CodeSigningConfigArn }),
		"UpdateCodeSigningConfig": service.On("lambda:UpdateCodeSigningConfig", func(_ context.Context, in *api.UpdateCodeSigningConfigInput) string { return in.CodeSigningConfigArn }),
		"DeleteCodeSigningConfig": service.On("lambda:DeleteCodeSigningConfig", func(_ context.Context, in *api.DeleteCodeSigningConfigInput) string { return in.CodeSigningConfigArn }),
		"ListFunctionsByCodeSigningConfig": service.On("lambda:ListFunctionsByCodeSigningConfig", func(_ context.Context, in *api.ListFunctionsByCodeSigningConfigInput) string {
			return in.CodeSigningConfigArn
		}),
		"PutFunctionCodeSigningConfig": onWith(l, "lambda:PutFunctionCodeSigningConfig", func(in *api.PutFunctionCodeSigningConfigInput) (string, *string) { return in.FunctionName, nil },
			func(in *api.PutFunctionCodeSigningConfigInput) conditions {
				return conditions{}.add("lambda:CodeSigningConfigArn", in.CodeSigningConfigArn)
			}),
		"GetFunctionCodeSigningConfig":    on(l, "lambda:GetFunctionCodeSigningConfig", func(in *api.GetFunctionCodeSigningConfigInput) (string, *string) { return in.FunctionName, nil }),
		"DeleteFunctionCodeSigningConfig": on(l, "lambda:DeleteFunctionCodeSigningConfig", func(in *api.DeleteFunctionCodeSigningConfigInput) (string, *string) { return in.FunctionName, nil }),

		"PutProvisionedConcurrencyConfig": on(l, "lambda:PutProvisionedConcurrencyConfig", func(in *api.PutProvisionedConcurrencyConfigInput) (string, *string) {
			return in.FunctionName, &in.Qualifier
		}),
		"GetProvisionedConcurrencyConfig": on(l, "lambda:GetProvisionedConcurrencyConfig", func(in *api.GetProvisionedConcurrencyConfigInput) (string, *string) {
			return in.FunctionName, &in.Qualifier
		}),
		"DeleteProvisionedConcurrencyConfig": on(l, "lambda:DeleteProvisionedConcurrencyConfig", func(in *api.DeleteProvisionedConcurrencyConfigInput) (string, *string) {
			return in.FunctionName, &in.Qualifier
		}),
		"ListProvisionedConcurrencyConfigs": on(l, "lambda:ListProvisionedConcurrencyConfigs", func(in *api.ListProvisionedConcurrencyConfigsInput) (string, *string) { return in.FunctionName, nil }),

		"PutRuntimeManagementConfig": on(l, "lambda:PutRuntimeManagementConfig", func(in *api.PutRuntimeManagementConfigInput) (string, *string) { return in.FunctionName, in.Qualifier }),
		"GetRuntimeManagementConfig": on(l, "lambda:GetRuntimeManagementConfig", func(in *api.GetRuntimeManagementConfigInput) (string, *string) { return in.FunctionName, in.Qualifier }),
		"PutFunctionRecursionConfig": on(l, "lambda:PutFunctionRecursionConfig", func(in *api.PutFunctionRecursionConfigInput) (string, *string) { return in.FunctionName, nil }),
		"GetFunctionRecursionConfig": on(l, "lambda:GetFunctionRecursionConfig", func(in *api.GetFunctionRecursionConfigInput) (string, *string) { return in.FunctionName, nil }),

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

		"CreateEventSourceMapping": service.OnAll("lambda:CreateEventSourceMapping", func(ctx context.Context, in *api.CreateEventSourceMappingInput) ([]service.Target, error) {
			return onMapping(ctx, "*", &in.FunctionName)
		}),
		"GetEventSourceMapping":   service.On("lambda:GetEventSourceMapping", func(ctx context.Context, in *api.GetEventSourceMappingInput) string { return mappingARN(ctx, in.UUID) }),
		"ListEventSourceMappings": service.OnAny("lambda:ListEventSourceMappings"),
		"UpdateEventSourceMapping": service.OnAll("lambda:UpdateEventSourceMapping", func(ctx context.Context, in *api.UpdateEventSourceMappingInput) ([]service.Target, error) {
			return onMapping(ctx, mappingARN(ctx, in.UUID), in.FunctionName)
		}),
		"DeleteEventSourceMapping": service.On("lambda:DeleteEventSourceMapping", func(ctx context.Context, in *api.DeleteEventSourceMappingInput) string {
			return mappingARN(ctx, in.UUID)
		}),

		"CreateCapacityProvider": onCapacity("lambda:CreateCapacityProvider", func(in *api.CreateCapacityProviderInput) string { return in.CapacityProviderName }),
		"GetCapacityProvider":    onCapacity("lambda:GetCapacityProvider", func(in *api.GetCapacityProviderInput) string { return in.CapacityProviderName }),
		"ListCapacityProviders":  service.OnAny("lambda:ListCapacityProviders"),
		"UpdateCapacityProvider": onCapacity("lambda:UpdateCapacityProvider", func(in *api.UpdateCapacityProviderInput) string { return in.CapacityProviderName }),
		"DeleteCapacityProvider": onCapacity("lambda:DeleteCapacityProvider", func(in *api.DeleteCapacityProviderInput) string { return in.CapacityProviderName }),
		"ListFunctionVersionsByCapacityProvider": onCapacity("lambda:ListFunctionVersionsByCapacityProvider", func(in *api.ListFunctionVersionsByCapacityProviderInput) string {
			return in.CapacityProviderName
		}),
		"GetFunctionScalingConfig": on(l, "lambda:GetFunctionScalingConfig", func(in *api.GetFunctionScalingConfigInput) (string, *string) { return in.FunctionName, &in.Qualifier }),
		"PutFunctionScalingConfig": on(l, "lambda:PutFunctionScalingConfig", func(in *api.PutFunctionScalingConfigInput) (string, *string) { return in.FunctionName, &in.Qualifier }),

		"CheckpointDurableExecution": onExecution("lambda:CheckpointDurableExecution", func(in *api.CheckpointDurableExecutionInput) string { return in.DurableExecutionArn }),
		"GetDurableExecution":        onExecution("lambda:GetDurableExecution", func(in *api.GetDurableExecutionInput) string { return in.DurableExecutionArn }),
		"GetDurableExecutionHistory": onExecution("lambda:GetDurableExecutionHistory", func(in *api.GetDurableExecutionHistoryInput) string { return in.DurableExecutionArn }),
		"GetDurableExecutionState":   onExecution("lambda:GetDurableExecutionState", func(in *api.GetDurableExecutionStateInput) string { return in.DurableExecutionArn }),
		"StopDurableExecution":       onExecution("lambda:StopDurableExecution", func(in *api.StopDurableExecutionInput) string { return in.DurableExecutionArn }),
		"ListDurableExecutionsByFunction": on(l, "lambda:ListDurableExecutionsByFunction", func(in *api.ListDurableExecutionsByFunctionInput) (string, *string) {
			return in.FunctionName, in.Qualifier
		}),
		"SendDurableExecutionCallbackSuccess": onCallback("lambda:SendDurableExecutionCallbackSuccess", func(in *api.SendDurableExecutionCallbackSuccessInput) string { return in.CallbackId }),
		"SendDurableExecutionCallbackFailure": onCallback("lambda:SendDurableExecutionCallbackFailure", func(in *api.SendDurableExecutionCallbackFailureInput) string { return in.CallbackId }),
		"SendDurableExecutionCallbackHeartbeat": onCallback("lambda:SendDurableExecutionCallbackHeartbeat", func(in *api.SendDurableExecutionCallbackHeartbeatInput) string {
			return in.CallbackId
		}),

		"ListTags":           service.On("lambda:ListTags", func(_ context.Context, in *api.ListTagsInput) string { return in.Resource }),
		"TagResource":        service.On("lambda:TagResource", func(_ context.Context, in *api.TagResourceInput) string { return in.Resource }),
		"UntagResource":      service.On("lambda:UntagResource", func(_ context.Context, in *api.UntagResourceInput) string { return in.Resource }),
		"GetAccountSettings": service.OnAny("lambda:GetAccountSettings"),
	}
}

// conditions are the values of a target's condition keys.
type conditions map[string][]string

// add adds the values of a key; the empty text is none.
func (c conditions) add(key string, values ...string) conditions {
	for _, v := range values {
		if v != "" {
			c[key] = append(c[key], v)
		}
	}
	return c
}

func (c conditions) vpc(in *api.VpcConfig) conditions {
	if in == nil {
		return c
	}
	return c.add("lambda:SubnetIds", in.SubnetIds...).add("lambda:SecurityGroupIds", in.SecurityGroupIds...)
}

// on is the rule of an operation on the function that its input names, with the function's resource policy.
func on[In any](l *Lambda, action string, name func(in In) (string, *string)) service.Access {
	return onWith(l, action, name, func(In) conditions { return nil })
}

// onWith is on with condition keys.
func onWith[In any](l *Lambda, action string, name func(in In) (string, *string), keys func(in In) conditions) service.Access {
	return service.OnAll(action, func(ctx context.Context, in In) ([]service.Target, error) {
		fn, qualifier := name(in)
		r, err := parseRef(ctx, fn, qualifier)
		if err != nil {
			return nil, err
		}
		t, err := l.target(ctx, action, r)
		t.Condition = keys(in)
		return []service.Target{t}, err
	})
}

// withProvider adds to a rule that the caller must be allowed to have functions run on the capacity provider that the input names.
func withProvider[In any](rule service.Access, config func(in In) *api.CapacityProviderConfig) service.Access {
	return service.OnAll(rule.Action, func(ctx context.Context, in In) ([]service.Target, error) {
		list, err := rule.Targets(ctx, in)
		if c := config(in); err == nil && c != nil && c.LambdaManagedInstancesCapacityProviderConfig != nil {
			list = append(list, service.Target{Action: "lambda:PassCapacityProvider", ARN: c.LambdaManagedInstancesCapacityProviderConfig.CapacityProviderArn})
		}
		return list, err
	})
}

// onCapacity is the rule of an operation on the capacity provider that its input names.
func onCapacity[In any](action string, name func(in In) string) service.Access {
	return service.On(action, func(ctx context.Context, in In) string {
		s, short := parseCapacity(ctx, name(in))
		if short == "" {
			return name(in)
		}
		return s.capacityARN(short)
	})
}

// onLayer is the rule of an operation on the layer version that its input names, with the version's policy.
func onLayer[In any](l *Lambda, action string, name func(in In) (string, int64)) service.Access {
	return service.OnAll(action, func(ctx context.Context, in In) ([]service.Target, error) {
		layer, number := name(in)
		r := layerOf(ctx, layer, number)
		t := service.Target{ARN: r.arn(), Owner: r.account}
		err := l.deps.Store.View(ctx, func(rd store.Reader) error {
			v, _, err := r.load(rd)
			if err == nil {
				t.Policy, err = v.Policy.text()
			}
			return err
		})
		return []service.Target{t}, err
	})
}

// versionIn is the number in the ARN of a layer version; 0 in any other text.
func versionIn(arn string) int64 {
	r, _ := parseLayer(arn)
	return r.number
}

// target is what must be allowed for an action on r.
func (l *Lambda) target(ctx context.Context, action string, r ref) (service.Target, error) {
	policy, err := l.policy(ctx, r)
	return service.Target{Action: action, ARN: r.arn(), Owner: r.account, Policy: policy}, err
}

func mappingARN(ctx context.Context, uuid string) string { return scopeOf(ctx).eventSourceARN(uuid) }

// onMapping is what must be allowed for an operation on a mapping; the condition key lambda:FunctionArn names its function.
func onMapping(ctx context.Context, arn string, function *string) ([]service.Target, error) {
	t := service.Target{ARN: arn}
	if function != nil {
		r, err := parseRef(ctx, *function, nil)
		if err != nil {
			return nil, err
		}
		t.Condition = map[string][]string{"lambda:FunctionArn": {r.arn()}}
	}
	return []service.Target{t}, nil
}
