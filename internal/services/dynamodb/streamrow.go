package dynamodb

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	streams "lambent.dev/lambent/internal/awsapi/dynamodbstreams"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/store"
)

// rowKind is what a row of a stream's log says. The numbers are on disk and never change their meaning.
type rowKind uint8

const (
	rowOpened rowKind = iota // the mark with which a shard begins
	rowInsert
	rowModify
	rowRemove
	rowClosed // the mark with which a shard ends
	rowOld    // the old image of the record in the next row, when both do not fit into one
)

// rowVersion begins every row.
const rowVersion = 1

// expiredFlag marks the deletion of an item whose time to live ended.
const expiredFlag = 1

// streamRow is a row of a stream's log. Its sequence number is the stamp in its key.
//
//	version, kind, flags, uvarint Unix milliseconds, then keys, new image and old image, each with its uvarint length
type streamRow struct {
	kind           rowKind
	expired        bool
	at             time.Time
	keys, new, old attr.Map
}

func (row streamRow) encode() []byte {
	b := make([]byte, 0, 32+len(row.keys)+len(row.new)+len(row.old))
	flags := byte(0)
	if row.expired {
		flags = expiredFlag
	}
	b = append(b, rowVersion, byte(row.kind), flags)
	b = binary.AppendUvarint(b, uint64(row.at.UnixMilli()))
	for _, m := range []attr.Map{row.keys, row.new, row.old} {
		b = binary.AppendUvarint(b, uint64(len(m)))
		b = append(b, m...)
	}
	return b
}

var errStreamRow = errors.New("malformed row in a stream")

// decodeRow reads a row. Its maps share the memory of b.
func decodeRow(b []byte) (row streamRow, err error) {
	if len(b) < 4 || b[0] != rowVersion {
		return row, errStreamRow
	}
	row.kind, row.expired = rowKind(b[1]), b[2]&expiredFlag != 0
	b = b[3:]
	ms, n := binary.Uvarint(b)
	if n <= 0 {
		return row, errStreamRow
	}
	row.at, b = time.UnixMilli(int64(ms)).UTC(), b[n:]
	for _, m := range []*attr.Map{&row.keys, &row.new, &row.old} {
		size, n := binary.Uvarint(b)
		if n <= 0 || size > uint64(len(b)-n) {
			return row, errStreamRow
		}
		if size > 0 {
			*m = attr.Map(b[n : n+int(size)])
		}
		b = b[n+int(size):]
	}
	return row, nil
}

// record appends what a write did to the table's stream, when it has one.
func (t *table) record(tx store.Txn, old, item attr.Map, by origin) {
	if t.Stream == nil || old == nil && item == nil {
		return
	}
	row := streamRow{kind: rowModify, expired: by.expired, at: by.at}
	from := item
	switch {
	case old == nil:
		row.kind = rowInsert
	case item == nil:
		row.kind, from = rowRemove, old
	}
	row.keys = t.keyOf(from)
	switch t.Stream.View {
	case ddb.StreamViewTypeNewImage:
		row.new = item
	case ddb.StreamViewTypeOldImage:
		row.old = old
	case ddb.StreamViewTypeNewAndOldImages:
		row.new, row.old = item, old
	}
	log := t.place.shard(t.Name, t.Stream.Label, t.Stream.Shard)
	b := row.encode()
	if len(b) > store.MaxValue {
		tx.Append(log, streamRow{kind: rowOld, at: by.at, old: row.old}.encode())
		row.old = nil
		b = row.encode()
	}
	tx.Append(log, b)
}

// keyOf returns the key attributes of an item.
func (t *table) keyOf(item attr.Map) attr.Map {
	fields := make([]attr.Field, 0, 2)
	for _, a := range t.keys.all {
		fields = append(fields, attr.Field{Name: a.name, Value: item.Get(a.name)})
	}
	return attr.NewMap(fields...)
}

// stamp is the place of a row in commit order.
type stamp [store.StampSize]byte

// stampOf returns the stamp at the end of a row's key.
func stampOf(k []byte) (s stamp) {
	if len(k) >= store.StampSize {
		copy(s[:], k[len(k)-store.StampSize:])
	}
	return s
}

// next returns the least stamp that is greater.
func (s stamp) next() stamp {
	for i := len(s) - 1; i >= 0; i-- {
		if s[i]++; s[i] != 0 {
			break
		}
	}
	return s
}

// sequenceDigits is the number of digits of every sequence number. AWS's have 21 to 40, and clients compare them as numbers or as text.
const sequenceDigits = 25

// sequenceBase is the least number with that many digits.
func sequenceBase() *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(sequenceDigits-1), nil)
}

// sequence returns the stamp as a sequence number.
func (s stamp) sequence() string {
	n := new(big.Int).SetBytes(s[:])
	return n.Add(n, sequenceBase()).String()
}

// parseSequence is the inverse of sequence.
func parseSequence(text string) (s stamp, ok bool) {
	n, ok := new(big.Int).SetString(text, 10)
	if !ok || len(text) != sequenceDigits || text[0] == '-' || text[0] == '+' {
		return s, false
	}
	if n.Sub(n, sequenceBase()); n.Sign() < 0 || n.BitLen() > 8*len(s) {
		return s, false
	}
	n.FillBytes(s[:])
	return s, true
}

// eventID returns the id of a record: 32 hexadecimal digits that every reading of it sees.
func (s stamp) eventID(stream string) string {
	sum := sha256.Sum256(append([]byte(stream), s[:]...))
	return hex.EncodeToString(sum[:16])
}

// event returns the name of what a row records, or "" for rows that are no records.
func (k rowKind) event() string {
	switch k {
	case rowInsert:
		return streams.OperationTypeInsert
	case rowModify:
		return streams.OperationTypeModify
	case rowRemove:
		return streams.OperationTypeRemove
	}
	return ""
}

// api returns a row as the API shows it, in memory of its own; size is that of its keys and images.
func (row streamRow) api(sr *streamRecord, p place, at stamp) (r streams.Record, size int, err error) {
	name := row.kind.event()
	if name == "" {
		return r, 0, fmt.Errorf("%w: kind %d", errStreamRow, row.kind)
	}
	size = row.keys.Size() + row.new.Size() + row.old.Size()
	r = streams.Record{
		EventID: ptr(at.eventID(streamARN(p, sr.Table, sr.Label))), EventName: name, EventVersion: ptr("1.1"), EventSource: ptr("aws:dynamodb"), AwsRegion: &p.region,
		Dynamodb: &streams.StreamRecord{
			ApproximateCreationDateTime: ptr(row.at.Truncate(time.Second)), Keys: row.keys.Clone(), NewImage: row.new.Clone(), OldImage: row.old.Clone(),
			SequenceNumber: ptr(at.sequence()), SizeBytes: ptr(int64(size)), StreamViewType: sr.View,
		},
	}
	if row.expired {
		r.UserIdentity = &streams.Identity{Type: ptr("Service"), PrincipalId: ptr("dynamodb.amazonaws.com")}
	}
	return r, size, nil
}
