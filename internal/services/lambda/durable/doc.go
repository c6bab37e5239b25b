// Package durable keeps and drives durable executions: runs of a function that go on for up to a year, over many invocations, by recording
// what the function has done and running it again from there. Package lambda decides who may do what, and runs the invocations; the public
// SDKs inside of the functions speak the checkpoint protocol.
//
// # An execution
//
// An execution belongs to one version of one function. Its state is a list of operations (steps, waits, callbacks, chained invocations, contexts;
// the first one is the execution itself), which the function's SDK changes with checkpoints, and the clock and other callers change by timers,
// callbacks and the ends of chained invocations. Everything that happens is an event of its history.
//
// The function is invoked with an envelope: the execution's ARN, a checkpoint token and the operations. It answers that the execution has
// succeeded or failed, or that it is pending on operations. Between invocations an execution is nothing but rows: it holds no memory, no sandbox and
// no goroutine, and it survives the death of the process.
//
// # Invariants
//
//   - At most one invocation of an execution runs at a time: a running execution has one run job or none, which execution.Queued tells.
//   - Only the newest token may checkpoint. Each checkpoint consumes it, in the transaction that applies all of its updates or none; a new
//     invocation and the end of an invocation take it away. A checkpoint that is repeated with its client token gets the same answer again.
//   - What the platform changes of an operation while the function does not look is noted in execution.Updated until an envelope or the answer to a
//     checkpoint has told the function. An invocation that ends as pending with such news left is followed by another.
//   - Timers are rows ordered by time; one named job an execution wakes at the first of them. They fire in the timer's job, and also in front of
//     checkpoints, so that an SDK that looks for the end of a wait finds it.
//   - The start of a child execution, or the job of a chained invocation, is in the transaction of the checkpoint that asks for it; the end of a child
//     and the end of its parent's operation are one transaction. The children of an execution that was stopped, or has taken too long, are stopped by a job.
//
// # Failures of invocations
//
// A function that fails without an answer (an exception that its SDK lets through, a crash, a timeout) is invoked again after 1, 2, 4 and 8 s, with what it has
// checkpointed; the fifth failure in a row without a checkpoint in between fails the execution, as AWS's own test runner has it. Throttled invocations, and those
// that the platform could not carry out, are tried again until the execution's timeout.
//
// # Limits
//
// 3,000 operations and 100 MB of payloads an execution (https://docs.aws.amazon.com/general/latest/gr/lambda-service.html); one that goes over them
// fails. Payloads up to [blob.InlineLimit] are in the rows, larger ones are blobs.
//
// # Keys
//
// Under ("lambda.durable") account region:
//
//	e id                an execution
//	n name              the id of the execution that has the name, until its retention is over
//	l function start id executions of a function by time
//	o id seq            an operation, in the order of their starts; 0 is the execution
//	i id operation      the sequence number of an operation
//	h id event          an event of the history
//	d id time seq kind  what is due for an operation, or for the execution
//	b id blob           a blob that the execution holds
//
// and ("lambda.durable.blob") blob account region id, to find out whether a blob is held.
package durable
