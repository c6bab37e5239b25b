package deploy

import (
	"context"
	"slices"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/service"
)

type netProperties struct {
	Note string `cfn:"Note"`
}

type blockProperties struct {
	Net string `cfn:"Net,required,createOnly"`
}

// networkTypes are a type with an attribute that the resources of another type change.
func (w *world) networkTypes() Types {
	blocks := func(id string) map[string]any {
		out := []any{}
		for _, thing := range slices.Sorted(func(yield func(string) bool) {
			for thing, value := range w.things {
				if value == "block of "+id && !yield(thing) {
					return
				}
			}
		}) {
			out = append(out, thing)
		}
		return map[string]any{"Blocks": out}
	}
	set := func(id, value string) service.Resource {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.things[id] = value
		return service.Resource{PhysicalID: id, Attributes: blocks(id)}
	}
	drop := func(id string) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.things, id)
		return nil
	}
	types := w.types()
	for _, t := range []service.ResourceType{
		service.NewResourceType("Test::Net", service.ResourceSpec[netProperties]{
			Attributes: []string{"Blocks"}, Changing: []string{"Blocks"},
			Create: func(_ context.Context, c service.ResourceCall, _ *netProperties) (service.Resource, error) {
				return set(c.LogicalID, "net"), nil
			},
			Delete:     func(_ context.Context, c service.ResourceCall, _ *netProperties) error { return drop(c.PhysicalID) },
			Identifier: []string{"Id"},
			Read: func(_ context.Context, id service.Identifier) (*netProperties, service.Resource, error) {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.reads++
				return &netProperties{}, service.Resource{PhysicalID: id[0], Attributes: blocks(id[0])}, nil
			},
		}),
		service.NewResourceType("Test::Block", service.ResourceSpec[blockProperties]{
			Create: func(_ context.Context, c service.ResourceCall, p *blockProperties) (service.Resource, error) {
				return set(c.LogicalID, "block of "+p.Net), nil
			},
			Delete: func(_ context.Context, c service.ResourceCall, _ *blockProperties) error { return drop(c.PhysicalID) },
		}),
	} {
		types[t.Name] = t
	}
	return types
}

const (
	emptyNet = `
Resources:
  Net: {Type: Test::Net}
  Other: {Type: Test::Thing, Properties: {Value: !Ref Net}}
`
	netWithBlock = `
Resources:
  Net: {Type: Test::Net}
  Other: {Type: Test::Thing, Properties: {Value: !Ref Net}}
  Block: {Type: Test::Block, Properties: {Net: !Ref Net}}
  Part: {Type: Test::Thing, DependsOn: Block, Properties: {Value: !Join ["", ["in ", !Select [0, !GetAtt Net.Blocks]]]}}
Outputs:
  First: {Value: !Select [0, !GetAtt Net.Blocks]}
`
)

func TestAttributesThatOthersChangeAreReadWhenNeeded(t *testing.T) {
	for _, first := range []string{"", emptyNet} {
		for dieAt := range 20 {
			w := newWorld()
			w.kinds = w.networkTypes()
			kind := Create
			if first != "" {
				w.run(t, Create, "op1", first, 0)
				if kind = Update; w.reads != 0 {
					t.Errorf("%d reads for a template that needs none", w.reads)
				}
			}
			plan, err := w.target(t, netWithBlock).Plan(w.load(t), nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := plan.Outputs[0].Value; got != unknownText {
				t.Errorf("the plan says %q", got)
			}
			w.run(t, kind, "op2", netWithBlock, dieAt)
			if w.status != kind+"_COMPLETE" || !slices.Contains(w.values(), "in Block") {
				t.Errorf("death at save %d: %s, values %v", dieAt, w.status, w.values())
			}
			plan, err = w.target(t, netWithBlock).Plan(w.load(t), nil)
			if err != nil || len(plan.Changes) != 0 || plan.Outputs[0].Value != "Block" {
				t.Errorf("death at save %d: the same template again: %+v, %v", dieAt, plan, err)
			}
		}
	}
}

func TestPlanKnowsWhatCannotChangeAnAttribute(t *testing.T) {
	w := newWorld()
	w.kinds = w.networkTypes()
	w.run(t, Create, "op1", netWithBlock, 0)
	more := strings.Replace(netWithBlock, "Outputs:", "  New: {Type: Test::Block, Properties: {Net: !Ref Net}}\nOutputs:", 1)
	plan, err := w.target(t, more).Plan(w.load(t), nil)
	if err != nil || len(plan.Changes) != 1 || plan.Changes[0].LogicalID != "New" {
		t.Errorf("a block that Part does not wait for: %+v, %v", plan, err)
	}
}

func TestAttributeOfAResourceThatIsGone(t *testing.T) {
	w := newWorld()
	w.kinds = w.networkTypes()
	net := w.kinds["Test::Net"]
	net.Read = func(context.Context, service.Identifier) (service.State, error) {
		return service.State{}, service.Errorf("NotFound", "there is no such network")
	}
	w.kinds["Test::Net"] = net
	w.run(t, Create, "op1", netWithBlock, 0)
	if w.status != "ROLLBACK_COMPLETE" || !slices.Contains(w.events, "Part CREATE_FAILED") {
		t.Errorf("status is %s, events %v", w.status, w.events)
	}
}
