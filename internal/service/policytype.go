package service

import (
	"context"
	"encoding/json"
	"slices"
)

// Document returns a property that holds a document as its text: a string as it is, anything else as JSON, and "" for nil.
func Document(v any) (string, error) {
	if v == nil {
		return "", nil
	}
	if text, ok := v.(string); ok {
		return text, nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

// PolicySpec describes a resource type with properties P that puts a policy on resources of a service, such as AWS::SQS::QueuePolicy.
type PolicySpec[P any] struct {
	// Policy returns the document, and On what it is put on.
	Policy func(p *P) any
	On     func(p *P) []string
	// Set puts a policy on a resource; the empty one takes it away.
	Set func(ctx context.Context, resource, policy string) error
	// Gone is the code of the error of a resource that is not there.
	Gone string
	// Inline tells that the policy is on one resource and has that one's id, as AWS::SQS::QueueInlinePolicy.
	Inline bool
}

// NewPolicyType returns the resource type name.
func NewPolicyType[P any](name string, s PolicySpec[P]) ResourceType {
	spec := ResourceSpec[P]{
		Create: func(ctx context.Context, c ResourceCall, p *P) (Resource, error) { return s.change(ctx, c, new(P), p) },
		Update: s.change,
		Delete: func(ctx context.Context, _ ResourceCall, p *P) error { return s.clear(ctx, s.On(p), nil) },
	}
	if !s.Inline {
		spec.Attributes = []string{"Id"}
	}
	return NewResourceType(name, spec)
}

func (s PolicySpec[P]) change(ctx context.Context, c ResourceCall, old, p *P) (Resource, error) {
	policy, err := Document(s.Policy(p))
	if err != nil {
		return Resource{}, err
	}
	for _, on := range s.On(p) {
		if err := s.Set(ctx, on, policy); err != nil {
			return Resource{}, err
		}
	}
	if s.Inline {
		return Resource{PhysicalID: s.On(p)[0]}, nil
	}
	if err := s.clear(ctx, s.On(old), s.On(p)); err != nil {
		return Resource{}, err
	}
	id := c.PhysicalID
	if id == "" {
		id = c.Name(128, nil)
	}
	return Resource{PhysicalID: id, Attributes: map[string]any{"Id": id}}, nil
}

// clear takes the policy from resources, but for those to keep. One that is gone is no error.
func (s PolicySpec[P]) clear(ctx context.Context, resources, keep []string) error {
	for _, on := range resources {
		if slices.Contains(keep, on) {
			continue
		}
		if err := s.Set(ctx, on, ""); err != nil && Code(err) != s.Gone {
			return err
		}
	}
	return nil
}
