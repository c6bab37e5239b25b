package dynamodb

import (
	"testing"

	"lambent.dev/lambent/internal/service"
)

// The ARN of another account's table leads there: its owner and its policy are what the door decides by.
func TestTablesOfOtherAccountsAreReachedByARN(t *testing.T) {
	h := newHarness(t)
	const arn = "arn:aws:dynamodb:us-east-1:000000000000:table/shared"
	h.must(t, "CreateTable", `{"TableName":"shared","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`)
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111111111111"},"Action":"dynamodb:*","Resource":"*"}]}`
	target := func() service.Target {
		t.Helper()
		targets, err := h.impl.onTable(h.ctx, arn)
		if err != nil || len(targets) != 1 {
			t.Fatal(targets, err)
		}
		return targets[0]
	}
	if got := target(); got.Policy != "" || got.Owner != "" {
		t.Errorf("the owner's target without a policy is %+v", got)
	}
	owner := h.ctx
	h.must(t, "PutResourcePolicy", `{"ResourceArn":"`+arn+`","Policy":"`+escape(policy)+`"}`)
	h.ctx = service.WithRequest(t.Context(), &service.Request{ID: "other", Account: "111111111111", Region: "us-east-1", Principal: service.Principal{Kind: service.Root}})
	if got := target(); got.Policy != policy || got.Owner != "000000000000" || got.ARN != arn {
		t.Errorf("the other's target is %+v", got)
	}
	h.must(t, "PutItem", `{"TableName":"`+arn+`","Item":{"pk":{"S":"a"}}}`)
	for _, op := range []string{"CreateBackup", "CreateTable"} {
		in := `{"TableName":"` + arn + `","BackupName":"mine"}`
		if op == "CreateTable" {
			in = `{"TableName":"` + arn + `","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`
		}
		if _, err := h.call(op, in); err == nil {
			t.Errorf("%s works on another account's table", op)
		}
	}
	h.ctx = owner
	if got := h.must(t, "GetItem", `{"TableName":"shared","Key":{"pk":{"S":"a"}}}`); got != `{"Item":{"pk":{"S":"a"}}}` {
		t.Error(got)
	}
}

// escape writes text as the inside of a JSON string.
func escape(text string) string {
	out, _ := show(map[string]string{"v": text})
	return out[len(`{"v":"`) : len(out)-2]
}
