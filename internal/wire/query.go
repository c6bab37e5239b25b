package wire

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/awsapi"
)

// maxParameters bounds the parameters of a query request.
const maxParameters = 1 << 16

// parameter is a node of the tree that the dotted names of a query request
// make: Tags.member.1.Key is four nodes.
type parameter struct {
	value    string
	set      bool
	children map[string]*parameter
}

// parseForm reads a query string or a form body. Values are kept by their first
// occurrence, as AWS does.
func parseForm(text string) (map[string]string, error) {
	form := make(map[string]string)
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		if len(form) >= maxParameters {
			return nil, &syntaxError{"the request has too many parameters", 0}
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, &syntaxError{fmt.Sprintf("parameter %q is not properly encoded", pair), 0}
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, &syntaxError{fmt.Sprintf("parameter %q is not properly encoded", name), 0}
		}
		if _, seen := form[name]; !seen {
			form[name] = value
		}
	}
	return form, nil
}

// parameterTree splits the names of a form at their dots.
func parameterTree(form map[string]string) (*parameter, error) {
	root := &parameter{}
	for name, value := range form {
		at := root
		depth := 0
		for part := range strings.SplitSeq(name, ".") {
			if depth++; depth > maxDepth {
				return nil, &syntaxError{"a parameter is nested too deeply", 0}
			}
			next := at.children[part]
			if next == nil {
				next = &parameter{}
				if at.children == nil {
					at.children = make(map[string]*parameter)
				}
				at.children[part] = next
			}
			at = next
		}
		at.value, at.set = value, true
	}
	return root, nil
}

// numbered returns the children 1, 2, 3 … in order of their numbers.
func (p *parameter) numbered() []*parameter {
	type item struct {
		number int
		param  *parameter
	}
	var items []item
	for name, child := range p.children {
		if n, err := strconv.Atoi(name); err == nil && n >= 0 {
			items = append(items, item{n, child})
		}
	}
	slices.SortFunc(items, func(a, b item) int { return a.number - b.number })
	out := make([]*parameter, len(items))
	for i, it := range items {
		out[i] = it.param
	}
	return out
}

// queryDecoder fills a struct from the parameters of awsQuery or ec2Query.
type queryDecoder struct {
	trail
	ec2 bool
}

func (d *queryDecoder) structure(n *node, v reflect.Value, p *parameter) error {
	if d.tooDeep() {
		return &syntaxError{"a parameter is nested too deeply", 0}
	}
	seen := uint64(0)
	for i := range n.fields {
		f := &n.fields[i]
		child := p.children[d.name(f)]
		if child == nil && !d.ec2 && f.flat() { // SQS takes MessageAttributes.1 for MessageAttribute.1, too
			child = p.children[f.Name]
		}
		if child == nil {
			continue
		}
		seen |= f.ordinal
		d.push(f.Name)
		if err := d.value(f, f.target(v), child); err != nil {
			return err
		}
		d.pop()
	}
	d.finish(n, seen)
	return nil
}

// name is the parameter of a member. EC2 writes first letters in upper case.
func (d *queryDecoder) name(f *field) string {
	if d.ec2 {
		if f.QueryName != "" {
			return f.QueryName
		}
		name := firstOf(f.WireName, f.Name)
		return strings.ToUpper(name[:1]) + name[1:]
	}
	return f.queryName
}

func (d *queryDecoder) value(f *field, v reflect.Value, p *parameter) error {
	switch f.kind {
	case awsapi.Structure:
		return d.structure(f.node, v, p)
	case awsapi.List:
		return d.list(f, v, p)
	case awsapi.Map:
		return d.mapping(f, v, p)
	}
	if err := f.setText(v, p.value); err != nil {
		return &mismatch{fmt.Sprintf("%s: %v", d.path(""), err)}
	}
	return nil
}

func (d *queryDecoder) list(f *field, v reflect.Value, p *parameter) error {
	if v.IsNil() {
		v.Set(reflect.MakeSlice(f.typ, 0, len(p.children)))
	}
	if !d.ec2 && !f.flat() {
		// AWS takes the element's own name and "member", whichever is sent.
		wrapper := p.children[firstOf(f.element.WireName, "member")]
		if wrapper == nil {
			wrapper = p.children["member"]
		}
		if wrapper == nil {
			return nil
		}
		p = wrapper
	}
	for i, child := range p.numbered() {
		d.pushIndex(i)
		if err := d.value(f.element, f.element.inside(grow(v)), child); err != nil {
			return err
		}
		d.pop()
	}
	return nil
}

func (d *queryDecoder) mapping(f *field, v reflect.Value, p *parameter) error {
	if v.IsNil() {
		v.Set(reflect.MakeMap(f.typ))
	}
	if !f.flat() {
		if p = p.children["entry"]; p == nil {
			return nil
		}
	}
	for _, entry := range p.numbered() {
		key := entry.children[firstOf(f.key.WireName, "key")]
		value := entry.children[firstOf(f.element.WireName, "value")]
		if key == nil {
			continue
		}
		element := reflect.New(f.typ.Elem()).Elem()
		if value != nil {
			d.push("\x00" + key.value)
			if err := d.value(f.element, f.element.inside(element), value); err != nil {
				return err
			}
			d.pop()
		}
		v.SetMapIndex(reflect.ValueOf(key.value), element)
	}
	return nil
}
