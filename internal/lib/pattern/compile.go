package pattern

import (
	"maps"
	"slices"
	"strings"
)

// Dialect is what a service accepts of the language.
type Dialect uint8

const (
	// EventBridge is the whole language: rules, pipes and event source mappings.
	EventBridge Dialect = iota
	// SNS is the language of filter policies: no wildcards, and only prefixes inside of anything-but
	// (https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html).
	SNS
)

// maxBranches bounds what the alternatives of `$or` multiply out to.
const maxBranches = 1000

// maxDepth bounds the nesting of patterns and events.
const maxDepth = 1000

// branch holds, for each path, the tests of which one must pass.
type branch map[string][]test

// compiler turns the text of a pattern into its branches.
type compiler struct {
	lexer
	dialect Dialect
	depth   int
}

// compile parses text.
func compile(text string, d Dialect) ([]branch, *Error) {
	c := &compiler{lexer: lexer{text: text}, dialect: d}
	t, err := c.next()
	if err != nil {
		return nil, err
	}
	if t.kind != beginObject {
		return nil, c.fail(t.at, "Filter is not an object")
	}
	branches, err := c.object([]branch{{}}, "", false)
	if err != nil {
		return nil, err
	}
	if c.space(); c.pos < len(c.text) {
		return nil, c.unexpected("expected the end of the pattern")
	}
	return branches, nil
}

// object reads the members of an object whose beginning has been read, and adds their tests to every branch. inOr tells that it lies inside of `$or`.
func (c *compiler) object(branches []branch, prefix string, inOr bool) ([]branch, *Error) {
	if c.depth++; c.depth > maxDepth {
		return nil, plain("The pattern is nested too deeply")
	}
	defer func() { c.depth-- }()
	empty := true
	for {
		t, err := c.next()
		if err != nil {
			return nil, err
		}
		if t.kind == endObject {
			if empty {
				return nil, c.fail(t.at, "Empty objects are not allowed")
			}
			return branches, nil
		}
		empty = false
		if branches, err = c.member(branches, prefix, t.text, inOr); err != nil {
			return nil, err
		}
	}
}

// member reads the value of a field.
func (c *compiler) member(branches []branch, prefix, name string, inOr bool) ([]branch, *Error) {
	if name == "$or" && c.isOr() {
		return c.or(branches, prefix)
	}
	path := prefix + name
	t, err := c.next()
	if err != nil {
		return nil, err
	}
	switch t.kind {
	case beginObject:
		return c.object(branches, path+".", inOr)
	case beginArray:
		tests, err := c.tests()
		if err != nil {
			return nil, err
		}
		for _, b := range branches {
			b[path] = tests
		}
		return branches, nil
	}
	return nil, c.fail(t.at, `"%s" must be an object or an array`, name)
}

// isOr looks ahead and tells whether the value of `$or` makes it the operator: an array of two or more objects none of which has
// a field with an operator's name. Otherwise it is a field like any other.
func (c *compiler) isOr() bool {
	ahead := lexer{text: c.text, pos: c.pos, named: true}
	if t, err := ahead.next(); err != nil || t.kind != beginArray {
		return false
	}
	objects := 0
	for {
		t, err := ahead.next()
		if err != nil {
			return false
		}
		if len(ahead.stack) == 0 {
			return objects >= 2
		}
		switch {
		case t.kind == beginObject && len(ahead.stack) == 2:
			objects++
		case t.kind == fieldName && len(ahead.stack) == 2:
			if slices.Contains(operatorNames, t.text) {
				return false
			}
		case len(ahead.stack) == 1 && t.kind != endObject:
			return false
		}
	}
}

// or reads the alternatives of `$or`: every branch so far is continued by each of them.
func (c *compiler) or(branches []branch, prefix string) ([]branch, *Error) {
	if _, err := c.next(); err != nil {
		return nil, err
	}
	var out []branch
	for {
		t, err := c.next()
		if err != nil {
			return nil, err
		}
		if t.kind == endArray {
			return out, nil
		}
		copies := make([]branch, len(branches))
		for i, b := range branches {
			copies[i] = maps.Clone(b)
		}
		more, err := c.object(copies, prefix, true)
		if err != nil {
			return nil, err
		}
		if out = append(out, more...); len(out) > maxBranches {
			return nil, plain("Rule is too complex - try using fewer alternatives in $or")
		}
	}
}

// tests reads the values of a field whose opening bracket has been read.
func (c *compiler) tests() ([]test, *Error) {
	var out []test
	for {
		t, err := c.next()
		if err != nil {
			return nil, err
		}
		switch t.kind {
		case endArray:
			if out == nil {
				return nil, c.fail(t.at, "Empty arrays are not allowed")
			}
			return out, nil
		case beginObject:
			made, err := c.expression()
			if err != nil {
				return nil, err
			}
			out = append(out, made)
		case stringValue:
			out = append(out, equalText(t.text))
		case numberValue:
			out = append(out, equalNumber(t.text))
		case literalValue:
			out = append(out, test{op: opLiteral, text: t.text})
		default:
			return nil, c.fail(t.at, "Match value must be String, number, true, false, or null")
		}
	}
}

// Pattern is a compiled pattern. It is safe for concurrent use.
type Pattern struct {
	text     string
	branches []branch
	alone    Set[struct{}]
}

// Compile checks and prepares a pattern. Its error is an [*Error].
func Compile(text string, d Dialect) (*Pattern, error) {
	branches, err := compile(text, d)
	if err != nil {
		return nil, err
	}
	p := &Pattern{text: text, branches: branches}
	p.alone.Add(struct{}{}, p)
	return p, nil
}

// String returns the text of the pattern.
func (p *Pattern) String() string { return p.text }

// Match tells whether an event, a JSON object, matches. It fails for what is no JSON object.
func (p *Pattern) Match(event []byte) (bool, error) {
	keys, err := p.alone.Match(event)
	return len(keys) > 0, err
}

// Fields returns the paths that the pattern names, sorted, and how many values it lists for each; a path in several branches counts once, with its longest list.
func (p *Pattern) Fields() map[string]int {
	out := map[string]int{}
	for _, b := range p.branches {
		for path, tests := range b {
			out[path] = max(out[path], len(tests))
		}
	}
	return out
}

// Combinations returns the product of the lengths of the fields' lists, summed over the branches: what SNS bounds.
func (p *Pattern) Combinations() int {
	sum := 0
	for _, b := range p.branches {
		product := 1
		for path, tests := range b {
			product *= len(tests) * (1 + strings.Count(path, "."))
		}
		sum += product
	}
	return sum
}

// sortedPaths returns the paths of a branch in order.
func sortedPaths(b branch) []string { return slices.Sorted(maps.Keys(b)) }
