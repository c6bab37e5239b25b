// Package deploy turns a template into resources, and one template's resources into another's.
//
// A [Target] is what a stack should become: a template with its values. [Target.Plan] compares it with what is there and
// says what a deploy will add, modify (in place or by replacement, and which property forces that) and remove. A [Run] carries
// an [Operation] out: it calls the functions of the resource types, as many at a time as the dependencies allow.
//
// # The journal
//
// Every step is saved through the [Journal] before the resource type is called and again after it returned. A process that
// stops anywhere finds the operation, runs it again and repeats at most the calls that were under way, with the same
// tokens. The journal holds rows, never a log that must be replayed: a [Resource] says itself what was being done to it
// and what it was before the operation touched it.
//
// # Phases of an operation
//
//	create    forward                    on failure: rollback (delete what was made, in reverse order)
//	update    forward, cleanup           on failure: rollback (earlier properties), cleanup of what was made
//	delete    delete, in reverse order of dependencies
//	import    forward                    on failure: rollback (the rows of what was taken are dropped, the resources stay)
//
// What is refused because something else still needs it is deleted in a later round of its phase (ADR 0146).
//
// A replacement is made before what it replaces is deleted, in the cleanup phase, after everything that refers to it moved.
//
// # Locks
//
// A Run has one mutex around its rows. It is never held across a call of the journal or of a resource type.
//
// This package does no input or output of its own and knows no AWS API; CloudFormation's operations are in services/cloudformation.
package deploy
