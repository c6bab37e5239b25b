// Package kinesis is Amazon Kinesis Data Streams: streams of records in shards, read by iterators or pushed to consumers.
//
// A record is acknowledged when it is on disk. PutRecord is one store transaction; PutRecords is one for each two megabytes, as its entries are
// acknowledged one by one.
//
// # Keys
//
// All keys begin with ("kinesis", kind, account, region), where kind is
//
//	"s", stream name                        a stream (record)
//	"h", stream name, id, shard             a shard (record)
//	"l", stream name, id, shard, stamp      a row of a shard's log
//	"c", stream name, id, consumer name     a consumer (record)
//	"b", stream name, id, body              the large records of a stream, by age: body is the id of a blob
//	"a"                                     the settings of the account (record)
//
// and ("kinesis", "o", body) tells that a blob is in use. A stream that is deleted and made again has another id. The names are in the keys so that a
// reader can watch a stream without looking it up.
//
// # Order
//
// The stamp that the store gives a row at its commit is the record's place in its shard, so readers see records in commit order and never one that is not
// durable, and writers of one shard do not meet. Sequence numbers are made of it (see sequence.go): they grow over restarts and clock steps, and in
// children beyond their parents. A shard begins with a mark, whose stamp is its starting sequence number, and a closed one ends with a mark.
// Every put reads the stream's record, which changes with each change of its shards (streamRecord.Layout): a record never lands in a shard that was closed.
//
// Splitting, merging and scaling are one transaction, so a stream is never seen UPDATING: it is ACTIVE again when the call returns.
//
// # Time
//
// A row holds its time of arrival. A transaction lives for 5 s at most, so the times in a log are in order within 5 s: a time is found by binary search
// over the stamps (see seek). Records older than the retention are not given out any more, and a job deletes them later (retention.go).
//
// # Large records
//
// Records above 512 KiB are bodies in the blob store, written before the transaction that refers to them.
//
// # Caches
//
// Streams with their open shards are kept by package memo, which never gives out what is older than an acknowledged write; a put compares the record in its own
// transaction with the one in the cache.
//
// # What it deliberately is not
//
// No throughput limits are imposed, unless a provisioned stream asks for them with the tag lambent:throttle=on, as tables do: then a shard takes 1,000 records and
// 1 MiB a second, and gives 2 MiB a second in 5 calls. A stream on demand gets more shards, for more consumers at a time, when one takes more than half of that for a minute (grow.go); it does not
// get fewer again.
// Records are not encrypted: what protects them is the disk that the data directory is on. The key that a stream names decides who puts and gets (package keycheck).
// Enhanced monitoring and warm throughput are kept and shown.
//
// # Locks
//
// subscriptions.mu is a leaf: nothing is called while it is held.
package kinesis
