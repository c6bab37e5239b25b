package expr

import (
	"hash/maphash"
	"slices"
	"strings"

	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/lib/lru"
)

// Bounds of a cache: the expressions in it, and the parts of one that is kept. A part takes less than 200 bytes.
const (
	maxKept  = 2048
	maxParts = 256
)

// grammar is one of the languages of expressions.
type grammar uint8

const (
	conditionGrammar grammar = iota
	updateGrammar
	projectionGrammar
	mentions // any of them, as [Cache.Attributes] reads it
)

// Cache keeps expressions in parsed form by their text and the attributes that their #names stand for; their :values are slots, which every request fills
// with its own. Only expressions without faults are kept. Values of which a rule of the grammar does not approve make the expression be
// parsed again, so that a request gets the same answer whether its expression was known or not. A nil Cache keeps nothing. It is safe for concurrent use.
type Cache struct {
	seed maphash.Seed
	kept *lru.Cache[cacheKey, *compiled]
}

// cacheKey is a text in a grammar, with a sum of the names of the request.
type cacheKey struct {
	grammar grammar
	names   uint64
	text    string
}

// NewCache returns an empty cache.
func NewCache() *Cache {
	return &Cache{seed: maphash.MakeSeed(), kept: lru.New[cacheKey, *compiled](maxKept)}
}

// Condition parses a condition; parameter names it in messages: ConditionExpression, FilterExpression or KeyConditionExpression. The result
// belongs to p.
func (c *Cache) Condition(parameter, src string, p *Placeholders) (*Condition, error) {
	k, values, err := c.compile(parameter, src, conditionGrammar, p)
	if err != nil {
		return nil, err
	}
	for i := range p.conditions {
		if room := &p.conditions[i]; room.root == nil {
			*room = Condition{k.root, values, k.attributes}
			return room, nil
		}
	}
	return &Condition{k.root, values, k.attributes}, nil
}

// Update parses an UpdateExpression. The result belongs to p, and there is one at a time.
func (c *Cache) Update(src string, p *Placeholders) (*Update, error) {
	k, values, err := c.compile("UpdateExpression", src, updateGrammar, p)
	if err != nil {
		return nil, err
	}
	p.update = Update{k.update, values}
	return &p.update, nil
}

// Projection parses a ProjectionExpression.
func (c *Cache) Projection(src string, p *Placeholders) (*Projection, error) {
	k, _, err := c.compile("ProjectionExpression", src, projectionGrammar, p)
	if err != nil {
		return nil, err
	}
	return k.projection, nil
}

// compile returns an expression with the values of its slots.
func (c *Cache) compile(parameter, src string, g grammar, p *Placeholders) (*compiled, []attr.Value, error) {
	var key cacheKey
	if c != nil {
		key = cacheKey{g, c.sum(p.names), src}
		if k, ok := c.kept.Get(key); ok {
			if values, ok := p.bind(k, true); ok {
				return k, values, nil
			}
		}
	}
	k, err := parse(parameter, strings.Clone(src), g, p) // the text outlives the request
	if err != nil {
		return nil, nil, err
	}
	if c != nil && k.parts <= maxParts {
		key.text = k.text
		c.kept.Put(key, k)
	}
	values, _ := p.bind(k, false)
	return k, values, nil
}

// sum returns a number for the names of a request, in whatever order they come.
func (c *Cache) sum(names map[string]string) (n uint64) {
	for placeholder, name := range names {
		n += maphash.String(c.seed, placeholder) * (2*maphash.String(c.seed, name) + 1)
	}
	return n
}

// compiled is an expression with slots for its values. It is immutable.
type compiled struct {
	text  string
	parts int
	// names are the names that the expression has, slots the placeholders of its values.
	names []rename
	slots []string
	// What its values must be.
	guards    []guard
	pairs     [][2]int // slots of bounds
	typeNames []int    // slots of names of types

	root       *node // of a condition
	attributes []string
	update     changes
	projection *Projection
}

// rename is an attribute with the #name that stands for it.
type rename struct{ placeholder, attribute string }

// typeSet is a set of types of values.
type typeSet uint16

func typesOf(types ...attr.Type) (s typeSet) {
	for _, t := range types {
		s |= 1 << t
	}
	return s
}

// guard says which types the value in a slot may have.
type guard struct {
	slot  int
	types typeSet
}

// allow notes that a node, if it is a value, must be of one of some types, and tells whether it is. The value of an undefined placeholder is of any type.
func (p *parser) allow(n *node, types typeSet) bool {
	if n.op != opValue {
		return true
	}
	p.guards = append(p.guards, guard{n.slot, types})
	return types&(1<<n.value.Type()) != 0
}

// parse parses an expression.
func parse(parameter, src string, g grammar, p *Placeholders) (*compiled, error) {
	k := &compiled{text: src}
	take := k.update.parse
	switch g {
	case conditionGrammar:
		take = func(ps *parser) {
			k.root = ps.or()
			ps.wantTest(k.root)
		}
	case projectionGrammar:
		k.projection = &Projection{}
		take = k.projection.parse
	case updateGrammar, mentions:
	}
	ps, err := run(parameter, src, p, take)
	if err != nil {
		return nil, err
	}
	k.names, k.slots, k.guards, k.pairs, k.typeNames, k.parts = ps.names, ps.slots, ps.guards, ps.pairs, ps.typeNames, ps.nodes
	switch g {
	case conditionGrammar:
		k.parts += k.root.open()
		k.attributes = k.root.names(make([]string, 0, 4))
	case updateGrammar:
		k.parts += k.update.open()
	case mentions:
	case projectionGrammar:
		k.projection.Projection = attr.NewProjection(k.projection.Paths)
	}
	return k, nil
}

// open takes the values out of a tree, which leaves their slots, and returns the number of its nodes.
func (n *node) open() int {
	n.value = nil
	count := 1
	for _, a := range n.args {
		count += a.open()
	}
	return count
}

// open takes the values out of an update, and makes what does not depend on them.
func (u *changes) open() (count int) {
	for _, list := range [][]assignment{u.sets, u.adds, u.deletes} {
		for _, a := range list {
			count += a.operand.open()
		}
	}
	u.sets, u.removes, u.adds, u.deletes = slices.Clip(u.sets), slices.Clip(u.removes), slices.Clip(u.adds), slices.Clip(u.deletes)
	u.changedNew, u.changedOld = attr.NewProjection(u.paths(false)), attr.NewProjection(u.paths(true))
	return count
}

// bind returns the values of the slots. With check, ok tells whether the request has all placeholders and the expression the same meaning and no faults with them.
func (p *Placeholders) bind(k *compiled, check bool) (values []attr.Value, ok bool) {
	from := len(p.bound)
	if from == 0 {
		p.bound = p.room[:0]
	}
	for _, placeholder := range k.slots {
		p.bound = append(p.bound, p.values.Get(placeholder))
	}
	values = p.bound[from:len(p.bound):len(p.bound)]
	if check && !(k.named(p.names) && k.fits(values)) {
		p.bound = p.bound[:from]
		return nil, false
	}
	for _, r := range k.names {
		p.usedNames.add(r.placeholder)
	}
	for _, placeholder := range k.slots {
		p.usedValues.add(placeholder)
	}
	return values, true
}

// named tells whether a request means the same attributes by its names as k does.
func (k *compiled) named(names map[string]string) bool {
	for _, r := range k.names {
		if name, ok := names[r.placeholder]; !ok || name != r.attribute {
			return false
		}
	}
	return true
}

// fits tells whether the rules of the grammar approve of the values.
func (k *compiled) fits(values []attr.Value) bool {
	for _, v := range values {
		if v == nil {
			return false
		}
	}
	for _, g := range k.guards {
		if g.types&(1<<values[g.slot].Type()) == 0 {
			return false
		}
	}
	for _, p := range k.pairs {
		low, high := values[p[0]], values[p[1]]
		if order, ok := attr.Compare(low, high); low.Type() != high.Type() || ok && order > 0 {
			return false
		}
	}
	for _, slot := range k.typeNames {
		if _, ok := attr.ParseType(values[slot].Text()); !ok {
			return false
		}
	}
	return true
}
