package deploy

import (
	"context"
	"maps"
	"reflect"
	"slices"
)

// changing tells whether other resources may change an attribute of a type's resources.
func (t Types) changing(name, attribute string) bool {
	typ, _ := t.Of(name)
	return typ.Read != nil && slices.Contains(typ.Changing, attribute)
}

// refresh reads the attributes of a resource that change, and records them, so that the next plan knows them too.
func (r *Run) refresh(ctx context.Context, row *Resource) error {
	actual, err := r.Types.Read(ctx, row.Type, r.Types.Identify(row.Type, row.Snapshot))
	if err != nil {
		return err
	}
	typ, _ := r.Types.Of(row.Type)
	attributes, differs := maps.Clone(row.Attributes), false
	if attributes == nil {
		attributes = map[string]any{}
	}
	for _, name := range typ.Changing {
		v, has := actual.Attributes[name]
		if has && !reflect.DeepEqual(plain(v), plain(attributes[name])) {
			attributes[name], differs = v, true
		}
	}
	if !differs {
		return nil
	}
	row.Attributes = attributes
	return r.save(ctx, row)
}

// unsettled tells whether a plan cannot know an attribute that changes: something that belongs to its owner is made or changed before consumer is worked on. An output, whose consumer is "", is
// evaluated after everything.
func (t *Target) unsettled(owner, attribute, consumer string, moving func(id string) bool) bool {
	if !t.types.changing(t.template.Resources[owner].Type, attribute) {
		return false
	}
	before := map[string]bool{}
	if consumer != "" {
		t.needs(consumer, before)
	}
	for id, deps := range t.deps {
		if moving(id) && slices.Contains(deps, owner) && (consumer == "" || before[id]) {
			return true
		}
	}
	return false
}

// needs adds what a resource depends on, by way of others too.
func (t *Target) needs(id string, all map[string]bool) {
	for _, d := range t.deps[id] {
		if !all[d] {
			all[d] = true
			t.needs(d, all)
		}
	}
}
