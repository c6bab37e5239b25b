package dynamodb

import (
	"reflect"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/service/port"
)

var _ port.Arrivals = (*Service)(nil)

const feedTable = `{"TableName":"feed","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}}`

// feed makes a table with a stream, and returns the stream's ARN and an iterator at its beginning.
func (h *harness) feed(t *testing.T) (arn, iterator string) {
	t.Helper()
	arn = lookup(t, h.must(t, "CreateTable", feedTable), "TableDescription.LatestStreamArn")
	shard := lookup(t, h.must(t, "DescribeStream", `{"StreamArn":"`+arn+`"}`), "StreamDescription.Shards.0.ShardId")
	return arn, lookup(t, h.must(t, "GetShardIterator", `{"StreamArn":"`+arn+`","ShardId":"`+shard+`","ShardIteratorType":"TRIM_HORIZON"}`), "ShardIterator")
}

func TestArrivalsTellOfEachChange(t *testing.T) {
	h := newHarness(t)
	arn, _ := h.feed(t)
	arrived, stop := h.impl.Arrivals(arn)
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
		t.Error("an arrival before the first write")
	}
	h.must(t, "PutItem", `{"TableName":"feed","Item":{"pk":{"S":"a"}}}`)
	if !waiting() {
		t.Error("no arrival after a write")
	}
	h.must(t, "PutItem", `{"TableName":"feed","Item":{"pk":{"S":"a"}}}`)
	if waiting() {
		t.Error("an arrival after a write that changed nothing")
	}
	h.must(t, "UpdateTable", `{"TableName":"feed","StreamSpecification":{"StreamEnabled":false}}`)
	if !waiting() {
		t.Error("no arrival when the stream ends")
	}
	none, stopNone := h.impl.Arrivals("arn:aws:sqs:us-east-1:000000000000:queue")
	defer stopNone()
	select {
	case <-none:
		t.Error("an arrival at a source that is no stream")
	default:
	}
}

// The stored form of an item may be more than twice its size by DynamoDB's rules, so that two images do not fit into one row.
func TestStreamHoldsTwoImagesOfLargeItems(t *testing.T) {
	h := newHarness(t)
	_, iterator := h.feed(t)
	item := func(empty string) string {
		return `{"TableName":"feed","Item":{"pk":{"S":"a"},"v":{"L":[` + strings.Repeat(empty+`,`, 99_000) + empty + `]}}}`
	}
	h.must(t, "PutItem", item(`{"L":[]}`))
	h.must(t, "PutItem", item(`{"M":{}}`))
	for _, want := range []string{"INSERT", "MODIFY"} {
		page := h.must(t, "GetRecords", `{"ShardIterator":"`+iterator+`","Limit":1}`)
		if got := lookup(t, page, "Records.0.EventName"); got != want {
			t.Errorf("event %s, want %s", got, want)
		}
		if old := strings.Contains(page, `{"L":[]}`) && strings.Contains(page, `{"M":{}}`); old != (want == "MODIFY") {
			t.Errorf("%s has both images: %v", want, old)
		}
		iterator = lookup(t, page, "NextShardIterator")
	}
	if page := h.must(t, "GetRecords", `{"ShardIterator":"`+iterator+`"}`); strings.Contains(page, "Dynamodb") {
		t.Errorf("a third record: %.200s", page)
	}
}

// A batch writes as much in one transaction as fits, however much its indexes, old items and stream records add.
func TestBatchesOfLargeItemsFitWithTheirStream(t *testing.T) {
	h := newHarness(t)
	h.feed(t)
	for _, letter := range []string{"x", "y"} {
		var puts []string
		for i := range 25 {
			puts = append(puts, `{"PutRequest":{"Item":{"pk":{"S":"`+string(rune('a'+i))+`"},"v":{"S":"`+strings.Repeat(letter, 399_000)+`"}}}}`)
		}
		h.must(t, "BatchWriteItem", `{"RequestItems":{"feed":[`+strings.Join(puts, ",")+`]}}`)
	}
	if got, want := h.must(t, "Scan", `{"TableName":"feed","Select":"COUNT","Limit":30}`), `"Count":3`; !strings.Contains(got, want) {
		t.Errorf("scan %s, want a page with %s", got, want)
	}
}

func FuzzStreamRow(f *testing.F) {
	f.Add(streamRow{kind: rowInsert, keys: decode(f, `{"pk":{"S":"a"}}`)}.encode())
	f.Add([]byte{1, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		if row, err := decodeRow(b); err == nil {
			if again, err := decodeRow(row.encode()); err != nil || !reflect.DeepEqual(row, again) {
				t.Errorf("row %x reads as %+v and then as %+v, %v", b, row, again, err)
			}
		}
		if s, ok := parseSequence(string(b)); ok && s.sequence() != string(b) {
			t.Errorf("sequence number %q reads as %q", b, s.sequence())
		}
		if it, err := parseIterator(string(b)); err == nil {
			if again, err := parseIterator(it.String()); err != nil || again != it {
				t.Errorf("iterator %q reads as %+v and then as %+v, %v", b, it, again, err)
			}
		}
	})
}
