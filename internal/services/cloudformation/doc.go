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
//	pastchangeset changeset-id          [changeSetRecord], the last one that a deleted stack executed
//	operation stack-id                  [operationRecord], the last one
//	detection detection-id              [detectionRecord]
//	drift stack-id logical-id           [driftRecord]
//	export name                         [exportRecord]
//	import name stack-id                the name of the stack that imports it
//	macro name                          [macroRecord]
//	setname name                        the id of the stack set that has the name now
//	set set-id                          [stackSetRecord]
//	instance set-id account region      [instanceRecord]
//	setoperation set-id operation-id    [setOperationRecord], the last [keptOperations]
//	setresult set-id operation-id account region   [setResultRecord], a step of the operation
//	refactor refactor-id                [refactorRecord], the last [keptRefactors]
//	ran operation-id                    the id of the stack of an operation, for its events
//	cancel operation-id                 there when the operation was cancelled
//	watch alarm stack-id                the id of the operation that the alarm ends when it goes off
//	alarmed operation-id                why an alarm ended the operation
//	signal operation-id logical-id unique-id   [signalRecord], as long as the operation goes on
//	waiting operation-id logical-id     since when a resource waits for its signals
//	hook alias                          [hookRecord]
//	hookresult time-descending id       [resultRecord], for [keptResults]
//	hookresulttime id                   the time in the key of a result
//
// The answers of custom resources and the signals for wait conditions have rows of their own, which their token alone leads to: ("cloudformation", "callback", token), [callbackRecord].
// So have the payloads of hooks, as long as their invocation lasts: ("cloudformation", "hookpayload", id), [payloadRecord].
//
// # Waiting
//
// A step that waits (for a custom resource, a signal, a nested stack) keeps its operation's job until it is answered: up to [maxOperations] stacks at a time. A restart runs the job
// again, and the step finds what was answered meanwhile. Nothing polls: [board] wakes those who wait.
//
// # Stack sets
//
// An operation on a stack set is a job ([setKind]) of its own, one at a time for a stack set. Each of its stacks is a step: a row says that it begins before the stack is touched, and what came of it after.
// What happens within a step is a stack's own operation with its own journal. It carries the id of the set's operation as its token, so that a step that is repeated after a crash finds
// what it did: it asks for a stack's operation once (ADR 0139). The calls are those of the execution role of the stack's account, which the administration role assumes.
//
// # Hooks
//
// A hook is an activation of AWS::Hooks::LambdaHook. The hooks that want a target are asked one after the other, as their execution roles, before a stack's operation begins, before each
// resource is made, changed or deleted with its stack, and before a change set is there (ADR 0165). That they allowed a step is a row; a process that stops before asks them again, with the same token.
// What rolls back, what is imported and what an update removes goes unasked.
//
// # Stack refactors
//
// A refactor is planned when it is created: which resource goes where, and that no property changes by it. Its execution moves the rows of the resources, the templates, the outputs and the exports
// of all its stacks in one transaction, so that no crash leaves a resource in two stacks or in none. In the same transaction an update of each stack begins, which gives what was moved its new tags (ADR 0167).
//
// # Secrets
//
// Rows keep dynamic references as they stand in the template. Their values are read when a resource type is called, as the principal that deploys.
//
// # What it deliberately is not
//
// Stack sets of an organisation (SERVICE_MANAGED) are refused by name: the accounts of this platform form none. So are types, modules and
// publishers of one's own in the registry, and generated templates.
package cloudformation
