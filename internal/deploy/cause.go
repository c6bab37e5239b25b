package deploy

import (
	"maps"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/deploy/template"
)

// Past is what a stack was deployed from.
type Past struct {
	Template   *template.Template
	Parameters map[string]any
}

// Cause is one reason of a change, in the words of CloudFormation's change sets, see
// https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChangeDetail.html.
type Cause struct {
	// Attribute is what changes: Properties, Metadata, Tags, …; Name and Path lead to the property.
	Attribute, Name, Path string
	// Source is DirectModification, ParameterReference, ResourceReference or ResourceAttribute; Entity names the parameter or the resource.
	Source, Entity string
	// Static tells that the change is certain.
	Static bool
	// Recreation is Never, Conditionally or Always.
	Recreation string
	// Kind is Add, Remove or Modify; Before and After are the values.
	Kind          string
	Before, After any `json:",omitempty"`
}

// causes says why a resource changes, property by property.
func (t *Target) causes(c Change, before *Past, fresh map[string]bool) []Cause {
	if c.Action != Modify {
		return nil
	}
	var out []Cause
	for _, scope := range c.Scope {
		if scope == "Metadata" || scope == "DeletionPolicy" || scope == "UpdateReplacePolicy" {
			out = append(out, t.attributed(Cause{Attribute: scope, Recreation: "Never", Kind: "Modify"}, t.expression(t.template, c.LogicalID, scope, ""), t.past(before, c.LogicalID, scope, ""), before, fresh)...)
		}
	}
	for _, d := range c.Differences {
		name, _, _ := strings.Cut(d.Path, "/")
		base := Cause{Attribute: "Properties", Name: name, Path: "/Properties/" + d.Path, Recreation: "Never", Kind: "Modify", Before: d.Before, After: d.After}
		switch {
		case d.Before == nil:
			base.Kind = "Add"
		case d.After == nil:
			base.Kind = "Remove"
		}
		switch {
		case d.Replaces && d.Maybe:
			base.Recreation = "Conditionally"
		case d.Replaces || !t.types.update(c.Type):
			base.Recreation = "Always"
		}
		out = append(out, t.attributed(base, t.expression(t.template, c.LogicalID, "Properties", name), t.past(before, c.LogicalID, "Properties", name), before, fresh)...)
	}
	if typ, _ := t.types.Of(c.Type); typ.Always && len(c.Differences) == 0 {
		out = append(out, Cause{Attribute: "Properties", Source: "Automatic", Recreation: "Never", Kind: "Modify"})
	}
	if slices.Contains(c.Scope, "Tags") {
		out = append(out, Cause{Attribute: "Tags", Source: "DirectModification", Static: true, Recreation: "Never", Kind: "Modify"})
	}
	return out
}

// expression returns what a template says about one attribute of a resource.
func (t *Target) expression(from *template.Template, id, attribute, name string) any {
	r, ok := from.Resources[id]
	if !ok {
		return nil
	}
	switch attribute {
	case "Metadata":
		return r.Metadata
	case "DeletionPolicy":
		return r.DeletionPolicy
	case "UpdateReplacePolicy":
		return r.UpdateReplacePolicy
	}
	return r.Properties[name]
}

func (t *Target) past(before *Past, id, attribute, name string) any {
	if before == nil {
		return nil
	}
	return t.expression(before.Template, id, attribute, name)
}

// attributed splits a change by its reasons: the parameters and the resources that its expression names, and the expression itself.
func (t *Target) attributed(base Cause, now, was any, before *Past, fresh map[string]bool) []Cause {
	refs, err := template.References(now)
	if err != nil {
		refs = nil
	}
	with := func(source, entity string, static bool) Cause {
		c := base
		c.Source, c.Entity, c.Static = source, entity, static
		return c
	}
	var out []Cause
	parameter := false
	for _, ref := range refs {
		var c Cause
		_, isParameter := t.template.Parameters[ref.Name]
		switch {
		case isParameter && t.given(ref.Name, before) && !property.Equal(before.Parameters[ref.Name], t.env.Parameters[ref.Name]):
			c, parameter = with("ParameterReference", ref.Name, true), true
		case fresh[ref.Name] && ref.Attribute != "":
			c = with("ResourceAttribute", ref.Name+"."+ref.Attribute, true)
		case fresh[ref.Name] && !slices.ContainsFunc(refs, func(o template.Reference) bool { return o.Name == ref.Name && o.Attribute != "" }):
			c = with("ResourceReference", ref.Name, true)
		default:
			continue
		}
		if !slices.ContainsFunc(out, func(o Cause) bool { return o.Source == c.Source && o.Entity == c.Entity }) {
			out = append(out, c)
		}
	}
	edited := before != nil && !property.Equal(plain(now), plain(was))
	switch {
	case parameter && edited:
		out = append([]Cause{with("DirectModification", "", false)}, out...)
	case parameter:
		out = append(out, with("DirectModification", "", false))
	case len(out) == 0:
		out = append(out, with("DirectModification", "", true))
	}
	return out
}

// given tells whether the value of a parameter is what the deploy was given, and not another default that the template now has: such a change is one of the template.
func (t *Target) given(name string, before *Past) bool {
	if before == nil {
		return false
	}
	now, was := t.template.Parameters[name].Default, before.Template.Parameters[name].Default
	return now == nil || was == nil || *now == *was || t.env.Parameters[name] != *now
}

// mayChange lists the properties that refer to an attribute of a resource which is updated in place, and which may therefore change.
func (t *Target) mayChange(id string, c Change, touched map[string]bool) []Cause {
	var out []Cause
	r := t.template.Resources[id]
	for _, name := range slices.Sorted(maps.Keys(r.Properties)) {
		if slices.ContainsFunc(c.Differences, func(d property.Difference) bool {
			first, _, _ := strings.Cut(d.Path, "/")
			return first == name
		}) {
			continue
		}
		refs, err := template.References(r.Properties[name])
		if err != nil {
			continue
		}
		for _, ref := range refs {
			if ref.Attribute == "" || !touched[ref.Name] || t.shapes[t.template.Resources[ref.Name].Type] == nil || !t.shapes[t.template.Resources[ref.Name].Type].Has(ref.Attribute) {
				continue
			}
			out = append(out, Cause{
				Attribute: "Properties", Name: name, Path: "/Properties/" + name, Source: "ResourceAttribute", Entity: ref.Name + "." + ref.Attribute, Recreation: "Never", Kind: "Modify",
				After: property.KnownAfterDeploy,
			})
		}
	}
	return out
}
