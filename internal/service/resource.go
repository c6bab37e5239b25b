package service

import "context"

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
	// Always tells that every update of a stack calls Update, whether a property differs or not: what a property names may have changed.
	Always bool
	// Create makes the resource. It is called again after a crash with the same token and must then find what the first call made.
	Create func(ctx context.Context, c ResourceCall, properties any) (Resource, error)
	// Update changes a resource in place. It is not called when a createOnly property differs. Nil means that every change replaces the resource.
	Update func(ctx context.Context, c ResourceCall, old, properties any) (Resource, error)
	// Delete removes the resource. A resource that is gone already is no error.
	Delete func(ctx context.Context, c ResourceCall, properties any) error
	// Warnings, when it is not nil, is asked at the end of every deploy what of the resource will not work as the stack now stands, such as a permission that is
	// missing. Each text says what, why, and how to mend it. It changes nothing.
	Warnings func(ctx context.Context, c ResourceCall) ([]string, error)
}

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
// resource) and "writeOnly" (never shown again). Fields are strings, bools, numbers, slices, maps with string keys, structs,
// pointers to these for what may be absent, and any for free-form documents. Strings in a template that hold a number or a
// boolean are accepted for fields of that type, as CloudFormation does.
type ResourceSpec[P any] struct {
	Attributes []string
	Always     bool
	Create     func(ctx context.Context, c ResourceCall, p *P) (Resource, error)
	Update     func(ctx context.Context, c ResourceCall, old, p *P) (Resource, error)
	Delete     func(ctx context.Context, c ResourceCall, p *P) error
	Warnings   func(ctx context.Context, c ResourceCall) ([]string, error)
}

// NewResourceType returns the resource type name with typed functions.
func NewResourceType[P any](name string, s ResourceSpec[P]) ResourceType {
	t := ResourceType{
		Name:          name,
		Attributes:    s.Attributes,
		Always:        s.Always,
		Warnings:      s.Warnings,
		NewProperties: func() any { return new(P) },
		Create: func(ctx context.Context, c ResourceCall, p any) (Resource, error) {
			return s.Create(ctx, c, p.(*P))
		},
		Delete: func(ctx context.Context, c ResourceCall, p any) error {
			return s.Delete(ctx, c, p.(*P))
		},
	}
	if s.Update != nil {
		t.Update = func(ctx context.Context, c ResourceCall, old, p any) (Resource, error) {
			return s.Update(ctx, c, old.(*P), p.(*P))
		}
	}
	return t
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
