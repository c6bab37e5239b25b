package kinesis

import (
	"context"
	"log/slog"
	"slices"

	"lambent.dev/lambent/internal/lib/tokenbucket"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/record"
)

const (
	// growSeconds is for how long a shard of a stream on demand takes more than half of a shard's throughput before it is split: then each half takes as much again
	// (https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html).
	growSeconds = 60
	// growRetry is after how many seconds a split is tried again that could not be made.
	growRetry = 60
)

// sustained is a limit that is used up by more than half of a shard's throughput for growSeconds.
func sustained(rate float64) tokenbucket.Limit {
	return tokenbucket.Limit{Rate: rate / 2, Burst: rate / 2 * growSeconds}
}

// grow counts records that were put into a stream on demand, and splits the shards that take too many. A split that cannot be made holds nothing up.
func (s *Service) grow(ctx context.Context, st *stream, entries []*incoming) {
	if !st.OnDemand {
		return
	}
	now := s.clock.Now()
	var hot []uint64
	for _, e := range entries {
		if e.refused != nil {
			continue
		}
		bytes, records := bucketKey{st.ID, e.shard, sustainedBytes}, bucketKey{st.ID, e.shard, sustainedRecords}
		s.throttle.Spend(bytes, sustained(shardWrites), float64(e.measure()), now)
		s.throttle.Spend(records, sustained(shardRecords), 1, now)
		if (s.throttle.Left(bytes, sustained(shardWrites), now) <= 0 || s.throttle.Left(records, sustained(shardRecords), now) <= 0) && !slices.Contains(hot, e.shard) {
			hot = append(hot, e.shard)
		}
	}
	for _, shard := range hot {
		if !s.throttle.Take(bucketKey{st.ID, shard, splits}, tokenbucket.Limit{Rate: 1. / growRetry, Burst: 1}, 1, now) {
			continue
		}
		if err := s.splitInHalf(ctx, st, shard); err != nil {
			s.log.InfoContext(ctx, "shard of a stream on demand not split", slog.String("stream", st.arn()), slog.String("shard", shardID(shard)), slog.Any("error", err))
		}
	}
}

// splitInHalf splits a shard of a stream on demand in the middle, if it is still open.
func (s *Service) splitInHalf(ctx context.Context, st *stream, shard uint64) error {
	return s.store.Update(ctx, func(tx store.Txn) error {
		now, err := within(tx, st.place, st.Name, nil)
		if err != nil || now.ID != st.ID || !now.OnDemand {
			return err
		}
		r := &reshard{tx, now, slices.Clone(now.open), s.clock.Now().UTC()}
		i := slices.IndexFunc(r.open, func(sh shardRecord) bool { return sh.Number == shard })
		if i < 0 {
			return nil // by another put
		}
		half := r.open[i].Start.plus(r.open[i].End.minus(r.open[i].Start).half()).next()
		if half.compare(r.open[i].Start.next()) <= 0 || half.compare(r.open[i].End) >= 0 {
			return nil // one hash key takes all
		}
		if err := checkRoom(tx, now, 1); err != nil {
			return err
		}
		if err := r.split(i, half); err != nil {
			return err
		}
		return record.Set(tx, now.place.stream(now.Name), now.streamRecord)
	})
}
