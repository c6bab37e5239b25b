package dynamodb

import (
	"fmt"
	"strings"
	"testing"

	ddb "lambent.dev/lambent/internal/awsapi/dynamodb"
)

// benchHarness is a table of items of one kilobyte: partitions of 20.
func benchHarness(b *testing.B) *harness {
	b.Helper()
	h := newHarness(b)
	h.must(b, "CreateTable", `{"TableName":"bench","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"S"}],`+
		`"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],"BillingMode":"PAY_PER_REQUEST"}`)
	for i := range 1000 {
		h.must(b, "PutItem", fmt.Sprintf(`{"TableName":"bench","Item":{"pk":{"S":"p%d"},"sk":{"S":"s%02d"},"n":{"N":"1"},"body":{"S":"%s"}}}`, i/20, i%20, strings.Repeat("x", 980)))
	}
	return h
}

// run measures calls with their access rule, as the door makes them, without the wire layer.
func (h *harness) run(b *testing.B, operation string, input func(i int) any) {
	b.Helper()
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		in := input(i)
		if err := h.targets(operation, in); err != nil {
			b.Fatal(err)
		}
		if _, err := h.Call(h.ctx, "dynamodb", operation, in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOperations(b *testing.B) {
	h := benchHarness(b)
	key := decode(b, `{"pk":{"S":"p7"},"sk":{"S":"s07"}}`)
	item := decode(b, fmt.Sprintf(`{"pk":{"S":"p7"},"sk":{"S":"s07"},"n":{"N":"1"},"body":{"S":"%s"}}`, strings.Repeat("x", 980)))
	values := decode(b, `{":one":{"N":"1"}}`)
	partition := decode(b, `{":p":{"S":"p7"}}`)
	b.Run("GetItem", func(b *testing.B) {
		h.run(b, "GetItem", func(int) any { return &ddb.GetItemInput{TableName: "bench", Key: key} })
	})
	b.Run("PutItem", func(b *testing.B) {
		h.run(b, "PutItem", func(int) any { return &ddb.PutItemInput{TableName: "bench", Item: item} })
	})
	b.Run("UpdateItem", func(b *testing.B) {
		h.run(b, "UpdateItem", func(int) any {
			return &ddb.UpdateItemInput{
				TableName: "bench", Key: key, UpdateExpression: ptr("SET n = n + :one"), ConditionExpression: ptr("attribute_exists(pk)"), ExpressionAttributeValues: values,
			}
		})
	})
	b.Run("Query20", func(b *testing.B) {
		h.run(b, "Query", func(int) any {
			return &ddb.QueryInput{TableName: "bench", KeyConditionExpression: ptr("pk = :p"), ExpressionAttributeValues: partition}
		})
	})
}
