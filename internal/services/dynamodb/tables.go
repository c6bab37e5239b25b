package dynamodb

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

const maxCachedTables = 4096

// findTable returns a table as a transaction sees it, or nil when there is none of that name. The transaction conflicts with changes of the table; what is
// kept in memory spares it the decoding.
func (s *Service) findTable(r store.Reader, p place, nameOrARN string) (*table, error) {
	p, name, ok := p.of(nameOrARN)
	if !ok {
		return nil, nil // the ARN of another region
	}
	k := p.table(name)
	b, err := r.Get(k)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if t, ok := s.known.Peek(p, name); ok && t != nil && bytes.Equal(t.encoded, b) {
		return t, nil
	}
	record := &tableRecord{}
	if err := json.Unmarshal(b, record); err != nil {
		return nil, fmt.Errorf("read table record %q: %w", k, err)
	}
	t := newTable(p, record)
	t.encoded = bytes.Clone(b)
	return t, nil
}

// knownTable returns a table for a read or for a decision about permissions, or nil. It is never older than the last acknowledged change of the table.
func (s *Service) knownTable(ctx context.Context, p place, nameOrARN string) (*table, error) {
	p, name, ok := p.of(nameOrARN)
	if !ok {
		return nil, nil
	}
	t, err := s.known.Get(ctx, p, name, func(r store.Reader) (*table, error) { return s.findTable(r, p, name) })
	return t, storeError(err)
}

// readTable returns the table of an operation that only reads items.
func (s *Service) readTable(ctx context.Context, p place, nameOrARN string) (*table, error) {
	t, err := s.knownTable(ctx, p, nameOrARN)
	if err == nil && (t == nil || t.loading()) {
		err = noItemTable()
	}
	return t, err
}

// itemTable returns the table of an operation on items.
func (s *Service) itemTable(r store.Reader, p place, nameOrARN string) (*table, error) {
	t, err := s.findTable(r, p, nameOrARN)
	if err == nil && (t == nil || t.loading()) {
		err = noItemTable()
	}
	return t, err
}

// adminTable returns the table of an operation on tables.
func (s *Service) adminTable(r store.Reader, p place, nameOrARN string) (*table, error) {
	t, err := s.findTable(r, p, nameOrARN)
	if err == nil && t == nil {
		err = noTable(tableName(nameOrARN))
	}
	return t, err
}

// ownTable returns the table of an operation that an account makes on its own tables alone.
func (s *Service) ownTable(r store.Reader, p place, nameOrARN string) (*table, error) {
	t, err := s.adminTable(r, p, nameOrARN)
	if err == nil && t.place != p {
		return nil, noTable(nameOrARN)
	}
	return t, err
}

// clone returns a copy that shares nothing with r.
func (r *tableRecord) clone() (*tableRecord, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("copy table record %s: %w", r.Name, err)
	}
	out := &tableRecord{}
	if err := json.Unmarshal(b, out); err != nil {
		return nil, fmt.Errorf("copy table record %s: %w", r.Name, err)
	}
	return out, nil
}

// saveTable writes a table's record.
func saveTable(tx store.Txn, p place, r *tableRecord) error {
	b, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("write table record %s: %w", r.Name, err)
	}
	tx.Set(p.table(r.Name), b)
	return nil
}

// changeTable runs change on a copy of a table's record and stores it.
func (s *Service) changeTable(ctx context.Context, p place, nameOrARN string, change func(tx store.Txn, t *table, r *tableRecord) error) (*table, error) {
	var changed *table
	err := s.store.Update(ctx, func(tx store.Txn) error {
		t, err := s.adminTable(tx, p, nameOrARN)
		if err != nil {
			return err
		}
		r, err := t.clone()
		if err != nil {
			return err
		}
		if err := change(tx, t, r); err != nil {
			return err
		}
		changed = newTable(t.place, r)
		return saveTable(tx, t.place, r)
	})
	return changed, storeError(err)
}

// placeOf returns where the resources of a request lie.
func placeOf(ctx context.Context) place {
	r := service.RequestFrom(ctx)
	return place{r.Account, r.Region}
}

// statistics are the size of a table and of its indexes.
type statistics struct {
	table   sizes
	indexes map[uint64]sizes
}

type sizes struct{ items, bytes int64 }

// statisticsCache keeps the counts of tables that took long to count.
type statisticsCache struct {
	mu      sync.Mutex // guards the fields below
	byTable map[string]countedTable
}

type countedTable struct {
	statistics statistics
	until      time.Time
}

// Counting is repeated when it is cheap, and otherwise kept for a hundred times as long as it took, at most as long as AWS lets pass.
const (
	cheapCount     = 20 * time.Millisecond
	countKeep      = 100
	maxCountStales = 6 * time.Hour
	// maxCounted is how many items of a table or an index are counted one by one, and countStep how many in one transaction.
	maxCounted = 200_000
	countStep  = 20_000
)
