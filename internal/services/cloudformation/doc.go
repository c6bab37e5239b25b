// Package cloudformation is AWS CloudFormation: stacks, change sets and their history, on the engine of package deploy.
//
// A call plans at once and answers what the plan found; the work itself is a durable job ([jobKind]) that is written in the
// same transaction as the stack's new status. A process that restarts in the middle of a deploy goes on with it. The work runs as the
// principal that asked for it, or as the role that it passed: a deploy needs the permissions of its calls.
//
// # Keys
//
// All under "cloudformation", account, region (keys.go):
//
//	name  stack-name                    the id of the stack that has the name now
//	stack stack-id                      [stackRecord]
//	template template-id stage          template text, "Original" or "Processed"
//	resource stack-id logical-id        deploy.Resource
//	event stack-id stamp                [eventRecord], in the order of commits
//	changeset stack-id name             [changeSetRecord]
//	operation stack-id                  [operationRecord], the last one
//	detection detection-id              [detectionRecord]
//	drift stack-id logical-id           [driftRecord]
//	export name                         [exportRecord]
//	import name stack-id                the name of the stack that imports it
//	macro name                          [macroRecord]
//	ran operation-id                    the id of the stack of an operation, for its events
//	cancel operation-id                 there when the operation was cancelled
//	signal operation-id logical-id unique-id   [signalRecord], as long as the operation goes on
//	waiting operation-id logical-id     since when a resource waits for its signals
//
// The answers of custom resources and the signals for wait conditions have rows of their own, which their token alone leads to: ("cloudformation", "callback", token), [callbackRecord].
//
// # Waiting
//
// A step that waits (for a custom resource, a signal, a nested stack) keeps its operation's job until it is answered: up to [maxOperations] stacks at a time. A restart runs the job
// again, and the step finds what was answered meanwhile. Nothing polls: [board] wakes those who wait.
//
// # Secrets
//
// Rows keep dynamic references as they stand in the template. Their values are read when a resource type is called, as the principal that deploys.
//
// # What it deliberately is not
//
// Stack sets are refused by name.
package cloudformation
