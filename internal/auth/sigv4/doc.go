// Package sigv4 verifies and makes AWS request signatures.
//
// It works on the head of a request as it was sent ([Request]: raw target, fields in their
// order), because a cleaned path or a canonicalised header no longer carries what was signed.
// The accepted forms are
//
//   - Signature Version 4 in the Authorization header and in the query (presigned URLs),
//   - Signature Version 4a (ECDSA P-256 over a set of regions), header and query,
//   - the chunked bodies of S3: STREAMING-AWS4-HMAC-SHA256-PAYLOAD and -PAYLOAD-TRAILER, the
//     same for AWS4-ECDSA-P256-SHA256, and STREAMING-UNSIGNED-PAYLOAD-TRAILER,
//   - S3's Signature Version 2 in the query, for GET, HEAD, PUT and DELETE, because boto3 and
//     AWS CLI v1 still presign with it.
//
// A check has three steps, so that the caller finds the secret in between and so that nothing
// of a body is read before its head is proven:
//
//	sig, err := sigv4.Parse(req, opt)           // which key, which scope; no secrets needed
//	payload, err := v.Verify(req, sig, secret, opt)
//	body := payload.Reader(r.Body)              // verifies while reading; an error before EOF
//
// Invariants: an error of the body reader comes in place of io.EOF, and in place of the last bytes
// of a body whose length was announced, so a caller that commits only after io.EOF or after that
// many bytes never commits a body that was not signed. Comparisons of signatures take
// constant time. Every parse is bounded by the length of its input, every chunk header and
// trailer by a constant, every cache by a number of entries.
//
// In a query, "+" stands for a space, for the signature as for whoever decodes the parameters;
// the two must not differ, or a signed text could be given a second meaning.
//
// What it is not: it knows no users, no policies and no HTTP server, and it never decides
// whether an anonymous request is fine. Replay inside the time window is not detected, as on
// AWS. Rules: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html and
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html.
package sigv4
