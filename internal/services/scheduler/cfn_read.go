package scheduler

import (
	"context"
	"time"

	api "lambent.dev/lambent/internal/awsapi/scheduler"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/lib/reshape"
	"lambent.dev/lambent/internal/service"
)

// dateText writes a date as a template has it.
func dateText(t *time.Time) *string {
	if t == nil {
		return nil
	}
	return new(t.UTC().Format(time.RFC3339))
}

// readScheduleResource reads a schedule of the default group: the identifier of the type is a name alone.
func (s *Service) readScheduleResource(ctx context.Context, id service.Identifier) (*scheduleProperties, service.Resource, error) {
	out, err := call[api.GetScheduleOutput](ctx, s, "GetSchedule", &api.GetScheduleInput{Name: id[0]})
	if err != nil {
		return nil, service.Resource{}, err
	}
	return schedulePropertiesOf(out), service.Resource{PhysicalID: id[0], Attributes: map[string]any{"Arn": opt.Value(out.Arn)}}, nil
}

// rereadScheduleResource reads a schedule of the group that its stack recorded.
func (s *Service) rereadScheduleResource(ctx context.Context, c service.ResourceCall, recorded *scheduleProperties) (*scheduleProperties, error) {
	out, err := call[api.GetScheduleOutput](ctx, s, "GetSchedule", &api.GetScheduleInput{Name: c.PhysicalID, GroupName: recorded.GroupName})
	if err != nil {
		return nil, err
	}
	return schedulePropertiesOf(out), nil
}

func schedulePropertiesOf(out *api.GetScheduleOutput) *scheduleProperties {
	p := reshape.To[scheduleProperties](out)
	p.Target.Input = out.Target.Input
	p.StartDate, p.EndDate = dateText(out.StartDate), dateText(out.EndDate)
	return p
}

func (s *Service) readGroupResource(ctx context.Context, id service.Identifier) (*groupProperties, service.Resource, error) {
	r, err := s.groupResource(ctx, id[0])
	if err != nil {
		return nil, r, err
	}
	if r.Attributes["State"] == api.ScheduleGroupStateDeleting {
		return nil, r, service.ErrGone
	}
	tags, err := call[api.ListTagsForResourceOutput](ctx, s, "ListTagsForResource", &api.ListTagsForResourceInput{ResourceArn: placeOf(ctx).groupARN(id[0])})
	if err != nil {
		return nil, r, err
	}
	p := reshape.To[groupProperties](tags)
	p.Name = &id[0]
	return p, r, nil
}

func (s *Service) listGroupResources(ctx context.Context, _ *groupProperties, next string) (service.Page, error) {
	out, err := call[api.ListScheduleGroupsOutput](ctx, s, "ListScheduleGroups", &api.ListScheduleGroupsInput{NextToken: service.NextToken(next)})
	if err != nil {
		return service.Page{}, err
	}
	return service.NewPage(out.ScheduleGroups, out.NextToken, func(g *api.ScheduleGroupSummary) service.Identifier { return service.Identifier{opt.Value(g.Name)} }), nil
}
