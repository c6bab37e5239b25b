package vtl

import (
	"errors"
	"fmt"

	"lambent.dev/lambent/internal/lib/jsonpath"
)

// node is a part of a template that prints.
type node interface {
	render(r *run) error
}

// literal is text.
type literal []byte

func (n literal) render(r *run) error {
	if len(n) > r.max-len(r.out) {
		return fmt.Errorf("%w of %d bytes of output", ErrLimit, r.max)
	}
	r.out = append(r.out, n...)
	return nil
}

// defined is the block of a #define. Its text is made anew wherever it is referred to.
type defined struct{ nodes []node }

type defineNode struct {
	slot  int
	block *defined
}

func (n *defineNode) render(r *run) error {
	r.vars[n.slot] = n.block
	return nil
}

type breakNode struct{}

func (breakNode) render(r *run) error {
	r.ended = broken
	return nil
}

type stopNode struct{}

func (stopNode) render(r *run) error {
	r.ended = stopped
	return nil
}

type branch struct {
	when  expr // nil for #else
	nodes []node
}

type ifNode struct{ branches []branch }

func (n *ifNode) render(r *run) error {
	for _, b := range n.branches {
		if b.when != nil {
			v, err := b.when.eval(r)
			if err != nil {
				return err
			}
			if !truth(v) {
				continue
			}
		}
		return r.nodes(b.nodes)
	}
	return nil
}

// truth tells whether a value counts as true.
func truth(v any) bool { return v != nil && v != false }

type setNode struct {
	target *reference
	value  expr
}

func (n *setNode) render(r *run) error {
	v, err := n.value.eval(r)
	if err != nil {
		return err
	}
	return n.target.assign(r, v)
}

// loopState is the value of $foreach.
type loopState struct {
	index, size int
	outer       any
}

// Property returns the place in the loop.
func (l *loopState) Property(name string) any {
	switch name {
	case "index":
		return int64(l.index)
	case "count":
		return int64(l.index + 1)
	case "hasNext":
		return l.index+1 < l.size
	case "first":
		return l.index == 0
	case "last":
		return l.index+1 == l.size
	case "parent":
		return l.outer
	}
	return nil
}

// Call finds no methods but hasNext.
func (l *loopState) Call(name string, _ []any) (any, bool, error) {
	if name != "hasNext" {
		return nil, false, nil
	}
	return l.Property(name), true, nil
}

type foreachNode struct {
	item  int
	list  expr
	nodes []node
}

func (n *foreachNode) render(r *run) error {
	v, err := n.list.eval(r)
	if err != nil {
		return err
	}
	var items []any
	switch v := v.(type) {
	case *List:
		items = v.Items
	case *Map:
		items = v.Children()
	}
	if err := r.step(len(items)); err != nil {
		return err
	}
	slots := [...]int{n.item, r.loop.foreach, r.loop.count, r.loop.hasNext}
	var before [len(slots)]any
	for i, slot := range slots {
		before[i] = r.vars[slot]
	}
	state := &loopState{size: len(items), outer: before[1]}
	for i, item := range items {
		state.index = i
		r.vars[n.item], r.vars[r.loop.foreach] = item, state
		r.vars[r.loop.count], r.vars[r.loop.hasNext] = int64(i+1), i+1 < len(items)
		if err := r.nodes(n.nodes); err != nil {
			return err
		}
		if r.ended == broken {
			r.ended = running
			break
		}
		if r.ended == stopped {
			break
		}
	}
	for i, slot := range slots {
		r.vars[slot] = before[i]
	}
	return nil
}

// step is a part of a reference: .name, .name(args) or [index].
type step struct {
	name  string
	call  bool
	args  []expr
	index expr
	// path is the argument of json or path that stands in the template as it is; nil for another one.
	path *jsonpath.Path
}

// reference is a variable and the steps from it.
type reference struct {
	slot  int
	steps []step
}

func (n *reference) render(r *run) error {
	v, err := n.find(r, n.steps)
	if err != nil {
		return err
	}
	if d, ok := v.(*defined); ok {
		if r.depth++; r.depth > maxDepth {
			return fmt.Errorf("%w of nesting", ErrLimit)
		}
		err := r.nodes(d.nodes)
		r.depth--
		return err
	}
	return r.print(v)
}

// eval returns what the reference leads to. Nothing is the empty string.
func (n *reference) eval(r *run) (any, error) {
	v, err := n.find(r, n.steps)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case nil:
		return "", nil
	case *defined:
		return r.capture(v.nodes)
	}
	return v, nil
}

func (n *reference) find(r *run, steps []step) (any, error) {
	v := r.vars[n.slot]
	for i := range steps {
		if v == nil {
			return nil, nil
		}
		if err := r.step(1); err != nil {
			return nil, err
		}
		var err error
		if v, err = steps[i].from(r, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// from returns what the step leads to from v.
func (s *step) from(r *run, v any) (any, error) {
	if s.index != nil {
		key, err := s.index.eval(r)
		if err != nil {
			return nil, err
		}
		return r.at(v, key)
	}
	if s.call {
		if in, ok := v.(*input); ok && s.path != nil {
			return r.callPath(in, s)
		}
		args := make([]any, len(s.args))
		for i, a := range s.args {
			var err error
			if args[i], err = a.eval(r); err != nil {
				return nil, err
			}
		}
		return r.call(v, s.name, args)
	}
	switch v := v.(type) {
	case *Map:
		return v.Get(s.name), nil
	case Object:
		return v.Property(s.name), nil
	case *entry:
		switch s.name {
		case "key":
			return v.key, nil
		case "value":
			return v.of.Get(v.key), nil
		}
	case *List:
		if s.name == "empty" {
			return len(v.Items) == 0, nil
		}
	}
	return nil, nil
}

// at returns the value at an index or a key.
func (r *run) at(v, key any) (any, error) {
	switch v := v.(type) {
	case *Map:
		k, err := r.string(key)
		return v.Get(k), err
	case *List:
		i, ok := key.(int64)
		if !ok {
			return nil, errors.New("the index of a list is not a whole number")
		}
		item, _ := v.Element(int(i))
		return item, nil
	case Object:
		k, err := r.string(key)
		if err != nil {
			return nil, err
		}
		return v.Property(k), nil
	}
	return nil, nil
}

// assign sets what the reference names. Where there is nothing to hold it, nothing is set.
func (n *reference) assign(r *run, value any) error {
	if len(n.steps) == 0 {
		r.vars[n.slot] = value
		return nil
	}
	last := &n.steps[len(n.steps)-1]
	holder, err := n.find(r, n.steps[:len(n.steps)-1])
	if err != nil || last.call {
		return err
	}
	var key any = last.name
	if last.index != nil {
		if key, err = last.index.eval(r); err != nil {
			return err
		}
	}
	switch holder := holder.(type) {
	case *Map:
		k, err := r.string(key)
		if err != nil {
			return err
		}
		holder.Put(k, value)
	case *List:
		i, ok := key.(int64)
		if !ok || i < 0 || int(i) >= len(holder.Items) {
			return fmt.Errorf("the list has no element %v", key)
		}
		holder.Items[i] = value
	}
	return nil
}
