package kinesis

import (
	"encoding/binary"
	"errors"
	"time"

	"lambent.dev/lambent/internal/blob"
)

// rowKind is what a row of a shard's log says. The numbers are on disk and never change their meaning.
type rowKind uint8

const (
	rowOpened rowKind = iota // the mark with which a shard begins
	rowRecord
	rowClosed // the mark with which a shard ends
)

// rowVersion begins every row.
const rowVersion = 1

// Flags of a row.
const (
	flagBody      = 1 << iota // the data is a blob
	flagEncrypted             // the stream asked for encryption
)

// row is a row of a shard's log. Its sequence number is made of the stamp in its key.
//
//	version, kind, flags, uvarint Unix milliseconds, uvarint length and partition key, then the data,
//	or uvarint size and the id of the blob that is the data
type row struct {
	kind      rowKind
	encrypted bool
	at        time.Time
	partition string
	data      []byte
	body      blob.ID
	size      int // of the data, in bytes
}

func (r *row) encode() []byte {
	b := make([]byte, 0, 24+len(r.partition)+len(r.data)+len(r.body))
	flags := byte(0)
	if r.body != "" {
		flags |= flagBody
	}
	if r.encrypted {
		flags |= flagEncrypted
	}
	b = append(b, rowVersion, byte(r.kind), flags)
	b = binary.AppendUvarint(b, uint64(r.at.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(len(r.partition)))
	b = append(b, r.partition...)
	if r.body != "" {
		b = binary.AppendUvarint(b, uint64(r.size))
		return append(b, r.body...)
	}
	return append(b, r.data...)
}

var errRow = errors.New("malformed row in the log of a shard")

// decodeRow reads a row. Its data shares the memory of b.
func decodeRow(b []byte) (r row, err error) {
	if len(b) < 4 || b[0] != rowVersion {
		return r, errRow
	}
	flags := b[2]
	r.kind, r.encrypted = rowKind(b[1]), flags&flagEncrypted != 0
	b = b[3:]
	ms, n := binary.Uvarint(b)
	if n <= 0 {
		return r, errRow
	}
	r.at, b = time.UnixMilli(int64(ms)).UTC(), b[n:]
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(len(b)-n) {
		return r, errRow
	}
	r.partition, b = string(b[n:n+int(length)]), b[n+int(length):]
	if flags&flagBody == 0 {
		r.data, r.size = b, len(b)
		return r, nil
	}
	size, n := binary.Uvarint(b)
	if n <= 0 || size > maxRecord {
		return r, errRow
	}
	r.size, r.body = int(size), blob.ID(b[n:])
	return r, nil
}
