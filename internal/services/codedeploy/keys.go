package codedeploy

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

func (p place) root(kind string) key.Key          { return key.New("codedeploy", kind, p.account, p.region) }
func (p place) applications() key.Key             { return p.root("a") }
func (p place) application(name string) key.Key   { return p.applications().Str(name) }
func (p place) groups(application string) key.Key { return p.root("g").Str(application) }
func (p place) group(application, name string) key.Key {
	return p.groups(application).Str(name)
}
func (p place) configs() key.Key             { return p.root("c") }
func (p place) config(name string) key.Key   { return p.configs().Str(name) }
func (p place) deployments() key.Key         { return p.root("d") }
func (p place) deployment(id string) key.Key { return p.deployments().Str(id) }

// watchers are the ids of the deployments under way that an alarm stops.
func (p place) watchers(alarm string) key.Key    { return p.root("w").Str(alarm) }
func (p place) watcher(alarm, id string) key.Key { return p.watchers(alarm).Str(id) }
func (p place) arn(resource string) string {
	return arn.New("codedeploy", p.region, p.account, resource).String()
}
func (p place) applicationARN(n string) string { return p.arn("application:" + n) }
func (p place) configARN(name string) string   { return p.arn("deploymentconfig:" + name) }
func (p place) groupARN(application, name string) string {
	return p.arn("deploymentgroup:" + application + "/" + name)
}

// taggedAt reads the ARN of an application or, with a group, of a deployment group.
func taggedAt(name string) (p place, application, group string, ok bool) {
	a, err := arn.Parse(name)
	if err != nil {
		return p, "", "", false
	}
	p = place{a.Account, a.Region}
	if application, ok = strings.CutPrefix(a.Resource, "application:"); ok {
		return p, application, "", true
	}
	rest, ok := strings.CutPrefix(a.Resource, "deploymentgroup:")
	application, group, cut := strings.Cut(rest, "/")
	return p, application, group, ok && cut
}
