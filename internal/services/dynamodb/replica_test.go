package dynamodb

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"lambent.dev/lambent/internal/service"
)

// A replica that is made while its table is written to has every item, and none that was deleted.
func TestReplicasAgreeWhileTheyAreFilled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.must(t, "CreateTable", `{"TableName":"many","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"N"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`)
		for i := range 900 {
			h.must(t, "PutItem", fmt.Sprintf(`{"TableName":"many","Item":{"pk":{"N":"%d"}}}`, i))
		}
		h.must(t, "UpdateTable", `{"TableName":"many","ReplicaUpdates":[{"Create":{"RegionName":"eu-west-1"}}]}`)
		var wg sync.WaitGroup
		for w := range 3 {
			wg.Go(func() {
				for i := range 200 {
					op, input := "DeleteItem", fmt.Sprintf(`{"TableName":"many","Key":{"pk":{"N":"%d"}}}`, 3*i+w)
					if i%3 > 0 {
						op, input = "UpdateItem", fmt.Sprintf(`{"TableName":"many","Key":{"pk":{"N":"%d"}},"UpdateExpression":"ADD n :n","ExpressionAttributeValues":{":n":{"N":"1"}}}`, 5*i+w)
					}
					if _, err := h.call(op, input); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		here := h.dump(t, "many")
		r := *service.RequestFrom(h.ctx)
		r.Region = "eu-west-1"
		h.ctx = service.WithRequest(h.ctx, &r)
		if there := h.dump(t, "many"); !slices.Equal(here, there) {
			t.Errorf("%d items here, %d there", len(here), len(there))
		}
	})
}
