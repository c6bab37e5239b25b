package scheduler

import (
	"context"
	"strings"

	"lambent.dev/lambent/internal/lib/arn"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/key"
)

// place is the account and the region that own something.
type place struct{ account, region string }

func placeOf(ctx context.Context) place {
	r := service.RequestFrom(ctx)
	return place{r.Account, r.Region}
}

func (p place) root(kind string) key.Key            { return key.New("scheduler", kind, p.account, p.region) }
func (p place) groups() key.Key                     { return p.root("g") }
func (p place) group(name string) key.Key           { return p.groups().Str(name) }
func (p place) all() key.Key                        { return p.root("s") }
func (p place) schedules(group string) key.Key      { return p.all().Str(group) }
func (p place) schedule(group, name string) key.Key { return p.schedules(group).Str(name) }

func (p place) arn(resource string) string {
	return arn.New("scheduler", p.region, p.account, resource).String()
}

func (p place) groupARN(name string) string { return p.arn("schedule-group/" + name) }

func (p place) scheduleARN(group, name string) string {
	return p.arn("schedule/" + group + "/" + name)
}

// groupAt reads the ARN of a group.
func groupAt(name string) (place, string, bool) {
	a, err := arn.Parse(name)
	group, ok := strings.CutPrefix(a.Resource, "schedule-group/")
	return place{a.Account, a.Region}, group, err == nil && ok
}
