package wire

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"hash/crc32"
	"net/http"

	"github.com/minio/crc64nvme"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/service"
)

// checksums are the headers in which a client may give the checksum of a
// buffered body. Content-MD5 and SHA-1 are what the protocol says; they protect
// against damage, not against an attacker.
func checksums() map[string]func() hash.Hash {
	return map[string]func() hash.Hash{
		"Content-Md5":              md5.New,
		"X-Amz-Checksum-Md5":       md5.New,
		"X-Amz-Checksum-Sha1":      sha1.New,
		"X-Amz-Checksum-Sha256":    sha256.New,
		"X-Amz-Checksum-Crc32":     func() hash.Hash { return crc32.NewIEEE() },
		"X-Amz-Checksum-Crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
		"X-Amz-Checksum-Crc64nvme": func() hash.Hash { return crc64nvme.New() },
	}
}

// verifyChecksum checks a buffered body against the checksums that it came
// with, for operations whose model speaks of checksums; unchecked ones may come without.
func (r *Request) verifyChecksum(o *awsapi.Operation, unchecked bool) error {
	if o.ChecksumMember == "" && !o.ChecksumRequired {
		return nil
	}
	found := false
	for header, newHash := range checksums() {
		want := r.Header.Get(header)
		if want == "" {
			continue
		}
		found = true
		sum, err := base64.StdEncoding.DecodeString(want)
		h := newHash()
		if err != nil || len(sum) != h.Size() {
			return badRequest("InvalidDigest", "The %s header %q is not a checksum of that kind.", header, want)
		}
		h.Write(r.body)
		if got := h.Sum(nil); string(got) != string(sum) {
			return badRequest("BadDigest", "The %s you specified did not match what we received: it should be %s.",
				header, base64.StdEncoding.EncodeToString(got))
		}
	}
	// A checksum in a trailer is verified by the reader of the chunked body.
	if !found && o.ChecksumRequired && !unchecked && r.Header.Get("X-Amz-Trailer") == "" {
		return badRequest("InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	}
	return nil
}

func badRequest(code, format string, args ...any) *service.Error {
	return &service.Error{Code: code, Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}
