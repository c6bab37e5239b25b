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
//	export name                         [exportRecord]
//	import name stack-id                the name of the stack that imports it
//
// # What it deliberately is not
//
// Nested stacks, stack sets, macros, drift, imports of existing resources, stack policies and custom resources are refused by name.
package cloudformation
