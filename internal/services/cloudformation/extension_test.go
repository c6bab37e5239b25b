package cloudformation

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
)

func TestTypesAreListedAndDescribed(t *testing.T) {
	e := newEnv(t)
	var names []string
	in := &cloudformation.ListTypesInput{Visibility: "PUBLIC", Type: "RESOURCE", MaxResults: new(int32(3)), Filters: &cloudformation.TypeFilters{Category: "AWS_TYPES", TypeNamePrefix: new("AWS::CloudFormation::")}}
	for {
		out, err := call[cloudformation.ListTypesOutput](e, "ListTypes", in)
		if err != nil || len(out.TypeSummaries) > 3 {
			t.Fatalf("a page is %+v, %v", out, err)
		}
		for _, v := range out.TypeSummaries {
			names = append(names, *v.TypeName)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if len(names) < 6 || !slices.IsSorted(names) || !slices.Contains(names, "AWS::CloudFormation::StackSet") {
		t.Errorf("types are %v", names)
	}
	for _, id := range []*cloudformation.DescribeTypeInput{
		{Type: "RESOURCE", TypeName: new("AWS::CloudFormation::LambdaHook")}, {Arn: new("arn:aws:cloudformation:us-east-1::type/resource/AWS-CloudFormation-LambdaHook/00000001")},
	} {
		out, err := call[cloudformation.DescribeTypeOutput](e, "DescribeType", id)
		if err != nil || out.ProvisioningType != "FULLY_MUTABLE" || out.Visibility != "PUBLIC" {
			t.Fatalf("the type is %+v, %v", out, err)
		}
		var schema struct {
			TypeName             string
			Properties           map[string]any
			AdditionalProperties bool
			PrimaryIdentifier    []string
		}
		if err := json.Unmarshal([]byte(*out.Schema), &schema); err != nil || schema.TypeName != "AWS::CloudFormation::LambdaHook" || schema.PrimaryIdentifier[0] != "/properties/HookArn" {
			t.Errorf("the schema is %s, %v", *out.Schema, err)
		}
		if schema.Properties["HookArn"] == nil || schema.Properties["FailureMode"] == nil || schema.Properties["LoggingConfig"] != nil {
			t.Errorf("properties are %v", schema.Properties)
		}
	}
	if _, err := call[cloudformation.DescribeTypeOutput](e, "DescribeType", &cloudformation.DescribeTypeInput{Type: "RESOURCE", TypeName: new("AWS::No::Thing")}); err == nil || !strings.Contains(err.Error(), "The type 'AWS::No::Thing' cannot be found.") {
		t.Errorf("an unknown type: %v", err)
	}
	versions, err := call[cloudformation.ListTypeVersionsOutput](e, "ListTypeVersions", &cloudformation.ListTypeVersionsInput{Type: "RESOURCE", TypeName: new("AWS::CloudFormation::Stack")})
	if err != nil || len(versions.TypeVersionSummaries) != 1 || *versions.TypeVersionSummaries[0].VersionId != "00000001" {
		t.Errorf("versions are %+v, %v", versions, err)
	}
}

func TestHooksAreActivatedByCalls(t *testing.T) {
	e := newEnv(t)
	activate := &cloudformation.ActivateTypeInput{Type: "HOOK", TypeName: new("AWS::Hooks::LambdaHook"), PublisherId: new("aws-hooks"), TypeNameAlias: new("My::Own::Hook"), ExecutionRoleArn: new(hookRole)}
	out, err := call[cloudformation.ActivateTypeOutput](e, "ActivateType", activate)
	if err != nil || *out.Arn != "arn:aws:cloudformation:us-east-1:000000000000:type/hook/My-Own-Hook" {
		t.Fatalf("activated: %+v, %v", out, err)
	}
	const config = `{"CloudFormationConfiguration":{"HookConfiguration":{"HookInvocationStatus":"ENABLED","TargetOperations":["RESOURCE"],"FailureMode":"WARN","Properties":{"LambdaFunction":"f"}}}}`
	set := func(text string) error {
		_, err := call[cloudformation.SetTypeConfigurationOutput](e, "SetTypeConfiguration", &cloudformation.SetTypeConfigurationInput{TypeArn: out.Arn, Configuration: text})
		return err
	}
	for text, want := range map[string]string{
		`{}`: "no CloudFormationConfiguration.HookConfiguration",
		strings.Replace(config, "RESOURCE", "ROOM", 1):         `TargetOperations must be one of RESOURCE, STACK, CHANGE_SET, CLOUD_CONTROL, and is "ROOM"`,
		strings.Replace(config, "FailureMode", "Mode", 1):      "unknown field",
		strings.Replace(config, `"LambdaFunction":"f"`, "", 1): "LambdaFunction must name the function",
	} {
		if err := set(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if err := set(config); err != nil {
		t.Fatal(err)
	}
	got, err := call[cloudformation.BatchDescribeTypeConfigurationsOutput](e, "BatchDescribeTypeConfigurations", &cloudformation.BatchDescribeTypeConfigurationsInput{
		TypeConfigurationIdentifiers: []cloudformation.TypeConfigurationIdentifier{{TypeArn: out.Arn}, {Type: "HOOK", TypeName: new("No::Such::Hook")}},
	})
	if err != nil || len(got.TypeConfigurations) != 1 || *got.TypeConfigurations[0].Configuration != config || len(got.Errors) != 1 {
		t.Errorf("configurations are %+v, %v", got, err)
	}
	list, err := call[cloudformation.ListTypesOutput](e, "ListTypes", &cloudformation.ListTypesInput{Type: "HOOK"})
	if err != nil || len(list.TypeSummaries) != 1 || *list.TypeSummaries[0].OriginalTypeName != "AWS::Hooks::LambdaHook" {
		t.Errorf("hooks are %+v, %v", list, err)
	}
	off := func() error {
		_, err := call[cloudformation.DeactivateTypeOutput](e, "DeactivateType", &cloudformation.DeactivateTypeInput{Arn: out.Arn})
		return err
	}
	if err := off(); err == nil || !strings.Contains(err.Error(), "is enabled") {
		t.Errorf("deactivated while it was enabled: %v", err)
	}
	if err := set(strings.Replace(config, "ENABLED", "DISABLED", 1)); err != nil {
		t.Fatal(err)
	}
	if err := off(); err != nil {
		t.Error(err)
	}
	activate.TypeName = new("AWS::Hooks::GuardHook")
	if _, err := call[cloudformation.ActivateTypeOutput](e, "ActivateType", activate); err == nil || !strings.Contains(err.Error(), "the only one that can is the hook AWS::Hooks::LambdaHook") {
		t.Errorf("another type: %v", err)
	}
}
