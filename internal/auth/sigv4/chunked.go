package sigv4

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"slices"
	"strconv"
	"strings"
)

// maxLine bounds a chunk header and a trailer line, in bytes.
const maxLine = 4096

// chunks reads AWS's chunked framing:
//
//	hex-size[;chunk-signature=hex] CRLF data CRLF … 0[;chunk-signature=hex] CRLF
//	[name:value CRLF … [x-amz-trailer-signature:hex CRLF]] CRLF
//
// Every chunk signature covers the one before it, the first one the signature of the head.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
type chunks struct {
	p   *Payload
	in  *bufio.Reader
	err error

	// left is what remains of the current chunk, total what was decoded so far.
	left, total int64
	// inside tells that a chunk's header was read and its end was not.
	inside bool
	// sum is the running hash of the current chunk; nil when chunks are not signed.
	sum      hash.Hash
	claimed  string
	previous string
	// number counts the chunks, and small is the size of the last one when that is below minChunk: only an empty one may follow.
	number, small int64
	trailers      []Field
}

func newChunks(p *Payload, body io.Reader) *chunks {
	c := &chunks{p: p, in: bufio.NewReaderSize(body, maxLine), previous: p.seed}
	if p.Hash != streamOpenTrailer {
		c.sum = sha256.New()
	}
	return c
}

func (c *chunks) fail(k Kind, msg string) error {
	return &Error{Kind: k, Message: msg, InQuery: c.p.sig.Query, AccessKeyID: c.p.sig.AccessKeyID}
}

// minChunk is what every chunk but the last one with data must hold, in bytes.
const minChunk = 8 << 10

// Read decodes into b.
func (c *chunks) Read(b []byte) (int, error) {
	if len(b) == 0 && c.err == nil {
		return 0, nil
	}
	for c.err == nil {
		if c.left > 0 {
			return c.data(b)
		}
		if c.inside {
			c.err = c.endChunk()
			continue
		}
		c.err = c.startChunk()
	}
	return 0, c.err
}

// data hands out bytes of the current chunk.
func (c *chunks) data(b []byte) (int, error) {
	n, err := c.in.Read(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	c.total += int64(n)
	if c.sum != nil {
		c.sum.Write(b[:n])
	}
	if err != nil && (c.left > 0 || !errors.Is(err, io.EOF)) {
		c.err = c.broken(err)
	}
	if c.total == c.p.Length && c.err == nil {
		// The last bytes wait for the proof of everything behind them.
		for c.err == nil && c.left == 0 {
			if c.inside {
				c.err = c.endChunk()
			} else {
				c.err = c.startChunk()
			}
		}
		if !errors.Is(c.err, io.EOF) {
			return 0, c.err
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, c.err
}

// broken makes an early end of the body an error of its own; other errors pass.
func (c *chunks) broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{
			Kind: Truncated, Message: "The chunked body ends before its last chunk.", S3: s3Message(Chunk), InQuery: c.p.sig.Query, AccessKeyID: c.p.sig.AccessKeyID,
		}
	}
	return err
}

// line reads up to CRLF.
func (c *chunks) line() (string, error) {
	raw, err := c.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", c.fail(Chunk, "A line of the chunked body is longer than "+strconv.Itoa(maxLine)+" bytes.")
	}
	if err != nil {
		return "", c.broken(err)
	}
	text, ok := strings.CutSuffix(string(raw), "\r\n")
	if !ok {
		return "", c.fail(Chunk, "A line of the chunked body does not end with CRLF.")
	}
	return text, nil
}

// startChunk reads a chunk's header; the last chunk ends the body.
func (c *chunks) startChunk() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	size, ext, hasExt := strings.Cut(line, ";")
	n, err := strconv.ParseUint(size, 16, 62)
	if err != nil || len(size) > 16 {
		return c.fail(Chunk, "A chunk has no readable size.")
	}
	if c.number++; n > 0 && c.small > 0 {
		return &Error{
			Kind: ChunkSize, InQuery: c.p.sig.Query, AccessKeyID: c.p.sig.AccessKeyID,
			Extra: []Field{{"Chunk", strconv.FormatInt(c.number, 10)}, {"BadChunkSize", strconv.FormatInt(c.small, 10)}},
		}
	}
	if int64(n) < minChunk {
		c.small = int64(n)
	}
	if int64(n) > c.p.Length-c.total {
		return c.tooLong(int64(n))
	}
	if c.sum != nil {
		sig, ok := strings.CutPrefix(ext, "chunk-signature=")
		if !ok || c.p.sig.Version == V4 && len(sig) != 2*sha256.Size {
			return c.fail(Chunk, "A chunk has no chunk-signature of the right length.")
		}
		c.claimed = sig
		c.sum.Reset()
	} else if hasExt {
		return c.fail(Chunk, "A chunk of an unsigned payload has an extension.")
	}
	c.left, c.inside = int64(n), n > 0
	if n > 0 {
		return nil
	}
	return c.finish()
}

// tooLong returns the error of a chunk of n bytes that goes beyond the announced length. A small one is read first: when it does not end where its size says, the
// size is what is wrong.
func (c *chunks) tooLong(n int64) error {
	if n <= minChunk {
		if _, err := io.CopyN(io.Discard, c.in, n); err != nil {
			return c.broken(err)
		}
		if err := c.closeChunk(); err != nil {
			return err
		}
	}
	return c.fail(Truncated, "The chunked body is longer than x-amz-decoded-content-length.")
}

// endChunk reads the line end behind the data and proves the chunk.
func (c *chunks) endChunk() error {
	if err := c.closeChunk(); err != nil {
		return err
	}
	c.inside = false
	return c.prove()
}

// closeChunk reads the CRLF behind the data of a chunk.
func (c *chunks) closeChunk() error {
	var crlf [2]byte
	if _, err := io.ReadFull(c.in, crlf[:]); err != nil {
		return c.broken(err)
	}
	if crlf != [2]byte{'\r', '\n'} {
		return c.fail(Chunk, "A chunk is longer than its size.")
	}
	return nil
}

// prove checks the signature of the chunk that was just read.
func (c *chunks) prove() error {
	if c.sum == nil {
		return nil
	}
	sum := c.sum.Sum(nil)
	return c.signed("-PAYLOAD", c.claimed, "\n"+EmptyHash+"\n"+hex.EncodeToString(sum))
}

// signed checks one link of the chain of signatures.
func (c *chunks) signed(suffix, claimed, tail string) error {
	s := c.p.sig
	claimed = strings.TrimRight(claimed, "*") // V4a pads its signatures to one length.
	alg := algV4
	if s.Version == V4a {
		alg = algV4a
	}
	toSign := alg + suffix + "\n" + s.Time.Format(timeFormat) + "\n" + s.scopeText() + "\n" + c.previous + tail
	var ok bool
	if s.Version == V4a {
		ok = verifyECDSA(c.p.ecdsa, []byte(toSign), claimed)
	} else {
		want := hmac256(c.p.hmac[:], []byte(toSign))
		ok = subtle.ConstantTimeCompare([]byte(hex.EncodeToString(want[:])), []byte(claimed)) == 1
	}
	if !ok {
		e := &Error{Kind: Mismatch, InQuery: s.Query, AccessKeyID: s.AccessKeyID, StringToSign: toSign, Signature: clip(claimed)}
		return e
	}
	c.previous = claimed
	return nil
}

// finish proves the last chunk, reads the trailers and checks the length.
func (c *chunks) finish() error {
	if err := c.prove(); err != nil {
		return err
	}
	if c.total != c.p.Length {
		return c.fail(Truncated, "The chunked body is shorter than x-amz-decoded-content-length.")
	}
	if err := c.readTrailers(); err != nil {
		return err
	}
	if _, err := c.in.ReadByte(); err == nil {
		return c.fail(Chunk, "There is data behind the end of the chunked body.")
	} else if !errors.Is(err, io.EOF) {
		return err
	}
	return io.EOF
}

// readTrailers reads the announced trailers and the empty line behind them.
func (c *chunks) readTrailers() error {
	var signature string
	for {
		line, err := c.line()
		if err != nil {
			return err
		}
		if line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok:
			return c.fail(Trailer, "A trailer has no colon.")
		case name == "x-amz-trailer-signature" && signature == "" && c.sum != nil:
			signature = value
		case !slices.Contains(c.p.Trailers, name) || c.has(name):
			return c.fail(Trailer, "The trailer '"+clip(name)+"' was not announced in x-amz-trailer, or comes twice.")
		default:
			c.trailers = append(c.trailers, Field{name, value})
		}
	}
	if len(c.trailers) != len(c.p.Trailers) {
		return c.fail(Trailer, "A trailer that x-amz-trailer announces is missing.")
	}
	if c.sum == nil || len(c.p.Trailers) == 0 {
		return nil
	}
	sum := sha256.Sum256(c.canonicalTrailers())
	return c.signed("-TRAILER", signature, "\n"+hex.EncodeToString(sum[:]))
}

func (c *chunks) has(name string) bool {
	return slices.ContainsFunc(c.trailers, func(f Field) bool { return f.Name == name })
}

// canonicalTrailers is one line per trailer, sorted by name.
func (c *chunks) canonicalTrailers() []byte {
	sorted := slices.Clone(c.trailers)
	slices.SortFunc(sorted, func(a, b Field) int { return strings.Compare(a.Name, b.Name) })
	var b []byte
	for _, f := range sorted {
		b = append(b, f.Name+":"+f.Value+"\n"...)
	}
	return b
}
