package attr

import (
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
)

// Step is one step of a document path: into a map by name, or into a list by index when Name is empty.
type Step struct {
	Name  string
	Index int
}

// Path is a document path, such as a.b[3]. It begins with a name.
type Path []Step

// String returns the path as an expression writes it.
func (p Path) String() string {
	var b []byte
	for i, s := range p {
		switch {
		case s.Name == "":
			b = append(strconv.AppendInt(append(b, '['), int64(s.Index), 10), ']')
		case i > 0:
			b = append(append(b, '.'), s.Name...)
		default:
			b = append(b, s.Name...)
		}
	}
	return string(b)
}

// Lookup returns the value at a path, or nil.
func (m Map) Lookup(p Path) Value {
	if len(p) == 0 {
		return nil
	}
	v := m.Get(p[0].Name)
	for _, s := range p[1:] {
		if s.Name != "" {
			v = v.Map().Get(s.Name)
		} else {
			v = v.At(s.Index)
		}
		if v == nil {
			return nil
		}
	}
	return v
}

// ErrPath is returned by Apply for an edit whose place does not exist.
var ErrPath = errors.New("the document path does not exist in the item")

// Edit gives the value at a path another value, or removes it when Value is nil.
type Edit struct {
	Path  Path
	Value Value
}

// Apply returns the map with edits made. The indexes of lists are those of m, whatever other edits remove or add; an index past
// the end appends. Removing what is not there changes nothing. The parent of a path must exist, or ErrPath is returned.
func (m Map) Apply(edits []Edit) (Map, error) {
	fields := make([]Field, 0, len(edits))
	var roots map[string]*tree
	for _, e := range edits {
		top := e.Path[0].Name
		if len(e.Path) == 1 {
			fields = append(fields, Field{top, e.Value})
			continue
		}
		t := roots[top]
		if t == nil {
			v := m.Get(top)
			if v == nil {
				return nil, ErrPath
			}
			if roots == nil {
				roots = map[string]*tree{}
			}
			t = &tree{leaf: v}
			roots[top] = t
		}
		if err := t.edit(e.Path[1:], e.Value); err != nil {
			return nil, err
		}
	}
	for top, t := range roots {
		fields = append(fields, Field{top, t.value()})
	}
	return m.With(fields...), nil
}

// tree is a value of which some parts are edited: a leaf until an edit goes below it.
type tree struct {
	leaf     Value // nil once opened
	kind     Type
	names    []string // of a map
	children []*tree  // nil for what an edit removed
	appended []Field  // to a list: Name is unused; in the order of the indexes
	order    []int    // the indexes of appended
}

// open turns a leaf into its children. It reports whether the value has any.
func (t *tree) open() bool {
	if t.leaf == nil {
		return true
	}
	t.kind = t.leaf.Type()
	switch t.kind {
	case M:
		for name, v := range t.leaf.Map().All() {
			t.names = append(t.names, string(name))
			t.children = append(t.children, &tree{leaf: v})
		}
	case L:
		for _, v := range t.leaf.List() {
			t.children = append(t.children, &tree{leaf: v})
		}
	default:
		return false
	}
	t.leaf = nil
	return true
}

// edit makes one edit below t.
func (t *tree) edit(p Path, v Value) error {
	if !t.open() || (p[0].Name != "") != (t.kind == M) {
		return ErrPath
	}
	i := p[0].Index
	if t.kind == M {
		i = slices.Index(t.names, p[0].Name)
	}
	missing := i < 0 || i >= len(t.children)
	switch {
	case len(p) > 1 && (missing || t.children[i] == nil):
		return ErrPath
	case len(p) > 1:
		return t.children[i].edit(p[1:], v)
	case missing && v == nil:
	case missing && t.kind == M:
		t.names = append(t.names, p[0].Name)
		t.children = append(t.children, &tree{leaf: v})
	case missing:
		at, _ := slices.BinarySearch(t.order, i)
		t.order = slices.Insert(t.order, at, i)
		t.appended = slices.Insert(t.appended, at, Field{Value: v})
	case v == nil:
		t.children[i] = nil
	default:
		t.children[i] = &tree{leaf: v}
	}
	return nil
}

// value puts the parts together.
func (t *tree) value() Value {
	if t.leaf != nil {
		return t.leaf
	}
	if t.kind == M {
		var fields []Field
		for i, c := range t.children {
			if c != nil {
				fields = append(fields, Field{t.names[i], c.value()})
			}
		}
		return NewMap(fields...).Value()
	}
	var elems []Value
	for _, c := range t.children {
		if c != nil {
			elems = append(elems, c.value())
		}
	}
	for _, a := range t.appended {
		elems = append(elems, a.Value)
	}
	return List(elems...)
}

// Projection selects parts of items. Make it with [NewProjection]; it is immutable.
type Projection struct{ root *branch }

// branch is a node of the paths of a projection; without children it selects the whole value.
type branch struct {
	names   map[string]*branch
	indexes map[int]*branch
}

// NewProjection returns the projection to the values at paths, none of which begins with another.
func NewProjection(paths []Path) *Projection {
	root := &branch{}
	for _, p := range paths {
		b := root
		for _, s := range p {
			b = b.child(s)
		}
	}
	return &Projection{root}
}

func (b *branch) child(s Step) *branch {
	if s.Name != "" {
		if b.names == nil {
			b.names = map[string]*branch{}
		}
		if b.names[s.Name] == nil {
			b.names[s.Name] = &branch{}
		}
		return b.names[s.Name]
	}
	if b.indexes == nil {
		b.indexes = map[int]*branch{}
	}
	if b.indexes[s.Index] == nil {
		b.indexes[s.Index] = &branch{}
	}
	return b.indexes[s.Index]
}

// Apply returns the selected parts of m. The selected elements of a list come one after another.
func (p *Projection) Apply(m Map) Map { return p.root.project(m) }

func (b *branch) project(m Map) Map {
	out := append(make(Map, 0, 256), emptyCount...)
	count := uint32(0)
	for name, v := range m.All() {
		next := b.names[string(name)]
		if next == nil {
			continue
		}
		if v = next.cut(v); v != nil {
			out = append(Map(appendChunk(Value(out), name)), v...)
			count++
		}
	}
	binary.BigEndian.PutUint32(out, count)
	return out
}

// cut returns what b selects of v, or nil.
func (b *branch) cut(v Value) Value {
	switch {
	case b.names == nil && b.indexes == nil:
		return v
	case b.names != nil && v.Type() == M:
		if m := b.project(v.Map()); m.Len() > 0 {
			return m.Value()
		}
	case b.indexes != nil && v.Type() == L:
		var elems []Value
		for i, e := range v.List() {
			if next := b.indexes[i]; next != nil {
				if e = next.cut(e); e != nil {
					elems = append(elems, e)
				}
			}
		}
		if len(elems) > 0 {
			return List(elems...)
		}
	}
	return nil
}
