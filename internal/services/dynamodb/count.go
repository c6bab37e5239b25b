package dynamodb

import (
	"context"

	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/store"
)

// count returns how many items a table and its indexes hold, and their size.
func (s *Service) count(ctx context.Context, t *table) (statistics, error) {
	start := s.clock.Now()
	s.counts.mu.Lock()
	known, ok := s.counts.byTable[t.ID]
	s.counts.mu.Unlock()
	if ok && start.Before(known.until) && len(known.statistics.indexes) == len(t.indexes) {
		return known.statistics, nil
	}
	stats := statistics{indexes: map[uint64]sizes{}}
	err := s.store.View(ctx, func(r store.Reader) (err error) {
		if stats.table, err = countSpan(r, t.items.Span()); err != nil {
			return err
		}
		for _, ix := range t.indexes {
			if stats.indexes[ix.ID], err = countSpan(r, ix.entries.Span()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return stats, storeError(err)
	}
	took := s.clock.Now().Sub(start)
	if took < cheapCount {
		return stats, nil
	}
	s.counts.mu.Lock()
	defer s.counts.mu.Unlock()
	if s.counts.byTable == nil || len(s.counts.byTable) >= maxCachedTables {
		s.counts.byTable = map[string]countedTable{}
	}
	s.counts.byTable[t.ID] = countedTable{stats, s.clock.Now().Add(min(took*countKeep, maxCountStales))}
	return stats, nil
}

func countSpan(r store.Reader, span store.Span) (n sizes, err error) {
	for p, err := range r.Range(span) {
		if err != nil {
			return n, err
		}
		n.items++
		n.bytes += int64(attr.Map(p.Value).Size())
	}
	return n, nil
}
