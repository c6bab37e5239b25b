package kinesis

import (
	"context"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	api "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

const firstShard = "shardId-000000000000"

func TestRecordsAreReadInTheOrderInWhichTheyWerePut(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	first, second := h.put(t, "s", "k", "one"), h.put(t, "s", "k", "two")
	if len(first.SequenceNumber) != 56 || number(t, second.SequenceNumber).Cmp(number(t, first.SequenceNumber)) <= 0 {
		t.Errorf("sequence numbers %s, %s", first.SequenceNumber, second.SequenceNumber)
	}
	page := h.get(t, h.iterator(t, "s", firstShard, "TRIM_HORIZON"))
	now := h.clock.Now()
	want := []api.Record{
		{SequenceNumber: first.SequenceNumber, ApproximateArrivalTimestamp: &now, Data: []byte("one"), PartitionKey: "k"},
		{SequenceNumber: second.SequenceNumber, ApproximateArrivalTimestamp: &now, Data: []byte("two"), PartitionKey: "k"},
	}
	if d := cmp.Diff(want, page.Records); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
	if *page.MillisBehindLatest != 0 {
		t.Errorf("behind %d", *page.MillisBehindLatest)
	}
	if more := h.get(t, `"`+*page.NextShardIterator+`"`); len(more.Records) != 0 || more.NextShardIterator == nil {
		t.Errorf("after the end: %v", more)
	}
}

func number(t *testing.T, sequence string) *big.Int {
	t.Helper()
	n, ok := new(big.Int).SetString(sequence, 10)
	if !ok {
		t.Fatalf("%q is not a number", sequence)
	}
	return n
}

func TestRecordsGoToTheShardOfTheirHashKey(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 3)
	shards := h.shards(t, "s")
	var ranges strings.Builder
	for _, sh := range shards {
		ranges.WriteString(sh.ShardId + " " + sh.HashKeyRange.StartingHashKey + "-" + sh.HashKeyRange.EndingHashKey + "\n")
	}
	// The ranges that AWS gives three shards.
	want := "shardId-000000000000 0-113427455640312821154458202477256070484\n" +
		"shardId-000000000001 113427455640312821154458202477256070485-226854911280625642308916404954512140969\n" +
		"shardId-000000000002 226854911280625642308916404954512140970-340282366920938463463374607431768211455\n"
	if d := cmp.Diff(want, ranges.String()); d != "" {
		t.Errorf("ranges (-want +got):\n%s", d)
	}
	// MD5("a") is 0cc1…, MD5("b") is 92eb…, MD5("d") is 8277….
	for key, shard := range map[string]int{"a": 0, "b": 1, "d": 1, "5": 2} {
		if got := h.put(t, "s", key, "x").ShardId; got != shards[shard].ShardId {
			t.Errorf("%s went to %s, want shard %d", key, got, shard)
		}
	}
	for explicit, shard := range map[string]int{"0": 0, "113427455640312821154458202477256070485": 1, "340282366920938463463374607431768211455": 2} {
		out := do[api.PutRecordOutput](t, h, "PutRecord", &api.PutRecordInput{StreamName: new("s"), PartitionKey: "a", ExplicitHashKey: &explicit})
		if out.ShardId != shards[shard].ShardId {
			t.Errorf("hash key %s went to %s, want shard %d", explicit, out.ShardId, shard)
		}
	}
	h.refused(t, codeInvalid, "PutRecord", &api.PutRecordInput{StreamName: new("s"), PartitionKey: "a", ExplicitHashKey: new("340282366920938463463374607431768211456")})
}

func TestPutRecordsAnswersEachEntryInOrder(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	large := strings.Repeat("x", inlineData+1)
	out := do[api.PutRecordsOutput](t, h, "PutRecords", &api.PutRecordsInput{StreamName: new("s"), Records: []api.PutRecordsRequestEntry{
		{PartitionKey: "a", Data: []byte("one")}, {PartitionKey: "b", Data: []byte(large)}, {PartitionKey: "c", Data: []byte{}},
	}})
	if *out.FailedRecordCount != 0 || len(out.Records) != 3 {
		t.Fatalf("answer %+v", out)
	}
	for i := range 2 {
		if number(t, *out.Records[i].SequenceNumber).Cmp(number(t, *out.Records[i+1].SequenceNumber)) >= 0 {
			t.Errorf("entry %d is not before the next", i)
		}
	}
	if got := h.all(t, "s", firstShard); len(got) != 3 || got[0] != "one" || got[1] != large || got[2] != "" {
		t.Errorf("read %d records", len(got))
	}
}

// A request of 10 MiB is put in several transactions, and so are its records in order.
func TestLargeRequestIsTakenWhole(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	in := &api.PutRecordsInput{StreamName: new("s")}
	var want []string
	for i := range 25 {
		data := strings.Repeat(string(rune('a'+i)), 400<<10)
		want = append(want, data)
		in.Records = append(in.Records, api.PutRecordsRequestEntry{PartitionKey: "k", Data: []byte(data)})
	}
	if out := do[api.PutRecordsOutput](t, h, "PutRecords", in); *out.FailedRecordCount != 0 {
		t.Fatalf("%d failed", *out.FailedRecordCount)
	}
	got := h.all(t, "s", firstShard)
	if len(got) != len(want) {
		t.Fatalf("%d records, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("record %d is another one", i)
		}
	}
	in.Records = append(in.Records, api.PutRecordsRequestEntry{PartitionKey: "k", Data: make([]byte, 400<<10)})
	h.refused(t, codeInvalid, "PutRecords", in)
}

func TestRecordSizeIsLimitedByTheStream(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	record := &api.PutRecordInput{StreamName: new("s"), PartitionKey: "k", Data: make([]byte, 1<<20+1)}
	h.refused(t, codeInvalid, "PutRecord", record)
	do[api.UpdateMaxRecordSizeOutput](t, h, "UpdateMaxRecordSize", `{"StreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/s", "MaxRecordSizeInKiB": 10240}`)
	record.Data = make([]byte, 10<<20)
	do[api.PutRecordOutput](t, h, "PutRecord", record)
	if got := h.all(t, "s", firstShard); len(got) != 1 || len(got[0]) != 10<<20 {
		t.Errorf("read %d records", len(got))
	}
}

func TestIteratorsBeginWhereTheirTypeSays(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	var sequences []string
	for _, data := range []string{"one", "two", "three"} {
		sequences = append(sequences, h.put(t, "s", "k", data).SequenceNumber)
		h.clock.Advance(time.Minute)
	}
	at := func(in *api.GetShardIteratorInput) string {
		in.StreamName, in.ShardId = new("s"), firstShard
		it := *do[api.GetShardIteratorOutput](t, h, "GetShardIterator", in).ShardIterator
		var data strings.Builder
		for _, r := range h.get(t, it).Records {
			data.WriteString(string(r.Data) + " ")
		}
		return data.String()
	}
	start := h.shards(t, "s")[0].SequenceNumberRange.StartingSequenceNumber
	second := h.clock.Now().Add(-2 * time.Minute)
	for _, c := range []struct {
		in   api.GetShardIteratorInput
		want string
	}{
		{api.GetShardIteratorInput{ShardIteratorType: "TRIM_HORIZON"}, "one two three "},
		{api.GetShardIteratorInput{ShardIteratorType: "LATEST"}, ""},
		{api.GetShardIteratorInput{ShardIteratorType: "AT_SEQUENCE_NUMBER", StartingSequenceNumber: &sequences[1]}, "two three "},
		{api.GetShardIteratorInput{ShardIteratorType: "AFTER_SEQUENCE_NUMBER", StartingSequenceNumber: &sequences[1]}, "three "},
		{api.GetShardIteratorInput{ShardIteratorType: "AT_SEQUENCE_NUMBER", StartingSequenceNumber: &start}, "one two three "},
		{api.GetShardIteratorInput{ShardIteratorType: "AT_TIMESTAMP", Timestamp: &second}, "two three "},
		{api.GetShardIteratorInput{ShardIteratorType: "AT_TIMESTAMP", Timestamp: new(second.Add(time.Millisecond))}, "three "},
		{api.GetShardIteratorInput{ShardIteratorType: "AT_TIMESTAMP", Timestamp: new(time.Unix(0, 0))}, "one two three "},
		{api.GetShardIteratorInput{ShardIteratorType: "AT_TIMESTAMP", Timestamp: new(h.clock.Now())}, ""},
	} {
		if got := at(&c.in); got != c.want {
			t.Errorf("%s: %q, want %q", c.in.ShardIteratorType, got, c.want)
		}
	}
	for _, in := range []string{
		`{"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "AT_SEQUENCE_NUMBER"}`,
		`{"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "AT_TIMESTAMP"}`,
		`{"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": "1"}`,
		`{"StreamName": "s", "ShardId": "shardId-000000000000", "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": "2030-01-01T00:00:00Z"}`,
	} {
		h.refused(t, codeInvalid, "GetShardIterator", in)
	}
	h.refused(t, codeNotFound, "GetShardIterator", `{"StreamName": "s", "ShardId": "shardId-000000000009", "ShardIteratorType": "LATEST"}`)
	h.refused(t, codeNotFound, "GetShardIterator", `{"StreamName": "t", "ShardId": "shardId-000000000000", "ShardIteratorType": "LATEST"}`)
}

func TestIteratorExpires(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	it := h.iterator(t, "s", firstShard, "LATEST")
	h.clock.Advance(iteratorLife)
	h.get(t, it)
	h.clock.Advance(time.Millisecond)
	h.refused(t, codeExpired, "GetRecords", &api.GetRecordsInput{ShardIterator: it})
	h.refused(t, codeInvalid, "GetRecords", &api.GetRecordsInput{ShardIterator: "no iterator"})
	fresh := h.iterator(t, "s", firstShard, "LATEST")
	do[api.DeleteStreamOutput](t, h, "DeleteStream", `{"StreamName": "s"}`)
	h.create(t, "s", 1)
	h.refused(t, codeNotFound, "GetRecords", &api.GetRecordsInput{ShardIterator: fresh})
}

func TestAnswersSayHowFarBehindTheyAre(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	for range 3 {
		h.put(t, "s", "k", "x")
		h.clock.Advance(time.Second)
	}
	page := do[api.GetRecordsOutput](t, h, "GetRecords", &api.GetRecordsInput{ShardIterator: h.iterator(t, "s", firstShard, "TRIM_HORIZON"), Limit: new(int32(1))})
	if len(page.Records) != 1 || *page.MillisBehindLatest != 3000 {
		t.Errorf("%d records, %d ms behind", len(page.Records), *page.MillisBehindLatest)
	}
}

func TestArrivalsTellOfEachRecord(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 2)
	arrived, stop := h.impl.Arrivals("arn:aws:kinesis:us-east-1:000000000000:stream/s")
	defer stop()
	waiting := func() bool {
		select {
		case <-arrived:
			return true
		default:
			return false
		}
	}
	if waiting() {
		t.Error("an arrival before the first record")
	}
	h.put(t, "s", "a", "x")
	if !waiting() {
		t.Error("no arrival after a record")
	}
	do[api.MergeShardsOutput](t, h, "MergeShards", `{"StreamName": "s", "ShardToMerge": "shardId-000000000000", "AdjacentShardToMerge": "shardId-000000000001"}`)
	if !waiting() {
		t.Error("no arrival when shards end")
	}
}

func TestRecordsJoinTheTransactionOfAnotherService(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	const arn = "arn:aws:kinesis:us-east-1:000000000000:stream/s"
	from := port.Source{Service: "dynamodb.amazonaws.com", ARN: "arn:aws:dynamodb:us-east-1:000000000000:table/t", Account: "000000000000"}
	if err := h.impl.CheckPut(h.ctx, from, arn); err != nil {
		t.Error(err)
	}
	h.denied = service.Errorf("AccessDeniedException", "no")
	if err := h.impl.CheckPut(h.ctx, from, arn); service.Code(err) != "AccessDeniedException" {
		t.Errorf("CheckPut = %v, want the denial", err)
	}
	put := func(stream, data string, outcome error) error {
		return h.store.Update(h.ctx, func(tx store.Txn) error {
			if err := h.impl.Put(tx, stream, "k", []byte(data)); err != nil {
				return err
			}
			return outcome
		})
	}
	if err := put(arn, "taken", nil); err != nil {
		t.Error(err)
	}
	if err := put(arn, "undone", context.Canceled); err == nil {
		t.Error("the transaction was to fail")
	}
	if err := put(arn, strings.Repeat("x", 1<<20), nil); service.Code(err) != codeInvalid {
		t.Errorf("a record that is too large: %v", err)
	}
	if err := put(arn+"2", "lost", nil); service.Code(err) != codeNotFound {
		t.Errorf("a stream that is not there: %v", err)
	}
	if d := cmp.Diff([]string{"taken"}, h.all(t, "s", firstShard)); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
}

// Writers of one shard do not meet, and a record never lands in a shard that was closed.
func TestNoRecordIsLostWhileShardsSplitAndMerge(t *testing.T) {
	h := newHarness(t)
	h.create(t, "s", 1)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 40 {
				h.put(t, "s", string(rune('a'+w))+string(rune('a'+i)), "x")
			}
		})
	}
	wg.Go(func() {
		for _, n := range []int32{2, 3, 2, 1} {
			do[api.UpdateShardCountOutput](t, h, "UpdateShardCount", &api.UpdateShardCountInput{StreamName: new("s"), TargetShardCount: n, ScalingType: "UNIFORM_SCALING"})
		}
	})
	wg.Wait()
	total := 0
	for _, sh := range h.shards(t, "s") {
		total += len(h.all(t, "s", sh.ShardId))
	}
	if total != 320 {
		t.Errorf("%d records, want 320", total)
	}
}
