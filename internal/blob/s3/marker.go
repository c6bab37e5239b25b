package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"lambent.dev/lambent/internal/s3client"
)

// markerName is the name of the marker below the prefix.
const markerName = "LAMBENT"

// marker says whose blobs a prefix holds.
type marker struct {
	// Owner identifies the store that refers to the blobs, Process the process that writes them.
	Owner   string `json:"owner"`
	Process string `json:"process"`
	// Next is the id up to which ids have been reserved.
	Next uint64 `json:"next"`
}

// errTaken is returned when another process has taken the prefix over.
var errTaken = errors.New("another process with a copy of this data folder has taken over the bodies in the cluster; end one of the two, and restart this one if it is to go on")

// readMarker returns the marker, which is empty when there is none, and notes its tag.
func (s *Store) readMarker(ctx context.Context) (m marker, err error) {
	answer, err := s.o.Client.Get(ctx, s.o.Bucket, s.o.Prefix+markerName, 0, -1)
	if s3client.IsNotFound(err) {
		s.setTag("")
		return m, nil
	}
	if err != nil {
		return m, err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return m, fmt.Errorf("%w: read marker: %w", s3client.ErrUnreachable, err)
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return m, fmt.Errorf("the object %s%s is no marker of ours: %w", s.where(), markerName, err)
	}
	s.setTag(answer.Header.Get("ETag"))
	return m, nil
}

func (s *Store) setTag(etag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.etag = etag
}

func (s *Store) tag() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.etag
}

// writeMarker reserves the ids below limit, unless the marker has changed since we saw it. Clusters that do not know conditional writes get a plain one.
func (s *Store) writeMarker(ctx context.Context, limit uint64) error {
	own := marker{s.o.Owner, s.o.Process, limit}
	raw, err := json.Marshal(own)
	if err != nil {
		return fmt.Errorf("encode marker: %w", err)
	}
	condition := http.Header{"If-None-Match": {"*"}}
	if etag := s.tag(); etag != "" {
		condition = http.Header{"If-Match": {etag}}
	}
	header, err := s.o.Client.Put(ctx, s.o.Bucket, s.o.Prefix+markerName, condition, s3client.TextBody(string(raw)))
	if s3client.HasCode(err, "NotImplemented") {
		header, err = s.o.Client.Put(ctx, s.o.Bucket, s.o.Prefix+markerName, nil, s3client.TextBody(string(raw)))
	}
	if s3client.HasCode(err, "PreconditionFailed", "ConditionalRequestConflict") {
		// An earlier attempt may have been stored without its answer reaching us.
		found, readErr := s.readMarker(ctx)
		switch {
		case readErr != nil:
			return unavailable("reserve ids", readErr)
		case found != own:
			return errTaken
		}
		return nil
	}
	if err != nil {
		return unavailable("reserve ids", err)
	}
	s.setTag(header.Get("ETag"))
	return nil
}

// stillOurs returns an error when another process has taken the prefix over.
func (s *Store) stillOurs(ctx context.Context) error {
	found, err := s.readMarker(ctx)
	if err != nil {
		return err
	}
	if found.Owner != s.o.Owner || found.Process != s.o.Process {
		return errTaken
	}
	return nil
}
