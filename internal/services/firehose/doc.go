// Package firehose is Amazon Data Firehose: delivery streams that collect records and write them to a bucket, or post them to an HTTP endpoint.
//
// # The way of a record
//
// A record is put (put.go), or read from a data stream (source.go), and is acknowledged when it is in the stream's log on disk. A delivery stream has
// one pump (pump.go): it waits until the log holds as many bytes as the buffering hints say, or its first record is as old as they say, and plans a batch.
// The plan (which rows, when) is written first, so that a batch that a crash cut off is made again as it was: its objects get the same names and take the place of those that
// were written already. A batch is transformed and partitioned (batch.go), written through the door with the stream's role (object.go), and then its rows are deleted. What
// cannot be processed is written below the error prefix. A batch that cannot be delivered is tried again with a back-off until its records are a day old.
//
// A batch for an HTTP endpoint is one request (endpoint.go), with the same request id each time that it is tried. What the endpoint does not take until the retry options say that
// it is enough is written to the stream's bucket. The endpoint's access key is sealed.
//
// Other services put records into their own transactions through [Service.Put].
//
// # Keys
//
// All keys begin with ("firehose", kind, account, region), where kind is
//
//	"s", name              a delivery stream (record)
//	"l", name, id, stamp   a row of its log: 8 bytes of Unix milliseconds, then the data
//	"p", name, id          the batch that is being delivered (record)
//	"k", name, id, shard   how far a shard of its source has been read (record)
//
// A delivery stream that is deleted and made again has another id. Its records are deleted with it, delivered or not.
//
// # What it deliberately is not
//
// Destinations other than S3 and HTTP endpoints, sources other than direct puts and data streams, and conversion of formats are refused by name. Records that the Kinesis
// Producer Library aggregated are delivered as they are. Dynamic partitioning groups the records of a batch, while AWS keeps a buffer for each partition: with many partitions
// objects are smaller than there. Records are not encrypted in the log: that encryption is asked for is kept and shown.
//
// # Locks
//
// pumps.mu is a leaf.
package firehose
