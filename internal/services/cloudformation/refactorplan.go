package cloudformation

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/template"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

// refactoring plans a refactor.
type refactoring struct {
	s      *Service
	stacks []*refactorTarget
	moves  []refactorMove
	// exports are those of the stacks as they will be, as far as they are known; settled tells that all are.
	exports map[string]string
	settled bool
}

// refactorTarget is one of the stacks.
type refactorTarget struct {
	record   *stackRecord
	fresh    bool
	proposal *proposal
	target   *deploy.Target
	past     *deploy.Past
	// rows are the resources that the stack has, and moved those that it will have.
	rows, moved map[string]*deploy.Resource
	imports     map[string]bool
	outputs     []deploy.OutputValue
}

// plan finds out what moves where, and refuses what would change anything else.
func (f *refactoring) plan(ctx context.Context, in *cloudformation.CreateStackRefactorInput) error {
	for i := range in.StackDefinitions {
		if err := f.load(ctx, &in.StackDefinitions[i], deref(in.EnableStackCreation)); err != nil {
			return err
		}
	}
	m := &matching{f: f, taken: map[resourcePlace]bool{}, filled: map[resourcePlace]bool{}}
	for _, mapping := range in.ResourceMappings {
		if err := m.given(mapping); err != nil {
			return err
		}
	}
	if err := m.detect(); err != nil {
		return err
	}
	if len(f.moves) == 0 {
		return invalid("The templates move no resource to another stack and give none another logical id.")
	}
	if err := f.move(); err != nil {
		return err
	}
	return f.settle()
}

// load reads a stack and its new template.
func (f *refactoring) load(ctx context.Context, def *cloudformation.StackDefinition, create bool) error {
	st := &refactorTarget{rows: map[string]*deploy.Resource{}, moved: map[string]*deploy.Resource{}, imports: map[string]bool{}}
	var err error
	if st.record, err = f.s.findStack(ctx, deref(def.StackName)); isMissing(err) && create {
		st.fresh = true
		st.record, err = f.s.newStack(ctx, deref(def.StackName))
	}
	if err != nil {
		return err
	}
	if slices.ContainsFunc(f.stacks, func(o *refactorTarget) bool { return o.record.Name == st.record.Name }) {
		return invalid("Stack %s is in StackDefinitions more than once.", st.record.Name)
	}
	f.stacks = append(f.stacks, st)
	q := request{
		kind: deploy.Update, body: def.TemplateBody, location: def.TemplateURL, direct: true, capabilities: []string{"CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"},
	}
	var current *stackRecord
	if !st.fresh {
		if err := updatable(st.record); err != nil {
			return err
		}
		if st.record.Policy != "" {
			return invalid("Stack %s has a stack policy: such stacks cannot be refactored.", st.record.Name)
		}
		if st.rows, err = f.s.rows(ctx, st.record.ID); err != nil {
			return err
		}
		if st.past, err = f.s.past(ctx, st.record); err != nil {
			return err
		}
		current = st.record
		q.parameters = previous(current.Parameters)
	}
	maps.DeleteFunc(st.rows, func(_ string, row *deploy.Resource) bool { return row.PhysicalID == "" })
	if st.proposal, st.target, err = f.s.draft(ctx, q, current, st.record.ID, st.record.Name, f.finder(ctx, st)); err != nil {
		return visible(err)
	}
	st.proposal.deployment.Capabilities = st.record.Capabilities
	if st.proposal.deployment.TemplateID, err = f.s.uuid(); err != nil {
		return err
	}
	return st.sameSections()
}

// previous asks for the values that a stack's parameters have.
func previous(have []parameterRecord) []cloudformation.Parameter {
	out := make([]cloudformation.Parameter, len(have))
	for i := range have {
		out[i] = cloudformation.Parameter{ParameterKey: ptr(have[i].Key), UsePreviousValue: ptr(true)}
	}
	return out
}

// sameSections refuses other parameters, conditions and mappings than the stack has.
func (st *refactorTarget) sameSections() error {
	if st.past == nil {
		return nil
	}
	was, now := st.past.Template, st.proposal.expanded.template
	for _, s := range []struct {
		name     string
		was, now any
	}{{"Parameters", was.Parameters, now.Parameters}, {"Conditions", was.Conditions, now.Conditions}, {"Mappings", was.Mappings, now.Mappings}} {
		if !reflect.DeepEqual(s.was, s.now) {
			return invalid("The template of stack %s has other %s than the stack: a stack refactor changes none. Update the stack first.", st.record.Name, s.name)
		}
	}
	return nil
}

// finder finds the exports that the template of a stack imports: those of the other stacks as they will be come before those that there are.
func (f *refactoring) finder(ctx context.Context, st *refactorTarget) func(name string) (string, error) {
	p := placeOf(ctx)
	return func(name string) (string, error) {
		st.imports[name] = true
		if v, known := f.exports[name]; known {
			return v, nil
		}
		if !f.settled {
			return "", template.ErrNotYet
		}
		var e exportRecord
		var found bool
		err := f.s.Store.View(ctx, func(r store.Reader) (err error) {
			e, found, err = record.Get[exportRecord](r, p.export(name))
			return err
		})
		if own := slices.ContainsFunc(f.stacks, func(o *refactorTarget) bool { return o.record.ID == e.StackID }); err == nil && (!found || own) {
			err = template.Errorf("No export named %s found.", name)
		}
		return e.Value, err
	}
}

// move gives every stack the resources that it will have.
func (f *refactoring) move() error {
	gone := map[resourcePlace]bool{}
	for _, m := range f.moves {
		gone[m.From] = true
	}
	for _, st := range f.stacks {
		for id, row := range st.rows {
			if !gone[st.place(id)] {
				st.moved[id] = row
			}
		}
	}
	for _, m := range f.moves {
		row := *f.stack(m.From.StackID).rows[m.From.LogicalID]
		row.LogicalID = m.To.LogicalID
		f.stack(m.To.StackID).moved[row.LogicalID] = &row
	}
	for _, st := range f.stacks {
		if len(st.moved) == 0 {
			return invalid("Stack %s would have no resources. Add one to it first: a stack cannot be empty.", st.record.Name)
		}
	}
	return nil
}

// settle evaluates the templates with the resources where they will be. The exports of one stack may need those of another: each pass knows more of them.
func (f *refactoring) settle() error {
	for range f.stacks {
		for _, st := range f.stacks {
			plan, err := st.target.Plan(st.moved, nil)
			if err != nil {
				return visible(err)
			}
			f.note(plan)
		}
	}
	f.settled = true
	var changed []string
	for _, st := range f.stacks {
		clear(st.imports)
		plan, err := st.target.Plan(st.moved, nil)
		if err != nil {
			return visible(err)
		}
		st.outputs = plan.Outputs
		for _, c := range plan.Changes {
			if what := changes(&c); what != "" {
				changed = append(changed, st.place(c.LogicalID).String()+" ("+what+")")
			}
		}
	}
	if changed != nil {
		slices.Sort(changed)
		return invalid("A stack refactor moves resources and changes nothing else, and with these templates the following would change: %s. Update the stacks before or after it.", strings.Join(changed, ", "))
	}
	return nil
}

// note remembers the exports that a plan tells.
func (f *refactoring) note(plan *deploy.Plan) {
	for _, o := range plan.Outputs {
		if o.Export != "" && o.Known() {
			f.exports[o.Export] = o.Value
		}
	}
}

// changes names what of a resource a plan would change, but for its tags, which follow the stack, and its metadata, which tools keep the place in.
func changes(c *deploy.Change) string {
	var what []string
	for _, d := range c.Differences {
		what = append(what, strings.TrimPrefix(d.Path, "/"))
	}
	for _, scope := range c.Scope {
		if scope != "Properties" && scope != "Tags" && scope != "Metadata" {
			what = append(what, scope)
		}
	}
	return strings.Join(what, ", ")
}

func (f *refactoring) stack(id string) *refactorTarget {
	i := slices.IndexFunc(f.stacks, func(st *refactorTarget) bool { return st.record.ID == id })
	return f.stacks[i]
}

func (st *refactorTarget) place(logicalID string) resourcePlace {
	return resourcePlace{st.record.ID, st.record.Name, logicalID}
}

func (st *refactorTarget) dependsOn() map[string][]string {
	out := map[string][]string{}
	for id := range st.moved {
		out[id] = st.target.DependsOn(id)
	}
	return out
}
