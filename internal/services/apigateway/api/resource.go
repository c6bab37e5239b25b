package api

import (
	"regexp"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
)

// pathPart is what an element of a path may be: a literal, or a variable in braces.
var pathPart = regexp.MustCompile(`^(\{[a-zA-Z0-9._-]+\+?\}|[a-zA-Z0-9._:$,@%~!'()*;=&-]+)$`)

// greedy tells whether an element of a path takes the rest of it.
func greedy(part string) bool { return strings.HasSuffix(part, "+}") }

func variable(part string) bool { return strings.HasPrefix(part, "{") }

// Place checks that a resource may be below parent under the name part, and sets its place. r is in the tree already when it is moved.
func (t *Tree) Place(parent *aws.Resource, part string, r *aws.Resource) error {
	if !pathPart.MatchString(part) {
		return BadRequest("Resource's path part only allow a-zA-Z0-9._-:$ or a valid greedy path variable and curly braces at the beginning and the end.")
	}
	if greedy(text(parent.PathPart)) {
		return BadRequest("Cannot create a child of a resource with a greedy path variable: %s", *parent.PathPart)
	}
	for _, sibling := range t.Resources {
		if sibling == r || text(sibling.ParentId) != *parent.Id {
			continue
		}
		switch {
		case text(sibling.PathPart) == part:
			return Conflict("Another resource with the same parent already has this name: %s", part)
		case variable(part) && variable(text(sibling.PathPart)):
			return BadRequest("A sibling (%s) of this resource already has a variable path part -- only one is allowed", *sibling.PathPart)
		}
	}
	r.ParentId, r.PathPart = parent.Id, ptr(part)
	return nil
}

// Join returns the path of a part below a parent.
func Join(parent, part string) string { return strings.TrimSuffix(parent, "/") + "/" + part }

// SetPaths sets the paths of all resources anew, after one was moved.
func (t *Tree) SetPaths() {
	children := map[string][]*aws.Resource{}
	for _, r := range t.Resources {
		children[text(r.ParentId)] = append(children[text(r.ParentId)], r)
	}
	var walk func(parent *aws.Resource)
	walk = func(parent *aws.Resource) {
		for _, r := range children[*parent.Id] {
			r.Path = ptr(Join(*parent.Path, *r.PathPart))
			walk(r)
		}
	}
	if root := t.Root(); root != nil {
		walk(root)
	}
}
