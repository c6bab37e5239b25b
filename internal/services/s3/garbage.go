package s3

import (
	"bytes"
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
	purgeKind   = "s3-purge"
	// purgeBatch is how many parts one transaction removes.
	purgeBatch = 200
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

// holdsBody tells whether an object or a part refers to a body.
func (s *Service) holdsBody(ctx context.Context, id blob.ID) (bool, error) {
	var n uint64
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		n, err = references(r, id)
		return err
	})
	return n > 0, err
}

// queuePurge queues the removal of the multipart uploads that a deleted bucket leaves. Nobody sees them anymore, because a bucket's id is never used again.
func (s *Service) queuePurge(tx store.Txn, b *bucket) error {
	left, err := hasAny(tx, b.row("up").Span())
	if err != nil || !left {
		return err
	}
	payload, err := json.Marshal(bucket{ID: b.ID, Account: b.Account, Region: b.Region})
	if err != nil {
		return fmt.Errorf("encode purge: %w", err)
	}
	return events.Enqueue(tx, events.Job{Kind: purgeKind, Payload: payload})
}

// purge removes the uploads and parts of a deleted bucket, some at a time.
func (s *Service) purge(ctx context.Context, job events.Job) error {
	var b bucket
	if err := json.Unmarshal(job.Payload, &b); err != nil {
		return events.Permanent(fmt.Errorf("decode purge: %w", err))
	}
	for more := true; more; {
		err := s.store.Update(ctx, func(tx store.Txn) error {
			rows := b.row("part").Span()
			rows.Limit = purgeBatch
			var parts []part
			var keys [][]byte
			for row, err := range tx.Range(rows) {
				if err != nil {
					return fmt.Errorf("read parts: %w", err)
				}
				var p part
				if _, err := decodeRow(row.Value, &p); err != nil {
					return err
				}
				parts = append(parts, p)
				keys = append(keys, bytes.Clone(row.Key))
			}
			for _, k := range keys {
				tx.Delete(k)
			}
			more = len(parts) == purgeBatch
			if !more {
				tx.DeleteRange(b.row("up"), b.row("up").End())
			}
			return s.release(tx, partBlobs(parts))
		})
		if err != nil {
			return fmt.Errorf("purge bucket: %w", err)
		}
	}
	return nil
}
