package firehose

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"

	api "lambent.dev/lambent/internal/awsapi/firehose"
	kapi "lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/awsapi/lambda"
	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/service/port"
	"lambent.dev/lambent/internal/store"
)

func TestRecordsAreDeliveredWhenTheFirstIsOldEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, `, "BufferingHints": {"IntervalInSeconds": 60}`)
		h.put(t, "one\n")
		h.pass(59 * time.Second)
		h.put(t, "two\n")
		if keys, _ := h.wrote(); len(keys) != 0 {
			t.Errorf("objects %v before the time", keys)
		}
		h.pass(time.Second)
		key, body := h.one(t)
		if body != "one\ntwo\n" {
			t.Errorf("delivered %q", body)
		}
		pattern := `^logs/2026/11/25/12/d-1-2026-11-25-12-01-00-[0-9a-f]{8}-[0-9a-f-]{27}$`
		if !regexp.MustCompile(pattern).MatchString(key) {
			t.Errorf("key %s, want %s", key, pattern)
		}
		if p := h.callers["PutObject"]; p.RoleARN != role {
			t.Errorf("the object was written by %+v", p)
		}
		h.put(t, "three\n")
		h.pass(time.Minute)
		if keys, _ := h.wrote(); len(keys) != 2 {
			t.Errorf("objects %v", keys)
		}
	})
}

func TestRecordsAreDeliveredWhenThereAreEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, `, "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 900}`)
		for range 3 {
			h.put(t, strings.Repeat("x", 400<<10))
		}
		synctest.Wait()
		if _, body := h.one(t); len(body) != 1200<<10 {
			t.Errorf("delivered %d bytes", len(body))
		}
	})
}

// What was acknowledged is delivered after a crash, and once: a batch that was cut off is made again under the same name.
func TestBatchIsDeliveredAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, `, "BufferingHints": {"IntervalInSeconds": 60}`)
		h.put(t, "one")
		synctest.Wait()
		h.restart(t)
		h.set(func() { h.failing = errors.New("the bucket is gone") })
		h.pass(time.Minute)
		h.put(t, "two") // it comes after the batch was planned
		h.pass(10 * time.Second)
		h.restart(t)
		h.set(func() { h.failing = nil })
		h.pass(time.Minute)
		keys, bodies := h.wrote()
		if len(keys) != 2 || bodies[keys[0]] != "one" || bodies[keys[1]] != "two" || !strings.Contains(keys[0], "12-01-00") {
			t.Errorf("objects %v", bodies)
		}
		if h.writes != 2 {
			t.Errorf("%d writes", h.writes)
		}
	})
}

func TestUndeliverableRecordsAreGivenUpAfterADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, `, "BufferingHints": {"IntervalInSeconds": 0}`)
		h.set(func() { h.failing = service.Errorf("NoSuchBucket", "gone") })
		h.put(t, "lost")
		for range 25 * 12 {
			h.pass(5 * time.Minute)
		}
		h.set(func() { h.failing = nil })
		h.put(t, "kept")
		h.pass(5 * time.Minute)
		if _, body := h.one(t); body != "kept" {
			t.Errorf("delivered %q", body)
		}
	})
}

func TestObjectsAreCompressed(t *testing.T) {
	read := map[string]func(b []byte) (io.Reader, error){
		"GZIP":   func(b []byte) (io.Reader, error) { return gzip.NewReader(bytes.NewReader(b)) },
		"Snappy": func(b []byte) (io.Reader, error) { return snappy.NewReader(bytes.NewReader(b)), nil },
		"ZIP": func(b []byte) (io.Reader, error) {
			z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				return nil, err
			}
			return z.File[0].Open()
		},
		"HADOOP_SNAPPY": func(b []byte) (io.Reader, error) {
			plain, err := snappy.Decode(nil, b[8:])
			return bytes.NewReader(plain), err
		},
	}
	for format, extension := range map[string]string{"GZIP": ".gz", "Snappy": ".snappy", "ZIP": ".zip", "HADOOP_SNAPPY": ".hsnappy"} {
		synctest.Test(t, func(t *testing.T) {
			h := newHarness(t)
			h.create(t, `, "CompressionFormat": "`+format+`", "BufferingHints": {"IntervalInSeconds": 60}`)
			h.put(t, "hello")
			h.pass(time.Minute)
			key, body := h.one(t)
			r, err := read[format]([]byte(body))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(r)
			if err != nil || string(plain) != "hello" || !strings.HasSuffix(key, extension) {
				t.Errorf("%s holds %q, %v", key, plain, err)
			}
		})
	}
}

func TestPrefixesAreExpanded(t *testing.T) {
	for _, c := range []struct{ more, want string }{
		{`"Prefix": "in/"`, `^logs/in/2026/11/25/12/d-1-`},
		{`"Prefix": "y=!{timestamp:yyyy}/m=!{timestamp:MM}/'!{timestamp:'at'HH''mm}/", "ErrorOutputPrefix": "err/!{firehose:error-output-type}/"`, `^logs/y=2026/m=11/'at12'01/d-1-`},
		{`"Prefix": "!{firehose:random-string}/", "ErrorOutputPrefix": "err/!{firehose:error-output-type}/"`, `^logs/[0-9a-f]{11}/d-1-`},
		{`"Prefix": "p/!{timestamp:HH}/", "ErrorOutputPrefix": "err/", "CustomTimeZone": "Asia/Tokyo", "FileExtension": ".json"`, `^logs/p/21/d-1-2026-11-25-21-01-00-.*\.json$`},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHarness(t)
			h.create(t, `, "BufferingHints": {"IntervalInSeconds": 60}, `+c.more)
			h.put(t, "x")
			h.pass(time.Minute)
			if key, _ := h.one(t); !regexp.MustCompile(c.want).MatchString(key) {
				t.Errorf("%s: key %s, want %s", c.more, key, c.want)
			}
		})
	}
}

func TestBadDestinationsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		dynamic := `, "DynamicPartitioningConfiguration": {"Enabled": true}, "ErrorOutputPrefix": "e/", "ProcessingConfiguration": {"Enabled": true, "Processors": [{"Type": "MetadataExtraction", "Parameters": [{"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"}, {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{kind: .kind}"}]}]}`
		for _, more := range []string{
			`, "Prefix": "!{timestamp:yyyy}/"`,                                                                     // without an error prefix
			`, "Prefix": "!{timestamp:QQQ}/", "ErrorOutputPrefix": "e/"`,                                           // a pattern without meaning
			`, "Prefix": "!{nothing:x}/", "ErrorOutputPrefix": "e/"`,                                               // a namespace that is none
			`, "Prefix": "!{firehose:error-output-type}/", "ErrorOutputPrefix": "e/"`,                              // only for errors
			`, "Prefix": "!{partitionKeyFromQuery:kind}/", "ErrorOutputPrefix": "e/"`,                              // without dynamic partitioning
			`, "ErrorOutputPrefix": "!{firehose:random-string}/"`,                                                  // without the type of the error
			`, "CustomTimeZone": "Nowhere/Land"`,                                                                   //
			`, "DataFormatConversionConfiguration": {"Enabled": true}`,                                             // not supported
			`, "S3BackupMode": "Enabled"`,                                                                          // without a backup
			`, "ProcessingConfiguration": {"Enabled": true, "Processors": [{"Type": "Decompression"}]}`,            // not supported
			`, "ProcessingConfiguration": {"Enabled": true, "Processors": [{"Type": "Lambda"}]}`,                   // without a function
			strings.Replace(dynamic, "{kind: .kind}", "{kind", 1) + `, "Prefix": "!{partitionKeyFromQuery:kind}/"`, // a query that is none
			dynamic + `, "Prefix": "!{partitionKeyFromQuery:other}/"`,                                              // a key that the query does not give
			dynamic + `, "Prefix": "fixed/"`,                                                                       // without a key
		} {
			if _, err := try[api.CreateDeliveryStreamOutput](t, h, "firehose", "CreateDeliveryStream", destination(more)); service.Code(err) != codeInvalid {
				t.Errorf("%s: %v", more, err)
			}
		}
		if _, err := try[api.CreateDeliveryStreamOutput](t, h, "firehose", "CreateDeliveryStream", `{"DeliveryStreamName": "d", "SplunkDestinationConfiguration": {}}`); service.Code(err) != codeInvalid || !strings.Contains(err.Error(), "SplunkDestinationConfiguration") {
			t.Errorf("another destination: %v", err)
		}
		if _, err := try[api.CreateDeliveryStreamOutput](t, h, "firehose", "CreateDeliveryStream", `{"DeliveryStreamName": "d"}`); service.Code(err) != codeInvalid {
			t.Errorf("no destination: %v", err)
		}
	})
}

func TestFunctionTransformsRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		calls := 0
		h.function = func(in lambda.InvokeInput) ([]byte, bool) {
			if calls++; calls == 1 {
				return []byte(`{"errorMessage": "not yet"}`), true
			}
			var event struct {
				DeliveryStreamArn string `json:"deliveryStreamArn"`
				Records           []struct {
					RecordID string `json:"recordId"`
					Data     []byte `json:"data"`
				} `json:"records"`
			}
			if err := json.Unmarshal(in.Payload, &event); err != nil || event.DeliveryStreamArn != "arn:aws:firehose:us-east-1:000000000000:deliverystream/d" {
				t.Errorf("event %s, %v", in.Payload, err)
			}
			var records []map[string]any
			for _, r := range event.Records {
				result := map[string]string{"drop": "Dropped", "fail": "ProcessingFailed"}[string(r.Data)]
				if result == "" {
					result = "Ok"
				}
				if string(r.Data) != "forget" {
					records = append(records, map[string]any{"recordId": r.RecordID, "result": result, "data": base64.StdEncoding.EncodeToString(bytes.ToUpper(r.Data))})
				}
			}
			out, err := json.Marshal(map[string]any{"records": records})
			if err != nil {
				t.Error(err)
			}
			return out, false
		}
		h.create(t, `, "BufferingHints": {"IntervalInSeconds": 60}, "ErrorOutputPrefix": "err/", "ProcessingConfiguration": {"Enabled": true, "Processors": [
			{"Type": "Lambda", "Parameters": [{"ParameterName": "LambdaArn", "ParameterValue": "arn:aws:lambda:us-east-1:000000000000:function:f"}]},
			{"Type": "AppendDelimiterToRecord", "Parameters": [{"ParameterName": "Delimiter", "ParameterValue": "\\n"}]}]},
			"S3BackupMode": "Enabled", "S3BackupConfiguration": {"RoleARN": "`+role+`", "BucketARN": "arn:aws:s3:::backup"}`)
		for _, data := range []string{"one", "drop", "fail", "forget", "two"} {
			h.put(t, data)
		}
		h.pass(time.Minute)
		keys, bodies := h.wrote()
		if len(keys) != 3 {
			t.Fatalf("objects %v", bodies)
		}
		if !strings.HasPrefix(keys[0], "backup/2026/11/25/12/") || bodies[keys[0]] != "onedropfailforgettwo" {
			t.Errorf("backup %s: %q", keys[0], bodies[keys[0]])
		}
		if bodies[keys[1]] != "ONE\nTWO\n" {
			t.Errorf("delivered %q", bodies[keys[1]])
		}
		if !strings.HasPrefix(keys[2], "logs/err/processing-failed/2026/11/25/12/") {
			t.Errorf("errors are at %s", keys[2])
		}
		var codes []string
		for line := range strings.Lines(bodies[keys[2]]) {
			var f failure
			if err := json.Unmarshal([]byte(line), &f); err != nil {
				t.Fatal(err)
			}
			codes = append(codes, fmt.Sprint(f.Code, " ", f.Attempts, " ", string(f.Data)))
		}
		if d := cmp.Diff([]string{"Lambda.ProcessingFailedStatus 2 fail", "Lambda.MissingRecordId 2 forget"}, codes); d != "" {
			t.Errorf("failures (-want +got):\n%s", d)
		}
	})
}

func TestRecordsArePartitionedByTheirContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, `, "BufferingHints": {"IntervalInSeconds": 60, "SizeInMBs": 64}, "ErrorOutputPrefix": "err/!{firehose:error-output-type}/", "Prefix": "kind=!{partitionKeyFromQuery:kind}/n=!{partitionKeyFromQuery:n}/",
			"DynamicPartitioningConfiguration": {"Enabled": true}, "ProcessingConfiguration": {"Enabled": true, "Processors": [
			{"Type": "RecordDeAggregation", "Parameters": [{"ParameterName": "SubRecordType", "ParameterValue": "JSON"}]},
			{"Type": "MetadataExtraction", "Parameters": [{"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"}, {"ParameterName": "MetadataExtractionQuery", "ParameterValue": "{kind: .kind, n: (.n|floor)}"}]}]}`)
		h.put(t, `{"kind":"a","n":1}{"kind":"b","n":2.5}`)
		h.put(t, `{"kind":"a","n":1}`)
		h.put(t, `{"n":1}`)
		h.put(t, `no json`)
		h.pass(time.Minute)
		got := map[string]string{}
		_, bodies := h.wrote()
		for key, body := range bodies {
			place := key[:strings.LastIndexByte(key, '/')]
			if strings.Contains(place, "/err/") {
				body = fmt.Sprint(strings.Count(body, "\n"), " failed")
			}
			got[place] = body
		}
		want := map[string]string{
			"logs/kind=a/n=1": `{"kind":"a","n":1}{"kind":"a","n":1}`, "logs/kind=b/n=2": `{"kind":"b","n":2.5}`, "logs/err/metadata-extraction-failed": "2 failed",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("objects (-want +got):\n%s", d)
		}
	})
}

func TestPartitionsOfABatchAreLimited(t *testing.T) {
	st := &stream{streamRecord: streamRecord{Name: "d", Version: 1, Bucket: &api.ExtendedS3DestinationConfiguration{
		BucketARN: bucket, Prefix: new("!{partitionKeyFromQuery:k}/"), ErrorOutputPrefix: new("err/"), DynamicPartitioningConfiguration: &api.DynamicPartitioningConfiguration{Enabled: new(true)},
	}}}
	var items []*item
	for i := range maxPartitions + 2 {
		items = append(items, &item{data: []byte("x"), query: map[string]string{"k": strconv.Itoa(i)}})
	}
	out, err := st.gather(plan{}, items)
	if err != nil || len(out) != maxPartitions+1 {
		t.Fatalf("%d objects, %v", len(out), err)
	}
	if last := out[maxPartitions]; !strings.HasPrefix(last.key, "err/activePartitionExceeded/") || bytes.Count(last.body, []byte("\n")) != 2 {
		t.Errorf("the rest is at %s: %s", last.key, last.body)
	}
}

func TestDataStreamIsDeliveredThroughAResharding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		do[kapi.CreateStreamOutput](t, h, "kinesis", "CreateStream", `{"StreamName": "s", "ShardCount": 2}`)
		put := func(data string) {
			t.Helper()
			do[kapi.PutRecordOutput](t, h, "kinesis", "PutRecord", `{"StreamName": "s", "PartitionKey": "`+data+`", "Data": "`+base64.StdEncoding.EncodeToString([]byte(data+"\n"))+`"}`)
		}
		put("before")
		h.pass(time.Second)
		do[api.CreateDeliveryStreamOutput](t, h, "firehose", "CreateDeliveryStream", `{"DeliveryStreamName": "d", "DeliveryStreamType": "KinesisStreamAsSource",
			"KinesisStreamSourceConfiguration": {"KinesisStreamARN": "arn:aws:kinesis:us-east-1:000000000000:stream/s", "RoleARN": "`+role+`"},
			"S3DestinationConfiguration": {"RoleARN": "`+role+`", "BucketARN": "`+bucket+`", "BufferingHints": {"IntervalInSeconds": 60}}}`)
		put("one")
		put("two")
		synctest.Wait()
		do[kapi.UpdateShardCountOutput](t, h, "kinesis", "UpdateShardCount", `{"StreamName": "s", "TargetShardCount": 1, "ScalingType": "UNIFORM_SCALING"}`)
		put("three")
		synctest.Wait()
		h.restart(t)
		put("four")
		h.pass(time.Minute)
		h.pass(time.Minute)
		var lines []string
		keys, bodies := h.wrote()
		for _, k := range keys {
			for line := range strings.Lines(bodies[k]) {
				lines = append(lines, strings.TrimSpace(line))
			}
		}
		if d := cmp.Diff([]string{"one", "two", "three", "four"}, lines); d != "" {
			t.Errorf("delivered (-want +got):\n%s", d)
		}
		if _, err := try[api.PutRecordOutput](t, h, "firehose", "PutRecord", `{"DeliveryStreamName": "d", "Record": {"Data": "eA=="}}`); service.Code(err) != codeInvalid {
			t.Errorf("a put to a stream that reads a data stream: %v", err)
		}
	})
}

func TestDestinationIsUpdated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, `, "BufferingHints": {"IntervalInSeconds": 900, "SizeInMBs": 7}`)
		h.put(t, "x")
		update := `{"DeliveryStreamName": "d", "DestinationId": "destinationId-000000000001", "CurrentDeliveryStreamVersionId": "1", "ExtendedS3DestinationUpdate": {"Prefix": "new/", "BufferingHints": {"IntervalInSeconds": 60}}}`
		do[api.UpdateDestinationOutput](t, h, "firehose", "UpdateDestination", update)
		if _, err := try[api.UpdateDestinationOutput](t, h, "firehose", "UpdateDestination", update); service.Code(err) != codeConcurrent {
			t.Errorf("an update of an old version: %v", err)
		}
		d := do[api.DescribeDeliveryStreamOutput](t, h, "firehose", "DescribeDeliveryStream", `{"DeliveryStreamName": "d"}`).DeliveryStreamDescription
		bucketNow := d.Destinations[0].ExtendedS3DestinationDescription
		if d.VersionId != "2" || *bucketNow.Prefix != "new/" || *bucketNow.BufferingHints.IntervalInSeconds != 60 || bucketNow.RoleARN != role {
			t.Errorf("described %+v", bucketNow)
		}
		h.pass(time.Minute)
		if key, _ := h.one(t); !strings.HasPrefix(key, "logs/new/2026/11/25/12/d-2-") {
			t.Errorf("key %s", key)
		}
	})
}

func TestStreamsAreListedAndDeletedWithoutARest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, "")
		if _, err := try[api.CreateDeliveryStreamOutput](t, h, "firehose", "CreateDeliveryStream", destination("")); service.Code(err) != codeInUse {
			t.Errorf("a second one: %v", err)
		}
		h.put(t, "x")
		do[api.TagDeliveryStreamOutput](t, h, "firehose", "TagDeliveryStream", `{"DeliveryStreamName": "d", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b"}]}`)
		if _, err := try[api.TagDeliveryStreamOutput](t, h, "firehose", "TagDeliveryStream", `{"DeliveryStreamName": "d", "Tags": [{"Key": "aws:x"}]}`); service.Code(err) != codeInvalid {
			t.Errorf("a reserved tag: %v", err)
		}
		do[api.UntagDeliveryStreamOutput](t, h, "firehose", "UntagDeliveryStream", `{"DeliveryStreamName": "d", "TagKeys": ["b"]}`)
		if tags := do[api.ListTagsForDeliveryStreamOutput](t, h, "firehose", "ListTagsForDeliveryStream", `{"DeliveryStreamName": "d"}`); len(tags.Tags) != 1 || tags.HasMoreTags {
			t.Errorf("tags %+v", tags)
		}
		do[api.StartDeliveryStreamEncryptionOutput](t, h, "firehose", "StartDeliveryStreamEncryption", `{"DeliveryStreamName": "d"}`)
		if d := do[api.DescribeDeliveryStreamOutput](t, h, "firehose", "DescribeDeliveryStream", `{"DeliveryStreamName": "d"}`).DeliveryStreamDescription; d.DeliveryStreamEncryptionConfiguration.Status != "ENABLED" {
			t.Errorf("encryption %+v", d.DeliveryStreamEncryptionConfiguration)
		}
		if list := do[api.ListDeliveryStreamsOutput](t, h, "firehose", "ListDeliveryStreams", `{}`); len(list.DeliveryStreamNames) != 1 {
			t.Errorf("listed %v", list.DeliveryStreamNames)
		}
		do[api.DeleteDeliveryStreamOutput](t, h, "firehose", "DeleteDeliveryStream", `{"DeliveryStreamName": "d"}`)
		h.pass(time.Hour)
		if keys, _ := h.wrote(); len(keys) != 0 {
			t.Errorf("objects %v of a deleted stream", keys)
		}
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
	})
}

func TestBatchesAndTheirLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, `, "BufferingHints": {"IntervalInSeconds": 60}`)
		in := &api.PutRecordBatchInput{DeliveryStreamName: "d"}
		for i := range 4 {
			in.Records = append(in.Records, api.Record{Data: bytes.Repeat([]byte{byte('a' + i)}, 1000<<10)})
		}
		out, err := service.Call[api.PutRecordBatchOutput](h.ctx, h, "firehose", "PutRecordBatch", in)
		if err != nil || out.FailedPutCount != 0 || len(out.RequestResponses) != 4 || *out.RequestResponses[0].RecordId == *out.RequestResponses[3].RecordId {
			t.Errorf("answer %+v, %v", out, err)
		}
		in.Records = append(in.Records, in.Records[0])
		if _, err := service.Call[api.PutRecordBatchOutput](h.ctx, h, "firehose", "PutRecordBatch", in); service.Code(err) != codeInvalid {
			t.Errorf("a batch that is too large: %v", err)
		}
		if _, err := service.Call[api.PutRecordOutput](h.ctx, h, "firehose", "PutRecord", &api.PutRecordInput{DeliveryStreamName: "d", Record: &api.Record{Data: make([]byte, maxRecord+1)}}); service.Code(err) != codeInvalid {
			t.Errorf("a record that is too large: %v", err)
		}
		h.pass(time.Minute)
		if _, body := h.one(t); len(body) != 4*1000<<10 || body[0] != 'a' || body[len(body)-1] != 'd' {
			t.Errorf("delivered %d bytes", len(body))
		}
	})
}

func TestRecordsJoinTheTransactionOfAnotherService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarness(t)
		h.create(t, `, "BufferingHints": {"IntervalInSeconds": 60}`)
		const arn = "arn:aws:firehose:us-east-1:000000000000:deliverystream/d"
		from := port.Source{Service: "sns.amazonaws.com", ARN: "arn:aws:sns:us-east-1:000000000000:t", Account: "000000000000"}
		if err := h.impl.CheckPut(h.ctx, from, role, arn); err != nil {
			t.Error(err)
		}
		h.denied = service.Errorf("AccessDeniedException", "no")
		if err := h.impl.CheckPut(h.ctx, from, role, arn); service.Code(err) != "AccessDeniedException" {
			t.Errorf("CheckPut = %v, want the denial", err)
		}
		put := func(stream, data string, outcome error) error {
			return h.store.Update(h.ctx, func(tx store.Txn) error {
				return errors.Join(h.impl.Put(tx, stream, []byte(data)), outcome)
			})
		}
		if err := put(arn, "taken", nil); err != nil {
			t.Error(err)
		}
		if err := put(arn, "undone", errors.New("no")); err == nil {
			t.Error("the transaction was to fail")
		}
		if err := put(arn+"2", "lost", nil); service.Code(err) != codeNotFound {
			t.Errorf("a stream that is not there: %v", err)
		}
		h.pass(time.Minute)
		if _, body := h.one(t); body != "taken" {
			t.Errorf("delivered %q", body)
		}
	})
}
