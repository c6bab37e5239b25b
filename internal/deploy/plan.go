package deploy

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/deploy/template"
)

// Action is what a deploy does to a resource.
type Action string

// The actions, in the words of CloudFormation's change sets.
const (
	Add    Action = "Add"
	Modify Action = "Modify"
	Remove Action = "Remove"
	// Take is the import of a resource that exists already.
	Take Action = "Import"
	// Sync notes that a resource is, by a change beside the stack, what the template says now.
	Sync Action = "SyncWithActual"
)

// Replacement tells whether a modified resource is made anew.
type Replacement string

// The answers, in the words of CloudFormation's change sets.
const (
	Never       Replacement = "False"
	Always      Replacement = "True"
	Conditional Replacement = "Conditional"
)

// Change is one line of a plan.
type Change struct {
	Action                      Action
	LogicalID, PhysicalID, Type string
	Replacement                 Replacement
	// Scope names what differs: Properties, Metadata, Tags, DeletionPolicy, UpdateReplacePolicy.
	Scope       []string
	Differences []property.Difference
	// Causes say why, one for each property and reason.
	Causes []Cause `json:",omitempty"`
	// Before and After are the properties; nil for a resource that is not there, before or after.
	Before, After map[string]any
	// Policy is what becomes of the physical resource that is removed or replaced: "Delete" or "Retain".
	Policy string
}

// Plan says what a deploy will do.
type Plan struct {
	// Changes are in the order in which they can be done.
	Changes []Change
	// Outputs are the outputs as far as they are known.
	Outputs []OutputValue
}

// Plan compares the target with the resources that are there, which were made from the template and the parameters of before, if any. It calls nothing and changes nothing.
//
// The attributes of a resource that is updated in place are taken to stay as they are, but what refers to them is listed as a change that may be none;
// the deploy itself works with what the update returns.
func (t *Target) Plan(current map[string]*Resource, before *Past) (*Plan, error) {
	p := &Plan{}
	if err := t.sameTypes(current); err != nil {
		return nil, err
	}
	fresh, touched, consumer := map[string]bool{}, map[string]bool{}, ""
	moving := func(id string) bool { return fresh[id] || touched[id] }
	env := t.with(func(id, attribute string) (any, error) {
		cur := current[id]
		if cur == nil || cur.PhysicalID == "" || fresh[id] {
			if _, live := t.deps[id]; !live {
				return nil, template.Errorf("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", id)
			}
			return template.Unknown{Resource: id, Attribute: attribute}, nil
		}
		if v, ok := cur.value(t.stack, attribute); ok && !t.unsettled(id, attribute, consumer, moving) {
			return v, nil
		}
		return template.Unknown{Resource: id, Attribute: attribute}, nil
	})
	var faults []error
	for _, id := range t.order {
		consumer = id
		want, err := t.properties(env, id)
		if err != nil {
			faults = append(faults, err)
			fresh[id] = true
			continue
		}
		c, needed := t.compare(id, current[id], want)
		c.Causes = t.causes(c, before, fresh)
		if c.Action == Modify {
			for _, may := range t.mayChange(id, c, touched) {
				c.Causes, needed = append(c.Causes, may), true
				if len(c.Scope) == 0 {
					c.Scope = []string{"Properties"}
				}
			}
		}
		if needed {
			c.After = property.Shown(want).(map[string]any)
			for _, cause := range c.Causes {
				if cause.After == property.KnownAfterDeploy && cause.Path == "/Properties/"+cause.Name {
					c.After[cause.Name] = property.KnownAfterDeploy
				}
			}
			if current[id] != nil && c.Action != Add {
				c.Before = current[id].Properties
			}
			p.Changes = append(p.Changes, c)
		}
		fresh[id] = c.Action == Add || c.Replacement != Never
		touched[id] = needed && c.Action == Modify && !fresh[id] && (len(c.Differences) > 0 || len(c.Causes) > 0)
	}
	if len(faults) > 0 {
		return nil, &template.Error{Message: joinErrors(faults)}
	}
	for _, id := range slices.Sorted(maps.Keys(current)) {
		if _, live := t.deps[id]; !live {
			r := current[id]
			p.Changes = append(p.Changes, Change{Action: Remove, LogicalID: id, PhysicalID: r.PhysicalID, Type: r.Type, Policy: keepOrDelete(r.DeletionPolicy), Replacement: Never, Before: r.Properties})
		}
	}
	consumer = ""
	var err error
	p.Outputs, err = t.outputs(env)
	return p, err
}

func keepOrDelete(policy string) string {
	if policy == "" || policy == "RetainExceptOnCreate" {
		return "Delete"
	}
	return policy
}

// sameTypes refuses another type for a resource that is there.
func (t *Target) sameTypes(current map[string]*Resource) error {
	var other []string
	hint := ""
	for _, id := range slices.Sorted(slices.Values(t.order)) {
		cur := current[id]
		if cur == nil || cur.PhysicalID == "" || cur.Type == t.template.Resources[id].Type {
			continue
		}
		if other = append(other, id); strings.HasPrefix(cur.Type, StubPrefix) {
			hint = ". A stub is taken out of the template in one deploy, and its resource is put there in the next"
		}
	}
	if other == nil {
		return nil
	}
	return template.Errorf("Update of resource type is not permitted. The new template modifies resource type of the following resources: [%s]%s", strings.Join(other, ", "), hint)
}

// compare decides what a resource needs so that it has the wanted properties.
func (t *Target) compare(id string, cur *Resource, want map[string]any) (Change, bool) {
	r := t.template.Resources[id]
	c := Change{Action: Modify, LogicalID: id, Type: r.Type, Replacement: Never}
	if cur == nil || cur.PhysicalID == "" {
		c.Action = Add
		return c, true
	}
	c.PhysicalID, c.Policy = cur.PhysicalID, keepOrDelete(r.UpdateReplacePolicy)
	shape := t.shapes[r.Type]
	c.Differences = shape.Diff(cur.Properties, want)
	for _, d := range c.Differences {
		switch {
		case !d.Replaces && t.types.update(r.Type):
		case d.Maybe && c.Replacement == Never:
			c.Replacement = Conditional
		case !d.Maybe:
			c.Replacement = Always
		}
	}
	if len(c.Differences) > 0 && len(c.Scope) == 0 {
		c.Scope = append(c.Scope, "Properties")
	}
	if typ, _ := t.types.Of(r.Type); typ.Always && len(c.Scope) == 0 {
		c.Scope = append(c.Scope, "Properties")
	}
	if !maps.Equal(cur.Tags, t.stack.Tags) && shape.Has("Tags") {
		c.Scope = append(c.Scope, "Tags")
	}
	if !reflect.DeepEqual(plain(cur.Metadata), plain(r.Metadata)) {
		c.Scope = append(c.Scope, "Metadata")
	}
	if cur.DeletionPolicy != r.DeletionPolicy {
		c.Scope = append(c.Scope, "DeletionPolicy")
	}
	if cur.UpdateReplacePolicy != r.UpdateReplacePolicy {
		c.Scope = append(c.Scope, "UpdateReplacePolicy")
	}
	return c, len(c.Scope) > 0
}

// plain brings the numbers of a value to the form they have after JSON, so that recorded and fresh values compare.
func plain(v any) any {
	switch x := v.(type) {
	case int64:
		return float64(x)
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = plain(x[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(x))
		for k := range x {
			out[k] = plain(x[k])
		}
		return out
	}
	return v
}
