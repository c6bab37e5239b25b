package dynamodb

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"lambent.dev/lambent/internal/events"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/store"
)

// The kinds of durable work.
const (
	jobFill     = "dynamodb.fill"     // fill what a change of a table added: an index, a time to live
	jobExpire   = "dynamodb.expire"   // delete items that are due; its name is the table's id
	jobForget   = "dynamodb.forget"   // trim the log of point-in-time recovery; its name is the table's id
	jobSnapshot = "dynamodb.snapshot" // make a snapshot
	jobRestore  = "dynamodb.restore"  // write a snapshot's items into a table
	jobReplica  = "dynamodb.replica"  // copy the items of a global table to a new replica
	jobExport   = "dynamodb.export"   // write the files of an export
	jobImport   = "dynamodb.import"   // read the files of an import
	jobStream   = "dynamodb.stream"   // close and trim the shards of a stream; its name is the stream's ARN
)

// tableJob is the payload of the kinds that work on a table.
type tableJob struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Table   string `json:"table"`
}

func (s *Service) jobs() []events.Kind {
	return []events.Kind{
		{Name: jobFill, Concurrency: 2, Handle: onTableJob(s.runFill)},
		{Name: jobExpire, Concurrency: 4, Handle: onTableJob(s.runExpire), MakesRoom: true},
		{Name: jobForget, Concurrency: 2, Handle: onTableJob(s.runForget), MakesRoom: true},
		{Name: jobSnapshot, Concurrency: 4, Handle: onRefJob(s.runSnapshot)},
		{Name: jobRestore, Concurrency: 4, Handle: onRefJob(s.runRestore)},
		{Name: jobReplica, Concurrency: 2, Handle: onRefJob(s.runReplica)},
		{Name: jobExport, Concurrency: 2, Handle: onRefJob(s.runExport)},
		{Name: jobImport, Concurrency: 2, Handle: onRefJob(s.runImport)},
		{Name: jobStream, Concurrency: 4, Handle: s.runStream, MakesRoom: true},
	}
}

func onTableJob(run func(ctx context.Context, p place, table string) error) func(context.Context, events.Job) error {
	return func(ctx context.Context, job events.Job) error {
		var j tableJob
		if err := json.Unmarshal(job.Payload, &j); err != nil {
			return events.Permanent(fmt.Errorf("read job %s: %w", job.ID, err))
		}
		return run(ctx, place{j.Account, j.Region}, j.Table)
	}
}

// enqueue adds work on a table to a transaction.
func enqueue(tx store.Txn, p place, kind, table, name string, at time.Time) error {
	b, err := json.Marshal(tableJob{p.account, p.region, table})
	if err != nil {
		return fmt.Errorf("write job: %w", err)
	}
	return events.Enqueue(tx, events.Job{Kind: kind, Name: name, Payload: b, NotBefore: at})
}

// runFill does all filling that a table needs.
func (s *Service) runFill(ctx context.Context, p place, name string) error {
	t, err := s.knownTable(ctx, p, name)
	if err != nil || t == nil {
		return err
	}
	if t.TTLFilling {
		if err := s.fillTTL(ctx, p, name); err != nil {
			return err
		}
	}
	for _, ix := range t.indexes {
		if ix.Filling {
			if err := s.fillIndex(ctx, p, name, ix.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// Bounds of a transaction that fills an index.
const (
	fillItems = 200
	fillBytes = 512 << 10
)

// fillIndex writes the entries of items that were there before the index, a batch at a time. Writes of the time since keep the index themselves.
func (s *Service) fillIndex(ctx context.Context, p place, name string, id uint64) error {
	return s.fill(ctx, p, name,
		func(r *tableRecord) (cursor *[]byte, filling *bool) {
			for i := range r.Global {
				if r.Global[i].ID == id {
					return &r.Global[i].Cursor, &r.Global[i].Filling
				}
			}
			return nil, nil
		},
		func(tx store.Txn, t *table, _ []byte, item attr.Map) error {
			for _, ix := range t.indexes {
				if ix.ID == id && ix.coversTyped(item) {
					tx.Set(ix.entryKey(t, item), ix.project(item))
				}
			}
			return nil
		})
}

// coversTyped tells whether an item that was not checked against the index belongs into it.
func (ix *index) coversTyped(item attr.Map) bool {
	fits := func(a keyAttr) bool {
		v := item.Get(a.name)
		return v.Type() == a.typ && (a.typ == attr.N || v.Len() > 0)
	}
	for _, a := range ix.keys.all {
		if !fits(a) {
			return false
		}
	}
	return checkKeyLengths(&ix.keys, item) == nil
}

// fill runs each over the items of a table in batches, and keeps in the table's record how far it came. state returns where.
func (s *Service) fill(ctx context.Context, p place, name string, state func(*tableRecord) (*[]byte, *bool),
	each func(tx store.Txn, t *table, itemKey []byte, item attr.Map) error,
) error {
	for {
		more := false
		err := s.store.Update(ctx, func(tx store.Txn) error {
			more = false
			t, err := s.findTable(tx, p, name)
			if err != nil || t == nil {
				return err
			}
			rec := *t.tableRecord
			rec.Global = append([]indexRecord(nil), t.Global...)
			cursor, filling := state(&rec)
			if filling == nil || !*filling {
				return nil
			}
			if more, err = t.fillBatch(tx, cursor, each); err != nil {
				return err
			}
			if !more {
				*cursor, *filling = nil, false
			}
			return saveTable(tx, p, &rec)
		})
		if err != nil || !more {
			return err
		}
	}
}

func (t *table) fillBatch(tx store.Txn, cursor *[]byte, each func(store.Txn, *table, []byte, attr.Map) error) (more bool, err error) {
	span := t.items.Span()
	if *cursor != nil {
		span.Lo = append(append([]byte(nil), *cursor...), 0)
	}
	items, size := 0, 0
	for pair, err := range tx.Range(span) {
		if err != nil {
			return false, err
		}
		if items == fillItems || size > fillBytes {
			return true, nil
		}
		items++
		size += len(pair.Value)
		k := append([]byte(nil), pair.Key...)
		if err := each(tx, t, k, attr.Map(pair.Value).Clone()); err != nil {
			return false, err
		}
		*cursor = k
	}
	return false, nil
}

// expiryOf returns the time in an expiry row's key, after its prefix.
func expiryOf(rest []byte) int64 {
	if len(rest) < 8 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(rest))
}
