package dynamodb

import (
	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
)

// Warm throughput is what a table can take at once. Here every table takes from its first moment what the machine can; what was asked for is kept and
// shown, as clients compare it with what they asked for.

// The warm throughput of an on-demand table for which nobody asked
// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/warm-throughput.html).
const (
	onDemandWarmReads  = 12_000
	onDemandWarmWrites = 4_000
)

// warmth returns the warm throughput of a table or an index, in units a second: what was asked for, and at least what it has anyway.
func (r *tableRecord) warmth(asked *ddb.WarmThroughput, th ddb.ProvisionedThroughput) (reads, writes int64) {
	reads, writes = th.ReadCapacityUnits, th.WriteCapacityUnits
	if r.OnDemand {
		reads, writes = onDemandWarmReads, onDemandWarmWrites
	}
	if asked != nil {
		reads, writes = max(reads, deref(asked.ReadUnitsPerSecond)), max(writes, deref(asked.WriteUnitsPerSecond))
	}
	return reads, writes
}

// warmer returns what is asked for together with what was asked for before.
func warmer(had, wanted *ddb.WarmThroughput) *ddb.WarmThroughput {
	if had == nil {
		return wanted
	}
	out := *had
	if wanted.ReadUnitsPerSecond != nil {
		out.ReadUnitsPerSecond = wanted.ReadUnitsPerSecond
	}
	if wanted.WriteUnitsPerSecond != nil {
		out.WriteUnitsPerSecond = wanted.WriteUnitsPerSecond
	}
	return &out
}

// describeWarm returns the warm throughput as the API shows it. Of a table that is just made only what was asked for is shown.
func (r *tableRecord) describeWarm(asked *ddb.WarmThroughput, th ddb.ProvisionedThroughput, tableStatus string) *ddb.TableWarmThroughputDescription {
	status := ddb.TableStatusActive
	if tableStatus == ddb.TableStatusCreating {
		if asked == nil {
			return nil
		}
		status = ddb.TableStatusUpdating
	}
	reads, writes := r.warmth(asked, th)
	return &ddb.TableWarmThroughputDescription{ReadUnitsPerSecond: &reads, WriteUnitsPerSecond: &writes, Status: status}
}

// checkWarm refuses less warm throughput than there is. what names the table or the index.
func (r *tableRecord) checkWarm(what string, had *ddb.WarmThroughput, th ddb.ProvisionedThroughput, wanted *ddb.WarmThroughput) error {
	if wanted == nil {
		return nil
	}
	const lower = "Requested %s for WarmThroughput for %s is lower than the current WarmThroughput, decreasing WarmThroughput is not supported"
	reads, writes := r.warmth(had, th)
	switch {
	case wanted.ReadUnitsPerSecond != nil && *wanted.ReadUnitsPerSecond < reads:
		return invalidValue(lower, "ReadUnitsPerSecond", what)
	case wanted.WriteUnitsPerSecond != nil && *wanted.WriteUnitsPerSecond < writes:
		return invalidValue(lower, "WriteUnitsPerSecond", what)
	}
	return nil
}
