package cloudformation

import (
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
)

const twoReadable = `
Resources:
  A: {Type: Test::Readable, Properties: {Name: a, Value: one, Size: 3}}
  B: {Type: Test::Readable, Properties: {Name: b, Value: two, Other: !Ref A}}
  C: {Type: Test::Thing, Properties: {Value: three}}
`

// change changes a thing beside its stack.
func (e *env) change(id, value string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	th := e.things[id]
	th.Value = value
	e.things[id] = th
}

// reverting makes a change set that puts back drift, and returns what it shows.
func (e *env) reverting(name, body string) *cloudformation.DescribeChangeSetOutput {
	e.t.Helper()
	stack := "s"
	in := &cloudformation.CreateChangeSetInput{StackName: stack, ChangeSetName: name, TemplateBody: &body, ChangeSetType: "UPDATE", DeploymentMode: "REVERT_DRIFT"}
	if _, err := call[cloudformation.CreateChangeSetOutput](e, "CreateChangeSet", in); err != nil {
		e.t.Fatal(err)
	}
	out, err := call[cloudformation.DescribeChangeSetOutput](e, "DescribeChangeSet", &cloudformation.DescribeChangeSetInput{ChangeSetName: name, StackName: &stack, IncludePropertyValues: ptr(true)})
	if err != nil {
		e.t.Fatal(err)
	}
	return out
}

func (e *env) run(changeSet string) {
	e.t.Helper()
	if _, err := call[cloudformation.ExecuteChangeSetOutput](e, "ExecuteChangeSet", &cloudformation.ExecuteChangeSetInput{ChangeSetName: changeSet, StackName: ptr("s")}); err != nil {
		e.t.Fatal(err)
	}
}

func TestAChangeSetPutsBackWhatWasChangedBesideItsStack(t *testing.T) {
	e := newEnv(t)
	e.create("s", twoReadable)
	e.want("s", "CREATE_COMPLETE")
	if c := e.reverting("none", twoReadable); c.Status != "FAILED" || deref(c.StatusReason) != noChanges || c.StackDriftStatus != "IN_SYNC" {
		t.Fatalf("without drift: %s %s %s", c.Status, deref(c.StatusReason), c.StackDriftStatus)
	}
	e.change("a", "uno")
	c := e.reverting("one", twoReadable)
	if c.Status != "CREATE_COMPLETE" || c.DeploymentMode != "REVERT_DRIFT" || c.StackDriftStatus != "DRIFTED" || len(c.Changes) != 1 {
		t.Fatalf("the change set is %+v", c)
	}
	r := c.Changes[0].ResourceChange
	if r.Action != "Modify" || *r.LogicalResourceId != "A" || r.ResourceDriftStatus != "MODIFIED" || !strings.Contains(deref(r.PreviousDeploymentContext), `"Value":"one"`) || len(r.Details) != 1 {
		t.Fatalf("the change is %+v", r)
	}
	d := r.Details[0]
	if d.ChangeSource != "NoModification" || d.Target.BeforeValueFrom != "ACTUAL_STATE" || deref(d.Target.BeforeValue) != "uno" || deref(d.Target.AfterValue) != "one" || deref(d.Target.Drift.PreviousValue) != "one" || deref(d.Target.Drift.ActualValue) != "uno" {
		t.Errorf("the detail is %+v, %+v", d, d.Target)
	}
	e.run("one")
	e.want("s", "UPDATE_COMPLETE")
	if e.things["a"].Value != "one" {
		t.Errorf("a is %+v", e.things["a"])
	}
}

func TestAChangeSetMakesWhatIsGone(t *testing.T) {
	e := newEnv(t)
	e.create("s", twoReadable)
	e.want("s", "CREATE_COMPLETE")
	delete(e.things, "b")
	c := e.reverting("one", twoReadable)
	if len(c.Changes) != 1 || c.Changes[0].ResourceChange.Action != "Add" || c.Changes[0].ResourceChange.ResourceDriftStatus != "DELETED" {
		t.Fatalf("the change set is %+v", c)
	}
	e.run("one")
	e.want("s", "UPDATE_COMPLETE")
	if e.things["b"].Value != "two" || len(e.things) != 3 {
		t.Errorf("things are %v", e.things)
	}
}

func TestAChangeThatTheTemplateFollowsIsNoted(t *testing.T) {
	e := newEnv(t)
	e.create("s", twoReadable)
	e.want("s", "CREATE_COMPLETE")
	e.change("a", "uno")
	made := len(e.calls)
	followed := strings.Replace(twoReadable, "Value: one", "Value: uno", 1)
	c := e.reverting("one", followed)
	if len(c.Changes) != 1 || c.Changes[0].ResourceChange.Action != "SyncWithActual" || c.Status != "CREATE_COMPLETE" {
		t.Fatalf("the change set is %+v", c)
	}
	e.run("one")
	e.want("s", "UPDATE_COMPLETE")
	if len(e.calls) != made {
		t.Errorf("calls were %v", e.calls[made:])
	}
	if err := e.update("s", followed); err == nil || !strings.Contains(err.Error(), noUpdates) {
		t.Errorf("the same template again: %v", err)
	}
}

func TestARollbackGoesBackToTheActualState(t *testing.T) {
	e := newEnv(t)
	e.create("s", twoReadable)
	e.want("s", "CREATE_COMPLETE")
	e.change("a", "uno")
	e.reverting("one", strings.Replace(twoReadable, "Value: three", "Value: bad", 1))
	e.refuse("bad")
	e.run("one")
	e.want("s", "UPDATE_ROLLBACK_COMPLETE")
	if e.things["a"].Value != "uno" {
		t.Errorf("a is %+v", e.things["a"])
	}
}

func TestAChangeSetHidesSecretParameters(t *testing.T) {
	const body = "Parameters: {Key: {Type: String, NoEcho: true}}\nResources: {A: {Type: Test::Readable, Properties: {Name: a, Value: !Sub 'key ${Key}'}}}"
	e := newEnv(t)
	give := func(value string) []cloudformation.Parameter {
		return []cloudformation.Parameter{{ParameterKey: ptr("Key"), ParameterValue: &value}}
	}
	if _, err := call[cloudformation.CreateStackOutput](e, "CreateStack", &cloudformation.CreateStackInput{StackName: "s", TemplateBody: ptr(body), Parameters: give("old-secret")}); err != nil {
		t.Fatal(err)
	}
	e.want("s", "CREATE_COMPLETE")
	for _, mode := range []string{"", "REVERT_DRIFT"} {
		in := &cloudformation.CreateChangeSetInput{StackName: "s", ChangeSetName: "c" + strings.ReplaceAll(mode, "_", "-"), TemplateBody: ptr(body), ChangeSetType: "UPDATE", Parameters: give("new-secret"), DeploymentMode: mode}
		if _, err := call[cloudformation.CreateChangeSetOutput](e, "CreateChangeSet", in); err != nil {
			t.Fatal(err)
		}
		out, err := call[cloudformation.DescribeChangeSetOutput](e, "DescribeChangeSet", &cloudformation.DescribeChangeSetInput{ChangeSetName: in.ChangeSetName, StackName: ptr("s"), IncludePropertyValues: ptr(true)})
		if err != nil || len(out.Changes) != 1 {
			t.Fatalf("the change set is %+v, %v", out, err)
		}
		text, err := jsonText(out)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "-secret") || strings.Count(text, "key ****") < 4 {
			t.Errorf("mode %q shows %s", mode, text)
		}
	}
}
