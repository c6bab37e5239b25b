package sam

import (
	"iter"
	"slices"
)

// unicode is text that the template's author wrote in a part of the template that a deployment id stands for. The id is a digest of how
// Python 2 prints the API's definition, and Python 2 prints such text with a u before it. In all other ways it is text, see [text].
type unicode string

// name is a key of a [dict]. The mark is that of [unicode].
type name struct {
	text    string
	unicode bool
}

// nameOf returns the key that a text stands for.
func nameOf(v any) (name, bool) {
	switch s := v.(type) {
	case string:
		return name{s, false}, true
	case unicode:
		return name{string(s), true}, true
	}
	return name{}, false
}

func (n name) value() any {
	if n.unicode {
		return unicode(n.text)
	}
	return n.text
}

// dict is a mapping that remembers the order of its keys. A nil dict is empty and can be read.
type dict struct {
	values map[string]any
	// keys are in the order of their first writing. In a mapping with a table they are not used: its order is that of Python 2.
	keys  []name
	table *table
}

func newDict() *dict { return &dict{values: map[string]any{}} }

// newHashed returns a mapping in the order of Python 2.
func newHashed() *dict { return &dict{values: map[string]any{}, table: newTable()} }

// dictOf builds a mapping from keys and values that take turns. Values that are nil are left out.
func dictOf(pairs ...any) *dict { return newDict().with(pairs...) }

// hashedOf is dictOf for a mapping in the order of Python 2.
func hashedOf(pairs ...any) *dict { return newHashed().with(pairs...) }

func (d *dict) with(pairs ...any) *dict {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			continue
		}
		if k, ok := nameOf(pairs[i]); ok {
			d.put(k, pairs[i+1])
		}
	}
	return d
}

func (d *dict) get(key string) any {
	if d == nil {
		return nil
	}
	return d.values[key]
}

func (d *dict) has(key string) bool {
	if d == nil {
		return false
	}
	_, ok := d.values[key]
	return ok
}

// dict returns the mapping under a key, or nil.
func (d *dict) dict(key string) *dict {
	v, _ := d.get(key).(*dict)
	return v
}

func (d *dict) set(key string, v any) { d.put(name{key, false}, v) }

// put writes a value. A key that is there already stays as it was written first.
func (d *dict) put(key name, v any) {
	if d.table != nil {
		d.table.add(key)
	} else if _, has := d.values[key.text]; !has {
		d.keys = append(d.keys, key)
	}
	d.values[key.text] = v
}

func (d *dict) remove(key string) {
	if !d.has(key) {
		return
	}
	delete(d.values, key)
	if d.table != nil {
		d.table.remove(key)
		return
	}
	d.keys = slices.DeleteFunc(d.keys, func(k name) bool { return k.text == key })
}

func (d *dict) len() int {
	if d == nil {
		return 0
	}
	return len(d.values)
}

// names returns the keys in their order. The caller must not change them.
func (d *dict) names() []name {
	switch {
	case d == nil:
		return nil
	case d.table != nil:
		return d.table.keys()
	}
	return d.keys
}

// all goes through a snapshot of the keys: the loop may write to the mapping.
func (d *dict) all() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, k := range slices.Clone(d.names()) {
			if v, has := d.values[k.text]; has && !yield(k.text, v) {
				return
			}
		}
	}
}

// setDefault writes v unless the key is there, and returns what is there.
func (d *dict) setDefault(key name, v any) any {
	if have, has := d.values[key.text]; has {
		return have
	}
	d.put(key, v)
	return v
}

// update writes all entries of another mapping.
func (d *dict) update(other *dict) {
	if d.table != nil {
		d.table.reserve(other.len())
	}
	for _, k := range other.names() {
		d.put(k, other.values[k.text])
	}
}

// copy returns a mapping of the same values.
func (d *dict) copy() *dict {
	out := newDict()
	if d != nil && d.table != nil {
		out = newHashed()
	}
	out.update(d)
	return out
}

// clone copies a value with all that is in it.
func clone(v any) any {
	switch x := v.(type) {
	case *dict:
		return x.clone()
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

func (d *dict) clone() *dict {
	if d == nil {
		return nil
	}
	out := &dict{values: make(map[string]any, len(d.values))}
	if d.table != nil {
		out.table = newTable()
	}
	for _, k := range d.names() {
		out.put(k, clone(d.values[k.text]))
	}
	return out
}

// text returns the content of a text.
func text(v any) (string, bool) {
	switch s := v.(type) {
	case string:
		return s, true
	case unicode:
		return string(s), true
	}
	return "", false
}

// is tells whether v is the given text.
func is(v any, want ...string) bool {
	s, ok := text(v)
	return ok && slices.Contains(want, s)
}

// like returns s with the mark of another text.
func like(of any, s string) any {
	if _, ok := of.(unicode); ok {
		return unicode(s)
	}
	return s
}

// truthy tells what Python's if would take: nothing, false, zero and what is empty are not.
func truthy(v any) bool {
	switch x := v.(type) {
	case nil:
		return false
	case bool:
		return x
	case string:
		return x != ""
	case unicode:
		return x != ""
	case int64:
		return x != 0
	case int:
		return x != 0
	case float64:
		return x != 0
	case []any:
		return len(x) > 0
	case *dict:
		return x.len() > 0
	}
	return true
}

// equal compares values; the order of keys does not matter.
func equal(a, b any) bool {
	if s, ok := text(a); ok {
		t, ok := text(b)
		return ok && s == t
	}
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, equal)
	case *dict:
		y, ok := b.(*dict)
		if !ok || x.len() != y.len() {
			return false
		}
		for k, v := range x.all() {
			if w, has := y.values[k]; !has || !equal(v, w) {
				return false
			}
		}
		return true
	}
	return a == b
}

// contains tells whether a list has a value.
func contains(list []any, v any) bool {
	return slices.ContainsFunc(list, func(e any) bool { return equal(e, v) })
}
