package dynamodb

import (
	"sync"
	"time"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

// throttleTag is the tag that makes a provisioned table hold its throughput, so that people can rehearse what their application does then. Without it
// capacity is accounted for and never refused.
const (
	throttleTag = "lambent:throttle"
	throttleOn  = "on"
)

// burst is for how many seconds unused capacity is saved
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html).
const burst = 300

// maxBuckets bounds the buckets that are kept; one more starts them over, full.
const maxBuckets = 4096

// bucketKey names the throughput of a table (index 0) or of a global index.
type bucketKey struct {
	table string // id
	index uint64
	write bool
}

// bucket is saved capacity. It is below zero when the last request took more than there was.
type bucket struct {
	units float64
	at    time.Time
}

// throttle keeps the capacity of tables that hold their throughput. It begins full when the process does.
type throttle struct {
	mu      sync.Mutex // guards the fields below
	buckets map[bucketKey]*bucket
}

// take reports whether there is capacity at a rate a second, and takes units of it when there is. Taking nothing only asks.
func (th *throttle) take(k bucketKey, rate, units float64, now time.Time) bool {
	th.mu.Lock()
	defer th.mu.Unlock()
	b := th.buckets[k]
	if b == nil {
		if th.buckets == nil || len(th.buckets) >= maxBuckets {
			th.buckets = map[bucketKey]*bucket{}
		}
		b = &bucket{units: rate * burst, at: now}
		th.buckets[k] = b
	}
	b.units = min(rate*burst, b.units+rate*max(0, now.Sub(b.at).Seconds()))
	b.at = now
	ok := b.units > 0
	b.units -= units
	return ok
}

// throttled tells whether the table holds its throughput.
func (t *table) throttled() bool { return !t.OnDemand && t.Tags[throttleTag] == throttleOn }

// rate returns the units a second of a table, or of an index of it.
func (t *table) rate(ix *index, write bool) float64 {
	th := t.Throughput
	if ix != nil {
		th = ix.Throughput
	}
	if write {
		return float64(th.WriteCapacityUnits)
	}
	return float64(th.ReadCapacityUnits)
}

// admitRead refuses a read of a source whose throughput is used up.
func (s *Service) admitRead(src source) error {
	if !src.throttled() {
		return nil
	}
	k := bucketKey{table: src.ID}
	ix := src.index
	if ix != nil && ix.global {
		k.index = ix.ID
	} else {
		ix = nil
	}
	if !s.throttle.take(k, src.rate(ix, false), 0, s.clock.Now()) {
		return errThroughput(src.table, ix, "Read")
	}
	return nil
}

// admitWrite refuses a write to a table whose throughput, or that of one of its global indexes, is used up.
func (s *Service) admitWrite(t *table) error {
	if !t.throttled() {
		return nil
	}
	now := s.clock.Now()
	if !s.throttle.take(bucketKey{table: t.ID, write: true}, t.rate(nil, true), 0, now) {
		return errThroughput(t, nil, "Write")
	}
	for _, ix := range t.indexes {
		if ix.global && !s.throttle.take(bucketKey{t.ID, ix.ID, true}, t.rate(ix, true), 0, now) {
			return errThroughput(t, ix, "Write")
		}
	}
	return nil
}

// spend takes what a request consumed.
func (s *Service) spend(t *table, u units, write bool) {
	if !t.throttled() {
		return
	}
	now := s.clock.Now()
	own := u.table
	for name, ix := range u.indexes {
		if known := t.index(name); ix.global && known != nil {
			s.throttle.take(bucketKey{t.ID, known.ID, write}, t.rate(known, write), ix.units, now)
		} else {
			own += ix.units // a local index uses the table's throughput
		}
	}
	s.throttle.take(bucketKey{table: t.ID, write: write}, t.rate(nil, write), own, now)
}

// spendOnCommit takes what a write consumed when its transaction is durable.
func (s *Service) spendOnCommit(tx store.Txn, t *table, u units) {
	if t.throttled() {
		tx.OnCommit(func() { s.spend(t, u, true) })
	}
}

// errThroughput returns the error of a request for which a table or an index has no capacity; kind is Read or Write.
func errThroughput(t *table, ix *index, kind string) error {
	message := "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API."
	reason := ddb.ThrottlingReason{Reason: ptr("Table" + kind + "ProvisionedThroughputExceeded"), Resource: ptr(t.arn())}
	if ix != nil {
		message = "The level of configured provisioned throughput for one or more global secondary indexes of the table was exceeded. " +
			"Consider increasing your provisioning level for the under-provisioned global secondary indexes with the UpdateTable API"
		reason = ddb.ThrottlingReason{Reason: ptr("Index" + kind + "ProvisionedThroughputExceeded"), Resource: ptr(t.arn() + "/index/" + ix.Name)}
	}
	e := service.Errorf(codeThroughput, "%s", message)
	return e.WithDetail(&ddb.ProvisionedThroughputExceededException{Message: &e.Message, ThrottlingReasons: []ddb.ThrottlingReason{reason}})
}
