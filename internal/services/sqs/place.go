package sqs

// This file moves messages between the places of a queue. Every change of a message goes through put, hide, show and remove,
// which keep its rows and the counters together; FIFO groups are brought up to date with refresh.

// put adds a message to a queue: visible, or hidden until st.due.
func (w *work) put(q *queue, id id, st state, content []byte) error {
	st.parts = q.writeContent(w.tx, id, content)
	if st.where != visible {
		w.conceal(q, id, &st, st.due)
	}
	w.tx.Set(q.stateKey(id), st.encode())
	w.count(q, st.where.counted(1))
	w.dueAt(q, id.enqueued()+q.retention*1000)
	w.at(q).lower(q.stateKey(id))
	if q.fifo {
		return w.join(q, id, st)
	}
	if st.where == visible {
		w.announce(q, id, st.group)
	}
	return nil
}

// announce tells of a visible message of a standard queue after the commit.
func (w *work) announce(q *queue, id id, group string) {
	e := w.at(q)
	e.ready = append(e.ready, entry{key: string(id[:]), group: group})
}

// leave takes a message out of the place where it is; its state is not written.
func (w *work) leave(q *queue, id id, st state) {
	w.count(q, st.where.counted(-1))
	if st.where != visible {
		w.release(q, id, &st)
	}
	if st.where == inFlight {
		e := w.at(q)
		e.ended = append(e.ended, q.tenant(st.group))
	}
}

// hide puts a message in flight until due. The caller refreshes the group of a FIFO queue.
func (w *work) hide(q *queue, id id, st *state, due int64) {
	w.leave(q, id, *st)
	st.where = inFlight
	w.conceal(q, id, st, due)
	w.tx.Set(q.stateKey(id), st.encode())
	w.count(q, st.where.counted(1))
	e := w.at(q)
	e.started = append(e.started, q.tenant(st.group))
}

// show makes a hidden message visible. The caller refreshes the group of a FIFO queue.
func (w *work) show(q *queue, id id, st *state) {
	w.leave(q, id, *st)
	st.where, st.due, st.lot = visible, 0, 0
	w.tx.Set(q.stateKey(id), st.encode())
	w.count(q, st.where.counted(1))
	if !q.fifo {
		w.announce(q, id, st.group)
	}
}

// remove deletes a message. The caller refreshes the group of a FIFO queue.
func (w *work) remove(q *queue, id id, st state) {
	w.leave(q, id, st)
	w.tx.Delete(q.stateKey(id))
	for part := range st.parts {
		w.tx.Delete(q.bodyKey(id, part))
	}
	if q.fifo {
		w.tx.Delete(q.groupMessage(st.group, id))
	}
}

// transfer moves a message from one queue to another, visible there, and returns its size in bytes. moved is its id there.
func (w *work) transfer(from, to *queue, id id, st state, moved id) (int, error) {
	content, err := from.readContent(w.tx, id, st.parts)
	if err != nil {
		return 0, err
	}
	w.remove(from, id, st)
	st.where, st.due, st.lot = visible, 0, 0
	return len(content), w.put(to, moved, st, content)
}
