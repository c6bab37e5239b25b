// Package integrity has the algorithms by which S3's requests and objects are checked against damage. Some are old; none of them is a protection against an
// attacker. See https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html.
package integrity

import (
	"crypto/md5"  //nolint:gosec // see the package's comment.
	"crypto/sha1" //nolint:gosec // see the package's comment.
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"hash/crc32"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/minio/crc64nvme"
	"github.com/zeebo/xxh3"
)

// The names of the algorithms.
const (
	CRC32     = "CRC32"
	CRC32C    = "CRC32C"
	CRC64NVME = "CRC64NVME"
	SHA1      = "SHA1"
	SHA256    = "SHA256"
	SHA512    = "SHA512"
	MD5       = "MD5"
	XXHASH64  = "XXHASH64"
	XXHASH3   = "XXHASH3"
	XXHASH128 = "XXHASH128"
)

// All returns the names in the order in which S3's shapes have their members.
func All() [10]string {
	return [10]string{CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, XXHASH3, XXHASH128}
}

// Header returns the header field that carries a checksum of an algorithm in base64, in small letters.
func Header(algorithm string) string { return "x-amz-checksum-" + strings.ToLower(algorithm) }

// New returns the hash of an algorithm, or nil for a name that is none.
func New(algorithm string) hash.Hash {
	switch algorithm {
	case CRC32:
		return crc32.NewIEEE()
	case CRC32C:
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case CRC64NVME:
		return crc64nvme.New()
	case SHA1:
		return sha1.New() //nolint:gosec // see the package's comment.
	case SHA256:
		return sha256.New()
	case SHA512:
		return sha512.New()
	case MD5:
		return md5.New() //nolint:gosec // see the package's comment.
	case XXHASH64:
		return xxhash.New()
	case XXHASH3:
		return xxh3.New()
	case XXHASH128:
		return xxh128{xxh3.New()}
	}
	return nil
}

// xxh128 is the 128-bit form of XXH3 as a hash.Hash.
type xxh128 struct{ *xxh3.Hasher }

// Size returns the number of bytes of the sum.
func (xxh128) Size() int { return 16 }

// Sum appends the sum in its canonical, big-endian form.
func (h xxh128) Sum(b []byte) []byte {
	sum := h.Sum128().Bytes()
	return append(b, sum[:]...)
}
