package cloudformation

import (
	"context"
	"errors"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// rollbackRecord is a stack's rollback configuration: the alarms that undo an operation when they go off while it runs, or for some minutes after it has made everything. See
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_RollbackConfiguration.html.
type rollbackRecord struct {
	Triggers []triggerRecord `json:",omitempty"`
	Minutes  int32           `json:",omitempty"`
	// Keep tells that a call named no triggers, so that those of the stack stay.
	Keep bool `json:",omitempty"`
}

type triggerRecord struct{ ARN, Type string }

var _ port.AlarmWatcher = (*Service)(nil)

// rollbackOf checks a rollback configuration; nil for none.
func rollbackOf(c *cloudformation.RollbackConfiguration) (*rollbackRecord, error) {
	if c == nil {
		return nil, nil //nolint:nilnil // nothing was given, and nothing is wrong
	}
	r := &rollbackRecord{Minutes: deref(c.MonitoringTimeInMinutes), Keep: c.RollbackTriggers == nil}
	for _, t := range c.RollbackTriggers {
		if t.Type != "AWS::CloudWatch::Alarm" && t.Type != "AWS::CloudWatch::CompositeAlarm" {
			return nil, invalid("Rollback Trigger Type not supported")
		}
		if parts := strings.SplitN(t.Arn, ":", 7); len(parts) < 7 || parts[5] != "alarm" {
			return nil, invalid("RelativeId of a Rollback Trigger's ARN is incorrect")
		}
		r.Triggers = append(r.Triggers, triggerRecord{t.Arn, t.Type})
	}
	return r, nil
}

// over returns what a stack has when a call gives it a configuration: the given one, or what it had.
func (r *rollbackRecord) over(old *rollbackRecord) *rollbackRecord {
	if r == nil {
		return old
	}
	out := rollbackRecord{Triggers: r.Triggers, Minutes: r.Minutes}
	if r.Keep && old != nil {
		out.Triggers = old.Triggers
	}
	return &out
}

// shown is a configuration as answers have it.
func (r *rollbackRecord) shown() *cloudformation.RollbackConfiguration {
	out := &cloudformation.RollbackConfiguration{}
	if r == nil {
		return out
	}
	if r.Minutes > 0 || len(r.Triggers) > 0 {
		out.MonitoringTimeInMinutes = &r.Minutes
	}
	for _, t := range r.Triggers {
		out.RollbackTriggers = append(out.RollbackTriggers, cloudformation.RollbackTrigger{Arn: t.ARN, Type: t.Type})
	}
	return out
}

// alarm returns the name of a trigger's alarm, and whether it is one of an account and region.
func (t *triggerRecord) alarm(p place) (string, bool) {
	a, err := arn.Parse(t.ARN)
	return strings.TrimPrefix(a.Resource, "alarm:"), err == nil && a.Account == p.account && a.Region == p.region
}

// watch lets an operation know of its triggers' alarms that go off, and unwatch forgets it.
func (r *rollbackRecord) watch(tx store.Txn, p place, stackID, operation string) {
	for _, t := range r.Triggers {
		if name, ok := t.alarm(p); ok {
			tx.Set(p.watched(name, stackID), []byte(operation))
		}
	}
}

func (r *rollbackRecord) unwatch(tx store.Txn, p place, stackID string) {
	for _, t := range r.Triggers {
		if name, ok := t.alarm(p); ok {
			tx.Delete(p.watched(name, stackID))
		}
	}
}

// wentOff is why an alarm ends an operation, as the beginning of the stack's reason.
func wentOff(alarm string) string {
	return "The rollback trigger " + alarm + " is in the ALARM state. "
}

// AlarmEntered ends the operations that an alarm is a rollback trigger of, in the commit in which it goes off.
func (s *Service) AlarmEntered(tx store.Txn, account, region, name string) error {
	p := place{account: account, region: region}
	for row, err := range tx.Range(p.watchers(name).Span()) {
		if err != nil {
			return err
		}
		stackID, operation := key.Decode(row.Key).Skip(p.watchers(name)).Str(), string(row.Value)
		op, there, err := record.Get[operationRecord](tx, p.operation(stackID))
		if err != nil {
			return err
		}
		if !there || op.ID != operation || op.Phase != deploy.Forward {
			continue
		}
		why := wentOff(arn.New("cloudwatch", region, account, "alarm:"+name).String())
		if err := record.Set(tx, p.alarmed(op.ID), why); err != nil {
			return err
		}
		tx.OnCommit(func() { s.endNow(op.ID, why) })
	}
	return nil
}

// checkTriggers tells why an operation must not begin: a trigger is missing, or has gone off already. It reads them with the rights of the operation.
func (s *Service) checkTriggers(ctx context.Context, r *rollbackRecord) (string, error) {
	for _, t := range r.Triggers {
		name, ok := t.alarm(placeOf(ctx))
		out := &cloudwatch.DescribeAlarmsOutput{}
		if ok {
			kind := strings.TrimPrefix(t.Type, "AWS::CloudWatch::")
			if kind == "Alarm" {
				kind = cloudwatch.AlarmTypeMetricAlarm
			}
			var err error
			out, err = service.Call[cloudwatch.DescribeAlarmsOutput](ctx, s.Door, "cloudwatch", "DescribeAlarms", &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}, AlarmTypes: []string{kind}})
			var refused *service.Error
			if errors.As(err, &refused) && refused.Status < 500 {
				return "The rollback trigger " + t.ARN + " cannot be read: " + refused.Message, nil
			}
			if err != nil {
				return "", err
			}
		}
		switch {
		case len(out.MetricAlarms)+len(out.CompositeAlarms) == 0:
			return "The rollback trigger " + t.ARN + " does not exist", nil
		case len(out.MetricAlarms) > 0 && out.MetricAlarms[0].StateValue == cloudwatch.StateValueAlarm,
			len(out.CompositeAlarms) > 0 && out.CompositeAlarms[0].StateValue == cloudwatch.StateValueAlarm:
			return strings.TrimSuffix(wentOff(t.ARN), ". "), nil
		}
	}
	return "", nil
}

// monitor waits while the triggers of an operation that has made everything are watched, or until the operation ends early. How long that is outlives a restart.
func (j *journal) monitor(ctx context.Context, ended <-chan struct{}) error {
	j.mu.Lock()
	op := j.op
	j.mu.Unlock()
	if op.MonitorUntil.IsZero() {
		op.MonitorUntil = j.s.Clock.Now().Add(time.Duration(op.Rollback.Minutes) * time.Minute)
		if err := j.s.Store.Update(ctx, func(tx store.Txn) error { return record.Set(tx, j.p.operation(j.stackID), op) }); err != nil {
			return err
		}
		j.mu.Lock()
		j.op.MonitorUntil = op.MonitorUntil
		j.mu.Unlock()
	}
	wait, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-ended:
			stop()
		case <-wait.Done():
		}
	}()
	_ = clock.Sleep(wait, j.s.Clock, op.MonitorUntil.Sub(j.s.Clock.Now())) // how it ended is asked below
	return ctx.Err()
}
