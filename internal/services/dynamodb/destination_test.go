package dynamodb

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

// dataStreams is as much of Kinesis as destinations need: streams whose names do not begin with "none". It keeps records in the store, so that they are there if and only
// if their transactions are.
type dataStreams struct {
	gone bool
	// most is the greatest size of a record; 0 for any.
	most int
}

func (d *dataStreams) call(in any) (any, error) {
	if in, ok := in.(*kinesis.DescribeStreamSummaryInput); ok && !strings.HasPrefix(deref(in.StreamName), "none") {
		return &kinesis.DescribeStreamSummaryOutput{}, nil
	}
	return nil, service.Errorf(codeNotFound, "Stream not found")
}

// CheckPut implements [port.DataStreams].
func (d *dataStreams) CheckPut(context.Context, port.Source, string) error {
	if d.gone {
		return service.Errorf(codeNotFound, "Stream not found")
	}
	return nil
}

// Put implements [port.DataStreams].
func (d *dataStreams) Put(tx store.Txn, stream, partition string, data []byte) error {
	switch {
	case d.gone:
		return service.Errorf(codeNotFound, "Stream not found")
	case d.most > 0 && len(data) > d.most:
		return service.Errorf("InvalidArgumentException", "Too large")
	}
	tx.Append([]byte("data "+stream+" "), []byte(partition+" "+string(data)))
	return nil
}

// written returns the records of a data stream, with their partition keys.
func (h *harness) written(stream string) (partitions, records []string, err error) {
	err = h.impl.store.View(h.ctx, func(r store.Reader) error {
		for pair, err := range r.Range(store.Prefix([]byte("data " + stream + " "))) {
			if err != nil {
				return err
			}
			partition, data, _ := strings.Cut(string(pair.Value), " ")
			partitions, records = append(partitions, partition), append(records, data)
		}
		return nil
	})
	return partitions, records, err
}

// put returns the records of a data stream without the ids of their events, which must differ.
func (h *harness) put(t *testing.T, stream string) (partitions, records []string) {
	t.Helper()
	partitions, records, err := h.written(stream)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for i, data := range records {
		var e struct {
			ID string `json:"eventID"`
		}
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Fatal(err)
		}
		if len(e.ID) != 36 || ids[e.ID] {
			t.Errorf("the id of an event is %q", e.ID)
		}
		ids[e.ID] = true
		records[i] = strings.Replace(data, `"eventID":"`+e.ID+`",`, "", 1)
	}
	return partitions, records
}

const (
	dataStream = "arn:aws:kinesis:us-east-1:000000000000:stream/data"
	carts      = `{"TableName":"carts","AttributeDefinitions":[{"AttributeName":"id","AttributeType":"S"}],"KeySchema":[{"AttributeName":"id","KeyType":"HASH"}],"BillingMode":"PAY_PER_REQUEST"}`
	enableData = `{"TableName":"carts","StreamArn":"` + dataStream + `"}`
)

func TestDestinationsGetARecordOfEveryWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.must(t, "CreateTable", carts)
		if got, want := h.must(t, "EnableKinesisStreamingDestination", enableData),
			`{"DestinationStatus":"ENABLING","EnableKinesisStreamingConfiguration":{},"StreamArn":"`+dataStream+`","TableName":"carts"}`; got != want {
			t.Errorf("got %s", got)
		}
		h.must(t, "PutItem", `{"TableName":"carts","Item":{"id":{"S":"a"},"n":{"N":"1"}}}`)
		h.must(t, "PutItem", `{"TableName":"carts","Item":{"id":{"S":"a"},"n":{"N":"1"}}}`) // changes nothing
		h.must(t, "TransactWriteItems", `{"TransactItems":[{"Update":{"TableName":"carts","Key":{"id":{"S":"a"}},"UpdateExpression":"ADD n :n","ExpressionAttributeValues":{":n":{"N":"1"}}}}]}`)
		if _, err := h.call("PutItem", `{"TableName":"carts","Item":{"id":{"S":"b"}},"ConditionExpression":"attribute_exists(id)"}`); err == nil {
			t.Error("the condition held")
		}
		h.must(t, "UpdateKinesisStreamingDestination", `{"TableName":"carts","StreamArn":"`+dataStream+`","UpdateKinesisStreamingConfiguration":{"ApproximateCreationDateTimePrecision":"MICROSECOND"}}`)
		h.must(t, "DeleteItem", `{"TableName":"carts","Key":{"id":{"S":"a"}}}`)
		h.must(t, "UpdateTimeToLive", `{"TableName":"carts","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"until"}}`)
		h.must(t, "PutItem", fmt.Sprintf(`{"TableName":"carts","Item":{"id":{"S":"old"},"until":{"N":"%d"}}}`, h.clock.Now().Add(time.Minute).Unix()))
		h.clock.Advance(time.Hour)
		synctest.Wait()
		h.must(t, "DisableKinesisStreamingDestination", enableData)
		h.must(t, "PutItem", `{"TableName":"carts","Item":{"id":{"S":"late"}}}`)
		const head, tail = `{"awsRegion":"us-east-1",`, `,"eventSource":"aws:dynamodb"}`
		at := h.clock.Now().Add(-time.Hour)
		partitions, records := h.put(t, dataStream)
		want := []string{
			fmt.Sprintf(`"eventName":"INSERT","userIdentity":null,"recordFormat":"application/json","tableName":"carts","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"id":{"S":"a"}},"NewImage":{"id":{"S":"a"},"n":{"N":"1"}},"SizeBytes":9}`, at.UnixMilli()),
			fmt.Sprintf(`"eventName":"MODIFY","userIdentity":null,"recordFormat":"application/json","tableName":"carts","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"id":{"S":"a"}},"NewImage":{"id":{"S":"a"},"n":{"N":"2"}},"OldImage":{"id":{"S":"a"},"n":{"N":"1"}},"SizeBytes":15}`, at.UnixMilli()),
			fmt.Sprintf(`"eventName":"REMOVE","userIdentity":null,"recordFormat":"application/json","tableName":"carts","dynamodb":{"ApproximateCreationDateTime":%d,"Keys":{"id":{"S":"a"}},"OldImage":{"id":{"S":"a"},"n":{"N":"2"}},"SizeBytes":9,"ApproximateCreationDateTimePrecision":"MICROSECOND"}`, at.UnixMicro()),
		}
		if len(records) != 5 || len(partitions) != 5 {
			t.Fatalf("%d records: %s", len(records), records)
		}
		for i, w := range want {
			if records[i] != head+w+tail {
				t.Errorf("record %d\n%s\nwant\n%s", i, records[i], head+w+tail)
			}
		}
		if expired := records[4]; !strings.Contains(expired, `"eventName":"REMOVE","userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"}`) {
			t.Errorf("the record of an expired item is %s", expired)
		}
		if partitions[0] != partitions[2] || partitions[0] == partitions[3] || len(partitions[0]) != 32 {
			t.Errorf("partition keys are %s", partitions)
		}
	})
}

func TestDestinationsHaveStates(t *testing.T) {
	h := newHarness(t)
	h.must(t, "CreateTable", carts)
	state := func() string {
		return h.must(t, "DescribeKinesisStreamingDestination", `{"TableName":"carts"}`)
	}
	want := func(part string) {
		t.Helper()
		if got := state(); !strings.Contains(got, part) {
			t.Errorf("got %s, want %s", got, part)
		}
	}
	if got := state(); got != `{"KinesisDataStreamDestinations":[],"TableName":"carts"}` {
		t.Error(got)
	}
	h.must(t, "EnableKinesisStreamingDestination", enableData)
	want(`"DestinationStatus":"ACTIVE"`)
	h.data.gone = true
	want(`"DestinationStatus":"ENABLE_FAILED"`)
	h.must(t, "PutItem", `{"TableName":"carts","Item":{"id":{"S":"a"}}}`) // goes on
	h.data.gone = false
	h.must(t, "DisableKinesisStreamingDestination", enableData)
	want(`"DestinationStatus":"DISABLED"`)
	h.must(t, "EnableKinesisStreamingDestination", `{"TableName":"carts","StreamArn":"`+dataStream+`","EnableKinesisStreamingConfiguration":{"ApproximateCreationDateTimePrecision":"MILLISECOND"}}`)
	want(`{"ApproximateCreationDateTimePrecision":"MILLISECOND","DestinationStatus":"ACTIVE"`)
	h.must(t, "EnableKinesisStreamingDestination", `{"TableName":"carts","StreamArn":"`+dataStream+`2"}`)
	other := `{"TableName":"carts","StreamArn":"` + dataStream + `3"}`
	for _, c := range []struct{ operation, input, want string }{
		{"EnableKinesisStreamingDestination", enableData, "must be DISABLED or ENABLE_FAILED"},
		{"EnableKinesisStreamingDestination", other, "LimitExceededException"},
		{"EnableKinesisStreamingDestination", `{"TableName":"none","StreamArn":"` + dataStream + `"}`, "ResourceNotFoundException: Requested resource not found: Table: none not found"},
		{"EnableKinesisStreamingDestination", `{"TableName":"carts","StreamArn":"arn:aws:kinesis:us-east-1:000000000000:stream/none"}`, "ResourceNotFoundException"},
		{"EnableKinesisStreamingDestination", `{"TableName":"carts","StreamArn":"arn:aws:kinesis:eu-west-1:000000000000:stream/data"}`, "must be in its account and region"},
		{"DisableKinesisStreamingDestination", other, "must be ACTIVE to perform DISABLE"},
		{"UpdateKinesisStreamingDestination", enableData, "cannot be null or contain only null values"},
	} {
		if _, err := h.call(c.operation, c.input); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %s", c.operation, c.input, err, c.want)
		}
	}
	h.must(t, "DisableKinesisStreamingDestination", enableData)
	h.clock.Advance(25 * time.Hour)
	if got := state(); strings.Contains(got, "DISABLED") {
		t.Errorf("a day later: %s", got)
	}
}

func TestLargeWritesLoseImagesOnTheirWayToADestination(t *testing.T) {
	h := newHarness(t)
	h.must(t, "CreateTable", carts)
	h.must(t, "EnableKinesisStreamingDestination", enableData)
	h.data.most = 700
	for _, n := range []int{100, 300, 900} {
		h.must(t, "PutItem", fmt.Sprintf(`{"TableName":"carts","Item":{"id":{"S":"a"},"body":{"S":"%s"}}}`, strings.Repeat("x", n)))
	}
	_, records := h.put(t, dataStream)
	has := func(part string) (out []bool) {
		for _, r := range records {
			out = append(out, strings.Contains(r, part))
		}
		return out
	}
	if n, o := has("NewImage"), has("OldImage"); !slices.Equal(n, []bool{true, true, false}) || !slices.Equal(o, []bool{false, false, false}) {
		t.Errorf("new images %v, old ones %v", n, o)
	}
}
