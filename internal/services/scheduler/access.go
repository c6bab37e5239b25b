package scheduler

import (
	"context"

	api "lambent.dev/lambent/internal/awsapi/scheduler"
	"lambent.dev/lambent/internal/service"
)

// access names what each operation needs
// (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridgescheduler.html).
func access() map[string]service.Access {
	return map[string]service.Access{
		"CreateSchedule":      onSchedule("CreateSchedule", func(in *api.CreateScheduleInput) (*string, string) { return in.GroupName, in.Name }),
		"CreateScheduleGroup": onGroup("CreateScheduleGroup", func(in *api.CreateScheduleGroupInput) string { return in.Name }),
		"DeleteSchedule":      onSchedule("DeleteSchedule", func(in *api.DeleteScheduleInput) (*string, string) { return in.GroupName, in.Name }),
		"DeleteScheduleGroup": onGroup("DeleteScheduleGroup", func(in *api.DeleteScheduleGroupInput) string { return in.Name }),
		"GetSchedule":         onSchedule("GetSchedule", func(in *api.GetScheduleInput) (*string, string) { return in.GroupName, in.Name }),
		"GetScheduleGroup":    onGroup("GetScheduleGroup", func(in *api.GetScheduleGroupInput) string { return in.Name }),
		"ListScheduleGroups":  service.OnAny("scheduler:ListScheduleGroups"),
		"ListSchedules":       service.OnAny("scheduler:ListSchedules"),
		"ListTagsForResource": service.On("scheduler:ListTagsForResource", func(_ context.Context, in *api.ListTagsForResourceInput) string { return in.ResourceArn }),
		"TagResource":         service.On("scheduler:TagResource", func(_ context.Context, in *api.TagResourceInput) string { return in.ResourceArn }),
		"UntagResource":       service.On("scheduler:UntagResource", func(_ context.Context, in *api.UntagResourceInput) string { return in.ResourceArn }),
		"UpdateSchedule":      onSchedule("UpdateSchedule", func(in *api.UpdateScheduleInput) (*string, string) { return in.GroupName, in.Name }),
	}
}

func onGroup[In any](action string, name func(in In) string) service.Access {
	return service.On("scheduler:"+action, func(ctx context.Context, in In) string { return placeOf(ctx).groupARN(name(in)) })
}

func onSchedule[In any](action string, name func(in In) (*string, string)) service.Access {
	return service.On("scheduler:"+action, func(ctx context.Context, in In) string {
		group, schedule := name(in)
		return placeOf(ctx).scheduleARN(groupName(group), schedule)
	})
}
