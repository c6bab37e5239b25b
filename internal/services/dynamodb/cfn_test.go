package dynamodb

import (
	"strings"
	"testing"
	"testing/synctest"

	"lambent.dev/lambent/internal/service"
)

func TestTableResourceFollowsItsTemplate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		typ := h.service.Resources[0]
		c := service.ResourceCall{StackName: "app", LogicalID: "Orders", Token: "t", NameSeed: "app-Orders-ABC", Tags: map[string]string{"aws:cloudformation:stack-name": "app"}}
		first := &tableProperties{
			AttributeDefinitions: []attributeProperty{{"id", "S"}}, KeySchema: []keyProperty{{"id", "HASH"}}, BillingMode: "PAY_PER_REQUEST",
			Tags: []tagProperty{{"team", "blue"}},
		}
		for range 2 { // a step that is tried again finds what it made
			r, err := typ.Create(h.ctx, c, first)
			if err != nil {
				t.Fatal(err)
			}
			c.Retry = true
			if r.PhysicalID != "app-Orders-ABC" || r.Attributes["Arn"] != "arn:aws:dynamodb:us-east-1:000000000000:table/app-Orders-ABC" {
				t.Errorf("created %+v", r)
			}
		}
		c.PhysicalID = "app-Orders-ABC"
		h.must(t, "PutItem", `{"TableName":"app-Orders-ABC","Item":{"id":{"S":"1"},"owner":{"S":"ann"}}}`)
		second := *first
		second.AttributeDefinitions = append(second.AttributeDefinitions, attributeProperty{"owner", "S"})
		second.GlobalSecondaryIndexes = []globalProperty{{Name: "byOwner", Keys: []keyProperty{{"owner", "HASH"}}, Projection: projectionProperty{Type: "ALL"}}}
		second.TimeToLiveSpecification = &ttlProperty{"expires", true}
		second.ResourcePolicy = &policyProperty{map[string]any{"Statement": []any{map[string]any{"Effect": "Allow", "Principal": "*", "Action": "dynamodb:GetItem", "Resource": "*"}}}}
		second.PointInTimeRecovery = &recoveryProperty{Enabled: true}
		second.StreamSpecification = &streamProperty{"NEW_IMAGE"}
		second.Tags = []tagProperty{{"team", "green"}}
		for range 2 {
			r, err := typ.Update(h.ctx, c, first, &second)
			if err != nil {
				t.Fatal(err)
			}
			if r.Attributes["StreamArn"] != "arn:aws:dynamodb:us-east-1:000000000000:table/app-Orders-ABC/stream/2026-11-25T12:00:00.000" {
				t.Errorf("updated %+v", r)
			}
		}
		synctest.Wait()
		got := h.must(t, "Query", `{"TableName":"app-Orders-ABC","IndexName":"byOwner","KeyConditionExpression":"#o = :o","ExpressionAttributeNames":{"#o":"owner"},"ExpressionAttributeValues":{":o":{"S":"ann"}},"Select":"COUNT"}`)
		if want := `{"Count":1,"ScannedCount":1}`; got != want {
			t.Errorf("query: %s, want %s", got, want)
		}
		if got := h.must(t, "DescribeTimeToLive", `{"TableName":"app-Orders-ABC"}`); !strings.Contains(got, `"ENABLED"`) {
			t.Error(got)
		}
		if got := h.must(t, "DescribeContinuousBackups", `{"TableName":"app-Orders-ABC"}`); !strings.Contains(got, `"RecoveryPeriodInDays":35`) {
			t.Error(got)
		}
		if got := h.must(t, "GetResourcePolicy", `{"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/app-Orders-ABC"}`); !strings.Contains(got, "dynamodb:GetItem") {
			t.Error(got)
		}
		if got := h.must(t, "ListTagsOfResource", `{"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/app-Orders-ABC"}`); !strings.Contains(got, "green") {
			t.Error(got)
		}
		for range 2 {
			if err := typ.Delete(h.ctx, c, &second); err != nil {
				t.Fatal(err)
			}
		}
	})
}
