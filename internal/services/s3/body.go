package s3

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/lib/integrity"
	"lambent.dev/lambent/internal/lib/seal"
	"lambent.dev/lambent/internal/service"
)

// Limits of uploads, in bytes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html.
const (
	maxUpload = 5 << 30
	minPart   = 5 << 20
	maxParts  = 10_000
	maxObject = int64(maxParts) * maxUpload
)

// trailers is implemented by a body whose checksums come after it. The values are valid after io.EOF.
type trailers interface {
	Trailer(name string) string
}

// expect is what a body must be.
type expect struct {
	length    int64  // -1 when not announced
	md5       string // the Content-MD5 header
	algorithm string // the checksum that came, or will come in a trailer
	value     string // its value; empty for a trailer
	trailer   bool   // the value comes in a trailer
	keep      string // the algorithm to store; empty means algorithm, or CRC64NVME
	// proven tells that no checksum is asked of the client: the body comes in a form, or from this process.
	proven bool
	// hexDigest tells that errors repeat the Content-MD5 in hex.
	hexDigest bool
}

// stored is a body that is durable or inline, and what is known of it.
type stored struct {
	Size   int64
	ETag   string
	Sum    checksum
	Inline []byte
	Blob   blob.ID
	// Blocks are the block sums of a plain body in a blob.
	Blocks []byte
}

// uploadOf returns what the headers of an upload promise of its body. algorithm is x-amz-sdk-checksum-algorithm.
func uploadOf(r *service.Request, length *int64, md5 *string, algorithm string, s sums) (expect, error) {
	e := expect{length: -1}
	if length != nil {
		e.length = *length
	}
	header := func(string) string { return "" }
	if r.HTTP != nil && r.HTTP.Header != nil {
		header = r.HTTP.Header
	}
	if n, ok := parseSize(header("X-Amz-Decoded-Content-Length")); ok {
		e.length = n
	}
	if e.length > maxUpload {
		return e, entityTooLarge(e.length)
	}
	if md5 != nil {
		if _, valid := sameMD5(*md5, ""); !valid {
			return e, fail("InvalidDigest", http.StatusBadRequest, "The Content-MD5 you specified was invalid.").WithDetail(&Fields{{"Content-MD5", *md5}})
		}
		e.md5 = *md5
	}
	if r.HTTP != nil && r.HTTP.Presigned {
		s.dropHint(e.length)
	}
	var err *service.Error
	if e.algorithm, e.value, err = s.get(); err != nil {
		return e, err
	}
	if name := header("X-Amz-Trailer"); name != "" {
		if e.algorithm != "" {
			return e, invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		e.algorithm = strings.ToUpper(strings.TrimPrefix(strings.ToLower(strings.TrimSpace(name)), "x-amz-checksum-"))
		e.trailer = true
	}
	if e.algorithm == "" && algorithm != "" && r.HTTP != nil && !r.HTTP.Presigned {
		return e, invalidRequest("x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.")
	}
	if e.algorithm != "" && algorithm != "" && !strings.EqualFold(e.algorithm, algorithm) {
		return e, invalidRequest("Value for x-amz-sdk-checksum-algorithm header is invalid.")
	}
	if err := checkAlgorithm(e.algorithm); err != nil {
		return e, err
	}
	return e, e.checkValue()
}

// emptyCRC32 is the checksum of an empty body. Some SDKs bake it into presigned uploads because they sign before
// they have a body; it says nothing about the body that comes.
const emptyCRC32 = "AAAAAA=="

func (s sums) dropHint(length int64) {
	if p := s[0]; *p != nil && **p == emptyCRC32 && length != 0 {
		*p = nil
	}
}

func (e expect) checkValue() error {
	if e.value == "" {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(e.value)
	if err != nil || len(raw) != integrity.New(e.algorithm).Size() {
		return invalidRequest("Value for x-amz-checksum-%s header is invalid.", strings.ToLower(e.algorithm))
	}
	return nil
}

// parseSize reads a number of bytes; one with more than 15 digits counts as the greatest of 15.
func parseSize(s string) (int64, bool) {
	if s == "" {
		return 0, false
	}
	var n int64
	for _, c := range s {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), 999_999_999_999_999)
	}
	return n, true
}

// entityTooLarge refuses a body of size bytes; 0 stands for one that is not known.
func entityTooLarge(size int64) *service.Error {
	d := &SizeLimit{MaxSizeAllowed: strconv.FormatInt(maxUpload, 10)}
	if size > 0 {
		d.ProposedSize = strconv.FormatInt(size, 10)
	}
	return fail("EntityTooLarge", http.StatusBadRequest, "Your proposed upload exceeds the maximum allowed size").WithDetail(d)
}

func incompleteBody() *service.Error {
	return fail("IncompleteBody", http.StatusBadRequest, "You did not provide the number of bytes specified by the Content-Length HTTP header.")
}

// receive reads a body to its end, keeps it, encrypted when l is not nil, and compares it with what was promised. On success a large
// body is durable and belongs to the caller, who must drop it when the transaction that was to refer to it fails.
func (s *Service) receive(ctx context.Context, r io.Reader, e expect, l *sealing) (stored, error) {
	if r == nil {
		r = strings.NewReader("")
	}
	keep := e.keep
	if keep == "" {
		keep = e.algorithm
	}
	if keep == "" {
		keep = integrity.CRC64NVME
	}
	d := newDigest(keep, e.algorithm)
	out := stored{Sum: checksum{Algorithm: keep, Type: fullObject}}
	head, whole, err := readHead(r, blob.InlineLimit)
	if err != nil {
		return stored{}, readError(err)
	}
	if whole {
		d.write(head)
		out.Inline, out.Size = head, int64(len(head))
		if err := e.finish(&out, d, r); err != nil {
			return stored{}, err
		}
		out.ETag = l.etag(out.ETag)
		return out, s.sealInline(&out, l)
	}
	w, err := s.blobs.Create(ctx)
	if err != nil {
		return stored{}, fromStore(wrap("create body", err))
	}
	defer w.Abort()
	to, finish := io.Writer(w), func() error { return nil }
	if l != nil {
		sealed, err := seal.NewWriter(w, l.key, s.random)
		if err != nil {
			return stored{}, fromStore(wrap("write body", err))
		}
		to, finish = sealed, sealed.Close
	} else {
		d.blocks = newBlockSums()
	}
	if out.Size, err = s.buffers.spool(to, head, r, d); err != nil {
		return stored{}, err
	}
	if err := e.finish(&out, d, r); err != nil {
		return stored{}, err
	}
	out.ETag = l.etag(out.ETag)
	if err := finish(); err != nil {
		return stored{}, fromStore(wrap("write body", err))
	}
	if d.blocks != nil {
		out.Blocks = d.blocks.finish()
	}
	if out.Blob, err = w.Commit(ctx); err != nil {
		return stored{}, fromStore(wrap("commit body", err))
	}
	return out, nil
}

// sealInline encrypts a body that is kept in its row.
func (s *Service) sealInline(out *stored, l *sealing) error {
	if l == nil {
		return nil
	}
	var b bytes.Buffer
	b.Grow(int(seal.Size(out.Size)))
	w, err := seal.NewWriter(&b, l.key, s.random)
	if err == nil {
		_, err = w.Write(out.Inline)
	}
	if err == nil {
		err = w.Close()
	}
	out.Inline = b.Bytes()
	return wrap("encrypt body", err)
}

// expectedDigest is how S3 repeats a Content-MD5: of PutObject in hex, elsewhere as it came.
func (e expect) expectedDigest() string {
	raw, err := base64.StdEncoding.DecodeString(e.md5)
	if err != nil || !e.hexDigest {
		return e.md5
	}
	return hex.EncodeToString(raw)
}

// finish fills in what was computed and compares it with what was promised.
func (e expect) finish(out *stored, d *digest, r io.Reader) error {
	out.ETag, out.Sum.Value = d.etag(), d.sum(out.Sum.Algorithm)
	if e.length >= 0 && out.Size != e.length {
		return incompleteBody()
	}
	if e.md5 != "" {
		if same, _ := sameMD5(e.md5, out.ETag); !same {
			return fail("BadDigest", http.StatusBadRequest, "The Content-MD5 you specified did not match what we received.").
				WithDetail(&DigestMismatch{CalculatedDigest: base64MD5(out.ETag), ExpectedDigest: e.expectedDigest()})
		}
	}
	want := e.value
	if e.trailer {
		t, ok := r.(trailers)
		if !ok {
			return invalidRequest("The trailer x-amz-checksum-%s was announced and did not come.", strings.ToLower(e.algorithm))
		}
		want = t.Trailer("x-amz-checksum-" + strings.ToLower(e.algorithm))
		if want == "" {
			return fail("MalformedTrailerError", http.StatusBadRequest, "The request contained trailing data that was not well-formed or did not conform to our published schema.")
		}
	}
	if (expect{algorithm: e.algorithm, value: want}).checkValue() != nil {
		return invalidRequest("Value for x-amz-checksum-%s trailing header is invalid.", strings.ToLower(e.algorithm))
	}
	if want != "" && want != d.sum(e.algorithm) {
		return fail("BadDigest", http.StatusBadRequest, "The %s you specified did not match the calculated checksum.", e.algorithm)
	}
	return nil
}

// readHead reads up to limit bytes; whole tells that r ended within them.
func readHead(r io.Reader, limit int) (head []byte, whole bool, err error) {
	buf := make([]byte, 0, 4<<10)
	for len(buf) <= limit {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(4*cap(buf), limit+1))
			copy(grown, buf)
			buf = grown
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, len(buf) <= limit, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
	return buf, false, nil
}

// fill reads until buf is full or r fails. Unlike io.ReadFull it passes io.EOF and io.ErrUnexpectedEOF on as they came, because
// they mean a whole and a cut body.
func fill(r io.Reader, buf []byte) (int, error) {
	n := 0
	for n < len(buf) {
		m, err := r.Read(buf[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// readError turns a failure of the request's body into the client's error; a signature's or frame's error passes as it is.
func readError(err error) error {
	var known *service.Error
	if errors.As(err, &known) {
		return err
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return entityTooLarge(0)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return incompleteBody()
	}
	return fmt.Errorf("read body: %w", err)
}

// drop removes a body that no transaction refers to.
func (s *Service) drop(ctx context.Context, b stored) {
	if b.Blob == "" {
		return
	}
	if err := s.blobs.Delete(context.WithoutCancel(ctx), b.Blob); err != nil {
		s.log.WarnContext(ctx, "body of a failed upload stays until the next sweep", slog.String("blob", string(b.Blob)), slog.Any("error", err))
	}
}
