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

const (
	// evaluateKind is the durable timer that evaluates the metric alarms of an account and region that have the same cadence.
	evaluateKind = "cloudwatch.evaluate"
	// evaluateAfter is how long after the end of a period an evaluation waits for its last data.
	evaluateAfter = 2 * time.Second
	// evaluateAlarms bounds the alarms that are evaluated on one view of the store.
	evaluateAlarms = 200
)

// scheduleEvaluation lets an alarm be evaluated from now on.
func (m *Metrics) scheduleEvaluation(tx store.Txn, s scope, a *alarm) error {
	cadence := a.Metric.cadence()
	tx.Set(s.evaluated(cadence, a.Name), nil)
	running, err := record.Has(tx, s.evaluating(cadence))
	if err != nil || running {
		return err
	}
	tx.Set(s.evaluating(cadence), nil)
	return m.enqueueEvaluation(tx, s, cadence)
}

// enqueueEvaluation writes the timer of the next evaluation: shortly after the next full ten seconds, minute or hour.
func (m *Metrics) enqueueEvaluation(tx store.Txn, s scope, cadence time.Duration) error {
	due := m.now().Add(-evaluateAfter).Truncate(cadence).Add(cadence + evaluateAfter)
	return events.Enqueue(tx, events.Job{
		Kind: evaluateKind, Name: s.account + "/" + s.region + "/" + cadence.String(), Payload: key.New(s.account, s.region).Int(int64(cadence)), NotBefore: due,
	})
}

// evaluate is the handler of the timer. Nothing is written for an alarm whose state stays; the timer goes on in the commit that ends it, while there are alarms.
func (m *Metrics) evaluate(ctx context.Context, job events.Job) error {
	d := key.Decode(job.Payload)
	s := scope{d.Str(), d.Str()}
	cadence := time.Duration(d.Int())
	if err := d.Done(); err != nil {
		return events.Permanent(err)
	}
	if err := m.flush(ctx); err != nil {
		return err
	}
	for from := []byte(s.evaluations(cadence)); from != nil; {
		var changes []alarmChange
		err := m.deps.Store.View(ctx, func(r store.Reader) (err error) {
			changes, from, err = m.evaluatePart(r, s, cadence, from)
			return err
		})
		if err != nil {
			return err
		}
		for i := range changes {
			if err := m.apply(ctx, s, &changes[i]); err != nil {
				return err
			}
		}
	}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		for _, err := range tx.Range(store.Span{Lo: s.evaluations(cadence), Hi: s.evaluations(cadence).End(), Limit: 1}) {
			if err != nil {
				return err
			}
			return m.enqueueEvaluation(tx, s, cadence)
		}
		tx.Delete(s.evaluating(cadence))
		return nil
	})
}

// alarmChange is a state that an alarm comes into, when it is still as it was.
type alarmChange struct {
	was alarm
	to  state
}

// evaluatePart evaluates some alarms, and returns which of them change, and where to go on; nil at the end.
func (m *Metrics) evaluatePart(r store.Reader, s scope, cadence time.Duration, from []byte) (changes []alarmChange, next []byte, err error) {
	span := s.evaluations(cadence).Span()
	span.Lo, span.Limit = from, evaluateAlarms
	now, n := m.now(), 0
	for row, err := range r.Range(span) {
		if err != nil {
			return nil, nil, err
		}
		n++
		next = append(append([]byte(nil), row.Key...), 0)
		a, there, err := readAlarm(r, s, key.Decode(row.Key).Skip(s.evaluations(cadence)).Str())
		if err != nil {
			return nil, nil, err
		}
		if !there {
			continue
		}
		to, changed, err := a.Metric.evaluate(r, s, &a.State, now)
		if err != nil {
			return nil, nil, err
		}
		if changed {
			changes = append(changes, alarmChange{a, to})
		}
	}
	if n < evaluateAlarms {
		next = nil
	}
	return changes, next, nil
}

// evaluate returns the state of an alarm, and whether it differs from the one that it has.
func (w *metricAlarm) evaluate(r store.Reader, s scope, was *state, now time.Time) (state, bool, error) {
	slots, err := w.slots(r, s, now)
	if err != nil {
		return state{}, false, err
	}
	q := w.watched()
	v := w.decide(slots, w.missing(q.namespace))
	if v.value == "" || v.value == was.Value || w.tooFew(q.stat, v.considered) {
		return state{}, false, nil
	}
	data, err := w.data(&v, now)
	return state{Value: v.value, Reason: w.reason(&v), Data: data, Updated: now}, true, err
}

// apply brings an alarm into another state, unless it was changed in the meantime.
func (m *Metrics) apply(ctx context.Context, s scope, c *alarmChange) error {
	return m.deps.Store.Update(ctx, func(tx store.Txn) error {
		a, there, err := readAlarm(tx, s, c.was.Name)
		if err != nil || !there || a.Metric == nil || !a.Configured.Equal(c.was.Configured) || !a.State.Updated.Equal(c.was.State.Updated) {
			return err
		}
		return m.enter(tx, s, &a, c.to)
	})
}

// setAlarmState sets the state of an alarm until its next evaluation.
func (m *Metrics) setAlarmState(ctx context.Context, in *api.SetAlarmStateInput) (*api.SetAlarmStateOutput, error) {
	if in.StateReasonData != nil && !isJSON(*in.StateReasonData) {
		return nil, invalidFormat("The value of StateReasonData must be a JSON document.")
	}
	s, now, found := scopeOf(ctx), m.now(), false
	err := m.change(ctx, []string{in.AlarmName}, func(tx store.Txn, a *alarm) error {
		found = true
		to := state{Value: in.StateValue, Reason: in.StateReason, Updated: now}
		if in.StateReasonData != nil {
			to.Data = *in.StateReasonData
		}
		return m.enter(tx, s, a, to)
	})
	if err == nil && !found {
		err = noAlarm()
	}
	return &api.SetAlarmStateOutput{}, err
}
