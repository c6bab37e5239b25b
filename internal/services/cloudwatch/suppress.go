package cloudwatch

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// releaseKind is the durable timer that ends the wait or extension period of a composite alarm.
const releaseKind = "cloudwatch.release"

func releaseName(s scope, name string) string { return s.account + "/" + s.region + "/" + name }

// actUnlessSuppressed enqueues the actions of a composite alarm that has come into a state, or holds them back: while its suppressor is in ALARM, for an extension period
// after that, and at first for a wait period in which the suppressor may come into ALARM
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Create_Composite_Alarm.html, "Alarm suppression").
// An alarm that ends while its actions are held back ends as silently as it began.
func (m *Metrics) actUnlessSuppressed(tx store.Txn, s scope, a *alarm, was state) error {
	c := a.Composite
	if c.SuppressorName == "" || a.Quiet {
		return m.act(tx, s, a, was)
	}
	if c.Held != nil {
		c.Held = nil
		if a.State.Value != api.StateValueAlarm {
			return events.Cancel(tx, releaseKind, releaseName(s, a.Name))
		}
	}
	suppressor, _, err := readAlarm(tx, s, c.SuppressorName)
	if err != nil {
		return err
	}
	now := m.now()
	switch {
	case suppressor.State.Value == api.StateValueAlarm:
		return m.hold(tx, s, a, was, api.ActionsSuppressedByAlarm, time.Time{})
	case now.Before(c.Until):
		return m.hold(tx, s, a, was, api.ActionsSuppressedByExtensionPeriod, c.Until)
	case a.State.Value == api.StateValueAlarm && c.Wait > 0:
		return m.hold(tx, s, a, was, api.ActionsSuppressedByWaitPeriod, now.Add(c.Wait))
	}
	return m.act(tx, s, a, was)
}

// hold holds back the actions of an alarm, until a time unless that is zero.
func (m *Metrics) hold(tx store.Txn, s scope, a *alarm, was state, by string, until time.Time) error {
	a.Composite.Held, a.Composite.Until, a.State.SuppressedBy = &was, until, by
	if until.IsZero() {
		return events.Cancel(tx, releaseKind, releaseName(s, a.Name))
	}
	return events.Enqueue(tx, events.Job{Kind: releaseKind, Name: releaseName(s, a.Name), Payload: key.New(s.account, s.region, a.Name), NotBefore: until})
}

// suppressorEntered tells the composite alarms that an alarm suppresses that it has come into another state.
func (m *Metrics) suppressorEntered(tx store.Txn, s scope, suppressor *alarm, was state) error {
	names, err := namesUnder(tx, s.suppressed(suppressor.Name))
	if err != nil {
		return err
	}
	for _, name := range names {
		a, there, err := readAlarm(tx, s, name)
		if err != nil {
			return err
		}
		if !there || a.Composite == nil {
			continue
		}
		if err := m.suppress(tx, s, &a, suppressor.State.Value, was.Value); err != nil {
			return err
		}
	}
	return nil
}

// suppress changes what holds back the actions of an alarm whose suppressor went from one state to another.
func (m *Metrics) suppress(tx store.Txn, s scope, a *alarm, to, from string) error {
	c, before := a.Composite, a.State
	until := m.now().Add(c.Extension)
	switch {
	case to == api.StateValueAlarm && c.Held == nil, to != api.StateValueAlarm && from != api.StateValueAlarm:
		return nil
	case to == api.StateValueAlarm:
		if err := m.hold(tx, s, a, *c.Held, api.ActionsSuppressedByAlarm, time.Time{}); err != nil {
			return err
		}
	case c.Held == nil:
		c.Until = until
		return record.Set(tx, s.alarm(a.Name), a)
	case c.Extension == 0:
		return m.releaseHeld(tx, s, a)
	default:
		if err := m.hold(tx, s, a, *c.Held, api.ActionsSuppressedByExtensionPeriod, until); err != nil {
			return err
		}
	}
	if err := m.publish(tx, s, a, "CloudWatch Alarm State Change", stateDetail(a, before)); err != nil {
		return err
	}
	return record.Set(tx, s.alarm(a.Name), a)
}

// release is the handler of the timer.
func (m *Metrics) release(ctx context.Context, job events.Job) error {
	d := key.Decode(job.Payload)
	s, name := scope{d.Str(), d.Str()}, d.Str()
	if err := d.Done(); err != nil {
		return events.Permanent(err)
	}
	return m.deps.Store.Update(ctx, func(tx store.Txn) error {
		a, there, err := readAlarm(tx, s, name)
		if err != nil || !there || a.Composite == nil || a.Composite.Held == nil || a.Composite.Until.IsZero() || m.now().Before(a.Composite.Until) {
			return err
		}
		return m.releaseHeld(tx, s, &a)
	})
}

// releaseHeld enqueues the actions that were held back.
func (m *Metrics) releaseHeld(tx store.Txn, s scope, a *alarm) error {
	before, held := a.State, *a.Composite.Held
	a.Composite.Held, a.Composite.Until, a.State.SuppressedBy = nil, time.Time{}, ""
	if err := m.publish(tx, s, a, "CloudWatch Alarm State Change", stateDetail(a, before)); err != nil {
		return err
	}
	if err := m.act(tx, s, a, held); err != nil {
		return err
	}
	return record.Set(tx, s.alarm(a.Name), a)
}

// keepHeld carries what is held back over to the new configuration of an alarm, which releases it when the suppressor is another one.
func (m *Metrics) keepHeld(tx store.Txn, s scope, a *alarm, old *compositeAlarm) error {
	if old == nil || old.Held == nil {
		return nil
	}
	a.Composite.Held, a.Composite.Until = old.Held, old.Until
	if a.Composite.SuppressorName == old.SuppressorName {
		return record.Set(tx, s.alarm(a.Name), a)
	}
	if err := events.Cancel(tx, releaseKind, releaseName(s, a.Name)); err != nil {
		return err
	}
	return m.releaseHeld(tx, s, a)
}
