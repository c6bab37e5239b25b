package client

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// objectTarget returns the path of an object with every byte encoded that S3's signing rules want encoded.
func objectTarget(bucket, key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.QueryEscape(p), "+", "%20")
	}
	return "/" + bucket + "/" + strings.Join(parts, "/")
}

// EnsureBucket makes a bucket unless it exists.
func (c *Client) EnsureBucket(ctx context.Context, bucket string) error {
	_, _, err := c.do(ctx, call{service: "s3", method: http.MethodHead, target: "/" + bucket})
	var e *Error
	if err == nil || !errors.As(err, &e) || e.Status != http.StatusNotFound {
		return err
	}
	var body []byte
	if c.Region != "us-east-1" {
		body = fmt.Appendf(nil, "<CreateBucketConfiguration><LocationConstraint>%s</LocationConstraint></CreateBucketConfiguration>", c.Region)
	}
	_, _, err = c.do(ctx, call{service: "s3", method: http.MethodPut, target: "/" + bucket, body: body})
	if HasCode(err, "BucketAlreadyOwnedByYou") {
		return nil
	}
	return err
}

// HasObject tells whether an object exists.
func (c *Client) HasObject(ctx context.Context, bucket, key string) (bool, error) {
	_, _, err := c.do(ctx, call{service: "s3", method: http.MethodHead, target: objectTarget(bucket, key)})
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// PutObject stores an object.
func (c *Client) PutObject(ctx context.Context, bucket, key, contentType string, body []byte) error {
	header := http.Header{}
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	_, _, err := c.do(ctx, call{service: "s3", method: http.MethodPut, target: objectTarget(bucket, key), header: header, body: body})
	return err
}

// PutFile puts a file into a bucket without reading it into memory. header has what the object keeps, and sum is the file's SHA-256 in hexadecimal.
func (c *Client) PutFile(ctx context.Context, bucket, key string, header http.Header, name, sum string) error {
	_, _, err := c.do(ctx, call{service: "s3", method: http.MethodPut, target: objectTarget(bucket, key), header: header, file: name, sum: sum})
	return err
}

// DeleteObject removes an object.
func (c *Client) DeleteObject(ctx context.Context, bucket, key string) error {
	_, _, err := c.do(ctx, call{service: "s3", method: http.MethodDelete, target: objectTarget(bucket, key)})
	return err
}

// Objects returns the ETag of every object of a bucket, without quotes, by key.
func (c *Client) Objects(ctx context.Context, bucket string) (map[string]string, error) {
	all := map[string]string{}
	token := ""
	for {
		query := "list-type=2"
		if token != "" {
			query = "continuation-token=" + url.QueryEscape(token) + "&" + query
		}
		_, body, err := c.do(ctx, call{service: "s3", method: http.MethodGet, target: "/" + bucket + "?" + query})
		if err != nil {
			return nil, err
		}
		var out struct {
			Contents []struct {
				Key  string
				ETag string
			}
			NextContinuationToken string
		}
		if err := xml.Unmarshal(body, &out); err != nil {
			return nil, fmt.Errorf("read the list of %s: %w", bucket, err)
		}
		for _, o := range out.Contents {
			all[o.Key] = strings.Trim(o.ETag, `"`)
		}
		if token = out.NextContinuationToken; token == "" {
			return all, nil
		}
	}
}
