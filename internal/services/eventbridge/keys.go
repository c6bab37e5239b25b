package eventbridge

import (
	"context"
	"strings"
	"time"

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

func (p place) root(kind string) key.Key        { return key.New("eventbridge", kind, p.account, p.region) }
func (p place) buses() key.Key                  { return p.root("b") }
func (p place) bus(name string) key.Key         { return p.buses().Str(name) }
func (p place) rules(bus string) key.Key        { return p.root("r").Str(bus) }
func (p place) rule(bus, name string) key.Key   { return p.rules(bus).Str(name) }
func (p place) archives() key.Key               { return p.root("a") }
func (p place) archive(name string) key.Key     { return p.archives().Str(name) }
func (p place) archived(name string) key.Key    { return p.root("v").Str(name) }
func (p place) changes(archive string) key.Key  { return p.root("n").Str(archive) }
func (p place) replays() key.Key                { return p.root("p") }
func (p place) replay(name string) key.Key      { return p.replays().Str(name) }
func (p place) connections() key.Key            { return p.root("c") }
func (p place) connection(name string) key.Key  { return p.connections().Str(name) }
func (p place) destinations() key.Key           { return p.root("d") }
func (p place) destination(name string) key.Key { return p.destinations().Str(name) }
func (p place) endpoints() key.Key              { return p.root("e") }
func (p place) endpoint(name string) key.Key    { return p.endpoints().Str(name) }

// archivedAt returns the key of an archived event.
func (p place) archivedAt(archive string, at time.Time, id string) key.Key {
	return p.archived(archive).Time(at).Str(id)
}

func (p place) arn(resource string) string {
	return arn.New("events", p.region, p.account, resource).String()
}

func (p place) busARN(name string) string { return p.arn("event-bus/" + name) }

// ruleARN returns the ARN of a rule, which names the bus unless that is the default one.
func (p place) ruleARN(bus, name string) string {
	if bus == defaultBus {
		return p.arn("rule/" + name)
	}
	return p.arn("rule/" + bus + "/" + name)
}

// busNamed reads the name or the ARN of a bus, as calls give them. Nothing means the default bus of the caller.
func busNamed(ctx context.Context, name *string) (place, string) {
	p := placeOf(ctx)
	if name == nil || *name == "" {
		return p, defaultBus
	}
	a, err := arn.Parse(*name)
	if err != nil {
		return p, *name
	}
	bus, ok := strings.CutPrefix(a.Resource, "event-bus/")
	if !ok {
		return p, *name
	}
	return place{a.Account, a.Region}, bus
}
