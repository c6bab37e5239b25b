package service

import (
	"context"
	"encoding/json"
	"reflect"
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
	// Get returns the policy of a resource, or "".
	Get func(ctx context.Context, resource string) (string, error)
	// Fill sets the document and what it is put on in properties.
	Fill func(p *P, policy any, on []string)
	// Identifier names the property with the resource of an inline policy.
	Identifier string
	// Gone is the code of the error of a resource that is not there.
	Gone string
	// Inline tells that the policy is on one resource and has that one's id, as AWS::SQS::QueueInlinePolicy.
	Inline bool
}

// NewPolicyType returns the resource type name.
func NewPolicyType[P any](name string, s PolicySpec[P]) ResourceType {
	spec := ResourceSpec[P]{
		Create:  func(ctx context.Context, c ResourceCall, p *P) (Resource, error) { return s.change(ctx, c, new(P), p) },
		Update:  s.change,
		Delete:  func(ctx context.Context, _ ResourceCall, p *P) error { return s.clear(ctx, s.On(p), nil) },
		Missing: []string{s.Gone},
	}
	switch {
	case !s.Inline:
		spec.Attributes, spec.Identifier = []string{"Id"}, []string{"Id"}
		if s.Get != nil {
			spec.Reread = s.reread
		}
	case s.Get != nil:
		spec.Identifier, spec.Read = []string{s.Identifier}, s.read
	}
	return NewResourceType(name, spec)
}

// read reads the policy of one resource.
func (s PolicySpec[P]) read(ctx context.Context, id Identifier) (*P, Resource, error) {
	text, err := s.Get(ctx, id[0])
	if err == nil && text == "" {
		err = ErrGone
	}
	if err != nil {
		return nil, Resource{}, err
	}
	p := new(P)
	s.Fill(p, parsed(text), id)
	return p, Resource{PhysicalID: id[0]}, nil
}

// reread reads the policies of the resources that recorded names: those that have none any more are left out, and a document that is another takes the place of the recorded one.
func (s PolicySpec[P]) reread(ctx context.Context, _ ResourceCall, recorded *P) (*P, error) {
	var on []string
	want, err := Document(s.Policy(recorded))
	if err != nil {
		return nil, err
	}
	document := parsed(want)
	for _, resource := range s.On(recorded) {
		text, err := s.Get(ctx, resource)
		switch {
		case err != nil && Code(err) != s.Gone:
			return nil, err
		case err != nil || text == "":
			continue
		}
		on = append(on, resource)
		if have := parsed(text); !reflect.DeepEqual(have, parsed(want)) {
			document = have
		}
	}
	if on == nil {
		return nil, ErrGone
	}
	p := new(P)
	s.Fill(p, document, on)
	return p, nil
}

// parsed returns the value of a JSON document.
func parsed(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	return v
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
