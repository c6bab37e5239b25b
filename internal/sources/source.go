package sources

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"lambent.dev/lambent/internal/awsapi/dynamodbstreams"
	"lambent.dev/lambent/internal/awsapi/kinesis"
	"lambent.dev/lambent/internal/lib/opt"
	"lambent.dev/lambent/internal/service"
)

// source is a kind of stream. Its calls need a context of the function's role.
type source interface {
	// shards lists the shards that are left of the stream.
	shards(ctx context.Context) ([]Shard, error)
	// iterator returns an iterator at a position of a shard.
	iterator(ctx context.Context, shard string, at Position) (string, error)
	// read returns at most limit records, and the next iterator; that is empty at the end of the shard.
	read(ctx context.Context, iterator, shard string, limit int) (list []*streamRecord, next string, err error)
	// batchInfo names the member of a failure document that describes the batch.
	batchInfo() (member, timeLayout string)
}

// sourceOf returns the kind of stream of a worker.
func sourceOf(w *Worker) source {
	if w.Source.Service == "dynamodb" {
		return &tableStream{w}
	}
	return newDataStream(w)
}

// tableStream is the stream of a DynamoDB table.
type tableStream struct{ *Worker }

func (t *tableStream) batchInfo() (member, timeLayout string) {
	return "DDBStreamBatchInfo", "2006-01-02T15:04:05Z"
}

func (t *tableStream) shards(ctx context.Context) (out []Shard, err error) {
	in := &dynamodbstreams.DescribeStreamInput{StreamArn: t.Source.String()}
	for {
		page, err := service.Call[dynamodbstreams.DescribeStreamOutput](ctx, t.Door, "dynamodbstreams", "DescribeStream", in)
		if err != nil {
			return nil, err
		}
		for i := range page.StreamDescription.Shards {
			s := &page.StreamDescription.Shards[i]
			sh := Shard{ID: opt.Value(s.ShardId), Closed: s.SequenceNumberRange != nil && s.SequenceNumberRange.EndingSequenceNumber != nil}
			if s.ParentShardId != nil {
				sh.Parents = []string{*s.ParentShardId}
			}
			out = append(out, sh)
		}
		if in.ExclusiveStartShardId = page.StreamDescription.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return out, nil
		}
	}
}

func (t *tableStream) iterator(ctx context.Context, shard string, at Position) (string, error) {
	in := &dynamodbstreams.GetShardIteratorInput{StreamArn: t.Source.String(), ShardId: shard, ShardIteratorType: at.Kind}
	if at.Kind == AfterSequence {
		in.SequenceNumber = &at.Sequence
	}
	out, err := service.Call[dynamodbstreams.GetShardIteratorOutput](ctx, t.Door, "dynamodbstreams", "GetShardIterator", in)
	if err != nil {
		return "", err
	}
	return opt.Value(out.ShardIterator), nil
}

// tableRecord is a record as the function sees it: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html.
type tableRecord struct {
	ID        *string      `json:"eventID"`
	Name      string       `json:"eventName"`
	Version   *string      `json:"eventVersion"`
	Source    *string      `json:"eventSource"`
	Region    *string      `json:"awsRegion"`
	Change    tableChange  `json:"dynamodb"`
	User      *tableDelete `json:"userIdentity,omitempty"`
	SourceARN string       `json:"eventSourceARN"`
}

type tableChange struct {
	Created  seconds `json:"ApproximateCreationDateTime"`
	Keys     any     `json:"Keys"`
	New      any     `json:"NewImage,omitempty"`
	Old      any     `json:"OldImage,omitempty"`
	Sequence string  `json:"SequenceNumber"`
	Size     int64   `json:"SizeBytes"`
	View     string  `json:"StreamViewType"`
}

// seconds are since 1970. AWS writes them with a point, by which languages that tell numbers apart read them.
type seconds int64

// MarshalJSON implements [json.Marshaler].
func (s seconds) MarshalJSON() ([]byte, error) {
	return append(strconv.AppendInt(nil, int64(s), 10), ".0"...), nil
}

// tableDelete names the service that deleted an item.
type tableDelete struct {
	Principal *string `json:"principalId"`
	Type      *string `json:"type"`
}

func (t *tableStream) read(ctx context.Context, iterator, _ string, limit int) (list []*streamRecord, next string, err error) {
	n := int32(min(limit, 1000))
	out, err := service.Call[dynamodbstreams.GetRecordsOutput](ctx, t.Door, "dynamodbstreams", "GetRecords", &dynamodbstreams.GetRecordsInput{ShardIterator: iterator, Limit: &n})
	if err != nil {
		return nil, "", err
	}
	for i := range out.Records {
		r, err := t.record(&out.Records[i])
		if err != nil {
			return nil, "", err
		}
		list = append(list, r)
	}
	return list, opt.Value(out.NextShardIterator), nil
}

func (t *tableStream) record(r *dynamodbstreams.Record) (*streamRecord, error) {
	d := r.Dynamodb
	if d == nil || d.SequenceNumber == nil || d.ApproximateCreationDateTime == nil {
		return nil, fmt.Errorf("the stream %s has a record without a sequence number or a time", t.Source)
	}
	rec := tableRecord{
		ID: r.EventID, Name: r.EventName, Version: r.EventVersion, Source: r.EventSource, Region: r.AwsRegion, SourceARN: t.Source.String(),
		Change: tableChange{Created: seconds(d.ApproximateCreationDateTime.Unix()), Keys: d.Keys, Sequence: *d.SequenceNumber, View: d.StreamViewType},
	}
	if d.NewImage != nil {
		rec.Change.New = d.NewImage
	}
	if d.OldImage != nil {
		rec.Change.Old = d.OldImage
	}
	if d.SizeBytes != nil {
		rec.Change.Size = *d.SizeBytes
	}
	if r.UserIdentity != nil {
		rec.User = &tableDelete{r.UserIdentity.PrincipalId, r.UserIdentity.Type}
	}
	b, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	keys, err := json.Marshal(d.Keys)
	return &streamRecord{sequence: *d.SequenceNumber, partition: string(keys), arrived: *d.ApproximateCreationDateTime, json: b, filter: b}, err
}

// dataStream is a Kinesis data stream that a worker reads.
type dataStream struct {
	*Worker
	reader DataStream
}

func newDataStream(w *Worker) *dataStream {
	name, _, _ := strings.Cut(w.Source.String(), "/consumer/") // a mapping may name one of the stream's consumers
	return &dataStream{w, DataStream{Door: w.Door, ARN: name}}
}

func (d *dataStream) shards(ctx context.Context) ([]Shard, error) { return d.reader.Shards(ctx) }

func (d *dataStream) iterator(ctx context.Context, shard string, at Position) (string, error) {
	return d.reader.Iterator(ctx, shard, at)
}

func (d *dataStream) batchInfo() (member, timeLayout string) {
	return "KinesisBatchInfo", "2006-01-02T15:04:05.000Z"
}

// dataRecord is a record as the function sees it: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html.
type dataRecord struct {
	Kinesis   dataContent `json:"kinesis"`
	Source    string      `json:"eventSource"`
	Version   string      `json:"eventVersion"`
	ID        string      `json:"eventID"`
	Name      string      `json:"eventName"`
	Identity  string      `json:"invokeIdentityArn"`
	Region    string      `json:"awsRegion"`
	SourceARN string      `json:"eventSourceARN"`
}

type dataContent struct {
	Schema    string  `json:"kinesisSchemaVersion"`
	Partition string  `json:"partitionKey"`
	Sequence  string  `json:"sequenceNumber"`
	Data      string  `json:"data"`
	Arrived   float64 `json:"approximateArrivalTimestamp"` // seconds
}

func (d *dataStream) read(ctx context.Context, iterator, shard string, limit int) (list []*streamRecord, next string, err error) {
	records, next, err := d.reader.Records(ctx, iterator, limit)
	if err != nil {
		return nil, "", err
	}
	for i := range records {
		r, err := d.record(&records[i], shard)
		if err != nil {
			return nil, "", err
		}
		list = append(list, r)
	}
	return list, next, nil
}

func (d *dataStream) record(r *kinesis.Record, shard string) (*streamRecord, error) {
	var arrived time.Time
	if r.ApproximateArrivalTimestamp != nil {
		arrived = *r.ApproximateArrivalTimestamp
	}
	rec := dataRecord{
		Kinesis: dataContent{
			Schema: "1.0", Partition: r.PartitionKey, Sequence: r.SequenceNumber, Data: base64.StdEncoding.EncodeToString(r.Data), Arrived: float64(arrived.UnixMilli()) / 1000,
		},
		Source: "aws:kinesis", Version: "1.0", ID: shard + ":" + r.SequenceNumber, Name: "aws:kinesis:record", Identity: d.Role, Region: d.Source.Region, SourceARN: d.Source.String(),
	}
	b, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	out := &streamRecord{sequence: r.SequenceNumber, partition: r.PartitionKey, arrived: arrived, json: b}
	if d.Filters != nil {
		content, err := json.Marshal(rec.Kinesis)
		if err != nil {
			return nil, err
		}
		out.filter, err = withJSON(content, "data", r.Data)
		return out, err
	}
	return out, nil
}
