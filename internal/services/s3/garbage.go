package s3

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/store"
)

const (
	garbageKind = "s3-garbage"
	// garbageDelay is how long a body without references stays, so that whoever is reading it can finish.
	garbageDelay = 10 * time.Minute
)

// retain adds a reference to each body.
func retain(tx store.Txn, ids ...blob.ID) error {
	for _, id := range ids {
		n, err := references(tx, id)
		if err != nil {
			return err
		}
		tx.Set(blobKey(id), binary.AppendUvarint(nil, n+1))
	}
	return nil
}

// release drops a reference to each body, and queues those without any for removal.
func (s *Service) release(tx store.Txn, ids []blob.ID) error {
	var gone []blob.ID
	for _, id := range ids {
		n, err := references(tx, id)
		if err != nil {
			return err
		}
		if n > 1 {
			tx.Set(blobKey(id), binary.AppendUvarint(nil, n-1))
			continue
		}
		tx.Delete(blobKey(id))
		gone = append(gone, id)
	}
	if len(gone) == 0 {
		return nil
	}
	payload, err := json.Marshal(gone)
	if err != nil {
		return fmt.Errorf("encode garbage: %w", err)
	}
	return events.Enqueue(tx, events.Job{Kind: garbageKind, Payload: payload, NotBefore: s.now().Add(garbageDelay)})
}

func references(r store.Reader, id blob.ID) (uint64, error) {
	v, err := r.Get(blobKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read references of a body: %w", err)
	}
	n, used := binary.Uvarint(v)
	if used <= 0 {
		return 0, errors.New("read references of a body: bad count")
	}
	return n, nil
}

// collect removes the bodies that a transaction left without references.
func (s *Service) collect(ctx context.Context, job events.Job) error {
	var ids []blob.ID
	if err := json.Unmarshal(job.Payload, &ids); err != nil {
		return events.Permanent(fmt.Errorf("decode garbage: %w", err))
	}
	for _, id := range ids {
		if err := s.blobs.Delete(ctx, id); err != nil {
			return fmt.Errorf("delete body %s: %w", id, err)
		}
	}
	return nil
}

// BlobInUse tells whether an object or a part refers to a body, for the sweep after a crash.
func (s *Service) BlobInUse(ctx context.Context, id blob.ID) (bool, error) {
	var n uint64
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		n, err = references(r, id)
		return err
	})
	return n > 0, err
}
