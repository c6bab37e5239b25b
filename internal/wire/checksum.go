package wire

import (
	"encoding/base64"
	"fmt"
	"hash"
	"net/http"
	"strings"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/lib/integrity"
	"lambent.dev/lambent/internal/service"
)

// unsignedTrailer is the x-amz-content-sha256 of bodies that are not signed and end with a checksum. S3 takes those of objects alone.
const unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

// digestMismatch is what S3 adds to the error about a Content-MD5.
type digestMismatch struct{ CalculatedDigest, ExpectedDigest string }

// verifyChecksum checks a buffered body against the checksums that it came with, for operations whose model speaks of checksums, and for all of an API that digests;
// unchecked ones may come without. What S3 answers is in
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and recorded in test/compat/s3.
func (r *Request) verifyChecksum(o *awsapi.Operation, d *dialect) error {
	if o.ChecksumMember == "" && !o.ChecksumRequired && !d.digests {
		return nil
	}
	if d.digests && r.Header.Get("X-Amz-Content-Sha256") == unsignedTrailer {
		return badRequest("InvalidRequest", "The value of x-amz-content-sha256 header is invalid.")
	}
	sent, err := r.verifyMD5()
	if err != nil {
		return err
	}
	if o.Name == d.sumsOfObject {
		return nil
	}
	given := ""
	for _, algorithm := range integrity.All() {
		if !r.sent(integrity.Header(algorithm)) {
			continue
		}
		if given != "" {
			return badRequest("InvalidRequest", "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		given = algorithm
	}
	if given != "" {
		return r.verifySum(given)
	}
	// A checksum in a trailer is verified by the reader of the chunked body.
	if !sent && o.ChecksumRequired && !d.takesUnchecked(o.Name) && r.Header.Get("X-Amz-Trailer") == "" {
		return badRequest("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	}
	return nil
}

// verifyMD5 checks the body against its Content-MD5, and tells whether there is one.
func (r *Request) verifyMD5() (sent bool, err error) {
	if !r.sent("Content-MD5") {
		return false, nil
	}
	value := r.Header.Get("Content-MD5")
	want, ok := sumOf(value, integrity.New(integrity.MD5))
	if !ok {
		return false, badRequest("InvalidDigest", "The Content-MD5 you specified was invalid.")
	}
	if got := r.sum(integrity.MD5); got != want {
		e := badRequest("BadDigest", "The Content-MD5 you specified did not match what we received.")
		return false, e.WithDetail(&digestMismatch{CalculatedDigest: got, ExpectedDigest: value})
	}
	return true, nil
}

// verifySum checks the body against the checksum of one algorithm.
func (r *Request) verifySum(algorithm string) error {
	header := integrity.Header(algorithm)
	want, ok := sumOf(r.Header.Get(header), integrity.New(algorithm))
	if !ok {
		return badRequest("InvalidRequest", "Value for %s header is invalid.", header)
	}
	if r.sum(algorithm) != want {
		return badRequest("BadDigest", "The %s you specified did not match the calculated checksum.", algorithm)
	}
	return nil
}

// sent tells whether the request has a header field, which may be empty.
func (r *Request) sent(header string) bool { return len(r.Header.Values(header)) > 0 }

// sum returns the checksum of the body in base64.
func (r *Request) sum(algorithm string) string {
	h := integrity.New(algorithm)
	h.Write(r.body)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// sumOf returns a checksum in the one spelling of base64, and whether it can be of that hash.
func sumOf(value string, h hash.Hash) (string, bool) {
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value))
	return base64.StdEncoding.EncodeToString(raw), err == nil && len(raw) == h.Size()
}

func badRequest(code, format string, args ...any) *service.Error {
	return &service.Error{Code: code, Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}
