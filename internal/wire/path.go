package wire

import (
	"strconv"
	"strings"
)

// step is one step of the way to a value inside of an input.
type step struct {
	name  string // a member or a map key
	index int    // a list's element, counted from 1
}

// trail is the way from the input to the value at hand, kept to say in errors
// where something is wrong. It is also the guard against deep nesting.
type trail struct {
	steps      []step
	violations []violation
	room       [4]step // for steps, which are seldom more
}

// violation is one constraint of the model that an input breaks.
type violation struct {
	path    string
	value   string // as it is shown, "null" when absent
	hidden  bool   // the value is not shown
	rule    string // what the value must satisfy
	missing bool
	body    bool // it is in the body of the request, and not in its path, query or headers
}

func (t *trail) push(name string)    { t.add(step{name: name}) }
func (t *trail) pushIndex(index int) { t.add(step{index: index + 1}) }

func (t *trail) add(s step) {
	if t.steps == nil {
		t.steps = t.room[:0]
	}
	t.steps = append(t.steps, s)
}

func (t *trail) pop()          { t.steps = t.steps[:len(t.steps)-1] }
func (t *trail) tooDeep() bool { return len(t.steps) > maxDepth }

// path writes the trail as AWS does: lower-case first letters, "1.member" for
// list elements and "key.member" for map values.
func (t *trail) path(member string) string {
	var b strings.Builder
	for i, s := range t.steps {
		switch {
		case s.index > 0:
			b.WriteString(strconv.Itoa(s.index) + ".member.")
		case i > 0 && strings.HasPrefix(s.name, "\x00"):
			b.WriteString(s.name[1:] + ".member.")
		default:
			b.WriteString(lowerFirst(s.name) + ".")
		}
	}
	if member == "" {
		return strings.TrimSuffix(b.String(), ".")
	}
	return b.String() + lowerFirst(member)
}

// finish records the required members of a structure that were not seen.
func (t *trail) finish(n *node, seen uint64) {
	if missing := n.required &^ seen; missing != 0 {
		t.missing(n, missing)
	}
}

func (t *trail) missing(n *node, missing uint64) {
	for i := range n.fields {
		f := &n.fields[i]
		if f.ordinal&missing != 0 {
			t.violations = append(t.violations, violation{path: t.path(f.Name), value: "null", rule: "Member must not be null", missing: true})
		}
	}
}
