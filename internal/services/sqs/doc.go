// Package sqs is Amazon SQS: standard and FIFO queues.
//
// A message is acknowledged when it is on disk. A call makes one store transaction, which holds the message, its place in the queue
// and the queue's counters; moves to a dead-letter queue are part of the receive that causes them.
//
// # Keys
//
// A queue's record lies at ("sqs", "q", account, region, name), a message move task at ("sqs", "t", account, region, source name, task).
// What a queue holds lies under ("sqs", "d", account, region, queue id), followed by two letters:
//
//	mb id part         body, attributes and digests of a message, written once; part counts pieces of half a megabyte
//	ms id              state of a message: where it is, until when, how often it was received
//	mh due lot         the ids of delayed messages or of ones in flight, by the time at which they become visible
//	mg group id        a message of a FIFO group, in order
//	mo group           a FIFO group that holds messages: its last sequence number, its first message, whether it is ready
//	mr place group     a ready group: its first message is visible
//	mc stripe          counters
//	dd scope id        a deduplication id that was used
//	da attempt         what a receive request attempt was answered
//	dx expiry key      the rows of dd and da by the time until which they are kept
//
// id is 24 bytes: a sequence number of 8 and the 16 bytes of the message's UUID. The sequence number is the time of sending in milliseconds
// shifted left by 20 bits plus a counter, so that messages lie in the order of sending and those past their retention come first. A queue that is deleted and made
// again has another id. Purging is one range deletion of everything.
//
// # What is in memory
//
// The store is the truth. Memory has, for each queue that was used, the beginning of the order of its visible messages (or ready groups): a set that is complete up
// to a horizon. Commits that make a message visible add to the set after they are durable; a receive takes entries out of it, so that receivers do not meet on the
// same rows, and verifies each in its transaction. Therefore a receive costs the same with ten messages waiting and with ten million, and never walks over deleted
// rows: the horizon moves forward only. Waiting receivers stand in a line and are woken one by one.
//
// Counters are exact. They are kept in stripes, and a transaction uses a stripe that no other transaction of this process uses, so counting causes no conflicts.
//
// One goroutine (agenda) sleeps until the first queue has something due: a message to become visible, to expire, or a deduplication id to forget.
//
// # Metrics
//
// What is done with a queue is counted after the commit; what it holds is measured once a minute, for six hours after its last use (metrics.go).
//
// # What it deliberately is not
//
// No throughput limits are imposed. It does not encrypt messages: what protects them is the disk that the data directory is on. The key that a queue names
// decides who sends and receives (package keycheck). A short poll never misses a message that is there, as it may on AWS.
//
// # Locks
//
// live.mu and agenda.mu are leaves: nothing is called with them held. live.loading is held while the store is read, and is taken before live.mu.
package sqs
