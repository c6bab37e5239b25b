package cloudformation

import (
	"strings"
	"time"

	"lambent.dev/lambent/internal/deploy"
	"lambent.dev/lambent/internal/service"
)

// stackRecord is a stack. It stays after its deletion, so that its id can still be described.
type stackRecord struct {
	ID, Name, Status, Reason, Description string
	Created, Updated, Deleted             time.Time
	Parameters                            []parameterRecord
	Capabilities                          []string
	Tags                                  map[string]string
	Outputs                               []deploy.OutputValue
	RoleARN                               string
	DisableRollback, Protected            bool
	// TemplateID names the template of the last deploy that succeeded; empty before.
	TemplateID string
	// ChangeSetID is the change set that was executed last.
	ChangeSetID string
	// Policy is the stack policy, or empty.
	Policy string `json:",omitempty"`
	// Notify has the topics that are told of the stack's events; nil without any.
	Notify *notifyRecord `json:",omitempty"`
	// Parent is set for a nested stack.
	Parent *parentRecord `json:",omitempty"`
	// StackSet is the id of the stack set that the stack belongs to, or empty.
	StackSet string `json:",omitempty"`
	// Last is the last operation.
	Last operationEntry `json:",omitzero"`
	// Rollback is the rollback configuration; nil without one.
	Rollback *rollbackRecord `json:",omitempty"`
	// Timeout is that of the stack's creation, in minutes; 0 without one.
	Timeout int32 `json:",omitempty"`
	// Failure is why the last operation failed, when the status no longer says so.
	Failure string `json:",omitempty"`
	// Drift is what the last detection of drift found; its zero value says that nothing was checked since the stack changed.
	Drift stackDrift `json:",omitzero"`
	// Exports and Imports are the names of the stack's exports and of those that it uses.
	Exports, Imports []string
}

type parameterRecord struct {
	Key, Value string
	NoEcho     bool
	// Resolved is the value of the entry of the Parameter Store that Value names, if the parameter's type says so.
	Resolved string `json:",omitempty"`
}

// deployment is what a change set or an operation wants a stack to become.
type deployment struct {
	Kind, TemplateID, Description string
	Parameters                    []parameterRecord
	Capabilities                  []string
	Tags                          map[string]string
	RoleARN                       string
	OnFailure                     string
	// Policy overrides the stack's policy in this operation; SetPolicy becomes that policy when the operation begins.
	Policy    string  `json:",omitempty"`
	SetPolicy *string `json:",omitempty"`
	// Notify becomes the topics of the stack when the operation begins; nil leaves them as they are.
	Notify []string `json:",omitempty"`
	// Rollback becomes the rollback configuration of the stack when the operation begins; nil leaves it as it is.
	Rollback *rollbackRecord `json:",omitempty"`
	// RetainExceptOnCreate is the parameter of that name.
	RetainExceptOnCreate bool `json:",omitempty"`
	// Timeout is how long the making of a stack may take, in minutes; 0 is as long as it likes.
	Timeout int32 `json:",omitempty"`
	// Imports are the existing resources that become part of the stack, see [deploy.Operation].
	Imports map[string]service.Identifier `json:",omitempty"`
	// Actual are the properties, by logical id, of the resources that were changed beside the stack, as far as they are put back, and Lost the resources that are gone.
	Actual map[string]map[string]any `json:",omitempty"`
	Lost   []string                  `json:",omitempty"`
	// Refactor is the id of the stack refactor that the operation belongs to; empty for all others.
	Refactor string `json:",omitempty"`
	// Refused is why the template has no resources: the failure of a transform, see [deploy.Run].
	Refused string `json:",omitempty"`
	// Expanded tells that transforms made the processed template from the original one.
	Expanded bool
}

type changeSetRecord struct {
	ID, Name, StackID, StackName, Description string
	Created                                   time.Time
	Status, Reason, Execution                 string
	// Warning is shown as the reason with the values of properties.
	Warning string `json:",omitempty"`
	// ImportExisting is the parameter ImportExistingResources; nil when it was not given.
	ImportExisting *bool `json:",omitempty"`
	// Live is what a change set that puts back drift found of the stack's resources, by logical id; nil for the others.
	Live       map[string]liveRecord
	Changes    []deploy.Change
	Deployment deployment
}

// wasExecuted tells that the stack has what the change set describes.
func (c *changeSetRecord) wasExecuted() bool { return strings.HasPrefix(c.Execution, "EXECUTE_") }

// operationRecord is the work on a stack. Its Operation is the part that package deploy moves forward.
type operationRecord struct {
	deploy.Operation
	Token      string
	Deployment deployment
	Principal  service.Principal
	Notify     *notifyRecord `json:",omitempty"`
	// Entry is how the operation is shown.
	Entry operationEntry `json:",omitzero"`
	// Hooked tells that the hooks of the stack allowed the operation.
	Hooked bool `json:",omitempty"`
	// Deadline is when the operation fails if it still goes on; zero is never.
	Deadline time.Time `json:",omitzero"`
	// Rollback has the alarms that undo the operation; nil without any.
	Rollback *rollbackRecord `json:",omitempty"`
	// MonitorUntil is how long they are watched after everything was made; zero before.
	MonitorUntil time.Time `json:",omitzero"`
}

type eventRecord struct {
	ID, LogicalID, PhysicalID, Type, Status, Reason, Properties, Token string
	Time                                                               time.Time
	Operation                                                          operationEntry `json:",omitzero"`
	Hook                                                               *deploy.Hook   `json:",omitempty"`
}

// operationEntry names an operation on a stack and its type, such as CREATE_STACK.
type operationEntry struct{ ID, Type string }

type exportRecord struct{ StackID, StackName, Value string }

// job is the payload of the durable work.
type job struct{ Account, Region, StackID, OperationID string }
