package sqs

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"time"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// This file keeps the rows by which hidden messages become visible again. Messages that one transaction hides until the same time are a lot, which is one row:
// a batch that is received and deleted writes it and deletes it once.
//
// A lot may name messages that are hidden no longer, or in another lot by now: the message's state tells. Its row is kept as it is when some of its messages leave it
// shortly before it is due, so that receivers that delete the messages of a batch one by one do not meet on it; otherwise it is written without them, so that long visibility
// timeouts leave nothing behind.

const (
	// maxLot is how many messages a lot has.
	maxLot = 64
	// nearlyDue is how long before its time a lot is kept as it is when messages leave it, in milliseconds.
	nearlyDue = int64(5 * time.Minute / time.Millisecond)
)

// lot is messages that a transaction hides, or that leave their lot in it.
type lot struct {
	due    int64 // Unix milliseconds
	number uint64
	ids    []byte
}

// idsIn calls yield with the ids in the value of a lot's row.
func idsIn(row []byte) func(yield func(id) bool) {
	return func(yield func(id) bool) {
		for ; len(row) >= len(id{}); row = row[len(id{}):] {
			if !yield(id(row[:len(id{})])) {
				return
			}
		}
	}
}

// in tells whether a message is hidden by a lot.
func (st *state) in(number uint64) bool { return st.where != visible && st.lot == number }

// conceal adds a message to a lot of those that are hidden until due. It changes the state, which the caller writes.
func (w *work) conceal(q *queue, id id, st *state, due int64) {
	e := w.at(q)
	i := len(e.hidden) - 1
	for i >= 0 && (e.hidden[i].due != due || len(e.hidden[i].ids) >= maxLot*len(id)) {
		i--
	}
	if i < 0 {
		i = len(e.hidden)
		e.hidden = append(e.hidden, lot{due: due, number: w.s.sequence(0)})
	}
	l := &e.hidden[i]
	l.ids = append(l.ids, id[:]...)
	st.due, st.lot = due, l.number
	w.dueAt(q, due)
}

// release notes that a message leaves its lot.
func (w *work) release(q *queue, id id, st *state) {
	if st.lot == 0 {
		return // the lot is being dissolved
	}
	e := w.at(q)
	for i := range e.left {
		if e.left[i].number == st.lot {
			e.left[i].ids = append(e.left[i].ids, id[:]...)
			return
		}
	}
	e.left = append(e.left, lot{st.due, st.lot, bytes.Clone(id[:])})
}

// settle writes the rows of the lots.
func (w *work) settle(e *effect) error {
	for _, l := range e.hidden {
		w.tx.Set(e.q.lotKey(l.due, l.number), l.ids)
	}
	for _, l := range e.left {
		k := e.q.lotKey(l.due, l.number)
		row, err := w.tx.Get(k)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		switch rest := l.without(row); {
		case len(rest) == 0:
			w.tx.Delete(k)
		case l.due-w.now > nearlyDue:
			w.tx.Set(k, rest)
		}
	}
	return nil
}

// without returns the ids in a lot's row without those of l.
func (l *lot) without(row []byte) []byte {
	var rest []byte
	for id := range idsIn(row) {
		gone := false
		for left := range idsIn(l.ids) {
			gone = gone || left == id
		}
		if !gone {
			rest = append(rest, id[:]...)
		}
	}
	return rest
}

// concealed is a message as a lot names it.
type concealed struct {
	id     id
	due    int64
	number uint64
}

// reveal makes the messages of lots visible whose rows are deleted: those that were to be visible first, and of these those that were sent first, are first in line.
func (w *work) reveal(q *queue, due []concealed, changed *groups) error {
	slices.SortFunc(due, func(a, b concealed) int { return cmp.Or(cmp.Compare(a.due, b.due), bytes.Compare(a.id[:], b.id[:])) })
	for _, m := range due {
		st, ok, err := q.state(w.tx, m.id)
		if err != nil {
			return err
		}
		if !ok || !st.in(m.number) {
			continue // it left the lot before
		}
		st.lot = 0
		w.show(q, m.id, &st)
		changed.add(st.group)
	}
	return nil
}

// lotAt returns when the lot of a row behind prefix is due, and its number.
func lotAt(prefix key.Key, row []byte) (due int64, number uint64) {
	d := key.Decode(row).Skip(prefix)
	return int64(d.Uint()), d.Uint()
}

// lotKey returns the row of a lot.
func (q *queue) lotKey(due int64, number uint64) key.Key {
	return q.base("mh").Uint(uint64(due)).Uint(number)
}
