package kinesis

import (
	"sync"
	"time"

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
)

type bucketKey struct {
	stream  uint64
	shard   uint64
	measure measure
}

// bucket is what is left of a second's throughput. It is below zero when the last request took more than there was.
type bucket struct {
	left float64
	at   time.Time
}

// throttle keeps the throughput of shards that are limited. It begins full when the process does.
type throttle struct {
	mu      sync.Mutex // guards the fields below
	buckets map[bucketKey]*bucket
}

// takes tells whether there is something left, in a bucket that is filled at rate a second, and takes n of it then. Taking nothing only asks.
func (th *throttle) take(k bucketKey, rate, n float64, now time.Time) bool {
	th.mu.Lock()
	defer th.mu.Unlock()
	b := th.buckets[k]
	if b == nil {
		if th.buckets == nil || len(th.buckets) >= maxBuckets {
			th.buckets = map[bucketKey]*bucket{}
		}
		b = &bucket{left: rate, at: now}
		th.buckets[k] = b
	}
	b.left, b.at = min(rate, b.left+rate*max(0, now.Sub(b.at).Seconds())), now
	ok := b.left > 0
	if ok {
		b.left -= n
	}
	return ok
}

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
	if !s.throttle.take(bucketKey{st.ID, sh.Number, writtenBytes}, shardWrites, 0, now) ||
		!s.throttle.take(bucketKey{st.ID, sh.Number, writtenRecords}, shardRecords, 1, now) {
		return st.overLimit(sh.Number)
	}
	s.throttle.take(bucketKey{st.ID, sh.Number, writtenBytes}, shardWrites, float64(size), now)
	return nil
}

// admitRead refuses a read of a shard whose throughput is used up.
func (s *Service) admitRead(st *stream, shard uint64) error {
	if !st.throttled() {
		return nil
	}
	now := s.clock.Now()
	if !s.throttle.take(bucketKey{st.ID, shard, readBytes}, shardReads, 0, now) || !s.throttle.take(bucketKey{st.ID, shard, readCalls}, shardCalls, 1, now) {
		return st.overLimit(shard)
	}
	return nil
}

// spendRead takes what a read gave out.
func (s *Service) spendRead(st *stream, shard uint64, bytes int) {
	if st.throttled() {
		s.throttle.take(bucketKey{st.ID, shard, readBytes}, shardReads, float64(bytes), s.clock.Now())
	}
}
