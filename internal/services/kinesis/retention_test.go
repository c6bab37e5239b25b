package kinesis

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/blob"
	"lambent.dev/lambent/internal/store"
)

// rows counts the rows of all logs, and the bodies that are held.
func (h *harness) rows(t *testing.T) (rows, bodies int) {
	t.Helper()
	err := h.store.View(h.ctx, func(r store.Reader) error {
		for _, kind := range []string{"l", "o"} {
			span := placeOf(h.ctx).root(kind).Span()
			if kind == "o" {
				span = holdKey("")[:len(holdKey(""))-2].Span()
			}
			for _, err := range r.Range(span) {
				if err != nil {
					return err
				}
				if kind == "l" {
					rows++
				} else {
					bodies++
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, bodies
}

// pass lets time pass in steps, so that due jobs run.
func (h *harness) pass(d time.Duration) {
	for ; d > 0; d -= time.Hour {
		h.clock.Advance(min(d, time.Hour))
		synctest.Wait()
	}
}

func TestRecordsGoWhenTheyAreOlderThanTheRetention(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, "s", 1)
		large := strings.Repeat("x", inlineData+1)
		for _, data := range []string{"one", large, "two"} {
			h.put(t, "s", "k", data)
		}
		h.clock.Advance(12 * time.Hour)
		h.put(t, "s", "k", "three")
		h.clock.Advance(12 * time.Hour)
		if got := h.all(t, "s", firstShard); len(got) != 4 {
			t.Errorf("after a day %d records are left, want 4", len(got))
		}
		h.clock.Advance(time.Millisecond)
		if d := cmp.Diff([]string{"three"}, h.all(t, "s", firstShard)); d != "" {
			t.Errorf("a moment later (-want +got):\n%s", d)
		}
		h.pass(time.Hour)
		if rows, bodies := h.rows(t); rows != 2 || bodies != 0 {
			t.Errorf("%d rows and %d bodies are kept, want the mark and one record", rows, bodies)
		}
		h.pass(24 * time.Hour)
		if rows, _ := h.rows(t); rows != 1 {
			t.Errorf("%d rows are kept, want the mark", rows)
		}
		h.put(t, "s", "k", "four")
		if d := cmp.Diff([]string{"four"}, h.all(t, "s", firstShard)); d != "" {
			t.Errorf("a day later (-want +got):\n%s", d)
		}
		h.pass(48 * time.Hour)
		if rows, _ := h.rows(t); rows != 1 {
			t.Errorf("%d rows are kept after all, want the mark", rows)
		}
	})
}

func TestRetentionIsChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, "s", 1)
		do[api.IncreaseStreamRetentionPeriodOutput](t, h, "IncreaseStreamRetentionPeriod", `{"StreamName": "s", "RetentionPeriodHours": 8760}`)
		h.put(t, "s", "k", "old")
		h.pass(300 * 24 * time.Hour)
		if d := cmp.Diff([]string{"old"}, h.all(t, "s", firstShard)); d != "" {
			t.Errorf("after 300 days (-want +got):\n%s", d)
		}
		for hours, operation := range map[string]string{"23": "DecreaseStreamRetentionPeriod", "8761": "IncreaseStreamRetentionPeriod", "8760": "", "48": "IncreaseStreamRetentionPeriod"} {
			if operation != "" {
				h.refused(t, codeInvalid, operation, `{"StreamName": "s", "RetentionPeriodHours": `+hours+`}`)
			}
		}
		do[api.DecreaseStreamRetentionPeriodOutput](t, h, "DecreaseStreamRetentionPeriod", `{"StreamName": "s", "RetentionPeriodHours": 24}`)
		if got := h.all(t, "s", firstShard); len(got) != 0 {
			t.Errorf("read %v after the retention was lowered", got)
		}
		h.pass(time.Hour)
		if rows, _ := h.rows(t); rows != 1 {
			t.Errorf("%d rows are kept, want the mark", rows)
		}
	})
}

func TestShardsGoWithTheirRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, "s", 2)
		h.put(t, "s", "k", "x")
		it := h.iterator(t, "s", firstShard, "TRIM_HORIZON")
		do[api.MergeShardsOutput](t, h, "MergeShards", `{"StreamName": "s", "ShardToMerge": "shardId-000000000000", "AdjacentShardToMerge": "shardId-000000000001"}`)
		h.pass(26 * time.Hour)
		wantShards(t, h.shards(t, "s"), "2. . 1. 0-99 open\n")
		if rows, _ := h.rows(t); rows != 1 {
			t.Errorf("%d rows are kept, want the mark of the open shard", rows)
		}
		h.refused(t, codeExpired, "GetRecords", &api.GetRecordsInput{ShardIterator: it})
		again, err := parseIterator(it)
		if err != nil {
			t.Fatal(err)
		}
		again.issued = h.clock.Now()
		if page := h.get(t, again.String()); page.NextShardIterator != nil || len(page.ChildShards) != 1 {
			t.Errorf("reading a shard that is gone: %+v", page)
		}
	})
}

func TestDeletedStreamLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, "s", 2)
		h.put(t, "s", "k", strings.Repeat("x", inlineData+1))
		do[api.RegisterStreamConsumerOutput](t, h, "RegisterStreamConsumer", `{"StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/s", "ConsumerName": "c"}`)
		h.refused(t, codeInUse, "DeleteStream", `{"StreamName": "s"}`)
		do[api.DeleteStreamOutput](t, h, "DeleteStream", `{"StreamName": "s", "EnforceConsumerDeletion": true}`)
		synctest.Wait()
		h.pass(26 * time.Hour)
		err := h.store.View(h.ctx, func(r store.Reader) error {
			for pair, err := range r.Range(store.Span{}) {
				if err != nil {
					return err
				}
				t.Errorf("left: %q", pair.Key)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := h.blobs.Sweep(t.Context(), func(id blob.ID) (bool, error) {
			t.Errorf("a body is left: %s", id)
			return true, nil
		}); err != nil {
			t.Fatal(err)
		}
		h.refused(t, codeNotFound, "DescribeStream", `{"StreamName": "s"}`)
	})
}

// The times in a log are not quite in order: a record may be written before one that arrived earlier.
func TestTimeIsFoundInALogThatIsOutOfOrder(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	start := h.clock.Now()
	st, err := h.impl.named(h.ctx, placeOf(h.ctx), "s")
	if err != nil {
		t.Fatal(err)
	}
	var times []time.Time
	for i := range 300 {
		at := start.Add(time.Duration(i)*time.Second - time.Duration(i*7%5)*time.Second)
		times = append(times, at)
		err := h.store.Update(h.ctx, func(tx store.Txn) error {
			tx.Append(st.ref().log(0), (&row{kind: rowRecord, at: at, partition: "k", data: []byte{1}}).encode())
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	h.clock.Advance(time.Hour)
	for i := -3; i < 310; i += 7 {
		at := start.Add(time.Duration(i) * time.Second)
		want := 0
		for _, have := range times {
			if !have.Before(at) {
				want++
			}
		}
		it := do[api.GetShardIteratorOutput](t, h, "GetShardIterator", &api.GetShardIteratorInput{StreamName: new("s"), ShardId: firstShard, ShardIteratorType: "AT_TIMESTAMP", Timestamp: &at})
		if got := len(h.get(t, *it.ShardIterator).Records); got != want {
			t.Errorf("%d records from %d s on, want %d", got, i, want)
		}
	}
}
