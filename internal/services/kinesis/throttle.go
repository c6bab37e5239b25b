package kinesis

import (
	"lambent.dev/lambent/internal/lib/tokenbucket"
	"lambent.dev/lambent/internal/service"
)

// The throughput of a shard (https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html).
const (
	shardRecords = 1000    // written a second
	shardWrites  = 1 << 20 // bytes written a second
	shardReads   = 2 << 20 // bytes read a second
	shardCalls   = 5       // calls of GetRecords a second
)

// maxBuckets bounds the buckets that are kept; one more starts them over, full.
const maxBuckets = 1 << 16

// measure is what a bucket counts.
type measure uint8

const (
	writtenRecords measure = iota
	writtenBytes
	readBytes
	readCalls
	// sustainedBytes, sustainedRecords and splits are those of streams on demand (grow.go).
	sustainedBytes
	sustainedRecords
	splits
)

type bucketKey struct {
	stream  uint64
	shard   uint64
	measure measure
}

// second is a limit that saves nothing beyond a second's throughput.
func second(rate float64) tokenbucket.Limit { return tokenbucket.Limit{Rate: rate, Burst: rate} }

// throttled tells whether the stream holds the limits of its shards.
func (st *stream) throttled() bool { return !st.OnDemand && st.Tags[throttleTag] == throttleOn }

func (st *stream) overLimit(shard uint64) *service.Error {
	return service.Errorf(codeThroughput, "Rate exceeded for shard %s in stream %s under account %s.", shardID(shard), st.Name, st.place.account)
}

// admitWrite takes the throughput of a record from its shard, or refuses the record.
func (s *Service) admitWrite(st *stream, sh *shardRecord, size int) *service.Error {
	if !st.throttled() {
		return nil
	}
	now := s.clock.Now()
	if s.throttle.Left(bucketKey{st.ID, sh.Number, writtenBytes}, second(shardWrites), now) <= 0 ||
		!s.throttle.Take(bucketKey{st.ID, sh.Number, writtenRecords}, second(shardRecords), 1, now) {
		return st.overLimit(sh.Number)
	}
	s.throttle.Spend(bucketKey{st.ID, sh.Number, writtenBytes}, second(shardWrites), float64(size), now)
	return nil
}

// admitRead refuses a read of a shard whose throughput is used up.
func (s *Service) admitRead(st *stream, shard uint64) error {
	if !st.throttled() {
		return nil
	}
	now := s.clock.Now()
	if s.throttle.Left(bucketKey{st.ID, shard, readBytes}, second(shardReads), now) <= 0 || !s.throttle.Take(bucketKey{st.ID, shard, readCalls}, second(shardCalls), 1, now) {
		return st.overLimit(shard)
	}
	return nil
}

// spendRead takes what a read gave out.
func (s *Service) spendRead(st *stream, shard uint64, bytes int) {
	if st.throttled() {
		s.throttle.Spend(bucketKey{st.ID, shard, readBytes}, second(shardReads), float64(bytes), s.clock.Now())
	}
}
