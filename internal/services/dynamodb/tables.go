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

// tableCache keeps parsed tables by the bytes of their records, so that reading a table costs a lookup and a comparison.
type tableCache struct {
	mu sync.RWMutex // guards the fields below
	// byKey holds the last version seen of each table.
	byKey map[string]cachedTable
}

type cachedTable struct {
	record []byte
	table  *table
}

// get returns the table of a record.
func (c *tableCache) get(p place, recordKey, recordBytes []byte) (*table, error) {
	c.mu.RLock()
	cached, ok := c.byKey[string(recordKey)]
	c.mu.RUnlock()
	if ok && bytes.Equal(cached.record, recordBytes) {
		return cached.table, nil
	}
	r := &tableRecord{}
	if err := json.Unmarshal(recordBytes, r); err != nil {
		return nil, fmt.Errorf("read table record %q: %w", recordKey, err)
	}
	t := newTable(p, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byKey == nil || len(c.byKey) >= maxCachedTables {
		c.byKey = map[string]cachedTable{}
	}
	c.byKey[string(recordKey)] = cachedTable{bytes.Clone(recordBytes), t}
	return t, nil
}

// forget drops a table that was deleted.
func (c *tableCache) forget(recordKey []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.byKey, string(recordKey))
}

// findTable returns a table, or nil when there is none of that name.
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
	return s.tables.get(p, k, b)
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
		b, err := json.Marshal(t.tableRecord)
		if err != nil {
			return fmt.Errorf("copy table record %s: %w", t.Name, err)
		}
		r := &tableRecord{}
		if err := json.Unmarshal(b, r); err != nil {
			return fmt.Errorf("copy table record %s: %w", t.Name, err)
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
)
