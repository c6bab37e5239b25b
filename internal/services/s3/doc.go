// Package s3 is the object store: buckets, objects, multipart uploads, websites and bucket notifications.
//
// # Invariants
//
//   - A body is durable before the transaction that refers to it. Bodies up to [blob.InlineLimit] lie in the
//     object's own row, larger ones in the blob store; the rows never refer to a body that a power loss can take.
//
//   - An object, the events of its bucket's notifications and the garbage of the object it replaced commit in one
//     transaction. Conditions (If-Match, If-None-Match) are decided inside of it, so two conditional writers never both win.
//
//   - A body is counted, hashed and compared with every checksum and length that came with it before that transaction.
//
//   - Sequence numbers of one key grow in commit order. They order versions and are the sequencer of events.
//
//   - No byte of a damaged block is given out. A plain body in a blob has a CRC-32C for every 256 KiB in the row that refers to it (block.go), a sealed one its
//     tags, and what is inline the store's own sums. A block is proven before it is sent; a local file that was proven whole less than a minute ago is sent as it is.
//
// # Keys (keys.go is the only place that builds them)
//
//	s3 "" "" name  <bucket>                      bucket record; names are one global namespace, as S3 defines
//	s3 "" "" blob  <blob id>                     how many rows refer to a blob
//	s3 "" "" alias <alias>                       the access point, or that of many regions, that an alias names
//	s3 <account> "" block                        the public access block of the account
//	s3 <account> "" mrap  <name>                 a multi-region access point, with its policy and routes
//	s3 <account> "" mrap-request <arn>           an asynchronous request about one, for 14 days
//	s3 <account> <region> list  <bucket>         index for ListBuckets
//	s3 <account> <region> point <name>           an access point, with its policy
//	s3 <account> <region> grants                 the access grants instance
//	s3 <account> <region> grants-location <id>   a location of it
//	s3 <account> <region> grants-grant    <id>   a grant of it
//	s3 <account> <region> grants-at <location> <id>                       that a grant is of a location
//	s3 <account> <region> grants-of <grantee> <scope> <kind> <permission> the id of that grant
//	s3 <account> <region> grants-tags <resource> the tags of one of these, which its ARN names
//	s3 <account> <region> lens <id>              a Storage Lens configuration, with its tags
//	s3 <account> <region> lens-group <name>      a Storage Lens group, with its tags
//	s3 <account> <region> conf  <id> <kind>      sub-resources: policy, cors, website, notification, tags
//	s3 <account> <region> cur   <id> <key>       the current version in short: what listings show
//	s3 <account> <region> ver   <id> <key> <seq> a version: head, and body when inline
//	s3 <account> <region> null  <id> <key>       sequence number of the null version, when that is not the current one
//	s3 <account> <region> table <id> <upload> <end>   the parts of a completed multipart object, by end offset
//	s3 <account> <region> up    <id> <key> <upload>   a multipart upload
//	s3 <account> <region> part  <id> <upload> <n>     an uploaded part
//	s3 <account> <region> log   <id> <day> <stamp>    records of the access log that wait for their delivery
//	s3 <account> <region> point-of <id> <account> <region> <name>   that an access point leads to the bucket
//
// <id> is new for every bucket, so that a bucket that is made again never shows what an earlier one held.
//
// # Versions
//
// The version with the greatest sequence number is the newest. It has a row under "cur" unless it is a delete marker, so that listings meet
// neither markers nor old versions. A bucket that never had versioning holds one version of a key, the null version, and no row under "null".
//
// # Access points
//
// An access point is another name of a bucket, which stands wherever a bucket's name may: as alias, as ARN, and in host names as NAME-ACCOUNT. [Service.find] and
// [Service.lookUp] resolve it and note it in the bucket that they return. What is then asked of the door carries its condition keys, and by these every decision is
// taken twice, on the access point with its policy and on the bucket with its own (withPoint).
//
// A multi-region access point names a bucket in each of several regions, and leads to the one of the region that a request is for, or else to the first whose route is open.
// A signature of Version 4a names no region; such a request is for the region of the platform. What an asynchronous request asks for is done before it is answered.
//
// # Access grants
//
// An instance maps identities to data: a location has a role that reaches it, and a grant gives a user or role a part of a location. GetDataAccess finds the caller's narrowest
// grant that covers what is asked for and returns a session of the location's role, with a session policy for the grant's scope and permission. Nothing else of a call asks a grant:
// the session is decided by the role's policies and the bucket's as any other, and knows its instance as s3:AccessGrantsInstanceArn.
//
// # Storage Lens
//
// An enabled configuration has a job that counts at midnight, in one pass over the rows of each bucket, writes the report to its bucket as storage-lens.s3.amazonaws.com, hands
// its numbers to CloudWatch and queues itself again (lensexport.go, lenscount.go). Nothing is counted while objects are written, and so nothing about requests.
//
// # Encryption
//
// A body is stored as it is unless the request or the bucket's default encryption asks otherwise; then it is sealed in frames (package
// lib/seal) under a data key that lies wrapped in the version's row: by the platform's keys (SSE-S3, SSE-KMS, through port.Keys) or by the
// key that the customer sends with each request (SSE-C). The parts of an upload share its data key. No answer claims an encryption that was not done.
//
// # Access logs
//
// The door tells of every HTTP exchange when its answer has ended ([Service.answered]). For a bucket that has a log, a record goes to accesslog.go, which stores what
// has come together in one commit after the other: nobody waits for it, a kill loses what the running commit has not stored, and closing loses nothing. Five minutes after
// the first record a job writes an object as logging.s3.amazonaws.com, in the transaction that removes its records. A target that refuses loses the records, with
// a warning in the platform's log. Calls inside the process have no records, beside those of lifecycle rules; neither have the fields turn-around time and aclRequired.
//
// # What it deliberately is not
//
// MFA delete, S3 Select, torrents, Object Lambda, directory buckets and metadata tables have no handler or are refused by name. Storage classes
// are kept and told, and all stored alike; a restore is done at once. A bucket is served whatever region a request was signed for, because
// the endpoint is the same one to which AWS would redirect.
//
// It takes no locks of its own; readers of a body that is being replaced are covered by the delay of the garbage job.
package s3
