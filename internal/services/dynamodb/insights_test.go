package dynamodb

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/service"
)

// contributorsOf returns the contributors of a table as they are shown.
func (h *harness) contributorsOf(t *testing.T, table string, index *string) *shownContributors {
	t.Helper()
	out, err := h.impl.topKeys(h.ctx, placeOf(h.ctx), table, index, 3)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestContributorInsightsCountKeysByWhatTheyConsume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.must(t, "CreateTable", threads)
		h.must(t, "UpdateTable", `{"TableName":"threads","AttributeDefinitions":[{"AttributeName":"by","AttributeType":"S"}],"GlobalSecondaryIndexUpdates":[{"Create":`+
			`{"IndexName":"authors","KeySchema":[{"AttributeName":"by","KeyType":"HASH"}],"Projection":{"ProjectionType":"KEYS_ONLY"}}}]}`)
		synctest.Wait() // until the index is filled
		if got := h.must(t, "UpdateContributorInsights", `{"TableName":"threads","ContributorInsightsAction":"ENABLE"}`); !strings.Contains(got, `"ENABLING"`) {
			t.Error(got)
		}
		h.must(t, "UpdateContributorInsights", `{"TableName":"threads","IndexName":"authors","ContributorInsightsAction":"ENABLE"}`)
		for i := range 10 {
			h.must(t, "PutItem", fmt.Sprintf(`{"TableName":"threads","Item":{"forum":{"S":"busy"},"id":{"S":"%d"},"by":{"S":"ann"}}}`, i))
		}
		h.must(t, "PutItem", `{"TableName":"threads","Item":{"forum":{"S":"calm"},"id":{"S":"1"},"by":{"S":"bob"}}}`)
		for range 5 {
			h.must(t, "GetItem", `{"TableName":"threads","Key":{"forum":{"S":"busy"},"id":{"S":"7"}},"ConsistentRead":true}`)
		}
		h.must(t, "Query", `{"TableName":"threads","IndexName":"authors","KeyConditionExpression":"#b = :b","ExpressionAttributeNames":{"#b":"by"},"ExpressionAttributeValues":{":b":{"S":"bob"}}}`)
		got := h.contributorsOf(t, "threads", nil)
		if p := got.Partitions; len(p) != 2 || string(p[0].Key) != `{"forum":{"S":"busy"}}` || p[0].Count != 15 || p[1].Count != 1 {
			t.Errorf("partitions: %s %+v", p[0].Key, p)
		}
		if i := got.Items; len(i) != 3 || string(i[0].Key) != `{"forum":{"S":"busy"},"id":{"S":"7"}}` || i[0].Count != 6 {
			t.Errorf("items: %+v", i)
		}
		index := h.contributorsOf(t, "threads", ptr("authors")).Partitions
		if len(index) != 2 || string(index[0].Key) != `{"by":{"S":"ann"}}` || index[0].Count != 10 || index[1].Count <= 1 || index[1].Count > 1.1 {
			t.Errorf("partitions of the index: %+v", index)
		}
		if got := h.must(t, "DescribeContributorInsights", `{"TableName":"threads"}`); !strings.Contains(got, `"DynamoDBContributorInsights-SKT-threads-`) || !strings.Contains(got, `"ENABLED"`) {
			t.Error(got)
		}
		page := h.must(t, "ListContributorInsights", `{"MaxResults":1}`)
		if strings.Contains(page, "authors") || lookup(t, page, "NextToken") == "" {
			t.Error(page)
		}
		page = h.must(t, "ListContributorInsights", `{"MaxResults":1,"NextToken":"`+lookup(t, page, "NextToken")+`"}`)
		if !strings.Contains(page, "authors") || strings.Contains(page, "NextToken") {
			t.Error(page)
		}
		h.must(t, "UpdateContributorInsights", `{"TableName":"threads","ContributorInsightsAction":"DISABLE"}`)
		if _, err := h.impl.topKeys(h.ctx, placeOf(h.ctx), "threads", nil, 3); service.Code(err) != codeNotFound {
			t.Error(err)
		}
		if got := h.must(t, "ListContributorInsights", `{"TableName":"threads"}`); strings.Count(got, "ENABLED") != 1 {
			t.Error(got)
		}
	})
}

func TestContributorInsightsCountRefusedRequests(t *testing.T) {
	h := newHarness(t)
	h.must(t, "CreateTable", `{"TableName":"small","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],`+
		`"ProvisionedThroughput":{"ReadCapacityUnits":1,"WriteCapacityUnits":1},"Tags":[{"Key":"lambent:throttle","Value":"on"}]}`)
	h.must(t, "UpdateContributorInsights", `{"TableName":"small","ContributorInsightsAction":"ENABLE","ContributorInsightsMode":"THROTTLED_KEYS"}`)
	refused := 0
	for range 310 {
		if _, err := h.call("PutItem", `{"TableName":"small","Item":{"id":{"S":"hot"}}}`); err != nil {
			refused++
		}
	}
	got := h.contributorsOf(t, "small", nil)
	if p := got.ThrottledPartitions; refused == 0 || len(p) != 1 || p[0].Count != float64(refused) || len(got.Partitions)+len(got.Items) != 0 {
		t.Errorf("%d were refused, and counted are %+v", refused, got)
	}
	if rules := h.must(t, "DescribeContributorInsights", `{"TableName":"small"}`); !strings.Contains(rules, "-PKT-small-") || strings.Contains(rules, "-PKC-") || strings.Contains(rules, "-SK") {
		t.Error(rules)
	}
}

func TestRankingFindsTheKeysThatStandOut(t *testing.T) {
	var r ranking
	random := rand.New(rand.NewPCG(1, 2))
	truth := map[string]float64{}
	for range 200_000 {
		k := random.IntN(100_000)
		if random.IntN(2) == 0 {
			k = random.IntN(10) // half of the traffic is of ten keys
		}
		key := strconv.Itoa(k)
		truth[key]++
		r.add(key, 1)
	}
	for k := range 10 {
		key := strconv.Itoa(k)
		c := r.byKey[key]
		if c == nil || c.count < truth[key] || c.count-c.excess > truth[key] {
			t.Errorf("key %s was seen %v times, and is counted as %+v", key, truth[key], c)
		}
	}
	if len(r.heap) != maxContributors || len(r.byKey) != maxContributors {
		t.Errorf("%d and %d keys", len(r.heap), len(r.byKey))
	}
}

func TestContributorsOfThePastAreForgotten(t *testing.T) {
	var c contributors
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	count := func(at time.Time) int {
		_, lists := c.report("t", at, 10)
		return len(lists[0])
	}
	c.count("t", now, `{"a":1}`, "", 1, false)
	c.count("t", now.Add(90*time.Minute), `{"a":2}`, "", 1, false)
	if n := count(now.Add(100 * time.Minute)); n != 2 {
		t.Errorf("%d keys of the last two periods", n)
	}
	if n := count(now.Add(130 * time.Minute)); n != 1 {
		t.Errorf("%d keys when the first period is over", n)
	}
	if n := count(now.Add(10 * time.Hour)); n != 0 {
		t.Errorf("%d keys after a long time", n)
	}
	since, lists := c.report("t", now.Add(10*time.Hour), 10)
	if b, err := json.Marshal(lists); err != nil || !since.Equal(now.Add(10*time.Hour)) {
		t.Errorf("%s since %s: %v", b, since, err)
	}
}
