package firehose

import (
	"context"
	"log/slog"
	"time"

	"lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/clock"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/sources"
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
	stream       sources.DataStream
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
	shards, err := r.stream.Shards(as)
	if err != nil {
		return 0, err
	}
	known := map[string]checkpoint{}
	if err := r.store.View(ctx, func(rd store.Reader) error {
		for i := range shards {
			c, ok, err := record.Get[checkpoint](rd, r.ref.checkpoint(shards[i].ID))
			if err != nil {
				return err
			}
			if ok {
				known[shards[i].ID] = c
			}
		}
		return nil
	}); err != nil {
		return 0, err
	}
	for i := range shards {
		sh := &shards[i]
		if known[sh.ID].Done || !sh.Ready(shards, func(id string) bool { return known[id].Done }) {
			continue
		}
		n, err := r.read(as, ctx, sh.ID, known)
		if err != nil {
			return moved, err
		}
		moved += n
	}
	return moved, nil
}

// read moves the next records of a shard. as is the context of calls to the data stream.
func (r *reader) read(as, ctx context.Context, shard string, known map[string]checkpoint) (int, error) {
	it := r.iterators[shard]
	if it == "" {
		at := sources.Position{Kind: sources.AtTimestamp, Time: r.since}
		if after := known[shard].After; after != "" {
			at = sources.Position{Kind: sources.AfterSequence, Sequence: after}
		}
		var err error
		if it, err = r.stream.Iterator(as, shard, at); err != nil {
			return 0, err
		}
	}
	records, next, err := r.stream.Records(as, it, readRecords)
	if service.Code(err) == "ExpiredIteratorException" {
		delete(r.iterators, shard)
		return 1, nil // it is read again from its checkpoint
	}
	if err != nil {
		return 0, err
	}
	if err := r.move(ctx, shard, records, next == ""); err != nil {
		return 0, err
	}
	if next == "" {
		delete(r.iterators, shard)
		return len(records) + 1, nil
	}
	r.iterators[shard] = next
	return len(records), nil
}

// move appends records to the log, in transactions of a size that the store takes, each with its checkpoint.
func (r *reader) move(ctx context.Context, shard string, rest []kinesis.Record, ended bool) error {
	for len(rest) > 0 || ended {
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
