package dynamodb

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"lambent.dev/lambent/internal/service"
	"lambent.dev/lambent/internal/wire"
	"lambent.dev/lambent/test/recorded"
)

// replayed is a harness on which recorded cases run.
type replayed struct {
	*harness
	began time.Time
}

// Advance implements [recorded.Platform].
func (r *replayed) Advance(since time.Duration) {
	synctest.Wait()
	if left := since - r.clock.Now().Sub(r.began); left > 0 {
		r.clock.Advance(left)
		synctest.Wait()
	}
}

// Call implements [recorded.Platform]. An API with a region behind an @ is called there. Of Kinesis, streams are there, and have the ARN that DynamoDB asks for.
func (r *replayed) Call(name, operation, input string) (string, *recorded.Failure, error) {
	name, region, elsewhere := strings.Cut(name, "@")
	request := *service.RequestFrom(r.ctx)
	if request.Region = "us-east-1"; elsewhere {
		request.Region = region
	}
	r.ctx = service.WithRequest(r.ctx, &request)
	of := r.service
	switch name {
	case "dynamodbstreams":
		of = r.streams
	case "kinesis":
		return r.callKinesis(operation, input)
	}
	for _, b := range of.Operations {
		if b.Name != operation || b.Call == nil {
			continue
		}
		in := b.New()
		if err := json.Unmarshal([]byte(input), in); err != nil {
			return "", nil, err
		}
		if err := wire.New(of.API, of.Operations).Operation(operation).Validate(&wire.Request{}, in); err != nil {
			return refusal(err)
		}
		if err := r.targets(operation, in); err != nil {
			return refusal(err)
		}
		out, err := b.Call(r.ctx, in)
		if err != nil {
			return refusal(err)
		}
		text, err := show(out)
		return text, nil, err
	}
	return "", nil, errors.New("no such operation")
}

// callKinesis answers for data streams of one shard.
func (r *replayed) callKinesis(operation, input string) (string, *recorded.Failure, error) {
	var in struct{ StreamName, ShardIterator string }
	if err := json.Unmarshal([]byte(input), &in); err != nil {
		return "", nil, err
	}
	const arn = "arn:aws:kinesis:us-east-1:000000000000:stream/"
	switch operation {
	case "GetShardIterator":
		return `{"ShardIterator":"` + arn + in.StreamName + `"}`, nil, nil
	case "GetRecords":
		partitions, records, err := r.written(in.ShardIterator)
		if err != nil || len(records) != 1 {
			return "", nil, errors.Join(err, errors.New("one record is expected"))
		}
		b, err := json.Marshal(map[string]any{"SequenceNumber": "1", "ApproximateArrivalTimestamp": 1, "PartitionKey": partitions[0], "Data": records[0]})
		return `{"Records":[` + string(b) + `]}`, nil, err
	}
	return `{"StreamDescription":{"StreamARN":"` + arn + in.StreamName + `","StreamStatus":"ACTIVE","Shards":[{"ShardId":"shardId-000000000000"}]}}`, nil, nil
}

func refusal(err error) (string, *recorded.Failure, error) {
	var e *service.Error
	if !errors.As(err, &e) {
		return "", nil, err
	}
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest // which the door makes of it
	}
	return "", &recorded.Failure{Code: e.Code, Message: e.Message, Status: status}, nil
}

func TestAnswersAreThoseOfAWS(t *testing.T) {
	recorded.Replay(t, "testdata/recorded.txtar", "testdata/recorded_expected.txt", func(t *testing.T) recorded.Platform {
		h := newHarness(t)
		synctest.Wait()
		return &replayed{harness: h, began: h.clock.Now()}
	})
}
