package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrGone is wrapped by the error of a Read of a resource that is not there.
var ErrGone = errors.New("the resource does not exist")

// Identifier identifies a resource of a type outside of a stack: the values of what [ResourceType.Identifier] names, in that order.
type Identifier []string

// String returns the identifier as the Cloud Control API has it.
func (id Identifier) String() string { return strings.Join(id, "|") }

// State is a resource as it is now.
type State struct {
	Resource
	// Properties is a pointer of the type that NewProperties returns. What the service gave a value of its own has that value; what cannot be read is not set.
	Properties any
}

// Page is a part of a list of resources.
type Page struct {
	Identifiers []Identifier
	// Next is given to the call for the next page; empty for the last one.
	Next string
}

// NewPage returns the page of items, whose identifiers have the parts that id returns, and the token of the next page, which may be nil.
func NewPage[T any](items []T, next *string, id func(item *T) Identifier) Page {
	p := Page{Identifiers: make([]Identifier, 0, len(items))}
	for i := range items {
		if parts := id(&items[i]); parts != nil {
			p.Identifiers = append(p.Identifiers, parts)
		}
	}
	if next != nil {
		p.Next = *next
	}
	return p
}

// Pages returns the List of a type whose resources a listing operation answers in pages: in makes its input, out takes the items and the token of the next page from its answer, and
// id identifies an item, or is nil for one that is not of the type.
func Pages[P, Out, A any](
	door Door, api, operation string, in func(model *P, next *string) any, out func(answer *Out) ([]A, *string), id func(model *P, item *A) Identifier,
) func(ctx context.Context, model *P, next string) (Page, error) {
	return func(ctx context.Context, model *P, next string) (Page, error) {
		answer, err := Call[Out](ctx, door, api, operation, in(model, NextToken(next)))
		if err != nil {
			return Page{}, err
		}
		items, token := out(answer)
		return NewPage(items, token, func(item *A) Identifier { return id(model, item) }), nil
	}
}

// NextToken returns the token of a page for an input that takes a pointer.
func NextToken(next string) *string {
	if next == "" {
		return nil
	}
	return &next
}

// ResourceType is a CloudFormation resource type, kept in the folder of its service (cfn.go). Its functions
// call the service's operations through the [Door], so that a deploy needs the same permissions as its calls.
// Make one with [NewResourceType].
type ResourceType struct {
	// Name is the type's name, such as "AWS::DynamoDB::Table".
	Name string
	// NewProperties returns a pointer to the zero value of the type's properties. Its struct type, with the names and options in its
	// cfn tags, is the schema: properties it does not have are refused by name when a deploy is planned.
	NewProperties func() any
	// Attributes are the names that Fn::GetAtt accepts. One that ends with * stands for all that begin with the rest.
	Attributes []string
	// Changing are those attributes whose values other resources change later, such as the blocks of a network. They are taken from Read whenever they are needed.
	Changing []string
	// Always tells that every update of a stack calls Update, whether a property differs or not: what a property names may have changed.
	Always bool
	// After are the resources of a template that come before one of this type although it names none of them, such as the methods of an API before its deployment.
	After []Order
	// Create makes the resource. It is called again after a crash with the same token and must then find what the first call made.
	Create func(ctx context.Context, c ResourceCall, properties any) (Resource, error)
	// Update changes a resource in place. It is not called when a createOnly property differs. Nil means that every change replaces the resource.
	Update func(ctx context.Context, c ResourceCall, old, properties any) (Resource, error)
	// Delete removes the resource. A resource that is gone already is no error.
	Delete func(ctx context.Context, c ResourceCall, properties any) error
	// Identifier names the properties and attributes whose values identify a resource outside of a stack: the primaryIdentifier of the type's schema in the registry
	// (https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html). Nil for what only its stack knows.
	Identifier []string
	// Read returns a resource as it is now, or an error that wraps [ErrGone]. Nil for a type whose resources cannot be read by an identifier.
	Read func(ctx context.Context, id Identifier) (State, error)
	// Reread returns what the properties that a stack recorded are now, in the same form, or an error that wraps [ErrGone]. It serves the drift of types without Read, such as policies
	// that one resource puts on many, and of those whose properties can say one thing in several ways.
	Reread func(ctx context.Context, c ResourceCall, recorded any) (any, error)
	// List returns the resources of the type, a page at a time; next is empty for the first. model has properties that narrow the list, such as the API whose routes are wanted.
	List func(ctx context.Context, model any, next string) (Page, error)
	// ListBy names the properties that the model of a List must have.
	ListBy []string
	// Warnings, when it is not nil, is asked at the end of every deploy what of the resource will not work as the stack now stands, such as a permission that is
	// missing. Each text says what, why, and how to mend it. It changes nothing.
	Warnings func(ctx context.Context, c ResourceCall) ([]string, error)
}

// Order puts the resources of a type before the one whose property Own has the value that their property Theirs has, unless they depend on that one.
type Order struct{ Type, Theirs, Own string }

// ResourceCall is the place of a resource in its stack.
type ResourceCall struct {
	StackID, StackName, LogicalID string
	// Type is the type's name in the template, such as "Custom::Thing".
	Type string
	// PhysicalID is the resource's id; empty for Create.
	PhysicalID string
	// Token is the same for every try of one step and different for every other step; it can serve as a client token.
	Token string
	// Retry tells that an earlier try of the same step was cut short: what has the resource's name may then be what that try
	// made. Otherwise a Create refuses a name that is taken, so that a stack never takes over what it did not make.
	Retry bool
	// NameSeed is a name derived from stack, logical id and a suffix that is new for each replacement, for resources
	// without a name of their own: "photoboard-ImagesTable-1X2Y3Z". [ResourceCall.Name] fits it to a service's limits.
	NameSeed string
	// Tags are the stack's tags plus aws:cloudformation:*.
	Tags map[string]string
	// UpdatePolicy is the resource's attribute of that name, for an Update that brings what a template says; nil for one that brings back what was.
	UpdatePolicy map[string]any
}

// Resource is what a type's functions return.
type Resource struct {
	// PhysicalID identifies the resource to later calls and in the API's answers.
	PhysicalID string
	// Ref is what the Ref function returns; empty means PhysicalID.
	Ref string
	// Attributes are the values for Fn::GetAtt; nested names contain dots.
	Attributes map[string]any
}

// ResourceSpec holds the typed functions of a resource type with properties P.
//
// P is a struct whose fields carry tags of the form `cfn:"Name,option,…"`: "required", "createOnly" (a change replaces the
// resource), "writeOnly" (never read back) and "unordered" (the order of the list's elements says nothing). Fields are strings, bools, numbers, slices, maps with string keys, structs,
// pointers to these for what may be absent, and any for free-form documents. Strings in a template that hold a number or a
// boolean are accepted for fields of that type, as CloudFormation does.
type ResourceSpec[P any] struct {
	Attributes []string
	Changing   []string
	Always     bool
	After      []Order
	Create     func(ctx context.Context, c ResourceCall, p *P) (Resource, error)
	Update     func(ctx context.Context, c ResourceCall, old, p *P) (Resource, error)
	Delete     func(ctx context.Context, c ResourceCall, p *P) error
	Identifier []string
	Read       func(ctx context.Context, id Identifier) (*P, Resource, error)
	Reread     func(ctx context.Context, c ResourceCall, recorded *P) (*P, error)
	List       func(ctx context.Context, model *P, next string) (Page, error)
	ListBy     []string
	// Missing are the codes of the errors that mean that a resource is not there.
	Missing  []string
	Warnings func(ctx context.Context, c ResourceCall) ([]string, error)
}

// NewResourceType returns the resource type name with typed functions.
func NewResourceType[P any](name string, s ResourceSpec[P]) ResourceType {
	t := ResourceType{
		Name:          name,
		Attributes:    s.Attributes,
		Changing:      s.Changing,
		Always:        s.Always,
		After:         s.After,
		Warnings:      s.Warnings,
		Identifier:    s.Identifier,
		ListBy:        s.ListBy,
		NewProperties: func() any { return new(P) },
	}
	typed[*P]{s.Create, s.Update, s.Delete, s.Read, s.Reread, s.List, s.Missing}.put(&t)
	return t
}

// typed are the functions of a resource type whose properties are pointers of type P. It is a type of its own because the compiler makes code for each struct type,
// and only once for all pointers.
type typed[P any] struct {
	create  func(ctx context.Context, c ResourceCall, p P) (Resource, error)
	update  func(ctx context.Context, c ResourceCall, old, p P) (Resource, error)
	delete  func(ctx context.Context, c ResourceCall, p P) error
	read    func(ctx context.Context, id Identifier) (P, Resource, error)
	reread  func(ctx context.Context, c ResourceCall, recorded P) (P, error)
	list    func(ctx context.Context, model P, next string) (Page, error)
	missing []string
}

// put sets the functions of t.
func (f typed[P]) put(t *ResourceType) {
	t.Create = func(ctx context.Context, c ResourceCall, p any) (Resource, error) { return f.create(ctx, c, p.(P)) }
	t.Delete = func(ctx context.Context, c ResourceCall, p any) error { return f.delete(ctx, c, p.(P)) }
	if f.update != nil {
		t.Update = func(ctx context.Context, c ResourceCall, old, p any) (Resource, error) {
			return f.update(ctx, c, old.(P), p.(P))
		}
	}
	if f.read != nil {
		t.Read = func(ctx context.Context, id Identifier) (State, error) {
			p, r, err := f.read(ctx, id)
			return State{Resource: r, Properties: p}, f.gone(err)
		}
	}
	if f.reread != nil {
		t.Reread = func(ctx context.Context, c ResourceCall, recorded any) (any, error) {
			p, err := f.reread(ctx, c, recorded.(P))
			return p, f.gone(err)
		}
	}
	if f.list != nil {
		t.List = func(ctx context.Context, model any, next string) (Page, error) { return f.list(ctx, model.(P), next) }
	}
}

func (f typed[P]) gone(err error) error {
	if err == nil || errors.Is(err, ErrGone) || !slices.Contains(f.missing, Code(err)) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrGone, err)
}

// Name returns NameSeed shortened to at most limit characters, keeping its unique end, and passed through fold (such as
// strings.ToLower) when fold is not nil.
func (c ResourceCall) Name(limit int, fold func(string) string) string {
	name := c.NameSeed
	if len(name) > limit {
		const tail = 13 // "-" and the 12 characters that make the name unique
		if limit <= tail {
			name = name[len(name)-limit:]
		} else {
			name = name[:limit-tail] + name[len(name)-tail:]
		}
	}
	if fold != nil {
		name = fold(name)
	}
	return name
}
