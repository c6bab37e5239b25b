package dynamodb

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"lambent.dev/lambent/internal/lib/attr"
	"lambent.dev/lambent/internal/store"
)

const accounts = `{"TableName":"accounts","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"},{"AttributeName":"n","AttributeType":"N"},{"AttributeName":"kind","AttributeType":"S"}],` +
	`"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST","GlobalSecondaryIndexes":[{"IndexName":"byBalance","KeySchema":[{"AttributeName":"kind","KeyType":"HASH"},` +
	`{"AttributeName":"n","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}]}`

func (h *harness) must(t testing.TB, operation, input string) string {
	t.Helper()
	out, err := h.call(operation, input)
	if err != nil {
		t.Fatalf("%s %s: %v", operation, input, err)
	}
	return out
}

func TestCountersLoseNoIncrement(t *testing.T) {
	h := newHarness(t)
	h.must(t, "CreateTable", accounts)
	const writers, each = 8, 25
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for range each {
				if _, err := h.call("UpdateItem", `{"TableName":"accounts","Key":{"id":{"S":"a"}},"UpdateExpression":"ADD n :one","ExpressionAttributeValues":{":one":{"N":"1"}}}`); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want := fmt.Sprintf(`{"Item":{"id":{"S":"a"},"n":{"N":"%d"}}}`, writers*each)
	if got := h.must(t, "GetItem", `{"TableName":"accounts","Key":{"id":{"S":"a"}}}`); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Money moves between accounts in transactions while readers add it up through the index: it never becomes more or less.
func TestTransfersAreAtomicInTableAndIndex(t *testing.T) {
	h := newHarness(t)
	h.must(t, "CreateTable", accounts)
	for i := range 4 {
		h.must(t, "PutItem", fmt.Sprintf(`{"TableName":"accounts","Item":{"id":{"S":"%d"},"kind":{"S":"x"},"n":{"N":"100"}}}`, i))
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 20 {
				from, to := (w+i)%4, (w+i+1)%4
				_, err := h.call("TransactWriteItems", fmt.Sprintf(`{"TransactItems":[`+
					`{"Update":{"TableName":"accounts","Key":{"id":{"S":"%d"}},"UpdateExpression":"SET n = n - :v","ConditionExpression":"n >= :v","ExpressionAttributeValues":{":v":{"N":"7"}}}},`+
					`{"Update":{"TableName":"accounts","Key":{"id":{"S":"%d"}},"UpdateExpression":"SET n = n + :v","ExpressionAttributeValues":{":v":{"N":"7"}}}}]}`, from, to))
				if err != nil && !strings.Contains(err.Error(), codeCanceled) {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for range 40 {
				if got := h.balance(t); got != "400" {
					t.Errorf("all accounts hold %s", got)
				}
			}
		})
	}
	wg.Wait()
	h.checkIndexes(t, "accounts")
}

// balance adds up the accounts by one query of the index.
func (h *harness) balance(t *testing.T) string {
	t.Helper()
	sum := attr.Int(0).Number()
	s := h.impl
	err := s.store.View(h.ctx, func(r store.Reader) error {
		table, err := s.itemTable(r, placeOf(h.ctx), "accounts")
		if err != nil {
			return err
		}
		for pair, err := range r.Range(table.indexes[0].entries.Span()) {
			if err != nil {
				return err
			}
			if sum, err = attr.Add(sum, attr.Map(pair.Value).Get("n").Number()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return sum.String()
}

// checkIndexes compares every index of a table with what its items say.
func (h *harness) checkIndexes(t *testing.T, name string) {
	t.Helper()
	s := h.impl
	err := s.store.View(h.ctx, func(r store.Reader) error {
		table, err := s.itemTable(r, placeOf(h.ctx), name)
		if err != nil {
			return err
		}
		for _, ix := range table.indexes {
			want := map[string]string{}
			for pair, err := range r.Range(table.items.Span()) {
				if err != nil {
					return err
				}
				if item := attr.Map(pair.Value); ix.coversTyped(item) {
					want[string(ix.entryKey(table, item))] = string(ix.project(item))
				}
			}
			n := 0
			for pair, err := range r.Range(ix.entries.Span()) {
				if err != nil {
					return err
				}
				n++
				if want[string(pair.Key)] != string(pair.Value) {
					t.Errorf("index %s: entry %q is not that of an item", ix.Name, pair.Key)
				}
			}
			if n != len(want) {
				t.Errorf("index %s has %d entries, want %d", ix.Name, n, len(want))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func FuzzKeysFitTheStore(f *testing.F) {
	f.Add("a", "b", "c", "d")
	f.Add(strings.Repeat("\x00", maxHashKey), strings.Repeat("\x00", maxSortKey), strings.Repeat("\x00", maxHashKey), strings.Repeat("\x00", maxSortKey))
	f.Fuzz(func(t *testing.T, hash, sort, indexHash, indexSort string) {
		if len(hash) > maxHashKey || len(sort) > maxSortKey || len(indexHash) > maxHashKey || len(indexSort) > maxSortKey {
			return
		}
		r := &tableRecord{Name: strings.Repeat("n", 255), ID: "01234567-0123-0123-0123-0123456789ab"}
		p := place{"000000000000", "ap-southeast-2"}
		table := &table{tableRecord: r, place: p, keys: keyAttrs{hash: []keyAttr{{"h", attr.B}}, sort: []keyAttr{{"s", attr.B}}}, items: p.items(r.ID)}
		ix := &index{indexRecord: &indexRecord{ID: 1}, keys: keyAttrs{hash: []keyAttr{{"ih", attr.B}}, sort: []keyAttr{{"is", attr.B}}}, entries: p.index(r.ID, 1)}
		item := attr.NewMap(attr.Field{Name: "h", Value: attr.Binary([]byte(hash))}, attr.Field{Name: "s", Value: attr.Binary([]byte(sort))},
			attr.Field{Name: "ih", Value: attr.Binary([]byte(indexHash))}, attr.Field{Name: "is", Value: attr.Binary([]byte(indexSort))})
		for _, k := range [][]byte{table.itemKey(item), ix.entryKey(table, item)} {
			if len(k) > store.MaxKey-16 { // the expiry index adds 8 bytes and its prefix
				t.Errorf("a key of %d bytes", len(k))
			}
		}
	})
}
