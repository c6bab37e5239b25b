package sqs

// deadLetters returns the dead-letter queue of a queue, or nil when it has none, when the one it names is gone, and when it is the queue itself.
func (w *work) deadLetters(q *queue) (*queue, error) {
	if q.redrive == nil || q.redrive.target == q.arn {
		return nil, nil
	}
	return w.s.find(w.tx, q.redrive.place, q.redrive.name)
}

// bury moves a visible message to a dead-letter queue. On a standard queue it keeps its id and so the time from which its retention counts; on a
// FIFO queue it comes last in its group. It returns the size of the message in bytes (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html).
func (w *work) bury(q, dead *queue, id id, st state) (int, error) {
	st.source = q.arn
	moved := id
	if dead.fifo {
		sequence, err := w.sequence(dead, st.group)
		if err != nil {
			return 0, err
		}
		moved = newID(sequence, [16]byte(id[8:]))
	}
	return w.transfer(q, dead, id, st, moved)
}
