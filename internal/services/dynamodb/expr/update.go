package expr

import (
	"errors"

	"lambent.dev/lambent/internal/lib/attr"
)

// Update is a parsed update expression.
type Update struct {
	changes
	values []attr.Value // of the slots
}

// changes are what an update does, without its values.
type changes struct {
	sets    []assignment
	removes []attr.Path
	adds    []assignment // the operand is a value
	deletes []assignment // the operand is a value
	// legacy tells that the update was made from AttributeUpdates, which may add to lists and has messages of its own.
	legacy bool
	// changedNew and changedOld are what [Update.Changed] returns, when the update is kept.
	changedNew, changedOld *attr.Projection
}

// assignment gives a path an operand.
type assignment struct {
	path    attr.Path
	operand *node
}

// parse takes an UpdateExpression.
func (u *changes) parse(p *parser) {
	seen := map[string]bool{}
	for {
		section := ""
		for _, s := range []string{"SET", "REMOVE", "ADD", "DELETE"} {
			if p.isKeyword(s) {
				section = s
			}
		}
		if section == "" {
			p.fail()
			return
		}
		p.advance()
		if seen[section] {
			p.findings.add(rankSection, "The \"%s\" section can only be used once in an update expression;", section)
		}
		seen[section] = true
		u.section(p, section)
		for p.take(",") {
			u.section(p, section)
		}
		if p.tok.kind == end {
			break
		}
	}
	p.checkPaths(u.paths(true))
}

// section takes one clause of a section.
func (u *changes) section(p *parser, section string) {
	path := p.path()
	switch section {
	case "SET":
		p.expect("=")
		u.sets = append(u.sets, assignment{path, p.setValue()})
	case "REMOVE":
		u.removes = append(u.removes, path)
	case "ADD":
		u.adds = append(u.adds, assignment{path, p.argument(section)})
	case "DELETE":
		u.deletes = append(u.deletes, assignment{path, p.argument(section)})
	}
}

// argument takes the value of an ADD or a DELETE.
func (p *parser) argument(section string) *node {
	if p.tok.kind != value {
		p.fail()
		return &node{op: opValue, value: attr.NullValue()}
	}
	p.operator()
	n := p.value()
	allowed := typesOf(attr.SS, attr.NS, attr.BS)
	if section == "ADD" {
		allowed |= typesOf(attr.N)
	}
	if !p.allow(n, allowed) {
		p.findings.add(rankOperandCount, "Incorrect operand type for operator or function; operator: %s, operand type: %s", section, longType(n.value.Type()))
	}
	return n
}

// setValue takes what a SET assigns.
func (p *parser) setValue() *node {
	left := p.setOperand()
	if !p.isSymbol("+") && !p.isSymbol("-") {
		return left
	}
	p.operator()
	n := &node{op: opFunction, name: p.tok.text}
	p.advance()
	n.args = []*node{left, p.setOperand()}
	p.checkTypes(n, attr.N)
	return n
}

// setOperand takes a path, a value, a function call or a sum in parentheses.
func (p *parser) setOperand() *node {
	switch {
	case p.tok.kind == value:
		return p.value()
	case p.isSymbol("("):
		p.nest()
		p.advance()
		n := p.setValue()
		p.expect(")")
		p.nesting--
		return n
	case p.tok.kind == word && p.callFollows():
		return p.setFunction()
	case p.isPath():
		return &node{op: opPath, path: p.path()}
	}
	p.fail()
	return &node{op: opValue, value: attr.NullValue()}
}

// setFunction takes if_not_exists(path, operand) or list_append(operand, operand).
func (p *parser) setFunction() *node {
	n := &node{op: opFunction, name: p.tok.text}
	p.operator()
	p.nest()
	p.advance()
	p.advance() // the bracket, which setOperand saw
	n.args = []*node{p.setValue()}
	for p.take(",") {
		n.args = append(n.args, p.setValue())
	}
	p.expect(")")
	p.nesting--
	known := n.name == "if_not_exists" || n.name == "list_append"
	switch {
	case !known:
		p.findings.add(rankUnknownFunction, "Invalid function name; function: %s", n.name)
	case len(n.args) != 2:
		p.findings.add(rankOperandType, "Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d", n.name, len(n.args))
	case n.name == "if_not_exists" && n.args[0].op != opPath:
		p.findings.add(rankOperandType, "Operator or function requires a document path; operator or function: %s", n.name)
	case n.name == "list_append":
		p.checkTypes(n, attr.L)
	}
	return n
}

// checkTypes checks the operands of n that are values.
func (p *parser) checkTypes(n *node, want attr.Type) {
	for _, a := range n.args {
		if !p.allow(a, typesOf(want)) {
			p.findings.add(rankOperandType, "Incorrect operand type for operator or function; operator or function: %s, operand type: %s", n.name, a.value.Type())
		}
	}
}

// paths returns the paths that the update writes, with or without those that it removes.
func (u *changes) paths(removed bool) []attr.Path {
	var paths []attr.Path
	for _, list := range [][]assignment{u.sets, u.adds, u.deletes} {
		for _, a := range list {
			paths = append(paths, a.path)
		}
	}
	if removed {
		paths = append(paths, u.removes...)
	}
	return paths
}

// Names returns the top-level attributes that the update writes or reads, with repetitions.
func (u *changes) Names() []string {
	var names []string
	for _, list := range [][]assignment{u.sets, u.adds, u.deletes} {
		for _, a := range list {
			names = a.operand.names(append(names, a.path[0].Name))
		}
	}
	for _, path := range u.removes {
		names = append(names, path[0].Name)
	}
	return names
}

// Touches tells whether the update writes or removes the attribute, or a part of it.
func (u *changes) Touches(name string) bool {
	for _, p := range u.paths(true) {
		if p[0].Name == name {
			return true
		}
	}
	return false
}

// Enters tells whether the update writes or removes a part of the attribute.
func (u *changes) Enters(name string) bool {
	for _, p := range u.paths(true) {
		if p[0].Name == name && len(p) > 1 {
			return true
		}
	}
	return false
}

// Changed returns the projection to what the update writes (UPDATED_NEW), or to what it writes and removes (UPDATED_OLD).
func (u *Update) Changed(removed bool) *attr.Projection {
	switch {
	case u.changedNew == nil:
		return attr.NewProjection(u.paths(removed))
	case removed:
		return u.changedOld
	}
	return u.changedNew
}

// The messages of updates that do not fit the item.
const (
	msgMissingOperand = "The provided expression refers to an attribute that does not exist in the item"
	msgOperandType    = "An operand in the update expression has an incorrect data type"
	msgPath           = "The document path provided in the update expression is invalid for update"
)

// Apply returns item with the update made. All operands are read from item as it is.
func (u *Update) Apply(item attr.Map) (attr.Map, error) {
	edits := make([]attr.Edit, 0, len(u.sets)+len(u.removes)+len(u.adds)+len(u.deletes))
	for _, s := range u.sets {
		v, err := s.operand.compute(item, u.values)
		if err != nil {
			return nil, err
		}
		edits = append(edits, attr.Edit{Path: s.path, Value: v})
	}
	for _, path := range u.removes {
		edits = append(edits, attr.Edit{Path: path})
	}
	for _, a := range u.adds {
		v, err := u.add(item.Lookup(a.path), a.operand.constant(u.values))
		if err != nil {
			return nil, err
		}
		edits = append(edits, attr.Edit{Path: a.path, Value: v})
	}
	for _, d := range u.deletes {
		old := item.Lookup(d.path)
		if old == nil {
			continue
		}
		v := d.operand.constant(u.values)
		if old.Type() != v.Type() {
			return nil, u.mismatch()
		}
		edits = append(edits, attr.Edit{Path: d.path, Value: attr.Difference(old, v)})
	}
	out, err := item.Apply(edits)
	if errors.Is(err, attr.ErrPath) {
		return nil, errorf(msgPath)
	}
	return out, err
}

// mismatch returns the error of a value that does not have the type of the attribute that it changes.
func (u *changes) mismatch() error {
	if u.legacy {
		return errorf("Type mismatch for attribute to update")
	}
	return errorf(msgOperandType)
}

// Creates tells whether the update makes an item where there is none: one that only removes does not.
func (u *changes) Creates() bool {
	return len(u.sets)+len(u.adds) > 0 || len(u.removes)+len(u.deletes) == 0
}

// add returns what ADD makes of an old value, which may be absent.
func (u *changes) add(old, v attr.Value) (attr.Value, error) {
	switch {
	case old == nil:
		return v, nil
	case old.Type() != v.Type():
		return nil, u.mismatch()
	case v.Type() == attr.L:
		return concat(old, v), nil
	case v.Type() != attr.N:
		return attr.Union(old, v), nil
	}
	return sum(attr.Add, old, v)
}

func sum(f func(a, b attr.Number) (attr.Number, error), a, b attr.Value) (attr.Value, error) {
	n, err := f(a.Number(), b.Number())
	if err != nil {
		return nil, &Error{err.Error()}
	}
	return n.Value(), nil
}

// compute returns the value of what a SET assigns.
func (n *node) compute(item attr.Map, values []attr.Value) (attr.Value, error) {
	if n.op != opFunction {
		if v := n.eval(item, values); v != nil {
			return v, nil
		}
		return nil, errorf(msgMissingOperand)
	}
	if n.name == "if_not_exists" {
		if v := n.args[0].eval(item, values); v != nil {
			return v, nil
		}
		return n.args[1].compute(item, values)
	}
	a, err := n.args[0].compute(item, values)
	if err != nil {
		return nil, err
	}
	b, err := n.args[1].compute(item, values)
	if err != nil {
		return nil, err
	}
	want := attr.N
	if n.name == "list_append" {
		want = attr.L
	}
	if a.Type() != want || b.Type() != want {
		return nil, errorf(msgOperandType)
	}
	switch n.name {
	case "+":
		return sum(attr.Add, a, b)
	case "-":
		return sum(attr.Sub, a, b)
	}
	return concat(a, b), nil
}

// concat returns the list of the elements of two lists.
func concat(a, b attr.Value) attr.Value {
	var elems []attr.Value
	for _, list := range []attr.Value{a, b} {
		for _, e := range list.List() {
			elems = append(elems, e)
		}
	}
	return attr.List(elems...)
}
