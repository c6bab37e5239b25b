package kinesis

import (
	"fmt"
	"math/bits"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
)

// outline writes shards as "number parents range-in-percent state".
func outline(shards []api.Shard) string {
	var b strings.Builder
	for _, sh := range shards {
		short := func(id *string) string {
			if id == nil {
				return "-"
			}
			return strings.TrimLeft(strings.TrimPrefix(*id, shardPrefix), "0") + "."
		}
		start, _ := parseHash(sh.HashKeyRange.StartingHashKey)
		end, _ := parseHash(sh.HashKeyRange.EndingHashKey)
		state := "open"
		if sh.SequenceNumberRange.EndingSequenceNumber != nil {
			state = "closed"
		}
		fmt.Fprintf(&b, "%s %s %s %d-%d %s\n", short(&sh.ShardId), short(sh.ParentShardId), short(sh.AdjacentParentShardId), percent(start), percent(end), state)
	}
	return b.String()
}

func percent(h hashKey) uint64 {
	p, _ := bits.Mul64(h.hi, 100)
	return p
}

func wantShards(t *testing.T, got []api.Shard, want string) {
	t.Helper()
	if d := cmp.Diff(strings.TrimLeft(want, "\n"), outline(got)); d != "" {
		t.Errorf("shards (-want +got):\n%s", d)
	}
}

func TestSplitAndMergeKeepTheLineage(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	do[api.SplitShardOutput](t, h, "SplitShard", `{"StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "170141183460469231731687303715884105728"}`)
	do[api.MergeShardsOutput](t, h, "MergeShards", `{"StreamName": "s", "ShardToMerge": "shardId-000000000002", "AdjacentShardToMerge": "shardId-000000000001"}`)
	wantShards(t, h.shards(t, "s"), `
. - - 0-99 closed
1. . - 0-49 closed
2. . - 50-99 closed
3. 2. 1. 0-99 open
`)
	for _, in := range []string{
		`{"StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "7"}`,                                       // closed
		`{"StreamName": "s", "ShardToSplit": "shardId-000000000003", "NewStartingHashKey": "0"}`,                                       // nothing would be left of it
		`{"StreamName": "s", "ShardToSplit": "shardId-000000000003", "NewStartingHashKey": "340282366920938463463374607431768211455"}`, // the last key
	} {
		h.refused(t, codeInvalid, "SplitShard", in)
	}
	h.refused(t, codeNotFound, "SplitShard", `{"StreamName": "s", "ShardToSplit": "shardId-000000000007", "NewStartingHashKey": "7"}`)
	h.refused(t, codeInvalid, "MergeShards", `{"StreamName": "s", "ShardToMerge": "shardId-000000000003", "AdjacentShardToMerge": "shardId-000000000003"}`)
}

func TestShardCountIsScaledBySplitsAndMerges(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 2)
	scale := func(n int32) []api.Shard {
		t.Helper()
		do[api.UpdateShardCountOutput](t, h, "UpdateShardCount", &api.UpdateShardCountInput{StreamName: new("s"), TargetShardCount: n, ScalingType: "UNIFORM_SCALING"})
		return do[api.ListShardsOutput](t, h, "ListShards", `{"StreamName": "s", "ShardFilter": {"Type": "AT_LATEST"}}`).Shards
	}
	wantShards(t, scale(4), `
2. . - 0-24 open
3. . - 25-49 open
4. 1. - 50-74 open
5. 1. - 75-99 open
`)
	wantShards(t, scale(3), `
10. 2. 6. 0-33 open
11. 7. 8. 33-66 open
12. 9. 5. 66-99 open
`)
	for n := int32(6); n <= 48; n *= 2 { // doubling a count that does not divide the range splits every shard once
		before := len(h.shards(t, "s"))
		scale(n)
		if made := len(h.shards(t, "s")) - before; made != int(n) {
			t.Errorf("scaling to %d made %d shards", n, made)
		}
	}
	h.refused(t, codeLimit, "UpdateShardCount", `{"StreamName": "s", "TargetShardCount": 97, "ScalingType": "UNIFORM_SCALING"}`)
	h.refused(t, codeLimit, "UpdateShardCount", `{"StreamName": "s", "TargetShardCount": 23, "ScalingType": "UNIFORM_SCALING"}`)
	do[api.CreateStreamOutput](t, h, "CreateStream", `{"StreamName": "d"}`)
	h.refused(t, codeValidation, "UpdateShardCount", `{"StreamName": "d", "TargetShardCount": 3, "ScalingType": "UNIFORM_SCALING"}`)
}

func TestClosedShardIsReadToItsEndAndNamesItsChildren(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	first := h.put(t, "s", "a", "before")
	latest := h.iterator(t, "s", firstShard, "LATEST")
	do[api.SplitShardOutput](t, h, "SplitShard", `{"StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "170141183460469231731687303715884105728"}`)
	second := h.put(t, "s", "a", "after")
	if second.ShardId != "shardId-000000000001" || number(t, second.SequenceNumber).Cmp(number(t, first.SequenceNumber)) <= 0 {
		t.Errorf("after the split: %+v", second)
	}
	page := h.get(t, h.iterator(t, "s", firstShard, "TRIM_HORIZON"))
	if len(page.Records) != 1 || page.NextShardIterator != nil || len(page.ChildShards) != 2 {
		t.Fatalf("page %+v", page)
	}
	want := api.ChildShard{
		ShardId: "shardId-000000000002", ParentShards: []string{firstShard},
		HashKeyRange: &api.HashKeyRange{StartingHashKey: "170141183460469231731687303715884105728", EndingHashKey: maxHash.String()},
	}
	if d := cmp.Diff(want, page.ChildShards[1]); d != "" {
		t.Errorf("child (-want +got):\n%s", d)
	}
	for _, it := range []string{latest, h.iterator(t, "s", firstShard, "LATEST")} {
		if page := h.get(t, it); page.NextShardIterator != nil || len(page.ChildShards) != 2 {
			t.Errorf("at the end: %+v", page)
		}
	}
}

func TestShardFiltersKnowTheTimes(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	h.clock.Advance(time.Hour)
	before := h.clock.Now()
	h.clock.Advance(time.Hour)
	do[api.SplitShardOutput](t, h, "SplitShard", `{"StreamName": "s", "ShardToSplit": "shardId-000000000000", "NewStartingHashKey": "170141183460469231731687303715884105728"}`)
	h.clock.Advance(time.Hour)
	after := h.clock.Now()
	for _, c := range []struct {
		filter api.ShardFilter
		want   string
	}{
		{api.ShardFilter{Type: "AT_TRIM_HORIZON"}, "0"},
		{api.ShardFilter{Type: "FROM_TRIM_HORIZON"}, "0 1 2"},
		{api.ShardFilter{Type: "AT_LATEST"}, "1 2"},
		{api.ShardFilter{Type: "AT_TIMESTAMP", Timestamp: &before}, "0"},
		{api.ShardFilter{Type: "AT_TIMESTAMP", Timestamp: &after}, "1 2"},
		{api.ShardFilter{Type: "FROM_TIMESTAMP", Timestamp: &before}, "0 1 2"},
		{api.ShardFilter{Type: "FROM_TIMESTAMP", Timestamp: &after}, "1 2"},
		{api.ShardFilter{Type: "AFTER_SHARD_ID", ShardId: new("shardId-000000000001")}, "2"},
	} {
		var got []string
		for _, sh := range do[api.ListShardsOutput](t, h, "ListShards", &api.ListShardsInput{StreamName: new("s"), ShardFilter: &c.filter}).Shards {
			got = append(got, sh.ShardId[len(sh.ShardId)-1:])
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.filter.Type, got, c.want)
		}
	}
	h.refused(t, codeInvalid, "ListShards", `{"StreamName": "s", "ShardFilter": {"Type": "AT_TIMESTAMP"}}`)
	h.refused(t, codeInvalid, "ListShards", `{"StreamName": "s", "ShardFilter": {"Type": "AFTER_SHARD_ID"}}`)
	// The parent's records are too old a day after it was closed, and so is the parent.
	h.clock.Advance(23 * time.Hour)
	if got := len(h.shards(t, "s")); got != 2 {
		t.Errorf("%d shards are left, want 2", got)
	}
}

func TestShardsAreListedByPages(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 5)
	var ids []string
	in := &api.ListShardsInput{StreamName: new("s"), MaxResults: new(int32(2))}
	var token *string
	for {
		page := do[api.ListShardsOutput](t, h, "ListShards", in)
		for _, sh := range page.Shards {
			ids = append(ids, sh.ShardId)
		}
		if page.NextToken == nil {
			break
		}
		token = page.NextToken
		in = &api.ListShardsInput{NextToken: token, MaxResults: new(int32(2))}
	}
	if len(ids) != 5 || ids[4] != "shardId-000000000004" {
		t.Errorf("listed %v", ids)
	}
	h.refused(t, codeInvalid, "ListShards", &api.ListShardsInput{NextToken: token, StreamName: new("s")})
	h.refused(t, codeInvalid, "ListStreams", &api.ListStreamsInput{NextToken: token})
	h.clock.Advance(tokenLife + time.Second)
	h.refused(t, codeExpiredToken, "ListShards", &api.ListShardsInput{NextToken: token})
	d := do[api.DescribeStreamOutput](t, h, "DescribeStream", `{"StreamName": "s", "Limit": 3, "ExclusiveStartShardId": "shardId-000000000000"}`).StreamDescription
	if len(d.Shards) != 3 || !d.HasMoreShards || d.Shards[0].ShardId != "shardId-000000000001" {
		t.Errorf("described %d shards", len(d.Shards))
	}
}

func TestSequenceNumbersHoldShardAndPlace(t *testing.T) {
	created := time.Unix(1795997802, 0)
	s := stamp{0, 0, 0, 0, 0, 1, 2, 3, 0, 7}
	text := sequence(created, 12, s)
	if n, back, ok := parseSequence(text, created); !ok || n != 12 || back != s {
		t.Errorf("%s is shard %d, stamp %x, %v", text, n, back, ok)
	}
	if _, _, ok := parseSequence(text, created.Add(time.Second)); ok {
		t.Error("taken for a number of another stream")
	}
	if next := sequence(created, 12, after(s)); number(t, next).Cmp(number(t, text)) <= 0 {
		t.Errorf("%s is not greater than %s", next, text)
	}
	if before(after(s)) != s || before(stamp{1}) != (stamp{0, 255, 255, 255, 255, 255, 255, 255, 255, 255}) {
		t.Error("before is not the inverse of after")
	}
}
