package cloudformation

import (
	"context"
	"maps"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/service"
)

// access says what each operation needs, see
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awscloudformation.html.
func access() map[string]service.Access {
	all := driftAccess()
	maps.Copy(all, setAccess())
	maps.Copy(all, typeAccess())
	maps.Copy(all, map[string]service.Access{
		"CreateChangeSet":   on("CreateChangeSet", func(in *cloudformation.CreateChangeSetInput) string { return in.StackName }),
		"DescribeChangeSet": on("DescribeChangeSet", func(in *cloudformation.DescribeChangeSetInput) string { return owner(in.StackName, in.ChangeSetName) }),
		"ExecuteChangeSet":  on("ExecuteChangeSet", func(in *cloudformation.ExecuteChangeSetInput) string { return owner(in.StackName, in.ChangeSetName) }),
		"DeleteChangeSet":   on("DeleteChangeSet", func(in *cloudformation.DeleteChangeSetInput) string { return owner(in.StackName, in.ChangeSetName) }),
		"ListChangeSets":    on("ListChangeSets", func(in *cloudformation.ListChangeSetsInput) string { return in.StackName }),
		"CreateStack":       on("CreateStack", func(in *cloudformation.CreateStackInput) string { return in.StackName }),
		"UpdateStack":       on("UpdateStack", func(in *cloudformation.UpdateStackInput) string { return in.StackName }),
		"DeleteStack":       on("DeleteStack", func(in *cloudformation.DeleteStackInput) string { return in.StackName }),
		"DescribeStacks":    on("DescribeStacks", func(in *cloudformation.DescribeStacksInput) string { return deref(in.StackName) }),
		"DescribeEvents": on("DescribeEvents", func(in *cloudformation.DescribeEventsInput) string {
			return owner(in.StackName, deref(in.ChangeSetName))
		}),
		"EstimateTemplateCost":        service.OnAny("cloudformation:EstimateTemplateCost"),
		"DescribeStackEvents":         on("DescribeStackEvents", func(in *cloudformation.DescribeStackEventsInput) string { return in.StackName }),
		"DescribeStackResource":       on("DescribeStackResource", func(in *cloudformation.DescribeStackResourceInput) string { return in.StackName }),
		"DescribeStackResources":      on("DescribeStackResources", func(in *cloudformation.DescribeStackResourcesInput) string { return deref(in.StackName) }),
		"ListStackResources":          on("ListStackResources", func(in *cloudformation.ListStackResourcesInput) string { return in.StackName }),
		"GetTemplate":                 on("GetTemplate", func(in *cloudformation.GetTemplateInput) string { return owner(in.StackName, deref(in.ChangeSetName)) }),
		"GetTemplateSummary":          on("GetTemplateSummary", func(in *cloudformation.GetTemplateSummaryInput) string { return deref(in.StackName) }),
		"UpdateTerminationProtection": on("UpdateTerminationProtection", func(in *cloudformation.UpdateTerminationProtectionInput) string { return in.StackName }),
		"SetStackPolicy":              on("SetStackPolicy", func(in *cloudformation.SetStackPolicyInput) string { return in.StackName }),
		"GetStackPolicy":              on("GetStackPolicy", func(in *cloudformation.GetStackPolicyInput) string { return in.StackName }),
		"SignalResource":              on("SignalResource", func(in *cloudformation.SignalResourceInput) string { return in.StackName }),
		"CancelUpdateStack":           on("CancelUpdateStack", func(in *cloudformation.CancelUpdateStackInput) string { return in.StackName }),
		"ContinueUpdateRollback":      on("ContinueUpdateRollback", func(in *cloudformation.ContinueUpdateRollbackInput) string { return in.StackName }),
		"RollbackStack":               on("RollbackStack", func(in *cloudformation.RollbackStackInput) string { return in.StackName }),
		"DescribeAccountLimits":       service.OnAny("cloudformation:DescribeAccountLimits"),
		"ValidateTemplate":            service.OnAny("cloudformation:ValidateTemplate"),
		"ListStacks":                  service.OnAny("cloudformation:ListStacks"),
		"ListExports":                 service.OnAny("cloudformation:ListExports"),
		"ListImports":                 service.OnAny("cloudformation:ListImports"),
		"CreateStackRefactor":         service.OnAny("cloudformation:CreateStackRefactor"),
		"DescribeStackRefactor":       service.OnAny("cloudformation:DescribeStackRefactor"),
		"ExecuteStackRefactor":        service.OnAny("cloudformation:ExecuteStackRefactor"),
		"ListStackRefactors":          service.OnAny("cloudformation:ListStackRefactors"),
		"ListStackRefactorActions":    service.OnAny("cloudformation:ListStackRefactorActions"),
	})
	return all
}

// driftAccess says what the operations about drift need.
func driftAccess() map[string]service.Access {
	return map[string]service.Access{
		"DetectStackDrift":                  on("DetectStackDrift", func(in *cloudformation.DetectStackDriftInput) string { return in.StackName }),
		"DetectStackResourceDrift":          on("DetectStackResourceDrift", func(in *cloudformation.DetectStackResourceDriftInput) string { return in.StackName }),
		"DescribeStackResourceDrifts":       on("DescribeStackResourceDrifts", func(in *cloudformation.DescribeStackResourceDriftsInput) string { return in.StackName }),
		"DescribeStackDriftDetectionStatus": service.OnAny("cloudformation:DescribeStackDriftDetectionStatus"),
	}
}

// setAccess says what the operations on stack sets need.
func setAccess() map[string]service.Access {
	return map[string]service.Access{
		"CreateStackSet":                    service.OnAny("cloudformation:CreateStackSet"),
		"ListStackSets":                     service.OnAny("cloudformation:ListStackSets"),
		"UpdateStackSet":                    onSet("UpdateStackSet", func(in *cloudformation.UpdateStackSetInput) string { return in.StackSetName }),
		"DeleteStackSet":                    onSet("DeleteStackSet", func(in *cloudformation.DeleteStackSetInput) string { return in.StackSetName }),
		"DescribeStackSet":                  onSet("DescribeStackSet", func(in *cloudformation.DescribeStackSetInput) string { return in.StackSetName }),
		"CreateStackInstances":              onSet("CreateStackInstances", func(in *cloudformation.CreateStackInstancesInput) string { return in.StackSetName }),
		"UpdateStackInstances":              onSet("UpdateStackInstances", func(in *cloudformation.UpdateStackInstancesInput) string { return in.StackSetName }),
		"DeleteStackInstances":              onSet("DeleteStackInstances", func(in *cloudformation.DeleteStackInstancesInput) string { return in.StackSetName }),
		"DescribeStackInstance":             onSet("DescribeStackInstance", func(in *cloudformation.DescribeStackInstanceInput) string { return in.StackSetName }),
		"ListStackInstances":                onSet("ListStackInstances", func(in *cloudformation.ListStackInstancesInput) string { return in.StackSetName }),
		"ListStackInstanceResourceDrifts":   onSet("ListStackInstanceResourceDrifts", func(in *cloudformation.ListStackInstanceResourceDriftsInput) string { return in.StackSetName }),
		"DescribeStackSetOperation":         onSet("DescribeStackSetOperation", func(in *cloudformation.DescribeStackSetOperationInput) string { return in.StackSetName }),
		"ListStackSetOperations":            onSet("ListStackSetOperations", func(in *cloudformation.ListStackSetOperationsInput) string { return in.StackSetName }),
		"ListStackSetOperationResults":      onSet("ListStackSetOperationResults", func(in *cloudformation.ListStackSetOperationResultsInput) string { return in.StackSetName }),
		"StopStackSetOperation":             onSet("StopStackSetOperation", func(in *cloudformation.StopStackSetOperationInput) string { return in.StackSetName }),
		"DetectStackSetDrift":               onSet("DetectStackSetDrift", func(in *cloudformation.DetectStackSetDriftInput) string { return in.StackSetName }),
		"ImportStacksToStackSet":            onSet("ImportStacksToStackSet", func(in *cloudformation.ImportStacksToStackSetInput) string { return in.StackSetName }),
		"ListStackSetAutoDeploymentTargets": onSet("ListStackSetAutoDeploymentTargets", func(in *cloudformation.ListStackSetAutoDeploymentTargetsInput) string { return in.StackSetName }),
	}
}

// typeAccess says what the operations on extensions and hooks need.
func typeAccess() map[string]service.Access {
	out := map[string]service.Access{
		"DescribeChangeSetHooks": on("DescribeChangeSetHooks", func(in *cloudformation.DescribeChangeSetHooksInput) string {
			return owner(in.StackName, in.ChangeSetName)
		}),
	}
	for _, operation := range []string{
		"ListTypes", "DescribeType", "ListTypeVersions", "ActivateType", "DeactivateType", "SetTypeConfiguration", "BatchDescribeTypeConfigurations", "ListHookResults", "GetHookResult",
	} {
		out[operation] = service.OnAny("cloudformation:" + operation)
	}
	return out
}

func onSet[In any](operation string, set func(in In) string) service.Access {
	return service.On("cloudformation:"+operation, func(ctx context.Context, in In) string {
		name := set(in)
		if !strings.Contains(name, ":") {
			name += ":*"
		}
		p := placeOf(ctx)
		return "arn:aws:cloudformation:" + p.region + ":" + p.account + ":stackset/" + name
	})
}

func on[In any](operation string, stack func(in In) string) service.Access {
	return service.On("cloudformation:"+operation, func(ctx context.Context, in In) string {
		switch name := stack(in); {
		case name == "":
			return "*"
		case strings.HasPrefix(name, "arn:"):
			return name
		default:
			p := placeOf(ctx)
			return "arn:aws:cloudformation:" + p.region + ":" + p.account + ":stack/" + name + "/*"
		}
	})
}

// owner returns the stack that a change set belongs to, as far as the input tells it.
func owner(stack *string, changeSet string) string {
	if s := deref(stack); s != "" {
		return s
	}
	return changeSet
}
