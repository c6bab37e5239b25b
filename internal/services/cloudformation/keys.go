package cloudformation

import (
	"context"
	"time"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// place is the account and region whose stacks a call sees.
type place struct{ account, region string }

func placeOf(ctx context.Context) place {
	r := service.RequestFrom(ctx)
	return place{r.Account, r.Region}
}

func (p place) base(kind string) key.Key { return key.New("cloudformation", p.account, p.region, kind) }

func (p place) name(stack string) key.Key { return p.base("name").Str(stack) }
func (p place) stack(id string) key.Key   { return p.base("stack").Str(id) }
func (p place) stacks() store.Span        { return p.base("stack").Span() }
func (p place) template(id, stage string) key.Key {
	return p.base("template").Str(id).Str(stage)
}

func (p place) resource(stack, logicalID string) key.Key {
	return p.resources(stack).Str(logicalID)
}
func (p place) resources(stack string) key.Key { return p.base("resource").Str(stack) }
func (p place) events(stack string) key.Key    { return p.base("event").Str(stack) }
func (p place) changeSet(stack, name string) key.Key {
	return p.changeSets(stack).Str(name)
}
func (p place) changeSets(stack string) key.Key { return p.base("changeset").Str(stack) }
func (p place) pastChangeSet(id string) key.Key { return p.base("pastchangeset").Str(id) }
func (p place) operation(stack string) key.Key  { return p.base("operation").Str(stack) }
func (p place) macro(name string) key.Key       { return p.base("macro").Str(name) }

// watchers are the stacks whose operations an alarm ends; each has the id of its operation. alarmed is why an alarm ended an operation.
func (p place) watchers(alarm string) key.Key         { return p.base("watch").Str(alarm) }
func (p place) watched(alarm, stackID string) key.Key { return p.watchers(alarm).Str(stackID) }
func (p place) alarmed(operation string) key.Key      { return p.base("alarmed").Str(operation) }
func (p place) cancel(operation string) key.Key       { return p.base("cancel").Str(operation) }
func (p place) detection(id string) key.Key           { return p.base("detection").Str(id) }
func (p place) drifts(stack string) key.Key           { return p.base("drift").Str(stack) }
func (p place) drift(stack, logicalID string) key.Key {
	return p.drifts(stack).Str(logicalID)
}

func (p place) signals(operation, logicalID string) key.Key {
	return p.base("signal").Str(operation).Str(logicalID)
}

func (p place) waiting(operation, logicalID string) key.Key {
	return p.base("waiting").Str(operation).Str(logicalID)
}
func (p place) hooks() key.Key            { return p.base("hook") }
func (p place) hook(alias string) key.Key { return p.hooks().Str(alias) }
func (p place) results() key.Key          { return p.base("hookresult") }
func (p place) result(at time.Time, id string) key.Key {
	return p.results().UintDesc(uint64(at.UnixNano())).Str(id)
}
func (p place) resultTime(id string) key.Key { return p.base("hookresulttime").Str(id) }
func (p place) setName(name string) key.Key  { return p.base("setname").Str(name) }
func (p place) set(id string) key.Key        { return p.base("set").Str(id) }
func (p place) instances(set string) key.Key { return p.base("instance").Str(set) }
func (p place) instance(set string, t setTarget) key.Key {
	return p.instances(set).Str(t.Account).Str(t.Region)
}
func (p place) setOperations(set string) key.Key { return p.base("setoperation").Str(set) }
func (p place) setOperation(set, operation string) key.Key {
	return p.setOperations(set).Str(operation)
}

func (p place) setResults(set, operation string) key.Key {
	return p.base("setresult").Str(set).Str(operation)
}

func (p place) setResult(set, operation string, t setTarget) key.Key {
	return p.setResults(set, operation).Str(t.Account).Str(t.Region)
}
func (p place) ran(operation string) key.Key  { return p.base("ran").Str(operation) }
func (p place) refactor(id string) key.Key    { return p.base("refactor").Str(id) }
func (p place) export(name string) key.Key    { return p.base("export").Str(name) }
func (p place) importers(name string) key.Key { return p.base("import").Str(name) }
func (p place) importer(name, stack string) key.Key {
	return p.importers(name).Str(stack)
}
