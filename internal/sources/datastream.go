package sources

import (
	"context"
	"slices"
	"time"

	"lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// Shard is a shard of a stream.
type Shard struct {
	ID      string
	Parents []string
	Closed  bool
}

// Ready tells whether the parents of a shard that are left among all have been read to their ends.
func (s *Shard) Ready(all []Shard, done func(id string) bool) bool {
	for _, parent := range s.Parents {
		left := slices.ContainsFunc(all, func(o Shard) bool { return o.ID == parent })
		if left && !done(parent) {
			return false
		}
	}
	return true
}

// AfterSequence is the type of iterator behind a record.
const AfterSequence = "AFTER_SEQUENCE_NUMBER"

// Position is where a shard is to be read from.
type Position struct {
	// Kind is Latest, TrimHorizon, AtTimestamp or AfterSequence.
	Kind string
	// Sequence is the record behind which AfterSequence begins.
	Sequence string
	// Time is that of AtTimestamp.
	Time time.Time

	child bool // of a shard that was read: its records are all newer
}

// DataStream reads a Kinesis data stream. The contexts of its calls carry who reads.
type DataStream struct {
	Door service.Door
	ARN  string
}

// Shards lists the shards that are left of the stream.
func (d *DataStream) Shards(ctx context.Context) (out []Shard, err error) {
	in := &kinesis.ListShardsInput{StreamARN: &d.ARN}
	for {
		page, err := service.Call[kinesis.ListShardsOutput](ctx, d.Door, "kinesis", "ListShards", in)
		if err != nil {
			return nil, err
		}
		for i := range page.Shards {
			s := &page.Shards[i]
			sh := Shard{ID: s.ShardId, Closed: s.SequenceNumberRange != nil && s.SequenceNumberRange.EndingSequenceNumber != nil}
			for _, parent := range []*string{s.ParentShardId, s.AdjacentParentShardId} {
				if parent != nil {
					sh.Parents = append(sh.Parents, *parent)
				}
			}
			out = append(out, sh)
		}
		if page.NextToken == nil {
			return out, nil
		}
		in = &kinesis.ListShardsInput{NextToken: page.NextToken}
	}
}

// Iterator returns an iterator at a position of a shard. It lives for five minutes.
func (d *DataStream) Iterator(ctx context.Context, shard string, at Position) (string, error) {
	in := &kinesis.GetShardIteratorInput{StreamARN: &d.ARN, ShardId: shard, ShardIteratorType: at.Kind}
	switch at.Kind {
	case AfterSequence:
		in.StartingSequenceNumber = &at.Sequence
	case AtTimestamp:
		in.Timestamp = &at.Time
	}
	out, err := service.Call[kinesis.GetShardIteratorOutput](ctx, d.Door, "kinesis", "GetShardIterator", in)
	if err != nil {
		return "", err
	}
	return opt.Value(out.ShardIterator), nil
}

// Records returns at most limit records, and the next iterator; that is empty at the end of the shard.
func (d *DataStream) Records(ctx context.Context, iterator string, limit int) (list []kinesis.Record, next string, err error) {
	n := int32(min(limit, 10_000))
	out, err := service.Call[kinesis.GetRecordsOutput](ctx, d.Door, "kinesis", "GetRecords", &kinesis.GetRecordsInput{ShardIterator: iterator, Limit: &n, StreamARN: &d.ARN})
	if err != nil {
		return nil, "", err
	}
	return out.Records, opt.Value(out.NextShardIterator), nil
}
