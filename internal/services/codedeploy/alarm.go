package codedeploy

import (
	"context"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudwatch"
	api "lambent.dev/lambent/internal/awsapi/codedeploy"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// maxAlarms is how many alarms a deployment group may have (https://docs.aws.amazon.com/codedeploy/latest/userguide/limits.html).
const maxAlarms = 10

// alarms are what stops a deployment.
type alarms struct {
	// Off tells that they are kept and do nothing.
	Off bool `json:",omitempty"`
	// IgnoreFailure lets a deployment go on whose alarms cannot be read.
	IgnoreFailure bool     `json:",omitempty"`
	Names         []string `json:",omitempty"`
}

var _ port.AlarmWatcher = (*Service)(nil)

// alarmsOf reads the alarms of a call.
func alarmsOf(c *api.AlarmConfiguration) (alarms, error) {
	if c == nil {
		return alarms{}, nil
	}
	a := alarms{Off: !opt.Value(c.Enabled), IgnoreFailure: opt.Value(c.IgnorePollAlarmFailure)}
	for _, one := range c.Alarms {
		name := opt.Value(one.Name)
		if name == "" {
			return a, fault("InvalidAlarmConfigException", "Each alarm needs a name.")
		}
		if slices.Contains(a.Names, name) {
			return a, fault("InvalidAlarmConfigException", "The alarm %s is there twice.", name)
		}
		a.Names = append(a.Names, name)
	}
	switch {
	case len(a.Names) > maxAlarms:
		return a, fault("AlarmsLimitExceededException", "A deployment group may have at most %d alarms.", maxAlarms)
	case !a.Off && len(a.Names) == 0:
		return a, fault("InvalidAlarmConfigException", "An alarm configuration that is enabled needs at least one alarm.")
	}
	return a, nil
}

// config is what alarms are in answers; nil for none.
func (a *alarms) config() *api.AlarmConfiguration {
	if len(a.Names) == 0 {
		return nil
	}
	out := &api.AlarmConfiguration{Enabled: new(!a.Off), IgnorePollAlarmFailure: &a.IgnoreFailure}
	for _, name := range a.Names {
		out.Alarms = append(out.Alarms, api.Alarm{Name: &name})
	}
	return out
}

// watched are the names of the alarms that stop a deployment. A rollback goes on whatever happens.
func (d *deploymentRecord) watched() []string {
	if d.Alarms.Off || d.RollbackOf != "" {
		return nil
	}
	return d.Alarms.Names
}

// activated is why alarms stop a deployment.
func activated(names ...string) *failure {
	return &failure{codeAlarm, "One or more alarms have been activated according to the Amazon CloudWatch metrics you selected, and the affected deployments have been stopped. Activated alarms: <" + strings.Join(names, ", ") + ">"}
}

// checkAlarms is the failure of a deployment one of whose alarms has gone off, read with the rights of its role.
func (s *Service) checkAlarms(ctx context.Context, d *deploymentRecord) error {
	names := d.watched()
	if len(names) == 0 {
		return nil
	}
	as, err := s.as(ctx, d)
	if err != nil {
		return err
	}
	out, err := service.Call[cloudwatch.DescribeAlarmsOutput](as, s.deps.Door, "cloudwatch", "DescribeAlarms", &cloudwatch.DescribeAlarmsInput{
		AlarmNames: names, AlarmTypes: []string{cloudwatch.AlarmTypeMetricAlarm, cloudwatch.AlarmTypeCompositeAlarm},
	})
	if err != nil && d.Alarms.IgnoreFailure {
		return nil
	}
	if err != nil {
		return refused(err, codeRole)
	}
	var off []string
	found := 0
	note := func(name *string, value string) {
		found++
		if value == cloudwatch.StateValueAlarm {
			off = append(off, *name)
		}
	}
	for i := range out.MetricAlarms {
		note(out.MetricAlarms[i].AlarmName, out.MetricAlarms[i].StateValue)
	}
	for i := range out.CompositeAlarms {
		note(out.CompositeAlarms[i].AlarmName, out.CompositeAlarms[i].StateValue)
	}
	switch {
	case len(off) > 0:
		return activated(off...)
	case found < len(names) && !d.Alarms.IgnoreFailure:
		return &failure{codeAlarm, "Not all of the alarms " + strings.Join(names, ", ") + " exist. Make them, or set ignorePollAlarmFailure."}
	}
	return nil
}

// watch notes or forgets that alarms stop a deployment.
func (d *deploymentRecord) watch(tx store.Txn, p place) {
	for _, name := range d.watched() {
		if d.ended() {
			tx.Delete(p.watcher(name, d.ID))
		} else {
			tx.Set(p.watcher(name, d.ID), nil)
		}
	}
}

// AlarmEntered stops the deployments that an alarm watches over, in the commit in which it goes off.
func (s *Service) AlarmEntered(tx store.Txn, account, region, name string) error {
	p := place{account, region}
	var ids []string
	for row, err := range tx.Range(p.watchers(name).Span()) {
		if err != nil {
			return err
		}
		ids = append(ids, key.Decode(row.Key).Skip(p.watchers(name)).Str())
	}
	for _, id := range ids {
		d, there, err := record.Get[deploymentRecord](tx, p.deployment(id))
		if err != nil {
			return err
		}
		if !there || d.ended() {
			continue
		}
		if err := s.stopByAlarm(tx, p, &d, activated(name)); err != nil {
			return err
		}
	}
	return nil
}

// stopByAlarm ends a deployment that an alarm stops.
func (s *Service) stopByAlarm(tx store.Txn, p place, d *deploymentRecord, why *failure) error {
	return s.fail(tx, p, d, api.DeploymentStatusStopped, why, slices.Contains(d.RollBackOn, api.AutoRollbackEventDeploymentStopOnAlarm))
}
