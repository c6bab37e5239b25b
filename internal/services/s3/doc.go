// Package s3 is the object store: buckets, objects, multipart uploads, websites and bucket notifications.
//
// # Invariants
//
//   - A body is durable before the transaction that refers to it. Bodies up to [blob.InlineLimit] lie in the
//     object's own row, larger ones in the blob store; the rows never refer to a body that a power loss can take.
//   - An object, the events of its bucket's notifications and the garbage of the object it replaced commit in one
//     transaction. Conditions (If-Match, If-None-Match) are decided inside of it, so two conditional writers never both win.
//   - A body is counted, hashed and compared with every checksum and length that came with it before that transaction.
//   - Sequence numbers of one key grow in commit order. They order versions and are the sequencer of events.
//
// # Keys (keys.go is the only place that builds them)
//
//	s3 "" "" name  <bucket>                      bucket record; names are one global namespace, as S3 defines
//	s3 "" "" blob  <blob id>                     how many rows refer to a blob
//	s3 <account> <region> list  <bucket>         index for ListBuckets
//	s3 <account> <region> conf  <id> <kind>      sub-resources: policy, cors, website, notification, tags
//	s3 <account> <region> cur   <id> <key>       the current version in short: what listings show
//	s3 <account> <region> ver   <id> <key> <seq> a version: head, and body when inline
//	s3 <account> <region> table <id> <upload> <end>   the parts of a completed multipart object, by end offset
//	s3 <account> <region> up    <id> <key> <upload>   a multipart upload
//	s3 <account> <region> part  <id> <upload> <n>     an uploaded part
//
// <id> is new for every bucket, so that a bucket that is made again never shows what an earlier one held.
// Versions have a row of their own so that versioning adds rows and moves none.
//
// # What it deliberately is not
//
// It has no access control lists: every bucket is BucketOwnerEnforced, which is AWS's default since 2023, and whatever
// would need a list is refused with AWS's error for such buckets. It claims no encryption that it does not do. A bucket is
// served whatever region a request was signed for, because the endpoint is the same one to which AWS would redirect.
//
// It takes no locks of its own; readers of a body that is being replaced are covered by the delay of the garbage job.
package s3
