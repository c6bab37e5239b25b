package s3client

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Object is an object of a listing.
type Object struct {
	Key          string
	Size         int64
	ETag         string
	LastModified time.Time
	StorageClass string
}

// Get opens an object from offset on: length bytes, or all when length is negative. The caller closes the answer's body.
func (c *Client) Get(ctx context.Context, bucket, key string, offset, length int64) (*http.Response, error) {
	header := http.Header{}
	switch {
	case length >= 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case offset > 0:
		header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	answer, err := c.do(ctx, request{method: http.MethodGet, bucket: bucket, key: key, header: header})
	if err != nil {
		return nil, err
	}
	if len(header) > 0 && answer.StatusCode != http.StatusPartialContent {
		_ = answer.Body.Close()
		return nil, fmt.Errorf("%s answers a range with status %d, not 206", c.Endpoint.Host, answer.StatusCode)
	}
	return answer, nil
}

// Head returns an object's header.
func (c *Client) Head(ctx context.Context, bucket, key string) (http.Header, error) {
	return c.call(ctx, request{method: http.MethodHead, bucket: bucket, key: key}, nil)
}

// PartSize returns the size of the first part of an object, in bytes: that of the whole object when it was not made of parts.
func (c *Client) PartSize(ctx context.Context, bucket, key string) (int64, error) {
	h, err := c.call(ctx, request{method: http.MethodHead, bucket: bucket, key: key, query: url.Values{"partNumber": {"1"}}}, nil)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s answers a part without its length", c.Endpoint.Host)
	}
	return n, nil
}

// Put stores an object and returns the header of the answer.
func (c *Client) Put(ctx context.Context, bucket, key string, header http.Header, body Body) (http.Header, error) {
	return c.call(ctx, request{method: http.MethodPut, bucket: bucket, key: key, header: header, body: body}, nil)
}

// Delete removes an object. One that does not exist is no error.
func (c *Client) Delete(ctx context.Context, bucket, key string) error {
	_, err := c.call(ctx, request{method: http.MethodDelete, bucket: bucket, key: key}, nil)
	if IsNotFound(err) {
		return nil
	}
	return err
}

// Tags returns an object's tags in the form of the header x-amz-tagging.
func (c *Client) Tags(ctx context.Context, bucket, key string) (string, error) {
	var out struct {
		Tags []struct{ Key, Value string } `xml:"TagSet>Tag"`
	}
	if _, err := c.call(ctx, request{method: http.MethodGet, bucket: bucket, key: key, query: url.Values{"tagging": {""}}}, &out); err != nil {
		return "", err
	}
	pairs := make([]string, 0, len(out.Tags))
	for _, t := range out.Tags {
		pairs = append(pairs, escape(t.Key)+"="+escape(t.Value))
	}
	return strings.Join(pairs, "&"), nil
}

// List returns up to 1,000 objects whose keys begin with prefix and come after a key, in order; more tells that there are others.
func (c *Client) List(ctx context.Context, bucket, prefix, after string) (page []Object, more bool, err error) {
	query := url.Values{"list-type": {"2"}, "prefix": {prefix}, "encoding-type": {"url"}}
	if after != "" {
		query.Set("start-after", after)
	}
	var out struct {
		Contents    []Object
		IsTruncated bool
	}
	if _, err := c.call(ctx, request{method: http.MethodGet, bucket: bucket, query: query}, &out); err != nil {
		return nil, false, err
	}
	for i := range out.Contents {
		if out.Contents[i].Key, err = url.QueryUnescape(out.Contents[i].Key); err != nil {
			return nil, false, fmt.Errorf("read the list of %s: %w", bucket, err)
		}
		out.Contents[i].ETag = strings.Trim(out.Contents[i].ETag, `"`)
	}
	return out.Contents, out.IsTruncated, nil
}

// Upload is a multipart upload that was begun.
type Upload struct {
	Key string
	ID  string `xml:"UploadId"`
}

// Part is an uploaded part.
type Part struct {
	PartNumber int
	ETag       string
}

// CreateUpload begins a multipart upload and returns its id.
func (c *Client) CreateUpload(ctx context.Context, bucket, key string, header http.Header) (string, error) {
	var out Upload
	_, err := c.call(ctx, request{method: http.MethodPost, bucket: bucket, key: key, header: header, query: url.Values{"uploads": {""}}}, &out)
	return out.ID, err
}

// UploadPart stores a part of an upload.
func (c *Client) UploadPart(ctx context.Context, bucket, key, upload string, number int, body Body) (Part, error) {
	query := url.Values{"uploadId": {upload}, "partNumber": {strconv.Itoa(number)}}
	header, err := c.call(ctx, request{method: http.MethodPut, bucket: bucket, key: key, query: query, body: body}, nil)
	return Part{number, header.Get("ETag")}, err
}

// CompleteUpload makes an object of the parts of an upload. An answer of success may still carry an error, which is returned as one.
func (c *Client) CompleteUpload(ctx context.Context, bucket, key, upload string, parts []Part) error {
	doc, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"CompleteMultipartUpload"`
		Part    []Part
	}{Part: parts})
	if err != nil {
		return fmt.Errorf("complete upload: %w", err)
	}
	answer, err := c.do(ctx, request{method: http.MethodPost, bucket: bucket, key: key, query: url.Values{"uploadId": {upload}}, body: TextBody(string(doc))})
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var out struct {
		XMLName       xml.Name
		Code, Message string
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("%w from %s: %w", ErrUnreachable, c.Endpoint.Host, err)
	}
	if err := xml.Unmarshal(raw, &out); err != nil {
		return fmt.Errorf("%w from %s: its end is missing", ErrUnreachable, c.Endpoint.Host)
	}
	if out.XMLName.Local == "Error" {
		return &Error{Status: http.StatusInternalServerError, Code: out.Code, Message: out.Message}
	}
	return nil
}

// AbortUpload ends an upload and removes its parts. One that does not exist is no error.
func (c *Client) AbortUpload(ctx context.Context, bucket, key, upload string) error {
	_, err := c.call(ctx, request{method: http.MethodDelete, bucket: bucket, key: key, query: url.Values{"uploadId": {upload}}}, nil)
	if IsNotFound(err) {
		return nil
	}
	return err
}

// Uploads returns up to 1,000 unfinished uploads whose keys begin with prefix and come after a key; more tells that there are others.
func (c *Client) Uploads(ctx context.Context, bucket, prefix, after string) (page []Upload, more bool, err error) {
	query := url.Values{"uploads": {""}, "prefix": {prefix}}
	if after != "" {
		query.Set("key-marker", after)
	}
	var out struct {
		Upload      []Upload
		IsTruncated bool
	}
	_, err = c.call(ctx, request{method: http.MethodGet, bucket: bucket, query: query}, &out)
	return out.Upload, out.IsTruncated, err
}

// CreateBucket makes a bucket.
func (c *Client) CreateBucket(ctx context.Context, bucket string) error {
	_, err := c.call(ctx, request{method: http.MethodPut, bucket: bucket}, nil)
	return err
}
