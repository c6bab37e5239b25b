// Package s3 runs programs that use buckets and objects through unmodified clients, as people write them: over HTTP and TLS, and with the bucket in the path and
// in the host. Every client puts, lists, reads, copies and deletes the keys of keys.json and one of 1,024 bytes, and moves a body of several parts.
//
// boto3 and the AWS CLI always run; `make test-clients-s3` installs the others and runs them too: the SDKs for JavaScript (with lib-storage, s3-request-presigner
// and s3-presigned-post), Go v2 (with the transfer manager) and Java v2 (with the transfer manager on Netty, and the synchronous client), s3cmd and rclone. It also
// deploys the photo-board example and uses it by programs in JavaScript, Go and Python, over HTTP and TLS.
//
// Names of buckets under .localhost do not resolve in most runtimes. The programs bring a resolver where their client takes one; rclone goes through a proxy.
package s3
