package cloudwatch

import (
	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// enter brings an alarm into a state: the state, its history, its event, its actions and what composite alarms make of it are one commit.
func (m *Metrics) enter(tx store.Txn, s scope, a *alarm, to state) error {
	was := a.State
	a.State = to
	if was.Value == to.Value {
		return record.Set(tx, s.alarm(a.Name), a)
	}
	a.Transitioned = to.Updated
	if err := m.tell(tx, s, a, was); err != nil {
		return err
	}
	if a.Metric != nil {
		if err := m.act(tx, s, a, was); err != nil {
			return err
		}
	} else if err := m.actUnlessSuppressed(tx, s, a, was); err != nil {
		return err
	}
	if err := record.Set(tx, s.alarm(a.Name), a); err != nil {
		return err
	}
	if to.Value == api.StateValueAlarm {
		for _, w := range m.options.Watchers {
			if err := w.AlarmEntered(tx, s.account, s.region, a.Name); err != nil {
				return err
			}
		}
	}
	if err := m.suppressorEntered(tx, s, a, was); err != nil {
		return err
	}
	return m.childEntered(tx, s, a)
}

// tell writes the history and the event of a change of state.
func (m *Metrics) tell(tx store.Txn, s scope, a *alarm, was state) error {
	if err := m.note(tx, s, a, api.HistoryItemTypeStateUpdate, "", a.State.Updated, "Alarm updated from "+was.Value+" to "+a.State.Value, stateHistory(was, a.State)); err != nil {
		return err
	}
	return m.publish(tx, s, a, "CloudWatch Alarm State Change", stateDetail(a, was))
}

// act enqueues the actions of the state that an alarm has come into.
func (m *Metrics) act(tx store.Txn, s scope, a *alarm, was state) error {
	if a.Quiet {
		return nil
	}
	for _, target := range a.actions(a.State.Value) {
		if err := m.enqueueAction(tx, s, a, was, target); err != nil {
			return err
		}
	}
	return nil
}
