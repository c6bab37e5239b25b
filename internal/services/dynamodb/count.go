package dynamodb

import (
	"context"
	"encoding/binary"

	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
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
	var err error
	if stats.table, err = s.countAll(ctx, t.items, maxCounted); err != nil {
		return stats, err
	}
	for _, ix := range t.indexes {
		if stats.indexes[ix.ID], err = s.countAll(ctx, ix.entries, maxCounted); err != nil {
			return stats, err
		}
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

// countAll counts the items under prefix. More than limit are estimated from the first of them: items lie in the order of the hashes of their
// partitions, which tell how far the count has come.
func (s *Service) countAll(ctx context.Context, prefix key.Key, limit int64) (sizes, error) {
	var n sizes
	span := prefix.Span()
	span.Limit = countStep
	for n.items < limit {
		var step sizes
		var last []byte
		err := s.store.View(ctx, func(r store.Reader) (err error) {
			step, last, err = countSpan(r, span)
			return err
		})
		if err != nil {
			return n, storeError(err)
		}
		n.items, n.bytes = n.items+step.items, n.bytes+step.bytes
		if step.items < countStep {
			return n, nil
		}
		span.Lo = append(last, 0)
	}
	reached := (float64(binary.BigEndian.Uint64(span.Lo[len(prefix):])) + 1) / (1 << 64)
	return sizes{int64(float64(n.items) / reached), int64(float64(n.bytes) / reached)}, nil
}

// countSpan counts the items of a span, and returns the key of the last one.
func countSpan(r store.Reader, span store.Span) (n sizes, last []byte, err error) {
	for p, err := range r.Range(span) {
		if err != nil {
			return n, nil, err
		}
		n.items++
		n.bytes += int64(attr.Map(p.Value).Size())
		last = append(last[:0], p.Key...)
	}
	return n, last, nil
}
