package dynamodb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/lib/uuid"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
	"lambent.dev/lambent/internal/store/record"
)

// A snapshot is a copy of a table's items as they were at one moment: when it began, or before that with the help of the log of point-in-time recovery.
// Backups, restores and exports are made of snapshots.
//
// It is made in batches while the table is written to. The table's record names the snapshots that are being made, and every write reads it: from the
// transaction on that begins a snapshot, a write first preserves what its item was, unless the snapshot has a row for it already. The job that copies
// does not touch rows that are there. A row without bytes says that there was no item. When all items are copied, writes need not preserve any more.
type snapshotRecord struct {
	ID      string    `json:"id"`
	Table   string    `json:"table"`
	TableID string    `json:"table_id"`
	Begun   time.Time `json:"begun"`
	// At is the moment that is copied, when it is before Begun.
	At time.Time `json:"at,omitzero"`
	// Phase is what is being done, and Cursor the last key with which it was done.
	Phase  snapshotPhase `json:"phase"`
	Cursor []byte        `json:"cursor,omitempty"`
	// MarkSeen tells that undoing came to the row with which the snapshot began: rows after it are of writes that were preserved.
	MarkSeen bool  `json:"mark_seen,omitempty"`
	Items    int64 `json:"items"`
	Bytes    int64 `json:"bytes"`
	// Purpose says what is done with the snapshot when it is ready, and Ref for what.
	Purpose snapshotPurpose `json:"purpose"`
	Ref     string          `json:"ref"`
}

// snapshotPhase is a part of the making of a snapshot. The numbers are on disk and never change their meaning.
type snapshotPhase uint8

const (
	phaseCopy  snapshotPhase = iota // copy the items that no write has preserved
	phaseUndo                       // undo the writes after At
	phaseCount                      // drop the rows without an item, and count the others
)

type snapshotPurpose uint8

const (
	purposeBackup  snapshotPurpose = iota // Ref is the backup's ARN
	purposeRestore                        // Ref is the name of the table to restore to
	purposeExport                         // Ref is the export's ARN
)

// Bounds of a transaction of a snapshot or a restore.
const (
	snapshotItems = 200
	snapshotBytes = 512 << 10
)

func (p place) snapshot(id string) key.Key     { return p.root("n").Str(id) }
func (p place) snapshotRows(id string) key.Key { return p.root("b").Str(id) }

// beginSnapshot begins a snapshot of the table as it was at a time, or as it is in this transaction for the zero time.
func (s *Service) beginSnapshot(tx store.Txn, t *table, at time.Time, purpose snapshotPurpose, ref string) (*snapshotRecord, error) {
	id, err := uuid.New(s.random)
	if err != nil {
		return nil, err
	}
	sn := &snapshotRecord{ID: id, Table: t.Name, TableID: t.ID, Begun: s.clock.Now().UTC(), Purpose: purpose, Ref: ref}
	if !at.IsZero() && at.Before(sn.Begun) {
		sn.At = at
	}
	r := *t.tableRecord
	r.Snapshots = append(slices.Clone(r.Snapshots), id)
	if t.Recovery != nil && !sn.At.IsZero() {
		tx.Append(t.undoLog(sn.Begun), undoRow{at: sn.Begun, mark: id}.encode())
	}
	if err := saveTable(tx, t.place, &r); err != nil {
		return nil, err
	}
	if err := record.Set(tx, t.place.snapshot(id), sn); err != nil {
		return nil, err
	}
	return sn, enqueueRef(tx, t.place, jobSnapshot, id)
}

// preserve keeps what an item was in the snapshots that are being made of its table.
func (t *table) preserve(tx store.Txn, itemKey []byte, old attr.Map) error {
	for _, id := range t.Snapshots {
		row := t.place.snapshotRows(id).Raw(itemKey[len(t.items):])
		there, err := record.Has(tx, row)
		if err != nil {
			return err
		}
		if !there {
			tx.Set(row, old)
		}
	}
	return nil
}

// refJob is the payload of the jobs that work on one thing in a place.
type refJob struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Ref     string `json:"ref"`
}

// enqueueRef adds work on a thing to a transaction.
func enqueueRef(tx store.Txn, p place, kind, ref string) error {
	b, err := json.Marshal(refJob{p.account, p.region, ref})
	if err != nil {
		return fmt.Errorf("write job: %w", err)
	}
	return events.Enqueue(tx, events.Job{Kind: kind, Payload: b})
}

func onRefJob(run func(ctx context.Context, p place, ref string) error) func(context.Context, events.Job) error {
	return func(ctx context.Context, job events.Job) error {
		var j refJob
		if err := json.Unmarshal(job.Payload, &j); err != nil {
			return events.Permanent(fmt.Errorf("read job %s: %w", job.ID, err))
		}
		return run(ctx, place{j.Account, j.Region}, j.Ref)
	}
}

// runSnapshot makes a snapshot to its end.
func (s *Service) runSnapshot(ctx context.Context, p place, id string) error {
	for done := false; !done; {
		err := s.store.Update(ctx, func(tx store.Txn) error {
			sn, ok, err := record.Get[snapshotRecord](tx, p.snapshot(id))
			if done = err != nil || !ok; done {
				return err
			}
			more, err := s.snapshotStep(tx, p, &sn)
			if err != nil {
				return err
			}
			if more {
				return record.Set(tx, p.snapshot(id), sn)
			}
			done = true
			return s.finishSnapshot(tx, p, &sn)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// snapshotStep does the next batch, and tells whether there is more to do.
func (s *Service) snapshotStep(tx store.Txn, p place, sn *snapshotRecord) (more bool, err error) {
	switch sn.Phase {
	case phaseCopy:
		if more, err = sn.copyBatch(tx, p); err == nil && !more {
			sn.Phase, sn.Cursor, more = phaseUndo, nil, true
			err = s.changeSource(tx, p, sn, func(r *tableRecord) {
				r.Snapshots = without(r.Snapshots, sn.ID)
				if !sn.At.IsZero() {
					r.Undoing = append(slices.Clone(r.Undoing), sn.ID)
				}
			})
		}
	case phaseUndo:
		if !sn.At.IsZero() {
			more, err = sn.undoBatch(tx, p)
		}
		if err == nil && !more {
			sn.Phase, sn.Cursor, more = phaseCount, nil, true
			err = s.changeSource(tx, p, sn, func(r *tableRecord) { r.Undoing = without(r.Undoing, sn.ID) })
		}
	case phaseCount:
		more, err = sn.countBatch(tx, p)
	}
	return more, err
}

// errBatchFull is what each returns to end a batch behind the pair that it was given.
var errBatchFull = errors.New("the batch is full")

// batch yields the pairs of a span behind a cursor until a transaction's worth was read, limit bytes at most. It moves the cursor, and tells whether there is more.
func batch(r store.Reader, span store.Span, cursor *[]byte, limit int, each func(store.Pair) error) (more bool, err error) {
	if *cursor != nil {
		if span.Reverse {
			span.Hi = *cursor
		} else {
			span.Lo = append(slices.Clone(*cursor), 0)
		}
	}
	n, size := 0, 0
	for pair, err := range r.Range(span) {
		if err != nil {
			return false, err
		}
		if n == snapshotItems || size > limit {
			return true, nil
		}
		n++
		size += len(pair.Value)
		*cursor = bytes.Clone(pair.Key)
		if err := each(store.Pair{Key: *cursor, Value: bytes.Clone(pair.Value)}); errors.Is(err, errBatchFull) {
			return true, nil
		} else if err != nil {
			return false, err
		}
	}
	return false, nil
}

func (sn *snapshotRecord) copyBatch(tx store.Txn, p place) (more bool, err error) {
	items, rows := p.items(sn.TableID), p.snapshotRows(sn.ID)
	return batch(tx, items.Span(), &sn.Cursor, snapshotBytes, func(pair store.Pair) error {
		row := rows.Raw(pair.Key[len(items):])
		there, err := record.Has(tx, row)
		if err == nil && !there {
			tx.Set(row, pair.Value)
		}
		return err
	})
}

func (sn *snapshotRecord) countBatch(tx store.Txn, p place) (more bool, err error) {
	return batch(tx, p.snapshotRows(sn.ID).Span(), &sn.Cursor, snapshotBytes, func(pair store.Pair) error {
		if len(pair.Value) == 0 {
			tx.Delete(pair.Key)
			return nil
		}
		sn.Items++
		sn.Bytes += int64(attr.Map(pair.Value).Size())
		return nil
	})
}

// changeSource changes the record of the table that a snapshot is of.
func (s *Service) changeSource(tx store.Txn, p place, sn *snapshotRecord, change func(r *tableRecord)) error {
	t, err := s.findTable(tx, p, sn.Table)
	if err != nil || t == nil || t.ID != sn.TableID {
		return err
	}
	r := *t.tableRecord
	change(&r)
	return saveTable(tx, p, &r)
}

func without(ids []string, id string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(other string) bool { return other == id })
}

// finishSnapshot hands a snapshot to what it was made for. Its rows stay, its record goes.
func (s *Service) finishSnapshot(tx store.Txn, p place, sn *snapshotRecord) error {
	tx.Delete(p.snapshot(sn.ID))
	switch sn.Purpose {
	case purposeBackup:
		return finishBackup(tx, p, sn)
	case purposeRestore:
		return enqueueRef(tx, p, jobRestore, sn.Ref)
	case purposeExport:
		return s.beginExportFiles(tx, p, sn)
	}
	return errors.New("a snapshot with an unknown purpose")
}
