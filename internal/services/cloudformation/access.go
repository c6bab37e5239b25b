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

func on[In any](operation string, stack func(in *In) string) service.Access {
	return service.On("cloudformation:"+operation, func(ctx context.Context, in *In) string {
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
