package cloudformation

import (
	"context"
	"testing"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/service/port"
)

func TestAHookIsAskedOutsideOfStacks(t *testing.T) {
	e, a := hookEnv(t, "FAIL", "CLOUD_CONTROL", "", func(ev *hookEvent) string {
		if ev.ActionInvocationPoint == "DELETE_PRE_PROVISION" {
			return `{"hookStatus": "FAILED", "message": "no"}`
		}
		return yes(ev)
	})
	read := 0
	ask := func(action, token string) []port.HookAnswer {
		said, err := e.impl.AskHooks(e.ctx, port.HookQuestion{
			Action: action, Type: "Test::Thing", LogicalID: "Thing", Token: token, Properties: map[string]any{"Value": "a"},
			Previous: func(context.Context) (map[string]any, error) {
				read++
				return map[string]any{"Value": "b"}, nil
			},
		})
		if err != nil || len(said) != 1 {
			t.Fatalf("said %+v, %v", said, err)
		}
		return said
	}
	if said := ask("UPDATE", "t1"); said[0].Forbids || said[0].Status != "HOOK_COMPLETE_SUCCEEDED" || said[0].Hook != "Private::Lambda::Check" {
		t.Errorf("said %+v", said)
	}
	if said := ask("DELETE", "t2"); !said[0].Forbids || said[0].Reason != "Hook failed with message: no" {
		t.Errorf("said %+v", said)
	}
	if ev := a.events[0]; ev.RequestData.TargetType != "RESOURCE" || ev.RequestData.TargetName != "Test::Thing" || ev.StackID != nil || ev.RequestData.TargetModel.Previous["Value"] != "b" || read != 2 {
		t.Errorf("the event is %+v", ev)
	}
	list, err := call[cloudformation.ListHookResultsOutput](e, "ListHookResults", &cloudformation.ListHookResultsInput{TargetType: "CLOUD_CONTROL", TargetId: new("t2")})
	if err != nil || len(list.HookResults) != 1 || list.HookResults[0].Status != "HOOK_COMPLETE_FAILED" {
		t.Errorf("results are %+v, %v", list, err)
	}
	e.create("s", oneSized)
	e.want("s", "CREATE_COMPLETE")
	if len(a.events) != 2 {
		t.Errorf("the hook was asked about a stack: %v", a.lines())
	}
}
