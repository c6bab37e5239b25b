package sqs

import (
	"encoding/binary"
	"errors"
	"fmt"

	"lambent.dev/lambent/internal/store"
)

// group is the row of a FIFO group that holds messages.
type group struct {
	// last is the sequence number that was given last: those of a group grow in the order of commits.
	last uint64
	// head is the first message.
	head id
	// ready is the group's place in the line of groups that receivers may have, 0 when its first message is hidden.
	ready uint64
}

func (g *group) encode() []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 40), g.last)
	b = append(b, g.head[:]...)
	return binary.BigEndian.AppendUint64(b, g.ready)
}

// group returns the row of a group, and whether it holds messages.
func (q *queue) group(r store.Reader, name string) (group, bool, error) {
	b, err := r.Get(q.groupKey(name))
	if errors.Is(err, store.ErrNotFound) {
		return group{}, false, nil
	}
	if err != nil {
		return group{}, false, err
	}
	if len(b) != 40 {
		return group{}, false, fmt.Errorf("group %q of %s: %w", name, q.arn, errCutOff)
	}
	g := group{last: binary.BigEndian.Uint64(b), ready: binary.BigEndian.Uint64(b[32:])}
	copy(g.head[:], b[8:])
	return g, true, nil
}

// join adds a message to its group, at the end. Its sequence number came from w.sequence.
func (w *work) join(q *queue, id id, st state) error {
	w.tx.Set(q.groupMessage(st.group, id), nil)
	g, ok, err := q.group(w.tx, st.group)
	if err != nil {
		return err
	}
	g.last = max(g.last, id.sequence())
	if !ok {
		g.head = id
		if st.where == visible {
			w.offer(q, st.group, &g, id.sequence())
		}
	}
	w.tx.Set(q.groupKey(st.group), g.encode())
	return nil
}

// sequence returns the next sequence number for a message of a group.
func (w *work) sequence(q *queue, groupName string) (uint64, error) {
	if !q.fifo {
		return w.s.sequence(0), nil
	}
	g, _, err := q.group(w.tx, groupName)
	if err != nil {
		return 0, err
	}
	return w.s.sequence(g.last + 1), nil
}

// offer makes a group ready at a place in the line of groups, and tells of it after the commit.
func (w *work) offer(q *queue, name string, g *group, sequence uint64) {
	g.ready = sequence
	k := q.readyKey(g.ready, name)
	w.tx.Set(k, nil)
	e := w.at(q)
	e.ready = append(e.ready, entry{key: string(k[len(q.data)+2:]), group: name})
}

// refresh brings a group up to date after its messages changed: which is the first, and whether receivers may have it. A ready group goes to
// the end of the line, so that none keeps the others waiting.
func (w *work) refresh(q *queue, name string) error {
	g, ok, err := q.group(w.tx, name)
	if err != nil || !ok {
		return err
	}
	if g.ready != 0 {
		w.tx.Delete(q.readyKey(g.ready, name))
		g.ready = 0
	}
	head, found, err := w.first(q, name, g.head)
	if err != nil {
		return err
	}
	if !found {
		w.tx.Delete(q.groupKey(name))
		return nil
	}
	g.head = head
	st, ok, err := q.state(w.tx, head)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("message %s of group %q in %s has no state", head, name, q.arn)
	}
	if st.where == visible {
		w.offer(q, name, &g, w.s.sequence(0))
	}
	w.tx.Set(q.groupKey(name), g.encode())
	return nil
}

// first returns the first message of a group at or behind from.
func (w *work) first(q *queue, name string, from id) (id, bool, error) {
	span := q.groupMessages(name).Span()
	span.Lo, span.Limit = q.groupMessage(name, from), 1
	for p, err := range w.tx.Range(span) {
		if err != nil {
			return id{}, false, err
		}
		return idAt(p.Key), true, nil
	}
	return id{}, false, nil
}
