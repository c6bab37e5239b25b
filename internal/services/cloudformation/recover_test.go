package cloudformation

import (
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
)

const oneThing = "Resources: {A: {Type: Test::Thing, Properties: {Value: one}}}"

// changed is a template with other values, the second of which depends on the first.
func changed(a, b string) string {
	return "Resources: {A: {Type: Test::Thing, Properties: {Value: " + a + "}}, B: {Type: Test::Thing, DependsOn: A, Properties: {Value: " + b + "}}}"
}

func TestAPolicyKeepsResourcesAsTheyAre(t *testing.T) {
	for _, c := range []struct{ name, policy, template, want string }{
		{"modify", `{"Statement": [{"Effect": "Deny", "Action": "Update:Modify", "Principal": "*", "Resource": "LogicalResourceId/A"}, {"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}`, changed("uno", "two"), "Action denied by stack policy: Statement [#1] does not allow [Update:Modify] for resource [LogicalResourceId/A];"},
		{"delete by type", `{"Statement": [{"Effect": "Deny", "Action": "Update:Delete", "Principal": "*", "Resource": "*", "Condition": {"StringEquals": {"ResourceType": ["Test::Thing"]}}}]}`, oneThing, "does not allow [Update:Delete] for resource [LogicalResourceId/B]"},
		{"not allowed", `{"Statement": [{"Effect": "Allow", "Action": "Update:Replace", "Principal": "*", "Resource": "*"}]}`, changed("uno", "two"), "no statement allows [Update:Modify]"},
		{"empty", `{}`, changed("uno", "two"), ""},
		{"allowed", `{"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "LogicalResourceId/A"}]}`, changed("uno", "two"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t)
			e.create("s", changed("one", "two"))
			e.want("s", "CREATE_COMPLETE")
			if _, err := call[cloudformation.SetStackPolicyOutput](e, "SetStackPolicy", &cloudformation.SetStackPolicyInput{StackName: "s", StackPolicyBody: &c.policy}); err != nil {
				t.Fatal(err)
			}
			if err := e.update("s", c.template); err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				e.want("s", "UPDATE_COMPLETE")
				return
			}
			e.want("s", "UPDATE_ROLLBACK_COMPLETE")
			if history := strings.Join(e.events("s"), "\n"); !strings.Contains(history, c.want) {
				t.Errorf("the history lacks %q:\n%s", c.want, history)
			}
			if len(e.calls) != 2 {
				t.Errorf("resources were touched: %v", e.calls)
			}
			open := `{"Statement": [{"Effect": "Allow", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}`
			if _, err := call[cloudformation.UpdateStackOutput](e, "UpdateStack", &cloudformation.UpdateStackInput{StackName: "s", TemplateBody: &c.template, StackPolicyDuringUpdateBody: &open}); err != nil {
				t.Fatal(err)
			}
			e.want("s", "UPDATE_COMPLETE")
		})
	}
}

func TestBadPoliciesAreRefused(t *testing.T) {
	for _, text := range []string{
		"", "no json", `{"Statement": [{"Effect": "Maybe", "Action": "Update:*", "Principal": "*", "Resource": "*"}]}`, `{"Statement": [{"Effect": "Deny", "Action": "Create:*", "Principal": "*", "Resource": "*"}]}`,
		`{"Statement": [{"Effect": "Deny", "Action": "Update:*", "Principal": "me", "Resource": "*"}]}`, `{"Statement": [{"Effect": "Deny", "Action": "Update:*", "Principal": "*"}]}`, `{"Statements": []}`,
	} {
		if _, err := readPolicy(text); err == nil || !strings.Contains(err.Error(), "Invalid stack policy") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestACancelledUpdateIsRolledBack(t *testing.T) {
	e := newEnv(t)
	e.create("s", oneThing)
	e.want("s", "CREATE_COMPLETE")
	if _, err := call[cloudformation.CancelUpdateStackOutput](e, "CancelUpdateStack", &cloudformation.CancelUpdateStackInput{StackName: "s"}); err == nil || !strings.Contains(err.Error(), "cannot be called from current stack status") {
		t.Errorf("cancelling nothing: %v", err)
	}
	e.held = make(chan struct{})
	if err := e.update("s", changed("uno", "two")); err != nil {
		t.Fatal(err)
	}
	<-e.held // A is being updated
	if _, err := call[cloudformation.CancelUpdateStackOutput](e, "CancelUpdateStack", &cloudformation.CancelUpdateStackInput{StackName: "s"}); err != nil {
		t.Fatal(err)
	}
	e.held <- struct{}{}
	<-e.held // A is being brought back
	e.held <- struct{}{}
	e.want("s", "UPDATE_ROLLBACK_COMPLETE")
	if got := strings.Join(e.calls, ", "); got != "create A one, update A uno, update A one" {
		t.Errorf("calls were %s", got)
	}
}

func TestARollbackThatFailedGoesOn(t *testing.T) {
	for _, skip := range []bool{false, true} {
		e := newEnv(t)
		e.create("s", oneThing)
		e.want("s", "CREATE_COMPLETE")
		e.refuse("one") // the update of A cannot be undone, and B cannot be made
		if err := e.update("s", strings.Replace(changed("uno", "x"), "Test::Thing, DependsOn: A, Properties: {Value: x}", "Test::Thing, DependsOn: A, Properties: {Value: one}", 1)); err != nil {
			t.Fatal(err)
		}
		e.want("s", "UPDATE_ROLLBACK_FAILED")
		in := &cloudformation.ContinueUpdateRollbackInput{StackName: "s"}
		if skip {
			in.ResourcesToSkip = []string{"A"}
		} else {
			e.refuse("")
		}
		if _, err := call[cloudformation.ContinueUpdateRollbackOutput](e, "ContinueUpdateRollback", in); err != nil {
			t.Fatal(err)
		}
		e.want("s", "UPDATE_ROLLBACK_COMPLETE")
		if _, err := call[cloudformation.ContinueUpdateRollbackOutput](e, "ContinueUpdateRollback", in); err == nil || !strings.Contains(err.Error(), "can not continue to rollback") {
			t.Errorf("going on with nothing: %v", err)
		}
	}
}

func TestWhatWasKeptOnFailureCanBeRolledBack(t *testing.T) {
	e := newEnv(t)
	e.refuse("bad")
	body := changed("one", "bad")
	keep := true
	if _, err := call[cloudformation.CreateStackOutput](e, "CreateStack", &cloudformation.CreateStackInput{StackName: "s", TemplateBody: &body, DisableRollback: &keep}); err != nil {
		t.Fatal(err)
	}
	e.want("s", "CREATE_FAILED")
	if _, err := call[cloudformation.RollbackStackOutput](e, "RollbackStack", &cloudformation.RollbackStackInput{StackName: "s"}); err != nil {
		t.Fatal(err)
	}
	e.want("s", "ROLLBACK_COMPLETE")
	if len(e.things) != 0 {
		t.Errorf("left behind: %v", e.things)
	}
}

func TestADeleteByForceLeavesBehindWhatCannotBeDeleted(t *testing.T) {
	e := newEnv(t)
	e.create("s", oneThing)
	s := e.want("s", "CREATE_COMPLETE")
	in := &cloudformation.DeleteStackInput{StackName: "s", DeletionMode: "FORCE_DELETE_STACK"}
	if _, err := call[cloudformation.DeleteStackOutput](e, "DeleteStack", in); err == nil || !strings.Contains(err.Error(), "FORCE_DELETE_STACK") {
		t.Errorf("by force at once: %v", err)
	}
	e.stuck = "A"
	if _, err := call[cloudformation.DeleteStackOutput](e, "DeleteStack", &cloudformation.DeleteStackInput{StackName: "s"}); err != nil {
		t.Fatal(err)
	}
	e.want("s", "DELETE_FAILED")
	if _, err := call[cloudformation.DeleteStackOutput](e, "DeleteStack", in); err != nil {
		t.Fatal(err)
	}
	e.want(*s.StackId, "DELETE_COMPLETE")
}
