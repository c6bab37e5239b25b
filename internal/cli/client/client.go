package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"

	"lambent.dev/lambent/internal/auth/sigv4"
	"lambent.dev/lambent/internal/clock"
)

// maxAnswer bounds an answer, in bytes.
const maxAnswer = 64 << 20

// Client calls one Lambent with one identity.
type Client struct {
	// Endpoint is the base URL, without a trailing slash.
	Endpoint string
	// Region is the region of all calls.
	Region string
	// AccessKeyID, Secret and Token are the credentials; Token may be empty.
	AccessKeyID, Secret, Token string
	HTTP                       *http.Client
	Clock                      clock.Clock
}

// Error is what a service answered instead of a result.
type Error struct {
	Code, Message, RequestID string
	Status                   int
}

func (e *Error) Error() string {
	text := e.Message
	if e.Code != "" {
		text = e.Code + ": " + text
	}
	if e.RequestID != "" {
		text += " (request " + e.RequestID + ")"
	}
	return text
}

// HasCode tells whether err is an answer with the error code.
func HasCode(err error, code string) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

// ErrNotRunning is in the chain of an error when nothing listens at the endpoint.
var ErrNotRunning = errors.New("no Lambent is running")

type call struct {
	service, method, target string
	header                  http.Header
	body                    []byte
	// file is sent in the place of body when it is set, and sum is its SHA-256 in hexadecimal.
	file, sum string
}

// do sends a signed request and returns the answer when its status is below 300.
func (c *Client) do(ctx context.Context, in call) (*http.Response, []byte, error) {
	answer, err := c.send(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, nil, fmt.Errorf("call %s: read answer: %w", in.service, err)
	}
	if answer.StatusCode >= 300 {
		return nil, nil, failure(answer, body)
	}
	return answer, body, nil
}

// send sends a signed request. The caller reads and closes the answer.
func (c *Client) send(ctx context.Context, in call) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, in.method, c.Endpoint+in.target, bytes.NewReader(in.body))
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", c.Endpoint, err)
	}
	maps.Copy(r.Header, in.header)
	hash := in.sum
	if in.file == "" {
		sum := sha256.Sum256(in.body)
		hash = hex.EncodeToString(sum[:])
	} else if err := attach(r, in.file); err != nil {
		return nil, err
	}
	signer := sigv4.Signer{
		AccessKeyID: c.AccessKeyID, Secret: c.Secret, Token: c.Token,
		Region: c.Region, Service: in.service, S3: in.service == "s3",
	}
	if err := signer.SignHTTP(r, hash, c.Clock.Now()); err != nil {
		return nil, fmt.Errorf("sign request: %w", err)
	}
	answer, err := c.HTTP.Do(r)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("%w at %s", ErrNotRunning, c.Endpoint)
	}
	if err != nil {
		return nil, fmt.Errorf("call %s: %w", in.service, err)
	}
	return answer, nil
}

// attach makes a file the body of a request, which closes it.
func attach(r *http.Request, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read what is sent: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(fmt.Errorf("read what is sent: %w", err), f.Close())
	}
	r.Body, r.ContentLength, r.GetBody = f, info.Size(), nil
	return nil
}

// failure reads an error in any of the protocols' forms.
func failure(answer *http.Response, body []byte) error {
	e := &Error{Status: answer.StatusCode}
	for _, name := range []string{"X-Amzn-Requestid", "X-Amz-Request-Id"} {
		if id := answer.Header.Get(name); id != "" {
			e.RequestID = id
		}
	}
	var inJSON struct {
		Type    string `json:"__type"`
		Code    string `json:"code"`
		Message string `json:"message"`
		Upper   string `json:"Message"`
	}
	var inXML struct {
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
		Error   struct {
			Code    string `xml:"Code"`
			Message string `xml:"Message"`
		} `xml:"Error"`
	}
	switch {
	case json.Unmarshal(body, &inJSON) == nil:
		e.Code, e.Message = inJSON.Type, inJSON.Message
		if e.Code == "" {
			e.Code = inJSON.Code
		}
		if e.Message == "" {
			e.Message = inJSON.Upper
		}
		if kind := answer.Header.Get("X-Amzn-Errortype"); e.Code == "" && kind != "" {
			e.Code = kind
		}
		e.Code = e.Code[strings.LastIndexByte(e.Code, '#')+1:]
		e.Code, _, _ = strings.Cut(e.Code, ":")
	case xml.Unmarshal(body, &inXML) == nil:
		e.Code, e.Message = inXML.Code, inXML.Message
		if inXML.Error.Code != "" {
			e.Code, e.Message = inXML.Error.Code, inXML.Error.Message
		}
	}
	if e.Code == "" && e.Message == "" {
		e.Message = answer.Status
		if text := strings.TrimSpace(string(body)); text != "" && len(text) < 1000 && strings.HasPrefix(answer.Header.Get("Content-Type"), "text/plain") {
			e.Message = text
		}
	}
	return e
}

// query calls an operation of a query-protocol API and decodes the XML of its answer into out.
func (c *Client) query(ctx context.Context, service, version, action string, params url.Values, out any) error {
	if params == nil {
		params = url.Values{}
	}
	params.Set("Action", action)
	params.Set("Version", version)
	_, body, err := c.do(ctx, call{
		service: service, method: http.MethodPost, target: "/",
		header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}},
		body:   []byte(params.Encode()),
	})
	if err != nil || out == nil {
		return err
	}
	if err := xml.Unmarshal(body, out); err != nil {
		return fmt.Errorf("read the answer of %s: %w", action, err)
	}
	return nil
}

// Account returns the account of the credentials.
func (c *Client) Account(ctx context.Context) (string, error) {
	var out struct {
		Account string `xml:"GetCallerIdentityResult>Account"`
	}
	err := c.query(ctx, "sts", "2011-06-15", "GetCallerIdentity", nil, &out)
	return out.Account, err
}
