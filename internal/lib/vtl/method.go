package vtl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// entry is an entry of a map, as entrySet lists them.
type entry struct {
	of  *Map
	key string
}

// call calls a method of a value. What has no such method gives nothing.
func (r *run) call(v any, name string, args []any) (any, error) {
	switch v := v.(type) {
	case Object:
		for _, a := range args {
			if s, ok := a.(string); ok {
				if err := r.spend(len(s)); err != nil {
					return nil, err
				}
			}
		}
		out, _, err := v.Call(name, args)
		if s, ok := out.(string); ok && err == nil {
			err = r.spend(len(s))
		}
		return out, err
	case string:
		if err := r.step(len(v) / 64); err != nil {
			return nil, err
		}
		return r.callString(v, name, args)
	case *List:
		return r.callList(v, name, args)
	case *Map:
		return r.callMap(v, name, args)
	case *entry:
		switch name {
		case "getKey":
			return v.key, nil
		case "getValue":
			return v.of.Get(v.key), nil
		}
		return nil, nil
	}
	switch name {
	case "toString":
		return r.string(v)
	case "equals":
		if len(args) == 1 {
			return r.equal(v, args[0])
		}
	case "intValue", "longValue":
		f, ok := double(v)
		if ok {
			return int64(f), nil
		}
	case "doubleValue":
		if f, ok := double(v); ok {
			return f, nil
		}
	}
	return nil, nil
}

// callPath calls a method of $input whose path has been parsed with the template.
func (r *run) callPath(in *input, s *step) (any, error) {
	if err := r.spend(len(s.path.String())); err != nil {
		return nil, err
	}
	out, err := in.callPath(s.name, s.path)
	if text, ok := out.(string); ok && err == nil {
		err = r.spend(len(text))
	}
	return out, err
}

// whole returns the argument at i as a whole number from 0 to limit.
func whole(args []any, i, limit int) (int, error) {
	if i < len(args) {
		if n, ok := args[i].(int64); ok && n >= 0 && n <= int64(limit) {
			return int(n), nil
		}
	}
	return 0, fmt.Errorf("an index is not a whole number from 0 to %d", limit)
}

func (r *run) callList(l *List, name string, args []any) (any, error) {
	switch name {
	case "size":
		return int64(len(l.Items)), nil
	case "isEmpty":
		return len(l.Items) == 0, nil
	case "get":
		i, err := whole(args, 0, len(l.Items)-1)
		if err != nil {
			return nil, err
		}
		return l.Items[i], nil
	case "toString":
		return r.string(l)
	case "clear":
		l.Items = nil
		return nil, nil
	case "toArray", "iterator", "listIterator":
		return l, nil
	}
	if err := r.step(len(l.Items) / 8); err != nil {
		return nil, err
	}
	switch {
	case name == "add" && len(args) == 1:
		l.Items = append(l.Items, args[0])
		return true, nil
	case name == "add" && len(args) == 2:
		i, err := whole(args, 0, len(l.Items))
		if err == nil {
			l.Items = slices.Insert(l.Items, i, args[1])
		}
		return nil, err
	case name == "set" && len(args) == 2:
		i, err := whole(args, 0, len(l.Items)-1)
		if err != nil {
			return nil, err
		}
		old := l.Items[i]
		l.Items[i] = args[1]
		return old, nil
	case name == "addAll" && len(args) == 1:
		more, ok := args[0].(*List)
		if !ok {
			return nil, errors.New("addAll takes a list")
		}
		l.Items = append(l.Items, more.Items...)
		return len(more.Items) > 0, r.step(len(more.Items))
	case name == "subList" && len(args) == 2:
		to, err := whole(args, 1, len(l.Items))
		if err != nil {
			return nil, err
		}
		from, err := whole(args, 0, to)
		return &List{Items: slices.Clone(l.Items[from:to]), json: l.json}, err
	case (name == "contains" || name == "indexOf" || name == "lastIndexOf" || name == "remove" || name == "equals") && len(args) == 1:
		return r.search(l, name, args)
	case name == "containsAll" && len(args) == 1:
		wanted, ok := args[0].(*List)
		if !ok {
			return nil, errors.New("containsAll takes a list")
		}
		for _, w := range wanted.Items {
			if i, err := r.indexOf(l, w); i < 0 || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	return nil, nil
}

// search calls the methods that compare the elements with a value.
func (r *run) search(l *List, name string, args []any) (any, error) {
	if name == "equals" {
		return r.equal(l, args[0])
	}
	if i, ok := args[0].(int64); ok && name == "remove" { // remove(int) removes by index
		if _, err := whole(args, 0, len(l.Items)-1); err != nil {
			return nil, err
		}
		old := l.Items[i]
		l.Items = slices.Delete(l.Items, int(i), int(i)+1)
		return old, nil
	}
	i, err := r.indexOf(l, args[0])
	if err != nil {
		return nil, err
	}
	switch name {
	case "contains":
		return i >= 0, nil
	case "remove":
		if i >= 0 {
			l.Items = slices.Delete(l.Items, i, i+1)
		}
		return i >= 0, nil
	case "lastIndexOf":
		for j := len(l.Items) - 1; j > i; j-- {
			if same, err := r.same(l.Items[j], args[0]); same || err != nil {
				return int64(j), err
			}
		}
	}
	return int64(i), nil
}

func (r *run) indexOf(l *List, v any) (int, error) {
	for i, item := range l.Items {
		if same, err := r.same(item, v); same || err != nil {
			return i, err
		}
	}
	return -1, nil
}

// same tells whether two values are equal and of one kind, as Java's equals does.
func (r *run) same(a, b any) (bool, error) {
	if err := r.step(1); err != nil {
		return false, err
	}
	if fmt.Sprintf("%T", a) != fmt.Sprintf("%T", b) {
		return false, nil
	}
	return r.equal(a, b)
}

func (r *run) callMap(m *Map, name string, args []any) (any, error) {
	switch name {
	case "size":
		return int64(len(m.keys)), nil
	case "isEmpty":
		return len(m.keys) == 0, nil
	case "toString":
		return r.string(m)
	case "get", "put", "containsKey", "remove", "getOrDefault", "putIfAbsent":
		return r.callKey(m, name, args)
	}
	if err := r.step(len(m.keys)); err != nil {
		return nil, err
	}
	switch name {
	case "keySet":
		l := &List{Items: make([]any, len(m.keys))}
		for i, k := range m.keys {
			l.Items[i] = k
		}
		return l, nil
	case "entrySet":
		l := &List{Items: make([]any, len(m.keys))}
		for i, k := range m.keys {
			l.Items[i] = &entry{m, k}
		}
		return l, nil
	case "values":
		return &List{Items: m.Children()}, nil
	case "clear":
		*m = *NewMap()
	case "containsValue":
		if len(args) == 1 {
			i, err := r.indexOf(&List{Items: m.Children()}, args[0])
			return i >= 0, err
		}
	case "equals":
		if len(args) == 1 {
			return r.equal(m, args[0])
		}
	case "putAll":
		if len(args) != 1 {
			return nil, nil
		}
		from, ok := args[0].(*Map)
		if !ok {
			return nil, errors.New("putAll takes a map")
		}
		for _, k := range slices.Clone(from.keys) {
			m.Put(k, from.Get(k))
		}
		return nil, r.step(len(from.keys))
	}
	return nil, nil
}

// callKey calls the methods whose first argument is a key.
func (r *run) callKey(m *Map, name string, args []any) (any, error) {
	if len(args) == 0 {
		return nil, nil
	}
	key, err := r.string(args[0])
	if err != nil {
		return nil, err
	}
	old, found := m.Member(key)
	switch {
	case name == "get":
		return old, nil
	case name == "containsKey":
		return found, nil
	case name == "remove":
		return m.Remove(key), r.step(len(m.keys) / 8)
	case len(args) < 2:
		return nil, nil
	case name == "put":
		return m.Put(key, args[1]), nil
	case found:
		return old, nil
	case name == "putIfAbsent":
		m.Put(key, args[1])
		return nil, nil
	}
	return args[1], nil
}

// stringTests are the methods of strings that take a string and tell something.
var stringTests = map[string]func(s, arg string) any{
	"contains":         func(s, arg string) any { return strings.Contains(s, arg) },
	"startsWith":       func(s, arg string) any { return strings.HasPrefix(s, arg) },
	"endsWith":         func(s, arg string) any { return strings.HasSuffix(s, arg) },
	"equals":           func(s, arg string) any { return s == arg },
	"equalsIgnoreCase": func(s, arg string) any { return strings.EqualFold(s, arg) },
	"compareTo":        func(s, arg string) any { return int64(strings.Compare(s, arg)) },
	"indexOf":          func(s, arg string) any { return units(s, strings.Index(s, arg)) },
	"lastIndexOf":      func(s, arg string) any { return units(s, strings.LastIndex(s, arg)) },
	"concat":           func(s, arg string) any { return s + arg },
}
