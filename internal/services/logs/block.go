package logs

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/s2"

	"lambent.dev/lambent/internal/lib/scratch"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// maxBlockSpan is the longest time between the first and the last event of a block, in milliseconds. Who looks for the events of a time
	// finds them in blocks that begin at most this long before.
	maxBlockSpan = 10_000
	// maxBlockBytes bounds the messages of a block, in bytes with their overhead; one event may be larger.
	maxBlockBytes = 64 << 10
	// maxBody bounds the body of a block before its compression, in bytes.
	maxBody = maxEventBytes + maxBlockBytes
	// minCompressed is the least size of a body that is compressed, in bytes.
	minCompressed = 1 << 10
)

// How the body of a block is stored: the first byte of its value.
const (
	plainBody = iota
	s2Body
)

var errBlock = errors.New("log block is malformed")

// line is one event on its way into the store.
type line struct {
	ms      int64
	message string
}

// event is one stored event.
type event struct {
	position

	ingested int64
	message  string
}

// position is the place of an event in its group: events are read in this order.
type position struct {
	ms     int64
	stream string
	seq    uint64
}

func (p position) compare(q position) int {
	return cmp.Or(cmp.Compare(p.ms, q.ms), cmp.Compare(p.stream, q.stream), cmp.Compare(p.seq, q.seq))
}

// block is what is known about a block without its body.
type block struct {
	first    position
	last     int64 // time of the last event
	ingested int64
	format   byte
	body     []byte
}

// write adds events to a stream inside a transaction and updates the stream's record.
func write(tx store.Txn, s scope, groupID string, st stream, lines []line, now int64) (stream, error) {
	all := make([]event, len(lines))
	for i, e := range lines {
		all[i] = event{position: position{e.ms, st.Name, st.Seq}, message: e.message}
		st.Seq++
	}
	slices.SortStableFunc(all, func(a, b event) int { return cmp.Compare(a.ms, b.ms) })
	for len(all) > 0 {
		n := blockLength(all)
		first, last := all[0].position, all[n-1].ms
		tx.Set(s.block(groupID, first), encodeBlock(all[:n], now))
		tx.Set(s.index(groupID, st.Name).Int(first.ms).Uint(first.seq), binary.AppendUvarint(nil, uint64(last-first.ms)))
		if st.First == 0 || first.ms < st.First {
			st.First = first.ms
		}
		st.Last = max(st.Last, last)
		all = all[n:]
	}
	st.LastIngested = now
	return st, record.Set(tx, s.stream(groupID, st.Name), st)
}

// blockLength is how many of the ordered events make the next block.
func blockLength(all []event) int {
	n, size := 0, 0
	for n < len(all) {
		size += len(all[n].message) + eventOverhead
		if n > 0 && (size > maxBlockBytes || all[n].ms-all[0].ms > maxBlockSpan) {
			break
		}
		n++
	}
	return n
}

// encodeBlock returns the value of a block of ordered events:
//
//	format (1 byte), ingestion time, time from the first to the last event, and the body;
//	the body is, for each event: time and sequence since the event before it, length of the message, message.
//
// Numbers are varints, times are milliseconds.
func encodeBlock(all []event, ingested int64) (value []byte) {
	scratch.Borrow(func(body []byte) []byte {
		body = appendEvents(body, all)
		if len(body) < minCompressed {
			value = blockValue(plainBody, all, ingested, body)
			return body
		}
		scratch.Borrow(func(packed []byte) []byte {
			packed = slices.Grow(packed, s2.MaxEncodedLen(len(body)))
			packed = s2.Encode(packed[:cap(packed)], body)
			value = blockValue(s2Body, all, ingested, packed)
			return packed
		})
		return body
	})
	return value
}

// appendEvents appends the body of a block.
func appendEvents(body []byte, all []event) []byte {
	before := all[0].position
	for i := range all {
		e := &all[i]
		body = binary.AppendUvarint(body, uint64(e.ms-before.ms))
		body = binary.AppendVarint(body, int64(e.seq-before.seq))
		body = binary.AppendUvarint(body, uint64(len(e.message)))
		body = append(body, e.message...)
		before = e.position
	}
	return body
}

// blockValue puts a block together.
func blockValue(format byte, all []event, ingested int64, body []byte) []byte {
	v := make([]byte, 0, 1+2*binary.MaxVarintLen64+len(body))
	v = binary.AppendVarint(append(v, format), ingested)
	v = binary.AppendUvarint(v, uint64(all[len(all)-1].ms-all[0].ms))
	return append(v, body...)
}

// decodeBlock reads the key and the head of a block; the body stays where it is.
func decodeBlock(prefix key.Key, p store.Pair) (block, error) {
	d := key.Decode(p.Key).Skip(prefix)
	b := block{first: position{d.Int(), d.Str(), d.Uint()}}
	if err := d.Done(); err != nil {
		return b, fmt.Errorf("block key: %w", err)
	}
	return b, b.head(p.Value)
}

// head reads the beginning of a block's value.
func (b *block) head(value []byte) error {
	if len(value) == 0 {
		return errBlock
	}
	f := fields{rest: value[1:]}
	b.format, b.ingested, b.last = value[0], f.varint(), b.first.ms+int64(f.uvarint())
	b.body = f.rest
	return f.err
}

// events decodes the body.
func (b *block) events() ([]event, error) {
	body := b.body
	if b.format == s2Body {
		n, err := s2.DecodedLen(body)
		if err != nil || n > maxBody {
			return nil, errors.Join(errBlock, err)
		}
		if body, err = s2.Decode(make([]byte, 0, n), body); err != nil {
			return nil, errors.Join(errBlock, err)
		}
	}
	var all []event
	at := b.first
	for f := (fields{rest: body}); len(f.rest) > 0; {
		at.ms += int64(f.uvarint())
		at.seq += uint64(f.varint())
		message := f.bytes(f.uvarint())
		if f.err != nil {
			return nil, f.err
		}
		all = append(all, event{position: at, ingested: b.ingested, message: string(message)})
	}
	if len(all) == 0 {
		return nil, errBlock
	}
	return all, nil
}

// fields reads numbers and texts one after another. After an error its methods return zero values.
type fields struct {
	rest []byte
	err  error
}

func (f *fields) advance(n int) {
	if n <= 0 {
		f.rest, f.err = nil, errBlock
		return
	}
	f.rest = f.rest[n:]
}

func (f *fields) uvarint() uint64 {
	v, n := binary.Uvarint(f.rest)
	f.advance(n)
	return v
}

func (f *fields) varint() int64 {
	v, n := binary.Varint(f.rest)
	f.advance(n)
	return v
}

func (f *fields) bytes(n uint64) []byte {
	if n > uint64(len(f.rest)) {
		f.rest, f.err = nil, errBlock
		return nil
	}
	b := f.rest[:n]
	f.rest = f.rest[n:]
	return b
}

// deleteBefore removes the blocks of a group whose events are all older than cutoff, a time in milliseconds, and may leave some of a few seconds before it.
func deleteBefore(tx store.Txn, s scope, groupID string, cutoff int64) error {
	tx.DeleteRange(s.blocks(groupID), s.blocks(groupID).Int(cutoff-maxBlockSpan))
	for row, err := range record.Range[stream](tx, s.streams(groupID).Span()) {
		if err != nil {
			return err
		}
		index := s.index(groupID, row.Value.Name)
		tx.DeleteRange(index, index.Int(cutoff-maxBlockSpan))
	}
	return nil
}

// deleteBlocks removes all blocks of a stream.
func deleteBlocks(tx store.Txn, s scope, groupID, streamName string) error {
	index := s.index(groupID, streamName)
	for pair, err := range tx.Range(index.Span()) {
		if err != nil {
			return err
		}
		b, err := decodeIndex(index, streamName, pair)
		if err != nil {
			return err
		}
		tx.Delete(s.block(groupID, b.first))
	}
	tx.DeleteRange(index, index.End())
	return nil
}

// decodeIndex reads an entry of a stream's index.
func decodeIndex(index key.Key, streamName string, p store.Pair) (block, error) {
	d := key.Decode(p.Key).Skip(index)
	b := block{first: position{d.Int(), streamName, d.Uint()}}
	if err := d.Done(); err != nil {
		return b, fmt.Errorf("index key: %w", err)
	}
	f := fields{rest: p.Value}
	b.last = b.first.ms + int64(f.uvarint())
	return b, f.err
}
