package kinesis

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// iteratorLife is how long an iterator can be used
// (https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html).
const iteratorLife = 5 * time.Minute

// cursor is a place in a shard, from which records are read.
type cursor struct {
	shard uint64
	from  stamp // the first row that may be read
	since int64 // Unix milliseconds: earlier records are passed over
}

// iterator is a cursor that a client holds as text. What it may reach is decided by the stream in it.
type iterator struct {
	stream string // ARN
	id     uint64
	cursor
	issued time.Time
}

// iteratorVersion is the first byte of an iterator's text.
const iteratorVersion = 1

func (it *iterator) String() string {
	b := []byte{iteratorVersion}
	b = binary.BigEndian.AppendUint64(b, it.id)
	b = binary.BigEndian.AppendUint64(b, it.shard)
	b = append(b, it.from[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(it.since))
	b = binary.BigEndian.AppendUint64(b, uint64(it.issued.UnixMilli()))
	return base64.StdEncoding.EncodeToString(append(b, it.stream...))
}

func parseIterator(text string) (it iterator, err error) {
	// AWS takes an iterator in quotes, as a shell script may send it.
	b, err := base64.StdEncoding.DecodeString(strings.Trim(text, `"`))
	const head = 1 + 8 + 8 + store.StampSize + 8 + 8
	if err != nil || len(b) < head || b[0] != iteratorVersion {
		return it, invalid("Invalid ShardIterator.")
	}
	it.stream = string(b[head:])
	if _, _, ok := parseARN(it.stream); !ok {
		return it, invalid("Invalid ShardIterator.")
	}
	it.id, it.shard = binary.BigEndian.Uint64(b[1:]), binary.BigEndian.Uint64(b[9:])
	copy(it.from[:], b[17:])
	it.since = int64(binary.BigEndian.Uint64(b[17+store.StampSize:]))
	it.issued = time.UnixMilli(int64(binary.BigEndian.Uint64(b[25+store.StampSize:])))
	return it, nil
}

func (s *Service) getShardIterator(ctx context.Context, in *api.GetShardIteratorInput) (*api.GetShardIteratorOutput, error) {
	st, err := s.known(ctx, target{in.StreamName, in.StreamARN, in.StreamId})
	if err != nil {
		return nil, err
	}
	at := api.StartingPosition{Type: in.ShardIteratorType, SequenceNumber: in.StartingSequenceNumber, Timestamp: in.Timestamp}
	it := iterator{stream: st.arn(), id: st.ID, issued: s.clock.Now()}
	if it.cursor, err = s.locate(ctx, st, in.ShardId, &at); err != nil {
		return nil, err
	}
	return &api.GetShardIteratorOutput{ShardIterator: new(it.String())}, nil
}

// locate returns the cursor at a position of a shard.
func (s *Service) locate(ctx context.Context, st *stream, shard string, at *api.StartingPosition) (c cursor, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		sh, err := st.shard(r, shard)
		if err == nil && !sh.openSince(s.clock.Now().Add(-st.keeps())) {
			err = noShard(st, shard) // all of it is too old, and is deleted soon
		}
		if err != nil {
			return err
		}
		log := st.ref().log(sh.Number)
		c = cursor{shard: sh.Number}
		switch at.Type {
		case api.ShardIteratorTypeTrimHorizon:
			return nil
		case api.ShardIteratorTypeLatest:
			last, _, err := edge(r, log, true)
			if c.from = after(last); !sh.Closed.IsZero() {
				c.from = last // the mark of its end is still to be seen
			}
			return err
		case api.ShardIteratorTypeAtTimestamp:
			return c.toTime(r, log, at.Timestamp, s.clock.Now())
		}
		return c.toSequence(st, &sh, at)
	})
	return c, storeError(err)
}

// toTime moves the cursor to the first record that arrived at a time or later.
func (c *cursor) toTime(r store.Reader, log key.Key, at *time.Time, now time.Time) (err error) {
	switch {
	case at == nil:
		return invalid("Must specify timestamp parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.")
	case at.After(now):
		return invalid("The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: %d, currentTimestampInMillis: %d",
			at.UnixMilli(), now.UnixMilli())
	}
	c.since = at.UnixMilli()
	c.from, err = seek(r, log, *at)
	return err
}

// toSequence moves the cursor to a sequence number, or behind it.
func (c *cursor) toSequence(st *stream, sh *shardRecord, at *api.StartingPosition) error {
	if at.SequenceNumber == nil {
		return invalid("Must specify starting sequence number for iterator of type %s. Current request has no starting sequence number.", at.Type)
	}
	n, from, ok := parseSequence(*at.SequenceNumber, st.Created)
	if !ok || n != sh.Number {
		return invalid("StartingSequenceNumber %s used in GetShardIterator on shard %s in stream %s under account %s is invalid.",
			*at.SequenceNumber, shardID(sh.Number), st.Name, st.place.account)
	}
	if c.from = from; at.Type == api.ShardIteratorTypeAfterSequenceNumber {
		c.from = after(from)
	}
	return nil
}

// seek returns a stamp before which no row of a log has a time of at or later, and which is not much earlier: rows may be out of order by as much
// as a transaction lives.
func seek(r store.Reader, log key.Key, at time.Time) (stamp, error) {
	bound := at.Add(-store.MaxAge)
	first, row, err := edge(r, log, false)
	if err != nil || !row.at.Before(bound) {
		return first, err
	}
	last, row, err := edge(r, log, true)
	if err != nil || row.at.Before(bound) {
		return after(last), err
	}
	// The row at or behind lo is too early; the one at or behind hi is not.
	lo, hi := binary.BigEndian.Uint64(first[:8]), binary.BigEndian.Uint64(last[:8])
	for hi-lo > 1 {
		middle := lo + (hi-lo)/2
		row, err := rowFrom(r, log, versionStamp(middle))
		if err != nil {
			return stamp{}, err
		}
		if row.at.Before(bound) {
			lo = middle
		} else {
			hi = middle
		}
	}
	return versionStamp(lo), nil
}

// versionStamp is the first stamp of a commit version.
func versionStamp(version uint64) (s stamp) {
	binary.BigEndian.PutUint64(s[:], version)
	return s
}

// rowFrom returns the first row at a stamp or behind it.
func rowFrom(r store.Reader, log key.Key, at stamp) (row, error) {
	span := log.Span()
	span.Lo, span.Limit = log.Raw(at[:]), 1
	for pair, err := range r.Range(span) {
		if err != nil {
			return row{}, err
		}
		return decodeRow(pair.Value)
	}
	return row{}, nil
}

func errExpired(issued, now time.Time) error {
	const layout = "Mon Jan 02 15:04:05 MST 2006"
	return service.Errorf(codeExpired, "Iterator expired. The iterator was created at time %s while right now it is %s which is further in the future than the tolerated delay of %d milliseconds.",
		issued.UTC().Format(layout), now.UTC().Format(layout), iteratorLife.Milliseconds())
}
