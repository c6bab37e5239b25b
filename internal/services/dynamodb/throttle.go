package dynamodb

import (
	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/tokenbucket"
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

// limit is a rate of units a second, of which as much is saved as burst says.
func limit(rate float64) tokenbucket.Limit { return tokenbucket.Limit{Rate: rate, Burst: rate * burst} }

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
	if s.throttle.Left(k, limit(src.rate(ix, false)), s.clock.Now()) <= 0 {
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
	if s.throttle.Left(bucketKey{table: t.ID, write: true}, limit(t.rate(nil, true)), now) <= 0 {
		return errThroughput(t, nil, "Write")
	}
	for _, ix := range t.indexes {
		if ix.global && s.throttle.Left(bucketKey{t.ID, ix.ID, true}, limit(t.rate(ix, true)), now) <= 0 {
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
			s.throttle.Spend(bucketKey{t.ID, known.ID, write}, limit(t.rate(known, write)), ix.units, now)
		} else {
			own += ix.units // a local index uses the table's throughput
		}
	}
	s.throttle.Spend(bucketKey{table: t.ID, write: write}, limit(t.rate(nil, write)), own, now)
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
