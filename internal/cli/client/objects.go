package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// DamagedObject is a version of an object whose bytes on disk are not those that were stored.
type DamagedObject struct {
	Bucket  string `json:"bucket"`
	Key     string `json:"key"`
	Version string `json:"version"`
	Problem string `json:"problem"`
}

// ScrubTotal counts what a scrub looked at.
type ScrubTotal struct {
	Versions int64 `json:"versions"`
	Bytes    int64 `json:"bytes"`
	Damaged  int64 `json:"damaged"`
	Unproven int64 `json:"unproven"`
}

// BucketUsage is what a bucket holds: current objects, all versions, delete markers and unfinished uploads.
type BucketUsage struct {
	Bucket    string `json:"bucket"`
	Objects   int64  `json:"objects"`
	Versions  int64  `json:"versions"`
	Markers   int64  `json:"markers"`
	Uploads   int64  `json:"uploads"`
	Bytes     int64  `json:"bytes"`
	AllBytes  int64  `json:"allBytes"`
	PartBytes int64  `json:"partBytes"`
}

// Scrub verifies every stored body. Only the root user may.
func (c *Client) Scrub(ctx context.Context) (found []DamagedObject, total ScrubTotal, err error) {
	_, body, err := c.do(ctx, call{service: "lambent", method: http.MethodPost, target: "/_lambent/s3/scrub"})
	if err != nil {
		return nil, total, err
	}
	ended := false
	err = eachLine(body, func(line []byte) error {
		var l struct {
			DamagedObject
			Total *ScrubTotal `json:"total"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		if l.Total != nil {
			total, ended = *l.Total, true
			return nil
		}
		found = append(found, l.DamagedObject)
		return nil
	})
	if err == nil && !ended {
		err = errors.New("the scrub was cut off before its end")
	}
	return found, total, err
}

// Usage returns what each bucket holds. Only the root user may read it.
func (c *Client) Usage(ctx context.Context) ([]BucketUsage, error) {
	_, body, err := c.do(ctx, call{service: "lambent", method: http.MethodGet, target: "/_lambent/s3/usage"})
	if err != nil {
		return nil, err
	}
	var all []BucketUsage
	ended := false
	err = eachLine(body, func(line []byte) error {
		var l struct {
			BucketUsage
			End bool `json:"end"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		if l.End {
			ended = true
			return nil
		}
		all = append(all, l.BucketUsage)
		return nil
	})
	if err == nil && !ended {
		err = errors.New("the list of buckets was cut off before its end")
	}
	return all, err
}

// eachLine calls fn for the lines of an answer, until one tells of an error.
func eachLine(body []byte, fn func(line []byte) error) error {
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var failed struct {
			Error string `json:"error"`
		}
		if err := json.Unmarshal(lines.Bytes(), &failed); err == nil && failed.Error != "" {
			return errors.New(failed.Error)
		}
		if err := fn(lines.Bytes()); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
	}
	return lines.Err()
}
