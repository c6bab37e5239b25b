package sqs

import (
	"context"
	"encoding/binary"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store/key"
)

// place is the account and the region that own a queue.
type place struct{ account, region string }

func placeOf(ctx context.Context) place {
	r := service.RequestFrom(ctx)
	return place{r.Account, r.Region}
}

func (p place) root(kind string) key.Key { return key.New("sqs", kind, p.account, p.region) }

func (p place) queues() key.Key                { return p.root("q") }
func (p place) queue(name string) key.Key      { return p.root("q").Str(name) }
func (p place) tasks(source string) key.Key    { return p.root("t").Str(source) }
func (p place) task(source, id string) key.Key { return p.tasks(source).Str(id) }
func (p place) data(queueID uint64) key.Key    { return p.root("d").Uint(queueID) }
func (p place) arn(name string) string {
	return "arn:aws:sqs:" + p.region + ":" + p.account + ":" + name
}
func secretKey() key.Key                            { return key.New("sqs", "secret") }
func allQueues() key.Key                            { return key.New("sqs", "q") }
func (q *queue) base(letters string) key.Key        { return q.data.Raw([]byte(letters)) }
func (q *queue) bodyKey(id id, part byte) []byte    { return append(q.withID("mb", id), part) }
func (q *queue) stateKey(id id) key.Key             { return q.withID("ms", id) }
func (q *queue) groupMessages(group string) key.Key { return q.base("mg").Str(group) }
func (q *queue) groupMessage(group string, id id) key.Key {
	return q.groupMessages(group).Raw(id[:])
}
func (q *queue) groupKey(group string) key.Key { return q.base("mo").Str(group) }
func (q *queue) readyKey(sequence uint64, group string) key.Key {
	return q.base("mr").Uint(sequence).Str(group)
}
func (q *queue) counterKey(stripe byte) key.Key { return q.base("mc").Raw([]byte{stripe}) }
func (q *queue) dedupKey(scope, id string) key.Key {
	return q.base("dd").Str(scope).Str(id)
}
func (q *queue) attemptKey(attempt string) key.Key { return q.base("da").Str(attempt) }

// expiryKey returns the row that finds row, a key of the queue, when it expires (Unix milliseconds).
func (q *queue) expiryKey(expires int64, row key.Key) key.Key {
	return q.base("dx").Uint(uint64(expires)).Raw(row[len(q.data):])
}

func (q *queue) withID(letters string, id id) key.Key {
	b := make(key.Key, 0, len(q.data)+len(letters)+len(id)+1)
	return append(append(append(b, q.data...), letters...), id[:]...)
}

// id names a message within its queue: its sequence number and its UUID.
type id [24]byte

func newID(sequence uint64, uuid [16]byte) (out id) {
	binary.BigEndian.PutUint64(out[:8], sequence)
	copy(out[8:], uuid[:])
	return out
}

// idAt returns the id at the end of a key.
func idAt(k []byte) (out id) {
	copy(out[:], k[len(k)-len(out):])
	return out
}

func (i id) sequence() uint64 { return binary.BigEndian.Uint64(i[:8]) }

// enqueued returns when the message came into its queue, in Unix milliseconds.
func (i id) enqueued() int64 { return int64(i.sequence() >> sequenceShift) }

// String returns the message id that clients see.
func (i id) String() string {
	const digits = "0123456789abcdef"
	out := make([]byte, 0, 36)
	for n, b := range i[8:] {
		switch n {
		case 4, 6, 8, 10:
			out = append(out, '-')
		}
		out = append(out, digits[b>>4], digits[b&15])
	}
	return string(out)
}
