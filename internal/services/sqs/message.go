package sqs

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	api "lambent.dev/lambent/internal/awsapi/sqs"
	"lambent.dev/lambent/internal/store"
)

// where says where a message is.
type where byte

const (
	visible where = iota
	delayed
	inFlight
)

// counted returns n messages at w.
func (w where) counted(n int64) counts {
	switch w {
	case delayed:
		return counts{delayed: n}
	case inFlight:
		return counts{inFlight: n}
	}
	return counts{visible: n}
}

// state is what changes of a message.
type state struct {
	where where
	// due is when a hidden message becomes visible, first when the message was received first; Unix milliseconds.
	due, first int64
	// received counts the receives; it names the last one in receipt handles.
	received uint64
	// lot is the lot of a message that is not visible.
	lot uint64
	// parts is how many pieces the content has.
	parts byte
	group string
	// source is the ARN of the queue that a dead letter comes from.
	source string
}

func (st *state) encode() []byte {
	b := make([]byte, 0, 40+len(st.group)+len(st.source))
	b = append(b, byte(st.where), st.parts)
	b = binary.AppendVarint(b, st.due)
	b = binary.AppendVarint(b, st.first)
	b = binary.AppendUvarint(b, st.received)
	b = binary.AppendUvarint(b, st.lot)
	return appendText(appendText(b, st.group), st.source)
}

func decodeState(b []byte) (st state, err error) {
	d := decoder{rest: b}
	st.where, st.parts = where(d.byte()), d.byte()
	st.due, st.first, st.received, st.lot = d.int(), d.int(), d.uint(), d.uint()
	st.group, st.source = d.text(), d.text()
	return st, d.err
}

// state returns the state of a message, and whether there is one.
func (q *queue) state(r store.Reader, id id) (state, bool, error) {
	b, err := r.Get(q.stateKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return state{}, false, nil
	}
	if err != nil {
		return state{}, false, err
	}
	st, err := decodeState(b)
	if err != nil {
		return st, false, fmt.Errorf("state of message %s in %s: %w", id, q.arn, err)
	}
	return st, true, nil
}

// attribute is a message attribute.
type attribute struct {
	name, kind string
	value      string // text or bytes
}

func (a *attribute) binary() bool { return strings.HasPrefix(a.kind, "Binary") }

// content is what never changes of a message.
type content struct {
	body       string
	digest     [md5.Size]byte
	attributes []attribute // by name
	sender     string      // the principal's id
	trace      string      // the AWSTraceHeader system attribute
	dedup      string
	sent       int64 // Unix milliseconds
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (c *content) encode() []byte {
	b := make([]byte, 0, 128+len(c.body))
	b = append(b, c.digest[:]...)
	b = binary.AppendVarint(b, c.sent)
	b = appendText(appendText(appendText(b, c.sender), c.trace), c.dedup)
	b = binary.AppendUvarint(b, uint64(len(c.attributes)))
	for _, a := range c.attributes {
		b = appendText(appendText(appendText(b, a.name), a.kind), a.value)
	}
	return append(b, c.body...)
}

func decodeContent(b []byte) (*content, error) {
	c := &content{}
	if len(b) < len(c.digest) {
		return nil, errCutOff
	}
	copy(c.digest[:], b)
	d := decoder{rest: b[len(c.digest):]}
	c.sent = d.int()
	c.sender, c.trace, c.dedup = d.text(), d.text(), d.text()
	for n := d.uint(); n > 0 && d.err == nil; n-- {
		c.attributes = append(c.attributes, attribute{d.text(), d.text(), d.text()})
	}
	c.body = string(d.rest)
	return c, d.err
}

var errCutOff = errors.New("the row is cut off")

// decoder reads what appendText and the varint functions wrote.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.err = errCutOff
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.err, d.rest = errCutOff, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.rest)
	if n <= 0 {
		d.err, d.rest = errCutOff, nil
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) text() string {
	n := d.uint()
	if n > uint64(len(d.rest)) {
		d.err, d.rest = errCutOff, nil
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

// partSize is the size of the pieces of a body, in bytes.
const partSize = 512 << 10

// writeContent stores an encoded content and returns how many pieces it has.
func (q *queue) writeContent(tx store.Txn, id id, b []byte) (parts byte) {
	for {
		n := min(len(b), partSize)
		tx.Set(q.bodyKey(id, parts), b[:n])
		parts++
		if b = b[n:]; len(b) == 0 {
			return parts
		}
	}
}

// readContent returns the encoded content of a message.
func (q *queue) readContent(r store.Reader, id id, parts byte) ([]byte, error) {
	var out []byte
	for part := range parts {
		b, err := r.Get(q.bodyKey(id, part))
		if err != nil {
			return nil, fmt.Errorf("content of message %s in %s: %w", id, q.arn, err)
		}
		if parts == 1 {
			return b, nil
		}
		out = append(out, b...)
	}
	return out, nil
}

// attributesOf returns the attributes of a call by name.
func attributesOf(in map[string]api.MessageAttributeValue) []attribute {
	out := make([]attribute, 0, len(in))
	for name, v := range in {
		a := attribute{name: name, kind: v.DataType}
		if a.binary() {
			a.value = string(v.BinaryValue)
		} else if v.StringValue != nil {
			a.value = *v.StringValue
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	return out
}

// digestAttributes returns the digest that clients compare: of names, types and values, each behind its length
// (https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html).
func digestAttributes(all []attribute) *string {
	if len(all) == 0 {
		return nil
	}
	h := md5.New()
	var b []byte
	add := func(s string) { b = append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...) }
	for _, a := range all {
		b = b[:0]
		add(a.name)
		add(a.kind)
		if a.binary() {
			b = append(b, 2)
		} else {
			b = append(b, 1)
		}
		add(a.value)
		_, _ = h.Write(b)
	}
	return new(hex.EncodeToString(h.Sum(nil)))
}
