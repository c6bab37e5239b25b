package cloudformation

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

// errDead is what the store answers to a process that died.
var errDead = errors.New("the process died")

// death ends the work that its context belongs to at one of its writes.
type death struct {
	mu sync.Mutex // guards the fields below
	// at is the write at which the process dies, from 1, before or after the store has it.
	at, writes int
	after      bool
}

type deathKey struct{}

// mortal is a store of which a process that died writes nothing more.
type mortal struct{ store.Store }

// Update implements [store.Store].
func (m mortal) Update(ctx context.Context, fn func(tx store.Txn) error) error {
	d, ok := ctx.Value(deathKey{}).(*death)
	if !ok {
		return m.Store.Update(ctx, fn)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes++
	if d.at > 0 && (d.writes > d.at || d.writes == d.at && !d.after) {
		return errDead
	}
	if err := m.Store.Update(ctx, fn); err != nil || d.writes != d.at {
		return err
	}
	return errDead
}

// setEnv is an environment with stack sets, whose operations run when the test says so.
type setEnv struct {
	*env
	run func(ctx context.Context, j events.Job) error
}

func newSetEnv(t *testing.T) *setEnv {
	t.Helper()
	c := &cloud{things: map[string]thing{}, ops: map[string]awsapi.Binding{}}
	st := mortal{mem.New()}
	door := &fake.Door{}
	svc, _ := New(service.Deps{Store: st, Clock: clock.System{}, Log: slog.New(slog.DiscardHandler), Door: door},
		Options{Types: func() []service.ResourceType { return []service.ResourceType{c.typ(), c.readable()} }, Roles: setRoles{cloud: c}})
	door.Services = []service.Service{svc}
	e := &setEnv{env: &env{cloud: c, t: t, store: st}}
	q := events.New(st, clock.System{}, slog.New(slog.DiscardHandler))
	for _, k := range svc.Jobs {
		if k.Name == setKind {
			e.run, k.Handle = k.Handle, func(context.Context, events.Job) error { return nil }
		}
		if err := q.Register(k); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(q.Close(), st.Close()); err != nil {
			t.Error(err)
		}
	})
	e.ctx = fake.Root(t.Context(), "111111111111", "us-east-1")
	for _, b := range svc.Operations {
		e.ops[b.Name] = b
	}
	return e
}

// setRoles are roles that every account but one has.
type setRoles struct {
	fake.Roles
	*cloud
}

// SessionForPrincipal implements [port.Roles].
func (r setRoles) SessionForPrincipal(ctx context.Context, role, session string) (service.Principal, error) {
	if strings.Contains(role, "999999999999") {
		return service.Principal{}, service.Errorf("AccessDenied", "no such role")
	}
	return r.Roles.SessionForPrincipal(ctx, role, session)
}

// invoke calls an operation with an input in JSON.
func (e *setEnv) invoke(op, input string) (any, error) {
	b := e.ops[op]
	in := b.New()
	if err := json.Unmarshal([]byte(input), in); err != nil {
		e.t.Fatal(err)
	}
	return b.Call(e.ctx, in)
}

// must calls an operation and returns its answer as JSON.
func (e *setEnv) must(op, input string) string {
	e.t.Helper()
	out, err := e.invoke(op, input)
	if err != nil {
		e.t.Fatalf("%s %s: %v", op, input, err)
	}
	b, err := json.Marshal(out)
	if err != nil {
		e.t.Fatal(err)
	}
	return string(b)
}

// work carries out the operation of a stack set, and returns how many writes that took.
func (e *setEnv) work(op string, at int, after bool) int {
	e.t.Helper()
	var set cloudformation.DescribeStackSetOutput
	if err := json.Unmarshal([]byte(e.must("DescribeStackSet", `{"StackSetName": "set"}`)), &set); err != nil {
		e.t.Fatal(err)
	}
	payload, err := json.Marshal(job{"111111111111", "us-east-1", *set.StackSet.StackSetId, op})
	if err != nil {
		e.t.Fatal(err)
	}
	d := &death{at: at, after: after}
	err = e.run(context.WithValue(e.t.Context(), deathKey{}, d), events.Job{Payload: payload})
	if at > 0 && !errors.Is(err, errDead) {
		e.t.Fatalf("the work went on after write %d: %v", at, err)
	}
	if at > 0 {
		err = e.run(e.t.Context(), events.Job{Payload: payload})
	}
	if err != nil {
		e.t.Fatal(err)
	}
	return d.writes
}

const setBody = "Parameters: {V: {Type: String, Default: one}}\nResources: {A: {Type: Test::Thing, Properties: {Value: !Ref V}}}"

func quoted(text string) string {
	b, _ := json.Marshal(text) //nolint:errchkjson // a string
	return string(b)
}

func (e *setEnv) createSet() {
	e.t.Helper()
	e.must("CreateStackSet", `{"StackSetName": "set", "TemplateBody": `+quoted(setBody)+`}`)
}

// summary lists results or instances, one a line.
func (e *setEnv) summary(op string) string {
	e.t.Helper()
	var out struct {
		Summaries []struct {
			Account, Region, Status, StatusReason string
			StackInstanceStatus                   struct{ DetailedStatus string }
		}
	}
	operation, input := "ListStackInstances", `{"StackSetName": "set"}`
	if op != "" {
		operation, input = "ListStackSetOperationResults", `{"StackSetName": "set", "OperationId": "`+op+`"}`
	}
	if err := json.Unmarshal([]byte(e.must(operation, input)), &out); err != nil {
		e.t.Fatal(err)
	}
	var lines []string
	for _, s := range out.Summaries {
		lines = append(lines, strings.Join(strings.Fields(fmt.Sprintln(s.Account[:1], s.Region, s.Status, s.StackInstanceStatus.DetailedStatus, s.StatusReason)), " "))
	}
	return strings.Join(lines, "\n")
}

func (e *setEnv) status(op string) string {
	e.t.Helper()
	var out cloudformation.DescribeStackSetOperationOutput
	if err := json.Unmarshal([]byte(e.must("DescribeStackSetOperation", `{"StackSetName": "set", "OperationId": "`+op+`"}`)), &out); err != nil {
		e.t.Fatal(err)
	}
	return out.StackSetOperation.Status
}

// values are the values of the things, sorted.
func (e *setEnv) values() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, t := range e.things {
		out = append(out, t.Value)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

const fourTargets = `"StackSetName": "set", "Accounts": ["111111111111", "222222222222"], "Regions": ["us-east-1", "eu-west-1"]`

func TestAStackSetKeepsItsStacksAsItSays(t *testing.T) {
	e := newSetEnv(t)
	e.createSet()
	e.must("CreateStackInstances", `{`+fourTargets+`, "OperationId": "make"}`)
	e.work("make", 0, false)
	if got := e.values(); got != "one one one one" || e.status("make") != "SUCCEEDED" {
		t.Fatalf("%s: %s\n%s", e.status("make"), got, e.summary("make"))
	}
	e.must("UpdateStackInstances", `{"StackSetName": "set", "Accounts": ["222222222222"], "Regions": ["eu-west-1"], "ParameterOverrides": [{"ParameterKey": "V", "ParameterValue": "other"}], "OperationId": "override"}`)
	e.work("override", 0, false)
	if got := e.values(); got != "one one one other" {
		t.Errorf("after an override: %s", got)
	}
	e.must("UpdateStackSet", `{"StackSetName": "set", "UsePreviousTemplate": true, "Parameters": [{"ParameterKey": "V", "ParameterValue": "two"}], "OperationId": "change"}`)
	if got, want := e.summary(""), "1 eu-west-1 OUTDATED PENDING\n1 us-east-1 OUTDATED PENDING\n2 eu-west-1 OUTDATED PENDING\n2 us-east-1 OUTDATED PENDING"; got != want {
		t.Errorf("instances are\n%s", got)
	}
	e.work("change", 0, false)
	if got := e.values(); got != "other two two two" {
		t.Errorf("after an update: %s", got)
	}
	if got, want := e.summary(""), "1 eu-west-1 CURRENT SUCCEEDED\n1 us-east-1 CURRENT SUCCEEDED\n2 eu-west-1 CURRENT SUCCEEDED\n2 us-east-1 CURRENT SUCCEEDED"; got != want {
		t.Errorf("instances are\n%s", got)
	}
	e.must("DetectStackSetDrift", `{"StackSetName": "set", "OperationId": "compare"}`)
	e.work("compare", 0, false)
	if got := e.must("DescribeStackSet", `{"StackSetName": "set"}`); !strings.Contains(got, `"DriftDetectionStatus":"COMPLETED"`) || !strings.Contains(got, `"TotalStackInstancesCount":4`) {
		t.Errorf("drift is %s", got)
	}
	e.must("DeleteStackInstances", `{"StackSetName": "set", "Accounts": ["111111111111"], "Regions": ["us-east-1"], "RetainStacks": true, "OperationId": "release"}`)
	e.work("release", 0, false)
	e.must("DeleteStackInstances", `{`+fourTargets+`, "RetainStacks": false, "OperationId": "remove"}`)
	e.work("remove", 0, false)
	if got := e.values(); got != "two" || e.summary("") != "" {
		t.Errorf("left behind: %q, instances %q", got, e.summary(""))
	}
	e.must("DeleteStackSet", `{"StackSetName": "set"}`)
	if got := e.must("ListStackSets", `{"Status": "ACTIVE"}`); got != `{"Summaries":[],"NextToken":null}` {
		t.Errorf("stack sets are %s", got)
	}
}

func TestAStackSetSurvivesADeathAtAnyWrite(t *testing.T) {
	steps := []struct{ op, input, values, status string }{
		{"CreateStackInstances", `{` + fourTargets + `, "OperationId": "make"}`, "one one one one", "SUCCEEDED"},
		{"UpdateStackSet", `{"StackSetName": "set", "UsePreviousTemplate": true, "Parameters": [{"ParameterKey": "V", "ParameterValue": "two"}], "OperationId": "change"}`, "two two two two", "SUCCEEDED"},
		{"DeleteStackInstances", `{` + fourTargets + `, "RetainStacks": false, "OperationId": "remove"}`, "", "SUCCEEDED"},
	}
	for n, c := range steps {
		t.Run(c.op, func(t *testing.T) {
			// attempt runs the step after those before it, with a death at a write.
			attempt := func(at int, after bool) (writes int) {
				e := newSetEnv(t)
				e.createSet()
				for i, s := range steps[:n+1] {
					e.must(s.op, s.input)
					id := s.input[strings.Index(s.input, `"OperationId": "`)+len(`"OperationId": "`):]
					id = id[:strings.IndexByte(id, '"')]
					if i < n {
						e.work(id, 0, false)
						continue
					}
					writes = e.work(id, at, after)
					if got := e.values(); got != c.values || e.status(id) != c.status {
						t.Errorf("death at write %d (after it: %v): %s, values %q\n%s", at, after, e.status(id), got, e.summary(id))
					}
				}
				return writes
			}
			total := attempt(0, false)
			for at := 1; at <= total; at++ {
				attempt(at, false)
				attempt(at, true)
			}
		})
	}
}

func TestFailuresOfAStackSetAreTolerated(t *testing.T) {
	for _, c := range []struct{ name, preferences, refuse, accounts, status, results string }{
		{
			"one fails", `{"RegionOrder": ["us-east-1", "eu-west-1"]}`, "one", `["111111111111", "222222222222"]`, "FAILED",
			"1 eu-west-1 CANCELLED " + cancelledByFailures + "\n1 us-east-1 FAILED ResourceLogicalId:A, ResourceType:Test::Thing, ResourceStatusReason:no thing may be one (ThingRefused).\n" +
				"2 eu-west-1 CANCELLED " + cancelledByFailures + "\n2 us-east-1 CANCELLED " + cancelledByFailures,
		},
		{
			"tolerated", `{"RegionConcurrencyType": "PARALLEL", "FailureTolerancePercentage": 50, "MaxConcurrentCount": 2}`, "", `["222222222222", "999999999999"]`, "SUCCEEDED",
			"2 eu-west-1 SUCCEEDED\n2 us-east-1 SUCCEEDED\n" +
				"9 eu-west-1 FAILED Account 999999999999 should have 'AWSCloudFormationStackSetExecutionRole' role with trust relationship to Role 'AWSCloudFormationStackSetAdministrationRole'.\n" +
				"9 us-east-1 FAILED Account 999999999999 should have 'AWSCloudFormationStackSetExecutionRole' role with trust relationship to Role 'AWSCloudFormationStackSetAdministrationRole'.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := newSetEnv(t)
			e.createSet()
			e.refuse(c.refuse)
			e.must("CreateStackInstances", `{"StackSetName": "set", "Accounts": `+c.accounts+`, "Regions": ["eu-west-1", "us-east-1"], "OperationPreferences": `+c.preferences+`, "OperationId": "make"}`)
			e.work("make", 0, false)
			if e.status("make") != c.status || e.summary("make") != c.results {
				t.Errorf("%s\n%s", e.status("make"), e.summary("make"))
			}
			// A stack that was never made is made anew.
			e.refuse("")
			e.must("CreateStackInstances", `{"StackSetName": "set", "Accounts": ["111111111111", "222222222222"], "Regions": ["eu-west-1", "us-east-1"], "OperationId": "again"}`)
			e.work("again", 0, false)
			if e.status("again") != "SUCCEEDED" || e.values() != "one one one one" {
				t.Errorf("again: %s %s\n%s", e.status("again"), e.values(), e.summary("again"))
			}
		})
	}
}

func TestAnOperationOnAStackSetIsStopped(t *testing.T) {
	e := newSetEnv(t)
	e.createSet()
	e.must("CreateStackInstances", `{`+fourTargets+`, "OperationId": "make"}`)
	e.must("StopStackSetOperation", `{"StackSetName": "set", "OperationId": "make"}`)
	e.work("make", 0, false)
	if got := e.summary(""); e.status("make") != "STOPPED" || e.values() != "" || strings.Count(got, "OUTDATED CANCELLED") != 4 {
		t.Errorf("%s\n%s", e.status("make"), got)
	}
}

func TestAManagedStackSetQueuesItsOperations(t *testing.T) {
	e := newSetEnv(t)
	e.must("CreateStackSet", `{"StackSetName": "set", "TemplateBody": `+quoted(setBody)+`, "ManagedExecution": {"Active": true}}`)
	e.must("CreateStackInstances", `{`+fourTargets+`, "OperationId": "one"}`)
	e.must("DeleteStackInstances", `{`+fourTargets+`, "RetainStacks": false, "OperationId": "two"}`)
	if e.status("one") != "RUNNING" || e.status("two") != "QUEUED" {
		t.Errorf("one is %s, two %s", e.status("one"), e.status("two"))
	}
	e.work("one", 0, false)
	e.work("two", 0, false)
	if e.status("two") != "SUCCEEDED" || e.values() != "" {
		t.Errorf("two is %s, things %q\n%s", e.status("two"), e.values(), e.summary("two"))
	}
}

func TestAStackBecomesPartOfAStackSetAsItIs(t *testing.T) {
	e := newSetEnv(t)
	e.createSet()
	e.create("mine", setBody)
	id := *e.want("mine", "CREATE_COMPLETE").StackId
	e.must("ImportStacksToStackSet", `{"StackSetName": "set", "StackIds": ["`+id+`"], "OperationId": "take"}`)
	e.work("take", 0, false)
	if got := e.summary(""); got != "1 us-east-1 CURRENT SUCCEEDED" {
		t.Errorf("instances are %s\n%s", got, e.summary("take"))
	}
	e.must("CreateStackSet", `{"StackSetName": "other", "StackId": "`+id+`"}`)
	e.must("DeleteStackInstances", `{"StackSetName": "set", "Accounts": ["111111111111"], "Regions": ["us-east-1"], "RetainStacks": false, "OperationId": "remove"}`)
	e.work("remove", 0, false)
	if got := e.values(); got != "" {
		t.Errorf("left behind: %s", got)
	}
}

func TestCallsAboutStackSetsThatAreRefused(t *testing.T) {
	e := newSetEnv(t)
	e.createSet()
	e.must("CreateStackInstances", `{"StackSetName": "set", "Accounts": ["111111111111"], "Regions": ["us-east-1"], "OperationId": "make"}`)
	for _, c := range []struct{ op, input, code, message string }{
		{"CreateStackSet", `{"StackSetName": "set", "TemplateBody": "Resources: {A: {Type: Test::Thing}}"}`, "NameAlreadyExistsException", "already exists"},
		{"CreateStackSet", `{"StackSetName": "x", "PermissionModel": "SERVICE_MANAGED", "TemplateBody": "Resources: {}"}`, "ValidationError", "SERVICE_MANAGED"},
		{"CreateStackSet", `{"StackSetName": "x"}`, "ValidationError", "Either Template URL or Template Body must be specified."},
		{"CreateStackSet", `{"StackSetName": "x", "TemplateBody": ` + quoted(setBody) + `, "Parameters": [{"ParameterKey": "W", "ParameterValue": "1"}]}`, "ValidationError", "Parameters: [W] do not exist in the template"},
		{"DescribeStackSet", `{"StackSetName": "x"}`, "StackSetNotFoundException", "StackSet x not found"},
		{"DescribeStackSet", `{"StackSetName": "set", "CallAs": "DELEGATED_ADMIN"}`, "ValidationError", "delegated administrator"},
		{"CreateStackInstances", `{"StackSetName": "x:y", "Accounts": ["111111111111"], "Regions": ["us-east-1"]}`, "StackSetNotFoundException", "StackSet x:y not found"},
		{"CreateStackInstances", `{"StackSetName": "set", "DeploymentTargets": {"OrganizationalUnitIds": ["ou-1"]}, "Regions": ["us-east-1"]}`, "ValidationError", "Organizations"},
		{"UpdateStackInstances", `{"StackSetName": "set", "Accounts": ["111111111111"], "Regions": ["us-east-1"]}`, "OperationInProgressException", "Another Operation on StackSet"},
		{"CreateStackInstances", `{"StackSetName": "set", "Accounts": ["111111111111"], "Regions": ["us-east-1"], "OperationId": "make"}`, "OperationIdAlreadyExistsException", "make"},
		{"DeleteStackSet", `{"StackSetName": "set"}`, "OperationInProgressException", "in progress"},
		{"DescribeStackSetOperation", `{"StackSetName": "set", "OperationId": "none"}`, "OperationNotFoundException", "none"},
		{"DescribeStackInstance", `{"StackSetName": "set", "StackInstanceAccount": "222222222222", "StackInstanceRegion": "us-east-1"}`, "StackInstanceNotFoundException", "222222222222"},
		{"ImportStacksToStackSet", `{"StackSetName": "set", "StackIds": ["nothing"]}`, "StackNotFoundException", "nothing"},
		{"UpdateStackSet", `{"StackSetName": "set", "UsePreviousTemplate": true, "Accounts": ["111111111111"]}`, "ValidationError", "together"},
		{"UpdateStackSet", `{"StackSetName": "set", "UsePreviousTemplate": true, "OperationPreferences": {"MaxConcurrentCount": 1, "MaxConcurrentPercentage": 1}}`, "ValidationError", "not both"},
	} {
		_, err := e.invoke(c.op, c.input)
		if service.Code(err) != c.code || !strings.Contains(err.Error(), c.message) {
			t.Errorf("%s %s: %v", c.op, c.input, err)
		}
	}
	e.work("make", 0, false)
	for _, c := range []struct{ op, input, code string }{
		{"DeleteStackSet", `{"StackSetName": "set"}`, "StackSetNotEmptyException"},
		{"StopStackSetOperation", `{"StackSetName": "set", "OperationId": "make"}`, "InvalidOperationException"},
		{"UpdateStackInstances", `{"StackSetName": "set", "Accounts": ["222222222222"], "Regions": ["us-east-1"]}`, "StackInstanceNotFoundException"},
	} {
		if _, err := e.invoke(c.op, c.input); service.Code(err) != c.code {
			t.Errorf("%s: %v", c.op, err)
		}
	}
	if _, err := e.invoke("DeleteStackSet", `{"StackSetName": "none"}`); err != nil {
		t.Errorf("deleting no stack set: %v", err)
	}
}
