package cloudformation

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/awsapi/cloudformation"
	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/deploy/template"
)

// matching finds which resource of the stacks is which of the templates.
type matching struct {
	f *refactoring
	// taken are the resources that have their place, and filled the places that have their resource.
	taken, filled map[resourcePlace]bool
}

// given takes a mapping of the call.
func (m *matching) given(mapping cloudformation.ResourceMapping) error {
	from, err := m.located(mapping.Source)
	if err != nil {
		return err
	}
	to, err := m.located(mapping.Destination)
	if err != nil {
		return err
	}
	row := m.f.stack(from.StackID).rows[from.LogicalID]
	want, there := m.wanted(to)
	switch {
	case row == nil:
		return invalid("Resource %s of ResourceMappings does not exist.", from)
	case !there:
		return invalid("Resource %s of ResourceMappings is not in the template of that stack.", to)
	case row.Type != want.Type:
		return invalid("Resource %s is a %s, and %s is a %s.", from, row.Type, to, want.Type)
	case m.taken[from], m.filled[to]:
		return invalid("ResourceMappings have resource %s, or %s, more than once.", from, to)
	}
	return m.match(from, to, cloudformation.StackRefactorDetectionManual, "The mapping was given in ResourceMappings.")
}

func (m *matching) located(l *cloudformation.ResourceLocation) (resourcePlace, error) {
	if l == nil {
		return resourcePlace{}, invalid("Each of ResourceMappings needs a Source and a Destination.")
	}
	i := slices.IndexFunc(m.f.stacks, func(st *refactorTarget) bool { return l.StackName == st.record.Name || l.StackName == st.record.ID })
	if i < 0 {
		return resourcePlace{}, invalid("Stack %s of ResourceMappings is not in StackDefinitions.", l.StackName)
	}
	return m.f.stacks[i].place(l.LogicalResourceId), nil
}

// wanted is what the new template of a stack has in a place.
func (m *matching) wanted(l resourcePlace) (template.Resource, bool) {
	st := m.f.stack(l.StackID)
	r, there := st.proposal.expanded.template.Resources[l.LogicalID]
	return r, there && slices.Contains(st.target.Live(), l.LogicalID)
}

// match gives a resource its place.
func (m *matching) match(from, to resourcePlace, detection, reason string) error {
	m.taken[from], m.filled[to] = true, true
	if from == to {
		return nil
	}
	row := m.f.stack(from.StackID).rows[from.LogicalID]
	if immovable(row.Type) {
		return invalid("Resource %s cannot be moved: resources of the type %s are tied to their stack and their logical id.", from, row.Type)
	}
	m.f.moves = append(m.f.moves, refactorMove{From: from, To: to, Type: row.Type, PhysicalID: row.PhysicalID, Detection: detection, Reason: reason})
	return nil
}

// immovable tells whether resources of a type are bound to the stack that made them: what they are was told their stack, or has it as its parent.
func immovable(typ string) bool {
	switch typ {
	case deploy.CustomResource, "AWS::CloudFormation::Stack", "AWS::CloudFormation::WaitCondition", "AWS::CloudFormation::WaitConditionHandle":
		return true
	}
	return strings.HasPrefix(typ, "Custom::") || strings.HasPrefix(typ, deploy.StubPrefix)
}

// detect finds the places of all other resources: their own, or one of the same logical id, or the only one with the same properties or of the type.
func (m *matching) detect() error {
	for _, st := range m.f.stacks {
		for id, row := range st.rows {
			l := st.place(id)
			if want, there := m.wanted(l); there && !m.taken[l] && !m.filled[l] && want.Type == row.Type {
				m.taken[l], m.filled[l] = true, true
			}
		}
	}
	for _, rule := range []struct {
		reason string
		fits   func(from, to resourcePlace) bool
	}{
		{"The logical id and the type are the same.", func(from, to resourcePlace) bool { return from.LogicalID == to.LogicalID }},
		{"The properties in the templates are the same.", m.sameProperties},
		{"It is the only resource of its type that moves.", func(_, _ resourcePlace) bool { return true }},
	} {
		for _, to := range m.open() {
			from := m.candidates(to, rule.fits)
			if len(from) != 1 || len(m.rivals(from[0], rule.fits)) != 1 {
				continue
			}
			if err := m.match(from[0], to, cloudformation.StackRefactorDetectionAuto, rule.reason); err != nil {
				return err
			}
		}
	}
	return m.complete()
}

// open lists the places that have no resource yet.
func (m *matching) open() (out []resourcePlace) {
	for _, st := range m.f.stacks {
		for _, id := range slices.Sorted(slices.Values(st.target.Live())) {
			if l := st.place(id); !m.filled[l] {
				out = append(out, l)
			}
		}
	}
	return out
}

// left lists the resources that have no place yet.
func (m *matching) left() (out []resourcePlace) {
	for _, st := range m.f.stacks {
		for _, id := range slices.Sorted(maps.Keys(st.rows)) {
			if l := st.place(id); !m.taken[l] {
				out = append(out, l)
			}
		}
	}
	return out
}

func (m *matching) sameType(from, to resourcePlace) bool {
	want, _ := m.wanted(to)
	return m.f.stack(from.StackID).rows[from.LogicalID].Type == want.Type
}

func (m *matching) sameProperties(from, to resourcePlace) bool {
	st := m.f.stack(from.StackID)
	if st.past == nil {
		return false
	}
	want, _ := m.wanted(to)
	return reflect.DeepEqual(st.past.Template.Resources[from.LogicalID].Properties, want.Properties)
}

// candidates are the resources without a place that fit one, and rivals the places that fit a resource.
func (m *matching) candidates(to resourcePlace, fits func(from, to resourcePlace) bool) []resourcePlace {
	return slices.DeleteFunc(m.left(), func(from resourcePlace) bool { return !m.sameType(from, to) || !fits(from, to) })
}

func (m *matching) rivals(from resourcePlace, fits func(from, to resourcePlace) bool) []resourcePlace {
	return slices.DeleteFunc(m.open(), func(to resourcePlace) bool { return !m.sameType(from, to) || !fits(from, to) })
}

// complete refuses what would be made or deleted.
func (m *matching) complete() error {
	open, left := m.open(), m.left()
	var unclear, fresh []resourcePlace
	for _, to := range open {
		if len(m.candidates(to, func(_, _ resourcePlace) bool { return true })) > 0 {
			unclear = append(unclear, to)
		} else {
			fresh = append(fresh, to)
		}
	}
	switch {
	case fresh != nil:
		return invalid("A stack refactor makes no resources, and the templates have new ones: %s. Update the stacks before or after it.", names(fresh))
	case unclear != nil:
		return invalid("It is not clear which resources become %s. Name their sources in ResourceMappings: %s.", names(unclear), names(left))
	case left != nil:
		return invalid("A stack refactor deletes no resources, and the templates no longer have these: %s. Update the stacks before or after it.", names(left))
	}
	return nil
}
