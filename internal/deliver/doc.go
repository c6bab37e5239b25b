// Package deliver hands an event to the target that an ARN names: a function, a queue, a topic, a bus, a data stream, a state machine, a
// log group, an object. It is what destinations, dead-letter queues, notifications, subscriptions, rules, pipes and schedules share.
//
// A delivery is an ordinary call through the door ([service.Door]): as the sending service's principal with the source's ARN and account,
// which the target's resource policy must allow, or with a role that the service assumes. A [Sender] makes one call. A [Queue] makes a delivery durable: the
// message is a job of package events, written in the sender's own transaction, and is tried again with a back-off until it is
// accepted, refused for good ([Retryable]), too old or tried too often.
//
// A message keeps its request id over all tries, so that a target that knows the id may take it once.
package deliver
