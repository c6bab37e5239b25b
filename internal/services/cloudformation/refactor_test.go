package cloudformation

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
)

// monolith has a readable thing, whose tags can be changed, and two things that refer to it.
const monolith = `
Resources:
  Data: {Type: Test::Readable, Properties: {Name: data, Value: one}}
  Web: {Type: Test::Thing, Properties: {Value: two, Other: !Ref Data}}
  Job: {Type: Test::Thing, DependsOn: Web, Properties: {Value: three, Other: data}}
Outputs:
  Shared: {Value: !Ref Data, Export: {Name: shared-data}}
`

// split are the templates that move the data out of the monolith and rename one of the things.
var split = map[string]string{
	"app": `
Resources:
  Front: {Type: Test::Thing, Properties: {Value: two, Other: !ImportValue shared-data}}
  Job: {Type: Test::Thing, DependsOn: Front, Properties: {Value: three, Other: data}}
`,
	"data": `
Resources:
  Table: {Type: Test::Readable, Properties: {Name: data, Value: one}}
Outputs:
  Shared: {Value: !Ref Table, Export: {Name: shared-data}}
`,
}

func (e *env) refactor(templates map[string]string, mappings ...cloudformation.ResourceMapping) *cloudformation.DescribeStackRefactorOutput {
	e.t.Helper()
	in := &cloudformation.CreateStackRefactorInput{EnableStackCreation: ptr(true), ResourceMappings: mappings}
	for _, name := range slices.Sorted(maps.Keys(templates)) {
		in.StackDefinitions = append(in.StackDefinitions, cloudformation.StackDefinition{StackName: ptr(name), TemplateBody: ptr(templates[name])})
	}
	made, err := call[cloudformation.CreateStackRefactorOutput](e, "CreateStackRefactor", in)
	if err != nil {
		e.t.Fatal(err)
	}
	return e.refactored(made.StackRefactorId)
}

func (e *env) refactored(id string) *cloudformation.DescribeStackRefactorOutput {
	e.t.Helper()
	out, err := call[cloudformation.DescribeStackRefactorOutput](e, "DescribeStackRefactor", &cloudformation.DescribeStackRefactorInput{StackRefactorId: id})
	if err != nil {
		e.t.Fatal(err)
	}
	return out
}

func mapping(from, to string) cloudformation.ResourceMapping {
	at := func(text string) *cloudformation.ResourceLocation {
		stack, id, _ := strings.Cut(text, "/")
		return &cloudformation.ResourceLocation{StackName: stack, LogicalResourceId: id}
	}
	return cloudformation.ResourceMapping{Source: at(from), Destination: at(to)}
}

// carryOut executes a refactor and waits for its stacks.
func (e *env) carryOut(id string, stacks ...string) *cloudformation.DescribeStackRefactorOutput {
	e.t.Helper()
	if _, err := call[cloudformation.ExecuteStackRefactorOutput](e, "ExecuteStackRefactor", &cloudformation.ExecuteStackRefactorInput{StackRefactorId: id}); err != nil {
		e.t.Fatal(err)
	}
	for _, name := range stacks {
		e.settle(name)
	}
	return e.refactored(id)
}

func TestARefactorMovesResourcesAndChangesOnlyTheirTags(t *testing.T) {
	e := newEnv(t)
	e.create("app", monolith)
	e.want("app", "CREATE_COMPLETE")
	e.create("user", "Resources: {A: {Type: Test::Thing, Properties: {Value: !ImportValue shared-data}}}")
	e.want("user", "CREATE_COMPLETE")
	made := len(e.calls)
	f := e.refactor(split)
	if f.Status != "CREATE_COMPLETE" || f.ExecutionStatus != "AVAILABLE" || len(f.StackIds) != 2 {
		t.Fatalf("the refactor is %+v: %s", f, deref(f.StatusReason))
	}
	actions, err := call[cloudformation.ListStackRefactorActionsOutput](e, "ListStackRefactorActions", &cloudformation.ListStackRefactorActionsInput{StackRefactorId: *f.StackRefactorId, MaxResults: ptr(int32(2))})
	if err != nil || len(actions.StackRefactorActions) != 2 || actions.NextToken == nil || actions.StackRefactorActions[0].Entity != "STACK" {
		t.Fatalf("actions are %+v, %v", actions, err)
	}
	data := actions.StackRefactorActions[1]
	if data.Action != "MOVE" || data.Detection != "AUTO" || deref(data.ResourceIdentifier) != `{"Name":"data"}` || data.ResourceMapping.Destination.StackName != "data" || data.ResourceMapping.Destination.LogicalResourceId != "Table" {
		t.Errorf("the first move is %+v", data)
	}
	if f = e.carryOut(*f.StackRefactorId, "app", "data"); f.ExecutionStatus != "EXECUTE_COMPLETE" {
		t.Fatalf("the refactor is %+v: %s", f, deref(f.ExecutionStatusReason))
	}
	e.want("app", "UPDATE_COMPLETE")
	e.want("data", "UPDATE_COMPLETE")
	if got := strings.Join(e.calls[made:], ", "); got != "tag Table Table one" {
		t.Errorf("calls were %s", got)
	}
	if got, want := strings.Join(e.events("data")[:5], "\n"), strings.Join([]string{
		"data CREATE_IN_PROGRESS Stack refactor " + *f.StackRefactorId, "data CREATE_COMPLETE Stack refactor " + *f.StackRefactorId,
		"Table IMPORT_IN_PROGRESS Moved from Data of stack app", "Table IMPORT_COMPLETE Moved from Data of stack app", "data UPDATE_IN_PROGRESS User Initiated",
	}, "\n"); got != want {
		t.Errorf("events are\n%s\nwant\n%s", got, want)
	}
	for name, body := range split {
		if err := e.update(name, body); err == nil || !strings.Contains(err.Error(), noUpdates) {
			t.Errorf("the same template of %s again: %v", name, err)
		}
	}
	for _, name := range []string{"user", "app", "data"} { // an export that is in use could not be deleted
		if _, err := call[cloudformation.DeleteStackOutput](e, "DeleteStack", &cloudformation.DeleteStackInput{StackName: name}); err != nil {
			t.Fatalf("delete %s: %v", name, err)
		}
		e.settleGone(name)
	}
	if len(e.things) != 0 {
		t.Errorf("left behind: %v", e.things)
	}
}

// settleGone waits until no stack has the name.
func (e *env) settleGone(name string) {
	e.t.Helper()
	w := e.store.Watch([]byte("cloudformation"))
	defer w.Close()
	for {
		if _, err := call[cloudformation.DescribeStacksOutput](e, "DescribeStacks", &cloudformation.DescribeStacksInput{StackName: &name}); err != nil {
			return
		}
		select {
		case <-w.C():
		case <-e.t.Context().Done():
			e.t.Fatal("the stack did not go")
		}
	}
}

func TestResourcesCanChangePlaces(t *testing.T) {
	e := newEnv(t)
	one := func(value string) string {
		return "Resources: {A: {Type: Test::Thing, Properties: {Value: " + value + "}}}"
	}
	e.create("s", one("one"))
	e.create("u", one("two"))
	first, second := e.want("s", "CREATE_COMPLETE"), e.want("u", "CREATE_COMPLETE")
	f := e.refactor(map[string]string{"s": one("two"), "u": one("one")}, mapping("s/A", "u/A"), mapping("u/A", "s/A"))
	if f.Status != "CREATE_COMPLETE" {
		t.Fatalf("the refactor is %+v: %s", f, deref(f.StatusReason))
	}
	e.carryOut(*f.StackRefactorId, "s", "u")
	for stack, from := range map[string]cloudformation.Stack{"s": second, "u": first} {
		out, err := call[cloudformation.DescribeStackResourcesOutput](e, "DescribeStackResources", &cloudformation.DescribeStackResourcesInput{StackName: &stack})
		if err != nil || len(out.StackResources) != 1 || !strings.HasPrefix(deref(out.StackResources[0].PhysicalResourceId), from.StackName+"-A-") {
			t.Errorf("%s has %+v, %v", stack, out, err)
		}
	}
}

func TestRefactorsThatDoMoreAreRefused(t *testing.T) {
	moved := func(old, fresh string) map[string]string {
		return map[string]string{"app": strings.Replace(split["app"], old, fresh, 1), "data": strings.Replace(split["data"], old, fresh, 1)}
	}
	for _, c := range []struct {
		name      string
		templates map[string]string
		mappings  []cloudformation.ResourceMapping
		want      string
	}{
		{"nothing moves", map[string]string{"app": monolith}, nil, "move no resource"},
		{"a property changes", moved("Value: two", "Value: deux"), nil, "Front of stack app (Value)"},
		{"a policy changes", moved("Test::Readable,", "Test::Readable, DeletionPolicy: Retain,"), nil, "Table of stack data (DeletionPolicy)"},
		{"a new resource", moved("Outputs:", "  New: {Type: Test::Readable, Properties: {Name: new}}\nOutputs:"), []cloudformation.ResourceMapping{mapping("app/Data", "data/Table")}, "the templates have new ones: New of stack data"},
		{"a lost resource", map[string]string{"app": split["app"]}, nil, "no longer have these: Data of stack app"},
		{"unclear", map[string]string{"app": strings.NewReplacer("Job:", "Task:", "two", "2", "three", "3").Replace(split["app"]), "data": split["data"]}, nil, "Name their sources in ResourceMappings: Job of stack app, Web of stack app"},
		{"no export", moved("Name: shared-data", "Name: other"), nil, "No export named shared-data found."},
		{"an empty stack", map[string]string{"app": "Resources: {}", "data": monolith}, nil, "At least one Resources member must be defined"},
		{"another parameter", moved("Resources:\n  Front", "Parameters: {P: {Type: String, Default: x}}\nResources:\n  Front"), nil, "other Parameters than the stack"},
		{"an unknown source", split, []cloudformation.ResourceMapping{mapping("app/None", "data/Table")}, "None of stack app of ResourceMappings does not exist"},
		{"an unknown destination", split, []cloudformation.ResourceMapping{mapping("app/Data", "data/None")}, "None of stack data of ResourceMappings is not in the template"},
		{"an unknown stack", split, []cloudformation.ResourceMapping{mapping("app/Data", "none/Table")}, "Stack none of ResourceMappings is not in StackDefinitions"},
		{"another type", split, []cloudformation.ResourceMapping{mapping("app/Web", "data/Table")}, "is a Test::Thing, and Table of stack data is a Test::Readable"},
		{"twice", split, []cloudformation.ResourceMapping{mapping("app/Data", "data/Table"), mapping("app/Data", "data/Table")}, "more than once"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t)
			e.create("app", monolith)
			e.want("app", "CREATE_COMPLETE")
			f := e.refactor(c.templates, c.mappings...)
			if f.Status != "CREATE_FAILED" || f.ExecutionStatus != "UNAVAILABLE" || !strings.Contains(deref(f.StatusReason), c.want) {
				t.Fatalf("the refactor is %s: %s, want %q", f.Status, deref(f.StatusReason), c.want)
			}
			if _, err := call[cloudformation.ExecuteStackRefactorOutput](e, "ExecuteStackRefactor", &cloudformation.ExecuteStackRefactorInput{StackRefactorId: *f.StackRefactorId}); err == nil {
				t.Error("it was executed")
			}
		})
	}
}

func TestARefactorOfStacksThatChangedIsObsolete(t *testing.T) {
	e := newEnv(t)
	e.create("app", monolith)
	e.want("app", "CREATE_COMPLETE")
	f := e.refactor(split)
	if err := e.update("app", strings.Replace(monolith, "three", "drei", 1)); err != nil {
		t.Fatal(err)
	}
	e.want("app", "UPDATE_COMPLETE")
	if f = e.refactored(*f.StackRefactorId); f.ExecutionStatus != "OBSOLETE" {
		t.Fatalf("the refactor is %s", f.ExecutionStatus)
	}
	_, err := call[cloudformation.ExecuteStackRefactorOutput](e, "ExecuteStackRefactor", &cloudformation.ExecuteStackRefactorInput{StackRefactorId: *f.StackRefactorId})
	if err == nil || !strings.Contains(err.Error(), "Stack app has changed") {
		t.Errorf("execution: %v", err)
	}
	list, err := call[cloudformation.ListStackRefactorsOutput](e, "ListStackRefactors", &cloudformation.ListStackRefactorsInput{})
	if err != nil || len(list.StackRefactorSummaries) != 1 || list.StackRefactorSummaries[0].ExecutionStatus != "OBSOLETE" {
		t.Errorf("refactors are %+v, %v", list, err)
	}
	if _, err := call[cloudformation.DescribeStackRefactorOutput](e, "DescribeStackRefactor", &cloudformation.DescribeStackRefactorInput{StackRefactorId: "none"}); err == nil || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("an unknown refactor: %v", err)
	}
}

func TestTagsThatCannotBeChangedLeaveTheResourcesMoved(t *testing.T) {
	e := newEnv(t)
	e.create("app", monolith)
	e.want("app", "CREATE_COMPLETE")
	f := e.refactor(split)
	e.refuse("one")
	if f = e.carryOut(*f.StackRefactorId, "app", "data"); f.ExecutionStatus != "EXECUTE_FAILED" || !strings.Contains(deref(f.ExecutionStatusReason), "its resources moved") {
		t.Fatalf("the refactor is %+v: %s", f, deref(f.ExecutionStatusReason))
	}
	e.refuse("")
	body := strings.Replace(split["data"], "Value: one", "Value: uno", 1)
	if s := e.settle("data"); strings.HasSuffix(s.StackStatus, "_FAILED") {
		if _, err := call[cloudformation.ContinueUpdateRollbackOutput](e, "ContinueUpdateRollback", &cloudformation.ContinueUpdateRollbackInput{StackName: "data"}); err != nil {
			t.Fatal(err)
		}
		e.settle("data")
	}
	if err := e.update("data", body); err != nil {
		t.Fatal(err)
	}
	e.want("data", "UPDATE_COMPLETE")
	if e.things["data"].Value != "uno" || len(e.things) != 3 {
		t.Errorf("things are %v", e.things)
	}
}
