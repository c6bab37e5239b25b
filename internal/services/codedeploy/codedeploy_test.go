package codedeploy

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"lambent.dev/lambent/internal/awsapi/cloudwatch"
	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/mem"
	"lambent.dev/lambent/test/fake"
)

const role = "arn:aws:iam::111111111111:role/deploys"

var start = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// harness is CodeDeploy on a store in memory, a clock that stands still and one alias, live of the function board, which has the version 1.
type harness struct {
	t     testing.TB
	impl  *Service
	desc  service.Service
	store store.Store
	clock *clock.Fake
	jobs  *events.Queue
	ctx   context.Context

	mu sync.Mutex // guards the fields below
	// version and weights are those of the alias; log has its changes and the calls of hooks.
	version  string
	revision int
	log      []string
	refuse   error
	last     string // the payload of the last hook
	// alarm is the state of the one alarm, late; empty when there is none.
	alarm string
	// after is called once, after the first call of an operation.
	after map[string]func()
}

func in(t *testing.T, fn func(t *testing.T, h *harness)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { fn(t, newHarness(t)) })
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	h := &harness{t: t, clock: clock.NewFake(start), store: mem.New(), version: "1", alarm: "OK"}
	deps := service.Deps{Store: h.store, Door: h, Clock: h.clock, Random: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	h.desc, h.impl = New(deps, Options{Roles: fake.Roles{}})
	h.run()
	h.ctx = fake.Root(t.Context(), "111111111111", "eu-west-1")
	t.Cleanup(func() {
		if err := errors.Join(h.jobs.Close(), h.store.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

// run begins to run jobs, as a start of the platform does.
func (h *harness) run() {
	h.t.Helper()
	h.jobs = events.New(h.store, h.clock, slog.New(slog.DiscardHandler))
	if err := errors.Join(h.jobs.Register(h.desc.Jobs...), h.jobs.Start(h.t.Context())); err != nil {
		h.t.Fatal(err)
	}
}

// Call implements [service.Door].
func (h *harness) Call(ctx context.Context, apiName, operation string, in any) (any, error) {
	if apiName == "codedeploy" {
		for _, b := range h.desc.Operations {
			if b.Name == operation {
				return b.Call(ctx, in)
			}
		}
	}
	defer h.afterCall(operation)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse != nil {
		return nil, h.refuse
	}
	at := h.clock.Now().Format("15:04")
	switch in := in.(type) {
	case *cloudwatch.DescribeAlarmsInput:
		out := &cloudwatch.DescribeAlarmsOutput{}
		if h.alarm != "" {
			out.MetricAlarms = []cloudwatch.MetricAlarm{{AlarmName: new("late"), StateValue: h.alarm}}
		}
		return out, nil
	case *lambda.GetAliasInput:
		return &lambda.GetAliasOutput{FunctionVersion: new(h.version), RevisionId: new(strconv.Itoa(h.revision))}, nil
	case *lambda.UpdateAliasInput:
		if *in.RevisionId != strconv.Itoa(h.revision) {
			return nil, service.Errorf("PreconditionFailedException", "The revision is another.").WithStatus(412)
		}
		h.version, h.revision = *in.FunctionVersion, h.revision+1
		h.log = append(h.log, fmt.Sprintf("%s alias %s %v", at, h.version, in.RoutingConfig.AdditionalVersionWeights))
		return &lambda.UpdateAliasOutput{}, nil
	case *lambda.InvokeInput:
		h.log, h.last = append(h.log, at+" hook "+in.FunctionName), string(in.Payload)
		return &lambda.InvokeOutput{}, nil
	}
	return nil, fmt.Errorf("unexpected call of %s %s", apiName, operation)
}

// afterCall calls what has to happen after a call.
func (h *harness) afterCall(operation string) {
	h.mu.Lock()
	f := h.after[operation]
	delete(h.after, operation)
	h.mu.Unlock()
	if f != nil {
		f()
	}
}

// Allow implements [service.Door].
func (h *harness) Allow(context.Context, service.Target) error { return nil }

func (h *harness) seen() []string {
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.log
	h.log = nil
	return out
}

func do[Out any](h *harness, operation string, in any) *Out {
	h.t.Helper()
	out, err := service.Call[Out](h.ctx, h, "codedeploy", operation, in)
	if err != nil {
		h.t.Fatalf("%s: %v", operation, err)
	}
	return out
}

// deploy begins a deployment of the version 2 with a configuration and hooks.
func (h *harness) deploy(config string, hooks ...string) (id string) {
	h.t.Helper()
	if _, err := h.impl.viewApplication(h.ctx, "app"); err != nil {
		do[api.CreateApplicationOutput](h, "CreateApplication", &api.CreateApplicationInput{ApplicationName: "app", ComputePlatform: "Lambda"})
		do[api.CreateDeploymentGroupOutput](h, "CreateDeploymentGroup", &api.CreateDeploymentGroupInput{
			ApplicationName: "app", DeploymentGroupName: "group", ServiceRoleArn: role,
			AutoRollbackConfiguration: &api.AutoRollbackConfiguration{Enabled: new(true), Events: []string{"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_REQUEST", "DEPLOYMENT_STOP_ON_ALARM"}},
			AlarmConfiguration:        &api.AlarmConfiguration{Enabled: new(true), Alarms: []api.Alarm{{Name: new("late")}}},
		})
	}
	return *do[api.CreateDeploymentOutput](h, "CreateDeployment", h.wanted(config, hooks...)).DeploymentId
}

func (h *harness) wanted(config string, hooks ...string) *api.CreateDeploymentInput {
	spec := "version: 0.0\nResources:\n  - board: {Type: AWS::Lambda::Function, Properties: {Name: board, Alias: live, CurrentVersion: '1', TargetVersion: 2}}\nHooks: [" + strings.Join(hooks, ", ") + "]"
	return &api.CreateDeploymentInput{
		ApplicationName: "app", DeploymentGroupName: new("group"), DeploymentConfigName: new("CodeDeployDefault.Lambda" + config),
		Revision: &api.RevisionLocation{RevisionType: "AppSpecContent", AppSpecContent: &api.AppSpecContent{Content: &spec}},
	}
}

func (h *harness) info(id string) *api.DeploymentInfo {
	h.t.Helper()
	synctest.Wait()
	return do[api.GetDeploymentOutput](h, "GetDeployment", &api.GetDeploymentInput{DeploymentId: id}).DeploymentInfo
}

func (h *harness) want(id, status string) *api.DeploymentInfo {
	h.t.Helper()
	d := h.info(id)
	if d.Status != status {
		h.t.Fatalf("the deployment is %s, want %s (%v)", d.Status, status, d.ErrorInformation)
	}
	return d
}

func TestTrafficMovesAsTheConfigurationSays(t *testing.T) {
	for config, c := range map[string]struct {
		step time.Duration
		want []string
	}{
		"AllAtOnce":               {0, []string{"12:00 alias 2 map[]"}},
		"Canary10Percent5Minutes": {5 * time.Minute, []string{"12:00 alias 1 map[2:0.1]", "12:05 alias 2 map[]"}},
		"Linear10PercentEvery1Minute": {time.Minute, []string{
			"12:00 alias 1 map[2:0.1]", "12:01 alias 1 map[2:0.2]", "12:02 alias 1 map[2:0.3]", "12:03 alias 1 map[2:0.4]", "12:04 alias 1 map[2:0.5]",
			"12:05 alias 1 map[2:0.6]", "12:06 alias 1 map[2:0.7]", "12:07 alias 1 map[2:0.8]", "12:08 alias 1 map[2:0.9]", "12:09 alias 2 map[]",
		}},
	} {
		t.Run(config, func(t *testing.T) {
			in(t, func(t *testing.T, h *harness) {
				id := h.deploy(config)
				got := h.seen()
				for len(got) < len(c.want) {
					h.want(id, "InProgress")
					h.clock.Advance(c.step)
					more := h.seen()
					if len(more) == 0 {
						break
					}
					got = append(got, more...)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Error(diff)
				}
				h.want(id, "Succeeded")
			})
		})
	}
}

func TestDeploymentsGoOnAfterARestart(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		id := h.deploy("Canary10Percent5Minutes")
		h.seen()
		if err := h.jobs.Close(); err != nil {
			t.Fatal(err)
		}
		h.clock.Advance(time.Hour)
		h.run()
		if diff := cmp.Diff([]string{"13:00 alias 2 map[]"}, h.seen()); diff != "" {
			t.Error(diff)
		}
		h.want(id, "Succeeded")
	})
}

// report is the report of the last hook that was called.
func (h *harness) report(status string) error {
	parts := strings.Split(h.last, `"`) // {"DeploymentId":"…","LifecycleEventHookExecutionId":"…"}
	_, err := service.Call[api.PutLifecycleEventHookExecutionStatusOutput](h.ctx, h, "codedeploy", "PutLifecycleEventHookExecutionStatus", &api.PutLifecycleEventHookExecutionStatusInput{
		DeploymentId: &parts[3], LifecycleEventHookExecutionId: &parts[7], Status: status,
	})
	return err
}

func TestHooksAreAskedBeforeAndAfter(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		id := h.deploy("AllAtOnce", "BeforeAllowTraffic: before", "AfterAllowTraffic: after")
		if diff := cmp.Diff([]string{"12:00 hook before"}, h.seen()); diff != "" {
			t.Fatal(diff)
		}
		if err := h.report("Unknown"); service.Code(err) != "InvalidLifecycleEventHookExecutionStatusException" {
			t.Errorf("another status: %v", err)
		}
		if err := h.report("Succeeded"); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"12:00 alias 2 map[]", "12:00 hook after"}, h.seen()); diff != "" {
			t.Fatal(diff)
		}
		if err := h.report("Succeeded"); err != nil {
			t.Fatal(err)
		}
		h.want(id, "Succeeded")
		if err := h.report("Succeeded"); service.Code(err) != "LifecycleEventAlreadyCompletedException" {
			t.Errorf("a second report: %v", err)
		}
		target := do[api.GetDeploymentTargetOutput](h, "GetDeploymentTarget", &api.GetDeploymentTargetInput{DeploymentId: id, TargetId: "board:live"}).DeploymentTarget.LambdaTarget
		for _, e := range target.LifecycleEvents {
			if e.Status != "Succeeded" {
				t.Errorf("the event %s is %s", *e.LifecycleEventName, e.Status)
			}
		}
	})
}

func TestFailedDeploymentsAreRolledBack(t *testing.T) {
	for name, c := range map[string]struct {
		hooks  []string
		fail   func(h *harness, id string)
		status string
		code   string
		want   []string
	}{
		"a hook says no": {[]string{"AfterAllowTraffic: after"}, func(h *harness, _ string) {
			h.t.Helper()
			if err := h.report("Failed"); err != nil {
				h.t.Fatal(err)
			}
		}, "Failed", codeHook, []string{"12:00 alias 2 map[]", "12:00 hook after", "12:00 alias 1 map[]"}},
		"a hook says nothing": {
			[]string{"AfterAllowTraffic: after"},
			func(h *harness, _ string) { h.clock.Advance(time.Hour) },
			"Failed", codeHook,
			[]string{"12:00 alias 2 map[]", "12:00 hook after", "13:00 alias 1 map[]"},
		},
		"it is stopped": {[]string{"AfterAllowTraffic: after"}, func(h *harness, id string) {
			h.t.Helper()
			do[api.StopDeploymentOutput](h, "StopDeployment", &api.StopDeploymentInput{DeploymentId: id})
		}, "Stopped", codeStopped, []string{"12:00 alias 2 map[]", "12:00 hook after", "12:00 alias 1 map[]"}},
		"an alarm goes off": {
			[]string{"AfterAllowTraffic: after"},
			func(h *harness, _ string) { h.goOff("late") },
			"Stopped", codeAlarm,
			[]string{"12:00 alias 2 map[]", "12:00 hook after", "12:00 alias 1 map[]"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, h *harness) {
				id := h.deploy("AllAtOnce", c.hooks...)
				got := h.seen()
				c.fail(h, id)
				if diff := cmp.Diff(c.want, append(got, h.seen()...)); diff != "" {
					t.Error(diff)
				}
				d := h.want(id, c.status)
				if d.ErrorInformation == nil || d.ErrorInformation.Code != c.code {
					t.Errorf("the failure is %+v, want %s", d.ErrorInformation, c.code)
				}
				back := h.want(*d.RollbackInfo.RollbackDeploymentId, "Succeeded")
				if back.Creator != "codeDeployRollback" || *back.RollbackInfo.RollbackTriggeringDeploymentId != id {
					t.Errorf("the rollback is %+v", back)
				}
				if err := h.impl.Await(h.ctx, id); service.Code(err) != c.code {
					t.Errorf("who waits for it is told %v", err)
				}
			})
		})
	}
}

func TestDeploymentsThatAreStoppedWhileTrafficMoves(t *testing.T) {
	for operation, want := range map[string][]string{
		"UpdateAlias": {"12:00 alias 1 map[2:0.1]", "12:00 alias 1 map[]"}, // the step has not written yet that it moved traffic
		"GetAlias":    {"12:00 alias 1 map[]"},                             // and must not move it any more
	} {
		t.Run(operation, func(t *testing.T) {
			in(t, func(t *testing.T, h *harness) {
				h.after = map[string]func(){operation: func() { h.goOff("late") }}
				id := h.deploy("Canary10Percent5Minutes")
				if diff := cmp.Diff(want, h.seen()); diff != "" {
					t.Error(diff)
				}
				h.want(*h.want(id, "Stopped").RollbackInfo.RollbackDeploymentId, "Succeeded")
			})
		})
	}
}

func TestAnAliasThatSomebodyElseChangesIsReadAgain(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.after = map[string]func(){"GetAlias": func() {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.revision++
		}}
		id := h.deploy("AllAtOnce")
		h.seen()
		h.clock.Advance(time.Minute)
		if diff := cmp.Diff([]string{"12:01 alias 2 map[]"}, h.seen()); diff != "" {
			t.Error(diff)
		}
		h.want(id, "Succeeded")
	})
}

// goOff lets an alarm go off.
func (h *harness) goOff(name string) {
	h.t.Helper()
	if err := h.store.Update(h.ctx, func(tx store.Txn) error { return h.impl.AlarmEntered(tx, "111111111111", "eu-west-1", name) }); err != nil {
		h.t.Fatal(err)
	}
}

func TestAlarmsOfOthersStopNothing(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		id := h.deploy("Canary10Percent5Minutes")
		h.goOff("other")
		h.want(id, "InProgress")
		h.clock.Advance(5 * time.Minute)
		h.want(id, "Succeeded")
		h.goOff("late") // nobody watches it any more
		h.want(id, "Succeeded")
	})
}

func TestADeploymentDoesNotBeginUnderAnAlarm(t *testing.T) {
	for state, status := range map[string]string{"ALARM": "Stopped", "": "Stopped", "INSUFFICIENT_DATA": "InProgress"} {
		in(t, func(t *testing.T, h *harness) {
			h.alarm = state
			d := h.want(h.deploy("Canary10Percent5Minutes"), status)
			if status == "Stopped" && (d.ErrorInformation.Code != codeAlarm || d.RollbackInfo != nil || len(h.seen()) != 0) {
				t.Errorf("%q: %+v %+v", state, d.ErrorInformation, d.RollbackInfo)
			}
		})
	}
}

func TestGroupsShowTheirAlarms(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.deploy("AllAtOnce")
		group := func() *api.AlarmConfiguration {
			return do[api.GetDeploymentGroupOutput](h, "GetDeploymentGroup", &api.GetDeploymentGroupInput{ApplicationName: "app", DeploymentGroupName: "group"}).DeploymentGroupInfo.AlarmConfiguration
		}
		if got := group(); got == nil || len(got.Alarms) != 1 || *got.Alarms[0].Name != "late" {
			t.Errorf("%+v", got)
		}
		do[api.UpdateDeploymentGroupOutput](h, "UpdateDeploymentGroup", &api.UpdateDeploymentGroupInput{
			ApplicationName: "app", CurrentDeploymentGroupName: "group", AlarmConfiguration: &api.AlarmConfiguration{Enabled: new(false)},
		})
		if got := group(); got != nil {
			t.Errorf("%+v", got)
		}
	})
}

func TestDeploymentsThatCannotBegin(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.deploy("Canary10Percent5Minutes")
		for name, c := range map[string]struct {
			change func(in *api.CreateDeploymentInput)
			code   string
		}{
			"one is under way":    {func(*api.CreateDeploymentInput) {}, "DeploymentLimitExceededException"},
			"no such application": {func(in *api.CreateDeploymentInput) { in.ApplicationName = "none" }, codeNoApplication},
			"no such group":       {func(in *api.CreateDeploymentInput) { in.DeploymentGroupName = new("none") }, codeNoGroup},
			"no revision":         {func(in *api.CreateDeploymentInput) { in.Revision = nil }, "RevisionRequiredException"},
			"a bad hook":          {func(in *api.CreateDeploymentInput) { in.Revision = h.wanted("AllAtOnce", "Later: x").Revision }, "InvalidRevisionException"},
			"no alarm": {func(in *api.CreateDeploymentInput) {
				in.OverrideAlarmConfiguration = &api.AlarmConfiguration{Enabled: new(true)}
			}, "InvalidAlarmConfigException"},
			"an alarm twice": {func(in *api.CreateDeploymentInput) {
				in.OverrideAlarmConfiguration = &api.AlarmConfiguration{Enabled: new(true), Alarms: []api.Alarm{{Name: new("a")}, {Name: new("a")}}}
			}, "InvalidAlarmConfigException"},
		} {
			in := h.wanted("AllAtOnce")
			c.change(in)
			if _, err := service.Call[api.CreateDeploymentOutput](h.ctx, h, "codedeploy", "CreateDeployment", in); service.Code(err) != c.code {
				t.Errorf("%s: %v, want %s", name, err, c.code)
			}
		}
	})
}

func TestAnAliasWithAnotherVersionIsLeftAlone(t *testing.T) {
	in(t, func(t *testing.T, h *harness) {
		h.version = "7"
		id := h.deploy("AllAtOnce")
		d := h.want(id, "Failed")
		if d.ErrorInformation.Code != codeAlias || !strings.Contains(opt.Value(d.ErrorInformation.Message), "has the version 7") {
			t.Errorf("the failure is %s: %s", d.ErrorInformation.Code, opt.Value(d.ErrorInformation.Message))
		}
	})
}
