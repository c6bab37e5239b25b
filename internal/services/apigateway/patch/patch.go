// Package patch applies the patch operations of API Gateway's updates.
//
// An update names what it changes by paths: {"op": "replace", "path": "/name", "value": "pets"}. Every kind of resource has a [Table] of the paths that it has and of the
// operations that each of them takes. What is in no table is refused; the wording differs between kinds, as AWS's does ([Wording]). Paths are JSON pointers (RFC
// 6901): ~1 stands for a slash within an element and ~0 for a tilde. Most kinds treat lists and maps alike: an element is named by its key or its value, not by a number.
package patch

import (
	"fmt"
	"slices"
	"strings"

	aws "lambent.dev/lambent/internal/awsapi/apigateway"
	"lambent.dev/lambent/internal/service"
)

// Wording is how a kind of resource says that it does not have a path or an operation.
type Wording uint8

// The wordings.
const (
	// Listed names the paths that take the operation.
	Listed Wording = iota
	// Terse names the path; for an operation that a known path does not take it lists those that it does.
	Terse
	// Bare names the path in either case.
	Bare
)

// Edit is one patch operation on a path of a table.
type Edit struct {
	// Op is add, remove or replace.
	Op string
	// Path is the path as it was sent.
	Path string
	// Args are the elements of the path where the table's has {}, unescaped.
	Args []string
	// Value is nil when the operation has none.
	Value *string
}

// Text returns the value, or "" when there is none.
func (e Edit) Text() string {
	if e.Value == nil {
		return ""
	}
	return *e.Value
}

// Path is a path of a kind T with the operations that it takes.
type Path[T any] struct {
	// Pattern is the path, with {} for elements of any name, "/requestModels/{}", and {+} for one or more, whose slashes may be escaped or not.
	Pattern string
	// Ops are the operations, separated by commas.
	Ops string
	// Apply changes t. Its errors are those that the client sees.
	Apply func(t *T, e Edit) error
}

// Table holds the paths of a kind of resource.
type Table[T any] struct {
	Wording Wording
	Paths   []Path[T]
}

// Apply changes t by ops, in their order, and stops at the first that is refused. The caller throws t away then.
func (b *Table[T]) Apply(t *T, ops []aws.PatchOperation) error {
	for i := range ops {
		path, args, err := b.find(&ops[i])
		if err != nil {
			return err
		}
		if err := path.Apply(t, Edit{Op: ops[i].Op, Path: *ops[i].Path, Args: args, Value: ops[i].Value}); err != nil {
			return err
		}
	}
	return nil
}

// Takes tells whether the table has the path of an operation, and the path takes it.
func (b *Table[T]) Takes(op *aws.PatchOperation) bool {
	_, _, err := b.find(op)
	return err == nil
}

// find returns the row of an operation.
func (b *Table[T]) find(op *aws.PatchOperation) (*Path[T], []string, error) {
	if op.Path == nil {
		return nil, nil, refuse("Invalid patch path null")
	}
	for i := range b.Paths {
		args, ok := match(b.Paths[i].Pattern, *op.Path)
		if !ok {
			continue
		}
		if !slices.Contains(strings.Split(b.Paths[i].Ops, ","), op.Op) {
			return nil, nil, b.refused(&b.Paths[i], op)
		}
		return &b.Paths[i], args, nil
	}
	return nil, nil, b.refused(nil, op)
}

// refused returns the error for a path that is not in the table, or for an operation that row does not take.
func (b *Table[T]) refused(row *Path[T], op *aws.PatchOperation) error {
	switch {
	case b.Wording == Terse && row != nil:
		return refuse("Invalid patch operation specified. Must be one of: [%s]", strings.ReplaceAll(row.Ops, ",", ", "))
	case b.Wording != Listed:
		return refuse("Invalid patch path %s", *op.Path)
	}
	var paths []string
	for i := range b.Paths {
		if slices.Contains(strings.Split(b.Paths[i].Ops, ","), op.Op) {
			paths = append(paths, b.Paths[i].Pattern)
		}
	}
	if len(paths) == 0 {
		return refuse("Invalid patch path  '%s' specified for op '%s'. Please choose supported operations", *op.Path, op.Op)
	}
	return refuse("Invalid patch path  '%s' specified for op '%s'. Must be one of: [%s]", *op.Path, op.Op, strings.Join(paths, ", "))
}

func refuse(format string, args ...any) error {
	return &service.Error{Code: "BadRequestException", Status: 400, Message: fmt.Sprintf(format, args...)}
}

// match compares a path with a pattern and returns the elements that stand for {}.
func match(pattern, path string) (args []string, ok bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if i := slices.Index(want, "{+}"); i >= 0 && len(have) > len(want) {
		end := len(have) - (len(want) - i - 1)
		joined := Escape(Unescape(strings.Join(have[i:end], "/")))
		have = slices.Replace(have, i, end, joined)
	}
	if len(want) != len(have) {
		return nil, false
	}
	for i := range want {
		switch {
		case (want[i] == "{}" || want[i] == "{+}") && have[i] != "":
			args = append(args, Unescape(have[i]))
		case want[i] != have[i]:
			return nil, false
		}
	}
	return args, true
}

var (
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
)

// Unescape returns what an element of a path stands for.
func Unescape(element string) string { return unescape.Replace(element) }

// Escape returns an element of a path that stands for text.
func Escape(text string) string { return escape.Replace(text) }
