package cloudformation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/service"
)

// readable returns Test::Readable, a thing that its name identifies.
func (c *cloud) readable() service.ResourceType {
	put := func(call service.ResourceCall, what string, p *thing) (service.Resource, error) {
		return c.put(call, what, p.Name, p)
	}
	return service.NewResourceType("Test::Readable", service.ResourceSpec[readable]{
		Identifier: []string{"Name"},
		Create: func(_ context.Context, call service.ResourceCall, p *readable) (service.Resource, error) {
			return put(call, "create", &p.thing)
		},
		Update: func(_ context.Context, call service.ResourceCall, _, p *readable) (service.Resource, error) {
			return put(call, fmt.Sprint("tag ", call.Tags["aws:cloudformation:logical-id"]), &p.thing)
		},
		Delete: func(_ context.Context, call service.ResourceCall, _ *readable) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			delete(c.things, call.PhysicalID)
			return nil
		},
		Read: func(ctx context.Context, id service.Identifier) (*readable, service.Resource, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.reader = service.RequestFrom(ctx).Principal.RoleARN
			have, ok := c.things[id[0]]
			if !ok {
				return nil, service.Resource{}, service.ErrGone
			}
			return &readable{thing: have}, service.Resource{PhysicalID: id[0]}, nil
		},
	})
}

type readable struct {
	thing
	Tags []service.TagProperty `cfn:"Tags"`
}

// importing returns a change set that imports one resource.
func importing(stack, body, logicalID, name string) *cloudformation.CreateChangeSetInput {
	return &cloudformation.CreateChangeSetInput{
		StackName: stack, ChangeSetName: "c", ChangeSetType: "IMPORT", TemplateBody: &body,
		ResourcesToImport: []cloudformation.ResourceToImport{{ResourceType: "Test::Readable", LogicalResourceId: logicalID, ResourceIdentifier: map[string]string{"Name": name}}},
	}
}

const oneReadable = "Resources: {R: {Type: Test::Readable, DeletionPolicy: Retain, Properties: {Name: old, Value: wanted}}}"

func (e *env) propose(in *cloudformation.CreateChangeSetInput) *cloudformation.DescribeChangeSetOutput {
	e.t.Helper()
	if _, err := call[cloudformation.CreateChangeSetOutput](e, "CreateChangeSet", in); err != nil {
		e.t.Fatal(err)
	}
	out, err := call[cloudformation.DescribeChangeSetOutput](e, "DescribeChangeSet", &cloudformation.DescribeChangeSetInput{ChangeSetName: in.ChangeSetName, StackName: &in.StackName})
	if err != nil {
		e.t.Fatal(err)
	}
	return out
}

func (e *env) execute(stack string) {
	e.t.Helper()
	if _, err := call[cloudformation.ExecuteChangeSetOutput](e, "ExecuteChangeSet", &cloudformation.ExecuteChangeSetInput{ChangeSetName: "c", StackName: &stack}); err != nil {
		e.t.Fatal(err)
	}
}

func TestAnImportTakesAResourceAsItIs(t *testing.T) {
	e := newEnv(t)
	e.things["old"] = thing{Name: "old", Value: "as it is"}
	out := e.propose(importing("s", oneReadable, "R", "old"))
	if c := out.Changes[0].ResourceChange; len(out.Changes) != 1 || c.Action != "Import" || deref(c.PhysicalResourceId) != "old" {
		t.Errorf("changes are %+v", out.Changes)
	}
	e.execute("s")
	e.want("s", "IMPORT_COMPLETE")
	want := []string{
		"s REVIEW_IN_PROGRESS User Initiated", "s IMPORT_IN_PROGRESS User Initiated", "R IMPORT_IN_PROGRESS Resource import started.", "R IMPORT_COMPLETE Resource import completed.",
		"R UPDATE_IN_PROGRESS Apply stack-level tags to imported resource if applicable.", "R UPDATE_COMPLETE", "s IMPORT_COMPLETE",
	}
	if got := e.events("s"); !slices.Equal(got, want) {
		t.Errorf("events are\n%s", strings.Join(got, "\n"))
	}
	if got := strings.Join(e.calls, ", "); got != "tag R R as it is" {
		t.Errorf("calls were %s", got)
	}
	// The stack can be updated, and then makes of the resource what its template says.
	if err := e.update("s", strings.Replace(oneReadable, "wanted", "other", 1)); err != nil {
		t.Fatal(err)
	}
	e.want("s", "UPDATE_COMPLETE")
	if got := e.things["old"].Value; got != "other" {
		t.Errorf("the thing is %q", got)
	}
}

func TestAnImportThatFailsLetsGo(t *testing.T) {
	e := newEnv(t)
	e.create("s", oneThing)
	e.want("s", "CREATE_COMPLETE")
	e.things["old"] = thing{Name: "old", Value: "as it is"}
	both := "Resources: {A: {Type: Test::Thing, Properties: {Value: one}}, R: {Type: Test::Readable, DeletionPolicy: Delete, Properties: {Name: old, Value: wanted}}}"
	if out := e.propose(importing("s", both, "R", "old")); out.Status != "CREATE_COMPLETE" {
		t.Fatalf("%s: %s", out.Status, deref(out.StatusReason))
	}
	e.refuse("as it is") // so that the tags of the stack cannot be put
	e.execute("s")
	e.want("s", "IMPORT_ROLLBACK_COMPLETE")
	if _, have := e.things["old"]; !have || len(e.things) != 2 {
		t.Errorf("things are %v", e.things)
	}
	list, err := call[cloudformation.ListStackResourcesOutput](e, "ListStackResources", &cloudformation.ListStackResourcesInput{StackName: "s"})
	if err != nil || len(list.StackResourceSummaries) != 1 {
		t.Errorf("resources are %+v, %v", list, err)
	}
	e.refuse("")
	if err := e.update("s", changed("uno", "two")); err != nil {
		t.Fatal(err)
	}
	e.want("s", "UPDATE_COMPLETE")
}

func TestAnImportDoesNothingElse(t *testing.T) {
	for _, c := range []struct{ name, body, logicalID, id, want string }{
		{"without a policy", strings.Replace(oneReadable, "DeletionPolicy: Retain, ", "", 1), "R", "old", "The following resources to import [R] must have DeletionPolicy attribute specified in the template."},
		{"with another resource", "Resources: {R: {Type: Test::Readable, DeletionPolicy: Retain, Properties: {Name: old}}, N: {Type: Test::Thing}}", "R", "old", "Resources [N] is missing from ResourceToImport list"},
		{"with an output", oneReadable + "\nOutputs: {O: {Value: !Ref R}}", "R", "old", "As part of the import operation, you cannot modify or add [Outputs]"},
		{"of what is not in the template", oneReadable, "X", "old", "Resources [X] to import do not exist in the template."},
		{"without an identifier", oneReadable, "R", "", "needs a value for each of [Name]"},
		{"of another type", "Resources: {R: {Type: Test::Thing, DeletionPolicy: Retain, Properties: {Name: old}}}", "R", "old", "is a Test::Thing in the template"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t)
			e.things["old"] = thing{Name: "old"}
			_, err := call[cloudformation.CreateChangeSetOutput](e, "CreateChangeSet", importing("s", c.body, c.logicalID, c.id))
			if service.Code(err) != "ValidationError" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestAnImportNeedsAResourceThatIsThereAndFree(t *testing.T) {
	e := newEnv(t)
	if out := e.propose(importing("s", oneReadable, "R", "old")); out.Status != "FAILED" || !strings.Contains(deref(out.StatusReason), "identifier 'old' was not found") {
		t.Errorf("%s: %s", out.Status, deref(out.StatusReason))
	}
	e.create("owner", oneReadable)
	e.want("owner", "CREATE_COMPLETE")
	if out := e.propose(importing("t", oneReadable, "R", "old")); out.Status != "FAILED" || !strings.Contains(deref(out.StatusReason), "old already exists in stack arn:aws:cloudformation:") {
		t.Errorf("%s: %s", out.Status, deref(out.StatusReason))
	}
}

func TestAnImportReadsAsTheRoleOfItsStack(t *testing.T) {
	e := newEnv(t)
	e.things["old"] = thing{Name: "old"}
	in := importing("s", oneReadable, "R", "old")
	in.RoleARN = new(deployRole)
	if out := e.propose(in); out.Status != "CREATE_COMPLETE" || e.reader != deployRole {
		t.Errorf("%s: read as %q", out.Status, e.reader)
	}
	in = &cloudformation.CreateChangeSetInput{StackName: "t", ChangeSetName: "c", ChangeSetType: "CREATE", TemplateBody: ptr(oneReadable), ImportExistingResources: ptr(true)}
	if out := e.propose(in); out.Status != "CREATE_COMPLETE" || e.reader != "" {
		t.Errorf("%s: read as %q", out.Status, e.reader)
	}
}

func TestADeployImportsWhatExistsUnderItsName(t *testing.T) {
	e := newEnv(t)
	e.things["old"] = thing{Name: "old", Value: "as it is"}
	body := oneReadable + "\n"
	in := &cloudformation.CreateChangeSetInput{StackName: "s", ChangeSetName: "c", ChangeSetType: "CREATE", TemplateBody: &body, ImportExistingResources: ptr(true)}
	out := e.propose(in)
	if c := out.Changes[0].ResourceChange; c.Action != "Import" || !deref(out.ImportExistingResources) {
		t.Errorf("%+v", c)
	}
	e.execute("s")
	e.want("s", "CREATE_COMPLETE")
	unkept := strings.Replace(body, "DeletionPolicy: Retain, ", "", 1)
	e.things["new"] = thing{Name: "new"}
	unkept = strings.Replace(unkept, "Name: old", "Name: new", 1)
	out = e.propose(&cloudformation.CreateChangeSetInput{StackName: "t", ChangeSetName: "c", ChangeSetType: "CREATE", TemplateBody: &unkept, ImportExistingResources: ptr(true)})
	if out.Status != "FAILED" || !strings.Contains(deref(out.StatusReason), "The affected resources are R ({Name=new})") {
		t.Errorf("%s: %s", out.Status, deref(out.StatusReason))
	}
}

func TestAFailedDeployKeepsWhatItImported(t *testing.T) {
	e := newEnv(t)
	e.things["old"] = thing{Name: "old", Value: "as it is"}
	e.refuse("bad")
	body := "Resources: {R: {Type: Test::Readable, DeletionPolicy: RetainExceptOnCreate, Properties: {Name: old, Value: wanted}}, B: {Type: Test::Thing, DependsOn: R, Properties: {Value: bad}}}"
	e.propose(&cloudformation.CreateChangeSetInput{StackName: "s", ChangeSetName: "c", ChangeSetType: "CREATE", TemplateBody: &body, ImportExistingResources: ptr(true)})
	e.execute("s")
	e.want("s", "ROLLBACK_COMPLETE")
	if _, have := e.things["old"]; !have {
		t.Error("the imported thing is gone")
	}
}
