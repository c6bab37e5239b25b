// Package lambda is AWS Lambda: functions, their versions and aliases, and their invocation in sandboxes of this machine.
//
// # Records
//
// A function is one record, with its unpublished version ($LATEST) inside; published versions, aliases, resource policies and asynchronous settings
// are records of their own, see keys.go. A function's zip file is a blob; what it unpacks to is a folder of the code store (package runtimes/code),
// which can be deleted and is filled again from the blob when it is needed.
//
// Every change of a version gives it a new revision id. Execution environments belong to a revision: a change makes new invocations start
// new environments, and the idle ones of the old revision are ended.
//
// What an invocation needs of the store (snapshot.go) is kept in memory, decoded, until a commit changes a record that it is made of.
//
// # Invocations
//
// An invocation takes a slot (slots.go: the account's and the function's concurrency), then an environment that waits for work, or a new one
// (pool.go, worker.go), hands it the event and reads its answer. The caller's goroutine does all of that. An environment has one invocation at a
// time. It is ended after an answer that AWS ends it for (a timeout, a crash), when it has been idle for long, when its role credentials run
// out, or when the machine's bound on environments is reached and another function needs the place.
//
// Asynchronous invocations are durable jobs (async.go), written in the caller's transaction by [Lambda.EnqueueAsync]; permissions of the source
// are checked when the job runs. Function errors are tried again twice, after one and two minutes, with the same request id; throttled ones
// until their event is six hours old. The end of an event and its deliveries to destinations and dead-letter queues (destination.go) are one commit.
//
// Every invocation carries a tracing header whose lineage counts how often an event has come back to a function (lineage.go); a loop is ended.
//
// # What it is not, yet
//
// No layers, images, extensions, function URLs, event source mappings, provisioned concurrency, SnapStart,
// VPCs, file systems, durable functions. Each is refused by name.
//
// # Locks
//
// slots.mu guards counters; pools.mu guards the tables of environments; logWriter.mu guards one environment's log. They are never held
// together, nor during I/O, except that logWriter.mu is held while lines are handed to the log sink, which keeps them in order.
package lambda
