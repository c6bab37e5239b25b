package dynamodb

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"

	streams "lambent.dev/lambent/internal/awsapi/dynamodbstreams"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// Limits of reading streams (https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html).
const (
	maxStreamsListed = 100
	maxShardsListed  = 100
	maxRecords       = 1000
	maxRecordBytes   = 1 << 20
	// iteratorLife is for how long a shard iterator may be used.
	iteratorLife = 15 * time.Minute
	// maxRowsRead bounds what one call reads: marks and records that are too old count, so that a page may be empty and have a next one.
	maxRowsRead = 10_000
)

// streamAccess returns what the operations on streams need permission for.
func (s *Service) streamAccess() map[string]service.Access {
	return map[string]service.Access{
		"DescribeStream": onStreamOf(s, "dynamodb:DescribeStream", func(in *streams.DescribeStreamInput) string { return in.StreamArn }),
		"GetRecords": onStreamOf(s, "dynamodb:GetRecords", func(in *streams.GetRecordsInput) string {
			arn, _, _ := strings.Cut(in.ShardIterator, "|")
			return arn
		}),
		"GetShardIterator": onStreamOf(s, "dynamodb:GetShardIterator", func(in *streams.GetShardIteratorInput) string { return in.StreamArn }),
		"ListStreams":      service.OnAny("dynamodb:ListStreams"),
	}
}

func onStreamOf[In any](s *Service, action string, arn func(in In) string) service.Access {
	return service.OnAll(action, func(ctx context.Context, in In) ([]service.Target, error) { return s.onStream(ctx, arn(in)) })
}

func (s *Service) listStreams(ctx context.Context, in *streams.ListStreamsInput) (*streams.ListStreamsOutput, error) {
	p := placeOf(ctx)
	limit := maxStreamsListed
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	prefix := p.streams()
	if in.TableName != nil {
		if err := checkName("tableName", *in.TableName); err != nil {
			return nil, err
		}
		prefix = prefix.Str(tableName(*in.TableName))
	}
	span := prefix.Span()
	if in.ExclusiveStartStreamArn != nil {
		at, table, label, ok := parseStreamARN(*in.ExclusiveStartStreamArn)
		if !ok || at != p {
			return nil, invalid("Invalid ExclusiveStartStreamArn: %s is not the ARN of a stream of this account and region", *in.ExclusiveStartStreamArn)
		}
		if after := p.stream(table, label).End(); string(after) > string(span.Lo) {
			span.Lo = after
		}
	}
	span.Limit = limit + 1
	out := &streams.ListStreamsOutput{Streams: []streams.Stream{}}
	err := s.store.View(ctx, func(r store.Reader) error {
		for row, err := range record.Range[streamRecord](r, span) {
			if err != nil {
				return err
			}
			if len(out.Streams) == limit {
				out.LastEvaluatedStreamArn = out.Streams[limit-1].StreamArn
				return nil
			}
			sr := row.Value
			out.Streams = append(out.Streams, streams.Stream{StreamArn: ptr(streamARN(p, sr.Table, sr.Label)), TableName: &sr.Table, StreamLabel: &sr.Label})
		}
		return nil
	})
	return out, storeError(err)
}

func (s *Service) describeStream(ctx context.Context, in *streams.DescribeStreamInput) (*streams.DescribeStreamOutput, error) {
	p := placeOf(ctx)
	limit := maxShardsListed
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	if f := in.ShardFilter; f != nil && (f.Type == "" || f.ShardId == nil) {
		return nil, invalid("ShardFilter needs both Type and ShardId")
	}
	out := &streams.DescribeStreamOutput{}
	err := s.store.View(ctx, func(r store.Reader) error {
		sr, err := findStream(r, p, in.StreamArn)
		if err != nil {
			return err
		}
		d := sr.describe(p)
		for i := range sr.Shards {
			sh := &sr.Shards[i]
			if in.ExclusiveStartShardId != nil && sh.id() <= *in.ExclusiveStartShardId || in.ShardFilter != nil && sh.Parent != *in.ShardFilter.ShardId {
				continue
			}
			if len(d.Shards) == limit {
				d.LastEvaluatedShardId = d.Shards[limit-1].ShardId
				break
			}
			described, err := sh.describe(r, p.shard(sr.Table, sr.Label, sh.Number))
			if err != nil {
				return err
			}
			d.Shards = append(d.Shards, described)
		}
		out.StreamDescription = d
		return nil
	})
	return out, storeError(err)
}

func (sr *streamRecord) describe(p place) *streams.StreamDescription {
	d := &streams.StreamDescription{
		StreamArn: ptr(streamARN(p, sr.Table, sr.Label)), StreamLabel: &sr.Label, StreamStatus: streams.StreamStatusEnabled, StreamViewType: sr.View,
		CreationRequestDateTime: &sr.Created, TableName: &sr.Table, Shards: []streams.Shard{},
	}
	if !sr.Disabled.IsZero() {
		d.StreamStatus = streams.StreamStatusDisabled
	}
	for _, k := range sr.Keys {
		d.KeySchema = append(d.KeySchema, streams.KeySchemaElement{AttributeName: k.AttributeName, KeyType: k.KeyType})
	}
	return d
}

func (sh *shardRecord) describe(r store.Reader, log key.Key) (streams.Shard, error) {
	out := streams.Shard{ShardId: ptr(sh.id()), SequenceNumberRange: &streams.SequenceNumberRange{}}
	if sh.Parent != "" {
		out.ParentShardId = &sh.Parent
	}
	first, err := firstStamp(r, log)
	if err != nil {
		return out, err
	}
	out.SequenceNumberRange.StartingSequenceNumber = ptr(first.sequence())
	if sh.Closed.IsZero() {
		return out, nil
	}
	last, err := lastStamp(r, log)
	out.SequenceNumberRange.EndingSequenceNumber = ptr(last.sequence())
	return out, err
}

// iterator is a place in a shard, from which records are read. Clients hold it as text; what it may reach is decided by the ARN in it.
type iterator struct {
	stream string // ARN
	shard  uint64
	from   stamp // the first row that may be read
	issued time.Time
}

// iteratorVersion is the second part of an iterator's text.
const iteratorVersion = "1"

func (it iterator) String() string {
	b := binary.BigEndian.AppendUint64(nil, it.shard)
	b = append(b, it.from[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(it.issued.UnixMilli()))
	return it.stream + "|" + iteratorVersion + "|" + base64.StdEncoding.EncodeToString(b)
}

func parseIterator(text string) (it iterator, err error) {
	parts := strings.Split(text, "|")
	if len(parts) != 3 || parts[1] != iteratorVersion {
		return it, invalid("Invalid ShardIterator")
	}
	b, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(b) != 8+store.StampSize+8 {
		return it, invalid("Invalid ShardIterator")
	}
	it.stream, it.shard = parts[0], binary.BigEndian.Uint64(b)
	it.from = stampOf(b[8 : 8+store.StampSize])
	it.issued = time.UnixMilli(int64(binary.BigEndian.Uint64(b[8+store.StampSize:])))
	return it, nil
}

func (s *Service) getShardIterator(ctx context.Context, in *streams.GetShardIteratorInput) (*streams.GetShardIteratorOutput, error) {
	p, now := placeOf(ctx), s.clock.Now()
	bySequence := in.ShardIteratorType == streams.ShardIteratorTypeAtSequenceNumber || in.ShardIteratorType == streams.ShardIteratorTypeAfterSequenceNumber
	if bySequence != (in.SequenceNumber != nil) {
		if bySequence {
			return nil, invalid("SequenceNumber must be specified when ShardIteratorType is %s", in.ShardIteratorType)
		}
		return nil, invalid("SequenceNumber must not be specified when ShardIteratorType is %s", in.ShardIteratorType)
	}
	it := iterator{stream: in.StreamArn, issued: now}
	err := s.store.View(ctx, func(r store.Reader) error {
		sr, err := findStream(r, p, in.StreamArn)
		if err != nil {
			return err
		}
		sh, err := sr.shard(in.ShardId)
		if err != nil {
			return err
		}
		it.shard = sh.Number
		log := p.shard(sr.Table, sr.Label, sh.Number)
		switch in.ShardIteratorType {
		case streams.ShardIteratorTypeTrimHorizon:
		case streams.ShardIteratorTypeLatest:
			last, err := lastStamp(r, log)
			it.from = last.next()
			return err
		default:
			it.from, err = sequencePosition(r, log, sh, *in.SequenceNumber, now)
			if in.ShardIteratorType == streams.ShardIteratorTypeAfterSequenceNumber {
				it.from = it.from.next()
			}
		}
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	return &streams.GetShardIteratorOutput{ShardIterator: ptr(it.String())}, nil
}

// sequencePosition returns the stamp of a sequence number, which must lie in the shard and in the time that the stream keeps.
func sequencePosition(r store.Reader, log key.Key, sh *shardRecord, sequence string, now time.Time) (stamp, error) {
	at, ok := parseSequence(sequence)
	first, err := firstStamp(r, log)
	if err != nil {
		return at, err
	}
	last, err := lastStamp(r, log)
	if err != nil {
		return at, err
	}
	if !ok || string(at[:]) < string(first[:]) || !sh.Closed.IsZero() && string(at[:]) > string(last[:]) {
		return at, invalid("Invalid SequenceNumber: %s is not in the range of shard %s", sequence, sh.id())
	}
	span := log.Span()
	span.Lo, span.Limit = log.Raw(at[:]), 1
	for pair, err := range r.Range(span) {
		if err != nil {
			return at, err
		}
		row, err := decodeRow(pair.Value)
		if err != nil {
			return at, err
		}
		if stampOf(pair.Key) == at && row.kind != rowOpened && now.Sub(row.at) > streamKeep {
			return at, errTrimmed()
		}
	}
	return at, nil
}

func errTrimmed() error {
	return service.Errorf("TrimmedDataAccessException", "The operation attempted to read past the oldest stream record in a shard. "+
		"A stream keeps records for 24 hours; get an iterator of type TRIM_HORIZON to read what is left.")
}

func (s *Service) getRecords(ctx context.Context, in *streams.GetRecordsInput) (*streams.GetRecordsOutput, error) {
	p, now := placeOf(ctx), s.clock.Now()
	it, err := parseIterator(in.ShardIterator)
	if err != nil {
		return nil, err
	}
	if now.Sub(it.issued) > iteratorLife {
		return nil, service.Errorf("ExpiredIteratorException", "The shard iterator has expired: it was issued more than 15 minutes ago. Get a new one with GetShardIterator.")
	}
	limit := maxRecords
	if in.Limit != nil {
		limit = int(*in.Limit)
	}
	out := &streams.GetRecordsOutput{}
	err = s.store.View(ctx, func(r store.Reader) error {
		sr, err := findStream(r, p, it.stream)
		if err != nil {
			return err
		}
		known := false
		for i := range sr.Shards {
			known = known || sr.Shards[i].Number == it.shard
		}
		if !known {
			return errTrimmed()
		}
		next := it
		out.Records, out.NextShardIterator = []streams.Record{}, nil
		ended, err := next.read(r, sr, p, limit, now, out)
		if err == nil && !ended {
			next.issued = now
			out.NextShardIterator = ptr(next.String())
		}
		return err
	})
	return out, storeError(err)
}

// read adds records to out and moves the iterator behind them. It tells whether the shard is closed and read to its end.
func (it *iterator) read(r store.Reader, sr *streamRecord, p place, limit int, now time.Time, out *streams.GetRecordsOutput) (ended bool, err error) {
	log := p.shard(sr.Table, sr.Label, it.shard)
	span := log.Span()
	span.Lo, span.Limit = log.Raw(it.from[:]), maxRowsRead
	total := 0
	var old []byte // of the record that the next row brings
	for pair, err := range r.Range(span) {
		if err != nil {
			return false, err
		}
		row, err := decodeRow(pair.Value)
		if err != nil {
			return false, err
		}
		at := stampOf(pair.Key)
		switch row.kind {
		case rowClosed:
			return true, nil
		case rowOpened:
		case rowOld:
			old = row.old.Clone()
			continue // the iterator stays before both rows
		default:
			if row.old == nil {
				row.old = old
			}
			old = nil
			if now.Sub(row.at) > streamKeep {
				break
			}
			if len(out.Records) == limit {
				return false, nil
			}
			rec, size, err := row.api(sr, p, at)
			if err != nil {
				return false, err
			}
			if len(out.Records) > 0 && total+size > maxRecordBytes {
				return false, nil
			}
			total += size
			out.Records = append(out.Records, rec)
		}
		it.from = at.next()
	}
	return false, nil
}
