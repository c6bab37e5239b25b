package cloudformation

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
)

const withUnknown = `
Resources:
  Board: {Type: AWS::CloudFront::CachePolicy, Properties: {CachePolicyConfig: {Name: x, DefaultTTL: 1}}}
  Broker: {Type: AWS::AmazonMQ::Broker, Properties: {Anything: [1, {a: b}]}}
  A: {Type: Test::Thing, Properties: {Value: !Ref Board, Other: !GetAtt Broker.Arn}}
Outputs:
  Changed: {Value: !GetAtt Board.LastModifiedTime}
  Host: {Value: !GetAtt Broker.IpAddress}
`

func (e *env) createWithStubs(name, body, value string) error {
	_, err := call[cloudformation.CreateStackOutput](e, "CreateStack", &cloudformation.CreateStackInput{
		StackName: name, TemplateBody: &body, Tags: []cloudformation.Tag{{Key: deploy.StubTag, Value: value}, {Key: "team", Value: "a"}},
	})
	return err
}

func TestUnknownTypesAreRefusedUnlessTheStackAsksForStubs(t *testing.T) {
	e := newEnv(t)
	for name, c := range map[string]struct{ template, tag, want string }{
		"no tag":            {withUnknown, "", "Unrecognized resource types: [AWS::AmazonMQ::Broker, AWS::CloudFront::CachePolicy]"},
		"another value":     {withUnknown, "yes", "must have the value true"},
		"a misspelled type": {"Resources: {A: {Type: AWS::CloudFront::CashPolicy}}", "true", "Unrecognized resource types: [AWS::CloudFront::CashPolicy]"},
		"not AWS's":         {"Resources: {A: {Type: Other::Thing::Here}}", "true", "Unrecognized resource types: [Other::Thing::Here]"},
		"no such attribute": {"Resources: {A: {Type: AWS::CloudFront::CachePolicy}}\nOutputs: {X: {Value: !GetAtt A.Nothing}}", "true", "does not support attribute type Nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			if c.tag == "" {
				_, err = call[cloudformation.CreateStackOutput](e, "CreateStack", &cloudformation.CreateStackInput{StackName: "s", TemplateBody: &c.template})
			} else {
				err = e.createWithStubs("s", c.template, c.tag)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestStubsAreSeenAndMakeUpStableValues(t *testing.T) {
	e := newEnv(t)
	if err := e.createWithStubs("s", withUnknown, "true"); err != nil {
		t.Fatal(err)
	}
	first := e.want("s", "CREATE_COMPLETE")
	ids, types := map[string]string{}, map[string]string{}
	list, err := call[cloudformation.ListStackResourcesOutput](e, "ListStackResources", &cloudformation.ListStackResourcesInput{StackName: "s"})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list.StackResourceSummaries {
		ids[r.LogicalResourceId], types[r.LogicalResourceId] = *r.PhysicalResourceId, r.ResourceType
	}
	if types["Board"] != "Lambent::Stub::AWS::CloudFront::CachePolicy" || !strings.HasPrefix(ids["Board"], "stub-s-Board-") {
		t.Errorf("the stub is listed as %s %s", types["Board"], ids["Board"])
	}
	thing := e.things[ids["A"]]
	if want := "arn:aws:stub:us-east-1:000000000000:" + ids["Broker"] + "/Arn"; thing.Value != ids["Board"] || thing.Other != want {
		t.Errorf("what refers to the stubs has %q and %q, want %q and %q", thing.Value, thing.Other, ids["Board"], want)
	}
	if host := *first.Outputs[1].OutputValue; host != strings.ToLower(ids["Broker"])+".invalid" {
		t.Errorf("the output of an address is %s", host)
	}
	warned := 0
	for _, line := range e.events("s") {
		if strings.Contains(line, "CREATE_COMPLETE Warning: this is a stub") {
			warned++
		}
	}
	if warned != 2 {
		t.Errorf("%d events warn of the stubs, want 2", warned)
	}

	// The tag stays with the stack, and an update keeps the values.
	if err := e.update("s", strings.Replace(withUnknown, "DefaultTTL: 1", "DefaultTTL: 2", 1)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.Outputs, e.want("s", "UPDATE_COMPLETE").Outputs); diff != "" {
		t.Error(diff)
	}
	if _, err := call[cloudformation.DeleteStackOutput](e, "DeleteStack", &cloudformation.DeleteStackInput{StackName: "s"}); err != nil {
		t.Fatal(err)
	}
	e.want(*first.StackId, "DELETE_COMPLETE")
}

func TestATypeOfAResourceCannotChange(t *testing.T) {
	e := newEnv(t)
	e.create("s", "Resources: {A: {Type: Test::Thing}}")
	e.settle("s")
	err := e.update("s", "Resources: {A: {Type: Test::Readable}}")
	const want = "Update of resource type is not permitted. The new template modifies resource type of the following resources: [A]"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestUpdatePoliciesAreReadAndDependOnWhatTheyName(t *testing.T) {
	e := newEnv(t)
	const policy = `Resources:
  A: {Type: Test::Thing, UpdatePolicy: {CodeDeployLambdaAliasUpdate: {ApplicationName: !Ref B, DeploymentGroupName: g}}, Properties: {Value: one}}
  B: {Type: Test::Thing, Properties: {Value: two}}
`
	e.create("s", policy)
	e.want("s", "CREATE_COMPLETE")
	if got := strings.Join(e.calls, ", "); got != "create B two, create A one" {
		t.Errorf("the calls are %s", got)
	}
	err := e.update("s", strings.Replace(policy, "CodeDeployLambdaAliasUpdate", "Other", 1))
	if err == nil || !strings.Contains(err.Error(), "Unrecognized UpdatePolicy Other for resource A") {
		t.Errorf("error %v", err)
	}
}
