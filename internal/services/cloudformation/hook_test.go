package cloudformation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/service"
)

const hookRole = "arn:aws:iam::000000000000:role/hooks"

// aHook is a template with a hook; its %s are the failure mode, the operations and more properties.
const aHook = `
Resources:
  Hook:
    Type: AWS::CloudFormation::LambdaHook
    Properties:
      Alias: Private::Lambda::Check
      LambdaFunction: arn:aws:lambda:us-east-1:000000000000:function:check
      ExecutionRole: ` + hookRole + `
      HookStatus: ENABLED
      FailureMode: %s
      TargetOperations: [%s]
      StackFilters: {FilteringCriteria: ALL, StackNames: {Exclude: [hooks]}}
%s
Outputs:
  Hook: {Value: !Ref Hook}
`

// asked are the events that the function of the hooks got.
type asked struct {
	mu     sync.Mutex
	events []hookEvent
	bodies []string
}

// hookEnv returns an environment with a hook, whose function answers what answer returns.
func hookEnv(t *testing.T, mode, operations, more string, answer func(e *hookEvent) string) (*env, *asked) {
	t.Helper()
	e, a := newEnv(t), &asked{}
	e.hook = func(ctx context.Context, payload []byte) []byte {
		var ev hookEvent
		if err := json.Unmarshal(payload, &ev); err != nil {
			t.Error(err)
		}
		if r := service.RequestFrom(ctx).Principal; r.RoleARN != hookRole || r.Service != hookService {
			t.Errorf("the function was invoked by %+v", r)
		}
		var body string
		if ev.RequestData.Payload != "" {
			w := httptest.NewRecorder()
			e.impl.servePayload(w, httptest.NewRequest(http.MethodGet, strings.TrimPrefix(ev.RequestData.Payload, "/_aws/cloudformation/hook"), nil))
			body = w.Body.String()
		}
		a.mu.Lock()
		a.events, a.bodies = append(a.events, ev), append(a.bodies, body)
		a.mu.Unlock()
		return []byte(answer(&ev))
	}
	e.create("hooks", fmt.Sprintf(aHook, mode, operations, more))
	e.want("hooks", "CREATE_COMPLETE")
	return e, a
}

func (a *asked) lines() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for _, e := range a.events {
		out = append(out, fmt.Sprintf("%s %s %s", e.ActionInvocationPoint, e.RequestData.TargetName, e.RequestData.TargetLogicalID))
	}
	return out
}

// hookEvents are the hooks' events of a stack, the oldest first.
func (e *env) hookEvents(stack string) []string {
	e.t.Helper()
	out, err := call[cloudformation.DescribeStackEventsOutput](e, "DescribeStackEvents", &cloudformation.DescribeStackEventsInput{StackName: stack})
	if err != nil {
		e.t.Fatal(err)
	}
	var lines []string
	for i := len(out.StackEvents) - 1; i >= 0; i-- {
		if ev := out.StackEvents[i]; ev.HookType != nil {
			lines = append(lines, fmt.Sprintf("%s %s %s %s %s", *ev.LogicalResourceId, ev.ResourceStatus, ev.HookStatus, ev.HookFailureMode, deref(ev.HookStatusReason)))
		}
	}
	return lines
}

func same(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%s are\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func yes(*hookEvent) string { return `{"hookStatus": "SUCCESS", "message": "fine"}` }

const oneSized = `{Resources: {A: {Type: "Test::Thing", Properties: {Value: one, Size: 3}}}}`

func TestAHookIsAskedBeforeResourcesChange(t *testing.T) {
	e, a := hookEnv(t, "FAIL", "RESOURCE", "", yes)
	e.create("s", oneSized)
	s := e.want("s", "CREATE_COMPLETE")
	same(t, "events", e.events("s"),
		"s CREATE_IN_PROGRESS User Initiated", "A CREATE_IN_PROGRESS", "A CREATE_IN_PROGRESS", "A CREATE_IN_PROGRESS",
		"A CREATE_IN_PROGRESS Hook invocations complete. Resource creation initiated", "A CREATE_IN_PROGRESS Resource creation Initiated", "A CREATE_COMPLETE", "s CREATE_COMPLETE")
	same(t, "hooks", e.hookEvents("s"), "A CREATE_IN_PROGRESS HOOK_IN_PROGRESS FAIL Invoking hook", "A CREATE_IN_PROGRESS HOOK_COMPLETE_SUCCEEDED FAIL Hook succeeded with message: fine")
	if err := e.update("s", strings.Replace(oneSized, "Size: 3", "Size: 4", 1)); err != nil {
		t.Fatal(err)
	}
	e.want("s", "UPDATE_COMPLETE")
	if _, err := call[cloudformation.DeleteStackOutput](e, "DeleteStack", &cloudformation.DeleteStackInput{StackName: "s"}); err != nil {
		t.Fatal(err)
	}
	e.want(*s.StackId, "DELETE_COMPLETE")
	same(t, "questions", a.lines(), "CREATE_PRE_PROVISION Test::Thing A", "UPDATE_PRE_PROVISION Test::Thing A", "DELETE_PRE_PROVISION Test::Thing A")
	ev := a.events[1]
	if ev.HookTypeName != "Private::Lambda::Check" || !strings.HasSuffix(ev.HookModel.LambdaFunction, ":check") || ev.AWSAccountID != "000000000000" || ev.ChangeSetID != nil || ev.RequestContext.Invocation != 1 {
		t.Errorf("the event is %+v", ev)
	}
	if m := ev.RequestData.TargetModel; fmt.Sprint(m.Properties, m.Previous) != "map[Size:4 Value:one] map[Size:3 Value:one]" {
		t.Errorf("the model is %+v", m)
	}
}

func TestAHookForbids(t *testing.T) {
	no := func(*hookEvent) string {
		return `{"hookStatus": "FAILED", "errorCode": "NonCompliant", "message": "too big", "annotations": [{"annotationName": "size", "status": "FAILED", "severityLevel": "HIGH"}]}`
	}
	e, _ := hookEnv(t, "FAIL", "RESOURCE", "", no)
	e.create("s", oneSized)
	s := e.want("s", "ROLLBACK_COMPLETE")
	same(t, "hooks", e.hookEvents("s"), "A CREATE_IN_PROGRESS HOOK_IN_PROGRESS FAIL Invoking hook", "A CREATE_IN_PROGRESS HOOK_COMPLETE_FAILED FAIL Hook failed with message: too big")
	if got := strings.Join(e.events("s"), "\n"); !strings.Contains(got, "A CREATE_FAILED The following hook(s) failed: [Private::Lambda::Check]\n"+
		"s ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [A]. Rollback requested by user.") {
		t.Errorf("events are\n%s", got)
	}
	if len(e.calls) != 0 {
		t.Errorf("the type was called: %v", e.calls)
	}
	list, err := call[cloudformation.ListHookResultsOutput](e, "ListHookResults", &cloudformation.ListHookResultsInput{TypeArn: new("arn:aws:cloudformation:us-east-1:000000000000:type/hook/Private-Lambda-Check"), Status: "HOOK_COMPLETE_FAILED"})
	if err != nil || len(list.HookResults) != 1 || *list.HookResults[0].HookExecutionTarget != *s.StackId || list.HookResults[0].InvokedAt == nil {
		t.Fatalf("results are %+v, %v", list, err)
	}
	r, err := call[cloudformation.GetHookResultOutput](e, "GetHookResult", &cloudformation.GetHookResultInput{HookResultId: list.HookResults[0].HookResultId})
	if err != nil || *r.Target != (cloudformation.HookTarget{TargetType: "RESOURCE", TargetTypeName: "Test::Thing", TargetId: "A", Action: "CREATE"}) || len(r.Annotations) != 1 || r.Annotations[0].SeverityLevel != "HIGH" {
		t.Errorf("the result is %+v, %v", r, err)
	}
	out, err := call[cloudformation.DescribeEventsOutput](e, "DescribeEvents", &cloudformation.DescribeEventsInput{StackName: new("s"), Filters: &cloudformation.EventFilter{FailedEvents: new(true)}})
	if err != nil || len(out.OperationEvents) != 2 || out.OperationEvents[1].EventType != "HOOK_INVOCATION_ERROR" {
		t.Errorf("failed events are %+v, %v", out, err)
	}
}

func TestAHookThatWarnsForbidsNothing(t *testing.T) {
	e, _ := hookEnv(t, "WARN", "RESOURCE, STACK", "", func(*hookEvent) string { return `{"hookStatus": "FAILED", "message": "no"}` })
	e.create("s", oneSized)
	e.want("s", "CREATE_COMPLETE")
	const failed = "HOOK_COMPLETE_FAILED WARN Hook failed with message: no. Failure was ignored under WARN mode."
	same(t, "hooks", e.hookEvents("s"), "s CREATE_IN_PROGRESS HOOK_IN_PROGRESS WARN Invoking hook", "s CREATE_IN_PROGRESS "+failed,
		"A CREATE_IN_PROGRESS HOOK_IN_PROGRESS WARN Invoking hook", "A CREATE_IN_PROGRESS "+failed)
}

func TestAHookForbidsStacks(t *testing.T) {
	var mu sync.Mutex
	forbidden := ""
	e, a := hookEnv(t, "FAIL", "STACK", "", func(ev *hookEvent) string {
		mu.Lock()
		defer mu.Unlock()
		if ev.ActionInvocationPoint == forbidden {
			return `{"hookStatus": "FAILED", "errorCode": "NonCompliant", "message": "no"}`
		}
		return yes(ev)
	})
	forbid := func(point string) {
		mu.Lock()
		defer mu.Unlock()
		forbidden = point
	}
	const why = "The following hook(s) failed: [Private::Lambda::Check]"
	forbid("CREATE_PRE_PROVISION")
	e.create("bad", oneSized)
	e.want("bad", "ROLLBACK_COMPLETE")
	if got := strings.Join(e.events("bad"), "\n"); !strings.Contains(got, "bad ROLLBACK_IN_PROGRESS "+why+". Rollback requested by user.") {
		t.Errorf("events are\n%s", got)
	}
	forbid("UPDATE_PRE_PROVISION")
	e.create("s", oneSized)
	e.want("s", "CREATE_COMPLETE")
	changed := strings.Replace(oneSized, "Size: 3", "Size: 4", 1)
	if err := e.update("s", changed); err != nil {
		t.Fatal(err)
	}
	e.want("s", "UPDATE_ROLLBACK_COMPLETE")
	if last := a.bodies[len(a.bodies)-1]; last != fmt.Sprintf(`{"template":%q,"previousTemplate":%q}`, changed, oneSized) {
		t.Errorf("the payload is %s", last)
	}
	forbid("DELETE_PRE_PROVISION")
	if _, err := call[cloudformation.DeleteStackOutput](e, "DeleteStack", &cloudformation.DeleteStackInput{StackName: "s"}); err != nil {
		t.Fatal(err)
	}
	if s := e.want("s", "DELETE_FAILED"); deref(s.StackStatusReason) != why {
		t.Errorf("the reason is %q", deref(s.StackStatusReason))
	}
	if last := a.bodies[len(a.bodies)-1]; last != `{"template":"","previousTemplate":""}` {
		t.Errorf("the payload of a deletion is %s", last)
	}
}

func TestAHookForbidsChangeSets(t *testing.T) {
	e, a := hookEnv(t, "FAIL", "CHANGE_SET, RESOURCE", "", func(ev *hookEvent) string {
		if ev.RequestData.TargetType == "CHANGE_SET" && ev.RequestData.TargetModel == nil && !strings.Contains(*ev.ChangeSetID, "/good/") {
			return `{"hookStatus": "FAILED", "errorCode": "NonCompliant", "message": "no"}`
		}
		return yes(ev)
	})
	made := func(name string) *cloudformation.DescribeChangeSetOutput {
		body := oneSized
		if _, err := call[cloudformation.CreateChangeSetOutput](e, "CreateChangeSet", &cloudformation.CreateChangeSetInput{StackName: "s", ChangeSetName: name, ChangeSetType: "CREATE", TemplateBody: &body}); err != nil {
			t.Fatal(err)
		}
		out, err := call[cloudformation.DescribeChangeSetOutput](e, "DescribeChangeSet", &cloudformation.DescribeChangeSetInput{StackName: new("s"), ChangeSetName: name})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	bad := made("bad")
	if bad.Status != "FAILED" || *bad.StatusReason != "Change set creation failed. The following hook(s) failed: [Private::Lambda::Check]" {
		t.Errorf("the change set is %s: %s", bad.Status, deref(bad.StatusReason))
	}
	results, err := call[cloudformation.ListHookResultsOutput](e, "ListHookResults", &cloudformation.ListHookResultsInput{TargetType: "CHANGE_SET", TargetId: bad.ChangeSetId})
	if err != nil || len(results.HookResults) != 1 || *results.HookResults[0].HookStatusReason != "Hook failed with message: no" {
		t.Errorf("results are %+v, %v", results, err)
	}
	want := fmt.Sprintf(`{"template":%q,"changedResources":[{"logicalResourceId":"A","resourceType":"Test::Thing","action":"CREATE","lineNumber":1,"beforeContext":null,"afterContext":%q}]}`,
		oneSized, `{"Properties":{"Size":"3","Value":"one"}}`)
	if a.bodies[0] != want {
		t.Errorf("the payload is %s, want %s", a.bodies[0], want)
	}
	good := made("good")
	planned, err := call[cloudformation.DescribeChangeSetHooksOutput](e, "DescribeChangeSetHooks", &cloudformation.DescribeChangeSetHooksInput{ChangeSetName: *good.ChangeSetId})
	if err != nil || planned.Status != "PLANNED" || len(planned.Hooks) != 1 || *planned.Hooks[0].TargetDetails.ResourceTargetDetails.LogicalResourceId != "A" {
		t.Errorf("planned are %+v, %v", planned, err)
	}
	if _, err := call[cloudformation.ExecuteChangeSetOutput](e, "ExecuteChangeSet", &cloudformation.ExecuteChangeSetInput{ChangeSetName: *good.ChangeSetId}); err != nil {
		t.Fatal(err)
	}
	e.want("s", "CREATE_COMPLETE")
	if last := a.events[len(a.events)-1]; deref(last.ChangeSetID) != *good.ChangeSetId {
		t.Errorf("the resource's hook was told of the change set %q", deref(last.ChangeSetID))
	}
}

func TestAHookThatIsNotReadyIsAskedAgain(t *testing.T) {
	e, a := hookEnv(t, "FAIL", "RESOURCE", "", func(ev *hookEvent) string {
		if ev.RequestContext.Invocation < 3 || ev.RequestData.TargetLogicalID == "Slow" {
			return fmt.Sprintf(`{"hookStatus": "IN_PROGRESS", "callbackContext": {"seen": %d}}`, ev.RequestContext.Invocation)
		}
		return yes(ev)
	})
	e.create("s", oneSized)
	e.want("s", "CREATE_COMPLETE")
	if len(a.events) != 3 || string(a.events[2].RequestContext.Callback) != `{"seen":2}` || a.events[0].ClientRequestToken != a.events[2].ClientRequestToken {
		t.Errorf("events are %+v", a.events)
	}
	e.create("slow", strings.Replace(oneSized, "A:", "Slow:", 1))
	e.want("slow", "ROLLBACK_COMPLETE")
	if got := e.hookEvents("slow"); !strings.Contains(got[len(got)-1], "HOOK_FAILED FAIL Hook failed with message: it gave no result in 3 invocations") {
		t.Errorf("hooks are %v", got)
	}
}

func TestAnswersThatAreNoneForbid(t *testing.T) {
	for _, c := range []struct{ answer, want string }{
		{`"hello"`, "the function's answer does not have the form of a hook's"},
		{`{}`, `hookStatus must be SUCCESS, FAILED or IN_PROGRESS, and is ""`},
		{`{"hookStatus": "FAILED", "errorCode": "InternalFailure", "message": "oh"}`, "Hook failed with message: oh"},
	} {
		e, _ := hookEnv(t, "FAIL", "RESOURCE", "", func(*hookEvent) string { return c.answer })
		e.create("s", oneSized)
		e.want("s", "ROLLBACK_COMPLETE")
		if got := e.hookEvents("s"); !strings.Contains(got[len(got)-1], " HOOK_FAILED ") || !strings.Contains(got[len(got)-1], c.want) {
			t.Errorf("%s: hooks are %v", c.answer, got)
		}
	}
}

func TestHooksAreFiltered(t *testing.T) {
	target := func(operation, action, name string) hookTarget {
		return hookTarget{Operation: operation, Action: action, Name: name, Stack: "shop-dev", Role: "arn:aws:iam::1:role/deploy"}
	}
	table := target(onResource, "CREATE", "AWS::DynamoDB::Table")
	for _, c := range []struct {
		name   string
		config string
		target hookTarget
		want   bool
	}{
		{"plain", `{}`, table, true},
		{"another operation", `{}`, target(onCloudControl, "CREATE", "AWS::DynamoDB::Table"), false},
		{"name with a wildcard", `{"TargetFilters": {"TargetNames": ["AWS::DynamoDB::*"]}}`, table, true},
		{"another name", `{"TargetFilters": {"TargetNames": ["AWS::S3::Bucket"]}}`, table, false},
		{"names say nothing of stacks", `{"TargetFilters": {"TargetNames": ["AWS::S3::Bucket"]}}`, target(onStack, "CREATE", "STACK"), true},
		{"another action", `{"TargetFilters": {"Actions": ["UPDATE", "DELETE"]}}`, table, false},
		{"a target", `{"TargetFilters": {"Targets": [{"TargetName": "AWS::DynamoDB::Table", "Action": "CREATE", "InvocationPoint": "PRE_PROVISION"}]}}`, table, true},
		{"another target", `{"TargetFilters": {"Targets": [{"TargetName": "AWS::DynamoDB::Table", "Action": "UPDATE", "InvocationPoint": "PRE_PROVISION"}]}}`, table, false},
		{"included stack", `{"StackFilters": {"FilteringCriteria": "ALL", "StackNames": {"Include": ["shop-*"]}}}`, table, true},
		{"excluded stack", `{"StackFilters": {"FilteringCriteria": "ALL", "StackNames": {"Include": ["shop-*"], "Exclude": ["*-dev"]}}}`, table, false},
		{"all", `{"StackFilters": {"FilteringCriteria": "ALL", "StackNames": {"Include": ["shop-*"]}, "StackRoles": {"Include": ["arn:aws:iam::1:role/other"]}}}`, table, false},
		{"any", `{"StackFilters": {"FilteringCriteria": "ANY", "StackNames": {"Include": ["shop-*"]}, "StackRoles": {"Include": ["arn:aws:iam::1:role/other"]}}}`, table, true},
		{"disabled", `{"HookInvocationStatus": "DISABLED"}`, table, false},
	} {
		config := &hookConfig{HookInvocationStatus: "ENABLED", TargetOperations: []string{onResource, onStack}, FailureMode: "FAIL", Properties: hookModel{"f"}}
		if err := json.Unmarshal([]byte(c.config), config); err != nil {
			t.Fatal(err)
		}
		if err := config.check(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := (&hookRecord{Config: config}).wants(c.target); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
