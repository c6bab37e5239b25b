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
			Tags: []service.TagProperty{{Key: "team", Value: "blue"}},
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
		if got := h.must(t, "ListTagsOfResource", `{"ResourceArn":"arn:aws:dynamodb:us-east-1:000000000000:table/app-Orders-ABC"}`); strings.Contains(got, "aws:") || !strings.Contains(got, "blue") {
			t.Errorf("tags are %s", got)
		}
		h.must(t, "PutItem", `{"TableName":"app-Orders-ABC","Item":{"id":{"S":"1"},"owner":{"S":"ann"}}}`)
		second := *first
		second.AttributeDefinitions = append(second.AttributeDefinitions, attributeProperty{"owner", "S"})
		second.GlobalSecondaryIndexes = []globalProperty{{Name: "byOwner", Keys: []keyProperty{{"owner", "HASH"}}, Projection: projectionProperty{Type: "ALL"}}}
		second.TimeToLiveSpecification = &ttlProperty{"expires", true}
		second.ResourcePolicy = &policyProperty{map[string]any{"Statement": []any{map[string]any{"Effect": "Allow", "Principal": "*", "Action": "dynamodb:GetItem", "Resource": "*"}}}}
		second.PointInTimeRecovery = &recoveryProperty{Enabled: true}
		second.StreamSpecification = &streamProperty{"NEW_IMAGE"}
		second.WarmThroughput = &warmProperty{Reads: ptr(int64(13000))}
		second.KinesisStream = &kinesisProperty{Stream: dataStream}
		second.Insights = &insightsProperty{Enabled: true}
		second.Tags = []service.TagProperty{{Key: "team", Value: "green"}}
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
		if got := h.must(t, "DescribeKinesisStreamingDestination", `{"TableName":"app-Orders-ABC"}`); !strings.Contains(got, `"ACTIVE"`) {
			t.Error(got)
		}
		if got := h.must(t, "DescribeTable", `{"TableName":"app-Orders-ABC"}`); !strings.Contains(got, `"WarmThroughput":{"ReadUnitsPerSecond":13000,`) {
			t.Error(got)
		}
		if got := h.must(t, "DescribeContributorInsights", `{"TableName":"app-Orders-ABC"}`); !strings.Contains(got, `"ENABLED"`) {
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

func TestGlobalTableResourceHasItsReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		typ := h.service.Resources[1]
		c := service.ResourceCall{StackName: "app", LogicalID: "World", NameSeed: "app-World-ABC", Tags: map[string]string{"aws:cloudformation:stack-name": "app"}}
		first := &globalProperties{
			AttributeDefinitions: []attributeProperty{{"id", "S"}}, KeySchema: []keyProperty{{"id", "HASH"}}, BillingMode: "PAY_PER_REQUEST",
			Replicas: []replicaProperty{{Region: "us-east-1"}, {Region: "eu-west-1", PointInTimeRecovery: &recoveryProperty{Enabled: true}, Tags: []service.TagProperty{{Key: "team", Value: "blue"}}}},
		}
		for range 2 {
			r, err := typ.Create(h.ctx, c, first)
			if err != nil {
				t.Fatal(err)
			}
			if r.Attributes["StreamArn"] == nil || r.Attributes["TableId"] == nil {
				t.Errorf("created %+v", r)
			}
			c.Retry = true
		}
		synctest.Wait()
		c.PhysicalID = "app-World-ABC"
		home := h.ctx
		h.ctx = service.InRegion(home, "eu-west-1")
		if got := h.must(t, "DescribeContinuousBackups", `{"TableName":"app-World-ABC"}`); !strings.Contains(got, `"RecoveryPeriodInDays":35`) {
			t.Error(got)
		}
		if got := h.must(t, "ListTagsOfResource", `{"ResourceArn":"arn:aws:dynamodb:eu-west-1:000000000000:table/app-World-ABC"}`); !strings.Contains(got, "blue") {
			t.Error(got)
		}
		h.ctx = home
		second := *first
		second.Replicas = []replicaProperty{{Region: "us-east-1"}, {Region: "ap-south-1"}}
		if _, err := typ.Update(h.ctx, c, first, &second); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := h.must(t, "DescribeTable", `{"TableName":"app-World-ABC"}`); !strings.Contains(got, "ap-south-1") || strings.Contains(got, "eu-west-1") {
			t.Error(got)
		}
		for range 2 {
			if err := typ.Delete(h.ctx, c, &second); err != nil {
				t.Fatal(err)
			}
		}
		h.ctx = service.InRegion(home, "ap-south-1")
		if got := h.must(t, "ListTables", `{}`); got != `{"TableNames":[]}` {
			t.Error(got)
		}
		third := *first
		third.BillingMode = ""
		if _, err := typ.Create(home, c, &third); err == nil || !strings.Contains(err.Error(), "PROVISIONED") {
			t.Error(err)
		}
	})
}
