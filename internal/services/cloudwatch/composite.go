package cloudwatch

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/cloudwatch"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
)

// compositeAlarm is what an alarm on other alarms has.
type compositeAlarm struct {
	Rule string
	// Names are the alarms that the rule names.
	Names []string `json:",omitempty"`
	// Suppressor is the alarm whose state ALARM suppresses the actions, as the call named it, and SuppressorName its name.
	Suppressor     string        `json:",omitempty"`
	SuppressorName string        `json:",omitempty"`
	Wait           time.Duration `json:",omitempty"`
	Extension      time.Duration `json:",omitempty"`
	// Held is the state before the one whose actions are held back.
	Held *state `json:",omitempty"`
	// Until is when the wait or extension period ends.
	Until time.Time `json:",omitzero"`
}

func (c *compositeAlarm) children() []string { return c.Names }

func (c *compositeAlarm) link(tx store.Txn, s scope, name string) {
	for _, child := range c.Names {
		tx.Set(s.parent(child, name), nil)
	}
	if c.SuppressorName != "" {
		tx.Set(s.suppresses(c.SuppressorName, name), nil)
	}
}

func (c *compositeAlarm) unlink(tx store.Txn, s scope, name string) {
	for _, child := range c.Names {
		tx.Delete(s.parent(child, name))
	}
	if c.SuppressorName != "" {
		tx.Delete(s.suppresses(c.SuppressorName, name))
	}
}

// dependents are the composite alarms that need an alarm.
func dependents(r store.Reader, s scope, name string) ([]string, error) {
	parents, err := namesUnder(r, s.parents(name))
	if err != nil {
		return nil, err
	}
	suppressed, err := namesUnder(r, s.suppressed(name))
	all := append(parents, suppressed...)
	slices.Sort(all)
	return slices.Compact(all), err
}

// shownComposite is a composite alarm as answers have it.
func (a *alarm) shownComposite(s scope) api.CompositeAlarm {
	c := a.Composite
	out := api.CompositeAlarm{
		AlarmName: &a.Name, AlarmArn: new(s.alarmARN(a.Name)), AlarmDescription: a.Description, AlarmConfigurationUpdatedTimestamp: &a.Configured, AlarmRule: &c.Rule,
		ActionsEnabled: new(!a.Quiet), OKActions: list(a.OK), AlarmActions: list(a.Alarm), InsufficientDataActions: list(a.Insufficient),
		StateValue: a.State.Value, StateReason: &a.State.Reason, StateReasonData: opt.Of(a.State.Data), StateUpdatedTimestamp: &a.State.Updated, StateTransitionedTimestamp: &a.Transitioned,
		ActionsSuppressedBy: a.State.SuppressedBy, ActionsSuppressedReason: opt.Of(a.State.suppressedReason()),
	}
	if c.Suppressor != "" {
		out.ActionsSuppressor, out.ActionsSuppressorWaitPeriod, out.ActionsSuppressorExtensionPeriod = &c.Suppressor, new(int32(c.Wait/time.Second)), new(int32(c.Extension/time.Second))
	}
	return out
}

// putCompositeAlarm makes an alarm on other alarms, or changes one; its rule is evaluated at once.
func (m *Metrics) putCompositeAlarm(ctx context.Context, in *api.PutCompositeAlarmInput) (*api.PutCompositeAlarmOutput, error) {
	if err := checkActions("PutCompositeAlarm", in.OKActions, in.AlarmActions, in.InsufficientDataActions); err != nil {
		return nil, err
	}
	s := scopeOf(ctx)
	c, err := compositeOf(s, in)
	if err != nil {
		return nil, err
	}
	err = m.deps.Store.Update(ctx, func(tx store.Txn) error {
		own := *c
		a := alarm{
			Name: in.AlarmName, Description: in.AlarmDescription, Quiet: in.ActionsEnabled != nil && !*in.ActionsEnabled,
			OK: in.OKActions, Alarm: in.AlarmActions, Insufficient: in.InsufficientDataActions, Composite: &own,
		}
		if err := own.check(tx, s, a.Name); err != nil {
			return err
		}
		old, updated, err := readAlarm(tx, s, a.Name)
		if err != nil {
			return err
		}
		if err := m.put(tx, s, a, in.Tags); err != nil {
			return err
		}
		return m.compositePut(tx, s, a.Name, &old, updated)
	})
	return &api.PutCompositeAlarmOutput{}, storeError(err)
}

// compositeOf checks what a call wants.
func compositeOf(s scope, in *api.PutCompositeAlarmInput) (*compositeAlarm, error) {
	r, err := parseRule(s, in.AlarmRule)
	if err != nil {
		return nil, err
	}
	c := &compositeAlarm{Rule: in.AlarmRule, Names: r.names}
	wait, extension := in.ActionsSuppressorWaitPeriod, in.ActionsSuppressorExtensionPeriod
	if in.ActionsSuppressor == nil {
		if wait != nil || extension != nil {
			return nil, badCombination("ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod need an ActionsSuppressor.")
		}
		return c, nil
	}
	if wait == nil || extension == nil || *wait < 0 || *extension < 0 {
		return nil, badCombination("ActionsSuppressor needs ActionsSuppressorWaitPeriod and ActionsSuppressorExtensionPeriod, in seconds from 0.")
	}
	c.Suppressor, c.Wait, c.Extension = *in.ActionsSuppressor, time.Duration(*wait)*time.Second, time.Duration(*extension)*time.Second
	c.SuppressorName, err = alarmNamed(s, c.Suppressor)
	return c, err
}

// check refuses a composite alarm that needs alarms that are not there, or itself.
func (c *compositeAlarm) check(r store.Reader, s scope, name string) error {
	needs := slices.Clone(c.Names)
	if c.SuppressorName != "" {
		needs = append(needs, c.SuppressorName)
	}
	var missing []string
	seen := map[string]bool{}
	for i := 0; i < len(needs); i++ {
		n := needs[i]
		if n == name {
			return invalid("Could not save the composite alarm: %s would depend on itself. Leave out of its rule the alarms whose rules name it.", name)
		}
		if seen[n] {
			continue
		}
		seen[n] = true
		a, there, err := readAlarm(r, s, n)
		switch {
		case err != nil:
			return err
		case !there:
			missing = append(missing, n)
		case a.Composite != nil:
			needs = append(needs, a.Composite.Names...)
			if a.Composite.SuppressorName != "" {
				needs = append(needs, a.Composite.SuppressorName)
			}
		}
	}
	if len(missing) > 0 {
		return invalid("Could not save the composite alarm as alarms [%s] in the alarm rule do not exist", strings.Join(missing, ", "))
	}
	return nil
}

// compositePut evaluates a composite alarm that was written.
func (m *Metrics) compositePut(tx store.Txn, s scope, name string, old *alarm, updated bool) error {
	a, _, err := readAlarm(tx, s, name)
	if err != nil {
		return err
	}
	if updated {
		if err := m.keepHeld(tx, s, &a, old.Composite); err != nil {
			return err
		}
	}
	value, err := a.Composite.value(tx, s)
	if err != nil || value == a.State.Value {
		return err
	}
	verb := "created"
	if updated {
		verb = "updated"
	}
	data, err := triggeredBy(tx, s, a.Composite.Names...)
	if err != nil {
		return err
	}
	return m.enter(tx, s, &a, state{Value: value, Reason: s.alarmARN(name) + " was " + verb + " and its alarm rule evaluates to " + value, Data: data, Updated: m.now()})
}

// value is the state that the rule makes of the alarms' states.
func (c *compositeAlarm) value(r store.Reader, s scope) (string, error) {
	parsed, err := parseRule(s, c.Rule)
	if err != nil {
		return "", err
	}
	value := api.StateValueOk
	if parsed.holds(func(name string) string {
		a, there, bad := readAlarm(r, s, name)
		if bad != nil {
			err = bad
		}
		if !there {
			return api.StateValueInsufficientData
		}
		return a.State.Value
	}) {
		value = api.StateValueAlarm
	}
	return value, err
}

// triggering is the document of the reason of a composite alarm's state.
type triggering struct {
	Alarms []triggeringAlarm `json:"triggeringAlarms"`
}

type triggeringAlarm struct {
	ARN   string `json:"arn"`
	State struct {
		Value     string `json:"value"`
		Timestamp string `json:"timestamp"`
	} `json:"state"`
}

// triggeredBy returns the document of the alarms of the names.
func triggeredBy(r store.Reader, s scope, names ...string) (string, error) {
	out := triggering{Alarms: []triggeringAlarm{}}
	for _, name := range names {
		a, there, err := readAlarm(r, s, name)
		if err != nil {
			return "", err
		}
		if !there {
			continue
		}
		t := triggeringAlarm{ARN: s.alarmARN(name)}
		t.State.Value, t.State.Timestamp = a.State.Value, a.State.Updated.Format(documentTime)
		out.Alarms = append(out.Alarms, t)
	}
	b, err := json.Marshal(out)
	return string(b), err
}

// childEntered evaluates the composite alarms whose rules name an alarm that has come into another state.
func (m *Metrics) childEntered(tx store.Txn, s scope, child *alarm) error {
	parents, err := namesUnder(tx, s.parents(child.Name))
	if err != nil {
		return err
	}
	for _, name := range parents {
		a, there, err := readAlarm(tx, s, name)
		if err != nil {
			return err
		}
		if !there || a.Composite == nil {
			continue
		}
		value, err := a.Composite.value(tx, s)
		if err != nil {
			return err
		}
		if value == a.State.Value {
			continue
		}
		data, err := triggeredBy(tx, s, child.Name)
		if err != nil {
			return err
		}
		reason := s.alarmARN(child.Name) + " transitioned to " + child.State.Value + " at " + child.State.Updated.Format(compositeTime)
		if err := m.enter(tx, s, &a, state{Value: value, Reason: reason, Data: data, Updated: child.State.Updated}); err != nil {
			return err
		}
	}
	return nil
}
