package sigv4

import (
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"strconv"
	"strings"
)

// Unsigned256 is the x-amz-content-sha256 of a body that is not signed.
const Unsigned256 = "UNSIGNED-PAYLOAD"

// The names of chunked bodies.
const (
	streamV4          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamV4Trailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	streamV4a         = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
	streamV4aTrailer  = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"
	streamOpenTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
)

// EmptyHash is the hex SHA-256 of an empty body.
const EmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// maxTrailers bounds the trailers of a chunked body.
const maxTrailers = 16

// validHash reports whether h may stand in x-amz-content-sha256.
func validHash(h string) bool {
	switch h {
	case Unsigned256, streamV4, streamV4Trailer, streamV4a, streamV4aTrailer, streamOpenTrailer:
		return true
	}
	if len(h) != 2*sha256.Size {
		return false
	}
	for i := range len(h) {
		if _, ok := unhex(h[i]); !ok || 'A' <= h[i] && h[i] <= 'F' {
			return false
		}
	}
	return true
}

// Hash returns the hex SHA-256 of a body, for [Options.BodyHash].
func Hash(body []byte) string {
	if len(body) == 0 {
		return EmptyHash
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// Payload says how the body of a verified request is signed and read.
type Payload struct {
	// Hash is what was signed for the body: see [Signature.Hash].
	Hash string
	// Length is the number of bytes that a chunked body decodes to; -1 for a plain body, whose
	// length HTTP tells.
	Length int64
	// Trailers are the names that the request announced in x-amz-trailer, lower case.
	Trailers []string

	sig *Signature
	// announced is the Content-Length of a plain body; -1 when there is none.
	announced int64
	hmac      [sha256.Size]byte
	ecdsa     *ecdsa.PublicKey
	seed      string
}

// AnonymousPayload returns how to read the body of a request that nobody signed: what its head says of the body still holds. A body whose
// chunks are signed is refused, because there is no signature that they could continue.
func AnonymousPayload(r *Request) (*Payload, error) {
	s := &Signature{Version: Anonymous, Hash: r.Get("X-Amz-Content-Sha256")}
	if s.Hash == "" {
		s.Hash = Unsigned256
	}
	// What is no hash at all is compared like one, as S3 does where nothing is signed: it never is that of the body.
	if strings.HasPrefix(s.Hash, "STREAMING-") && s.Hash != streamOpenTrailer {
		return nil, &Error{Kind: PayloadHash, Message: "Anonymous requests don't support this x-amz-content-sha256 value. Please use UNSIGNED-PAYLOAD or STREAMING-UNSIGNED-PAYLOAD-TRAILER."}
	}
	return new(Payload).with(r, s)
}

// with adds what the head tells about the body, and checks it.
func (p *Payload) with(r *Request, s *Signature) (*Payload, error) {
	p.sig, p.Hash, p.Length, p.announced = s, s.Hash, -1, -1
	if !p.Chunked() {
		return p, p.plain(r)
	}
	if (s.Version == V4a) != strings.Contains(s.Hash, "ECDSA") && s.Hash != streamOpenTrailer {
		return nil, &Error{
			Kind: PayloadHash, InQuery: s.Query, AccessKeyID: s.AccessKeyID,
			Message: "The streaming payload " + s.Hash + " does not belong to the algorithm of the signature.",
		}
	}
	length := r.Get("X-Amz-Decoded-Content-Length")
	n, err := strconv.ParseInt(length, 10, 63)
	if err != nil || n < 0 || length[0] == '+' {
		return nil, &Error{
			Kind: NoLength, InQuery: s.Query, AccessKeyID: s.AccessKeyID,
			Message: "A chunked upload needs x-amz-decoded-content-length.",
		}
	}
	p.Length = n
	if names := r.Get("X-Amz-Trailer"); names != "" {
		for name := range strings.SplitSeq(names, ",") {
			p.Trailers = append(p.Trailers, strings.ToLower(strings.TrimSpace(name)))
		}
	}
	if len(p.Trailers) > maxTrailers || len(p.Trailers) > 0 != strings.HasSuffix(s.Hash, "-TRAILER") && s.Hash != streamOpenTrailer {
		return nil, &Error{
			Kind: Trailer, InQuery: s.Query, AccessKeyID: s.AccessKeyID,
			Message: "x-amz-trailer must name the trailers of a -TRAILER payload, and of no other.",
		}
	}
	return p, nil
}

// plain notes the announced length of a plain body. An empty one is compared with its hash here,
// because nobody may read it.
func (p *Payload) plain(r *Request) error {
	if n, err := strconv.ParseInt(r.Get("Content-Length"), 10, 63); err == nil && n >= 0 {
		p.announced = n
	}
	if p.announced == 0 && p.Hash != "" && p.Hash != Unsigned256 && p.Hash != EmptyHash {
		return payloadMismatch(p.sig, p.Hash, EmptyHash)
	}
	return nil
}

// Chunked reports whether the body is in AWS's chunked framing, which [Payload.Reader] removes.
func (p *Payload) Chunked() bool { return strings.HasPrefix(p.Hash, "STREAMING-") }

// Reader returns the decoded body. It checks the signed hash, the chunk signatures, the
// announced length and the trailers while it reads; an [*Error] comes in place of io.EOF when
// one of them is wrong, and in place of the last bytes when the length was announced: who reads
// exactly that many bytes and never meets io.EOF has a proven body too.
func (p *Payload) Reader(body io.Reader) *Reader {
	r := &Reader{payload: p}
	switch {
	case p.Chunked():
		r.src = newChunks(p, body)
	case p.Hash == Unsigned256 || p.Hash == "":
		r.src = body
	default:
		r.src = &hashed{body: body, want: p.Hash, sig: p.sig, left: p.announced}
	}
	return r
}

// Reader is a body under verification. It is not safe for concurrent use.
type Reader struct {
	payload *Payload
	src     io.Reader
}

// Read reads decoded bytes; it returns io.EOF only when all of the body is proven.
func (r *Reader) Read(b []byte) (int, error) { return r.src.Read(b) }

// Trailer returns the value of a trailer, which is there once Read has returned io.EOF.
func (r *Reader) Trailer(name string) string {
	c, ok := r.src.(*chunks)
	if !ok {
		return ""
	}
	for _, f := range c.trailers {
		if f.Name == strings.ToLower(name) {
			return f.Value
		}
	}
	return ""
}

// hashed compares the hash of a plain body with the signed one at its end.
type hashed struct {
	body io.Reader
	sum  hash.Hash // nil while no part but the present one was there
	// proven is set when all of the announced body had the right hash.
	proven bool
	want   string
	sig    *Signature
	// left is what remains of the announced length; negative when none was announced.
	left int64
	err  error
}

func (h *hashed) Read(b []byte) (int, error) {
	if h.err != nil {
		return 0, h.err
	}
	n, err := h.body.Read(b)
	last := n > 0 && h.left == int64(n)
	h.left -= int64(n)
	if end := errors.Is(err, io.EOF) || last; n > 0 || end && !h.proven {
		if e := h.add(b[:n], end); e != nil {
			h.err = e
			return 0, e
		}
	}
	h.err = err
	return n, err
}

// add takes the next part of the body, and at its end compares the hash of the whole. A small body is one part.
func (h *hashed) add(part []byte, end bool) error {
	var sum [sha256.Size]byte
	if h.sum == nil && end && !h.proven {
		sum = sha256.Sum256(part)
	} else {
		if h.sum == nil {
			h.sum = sha256.New()
		}
		h.sum.Write(part)
		if !end {
			return nil
		}
		h.sum.Sum(sum[:0])
	}
	var got [2 * sha256.Size]byte
	hex.Encode(got[:], sum[:])
	h.proven = subtle.ConstantTimeCompare(got[:], []byte(h.want)) == 1
	if h.proven {
		return nil
	}
	return payloadMismatch(h.sig, h.want, string(got[:]))
}

// payloadMismatch tells of a body with another hash than the one that came with it.
func payloadMismatch(s *Signature, want, got string) *Error {
	return &Error{Kind: PayloadMismatch, InQuery: s.Query, AccessKeyID: s.AccessKeyID, Extra: []Field{
		{"ClientComputedContentSHA256", want}, {"S3ComputedContentSHA256", got},
	}}
}
