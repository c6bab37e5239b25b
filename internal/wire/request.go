package wire

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"

	"lambent.dev/lambent/internal/awsapi"
	"lambent.dev/lambent/internal/service"
)

// DefaultMaxBody bounds a buffered request body where the caller sets no other
// limit, in bytes.
const DefaultMaxBody = 16 << 20

// Request is one HTTP request as the codecs see it. The caller fills in the
// exported fields; everything is kept as it was sent.
type Request struct {
	Method string
	// RawPath is the path of the request target without decoding; for S3 with
	// the bucket in the host, the caller puts the bucket in front.
	RawPath string
	// RawQuery is the target's query string without its question mark.
	RawQuery string
	Host     string
	Header   http.Header
	// Body may verify signatures and checksums while it is read; nil is empty.
	Body io.Reader
	// ContentLength is -1 when it is unknown.
	ContentLength int64
	// MaxBody bounds a buffered body in bytes, after decompression too; 0
	// stands for DefaultMaxBody.
	MaxBody int64
	// ID is the request id that answers carry.
	ID string

	// Protocol is set by Match.
	Protocol awsapi.Protocol

	labels     []string // the values of the path's labels, decoded, in order
	form       map[string]string
	query      map[string][]string
	body       []byte
	bodyErr    error
	bodyRead   bool
	plain      bool // the body was decompressed
	violations []violation
}

// hostID is the second id of S3's answers: the request's id in another form.
func (r *Request) hostID() string { return base64.StdEncoding.EncodeToString([]byte(r.ID)) }

// ReadBody returns the whole body, reading it on the first call.
func (r *Request) ReadBody() ([]byte, error) {
	if !r.bodyRead {
		r.bodyRead = true
		r.body, r.bodyErr = r.readBody()
	}
	return r.body, r.bodyErr
}

func (r *Request) readBody() ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	limit := r.MaxBody
	if limit == 0 {
		limit = DefaultMaxBody
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	body, err := r.readAll(limit)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, incomplete(int64(len(body)), r.ContentLength)
	case err != nil:
		var known *service.Error
		if errors.As(err, &known) {
			return nil, err
		}
		return nil, fmt.Errorf("read request body: %w", err)
	case int64(len(body)) > limit:
		return nil, tooLarge(limit)
	case r.ContentLength > 0 && int64(len(body)) != r.ContentLength:
		return nil, incomplete(int64(len(body)), r.ContentLength)
	}
	return body, nil
}

// incomplete is the error about a body that ends early; announced is negative where no length was.
func incomplete(read, announced int64) *service.Error {
	if announced < 0 {
		return badRequest("IncompleteBody", "The request body ended early, after %d bytes.", read)
	}
	return badRequest("IncompleteBody", "The request body ended after %d of %d bytes.", read, announced)
}

// readAll reads the body to its end, and one byte past the limit at most. It
// reads to the end of a body of known length too, because a verifying reader
// decides there.
func (r *Request) readAll(limit int64) ([]byte, error) {
	const first = 1 << 20 // what a length is believed for before the bytes are there
	size := min(r.ContentLength, first)
	if size < 0 {
		size = bytes.MinRead
	}
	body := make([]byte, 0, size+1)
	for int64(len(body)) <= limit {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if errors.Is(err, io.EOF) {
			return body, nil
		}
		if err != nil {
			return body, err
		}
	}
	return body, nil
}

func tooLarge(limit int64) error {
	return &service.Error{
		Code: "RequestEntityTooLargeException", Status: http.StatusRequestEntityTooLarge,
		Message: fmt.Sprintf("The request body is larger than %d bytes, the limit of this operation.", limit),
	}
}

// decompress replaces a gzip body by its content.
func (r *Request) decompress() error {
	encodings := r.Header.Get("Content-Encoding")
	last := strings.TrimSpace(encodings[strings.LastIndexByte(encodings, ',')+1:])
	if r.plain || len(r.body) == 0 || !strings.EqualFold(last, "gzip") {
		return nil
	}
	limit := r.MaxBody
	if limit == 0 {
		limit = DefaultMaxBody
	}
	zr, err := gzip.NewReader(bytes.NewReader(r.body))
	if err != nil {
		return &syntaxError{"the body is not gzip: " + err.Error(), 0}
	}
	plain, err := io.ReadAll(io.LimitReader(zr, limit+1))
	if err != nil {
		return &syntaxError{"the body is not gzip: " + err.Error(), 0}
	}
	if int64(len(plain)) > limit {
		return tooLarge(limit)
	}
	r.body, r.plain = plain, true
	return nil
}

// mediaType returns the body's media type in lower case without parameters.
func (r *Request) mediaType() string {
	value := r.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(value)
	if err != nil {
		media, _, _ = strings.Cut(value, ";")
		media = strings.ToLower(strings.TrimSpace(media))
	}
	return media
}

// parameters returns the query string's parameters, in their order by name.
func (r *Request) parameters() (map[string][]string, error) {
	if r.query != nil {
		return r.query, nil
	}
	query := make(map[string][]string)
	count := 0
	for pair := range strings.SplitSeq(r.RawQuery, "&") {
		if pair == "" {
			continue
		}
		if count++; count > maxParameters {
			return nil, &syntaxError{"the request has too many parameters", 0}
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := queryUnescape(name)
		if err != nil {
			return nil, err
		}
		if value, err = queryUnescape(value); err != nil {
			return nil, err
		}
		query[name] = append(query[name], value)
	}
	r.query = query
	return query, nil
}

// formValues returns the parameters of a query-protocol request: those of the
// body, and those of the query string where a client calls by URL.
func (r *Request) formValues() (map[string]string, error) {
	if r.form != nil {
		return r.form, nil
	}
	if _, err := r.ReadBody(); err != nil {
		return nil, err
	}
	// Which operation it is, and so whether it may be compressed, is in the body.
	if err := r.decompress(); err != nil {
		return nil, err
	}
	text := string(r.body)
	if r.RawQuery != "" {
		text += "&" + r.RawQuery
	}
	form, err := parseForm(text)
	if err != nil {
		return nil, err
	}
	r.form = form
	return form, nil
}
