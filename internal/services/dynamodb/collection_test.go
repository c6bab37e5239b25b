package dynamodb

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/store"
)

const threads = `{"TableName":"threads","AttributeDefinitions":[{"AttributeName":"forum","AttributeType":"S"},{"AttributeName":"id","AttributeType":"S"},` +
	`{"AttributeName":"at","AttributeType":"N"},{"AttributeName":"by","AttributeType":"S"}],` +
	`"KeySchema":[{"AttributeName":"forum","KeyType":"HASH"},{"AttributeName":"id","KeyType":"RANGE"}],"BillingMode":"PAY_PER_REQUEST","LocalSecondaryIndexes":[` +
	`{"IndexName":"byTime","KeySchema":[{"AttributeName":"forum","KeyType":"HASH"},{"AttributeName":"at","KeyType":"RANGE"}],"Projection":{"ProjectionType":"KEYS_ONLY"}},` +
	`{"IndexName":"byAuthor","KeySchema":[{"AttributeName":"forum","KeyType":"HASH"},{"AttributeName":"by","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}]}`

// resize makes a collection appear to have a size.
func (h *harness) resize(t *testing.T, table, hash string, size int64) {
	t.Helper()
	err := h.impl.store.Update(h.ctx, func(tx store.Txn) error {
		tb, err := h.impl.itemTable(tx, placeOf(h.ctx), table)
		if err != nil {
			return err
		}
		tx.Set(tb.collectionKey(decode(t, fmt.Sprintf(`{"forum":{"S":%q}}`, hash))), binary.BigEndian.AppendUint64(nil, uint64(size)))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCollectionsKnowTheirSizeToTheByte(t *testing.T) {
	h := newHarness(t)
	h.must(t, "CreateTable", threads)
	r := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		key := fmt.Sprintf(`"forum":{"S":"f%d"},"id":{"S":"t%d"}`, r.IntN(3), r.IntN(10))
		switch r.IntN(4) {
		case 0:
			h.must(t, "DeleteItem", `{"TableName":"threads","Key":{`+key+`}}`)
		case 1:
			h.must(t, "UpdateItem", fmt.Sprintf(`{"TableName":"threads","Key":{%s},"UpdateExpression":"SET #at = :n","ExpressionAttributeNames":{"#at":"at"},"ExpressionAttributeValues":{":n":{"N":"%d"}}}`, key, r.IntN(100000)))
		default:
			extra := ""
			if r.IntN(2) == 0 {
				extra = fmt.Sprintf(`,"by":{"S":"%s"}`, strings.Repeat("a", 1+r.IntN(9)))
			}
			h.must(t, "PutItem", fmt.Sprintf(`{"TableName":"threads","Item":{%s,"text":{"S":"%s"}%s}}`, key, strings.Repeat("x", r.IntN(300)), extra))
		}
	}
	err := h.impl.store.View(h.ctx, func(r store.Reader) error {
		tb, err := h.impl.itemTable(r, placeOf(h.ctx), "threads")
		if err != nil {
			return err
		}
		want, got := int64(0), int64(0)
		spans := []store.Span{tb.items.Span()}
		for _, ix := range tb.indexes {
			spans = append(spans, ix.entries.Span())
		}
		for _, span := range spans {
			n, _, err := countSpan(r, span)
			if err != nil {
				return err
			}
			want += n.bytes
		}
		for pair, err := range r.Range(tb.place.collections(tb.ID).Span()) {
			if err != nil {
				return err
			}
			got += int64(binary.BigEndian.Uint64(pair.Value))
		}
		if want == 0 || got != want {
			t.Errorf("collections have %d bytes, and are said to have %d", want, got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCollectionsAreLimited(t *testing.T) {
	h := newHarness(t)
	h.must(t, "CreateTable", threads)
	put := func(id, forum string) string {
		return fmt.Sprintf(`{"TableName":"threads","Item":{"forum":{"S":%q},"id":{"S":%q},"text":{"S":"%s"}},"ReturnItemCollectionMetrics":"SIZE"}`, forum, id, strings.Repeat("x", 1000))
	}
	if got, want := h.must(t, "PutItem", put("1", "full")), `{"ItemCollectionMetrics":{"ItemCollectionKey":{"forum":{"S":"full"}},"SizeEstimateRangeGB":[0,1]}}`; got != want {
		t.Errorf("got %s", got)
	}
	h.resize(t, "threads", "full", maxCollection-1500)
	if got := h.must(t, "PutItem", put("2", "full")); !strings.Contains(got, `"SizeEstimateRangeGB":[9,10]`) {
		t.Errorf("got %s", got)
	}
	_, err := h.call("PutItem", put("3", "full"))
	if service.Code(err) != codeCollection {
		t.Errorf("an item too many: %v", err)
	}
	h.must(t, "PutItem", put("3", "other"))
	h.must(t, "PutItem", put("2", "full"))
	_, err = h.call("TransactWriteItems", `{"TransactItems":[{"Put":`+strings.Replace(put("3", "full"), `,"ReturnItemCollectionMetrics":"SIZE"`, "", 1)+`}]}`)
	if err == nil || !strings.Contains(err.Error(), "[ItemCollectionSizeLimitExceeded]") {
		t.Errorf("a transaction with an item too many: %v", err)
	}
	out, err := h.call("BatchExecuteStatement", `{"Statements":[{"Statement":"INSERT INTO threads VALUE {'forum':'full','id':'4','text':'`+strings.Repeat("x", 1000)+`'}"}]}`)
	if err != nil || !strings.Contains(out, ddb.BatchStatementErrorCodeEnumItemCollectionSizeLimitExceeded) {
		t.Errorf("a statement with an item too many: %s %v", out, err)
	}
	h.must(t, "DeleteItem", `{"TableName":"threads","Key":{"forum":{"S":"full"},"id":{"S":"2"}}}`)
	h.must(t, "PutItem", put("3", "full"))
}
