package dynamodb

import (
	"encoding/binary"
	"errors"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
	"lambent.dev/lambent/internal/store/key"
)

// An item collection is the items of one partition key with their entries in the local indexes. Tables with local indexes know how large each of theirs is: a row
// beside the items holds its size, and every write changes it in its own transaction.

const (
	gibibyte = 1 << 30
	// maxCollection is how large an item collection may be, in bytes
	// (https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html#LSI.ItemCollections.SizeLimit).
	maxCollection = 10 * gibibyte
)

func (p place) collections(table string) key.Key { return p.root("c").Str(table) }

// collectionKey returns the key of the size of the collection that an item or a key belongs to.
func (t *table) collectionKey(item attr.Map) []byte {
	return t.place.collections(t.ID).Raw(appendHash(nil, item.Get(t.keys.hash[0].name)))
}

// collectionSize returns the size of the collection that an item or a key belongs to, in bytes.
func (t *table) collectionSize(r store.Reader, item attr.Map) (int64, error) {
	b, err := r.Get(t.collectionKey(item))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(b)), nil
}

// weight returns what an item, which may be nil, adds to its collection.
func (t *table) weight(item attr.Map) int64 {
	n := item.Size()
	for _, ix := range t.indexes {
		if !ix.global && ix.covers(item) {
			n += ix.project(item).Size()
		}
	}
	return int64(n)
}

// grow keeps the size of a collection when an item of it changes. It refuses what makes one larger than it may be.
func (t *table) grow(tx store.Txn, old, item attr.Map) error {
	if len(t.Local) == 0 {
		return nil
	}
	delta := t.weight(item) - t.weight(old)
	if delta == 0 {
		return nil
	}
	whose := item
	if item == nil {
		whose = old
	}
	size, err := t.collectionSize(tx, whose)
	if err != nil {
		return err
	}
	if size += delta; size > maxCollection && delta > 0 {
		return service.Errorf(codeCollection, "Collection size exceeded.")
	}
	k := t.collectionKey(whose)
	if size <= 0 {
		tx.Delete(k)
		return nil
	}
	tx.Set(k, binary.BigEndian.AppendUint64(nil, uint64(size)))
	return nil
}

// metrics returns the item collection that a write changed, for tables with local indexes. Its size lies between two whole gibibytes.
func (w written) metrics(mode string, key attr.Map) *ddb.ItemCollectionMetrics {
	if mode != ddb.ReturnItemCollectionMetricsSize || len(w.table.Local) == 0 {
		return nil
	}
	name := w.table.keys.hash[0].name
	low := float64(w.collection / gibibyte)
	return &ddb.ItemCollectionMetrics{
		ItemCollectionKey:   attr.NewMap(attr.Field{Name: name, Value: key.Get(name)}),
		SizeEstimateRangeGB: []float64{low, low + 1},
	}
}
