package sam

import (
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/deploy/template"
)

// read turns a template's values into ours, with the keys of mappings in the order of the text. Keys of which the document does not know where
// they stood (those of aliases, and what other transforms made) come behind the others, in the order of the alphabet.
func read(d *template.Document) *dict {
	r := reader{document: d}
	root, _ := r.value(d.Root).(*dict)
	return root
}

type reader struct {
	document *template.Document
	path     []string
}

func (r *reader) value(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := &dict{values: make(map[string]any, len(x)), keys: make([]name, 0, len(x))}
		for _, k := range r.order(x) {
			r.path = append(r.path, k)
			out.set(k, r.value(x[k]))
			r.path = r.path[:len(r.path)-1]
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			r.path = append(r.path, strconv.Itoa(i))
			out[i] = r.value(e)
			r.path = r.path[:len(r.path)-1]
		}
		return out
	}
	return v
}

func (r *reader) order(m map[string]any) []string {
	keys := sortedKeys(m)
	if len(keys) < 2 {
		return keys
	}
	type place struct {
		template.Position
		known bool
	}
	places := make(map[string]place, len(keys))
	for _, k := range keys {
		p, known := r.document.Position(append(slices.Clone(r.path), k)...)
		places[k] = place{p, known}
	}
	slices.SortStableFunc(keys, func(a, b string) int {
		x, y := places[a], places[b]
		switch {
		case x.known != y.known:
			if x.known {
				return -1
			}
			return 1
		case x.Line != y.Line:
			return x.Line - y.Line
		case x.Column != y.Column:
			return x.Column - y.Column
		}
		return strings.Compare(a, b)
	})
	return keys
}

// write turns our values into those of templates.
func write(v any) any {
	switch x := v.(type) {
	case *dict:
		out := make(map[string]any, x.len())
		for k, e := range x.all() {
			out[k] = write(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = write(e)
		}
		return out
	case unicode:
		return string(x)
	case int:
		return int64(x)
	}
	return v
}

// hashed returns a copy of a value as Python 2 would have held it: mappings in its order, and all text marked.
func hashed(v any) any {
	switch x := v.(type) {
	case string:
		return unicode(x)
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = hashed(e)
		}
		return out
	case *dict:
		out := newHashed()
		for k, e := range x.all() {
			out.put(name{k, true}, hashed(e))
		}
		return out
	}
	return v
}
