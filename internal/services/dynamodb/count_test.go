package dynamodb

import (
	"fmt"
	"testing"

	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/store"
)

// TestLargeTablesAreEstimated counts a table whose rows are more than are counted one by one.
func TestLargeTablesAreEstimated(t *testing.T) {
	h := newHarness(t)
	const items = 4 * countStep
	prefix := placeOf(h.ctx).items("large")
	size := int64(attr.NewMap(attr.Field{Name: "id", Value: attr.String("item-000000")}).Size())
	for from := 0; from < items; from += 10_000 {
		err := h.impl.store.Update(h.ctx, func(tx store.Txn) error {
			for i := from; i < from+10_000; i++ {
				id := attr.String(fmt.Sprintf("item-%06d", i))
				tx.Set(Row(placeOf(h.ctx).account, placeOf(h.ctx).region, "large", id), attr.NewMap(attr.Field{Name: "id", Value: id}))
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	n, err := h.impl.countAll(h.ctx, prefix, items+1)
	if err != nil || n.items != items || n.bytes != items*size {
		t.Errorf("counted %+v, %v, want %d items", n, err, items)
	}
	n, err = h.impl.countAll(h.ctx, prefix, countStep)
	if err != nil || n.items < items*9/10 || n.items > items*11/10 || n.bytes < items*size*9/10 || n.bytes > items*size*11/10 {
		t.Errorf("estimated %+v, %v, want about %d items", n, err, items)
	}
}
