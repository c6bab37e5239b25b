package deploy

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/deploy/template"
)

// Target is what a stack should become.
type Target struct {
	template *template.Template
	env      *template.Env
	types    Types
	stack    Stack
	shapes   map[string]*property.Shape
	// order lists the live resources so that each comes after what it depends on.
	order []string
	deps  map[string][]string
	// signals are what the creation policies of resources ask for.
	signals map[string]template.Signals
}

// NewTarget checks a template against the resource types and evaluates its conditions. env needs its Template, values
// and Import; its Resource is set by the functions of this package.
func NewTarget(env template.Env, types Types, stack Stack) (*Target, error) {
	t := &Target{template: env.Template, env: &env, types: types, stack: stack, shapes: map[string]*property.Shape{}}
	if err := t.checkTypes(); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(t.template.Conditions)) {
		if _, err := t.env.Condition(name); err != nil {
			return nil, err
		}
	}
	if err := t.env.Policies(); err != nil {
		return nil, err
	}
	var err error
	if t.signals, err = t.env.Signals(); err != nil {
		return nil, err
	}
	return t, t.sort()
}

func (t *Target) checkTypes() error {
	var unknown []string
	for _, id := range slices.Sorted(maps.Keys(t.template.Resources)) {
		r := t.template.Resources[id]
		typ, ok := t.types.Of(r.Type)
		if name, stub := t.stubbed(r.Type); !ok && stub {
			r.Type = name
			t.template.Resources[id] = r
			typ, ok = t.types.Of(name)
		}
		if !ok {
			if !slices.Contains(unknown, r.Type) {
				unknown = append(unknown, r.Type)
			}
			continue
		}
		if t.shapes[r.Type] == nil {
			shape, err := property.Of(typ.NewProperties())
			if err != nil {
				return fmt.Errorf("resource type %s: %w", r.Type, err)
			}
			t.shapes[r.Type] = shape
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return template.Errorf("Template format error: Unrecognized resource types: [%s]%s", strings.Join(unknown, ", "), advice(unknown))
	}
	for _, id := range slices.Sorted(maps.Keys(t.template.Resources)) {
		if err := t.checkAttributes(t.template.Resources[id].Properties); err != nil {
			return t.template.Document.Locate(err, "Resources", id)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.template.Outputs)) {
		if err := t.checkAttributes(t.template.Outputs[name].Value); err != nil {
			return t.template.Document.Locate(err, "Outputs", name)
		}
	}
	return nil
}

func (t *Target) checkAttributes(expr any) error {
	refs, err := template.References(expr)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		r, ok := t.template.Resources[ref.Name]
		if !ok || ref.Attribute == "" {
			continue
		}
		if !hasAttribute(t.attributes(r.Type), ref.Attribute) {
			return template.Errorf("Template error: resource %s does not support attribute type %s in Fn::GetAtt", ref.Name, ref.Attribute)
		}
	}
	return nil
}

func hasAttribute(list []string, name string) bool {
	return slices.ContainsFunc(list, func(a string) bool {
		prefix, wild := strings.CutSuffix(a, "*")
		return a == name || wild && strings.HasPrefix(name, prefix)
	})
}

// sort finds the live resources, their dependencies and an order.
func (t *Target) sort() error {
	t.deps = map[string][]string{}
	for _, id := range slices.Sorted(maps.Keys(t.template.Resources)) {
		r := t.template.Resources[id]
		live, err := t.env.Condition(r.Condition)
		if err != nil {
			return err
		}
		if live {
			t.deps[id] = nil
		}
	}
	for id := range t.deps {
		r := t.template.Resources[id]
		refs, err := r.References()
		if err != nil {
			return err
		}
		names := slices.Clone(r.DependsOn)
		for _, ref := range refs {
			names = append(names, ref.Name)
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			if _, live := t.deps[name]; live && name != id {
				t.deps[id] = append(t.deps[id], name)
			}
		}
	}
	order, cycle := topological(t.deps)
	if cycle != nil {
		return template.Errorf("Circular dependency between resources: [%s]", strings.Join(cycle, ", "))
	}
	t.follow(order)
	t.order, _ = topological(t.deps)
	return nil
}

// follow adds the dependencies of resources whose type comes after others, see [service.ResourceType.After]; order has each resource after what it depends on.
func (t *Target) follow(order []string) {
	for _, id := range order {
		r := t.template.Resources[id]
		typ, _ := t.types.Of(r.Type)
		for _, o := range typ.After {
			own, has := r.Properties[o.Own]
			for _, first := range order {
				f := t.template.Resources[first]
				if has && f.Type == o.Type && reflect.DeepEqual(f.Properties[o.Theirs], own) && !slices.Contains(t.deps[id], first) && !t.dependsOn(first, id) {
					t.deps[id] = append(t.deps[id], first)
				}
			}
		}
	}
}

// dependsOn tells whether a resource is another one or depends on it.
func (t *Target) dependsOn(id, other string) bool {
	all := map[string]bool{id: true}
	t.needs(id, all)
	return all[other]
}

// properties evaluates and checks the properties of a resource; lookup gives the values of other resources.
func (t *Target) properties(env *template.Env, id string) (map[string]any, error) {
	r := t.template.Resources[id]
	v, err := env.Resolve(r.Properties)
	if err != nil {
		return nil, t.template.Document.Locate(err, "Resources", id)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, template.Errorf("Template format error: the properties of resource %s are not an object", id)
	}
	out, faults := t.shapes[r.Type].Normalise(m)
	if len(faults) == 0 {
		return out, nil
	}
	var errs []error
	for _, f := range faults {
		e := template.Errorf("%s (resource %s of type %s, at %s)", f.Message, id, r.Type, strings.Join(append([]string{"Properties"}, f.Path...), "/"))
		errs = append(errs, t.template.Document.Locate(e, append([]string{"Resources", id, "Properties"}, f.Path...)...))
	}
	return nil, &template.Error{Message: joinErrors(errs)}
}

func joinErrors(errs []error) string {
	parts := make([]string, len(errs))
	for i, e := range errs {
		parts[i] = e.Error()
	}
	return strings.Join(parts, "; ")
}

// with returns a copy of the target's environment that looks resources up through f.
func (t *Target) with(f func(id, attribute string) (any, error)) *template.Env {
	env := *t.env
	env.Resource = f
	return &env
}

// Live lists the resources whose condition holds, each after what it depends on.
func (t *Target) Live() []string { return t.order }

// DependsOn lists what a live resource depends on.
func (t *Target) DependsOn(id string) []string { return t.deps[id] }

// Outputs evaluates the outputs whose condition holds.
func (t *Target) outputs(env *template.Env) ([]OutputValue, error) {
	var out []OutputValue
	find := env.Resource
	env = t.with(func(id, attribute string) (any, error) {
		if _, live := t.deps[id]; !live {
			return nil, template.Errorf("Unresolved resource dependencies [%s] in the Outputs block of the template", id)
		}
		return find(id, attribute)
	})
	for _, name := range slices.Sorted(maps.Keys(t.template.Outputs)) {
		o := t.template.Outputs[name]
		live, err := env.Condition(o.Condition)
		if err != nil {
			return nil, err
		}
		if !live {
			continue
		}
		value, err := t.outputText(env, name, o.Value)
		if errors.Is(err, template.ErrNoValue) {
			continue
		}
		if err != nil {
			return nil, err
		}
		ov := OutputValue{Name: name, Value: value, Description: o.Description}
		if o.Export != nil {
			if ov.Export, err = t.outputText(env, name, o.Export); err != nil {
				return nil, err
			}
		}
		out = append(out, ov)
	}
	return out, nil
}

// Known tells whether a plan knows the value of the output, and the name of its export.
func (o *OutputValue) Known() bool { return o.Value != unknownText && o.Export != unknownText }

// unknownText stands for the value of an output that a plan cannot know.
const unknownText = "(known after deploy)"

func (t *Target) outputText(env *template.Env, name string, expr any) (string, error) {
	v, err := env.Resolve(expr)
	if err != nil {
		return "", t.template.Document.Locate(err, "Outputs", name)
	}
	if _, unknown := v.(template.Unknown); unknown {
		return unknownText, nil
	}
	s, ok := template.Text(v)
	if !ok {
		return "", t.template.Document.Locate(template.Errorf("Template format error: The Value field of every Outputs member must evaluate to a String (%s).", name), "Outputs", name)
	}
	return s, nil
}
