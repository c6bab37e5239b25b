package cloudformation

import (
	"strings"
	"testing"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// triggered is a rollback configuration with the alarm "late".
func triggered(minutes int32) *cloudformation.RollbackConfiguration {
	return &cloudformation.RollbackConfiguration{
		MonitoringTimeInMinutes: &minutes,
		RollbackTriggers:        []cloudformation.RollbackTrigger{{Arn: "arn:aws:cloudwatch:us-east-1:000000000000:alarm:late", Type: "AWS::CloudWatch::Alarm"}},
	}
}

func (e *env) createWatched(body string, c *cloudformation.RollbackConfiguration) {
	e.t.Helper()
	if _, err := call[cloudformation.CreateStackOutput](e, "CreateStack", &cloudformation.CreateStackInput{StackName: "s", TemplateBody: &body, RollbackConfiguration: c}); err != nil {
		e.t.Fatal(err)
	}
}

// goOff lets the alarm of a name go off.
func (e *env) goOff(name string) {
	e.t.Helper()
	if err := e.store.Update(e.ctx, func(tx store.Txn) error { return e.impl.AlarmEntered(tx, "000000000000", "us-east-1", name) }); err != nil {
		e.t.Fatal(err)
	}
}

// monitoring waits until everything is made and the triggers alone are watched.
func (e *env) monitoring() {
	e.t.Helper()
	w := e.store.Watch([]byte("cloudformation"))
	defer w.Close()
	for {
		var ops []operationRecord
		err := e.store.View(e.ctx, func(r store.Reader) (err error) {
			ops, err = record.List[operationRecord](r, placeOf(e.ctx).base("operation").Span())
			return err
		})
		if err != nil {
			e.t.Fatal(err)
		}
		for i := range ops {
			if !ops[i].MonitorUntil.IsZero() {
				return
			}
		}
		select {
		case <-w.C():
		case <-e.t.Context().Done():
			e.t.Fatal("nothing is monitored")
		}
	}
}

func TestRollbackTriggersAreChecked(t *testing.T) {
	for _, c := range []struct{ arn, typ, want string }{
		{"x", "Another", "Rollback Trigger Type not supported"},
		{"arn:aws:cloudwatch:us-east-1:123456789012:example-name", "AWS::CloudWatch::Alarm", "RelativeId of a Rollback Trigger's ARN is incorrect"},
	} {
		_, err := rollbackOf(&cloudformation.RollbackConfiguration{RollbackTriggers: []cloudformation.RollbackTrigger{{Arn: c.arn, Type: c.typ}}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.arn, err)
		}
	}
}

func TestAnAlarmUndoesAStackThatIsMonitored(t *testing.T) {
	now := clock.NewFake(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	e := newEnvAt(t, now)
	e.alarms = map[string]string{"late": "OK"}
	e.createWatched(oneThing, triggered(5))
	e.monitoring()
	e.goOff("other")
	now.Advance(4 * time.Minute)
	e.goOff("late")
	s := e.want("s", "ROLLBACK_COMPLETE")
	if got := s.RollbackConfiguration; len(got.RollbackTriggers) != 1 || *got.MonitoringTimeInMinutes != 5 {
		t.Errorf("%+v", got)
	}
	if got := strings.Join(e.events("s"), "\n"); !strings.Contains(got, "The rollback trigger arn:aws:cloudwatch:us-east-1:000000000000:alarm:late is in the ALARM state. Rollback requested by user.") {
		t.Error(got)
	}
	if got := strings.Join(e.calls, ", "); got != "create A one, delete A" {
		t.Errorf("calls were %s", got)
	}
}

func TestAStackIsDoneWhenItWasMonitoredInPeace(t *testing.T) {
	now := clock.NewFake(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC))
	e := newEnvAt(t, now)
	e.alarms = map[string]string{"late": "INSUFFICIENT_DATA"}
	e.createWatched(oneThing, triggered(5))
	e.monitoring()
	now.Advance(5 * time.Minute)
	e.want("s", "CREATE_COMPLETE")
	e.goOff("late") // which nobody watches any more
	e.want("s", "CREATE_COMPLETE")
	e.alarms["late"] = "ALARM" // the triggers stay for the next operation
	if err := e.update("s", changed("uno", "two")); err != nil {
		t.Fatal(err)
	}
	if s := e.want("s", "UPDATE_ROLLBACK_COMPLETE"); len(s.RollbackConfiguration.RollbackTriggers) != 1 {
		t.Errorf("%+v", s.RollbackConfiguration)
	}
	if got := strings.Join(e.calls, ", "); got != "create A one" {
		t.Errorf("calls were %s", got)
	}
	body := changed("uno", "two")
	in := &cloudformation.UpdateStackInput{StackName: "s", TemplateBody: &body, RollbackConfiguration: &cloudformation.RollbackConfiguration{RollbackTriggers: []cloudformation.RollbackTrigger{}}}
	if _, err := call[cloudformation.UpdateStackOutput](e, "UpdateStack", in); err != nil {
		t.Fatal(err)
	}
	if s := e.want("s", "UPDATE_COMPLETE"); len(s.RollbackConfiguration.RollbackTriggers) != 0 {
		t.Errorf("%+v", s.RollbackConfiguration)
	}
}

func TestAMissingTriggerUndoesAStack(t *testing.T) {
	e := newEnv(t)
	e.createWatched(oneThing, triggered(0))
	e.want("s", "ROLLBACK_COMPLETE")
	if got := strings.Join(e.events("s"), "\n"); !strings.Contains(got, "The rollback trigger arn:aws:cloudwatch:us-east-1:000000000000:alarm:late does not exist") {
		t.Error(got)
	}
	if len(e.calls) != 0 {
		t.Errorf("calls were %s", e.calls)
	}
}

func TestAnAlarmUndoesAnUpdateUnderWay(t *testing.T) {
	e := newEnv(t)
	e.alarms = map[string]string{"late": "OK"}
	e.createWatched(oneThing, triggered(0))
	e.want("s", "CREATE_COMPLETE")
	e.held = make(chan struct{})
	if err := e.update("s", changed("uno", "two")); err != nil {
		t.Fatal(err)
	}
	<-e.held // A is being updated
	e.goOff("late")
	e.held <- struct{}{}
	<-e.held // A is being brought back
	e.held <- struct{}{}
	e.want("s", "UPDATE_ROLLBACK_COMPLETE")
	if got := strings.Join(e.calls, ", "); got != "create A one, update A uno, update A one" {
		t.Errorf("calls were %s", got)
	}
}

func TestAChangeSetCarriesItsTriggers(t *testing.T) {
	e := newEnv(t)
	e.alarms = map[string]string{"late": "OK"}
	body, kind := oneThing, "CREATE"
	if _, err := call[cloudformation.CreateChangeSetOutput](e, "CreateChangeSet", &cloudformation.CreateChangeSetInput{StackName: "s", ChangeSetName: "c", ChangeSetType: kind, TemplateBody: &body, RollbackConfiguration: triggered(0)}); err != nil {
		t.Fatal(err)
	}
	name := "s"
	out, err := call[cloudformation.DescribeChangeSetOutput](e, "DescribeChangeSet", &cloudformation.DescribeChangeSetInput{StackName: &name, ChangeSetName: "c"})
	if err != nil || len(out.RollbackConfiguration.RollbackTriggers) != 1 {
		t.Fatalf("%+v %v", out, err)
	}
	if _, err := call[cloudformation.ExecuteChangeSetOutput](e, "ExecuteChangeSet", &cloudformation.ExecuteChangeSetInput{StackName: &name, ChangeSetName: "c"}); err != nil {
		t.Fatal(err)
	}
	if s := e.want("s", "CREATE_COMPLETE"); len(s.RollbackConfiguration.RollbackTriggers) != 1 {
		t.Errorf("%+v", s.RollbackConfiguration)
	}
}
