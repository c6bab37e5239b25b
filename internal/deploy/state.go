package deploy

import (
	"context"
	"maps"
	"strings"
	"time"

	"lambent.dev/lambent/internal/service"
)

// Resource is a resource of a stack as it is, with what the last operation did to it.
type Resource struct {
	LogicalID, Type string
	Snapshot
	// Status is the last status, such as "UPDATE_COMPLETE", and Reason what a person may want to know about it.
	Status, Reason string
	Updated        time.Time

	// Operation is the id of the last operation that touched the resource.
	Operation string
	// Step is the call under way: "create", "update", "replace", "import" or "", and Want the properties it aims at. "await" is the wait for signals after a resource was
	// made, and Heard the unique ids of those that came.
	Step  string
	Heard []string       `json:",omitempty"`
	Want  map[string]any `json:",omitempty"`
	// Hooked is the operation whose hooks allowed the step; empty when none were asked.
	Hooked string `json:",omitempty"`
	// WantTags are the stack's tags that the step aims at.
	WantTags map[string]string `json:",omitempty"`
	// Failed tells that the step of the operation failed.
	Failed bool `json:",omitempty"`
	// RolledBack tells that the operation's effect on the resource is undone.
	RolledBack bool `json:",omitempty"`
	// Previous is the resource before the operation; nil when the operation makes it.
	Previous *Snapshot `json:",omitempty"`
	// Garbage are physical resources that the cleanup phase deletes.
	Garbage []Snapshot `json:",omitempty"`
}

// Snapshot is one physical resource with the properties it was made from.
type Snapshot struct {
	PhysicalID          string
	Ref                 string            `json:",omitempty"`
	Attributes          map[string]any    `json:",omitempty"`
	Properties          map[string]any    `json:",omitempty"`
	DependsOn           []string          `json:",omitempty"`
	DeletionPolicy      string            `json:",omitempty"`
	UpdateReplacePolicy string            `json:",omitempty"`
	Metadata            any               `json:",omitempty"`
	Tags                map[string]string `json:",omitempty"`
	// NameSeed and Token identify the creation of the resource.
	NameSeed string `json:",omitempty"`
}

func (r *Resource) clone() *Resource {
	c := *r
	return &c
}

// value returns the Ref (attribute "") or an attribute.
func (s *Snapshot) value(attribute string) (any, bool) {
	if attribute == "" {
		if s.Ref != "" {
			return s.Ref, true
		}
		return s.PhysicalID, true
	}
	v, ok := s.Attributes[attribute]
	return v, ok
}

// The kinds of operations.
const (
	Create = "CREATE"
	Update = "UPDATE"
	Delete = "DELETE"
	// Import takes existing resources into a stack, and does nothing else.
	Import = "IMPORT"
)

// The phases of an operation.
const (
	Forward  = "forward"
	Cleanup  = "cleanup"
	Rollback = "rollback"
	// Discard is the cleanup after the rollback of an update.
	Discard = "discard"
	Done    = "done"
)

// Operation is one deploy or removal of a stack.
type Operation struct {
	ID, Kind, Phase string
	// KeepOnFailure leaves what a failed operation did in place (the parameter DisableRollback).
	KeepOnFailure bool
	// Imports are the identifiers of the existing resources that the operation takes into the stack instead of making them, by logical id.
	Imports map[string]service.Identifier `json:",omitempty"`
	// Retain are logical ids whose resources a delete leaves alone.
	Retain []string
	// RetainExceptOnCreate deletes what a failed operation made even if its policy is Retain.
	RetainExceptOnCreate bool `json:",omitempty"`
	// Force makes a delete leave behind what it cannot delete.
	Force bool `json:",omitempty"`
	// Reason is why the operation failed.
	Reason string
}

// Event is one line of a stack's history.
type Event struct {
	LogicalID, PhysicalID, Type, Status, Reason string
	Properties                                  map[string]any
	// Hook is the invocation of a hook that the event tells of; nil for all others.
	Hook *Hook
}

// Save is one durable change of the journal.
type Save struct {
	// Operation is saved when it is not nil.
	Operation *Operation
	// Status and Reason are the stack's new status, when Status is not empty. The stack's own event is written by the journal.
	Status, Reason string
	// Put are rows to write, Remove logical ids to remove.
	Put    []*Resource
	Remove []string
	Events []Event
	// Outputs are the stack's outputs, when SetOutputs is set.
	Outputs    []OutputValue
	SetOutputs bool
}

// OutputValue is the value of an output.
type OutputValue struct {
	Name, Value, Description, Export string
}

// Journal keeps the rows of one stack's operation.
type Journal interface {
	// Save makes a change durable, all or nothing. An error stops the run; it is resumed later.
	Save(ctx context.Context, s Save) error
}

// Types are the resource types by name.
type Types map[string]service.ResourceType

// NewTypes returns the types of a list by name.
func NewTypes(list ...service.ResourceType) Types {
	types := make(Types, len(list))
	for _, t := range list {
		types[t.Name] = t
	}
	return types
}

// CustomResource is the type that stands for every type whose name begins with Custom::.
const CustomResource = "AWS::CloudFormation::CustomResource"

// Of returns the type of a name.
func (t Types) Of(name string) (service.ResourceType, bool) {
	if strings.HasPrefix(name, "Custom::") {
		name = CustomResource
	}
	if strings.HasPrefix(name, StubPrefix) {
		name = stubType
	}
	typ, ok := t[name]
	return typ, ok
}

// update tells whether resources of a type can be changed in place.
func (t Types) update(name string) bool {
	typ, _ := t.Of(name)
	return typ.Update != nil
}

// Stack names the stack that an operation works on.
type Stack struct {
	ID, Name string
	Tags     map[string]string
	// Stub tells whether resources of a type that this version does not have are recorded as stubs, and which attributes they then have; nil refuses them all.
	Stub func(typ string) (attributes []string, ok bool)
}

// tags returns the tags that a resource of the stack is given.
func (s Stack) tags(logicalID string) map[string]string {
	t := maps.Clone(s.Tags)
	if t == nil {
		t = map[string]string{}
	}
	t["aws:cloudformation:stack-id"] = s.ID
	t["aws:cloudformation:stack-name"] = s.Name
	t["aws:cloudformation:logical-id"] = logicalID
	return t
}
