package events

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// layout builds the keys of one kind.
type layout struct{ base key.Key }

func layoutOf(kind string) layout { return layout{key.New("events", kind)} }

// place returns the prefix of the stamp of a job that has neither run nor a group.
func (l layout) place(due time.Time) key.Key {
	if due.IsZero() {
		return l.ready()
	}
	return l.timers().Time(due)
}

func (l layout) ready() key.Key                          { return l.base.Str("r") }
func (l layout) timers() key.Key                         { return l.base.Str("t") }
func (l layout) name(n string) key.Key                   { return l.base.Str("n").Str(n) }
func (l layout) group(g string) key.Key                  { return l.base.Str("g").Str(g) }
func (l layout) head(g string) key.Key                   { return l.base.Str("h").Str(g) }
func (l layout) heads() key.Key                          { return l.base.Str("d") }
func (l layout) dueHead(due time.Time, g string) key.Key { return l.heads().Int(unixNano(due)).Str(g) }

// setHead notes when the first job of a group is due.
func (l layout) setHead(tx store.Txn, group string, due time.Time) {
	tx.Set(l.head(group), encodeTime(due))
	tx.Set(l.dueHead(due, group), nil)
}

// clearHead removes what setHead noted.
func (l layout) clearHead(tx store.Txn, group string) error {
	b, err := tx.Get(l.head(group))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	due, err := decodeTime(b)
	if err != nil {
		return err
	}
	tx.Delete(l.head(group))
	tx.Delete(l.dueHead(due, group))
	return nil
}

// stampOf returns the stamp at the end of k.
func stampOf(k []byte) []byte { return k[max(0, len(k)-store.StampSize):] }

// jobStamp returns the stamp of the job that the name row with stamp n belongs to: the call before.
func jobStamp(n []byte) []byte { return addOrdinal(n, -1) }

// nameStamp is the inverse of jobStamp.
func nameStamp(j []byte) []byte { return addOrdinal(j, 1) }

func addOrdinal(stamp []byte, d int) []byte {
	out := slices.Clone(stamp)
	if len(out) != store.StampSize {
		return out
	}
	o := out[store.StampSize-2:]
	binary.BigEndian.PutUint16(o, binary.BigEndian.Uint16(o)+uint16(d))
	return out
}

func idOf(stamp []byte) string { return hex.EncodeToString(stamp) }

// unixNano is 0 for the zero time, which sorts before every due time there is.
func unixNano(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromUnixNano(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func encodeTime(t time.Time) []byte { return binary.BigEndian.AppendUint64(nil, uint64(unixNano(t))) }

func decodeTime(b []byte) (time.Time, error) {
	if len(b) != 8 {
		return time.Time{}, fmt.Errorf("a time of %d bytes, want 8", len(b))
	}
	return fromUnixNano(int64(binary.BigEndian.Uint64(b))), nil
}

// rowVersion begins every encoded job.
const rowVersion = 1

// errBadRow is returned for bytes that encode did not write.
var errBadRow = errors.New("malformed job row")

// encode writes what a row keeps of a job: all but its kind and ID.
func encode(j Job) []byte {
	b := make([]byte, 0, 40+len(j.Name)+len(j.Group)+len(j.Payload))
	b = append(b, rowVersion)
	b = binary.AppendUvarint(b, uint64(j.Attempt))
	b = binary.AppendVarint(b, unixNano(j.Enqueued))
	b = binary.AppendVarint(b, unixNano(j.NotBefore))
	for _, s := range []string{j.Name, j.Group} {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return append(b, j.Payload...)
}

// decode reads a row; the payload is copied.
func decode(kind string, stamp, b []byte) (Job, error) {
	if len(b) == 0 || b[0] != rowVersion {
		return Job{}, errBadRow
	}
	r := rowReader{b: b[1:]}
	j := Job{Kind: kind, ID: idOf(stamp)}
	j.Attempt = int(r.uvarint())
	j.Enqueued = fromUnixNano(r.varint())
	j.NotBefore = fromUnixNano(r.varint())
	j.Name, j.Group = r.text(), r.text()
	j.Payload = slices.Clone(r.b)
	if r.bad || j.Attempt < 0 {
		return Job{}, errBadRow
	}
	return j, nil
}

type rowReader struct {
	b   []byte
	bad bool
}

func (r *rowReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	return advance(r, v, n)
}

func (r *rowReader) varint() int64 {
	v, n := binary.Varint(r.b)
	return advance(r, v, n)
}

func advance[T any](r *rowReader, v T, n int) T {
	if n <= 0 || r.bad {
		r.bad = true
		var zero T
		return zero
	}
	r.b = r.b[n:]
	return v
}

func (r *rowReader) text() string {
	n := r.uvarint()
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
