package s3

import (
	"bytes"
	"crypto/md5" //nolint:gosec // S3's ETag and Content-MD5 are MD5 by definition, not a protection.
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/lib/integrity"
	"lambent.dev/lambent/internal/service"
)

// The types of checksums of objects.
const (
	fullObject = "FULL_OBJECT"
	composite  = "COMPOSITE"
)

// checksum is a stored checksum: its algorithm, its type and its base64 value (with "-parts" when composite).
type checksum struct {
	Algorithm string `json:"a,omitempty"`
	Type      string `json:"t,omitempty"`
	Value     string `json:"v,omitempty"`
}

// checkAlgorithm refuses a name that is no algorithm.
func checkAlgorithm(name string) *service.Error {
	if name == "" || integrity.New(name) != nil {
		return nil
	}
	return invalidRequest("Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, MD5, SHA1, SHA256, SHA512, XXHASH128, XXHASH3, XXHASH64]")
}

// linear tells whether the checksum of a whole can be computed from those of its parts.
func linear(algorithm string) bool {
	return algorithm == integrity.CRC32 || algorithm == integrity.CRC32C || algorithm == integrity.CRC64NVME
}

// sums points to the ten checksum members that many of S3's shapes have, in their order.
type sums [10]**string

// get returns the one checksum that is set. Two of them are an error.
func (s sums) get() (algorithm, value string, err *service.Error) {
	for i, p := range s {
		if *p == nil {
			continue
		}
		if algorithm != "" {
			return "", "", invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		algorithm, value = integrity.All()[i], **p
	}
	return algorithm, value, nil
}

// set stores c in its member.
func (s sums) set(c checksum) {
	if c.Value == "" {
		return
	}
	for i, name := range integrity.All() {
		if name == c.Algorithm {
			*s[i] = &c.Value
		}
	}
}

// digest computes what is stored and compared of a body while it passes.
type digest struct {
	md5    hash.Hash
	hashes map[string]hash.Hash
	blocks *blockSums // of a plain body that becomes a blob
}

func newDigest(names ...string) *digest {
	d := &digest{md5: integrity.New(integrity.MD5), hashes: make(map[string]hash.Hash, len(names))}
	for _, n := range names {
		if h := integrity.New(n); h != nil {
			d.hashes[n] = h
		}
	}
	return d
}

func (d *digest) write(p []byte) {
	d.md5.Write(p)
	for _, h := range d.hashes {
		h.Write(p)
	}
	if d.blocks != nil {
		d.blocks.write(p)
	}
}

func (d *digest) etag() string { return hex.EncodeToString(d.md5.Sum(nil)) }

func (d *digest) sum(algorithm string) string {
	h := d.hashes[algorithm]
	if h == nil {
		return ""
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// compositeSum returns the checksum of the checksums of parts, as S3 writes it: "value-parts".
func compositeSum(algorithm string, parts []part) (string, bool) {
	h := integrity.New(algorithm)
	for _, p := range parts {
		raw, err := base64.StdEncoding.DecodeString(p.sum(algorithm))
		if err != nil || len(raw) == 0 {
			return "", false
		}
		h.Write(raw)
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts)), true
}

// combinedSum returns the checksum of the whole object from those of its parts, for linear algorithms.
func combinedSum(algorithm string, parts []part) (string, bool) {
	width, poly := 4, uint64(crc32.IEEE)
	switch algorithm {
	case integrity.CRC32C:
		poly = crc32.Castagnoli
	case integrity.CRC64NVME:
		width, poly = 8, 0x9a6c9329ac4bc9b5
	}
	var total uint64
	for i, p := range parts {
		raw, err := base64.StdEncoding.DecodeString(p.sum(algorithm))
		if err != nil || len(raw) != width {
			return "", false
		}
		crc := bigEndian(raw)
		if i == 0 {
			total = crc
			continue
		}
		total = combineCRC(poly, width*8, total, crc, p.Size)
	}
	out := make([]byte, width)
	for i := range out {
		out[i] = byte(total >> (8 * (width - 1 - i)))
	}
	return base64.StdEncoding.EncodeToString(out), true
}

func bigEndian(b []byte) uint64 {
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

// combineCRC returns the CRC of a||b from those of a and b, and the length of b. poly is reflected. Appending a zero bit is a
// linear map over GF(2); its powers of two give the map for any length in logarithmic time.
func combineCRC(poly uint64, bits int, a, b uint64, length int64) uint64 {
	step := make([]uint64, bits)
	step[0] = poly
	for i := 1; i < bits; i++ {
		step[i] = 1 << (i - 1)
	}
	for range 3 { // from one bit to one byte
		step = squareMap(step)
	}
	for ; length > 0; length >>= 1 {
		if length&1 == 1 {
			a = applyMap(step, a)
		}
		step = squareMap(step)
	}
	return a ^ b
}

func applyMap(m []uint64, v uint64) uint64 {
	var out uint64
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 == 1 {
			out ^= m[i]
		}
	}
	return out
}

func squareMap(m []uint64) []uint64 {
	out := make([]uint64, len(m))
	for i := range m {
		out[i] = applyMap(m, m[i])
	}
	return out
}

// multipartETag returns the ETag of a multipart object: the MD5 of the parts' MD5s, and their number.
func multipartETag(parts []part) string {
	h := integrity.New(integrity.MD5)
	for _, p := range parts {
		raw, err := hex.DecodeString(p.ETag)
		if err == nil {
			h.Write(raw)
		}
	}
	return hex.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
}

// DigestMismatch is what S3 tells of a body whose digest is another one than was announced.
type DigestMismatch struct{ CalculatedDigest, ExpectedDigest string }

// base64MD5 returns a hex MD5 as a Content-MD5 header has it.
func base64MD5(etag string) string {
	raw, _ := hex.DecodeString(etag) // an ETag of a digest is hex
	return base64.StdEncoding.EncodeToString(raw)
}

// sameMD5 compares a Content-MD5 header with a hex MD5.
func sameMD5(header, etag string) (same, valid bool) {
	want, err := base64.StdEncoding.DecodeString(strings.TrimSpace(header))
	if err != nil || len(want) != md5.Size {
		return false, false
	}
	got, err := hex.DecodeString(etag)
	return err == nil && bytes.Equal(want, got), true
}
