// Package s3client is a small client of the S3 protocol, for object stores beyond this Lambent: the cluster that keeps bodies, and the source of an
// import.
//
// It speaks to anything that is compatible with Amazon S3, signs with Signature Version 4, sends the SHA-256 sum of every body inside the signature, so
// that the other side proves what it received, and tries again with growing pauses when the other side is away, slow or received something else
// than was sent. It knows no more of S3 than its callers need.
package s3client

import (
	"context"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/clock"
)

const (
	// attempts is how often a request is sent at most.
	attempts = 6
	// firstPause is the longest pause before the second attempt; each one after that may be twice as long.
	firstPause = 100 * time.Millisecond
	// requestTimeout is how long one attempt may take up to the head of its answer.
	requestTimeout = 2 * time.Minute
	// maxAnswer bounds an answer that is no body, in bytes.
	maxAnswer = 16 << 20
)

// Client speaks to one endpoint as one identity. Its fields are fixed after the first use; it is safe for concurrent use.
type Client struct {
	// Endpoint is the base URL, such as https://s3.example.com.
	Endpoint *url.URL
	// Region is the region that signatures name.
	Region string
	// PathStyle puts the bucket in the path instead of the host.
	PathStyle bool
	// Credentials of every request.
	Credentials Credentials
	HTTP        *http.Client
	Clock       clock.Clock
	// Random spreads the pauses between attempts.
	Random io.Reader
}

// Credentials are an access key; Token may be empty. Without AccessKeyID requests are not signed.
type Credentials struct{ AccessKeyID, Secret, Token string }

// NewTransport returns a transport that keeps connections to one busy endpoint.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:        http.ProxyFromEnvironment,
		DialContext:  (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		MaxIdleConns: 256, MaxIdleConnsPerHost: 256, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
		ResponseHeaderTimeout: requestTimeout, DisableCompression: true, ForceAttemptHTTP2: false,
	}
}

// Error is what the other side answered instead of a result.
type Error struct {
	Status                   int
	Code, Message, RequestID string
}

// Error says what was answered.
func (e *Error) Error() string {
	text := strconv.Itoa(e.Status)
	if e.Code != "" {
		text += " " + e.Code
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// ErrUnreachable is in the chain of an error when no answer came.
var ErrUnreachable = errors.New("no answer")

// IsNotFound tells whether the other side said that an object or upload does not exist.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound && e.Code != "NoSuchBucket"
}

// HasCode tells whether the other side answered with one of the error codes.
func HasCode(err error, codes ...string) bool {
	var e *Error
	return errors.As(err, &e) && slices.Contains(codes, e.Code)
}

// IsRefused tells whether the other side did not accept the credentials, or what they may do.
func IsRefused(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden || e.Code == "AuthorizationHeaderMalformed")
}

// IsTemporary tells whether the same request may succeed later.
func IsTemporary(err error) bool {
	if errors.Is(err, ErrUnreachable) {
		return true
	}
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case "SlowDown", "RequestTimeout", "BadDigest", "XAmzContentSHA256Mismatch", "OperationAborted":
		return true
	}
	return e.Status >= 500 && e.Status != http.StatusNotImplemented && e.Status != http.StatusInsufficientStorage || e.Status == http.StatusTooManyRequests
}

// Body is what a request sends. Open returns a new reader of all of it for each attempt.
type Body struct {
	Open   func() io.Reader
	Size   int64
	SHA256 string // hex
}

// TextBody returns a small body.
func TextBody(text string) Body {
	return Body{func() io.Reader { return strings.NewReader(text) }, int64(len(text)), sigv4.Hash([]byte(text))}
}

// request is one call; query is nil or has names with their values.
type request struct {
	method, bucket, key string
	query               url.Values
	header              http.Header
	body                Body
}

// escape encodes a path or a query as Signature Version 4 wants it.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// target returns the URL of a request.
func (c *Client) target(in request) string {
	host, path := c.Endpoint.Host, strings.TrimSuffix(c.Endpoint.Path, "/")
	switch {
	case in.bucket == "":
	case c.PathStyle:
		path += "/" + in.bucket
	default:
		host = in.bucket + "." + host
	}
	parts := strings.Split(in.key, "/")
	for i, p := range parts {
		parts[i] = escape(p)
	}
	out := c.Endpoint.Scheme + "://" + host + path + "/" + strings.Join(parts, "/")
	if len(in.query) > 0 {
		out += "?" + strings.ReplaceAll(in.query.Encode(), "+", "%20")
	}
	return out
}

// do sends a request until it succeeds, is refused for good or was sent often enough. The caller closes the answer's body.
func (c *Client) do(ctx context.Context, in request) (*http.Response, error) {
	for try := 1; ; try++ {
		answer, err := c.send(ctx, in)
		if err == nil || try == attempts || !IsTemporary(err) || ctx.Err() != nil {
			return answer, err
		}
		if err := clock.Sleep(ctx, c.Clock, c.Pause(try)); err != nil {
			return nil, err
		}
	}
}

// Pause returns how long to wait after an attempt that failed: a random time, of which the longest doubles with every try, the first of which is 1.
func (c *Client) Pause(try int) time.Duration {
	most := firstPause << min(try-1, 6)
	var b [8]byte
	if _, err := io.ReadFull(c.Random, b[:]); err != nil {
		return most
	}
	return most/4 + time.Duration(binary.BigEndian.Uint64(b[:])%uint64(most*3/4))
}

// send sends a request once.
func (c *Client) send(ctx context.Context, in request) (*http.Response, error) {
	var body io.Reader = http.NoBody
	hash := sigv4.EmptyHash
	if in.body.Size > 0 {
		body, hash = in.body.Open(), in.body.SHA256
	}
	tryCtx, cancel := context.WithCancel(ctx)
	stop := clock.AfterFunc(c.Clock, requestTimeout, cancel)
	r, err := http.NewRequestWithContext(tryCtx, in.method, c.target(in), body)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("call %s: %w", c.Endpoint.Host, err)
	}
	r.ContentLength = in.body.Size
	maps.Copy(r.Header, in.header)
	if c.Credentials.AccessKeyID != "" {
		signer := sigv4.Signer{AccessKeyID: c.Credentials.AccessKeyID, Secret: c.Credentials.Secret, Token: c.Credentials.Token, Region: c.Region, Service: "s3", S3: true}
		if err := signer.SignHTTP(r, hash, c.Clock.Now()); err != nil {
			cancel()
			return nil, fmt.Errorf("sign request: %w", err)
		}
	}
	answer, err := c.HTTP.Do(r)
	stop()
	if err != nil {
		cancel()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w from %s: %w", ErrUnreachable, c.Endpoint.Host, withoutURL(err))
	}
	answer.Body = &ending{answer.Body, cancel}
	if answer.StatusCode < 300 {
		return answer, nil
	}
	defer answer.Body.Close()
	return nil, failure(answer)
}

// withoutURL takes the URL off an error of net/http: it says nothing new, and may be long.
func withoutURL(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// ending is a body that ends its request's context when it is closed.
type ending struct {
	io.ReadCloser

	cancel context.CancelFunc
}

func (e *ending) Close() error {
	err := e.ReadCloser.Close()
	e.cancel()
	return err
}

// failure reads an error.
func failure(answer *http.Response) error {
	e := &Error{Status: answer.StatusCode, RequestID: answer.Header.Get("X-Amz-Request-Id")}
	var doc struct{ Code, Message string }
	raw, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err == nil && xml.Unmarshal(raw, &doc) == nil {
		e.Code, e.Message = doc.Code, doc.Message
	}
	if e.Code == "" {
		e.Message = http.StatusText(answer.StatusCode)
	}
	return e
}

// call sends a request and decodes the XML of its answer into out, unless that is nil.
func (c *Client) call(ctx context.Context, in request, out any) (http.Header, error) {
	answer, err := c.do(ctx, in)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%w from %s: %w", ErrUnreachable, c.Endpoint.Host, err)
	}
	if out == nil {
		return answer.Header, nil
	}
	if err := xml.Unmarshal(raw, out); err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", c.Endpoint.Host, err)
	}
	return answer.Header, nil
}
