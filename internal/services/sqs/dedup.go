package sqs

import (
	"encoding/binary"
	"errors"
	"fmt"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// dedupWindow is how long a deduplication id and a receive request attempt count, in milliseconds
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html).
const dedupWindow = 5 * 60_000

// scope returns within what the deduplication ids of a message count.
func (q *queue) scope(group string) string {
	if q.groupDedup {
		return "g" + group
	}
	return "q"
}

// duplicate returns what the sender of a message was told when the message was sent before.
func (w *work) duplicate(q *queue, m *outgoing) (sent, bool, error) {
	b, err := w.tx.Get(q.dedupKey(q.scope(m.group), m.content.dedup))
	if errors.Is(err, store.ErrNotFound) {
		return sent{}, false, nil
	}
	if err != nil {
		return sent{}, false, err
	}
	if len(b) != 8+len(id{}) {
		return sent{}, false, fmt.Errorf("deduplication id %q of %s: %w", m.content.dedup, q.arn, errCutOff)
	}
	if int64(binary.BigEndian.Uint64(b)) <= w.now {
		return sent{}, false, nil
	}
	return told(q, idAt(b)), true, nil
}

// remember keeps the deduplication id of a message that was sent.
func (w *work) remember(q *queue, m *outgoing, id id) {
	expires := w.now + dedupWindow
	value := append(binary.BigEndian.AppendUint64(nil, uint64(expires)), id[:]...)
	w.keep(q, q.dedupKey(q.scope(m.group), m.content.dedup), value, expires)
}

// keep writes a row that is forgotten some time after it expires. Its value begins with the time of expiry.
func (w *work) keep(q *queue, row key.Key, value []byte, expires int64) {
	w.tx.Set(row, value)
	w.tx.Set(q.expiryKey(expires, row), nil)
	w.dueAt(q, expires+forgetSlack)
}

// forgetSlack lets expired rows gather, so that they are deleted together; milliseconds.
const forgetSlack = 60_000

// forget deletes up to limit expired rows, and returns when to do so again, 0 for never.
func (w *work) forget(q *queue, limit int) (next int64, err error) {
	prefix := q.base("dx")
	span := prefix.Span()
	span.Limit = limit + 1
	n := 0
	for p, err := range w.tx.Range(span) {
		if err != nil {
			return 0, err
		}
		expires := int64(key.Decode(p.Key).Skip(prefix).Uint())
		if expires > w.now {
			return expires + forgetSlack, nil
		}
		if n++; n > limit {
			return w.now, nil
		}
		w.tx.Delete(p.Key)
		row := q.data.Raw(p.Key[len(prefix)+8:])
		// The row may have been written again since, with a later expiry.
		b, err := w.tx.Get(row)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return 0, err
		}
		if len(b) >= 8 && int64(binary.BigEndian.Uint64(b)) <= w.now {
			w.tx.Delete(row)
		}
	}
	return 0, nil
}
