package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	api "lambent.dev/lambent/internal/awsapi/scheduler"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// defaultGroup is the group of schedules that name none.
	defaultGroup = "default"
	// pageSize is how many resources a list gives at once unless the call says less.
	pageSize = 100
	// emptyKind is the job that deletes the schedules of a group, and then the group.
	emptyKind = "scheduler.empty"
	// emptySize is how many schedules one transaction deletes.
	emptySize = 500
)

// groupRecord is a schedule group.
type groupRecord struct {
	Name              string
	State             string
	Token             string `json:",omitempty"`
	Tags              map[string]string
	Created, Modified time.Time
}

func groupName(name *string) string {
	if name == nil || *name == "" {
		return defaultGroup
	}
	return *name
}

// group returns a group that schedules can be in. The default group is there without a row.
func group(r store.Reader, p place, name string) (groupRecord, error) {
	g, ok, err := record.Get[groupRecord](r, p.group(name))
	if err == nil && !ok {
		g = groupRecord{Name: name, State: api.ScheduleGroupStateActive}
		if name != defaultGroup {
			err = noGroup(name)
		}
	}
	return g, err
}

func (s *Service) viewGroup(ctx context.Context, p place, name string) (g groupRecord, err error) {
	err = s.deps.Store.View(ctx, func(r store.Reader) error {
		g, err = group(r, p, name)
		return err
	})
	return g, storeError(err)
}

func (s *Service) createScheduleGroup(ctx context.Context, in *api.CreateScheduleGroupInput) (*api.CreateScheduleGroupOutput, error) {
	p := placeOf(ctx)
	tags, err := tagsOf(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	g := groupRecord{Name: in.Name, State: api.ScheduleGroupStateActive, Token: opt.Value(in.ClientToken), Tags: tags, Created: s.now(), Modified: s.now()}
	err = s.deps.Store.Update(ctx, func(tx store.Txn) error {
		old, there, err := record.Get[groupRecord](tx, p.group(in.Name))
		switch {
		case err != nil:
			return err
		case there && g.Token != "" && g.Token == old.Token:
			return nil // the same call again
		case there, in.Name == defaultGroup:
			return conflict("Schedule group %s already exists.", in.Name)
		}
		return record.Set(tx, p.group(in.Name), g)
	})
	return &api.CreateScheduleGroupOutput{ScheduleGroupArn: p.groupARN(in.Name)}, storeError(err)
}

func (s *Service) getScheduleGroup(ctx context.Context, in *api.GetScheduleGroupInput) (*api.GetScheduleGroupOutput, error) {
	p := placeOf(ctx)
	g, err := s.viewGroup(ctx, p, in.Name)
	if err != nil {
		return nil, err
	}
	return &api.GetScheduleGroupOutput{Arn: new(p.groupARN(g.Name)), Name: &g.Name, State: g.State, CreationDate: shownTime(g.Created), LastModificationDate: shownTime(g.Modified)}, nil
}

func shownTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// list calls keep with the records under prefix that a call asks for, and returns the token of the next page.
func list[T any](ctx context.Context, s *Service, prefix key.Key, namePrefix, token *string, limit *int32, keep func(name string, v T) bool) (*string, error) {
	size := pageSize
	if limit != nil && int(*limit) < size {
		size = int(*limit)
	}
	next, err := record.Page(ctx, s.deps.Store, prefix, record.Paging{NamePrefix: opt.Value(namePrefix), Token: token, Limit: size}, keep)
	if errors.Is(err, record.ErrToken) {
		return nil, invalid("Invalid NextToken.")
	}
	return next, storeError(err)
}

func (s *Service) listScheduleGroups(ctx context.Context, in *api.ListScheduleGroupsInput) (*api.ListScheduleGroupsOutput, error) {
	p := placeOf(ctx)
	out := &api.ListScheduleGroupsOutput{ScheduleGroups: []api.ScheduleGroupSummary{}}
	show := func(g groupRecord) {
		out.ScheduleGroups = append(out.ScheduleGroups, api.ScheduleGroupSummary{
			Arn: new(p.groupARN(g.Name)), Name: &g.Name, State: g.State, CreationDate: shownTime(g.Created), LastModificationDate: shownTime(g.Modified),
		})
	}
	limit := in.MaxResults
	if in.NextToken == nil && (in.NamePrefix == nil || hasPrefix(defaultGroup, *in.NamePrefix)) {
		show(groupRecord{Name: defaultGroup, State: api.ScheduleGroupStateActive})
		if limit != nil {
			limit = new(*limit - 1)
		}
	}
	next, err := list(ctx, s, p.groups(), in.NamePrefix, in.NextToken, limit, func(_ string, g groupRecord) bool {
		show(g)
		return true
	})
	out.NextToken = next
	return out, err
}

// deleteScheduleGroup marks a group as going; a job deletes its schedules and then the group.
func (s *Service) deleteScheduleGroup(ctx context.Context, in *api.DeleteScheduleGroupInput) (*api.DeleteScheduleGroupOutput, error) {
	p := placeOf(ctx)
	if in.Name == defaultGroup {
		return nil, invalid("The default schedule group cannot be deleted.")
	}
	err := s.deps.Store.Update(ctx, func(tx store.Txn) error {
		g, err := group(tx, p, in.Name)
		if err != nil {
			return err
		}
		g.State, g.Modified = api.ScheduleGroupStateDeleting, s.now()
		if err := enqueueEmpty(tx, p, in.Name); err != nil {
			return err
		}
		return record.Set(tx, p.group(in.Name), g)
	})
	return &api.DeleteScheduleGroupOutput{}, storeError(err)
}

// emptyJob is the payload of an emptyKind job.
type emptyJob struct{ Account, Region, Group string }

func enqueueEmpty(tx store.Txn, p place, group string) error {
	b, err := json.Marshal(emptyJob{p.account, p.region, group})
	if err != nil {
		return err
	}
	return events.Enqueue(tx, events.Job{Kind: emptyKind, Name: p.groupARN(group), Payload: b})
}

// empty is the handler of emptyKind jobs.
func (s *Service) empty(_ context.Context, job events.Job) error {
	var j emptyJob
	if err := json.Unmarshal(job.Payload, &j); err != nil {
		return events.Permanent(err)
	}
	p := place{j.Account, j.Region}
	return events.Done(func(_ context.Context, tx store.Txn) error {
		span := p.schedules(j.Group).Span()
		span.Limit = emptySize
		n := 0
		for row, err := range record.Range[scheduleRecord](tx, span) {
			if err != nil {
				return err
			}
			if err := disarm(tx, p, &row.Value); err != nil {
				return err
			}
			tx.Delete(row.Key)
			n++
		}
		if n == emptySize {
			return enqueueEmpty(tx, p, j.Group)
		}
		tx.Delete(p.group(j.Group))
		return nil
	})
}
