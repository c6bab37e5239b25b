package cloudformation

import (
	"slices"
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/clock"
)

const waitsForTwo = "Resources: {A: {Type: Test::Thing, Properties: {Value: one}, CreationPolicy: {ResourceSignal: {Count: 2, Timeout: PT10M}}}}"

func (e *env) signal(id, unique, status string) error {
	_, err := call[cloudformation.SignalResourceOutput](e, "SignalResource", &cloudformation.SignalResourceInput{StackName: "s", LogicalResourceId: id, UniqueId: unique, Status: status})
	return err
}

// saw waits until the history of a stack has a line.
func (e *env) saw(line string) {
	e.t.Helper()
	w := e.store.Watch([]byte("cloudformation"))
	defer w.Close()
	for !slices.Contains(e.events("s"), line) {
		select {
		case <-w.C():
		case <-e.t.Context().Done():
			e.t.Fatalf("the history never had %q", line)
		}
	}
}

func TestAResourceWaitsForItsSignals(t *testing.T) {
	e := newEnv(t)
	e.create("s", waitsForTwo)
	e.saw("A CREATE_IN_PROGRESS Resource creation Initiated")
	for _, unique := range []string{"one", "one", "two"} {
		if err := e.signal("A", unique, "SUCCESS"); err != nil {
			t.Fatal(err)
		}
	}
	e.want("s", "CREATE_COMPLETE")
	want := []string{
		"s CREATE_IN_PROGRESS User Initiated", "A CREATE_IN_PROGRESS", "A CREATE_IN_PROGRESS Resource creation Initiated", "A CREATE_IN_PROGRESS Received SUCCESS signal with UniqueId one",
		"A CREATE_IN_PROGRESS Received SUCCESS signal with UniqueId two", "A CREATE_COMPLETE", "s CREATE_COMPLETE",
	}
	if got := e.events("s"); !slices.Equal(got, want) {
		t.Errorf("events are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := e.signal("A", "three", "SUCCESS"); err == nil || !strings.Contains(err.Error(), "is in CREATE_COMPLETE state and cannot be signaled") {
		t.Errorf("a late signal: %v", err)
	}
}

func TestASignalOfFailureFailsTheResource(t *testing.T) {
	e := newEnv(t)
	e.create("s", waitsForTwo)
	e.saw("A CREATE_IN_PROGRESS Resource creation Initiated")
	if err := e.signal("B", "one", "SUCCESS"); err == nil || !strings.Contains(err.Error(), "Resource B does not exist for stack s") {
		t.Errorf("a signal for nothing: %v", err)
	}
	if err := e.signal("A", "one", "FAILURE"); err != nil {
		t.Fatal(err)
	}
	e.want("s", "ROLLBACK_COMPLETE")
	if !slices.Contains(e.events("s"), "A CREATE_FAILED Received FAILURE signal with UniqueId one") {
		t.Errorf("events are %v", e.events("s"))
	}
	if len(e.things) > 0 {
		t.Errorf("left behind: %v", e.things)
	}
}

func TestAResourceWithoutItsSignalsFailsInTime(t *testing.T) {
	now := clock.NewFake(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC))
	e := newEnvAt(t, now)
	e.create("s", waitsForTwo)
	e.saw("A CREATE_IN_PROGRESS Resource creation Initiated")
	if err := e.signal("A", "one", "SUCCESS"); err != nil {
		t.Fatal(err)
	}
	e.saw("A CREATE_IN_PROGRESS Received SUCCESS signal with UniqueId one")
	now.Advance(11 * time.Minute)
	e.want("s", "ROLLBACK_COMPLETE")
	if !slices.Contains(e.events("s"), "A CREATE_FAILED Failed to receive 1 resource signal(s) within the specified duration") {
		t.Errorf("events are %v", e.events("s"))
	}
}

func TestAStackThatTakesTooLongIsRolledBack(t *testing.T) {
	now := clock.NewFake(time.Date(2026, 11, 30, 0, 0, 0, 0, time.UTC))
	e := newEnvAt(t, now)
	body := waitsForTwo
	if _, err := call[cloudformation.CreateStackOutput](e, "CreateStack", &cloudformation.CreateStackInput{StackName: "s", TemplateBody: &body, TimeoutInMinutes: ptr(int32(5))}); err != nil {
		t.Fatal(err)
	}
	e.saw("A CREATE_IN_PROGRESS Resource creation Initiated")
	now.Advance(6 * time.Minute)
	s := e.want("s", "ROLLBACK_COMPLETE")
	history := e.events("s")
	for _, line := range []string{
		"A CREATE_FAILED Resource creation cancelled",
		"s ROLLBACK_IN_PROGRESS Stack creation time exceeded the specified timeout. The following resource(s) failed to create: [A]. Rollback requested by user.",
	} {
		if !slices.Contains(history, line) {
			t.Errorf("the history lacks %q:\n%s", line, strings.Join(history, "\n"))
		}
	}
	if deref(s.TimeoutInMinutes) != 5 || len(e.things) > 0 {
		t.Errorf("the timeout is %v, left behind is %v", s.TimeoutInMinutes, e.things)
	}
}

func TestCreationPoliciesAreChecked(t *testing.T) {
	for _, c := range []struct{ policy, want string }{
		{"{ResourceSignal: {Count: many}}", "Count in the CreationPolicy of resource A must be a number of signals."},
		{"{ResourceSignal: {Timeout: soon}}", "Timeout in the CreationPolicy of resource A must be a period of ISO 8601"},
		{"{ResourceSignal: {Timeout: PT13H}}", "of at most 12 hours"},
		{"{ResourceSignal: {Times: 3}}", "Invalid property Times in the CreationPolicy of resource A"},
		{"{StartFleet: {Type: true}}", "does not support StartFleet in the CreationPolicy"},
		{"[]", "CreationPolicy must be an object (resource A)."},
	} {
		e := newEnv(t)
		body := "Resources: {A: {Type: Test::Thing, CreationPolicy: " + c.policy + "}}"
		_, err := call[cloudformation.CreateStackOutput](e, "CreateStack", &cloudformation.CreateStackInput{StackName: "s", TemplateBody: &body})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.policy, err, c.want)
		}
	}
}

func TestEventsNameTheirOperation(t *testing.T) {
	e := newEnv(t)
	e.create("s", oneThing)
	e.want("s", "CREATE_COMPLETE")
	e.refuse("bad")
	if err := e.update("s", changed("bad", "two")); err != nil {
		t.Fatal(err)
	}
	s := e.want("s", "UPDATE_ROLLBACK_COMPLETE")
	last := s.LastOperations[0]
	if last.OperationType != "UPDATE_STACK" {
		t.Errorf("the last operation is %+v", last)
	}
	out, err := call[cloudformation.DescribeEventsOutput](e, "DescribeEvents", &cloudformation.DescribeEventsInput{OperationId: last.OperationId})
	if err != nil {
		t.Fatal(err)
	}
	first, end := out.OperationEvents[len(out.OperationEvents)-1], out.OperationEvents[0]
	if first.ResourceStatus != "UPDATE_IN_PROGRESS" || first.EventType != "STACK_EVENT" || first.OperationStatus != "IN_PROGRESS" || end.OperationStatus != "FAILED" {
		t.Errorf("the events of the update begin with %+v and end with %+v", first, end)
	}
	out, err = call[cloudformation.DescribeEventsOutput](e, "DescribeEvents", &cloudformation.DescribeEventsInput{StackName: ptr("s"), Filters: &cloudformation.EventFilter{FailedEvents: ptr(true)}})
	if err != nil || len(out.OperationEvents) != 1 || out.OperationEvents[0].EventType != "PROVISIONING_ERROR" || deref(out.OperationEvents[0].LogicalResourceId) != "A" {
		t.Errorf("failed events are %+v, %v", out, err)
	}
	if _, err := call[cloudformation.DescribeEventsOutput](e, "DescribeEvents", &cloudformation.DescribeEventsInput{OperationId: ptr("none")}); err == nil {
		t.Error("an operation that there is not has events")
	}
}

func TestCostsAreAskedForWithATemplateThatWouldDeploy(t *testing.T) {
	e := newEnv(t)
	body, bad := oneThing, "Resources: {A: {Type: AWS::No::Thing}}"
	out, err := call[cloudformation.EstimateTemplateCostOutput](e, "EstimateTemplateCost", &cloudformation.EstimateTemplateCostInput{TemplateBody: &body})
	if err != nil || !strings.HasPrefix(deref(out.Url), "https://calculator.aws/") {
		t.Errorf("%+v, %v", out, err)
	}
	if _, err := call[cloudformation.EstimateTemplateCostOutput](e, "EstimateTemplateCost", &cloudformation.EstimateTemplateCostInput{TemplateBody: &bad}); err == nil {
		t.Error("a template that cannot be deployed has a cost")
	}
}
