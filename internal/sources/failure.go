package sources

import (
	"encoding/json"
	"time"

	"lambent.dev/lambent/internal/lib/uuid"
)

// The conditions of a failure document.
const (
	conditionRetries = "RetryAttemptsExhausted"
	conditionAge     = "RecordAgeExceeded"
)

// Failure is a batch that was given up.
type Failure struct {
	// RequestID is that of the last invocation, or stands for the batch when there was none.
	RequestID string
	// Shard is the shard of the batch.
	Shard string
	// Document is what a destination is told; Payload is the event, which destinations that take documents of every size are told too.
	Document, Payload []byte
}

// failureDocument is what an on-failure destination receives: https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html.
type failureDocument struct {
	Request struct {
		RequestID   string `json:"requestId"`
		FunctionARN string `json:"functionArn"`
		Condition   string `json:"condition"`
		Invocations int    `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	Response  *failedResponse `json:"responseContext,omitempty"`
	Version   string          `json:"version"`
	Timestamp string          `json:"timestamp"`
}

// failedResponse has a null error when the function reported records instead of failing.
type failedResponse struct {
	Status  int     `json:"statusCode"`
	Version string  `json:"executedVersion"`
	Failure *string `json:"functionError"`
}

type batchInfo struct {
	Shard  string `json:"shardId"`
	First  string `json:"startSequenceNumber"`
	Last   string `json:"endSequenceNumber"`
	Since  string `json:"approximateArrivalOfFirstRecord"`
	Until  string `json:"approximateArrivalOfLastRecord"`
	Size   int    `json:"batchSize"`
	Stream string `json:"streamArn"`
}

// failure makes the document of a batch that is given up; last is the last invocation, if there was one.
func (l *lane) failure(batch []*streamRecord, condition string, invocations int, last *Answer) (*Failure, error) {
	var doc failureDocument
	doc.Request.FunctionARN, doc.Request.Condition, doc.Request.Invocations = l.Function, condition, max(invocations, 1)
	doc.Version, doc.Timestamp = "1.0", l.Clock.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	f := &Failure{Shard: l.id, RequestID: uuid.Of(l.UUID, l.id, batch[0].sequence)}
	if last != nil {
		f.RequestID = last.RequestID
		if condition == conditionRetries {
			doc.Response = &failedResponse{Status: 200, Version: last.Version}
			if last.Failure != "" {
				doc.Response.Failure = &last.Failure
			}
		}
	}
	doc.Request.RequestID = f.RequestID
	member, layout := l.source.batchInfo()
	first, end := batch[0], batch[len(batch)-1]
	at := func(t time.Time) string { return t.UTC().Format(layout) }
	info, err := json.Marshal(map[string]batchInfo{member: {
		Shard: l.id, First: first.sequence, Last: end.sequence, Since: at(first.arrived), Until: at(end.arrived), Size: len(batch), Stream: l.Source.String(),
	}})
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	f.Document = append(append(head[:len(head)-1], ','), info[1:]...)
	f.Payload = event(recordsOf(batch), nil)
	return f, nil
}

func recordsOf(batch []*streamRecord) [][]byte {
	out := make([][]byte, len(batch))
	for i, r := range batch {
		out[i] = r.json
	}
	return out
}
