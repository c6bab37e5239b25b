package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"lambent.dev/lambent/internal/cli/term"
	"lambent.dev/lambent/internal/deploy/property"
	"lambent.dev/lambent/internal/deploy/registry"
	"lambent.dev/lambent/internal/service"
)

func (a *app) explainCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use: "explain TYPE[.PROPERTY] | ERROR", Short: "Explain a resource type, a property, an error or a status, without a network",
		Long: "Explain shows what a template may say of a resource type, such as AWS::SQS::Queue, or of one of its properties, such as\n" +
			"AWS::DynamoDB::Table.GlobalSecondaryIndexes.Projection: the form of its value, the values that are allowed, whether it is\nrequired, what a change of it does, and whether this Lambent takes it. " +
			"It also explains the codes of errors and the statuses\nof stacks, such as ValidationError or UPDATE_ROLLBACK_FAILED.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !strings.Contains(args[0], "::") {
				return a.explainError(args[0])
			}
			return a.explainType(cmd.Context(), args[0])
		},
	})
}

// explained is a type or a property as it is shown, also as JSON.
type explained struct {
	Name      string `json:"name"`
	Form      string `json:"form,omitempty"`
	Required  bool   `json:"required"`
	OnChange  string `json:"on_change,omitempty"`
	Allowed   []any  `json:"allowed,omitempty"`
	Default   any    `json:"default,omitempty"`
	ReadOnly  bool   `json:"read_only,omitempty"`
	WriteOnly bool   `json:"write_only,omitempty"`
	// Taken tells that this Lambent takes the property, or has the type.
	Taken      bool        `json:"taken"`
	Identifier []string    `json:"identifier,omitempty"`
	Attributes []string    `json:"attributes,omitempty"`
	Members    []explained `json:"members,omitempty"`
}

func (a *app) explainType(ctx context.Context, name string) error {
	name, rest, _ := strings.Cut(name, ".")
	var path []string
	if rest != "" {
		path = strings.Split(rest, ".")
	}
	known, err := registry.Load()
	if err != nil {
		return err
	}
	types, err := a.Types(ctx)
	if err != nil {
		return err
	}
	e, ok, err := explain(known[name], typeNamed(types, name), name, path)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("there is no %s%s", strings.Join(append([]string{name}, path...), "."), nearest(known, types, name, path))
	}
	if a.json {
		return a.Term.JSON(e)
	}
	a.showExplained(e, len(path) == 0)
	return nil
}

func typeNamed(types []service.ResourceType, name string) *service.ResourceType {
	if strings.HasPrefix(name, "Custom::") {
		name = "AWS::CloudFormation::CustomResource"
	}
	i := slices.IndexFunc(types, func(t service.ResourceType) bool { return t.Name == name })
	if i < 0 {
		return nil
	}
	return &types[i]
}

// explain joins what the registry and this program know of a type or a property; either may be nil.
func explain(r *registry.Type, t *service.ResourceType, name string, path []string) (e explained, ok bool, err error) {
	var shape *property.Shape
	if t != nil {
		if shape, err = property.Of(t.NewProperties()); err != nil {
			return e, false, err
		}
	}
	if len(path) == 0 {
		e = explained{Name: name, Taken: t != nil}
		if t != nil {
			e.Attributes = t.Attributes
		}
		if r != nil {
			for _, pointer := range r.Identifier {
				e.Identifier = append(e.Identifier, strings.TrimPrefix(pointer, "/properties/"))
			}
		}
		e.Members = members(r, shape, nil)
		return e, r != nil || t != nil, nil
	}
	e, ok = explainProperty(r, shape, path)
	return e, ok, nil
}

func explainProperty(r *registry.Type, shape *property.Shape, path []string) (explained, bool) {
	e := explained{Name: path[len(path)-1]}
	taken, has := shape.Lookup(path...)
	e.Taken = has
	if r != nil {
		if p, ok := r.Property(path...); ok {
			e.Form, e.Required, e.Allowed, e.Default, e.ReadOnly, e.WriteOnly = r.Form(p.Schema), p.Required, p.Schema.Enum, p.Schema.Default, p.ReadOnly, p.WriteOnly
			e.OnChange = onChange(p.Replaces, p.MayReplace)
			e.Members = members(r, shape, path)
			return e, true
		}
	}
	if has {
		e.Form, e.Required, e.WriteOnly, e.OnChange = taken.Form, taken.Required, taken.WriteOnly, onChange(taken.CreateOnly, false)
		e.Members = members(nil, shape, path)
	}
	return e, has
}

func onChange(replaces, may bool) string {
	switch {
	case replaces:
		return "replaces the resource"
	case may:
		return "may replace the resource"
	}
	return ""
}

// members explains what the value at a path has inside, without going deeper.
func members(r *registry.Type, shape *property.Shape, path []string) []explained {
	names := shape.Members(path...)
	if r != nil {
		for _, p := range r.Members(path...) {
			if name := p.Path[len(p.Path)-1]; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	var out []explained
	for _, name := range names {
		if e, ok := explainProperty(r, shape, append(slices.Clone(path), name)); ok {
			e.Members = nil
			out = append(out, e)
		}
	}
	return out
}

// nearest names what somebody may have meant.
func nearest(known registry.Registry, types []service.ResourceType, name string, path []string) string {
	if len(path) > 0 {
		return "; lambent explain " + name + " lists what there is"
	}
	all := known.Names()
	for _, t := range types {
		if !slices.Contains(all, t.Name) {
			all = append(all, t.Name)
		}
	}
	var similar []string
	short := name[strings.LastIndex(name, ":")+1:]
	for _, candidate := range all {
		if strings.EqualFold(candidate, name) || strings.EqualFold(candidate[strings.LastIndex(candidate, ":")+1:], short) {
			similar = append(similar, candidate)
		}
	}
	if len(similar) == 0 {
		return " among the types that this program knows"
	}
	return "; perhaps " + strings.Join(similar, " or ")
}

func (a *app) showExplained(e explained, isType bool) {
	a.Term.Print("%s", a.Term.Paint(term.Bold, e.Name))
	switch {
	case isType && e.Taken:
		a.Term.Print("  this Lambent has it")
	case isType:
		a.Term.Print("  %s", a.Term.Paint(term.Yellow, "AWS has it, and this Lambent does not: a template with it is refused when it is planned"))
	case e.ReadOnly:
		a.Term.Print("  set by the service alone; a template may read it with Fn::GetAtt")
	case !e.Taken:
		a.Term.Print("  %s", a.Term.Paint(term.Yellow, "AWS has it, and this Lambent refuses it by name"))
	}
	if line := e.describe(); line != "" {
		a.Term.Print("  %s", line)
	}
	if len(e.Identifier) > 0 {
		a.Term.Print("  identified by %s", strings.Join(e.Identifier, ", "))
	}
	if len(e.Attributes) > 0 {
		a.Term.Print("  Fn::GetAtt: %s", strings.Join(e.Attributes, ", "))
	}
	width := 0
	for _, m := range e.Members {
		width = max(width, len(m.Name))
	}
	for _, m := range e.Members {
		if m.ReadOnly {
			continue
		}
		line := fmt.Sprintf("  %-*s  %s", width, m.Name, m.describe())
		if !m.Taken && e.Taken {
			line = a.Term.Paint(term.Yellow, line+"; refused here")
		}
		a.Term.Print("%s", line)
	}
}

// describe says in a line what a value may be.
func (e explained) describe() string {
	var parts []string
	if e.Form != "" {
		parts = append(parts, e.Form)
	}
	if e.Required {
		parts = append(parts, "required")
	}
	if len(e.Allowed) > 0 {
		values := make([]string, len(e.Allowed))
		for i, v := range e.Allowed {
			values[i] = fmt.Sprint(v)
		}
		parts = append(parts, "one of "+strings.Join(values, ", "))
	}
	if e.Default != nil {
		parts = append(parts, fmt.Sprintf("%v unless given", e.Default))
	}
	if e.OnChange != "" {
		parts = append(parts, "a change "+e.OnChange)
	}
	if e.WriteOnly {
		parts = append(parts, "never shown again")
	}
	return strings.Join(parts, "; ")
}
