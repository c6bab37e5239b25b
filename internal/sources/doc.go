// Package sources reads queues and streams for functions and pipes: it is the working half of Lambda's event source mappings and of EventBridge Pipes. The records of
// mappings and pipes, their operations and states are the business of their services. [Owners] follows the records, and has a [Worker] started for each one that is
// enabled. Where this package says function, it means what its Config calls so: the function of a mapping, or the enrichment and the target of a pipe.
//
// # Reading
//
// A worker reads through the door, with the role of its mapping or pipe, so that a permission that is missing shows as it does on AWS: in the mapping's
// last processing result and in the log. Nothing is polled: a worker that has read everything waits for its source to tell of arrivals
// ([port.Arrivals]); a look every few minutes is only a safety net.
//
// # Queues (queue.go)
//
// Messages are collected into batches and handed to the function, several batches at a time; messages that no filter matches are deleted. What the function has
// done is deleted from the queue, what it has failed on becomes visible again after the queue's timeout: the queue keeps all state.
//
// # Streams (stream.go, shard.go, lane.go)
//
// Every shard has a reader, which deals the records out to as many lanes as the mapping has parallel batches, by partition key. A lane makes batches, calls the
// function, and tries again, halves, or gives up what fails. A shard begins when its parents are done. The tracker of a shard knows which records are dealt
// with; the last one before the first that is not is the shard's checkpoint, which is written to the store together with the documents for the
// on-failure destination. After a restart a worker goes on behind the checkpoint, so that every record is handed over at least once.
//
// # Keys
//
//	("sources.checkpoint") uuid shard    how far a shard has been dealt with
package sources
