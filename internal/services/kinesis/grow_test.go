package kinesis

import (
	"strconv"
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
)

// load puts a record with one partition key each second.
func (h *harness) load(t *testing.T, seconds int, kilobytes int) {
	t.Helper()
	data := strings.Repeat("x", kilobytes<<10)
	for range seconds {
		h.put(t, "s", "k", data)
		h.clock.Advance(time.Second)
	}
}

func TestStreamOnDemandGrowsUnderLoad(t *testing.T) {
	h := newHarness(t)
	do[api.CreateStreamOutput](t, h, "CreateStream", `{"StreamName": "s", "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}`)
	h.load(t, 200, 400)
	if got := h.shards(t, "s"); len(got) != 4 {
		t.Fatalf("a load below half of a shard's throughput makes %d shards", len(got))
	}
	h.load(t, 100, 1000)
	got := h.shards(t, "s")
	if len(got) != 6 {
		t.Fatalf("there are %d shards:\n%s", len(got), outline(got))
	}
	hash := hashOf("k")
	for _, sh := range got[4:] {
		start, _ := parseHash(sh.HashKeyRange.StartingHashKey)
		end, _ := parseHash(sh.HashKeyRange.EndingHashKey)
		if sh.ParentShardId == nil || sh.AdjacentParentShardId != nil {
			t.Errorf("shard %s has no single parent", sh.ShardId)
		}
		if hash.compare(start) >= 0 && hash.compare(end) <= 0 {
			// What came after the split is in it, in order.
			if n := len(h.all(t, "s", sh.ShardId)); n == 0 || n >= 100 {
				t.Errorf("the new shard has %d records", n)
			}
		}
	}
}

func TestManySmallRecordsSplitAShardToo(t *testing.T) {
	h := newHarness(t)
	do[api.CreateStreamOutput](t, h, "CreateStream", `{"StreamName": "s", "StreamModeDetails": {"StreamMode": "ON_DEMAND"}}`)
	var records []string
	for i := range 500 {
		records = append(records, `{"Data": "eA==", "PartitionKey": "k", "ExplicitHashKey": "`+strconv.Itoa(i)+`"}`)
	}
	in := `{"StreamName": "s", "Records": [` + strings.Join(records, ",") + `]}`
	for range 62 {
		do[api.PutRecordsOutput](t, h, "PutRecords", in)
	}
	if got := h.shards(t, "s"); len(got) != 6 {
		t.Errorf("there are %d shards", len(got))
	}
}

func TestProvisionedStreamDoesNotGrow(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	h.load(t, 130, 1000)
	if got := h.shards(t, "s"); len(got) != 1 {
		t.Errorf("there are %d shards", len(got))
	}
}
