// Package s3 keeps blobs in any object store that speaks the S3 protocol. What refers to them stays in our own store.
//
// # In the cluster
//
//	PREFIX LAMBENT       who owns the prefix, and up to which id ids were given out (see marker)
//	PREFIX xxx/ID        a blob; xxx is bits 8 to 19 of the id
//
// IDs given out here begin with "c", so that they are told from those of the local store, whose blobs stay where they are: they are read, deleted and
// swept there ([Options.Local]), and only new ones go to the cluster.
//
// # Invariants
//
//   - Commit returns an id only after the cluster has acknowledged the whole blob. Every request carries the SHA-256 sum of its body inside
//     the signature, computed as the body came in, so that the cluster proves what it received; a multipart blob is measured once more after it was completed.
//   - A body waits in a file of the local disk while it is uploaded, so that a slow client holds no memory and every request can be sent again.
//     Parts of 16 MiB go out while the rest still comes in; at most [Options.Uploads] requests upload at a time.
//   - One Lambent owns a prefix. The marker carries the identity of the owner's store, and a number that is new with every start. Another owner is
//     refused at the start; a second process with the same identity (a copy of the data folder) takes the prefix over, and the first one then gets no more ids and sweeps nothing.
//   - What a crash leaves, finished or not, is removed by [Store.Sweep].
//
// # When the cluster is away
//
// Requests are tried again with growing pauses for some seconds, then fail as [blob.ErrUnavailable] with the reason. A read that breaks off goes on at the byte where it broke.
//
// It deliberately keeps no checksums of what it reads: whoever refers to a blob keeps them, and proves local and remote blobs alike.
package s3
