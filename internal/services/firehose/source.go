package firehose

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// readRecords is how many records one read of a shard takes.
	readRecords = 500
	// safetyNet is how long a reader waits when nothing tells it of arrivals.
	safetyNet = time.Minute
)

// checkpoint is how far a shard has been read.
type checkpoint struct {
	After string `json:"after,omitempty"` // sequence number
	Done  bool   `json:"done,omitempty"`
}

// reader moves the records of a data stream into the log of a delivery stream. A move and its checkpoint are one transaction.
type reader struct {
	*pump
	source, role string
	since        time.Time
	iterators    map[string]string // of shards, in memory only
}

func (r *reader) run(ctx context.Context) {
	if r.arrivals == nil {
		return
	}
	arrived, stop := r.arrivals.Arrivals(r.source)
	defer stop()
	r.iterators = map[string]string{}
	for failures := 0; ctx.Err() == nil; {
		moved, err := 0, error(nil)
		if !r.stuck.Load() {
			moved, err = r.round(ctx)
		}
		if err != nil {
			clear(r.iterators)
			if failures++; ctx.Err() == nil {
				r.log.WarnContext(ctx, "a delivery stream could not read its source; it tries again", slog.String("source", r.source), slog.Any("error", err))
			}
			if service.Code(err) == codeNotFound && r.deleted(ctx) || clock.Sleep(ctx, r.clock, backoff(failures)) != nil {
				return
			}
			continue
		}
		if failures = 0; moved > 0 {
			continue
		}
		t := r.clock.NewTimer(safetyNet)
		select {
		case <-arrived:
		case <-t.C():
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// deleted tells whether the delivery stream is gone.
func (r *reader) deleted(ctx context.Context) bool {
	st, err := r.known(ctx, r.ref.place, r.ref.name)
	return service.Code(err) == codeNotFound || err == nil && st.ID != r.ref.id
}

// round reads once from every shard that can be read, and returns how many records were moved and shards ended.
func (r *reader) round(ctx context.Context) (moved int, err error) {
	st, err := r.known(ctx, r.ref.place, r.ref.name)
	if err != nil {
		return 0, err
	}
	as, err := r.caller(ctx, st, r.role, r.source)
	if err != nil {
		return 0, err
	}
	shards, err := r.shards(as)
	if err != nil {
		return 0, err
	}
	known := map[string]checkpoint{}
	if err := r.store.View(ctx, func(rd store.Reader) error {
		for i := range shards {
			c, ok, err := record.Get[checkpoint](rd, r.ref.checkpoint(shards[i].ShardId))
			if err != nil {
				return err
			}
			if ok {
				known[shards[i].ShardId] = c
			}
		}
		return nil
	}); err != nil {
		return 0, err
	}
	for i := range shards {
		sh := &shards[i]
		if known[sh.ShardId].Done || !ready(sh, shards, known) {
			continue
		}
		n, err := r.read(as, ctx, sh.ShardId, known)
		if err != nil {
			return moved, err
		}
		moved += n
	}
	return moved, nil
}

// ready tells whether the parents of a shard that are left have been read.
func ready(sh *kinesis.Shard, all []kinesis.Shard, known map[string]checkpoint) bool {
	for _, parent := range []*string{sh.ParentShardId, sh.AdjacentParentShardId} {
		if parent != nil && !known[*parent].Done && slices.ContainsFunc(all, func(o kinesis.Shard) bool { return o.ShardId == *parent }) {
			return false
		}
	}
	return true
}

func (r *reader) shards(ctx context.Context) (out []kinesis.Shard, err error) {
	in := &kinesis.ListShardsInput{StreamARN: &r.source}
	for {
		page, err := service.Call[kinesis.ListShardsOutput](ctx, r.door, "kinesis", "ListShards", in)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Shards...)
		if page.NextToken == nil {
			return out, nil
		}
		in = &kinesis.ListShardsInput{NextToken: page.NextToken}
	}
}

// read moves the next records of a shard. as is the context of calls to the data stream.
func (r *reader) read(as, ctx context.Context, shard string, known map[string]checkpoint) (int, error) {
	it := r.iterators[shard]
	if it == "" {
		in := &kinesis.GetShardIteratorInput{StreamARN: &r.source, ShardId: shard, ShardIteratorType: kinesis.ShardIteratorTypeAtTimestamp, Timestamp: &r.since}
		if after := known[shard].After; after != "" {
			in.ShardIteratorType, in.StartingSequenceNumber, in.Timestamp = kinesis.ShardIteratorTypeAfterSequenceNumber, &after, nil
		}
		out, err := service.Call[kinesis.GetShardIteratorOutput](as, r.door, "kinesis", "GetShardIterator", in)
		if err != nil {
			return 0, err
		}
		it = *out.ShardIterator
	}
	page, err := service.Call[kinesis.GetRecordsOutput](as, r.door, "kinesis", "GetRecords", &kinesis.GetRecordsInput{ShardIterator: it, Limit: new(int32(readRecords)), StreamARN: &r.source})
	if service.Code(err) == "ExpiredIteratorException" {
		delete(r.iterators, shard)
		return 1, nil // it is read again from its checkpoint
	}
	if err != nil {
		return 0, err
	}
	if err := r.move(ctx, shard, page); err != nil {
		return 0, err
	}
	if page.NextShardIterator == nil {
		delete(r.iterators, shard)
		return len(page.Records) + 1, nil
	}
	r.iterators[shard] = *page.NextShardIterator
	return len(page.Records), nil
}

// move appends records to the log, in transactions of a size that the store takes, each with its checkpoint.
func (r *reader) move(ctx context.Context, shard string, page *kinesis.GetRecordsOutput) error {
	ended := page.NextShardIterator == nil
	for rest := page.Records; len(rest) > 0 || ended; {
		n, size := 0, 0
		for n < len(rest) && (n == 0 || size+len(rest[n].Data) <= commitSize) {
			size += len(rest[n].Data)
			n++
		}
		err := r.store.Update(ctx, func(tx store.Txn) error {
			st, err := find(tx, r.ref.place, r.ref.name)
			if err != nil {
				return err
			}
			if st.ID != r.ref.id {
				return noStream(r.ref.place, r.ref.name)
			}
			for i := range rest[:n] {
				data := rest[i].Data
				if len(data) > maxRecord {
					r.log.WarnContext(ctx, "a record of a data stream is too large for its delivery stream, and is left out", slog.String("source", r.source), slog.Int("size", len(data)))
					continue
				}
				tx.Append(r.ref.log(), row{r.clock.Now(), data}.encode())
			}
			c := checkpoint{Done: ended && n == len(rest)}
			if n > 0 {
				c.After = rest[n-1].SequenceNumber
			}
			return record.Set(tx, r.ref.checkpoint(shard), c)
		})
		if err != nil {
			return err
		}
		if rest = rest[n:]; len(rest) == 0 {
			return nil
		}
	}
	return nil
}
