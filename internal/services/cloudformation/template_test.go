package cloudformation

import (
	"errors"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
)

func TestTemplateURLsOfEveryFormNameTheSameObject(t *testing.T) {
	for _, url := range []string{
		"s3://b/dir/k é", "https://s3.amazonaws.com/b/dir/k%20%C3%A9", "https://s3.eu-west-1.amazonaws.com/b/dir/k%20%C3%A9", "https://s3-eu-west-1.amazonaws.com/b/dir/k%20%C3%A9",
		"https://b.s3.amazonaws.com/dir/k%20%C3%A9", "https://b.s3.eu-west-1.amazonaws.com/dir/k%20%C3%A9", "https://b.s3-eu-west-1.amazonaws.com/dir/k%20%C3%A9",
		"https://b.s3.dualstack.eu-west-1.amazonaws.com/dir/k%20%C3%A9", "https://b.s3-fips.us-gov-west-1.amazonaws.com/dir/k%20%C3%A9", "https://s3.cn-north-1.amazonaws.com.cn/b/dir/k%20%C3%A9",
		"http://127.0.0.1:4566/b/dir/k%20%C3%A9", "http://localhost:4566/b/dir/k%20%C3%A9", "http://b.s3.localhost:4566/dir/k%20%C3%A9",
	} {
		bucket, key, _, ok := objectOf(url)
		if !ok || bucket != "b" || key != "dir/k é" {
			t.Errorf("%s: %q, %q, %v", url, bucket, key, ok)
		}
	}
	for _, url := range []string{"", "ftp://b/k", "https://s3.amazonaws.com/b", "s3://b", "::"} {
		if _, _, _, ok := objectOf(url); ok {
			t.Errorf("%q is accepted", url)
		}
	}
}

func TestEveryHandlerHasAnAccessRule(t *testing.T) {
	svc, _ := New(service.Deps{Clock: clock.System{}}, Options{})
	for _, b := range svc.Operations {
		if _, ok := svc.Access[b.Name]; b.Call != nil && !ok {
			t.Errorf("%s has no access rule", b.Name)
		}
	}
}

func TestHiddenParametersAreNeverShown(t *testing.T) {
	e := newEnv(t)
	body := "Parameters: {Secret: {Type: String, NoEcho: true}}\nResources: {A: {Type: Test::Thing, Properties: {Value: !Sub \"x-${Secret}\"}}}"
	in := &cloudformation.CreateStackInput{StackName: "s", TemplateBody: &body, Parameters: []cloudformation.Parameter{{ParameterKey: ptr("Secret"), ParameterValue: ptr("hunter2")}}}
	if _, err := call[cloudformation.CreateStackOutput](e, "CreateStack", in); err != nil {
		t.Fatal(err)
	}
	s := e.want("s", "CREATE_COMPLETE")
	if got := *s.Parameters[0].ParameterValue; got != "****" {
		t.Errorf("the parameter is shown as %s", got)
	}
	out, err := call[cloudformation.DescribeStackEventsOutput](e, "DescribeStackEvents", &cloudformation.DescribeStackEventsInput{StackName: "s"})
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range out.StackEvents {
		if strings.Contains(deref(ev.ResourceProperties), "hunter2") {
			t.Errorf("event shows %s", *ev.ResourceProperties)
		}
	}
	if got := strings.Join(e.calls, ", "); got != "create A x-hunter2" {
		t.Errorf("calls were %s", got)
	}
	changed := strings.Replace(body, "x-${Secret}", "y-${Secret}", 1)
	up := &cloudformation.UpdateStackInput{StackName: "s", TemplateBody: &changed, Parameters: []cloudformation.Parameter{{ParameterKey: ptr("Secret"), UsePreviousValue: ptr(true)}}}
	if _, err := call[cloudformation.UpdateStackOutput](e, "UpdateStack", up); err != nil {
		t.Fatal(err)
	}
	e.want("s", "UPDATE_COMPLETE")
	if got := e.calls[len(e.calls)-1]; got != "update A y-hunter2" {
		t.Errorf("last call was %s", got)
	}
}

func TestExportsInUseAreKept(t *testing.T) {
	e := newEnv(t)
	e.create("giver", twoThings)
	e.want("giver", "CREATE_COMPLETE")
	e.create("taker", "Resources: {A: {Type: Test::Thing, Properties: {Value: !ImportValue the-arn}}}")
	e.want("taker", "CREATE_COMPLETE")
	out, err := call[cloudformation.ListImportsOutput](e, "ListImports", &cloudformation.ListImportsInput{ExportName: "the-arn"})
	if err != nil || len(out.Imports) != 1 || out.Imports[0] != "taker" {
		t.Errorf("imports are %+v, %v", out, err)
	}
	if _, err := call[cloudformation.DeleteStackOutput](e, "DeleteStack", &cloudformation.DeleteStackInput{StackName: "giver"}); err == nil || !strings.Contains(err.Error(), "Export the-arn cannot be deleted as it is in use by taker") {
		t.Errorf("delete of the exporting stack: %v", err)
	}
	if err := e.update("giver", strings.Replace(twoThings, ", Export: {Name: the-arn}", "", 1)); err != nil {
		t.Fatal(err)
	}
	s := e.want("giver", "UPDATE_ROLLBACK_COMPLETE")
	if len(s.Outputs) != 1 || deref(s.Outputs[0].ExportName) != "the-arn" {
		t.Errorf("outputs are %+v", s.Outputs)
	}
	e.create("twin", twoThings)
	e.want("twin", "ROLLBACK_COMPLETE")
}

func TestCapabilitiesAreAskedFor(t *testing.T) {
	e := newEnv(t)
	body := "Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: x}}}"
	_, err := call[cloudformation.CreateStackOutput](e, "CreateStack", &cloudformation.CreateStackInput{StackName: "s", TemplateBody: &body})
	if service.Code(err) != "InsufficientCapabilitiesException" || !strings.Contains(err.Error(), "Requires capabilities : [CAPABILITY_NAMED_IAM]") {
		t.Errorf("got %v", err)
	}
}

func TestTerminationProtectionKeepsAStack(t *testing.T) {
	e := newEnv(t)
	e.create("s", twoThings)
	e.want("s", "CREATE_COMPLETE")
	in := &cloudformation.UpdateTerminationProtectionInput{StackName: "s", EnableTerminationProtection: true}
	if _, err := call[cloudformation.UpdateTerminationProtectionOutput](e, "UpdateTerminationProtection", in); err != nil {
		t.Fatal(err)
	}
	if _, err := call[cloudformation.DeleteStackOutput](e, "DeleteStack", &cloudformation.DeleteStackInput{StackName: "s"}); err == nil || !strings.Contains(err.Error(), "TerminationProtection is enabled") {
		t.Errorf("got %v", err)
	}
}

func TestTemplatesAreKeptAsWrittenAndAsExpanded(t *testing.T) {
	e := newEnv(t)
	e.create("s", twoThings)
	e.want("s", "CREATE_COMPLETE")
	for stage, want := range map[string]string{"Original": twoThings, "Processed": twoThings} { // without a transform nothing is expanded
		out, err := call[cloudformation.GetTemplateOutput](e, "GetTemplate", &cloudformation.GetTemplateInput{StackName: ptr("s"), TemplateStage: stage})
		if err != nil || !strings.Contains(*out.TemplateBody, want) {
			t.Errorf("%s: %+v, %v", stage, out, err)
		}
	}
}

func TestABodyHasALimitAndAnObjectAnother(t *testing.T) {
	e := newEnv(t)
	body := twoThings + strings.Repeat("#", maxBody-len(twoThings))
	e.create("s", body)
	body += "#"
	_, err := call[cloudformation.CreateStackOutput](e, "CreateStack", &cloudformation.CreateStackInput{StackName: "t", TemplateBody: &body})
	want := "1 validation error detected: Value '" + body + "' at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200"
	var refused *service.Error
	if !errors.As(err, &refused) || refused.Code != "ValidationError" || refused.Message != want {
		t.Errorf("a byte too many: %.200v", err)
	}
}

func TestAStackInReviewIsCreatedOverItsChangeSets(t *testing.T) {
	e := newEnv(t)
	body := twoThings
	set := e.propose(&cloudformation.CreateChangeSetInput{StackName: "s", ChangeSetName: "c", ChangeSetType: "CREATE", TemplateBody: &body})
	e.create("s", body)
	if s := e.want("s", "CREATE_COMPLETE"); *s.StackId != *set.StackId {
		t.Errorf("the stack is %s, and was %s in review", *s.StackId, *set.StackId)
	}
	find := func(name string) (*cloudformation.DescribeChangeSetOutput, error) {
		return call[cloudformation.DescribeChangeSetOutput](e, "DescribeChangeSet", &cloudformation.DescribeChangeSetInput{StackName: ptr("s"), ChangeSetName: name})
	}
	if out, err := find(*set.ChangeSetId); err != nil || out.ExecutionStatus != "OBSOLETE" {
		t.Errorf("by its id: %+v, %v", out, err)
	}
	if _, err := find("c"); service.Code(err) != "ChangeSetNotFound" {
		t.Errorf("by its name: %v", err)
	}
	if _, err := call[cloudformation.CreateStackOutput](e, "CreateStack", &cloudformation.CreateStackInput{StackName: "s", TemplateBody: &body}); service.Code(err) != "AlreadyExistsException" {
		t.Errorf("creating it again: %v", err)
	}
	// The name is free, and the next change ends what is obsolete.
	changed := strings.Replace(body, "Value: one", "Value: uno", 1)
	e.propose(&cloudformation.CreateChangeSetInput{StackName: "s", ChangeSetName: "c", ChangeSetType: "UPDATE", TemplateBody: &changed})
	e.execute("s")
	e.want("s", "UPDATE_COMPLETE")
	if _, err := find(*set.ChangeSetId); service.Code(err) != "ChangeSetNotFound" {
		t.Errorf("after the next change: %v", err)
	}
	// What was executed last can be described when the stack is gone.
	last := deref(e.want("s", "UPDATE_COMPLETE").ChangeSetId)
	if _, err := call[cloudformation.DeleteStackOutput](e, "DeleteStack", &cloudformation.DeleteStackInput{StackName: "s"}); err != nil {
		t.Fatal(err)
	}
	e.want(*set.StackId, "DELETE_COMPLETE")
	if out, err := find(last); err != nil || out.ExecutionStatus != "EXECUTE_COMPLETE" {
		t.Errorf("of a deleted stack: %+v, %v", out, err)
	}
}

func TestATransformThatRefusesATemplateFailsWhatIsMadeOfIt(t *testing.T) {
	e := newEnv(t)
	body := "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: AWS::Serverless::Function, Properties: {Nope: 1}}}"
	const want = "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document. Number of errors found: 1. Resource with id [F] is invalid. "
	set := e.propose(&cloudformation.CreateChangeSetInput{StackName: "s", ChangeSetName: "c", ChangeSetType: "CREATE", TemplateBody: &body})
	if set.Status != "FAILED" || !strings.HasPrefix(deref(set.StatusReason), want) {
		t.Errorf("the change set is %s: %s", set.Status, deref(set.StatusReason))
	}
	in := &cloudformation.CreateStackInput{StackName: "t", TemplateBody: &body, Capabilities: []string{"CAPABILITY_AUTO_EXPAND"}}
	if _, err := call[cloudformation.CreateStackOutput](e, "CreateStack", in); err != nil {
		t.Fatal(err)
	}
	e.want("t", "ROLLBACK_COMPLETE")
	_, err := call[cloudformation.GetTemplateSummaryOutput](e, "GetTemplateSummary", &cloudformation.GetTemplateSummaryInput{TemplateBody: &body})
	if service.Code(err) != "ValidationError" || !strings.Contains(err.Error(), want) {
		t.Errorf("the summary: %v", err)
	}
}

func TestAnUpdateWithATransformNeedsNoChange(t *testing.T) {
	e := newEnv(t)
	body := "Transform: AWS::Serverless-2016-10-31\n" + twoThings
	in := &cloudformation.CreateStackInput{StackName: "s", TemplateBody: &body, Capabilities: []string{"CAPABILITY_AUTO_EXPAND"}}
	if _, err := call[cloudformation.CreateStackOutput](e, "CreateStack", in); err != nil {
		t.Fatal(err)
	}
	e.want("s", "CREATE_COMPLETE")
	update := &cloudformation.UpdateStackInput{StackName: "s", TemplateBody: &body, Capabilities: in.Capabilities}
	if _, err := call[cloudformation.UpdateStackOutput](e, "UpdateStack", update); err != nil {
		t.Fatal(err)
	}
	e.want("s", "UPDATE_COMPLETE")
	plain := strings.Replace(twoThings, "the-arn", "another", 1)
	e.create("t", plain)
	e.want("t", "CREATE_COMPLETE")
	if err := e.update("t", plain); service.Code(err) != "ValidationError" || !strings.Contains(err.Error(), noUpdates) {
		t.Errorf("without a transform: %v", err)
	}
}
