// Package dynamodb is Amazon DynamoDB: tables, items, indexes, queries and transactions.
//
// A request is checked without the store first (placeholders, expressions, values), then it runs in one transaction, which
// reads the table, checks keys against its schema, evaluates conditions, writes items and keeps all indexes. Secondary indexes
// are therefore never behind their table. Reads are always consistent; ConsistentRead is still refused on a global index, as clients expect.
//
// # What it deliberately is not
//
// It limits throughput only where a table asks for it with a tag: capacity is accounted for and reported. Contributor Insights are counted in
// memory, for an hour or two, as there is no CloudWatch to keep them. It does not encrypt tables: that a table asks for encryption is kept and
// shown, and what protects it is the disk that the data directory is on.
//
// # Keys
//
// All keys begin with ("dynamodb", account, region), then:
//
//	"t", table name                              the table (record)
//	"i", table id, hash, sort                    an item
//	"c", table id, hash                          the size of an item collection, of tables with local indexes
//	"x", table id, index id, hash, sort, item    an entry of a secondary index: the projected item
//	"e", table id, expiry, item                  an item with a time to live, by its second of expiry
//	"r", table name, label                       a stream (record), which outlives its table
//	"s", table name, label, shard, stamp         a row of a stream's log
//	"a", table name, backup                      a backup (record)
//	"n", snapshot                                a snapshot that is being made (record)
//	"b", snapshot, item                          an item of a snapshot, or a change in an incremental export
//	"u", table id, hour, stamp                   what an item was before a write, for point-in-time recovery
//	"o", "m", table name, id                     an export, an import (record)
//	"k", token                                   a TransactWriteItems request that was done, for its token
//	"y", expiry, token                           the tokens by the time until which they are kept
//
// hash is 8 bytes of a hash of the partition key and then the key, so that Scan visits partitions in no order that a client could
// rely on, and parallel segments are ranges of the hash. sort is the sort key in an encoding that keeps order; item is the key of the item in its table.
// Long partition keys are replaced by a digest, as they are only compared for equality, which keeps all keys under the store's limit.
// A table that is deleted and made again has another id, so that deleting one is deleting ranges of keys.
//
// # Streams
//
// A write appends its record to the log of the table's stream in its own transaction; the stamp that the store gives it is its sequence number, so that
// readers see records in commit order and none that is not durable. A stream has one open shard at a time. Its number is in the table's record, which
// every write reads: a record never lands in a shard that was closed. A shard is closed four hours after its first record and dropped a day later,
// by a timer that exists only while there is something to close or to drop. Marks in the log tell where a shard begins and ends. Iterators are text that
// clients keep; nothing of them is stored. [Service.Arrivals] wakes readers, so that none has to ask again and again.
//
// # Snapshots
//
// Backups, restores to a point in time and exports are made of snapshots: copies of a table as it was at one moment, made in batches while it is written
// to. See snapshotRecord for how. Point-in-time recovery is a log of what items were before each write; a snapshot of the past is one of the
// present in which the writes since are undone, the last one first. Incremental exports are made of the log alone. A restored or imported table cannot be used until its items are there.
//
// # Global tables
//
// The replicas of a global table are tables of one name in several regions. A write is made in all of them in one transaction: all replicas agree at every
// moment. See createReplica and replicate.
//
// # Caches
//
// Tables are kept in parsed form ([memo.Cache]). Reads use what is kept, which is never older than the last acknowledged change. Writes read the table's record in
// their transaction, so that a change of a table conflicts with the writes that it affects, and compare it with that of the kept table.
// Expressions are kept in parsed form by their text ([expr.Cache]). Item counts, which AWS gives with hours of delay, are counted when a table is described and kept for a while;
// those of large tables are estimated from their first items, see [Service.countAll].
package dynamodb
