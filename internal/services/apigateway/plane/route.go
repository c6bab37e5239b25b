package plane

import (
	"strings"

	"lambent.dev/lambent/internal/lib/httpevent"
)

// node is a place in the trie of an API's resources. A literal element of a path counts before a variable, and that before a greedy one.
type node struct {
	literals map[string]*node
	variable *node
	name     string // of the variable that leads here
	greedy   *node
	resource *resource
}

// insert adds a resource at a path such as /pets/{id}/{rest+}.
func (n *node) insert(path string, r *resource) {
	at := n
	for part := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		at = at.child(part)
	}
	at.resource = r
}

// child returns the node below n for one element, and makes it when it is missing.
func (n *node) child(part string) *node {
	name, variable := strings.CutPrefix(part, "{")
	if !variable {
		if n.literals == nil {
			n.literals = map[string]*node{}
		}
		c := n.literals[part]
		if c == nil {
			c = &node{}
			n.literals[part] = c
		}
		return c
	}
	name = strings.TrimSuffix(name, "}")
	at := &n.variable
	if rest, greedy := strings.CutSuffix(name, "+"); greedy {
		name, at = rest, &n.greedy
	}
	if *at == nil {
		*at = &node{name: name}
	}
	return *at
}

// find returns the resource of a raw path, which begins with a slash, and its path parameters, still encoded. A resource without the method is passed over for a
// variable or greedy one that has it. Every node is visited at most once.
func (n *node) find(path, method string) (*resource, pairs) {
	if len(path) > 1 {
		path = strings.TrimRight(path, "/")
	}
	if path == "/" || path == "" {
		if n.resource.answers(method) {
			return n.resource, nil
		}
		return nil, nil
	}
	return n.walk(path[1:], method, make(pairs, 0, 4))
}

// walk matches the rest of a path, which has no slash in front.
func (n *node) walk(path, method string, params pairs) (*resource, pairs) {
	part, rest, more := strings.Cut(path, "/")
	var tries [2]*node
	if n.literals != nil {
		tries[0] = n.literals[part]
		if tries[0] == nil && strings.IndexByte(part, '%') >= 0 {
			tries[0] = n.literals[httpevent.Unescape(part)]
		}
	}
	if part != "" {
		tries[1] = n.variable
	}
	for _, c := range tries {
		if c == nil {
			continue
		}
		found := params
		if c.name != "" {
			found = append(params, pair{c.name, part}) //nolint:gocritic // a branch of its own
		}
		if !more {
			if c.resource.answers(method) {
				return c.resource, found
			}
			continue
		}
		if r, p := c.walk(rest, method, found); r != nil {
			return r, p
		}
	}
	if n.greedy != nil && n.greedy.resource.answers(method) && path != "" {
		return n.greedy.resource, append(params, pair{n.greedy.name, path})
	}
	return nil, nil
}

// answers tells whether there is a resource that has a method for an HTTP method.
func (r *resource) answers(method string) bool { return r != nil && r.method(method) != nil }

// method returns the method for an HTTP method, or nil.
func (r *resource) method(name string) *method {
	if m := r.methods[name]; m != nil {
		return m
	}
	return r.methods["ANY"]
}
