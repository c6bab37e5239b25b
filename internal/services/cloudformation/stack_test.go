package cloudformation

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
)

// cloud is a pretend service with one resource type, Test::Thing.
type cloud struct {
	mu     sync.Mutex
	things map[string]thing
	calls  []string
	fail   string // a Value that is refused
	stuck  string // a logical id that cannot be deleted
	// sessions are the errors of the next sessions of roles.
	sessions []error
	reader   string // the role that read a thing last
	// held, when not nil, is told of each update, which then waits for a value from it.
	held chan struct{}
	// alarms are the states of alarms by name.
	alarms map[string]string
	// ops are the service's own operations; hook is the function of every hook.
	ops  map[string]awsapi.Binding
	hook func(ctx context.Context, payload []byte) []byte
}

// Call implements [service.Door] for the alarms of rollback triggers, the functions of hooks, and the service itself.
func (c *cloud) Call(ctx context.Context, api, operation string, in any) (any, error) {
	if i, ok := in.(*lambda.InvokeInput); ok && c.hook != nil {
		return &lambda.InvokeOutput{Payload: c.hook(ctx, i.Payload)}, nil
	}
	if api == "cloudformation" {
		return c.ops[operation].Call(ctx, in)
	}
	d, ok := in.(*cloudwatch.DescribeAlarmsInput)
	if !ok {
		return nil, fmt.Errorf("unexpected call of %s %s", api, operation)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &cloudwatch.DescribeAlarmsOutput{}
	for _, name := range d.AlarmNames {
		if value, there := c.alarms[name]; there {
			out.MetricAlarms = append(out.MetricAlarms, cloudwatch.MetricAlarm{AlarmName: &name, StateValue: value})
		}
	}
	return out, nil
}

// Allow implements [service.Door].
func (c *cloud) Allow(context.Context, service.Target) error { return nil }

type thing struct {
	Name  string `cfn:"Name,createOnly"`
	Value string `cfn:"Value"`
	Size  *int64 `cfn:"Size"`
	Other string `cfn:"Other"`
}

func (c *cloud) typ() service.ResourceType {
	return service.NewResourceType("Test::Thing", service.ResourceSpec[thing]{
		Attributes: []string{"Arn"},
		Create: func(_ context.Context, call service.ResourceCall, p *thing) (service.Resource, error) {
			return c.put(call, "create", call.Name(60, nil), p)
		},
		Update: func(_ context.Context, call service.ResourceCall, _, p *thing) (service.Resource, error) {
			if c.held != nil {
				c.held <- struct{}{}
				<-c.held
			}
			return c.put(call, "update", call.PhysicalID, p)
		},
		Delete: func(_ context.Context, call service.ResourceCall, _ *thing) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			if call.LogicalID == c.stuck {
				return service.Errorf("ThingInUse", "it is in use")
			}
			delete(c.things, call.PhysicalID)
			c.calls = append(c.calls, "delete "+call.LogicalID)
			return nil
		},
	})
}

func (c *cloud) put(call service.ResourceCall, what, id string, p *thing) (service.Resource, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, what+" "+call.LogicalID+" "+p.Value)
	if p.Value == c.fail && c.fail != "" {
		return service.Resource{}, service.Errorf("ThingRefused", "no thing may be %s", p.Value)
	}
	c.things[id] = *p
	return service.Resource{PhysicalID: id, Attributes: map[string]any{"Arn": "arn:thing:" + id}}, nil
}

type env struct {
	*cloud
	t     testing.TB
	ctx   context.Context
	store store.Store
	impl  *Service
}

func newEnv(t testing.TB) *env {
	t.Helper()
	return newEnvAt(t, clock.System{})
}

// newEnvAt returns an environment whose service has a clock of the test's.
func newEnvAt(t testing.TB, now clock.Clock) *env {
	t.Helper()
	c := &cloud{things: map[string]thing{}, ops: map[string]awsapi.Binding{}}
	st := mem.New()
	deps := service.Deps{Store: st, Clock: now, Log: slog.New(slog.DiscardHandler), Door: c}
	svc, impl := New(deps, Options{Types: func() []service.ResourceType { return []service.ResourceType{c.typ(), c.readable()} }, Roles: roles{cloud: c}})
	q := events.New(st, clock.System{}, deps.Log)
	if err := q.Register(svc.Jobs...); err != nil {
		t.Fatal(err)
	}
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	e := &env{cloud: c, t: t, impl: impl, store: st}
	e.ctx = service.WithRequest(t.Context(), &service.Request{Account: "000000000000", Region: "us-east-1", Principal: service.Principal{Kind: service.Root, Account: "000000000000"}})
	for _, b := range svc.Operations {
		e.ops[b.Name] = b
	}
	return e
}

func call[Out any](e *env, op string, in any) (*Out, error) {
	out, err := e.ops[op].Call(e.ctx, in)
	if err != nil {
		return nil, err
	}
	return out.(*Out), nil
}

func (e *env) create(name, body string) {
	e.t.Helper()
	if _, err := call[cloudformation.CreateStackOutput](e, "CreateStack", &cloudformation.CreateStackInput{StackName: name, TemplateBody: &body}); err != nil {
		e.t.Fatal(err)
	}
}

func (e *env) update(name, body string) error {
	_, err := call[cloudformation.UpdateStackOutput](e, "UpdateStack", &cloudformation.UpdateStackInput{StackName: name, TemplateBody: &body})
	return err
}

// settle waits until the stack's work is done and returns it.
func (e *env) settle(name string) cloudformation.Stack {
	e.t.Helper()
	w := e.store.Watch([]byte("cloudformation"))
	defer w.Close()
	for {
		out, err := call[cloudformation.DescribeStacksOutput](e, "DescribeStacks", &cloudformation.DescribeStacksInput{StackName: &name})
		if err != nil {
			e.t.Fatal(err)
		}
		if s := out.Stacks[0]; !strings.HasSuffix(s.StackStatus, "_IN_PROGRESS") {
			return s
		}
		select {
		case <-w.C():
		case <-e.t.Context().Done():
			e.t.Fatal("the stack did not settle")
		}
	}
}

// refuse makes the service refuse a value from now on.
func (e *env) refuse(value string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fail = value
}

func (e *env) want(name, status string) cloudformation.Stack {
	e.t.Helper()
	s := e.settle(name)
	if s.StackStatus != status {
		for _, ev := range e.events(name) {
			e.t.Log(ev)
		}
		e.t.Fatalf("stack is %s (%s), want %s", s.StackStatus, deref(s.StackStatusReason), status)
	}
	return s
}

// events returns the history of a stack, the oldest first.
func (e *env) events(name string) []string {
	e.t.Helper()
	out, err := call[cloudformation.DescribeStackEventsOutput](e, "DescribeStackEvents", &cloudformation.DescribeStackEventsInput{StackName: name})
	if err != nil {
		e.t.Fatal(err)
	}
	var lines []string
	for i := len(out.StackEvents) - 1; i >= 0; i-- {
		ev := out.StackEvents[i]
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s %s", *ev.LogicalResourceId, ev.ResourceStatus, deref(ev.ResourceStatusReason))))
	}
	return lines
}

const twoThings = `
Parameters:
  Size: {Type: Number, Default: 3}
Resources:
  A: {Type: Test::Thing, Properties: {Value: one, Size: !Ref Size}}
  B: {Type: Test::Thing, Properties: {Value: two, Other: !GetAtt A.Arn}}
Outputs:
  Arn: {Value: !GetAtt A.Arn, Export: {Name: the-arn}}
`

func TestCreateUpdateDelete(t *testing.T) {
	e := newEnv(t)
	e.create("s", twoThings)
	s := e.want("s", "CREATE_COMPLETE")
	if len(s.Outputs) != 1 || !strings.HasPrefix(*s.Outputs[0].OutputValue, "arn:thing:s-A-") {
		t.Errorf("outputs are %+v", s.Outputs)
	}
	if got, want := strings.Join(e.events("s"), "\n"), strings.Join([]string{
		"s CREATE_IN_PROGRESS User Initiated", "A CREATE_IN_PROGRESS", "A CREATE_IN_PROGRESS Resource creation Initiated", "A CREATE_COMPLETE",
		"B CREATE_IN_PROGRESS", "B CREATE_IN_PROGRESS Resource creation Initiated", "B CREATE_COMPLETE", "s CREATE_COMPLETE",
	}, "\n"); got != want {
		t.Errorf("events are\n%s\nwant\n%s", got, want)
	}
	if err := e.update("s", twoThings); err == nil || !strings.Contains(err.Error(), "No updates are to be performed.") {
		t.Errorf("the same template again: %v", err)
	}
	if err := e.update("s", strings.Replace(twoThings, "Value: one", "Value: uno", 1)); err != nil {
		t.Fatal(err)
	}
	e.want("s", "UPDATE_COMPLETE")
	if got := strings.Join(e.calls, ", "); got != "create A one, create B two, update A uno" {
		t.Errorf("calls were %s", got)
	}
	if _, err := call[cloudformation.DeleteStackOutput](e, "DeleteStack", &cloudformation.DeleteStackInput{StackName: "s"}); err != nil {
		t.Fatal(err)
	}
	e.want(*s.StackId, "DELETE_COMPLETE")
	if len(e.things) != 0 {
		t.Errorf("left behind: %v", e.things)
	}
	name := "s"
	if _, err := call[cloudformation.DescribeStacksOutput](e, "DescribeStacks", &cloudformation.DescribeStacksInput{StackName: &name}); err == nil || !strings.Contains(err.Error(), "Stack with id s does not exist") {
		t.Errorf("describe a deleted stack: %v", err)
	}
}

func TestReplacementIsMadeBeforeTheOldOneGoes(t *testing.T) {
	e := newEnv(t)
	e.create("s", twoThings)
	e.want("s", "CREATE_COMPLETE")
	if err := e.update("s", strings.Replace(twoThings, "Value: one", "Name: new, Value: one", 1)); err != nil {
		t.Fatal(err)
	}
	e.want("s", "UPDATE_COMPLETE")
	if got := strings.Join(e.calls[2:], ", "); got != "create A one, update B two, delete A" {
		t.Errorf("calls were %s", got)
	}
	if len(e.things) != 2 {
		t.Errorf("things are %v", e.things)
	}
}

func TestFailedUpdateRollsBack(t *testing.T) {
	e := newEnv(t)
	e.create("s", twoThings)
	e.want("s", "CREATE_COMPLETE")
	e.fail = "bad"
	changed := strings.Replace(strings.Replace(twoThings, "Value: one", "Name: new, Value: uno", 1), "Value: two", "Value: bad", 1)
	if err := e.update("s", changed); err != nil {
		t.Fatal(err)
	}
	e.want("s", "UPDATE_ROLLBACK_COMPLETE")
	for id, th := range e.things {
		if th.Value != "one" && th.Value != "two" || th.Name != "" {
			t.Errorf("%s is %+v", id, th)
		}
	}
	if len(e.things) != 2 {
		t.Errorf("things are %v", e.things)
	}
	if err := e.update("s", twoThings); err == nil || !strings.Contains(err.Error(), "No updates are to be performed.") {
		t.Errorf("the first template after the rollback: %v", err)
	}
}

func TestFailedCreateRollsBack(t *testing.T) {
	e := newEnv(t)
	e.fail = "two"
	e.create("s", twoThings)
	s := e.want("s", "ROLLBACK_COMPLETE")
	if len(e.things) != 0 {
		t.Errorf("left behind: %v", e.things)
	}
	if err := e.update("s", twoThings); err == nil || !strings.Contains(err.Error(), "is in ROLLBACK_COMPLETE state and can not be updated.") {
		t.Errorf("update of %s: %v", *s.StackId, err)
	}
}

func TestChangeSets(t *testing.T) {
	e := newEnv(t)
	body, name, kind := twoThings, "s", "CREATE"
	in := &cloudformation.CreateChangeSetInput{StackName: name, ChangeSetName: "first", TemplateBody: &body, ChangeSetType: kind}
	if _, err := call[cloudformation.CreateChangeSetOutput](e, "CreateChangeSet", in); err != nil {
		t.Fatal(err)
	}
	d, err := call[cloudformation.DescribeChangeSetOutput](e, "DescribeChangeSet", &cloudformation.DescribeChangeSetInput{ChangeSetName: "first", StackName: &name})
	if err != nil || d.Status != "CREATE_COMPLETE" || len(d.Changes) != 2 || d.Changes[0].ResourceChange.Action != "Add" {
		t.Fatalf("change set is %+v, %v", d, err)
	}
	if _, err := call[cloudformation.ExecuteChangeSetOutput](e, "ExecuteChangeSet", &cloudformation.ExecuteChangeSetInput{ChangeSetName: "first", StackName: &name}); err != nil {
		t.Fatal(err)
	}
	e.want(name, "CREATE_COMPLETE")
	in.ChangeSetName, in.ChangeSetType = "second", "UPDATE"
	if _, err := call[cloudformation.CreateChangeSetOutput](e, "CreateChangeSet", in); err != nil {
		t.Fatal(err)
	}
	d, err = call[cloudformation.DescribeChangeSetOutput](e, "DescribeChangeSet", &cloudformation.DescribeChangeSetInput{ChangeSetName: "second", StackName: &name})
	if err != nil || d.Status != "FAILED" || deref(d.StatusReason) != noChanges || d.ExecutionStatus != "UNAVAILABLE" {
		t.Errorf("change set without changes is %+v, %v", d, err)
	}
}

func TestBadTemplatesAreRefusedBeforeAnythingIsTouched(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"types with something in their place", "Resources: {A: {Type: AWS::Lambda::MicrovmImage}, B: {Type: AWS::Foo::Baz}}", "Unrecognized resource types: [AWS::Foo::Baz, AWS::Lambda::MicrovmImage]. Lambent does not have AWS::Lambda::MicrovmImage: use an AWS::Lambda::Function with the PackageType Image"},
		{"unknown types", "Resources: {A: {Type: AWS::Foo::Bar}, B: {Type: AWS::Foo::Baz}}", "Unrecognized resource types: [AWS::Foo::Bar, AWS::Foo::Baz]"},
		{"unknown property", "Resources: {A: {Type: Test::Thing, Properties: {Colour: red}}}", "Encountered unsupported property Colour"},
		{"cycle", "Resources: {A: {Type: Test::Thing, Properties: {Value: !Ref B}}, B: {Type: Test::Thing, Properties: {Value: !Ref A}}}", "Circular dependency between resources: [A, B]"},
		{"missing parameter", "Parameters: {P: {Type: String}}\nResources: {A: {Type: Test::Thing}}", "Parameters: [P] must have values"},
		{"no resources", "Outputs: {}", "At least one Resources member must be defined."},
		{"dangling reference", "Resources: {A: {Type: Test::Thing, Properties: {Value: !Ref Nope}}}", "Unresolved resource dependencies [Nope] in the Resources block of the template"},
		{"no such export", "Resources: {A: {Type: Test::Thing, Properties: {Value: !ImportValue nope}}}", "No export named nope found."},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newEnv(t)
			_, err := call[cloudformation.CreateStackOutput](e, "CreateStack", &cloudformation.CreateStackInput{StackName: "s", TemplateBody: &c.body})
			if service.Code(err) != "ValidationError" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if len(e.calls) > 0 {
				t.Errorf("calls were made: %v", e.calls)
			}
		})
	}
}

func TestAFailedDeleteCanBeRepeated(t *testing.T) {
	e := newEnv(t)
	e.create("s", twoThings)
	e.want("s", "CREATE_COMPLETE")
	e.stuck = "A"
	remove := func(retain ...string) error {
		_, err := call[cloudformation.DeleteStackOutput](e, "DeleteStack", &cloudformation.DeleteStackInput{StackName: "s", RetainResources: retain})
		return err
	}
	if err := remove("A"); err == nil || !strings.Contains(err.Error(), "DELETE_FAILED state") {
		t.Errorf("retaining at the first try: %v", err)
	}
	if err := remove(); err != nil {
		t.Fatal(err)
	}
	s := e.want("s", "DELETE_FAILED")
	if got := deref(s.StackStatusReason); got != "The following resource(s) failed to delete: [A]. " {
		t.Errorf("reason is %q", got)
	}
	if len(e.things) != 1 {
		t.Errorf("things are %v", e.things)
	}
	if err := remove("A"); err != nil {
		t.Fatal(err)
	}
	e.want(*s.StackId, "DELETE_COMPLETE")
	if len(e.things) != 1 {
		t.Errorf("the retained thing is gone: %v", e.things)
	}
}

// BenchmarkUnchangedUpdate is the plan of a stack of thirty resources that finds nothing to do.
func BenchmarkUnchangedUpdate(b *testing.B) {
	var text strings.Builder
	text.WriteString("Resources:\n")
	for i := range 30 {
		fmt.Fprintf(&text, "  R%d: {Type: Test::Thing, Properties: {Value: v%d}}\n", i, i)
	}
	body, name := text.String(), "s"
	e := newEnv(b)
	e.create(name, body)
	e.want(name, "CREATE_COMPLETE")
	for b.Loop() {
		if err := e.update(name, body); err == nil || !strings.Contains(err.Error(), "No updates") {
			b.Fatal(err)
		}
	}
}
