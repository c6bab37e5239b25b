package dynamodb

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// worker fills new indexes and deletes items whose time to live has passed. What it has to do is written in the tables, so that it goes on
// after a restart; it sleeps until it is woken or the next item is due.
type worker struct {
	mu     sync.Mutex // guards the fields below
	cancel context.CancelFunc
	done   chan struct{}
	woken  chan struct{}
}

// retryWork is how long the worker waits after an error, and the longest that it sleeps while items have a time to live: items may get an earlier one meanwhile.
const retryWork = time.Minute

func (w *worker) start(s *Service) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cancel != nil {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel, w.done, w.woken = cancel, make(chan struct{}), make(chan struct{}, 1)
	go w.run(ctx, s, w.done, w.woken)
	return nil
}

func (w *worker) close() {
	w.mu.Lock()
	cancel, done := w.cancel, w.done
	w.cancel = nil
	w.mu.Unlock()
	if cancel != nil {
		cancel()
		<-done
	}
}

// wake makes the worker look for work. It never blocks.
func (w *worker) wake() {
	w.mu.Lock()
	woken := w.woken
	w.mu.Unlock()
	select {
	case woken <- struct{}{}:
	default: // woken already, or not started (nil)
	}
}

func (w *worker) run(ctx context.Context, s *Service, done, woken chan struct{}) {
	defer close(done)
	for {
		var timer <-chan time.Time
		wait, err := s.work(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.log.ErrorContext(ctx, "table maintenance failed and will be tried again", slog.Any("error", err))
			wait = retryWork
		}
		if wait > 0 {
			t := s.clock.NewTimer(wait)
			defer t.Stop()
			timer = t.C()
		}
		select {
		case <-ctx.Done():
			return
		case <-woken:
		case <-timer:
		}
	}
}

// work does all work that there is, and returns how long there is none; 0 means until it is woken.
func (s *Service) work(ctx context.Context) (wait time.Duration, err error) {
	tables, err := s.allTables(ctx)
	if err != nil {
		return 0, err
	}
	for _, t := range tables {
		if t.TTLFilling {
			if err := s.fillTTL(ctx, t.place, t.Name); err != nil {
				return 0, err
			}
		}
		for _, ix := range t.indexes {
			if ix.Filling {
				if err := s.fillIndex(ctx, t.place, t.Name, ix.ID); err != nil {
					return 0, err
				}
			}
		}
		if t.TTLAttribute == "" {
			continue
		}
		next, err := s.sweep(ctx, t.place, t.Name, s.clock.Now().Unix())
		if err != nil {
			return 0, err
		}
		until := retryWork
		if next > 0 {
			until = min(retryWork, max(time.Second, time.Unix(next, 0).Sub(s.clock.Now())))
		}
		if wait == 0 || until < wait {
			wait = until
		}
	}
	return wait, nil
}

// allTables returns the tables of all accounts and regions.
func (s *Service) allTables(ctx context.Context) (tables []*table, err error) {
	root := key.New("dynamodb")
	err = s.store.View(ctx, func(r store.Reader) error {
		lo := []byte(root)
		for {
			p, ok, err := nextPlace(r, root, lo)
			if err != nil || !ok {
				return err
			}
			for pair, err := range r.Range(p.tables().Span()) {
				if err != nil {
					return err
				}
				rec := &tableRecord{}
				if err := json.Unmarshal(pair.Value, rec); err != nil {
					return fmt.Errorf("read table record %q: %w", pair.Key, err)
				}
				tables = append(tables, newTable(p, rec))
			}
			lo = key.New("dynamodb", p.account, p.region).End()
		}
	})
	return tables, err
}

// nextPlace returns the first account and region with a key at or after lo.
func nextPlace(r store.Reader, root key.Key, lo []byte) (place, bool, error) {
	for pair, err := range r.Range(store.Span{Lo: lo, Hi: root.End(), Limit: 1}) {
		if err != nil {
			return place{}, false, err
		}
		d := key.Decode(pair.Key).Skip(root)
		return place{account: d.Str(), region: d.Str()}, true, nil
	}
	return place{}, false, nil
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
		func(tx store.Txn, t *table, _ []byte, item attr.Map) {
			for _, ix := range t.indexes {
				if ix.ID == id && ix.coversTyped(item) {
					tx.Set(ix.entryKey(t, item), ix.project(item))
				}
			}
		})
}

// coversTyped tells whether an item that was not checked against the index belongs into it.
func (ix *index) coversTyped(item attr.Map) bool {
	fits := func(a keyAttr) bool {
		v := item.Get(a.name)
		return v.Type() == a.typ && (a.typ == attr.N || v.Len() > 0)
	}
	if !fits(ix.hash) || item.Get(ix.hash.name).Len() > maxHashKey {
		return false
	}
	return ix.sort == nil || fits(*ix.sort) && item.Get(ix.sort.name).Len() <= maxSortKey
}

// fill runs each over the items of a table in batches, and keeps in the table's record how far it came. state returns where.
func (s *Service) fill(ctx context.Context, p place, name string, state func(*tableRecord) (*[]byte, *bool),
	each func(tx store.Txn, t *table, itemKey []byte, item attr.Map),
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

func (t *table) fillBatch(tx store.Txn, cursor *[]byte, each func(store.Txn, *table, []byte, attr.Map)) (more bool, err error) {
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
		each(tx, t, k, attr.Map(pair.Value).Clone())
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
