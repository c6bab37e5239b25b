package scheduler

import (
	"context"
	"strings"
	"time"
	_ "time/tzdata" // time zones do not depend on what the machine has

	api "lambent.dev/lambent/internal/awsapi/scheduler"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/schedule"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// scheduleRecord is a schedule.
type scheduleRecord struct {
	Group, Name string
	Description string `json:",omitempty"`
	Expression  string
	Zone        string
	Start, End  time.Time `json:",omitzero"`
	State       string
	Window      api.FlexibleTimeWindow
	Target      api.Target
	After       string // what follows the last run: NONE or DELETE
	KMSKey      string `json:",omitempty"`
	Token       string `json:",omitempty"`
	// Revision counts the changes; a job of an earlier one does nothing.
	Revision          int
	Created, Modified time.Time
}

// request is what CreateSchedule and UpdateSchedule say alike.
type request struct {
	group, name, description, expression, zone, state, after, kmsKey string
	start, end                                                       *time.Time
	window                                                           *api.FlexibleTimeWindow
	target                                                           *api.Target
}

func (s *Service) createSchedule(ctx context.Context, in *api.CreateScheduleInput) (*api.CreateScheduleOutput, error) {
	p := placeOf(ctx)
	r, err := s.newRecord(ctx, &request{
		groupName(in.GroupName), in.Name, opt.Value(in.Description), in.ScheduleExpression, opt.Value(in.ScheduleExpressionTimezone), in.State, in.ActionAfterCompletion,
		opt.Value(in.KmsKeyArn), in.StartDate, in.EndDate, in.FlexibleTimeWindow, in.Target,
	})
	if err != nil {
		return nil, err
	}
	r.Token, r.Created = opt.Value(in.ClientToken), s.now()
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		g, err := group(tx, p, r.Group)
		if err != nil {
			return err
		}
		if g.State == api.ScheduleGroupStateDeleting {
			return conflict("Schedule group %s is being deleted.", r.Group)
		}
		old, there, err := record.Get[scheduleRecord](tx, p.schedule(r.Group, r.Name))
		switch {
		case err != nil:
			return err
		case there && r.Token != "" && r.Token == old.Token:
			return nil // the same call again
		case there:
			return conflict("Schedule %s already exists.", r.Name)
		}
		if err := s.arm(tx, p, r, s.now()); err != nil {
			return err
		}
		return record.Set(tx, p.schedule(r.Group, r.Name), *r)
	})
	return &api.CreateScheduleOutput{ScheduleArn: p.scheduleARN(r.Group, r.Name)}, storeError(err)
}

// newRecord checks a request and returns its record.
func (s *Service) newRecord(ctx context.Context, in *request) (*scheduleRecord, error) {
	if _, err := schedule.Parse(in.expression, schedule.Scheduler); err != nil {
		return nil, invalid("Invalid Schedule Expression %s.", in.expression)
	}
	r := &scheduleRecord{
		Group: in.group, Name: in.name, Description: in.description, Expression: in.expression, Zone: in.zone, State: in.state, After: in.after, KMSKey: in.kmsKey, Modified: s.now(),
	}
	if r.Zone == "" {
		r.Zone = "UTC"
	}
	if _, err := time.LoadLocation(r.Zone); err != nil || r.Zone == "Local" {
		return nil, invalid("Provided schedule expression timezone %s is not supported.", in.zone)
	}
	if r.State == "" {
		r.State = api.ScheduleStateEnabled
	}
	if r.After == "" {
		r.After = api.ActionAfterCompletionNone
	}
	if in.start != nil {
		r.Start = *in.start
	}
	if in.end != nil {
		r.End = *in.end
	}
	if in.start != nil && in.end != nil && !in.start.Before(*in.end) {
		return nil, invalid("The StartDate you specify must come before the EndDate.")
	}
	switch w := in.window; {
	case w == nil:
		return nil, invalid("FlexibleTimeWindow must be specified.")
	case w.Mode == api.FlexibleTimeWindowModeFlexible && w.MaximumWindowInMinutes == nil:
		return nil, invalid("MaximumWindowInMinutes must be specified when the mode of the flexible time window is FLEXIBLE.")
	case w.Mode == api.FlexibleTimeWindowModeOff && w.MaximumWindowInMinutes != nil:
		return nil, invalid("MaximumWindowInMinutes must not be specified when the mode of the flexible time window is OFF.")
	default:
		r.Window = *w
	}
	if in.target == nil {
		return nil, invalid("Target must be specified.")
	}
	r.Target = *in.target
	return r, s.checkTarget(ctx, &r.Target)
}

// updateSchedule replaces everything that a schedule says.
func (s *Service) updateSchedule(ctx context.Context, in *api.UpdateScheduleInput) (*api.UpdateScheduleOutput, error) {
	p := placeOf(ctx)
	r, err := s.newRecord(ctx, &request{
		groupName(in.GroupName), in.Name, opt.Value(in.Description), in.ScheduleExpression, opt.Value(in.ScheduleExpressionTimezone), in.State, in.ActionAfterCompletion,
		opt.Value(in.KmsKeyArn), in.StartDate, in.EndDate, in.FlexibleTimeWindow, in.Target,
	})
	if err != nil {
		return nil, err
	}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		old, err := get(tx, p, r.Group, r.Name)
		if err != nil {
			return err
		}
		r.Created, r.Token, r.Revision = old.Created, old.Token, old.Revision+1
		if err := s.arm(tx, p, r, s.now()); err != nil {
			return err
		}
		return record.Set(tx, p.schedule(r.Group, r.Name), *r)
	})
	return &api.UpdateScheduleOutput{ScheduleArn: p.scheduleARN(r.Group, r.Name)}, storeError(err)
}

func get(r store.Reader, p place, group, name string) (scheduleRecord, error) {
	v, ok, err := record.Get[scheduleRecord](r, p.schedule(group, name))
	if err == nil && !ok {
		err = noSchedule(name)
	}
	return v, err
}

func (s *Service) deleteSchedule(ctx context.Context, in *api.DeleteScheduleInput) (*api.DeleteScheduleOutput, error) {
	p, group := placeOf(ctx), groupName(in.GroupName)
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		r, err := get(tx, p, group, in.Name)
		if err != nil {
			return err
		}
		tx.Delete(p.schedule(group, in.Name))
		return disarm(tx, p, &r)
	})
	return &api.DeleteScheduleOutput{}, storeError(err)
}

func (s *Service) getSchedule(ctx context.Context, in *api.GetScheduleInput) (*api.GetScheduleOutput, error) {
	p := placeOf(ctx)
	var r scheduleRecord
	err := s.deps.Store.View(ctx, func(reader store.Reader) (err error) {
		r, err = get(reader, p, groupName(in.GroupName), in.Name)
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &api.GetScheduleOutput{
		ActionAfterCompletion: r.After, Arn: new(p.scheduleARN(r.Group, r.Name)), CreationDate: &r.Created, Description: opt.Of(r.Description), EndDate: shownTime(r.End),
		FlexibleTimeWindow: &r.Window, GroupName: &r.Group, KmsKeyArn: opt.Of(r.KMSKey), LastModificationDate: &r.Modified, Name: &r.Name, ScheduleExpression: &r.Expression,
		ScheduleExpressionTimezone: &r.Zone, StartDate: shownTime(r.Start), State: r.State, Target: r.shownTarget(),
	}, nil
}

func (s *Service) listSchedules(ctx context.Context, in *api.ListSchedulesInput) (*api.ListSchedulesOutput, error) {
	p := placeOf(ctx)
	out := &api.ListSchedulesOutput{Schedules: []api.ScheduleSummary{}}
	keep := func(_ string, r scheduleRecord) bool {
		if in.State != "" && in.State != r.State || in.NamePrefix != nil && !strings.HasPrefix(r.Name, *in.NamePrefix) {
			return false
		}
		out.Schedules = append(out.Schedules, api.ScheduleSummary{
			Arn: new(p.scheduleARN(r.Group, r.Name)), CreationDate: &r.Created, GroupName: &r.Group, LastModificationDate: &r.Modified, Name: &r.Name, State: r.State,
			Target: &api.TargetSummary{Arn: r.Target.Arn},
		})
		return true
	}
	prefix, name := p.all(), (*string)(nil)
	if in.GroupName != nil {
		if _, err := s.viewGroup(ctx, p, *in.GroupName); err != nil {
			return nil, err
		}
		prefix, name = p.schedules(*in.GroupName), in.NamePrefix
	}
	next, err := list(ctx, s, prefix, name, in.NextToken, in.MaxResults, keep)
	out.NextToken = next
	return out, err
}
