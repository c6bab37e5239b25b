package pipes

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	api "lambent.dev/lambent/internal/awsapi/pipes"
	"lambent.dev/lambent/internal/sources"
)

var home = place{"111111111111", "eu-west-1"}

func pipe(members string) *pipeRecord {
	r := &pipeRecord{
		Name: "p", ID: "id", Source: "arn:aws:sqs:eu-west-1:111111111111:q", Target: "arn:aws:lambda:eu-west-1:111111111111:function:f", Role: "arn:aws:iam::111111111111:role/r",
		Enrichment: "arn:aws:lambda:eu-west-1:111111111111:function:e",
	}
	if err := json.Unmarshal([]byte(members), r); err != nil {
		panic(err)
	}
	return r
}

func TestTemplatesRender(t *testing.T) {
	f, err := newFlow(home, pipe(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	message := `{"messageId":"m","body":"{\"a\":{\"b\":[1,\"x\"]},\"s\":\"quo\\\"te\"}","attributes":{"n":"1"}}`
	for _, tc := range []struct{ template, record, want string }{
		{``, message, message},
		{`{"v": <$.body.a>, "s": "<$.body.s>"}`, message, `{"v": {"b":[1,"x"]}, "s": "quo\"te"}`},
		{`<$.body.a.b[1]> of <aws.pipes.pipe-name>, <$.missing>.`, message, `x of p, .`},
		{`{"all": <aws.pipes.event.json>}`, `{"body":"text"}`, `{"all": {"body":"text"}}`},
		{`{"all": <aws.pipes.event>}`, `{"body":"[1]"}`, `{"all": {"body":[1]}}`},
		{`<$.data.n>`, `{"data":"eyJuIjogN30="}`, `7`},
		{`<$.data>`, `{"data":"aGVsbG8="}`, `hello`},
		{
			`"<aws.pipes.source-arn> <aws.pipes.target-arn> <aws.pipes.enrichment-arn> <aws.pipes.pipe-arn> <aws.pipes.event.ingestion-time>"`, `{}`,
			`"arn:aws:sqs:eu-west-1:111111111111:q arn:aws:lambda:eu-west-1:111111111111:function:f arn:aws:lambda:eu-west-1:111111111111:function:e arn:aws:pipes:eu-west-1:111111111111:pipe/p 2026-11-29T12:00:00Z"`,
		},
		{`<b>no variable</b>`, `{}`, `<b>no variable</b>`},
	} {
		tr, err := newTemplate(tc.template)
		if err != nil {
			t.Errorf("%s: %v", tc.template, err)
			continue
		}
		if got := string(tr.render(f, []byte(tc.record), now)); got != tc.want {
			t.Errorf("%s\n got %s\nwant %s", tc.template, got, tc.want)
		}
	}
	for _, bad := range []string{`<$.a[>`, `<aws.pipes.none>`, strings.Repeat("x", maxTemplate+1)} {
		if _, err := newTemplate(bad); err == nil {
			t.Errorf("%.40s is accepted", bad)
		}
	}
}

func TestRecordsOfDataStreamsAreFlat(t *testing.T) {
	b, err := newBatch([]byte(`{"Records":[{"kinesis":{"sequenceNumber":"7","data":"eA=="},"eventSource":"aws:kinesis"},{"messageId":"m"},{"dynamodb":{"SequenceNumber":"9"}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(b.ids, " "); got != "7 m 9" {
		t.Errorf("ids: %s", got)
	}
	if got := string(b.records[0]); got != `{"data":"eA==","eventSource":"aws:kinesis","sequenceNumber":"7"}` {
		t.Errorf("record: %s", got)
	}
}

func TestDynamicParametersComeFromTheRecord(t *testing.T) {
	r := []byte(`{"body":"{\"group\":\"g\",\"n\":5}"}`)
	for text, want := range map[string]string{"": "", "fixed": "fixed", "$.body.group": "g", "$.body.n": "5", "$.body.none": "", "$[": "$["} {
		if got := dynamic(text, r); got != want {
			t.Errorf("dynamic(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestWhatAPipeCannotDoIsRefusedByName(t *testing.T) {
	for _, tc := range []struct{ members, want string }{
		{`{"Source":"arn:aws:kafka:eu-west-1:1:cluster/c"}`, "sources of Lambent's pipes are"},
		{`{"Source":"q"}`, "is not an ARN"},
		{`{"SourceParameters":{"ActiveMQBrokerParameters":{"QueueName":"q"}}}`, "ActiveMQBrokerParameters is not supported"},
		{`{"Source":"arn:aws:dynamodb:eu-west-1:1:table/t/stream/s"}`, "DynamoDBStreamParameters must be specified"},
		{`{"Source":"arn:aws:kinesis:eu-west-1:1:stream/s","SourceParameters":{"KinesisStreamParameters":{}}}`, "StartingPosition must be specified"},
		{`{"SourceParameters":{"SqsQueueParameters":{"BatchSize":100}}}`, "MaximumBatchingWindowInSeconds must be at least 1"},
		{`{"SourceParameters":{"FilterCriteria":{"Filters":[{"Pattern":"{\"a\":1}"}]}}}`, "Event pattern is not valid"},
		{`{"Enrichment":"arn:aws:states:eu-west-1:1:stateMachine:m"}`, "the enrichment of a pipe of Lambent is a function, an API destination or a stage"},
		{`{"EnrichmentHTTP":{}}`, "HttpParameters are for API destinations"},
		{`{"Target":"arn:aws:sqs:eu-west-1:111111111111:q"}`, "every record would come back"},
		{`{"Target":"arn:aws:ecs:eu-west-1:1:cluster/c"}`, "pipes of Lambent deliver to"},
		{`{"TargetParameters":{"HttpParameters":{}}}`, "HttpParameters are for API destinations"},
		{`{"Target":"arn:aws:kinesis:eu-west-1:1:stream/s"}`, "KinesisStreamParameters must be specified"},
		{`{"Target":"arn:aws:sqs:eu-west-1:1:q.fifo"}`, "MessageGroupId must be specified"},
	} {
		if _, err := newFlow(home, pipe(tc.members)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", tc.members, err, tc.want)
		}
	}
}

func TestStreamsAreReadAsThePipeSays(t *testing.T) {
	f, err := newFlow(home, pipe(`{"Source":"arn:aws:dynamodb:eu-west-1:111111111111:table/t/stream/s","Enrichment":"","SourceParameters":{"DynamoDBStreamParameters":{
		"StartingPosition":"TRIM_HORIZON","BatchSize":7,"MaximumBatchingWindowInSeconds":3,"MaximumRetryAttempts":2,"MaximumRecordAgeInSeconds":60,"ParallelizationFactor":4,
		"OnPartialBatchItemFailure":"AUTOMATIC_BISECT","DeadLetterConfig":{"Arn":"arn:aws:sqs:eu-west-1:111111111111:dead"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	c := f.config
	if c.BatchSize != 7 || c.Window != 3*time.Second || c.Retries != 2 || c.MaxAge != time.Minute || c.Parallel != 4 || !c.Bisect || !c.Partial || c.Start != sources.TrimHorizon {
		t.Errorf("config: %+v", c)
	}
	if f.deadLetter != "arn:aws:sqs:eu-west-1:111111111111:dead" {
		t.Errorf("dead letters go to %q", f.deadLetter)
	}
}

func TestUpdateKeepsWhatItLeavesOut(t *testing.T) {
	r := pipe(`{"SourceParameters":{"SqsQueueParameters":{"BatchSize":3}},"Description":"d"}`)
	err := r.update(&api.UpdatePipeInput{RoleArn: "other", SourceParameters: &api.UpdatePipeSourceParameters{FilterCriteria: &api.FilterCriteria{}}})
	if err != nil || r.Role != "other" || r.Description != "d" || *r.SourceParameters.SqsQueueParameters.BatchSize != 3 || r.SourceParameters.FilterCriteria == nil {
		t.Errorf("%+v, %v", r, err)
	}
	if err := r.update(&api.UpdatePipeInput{SourceParameters: &api.UpdatePipeSourceParameters{RabbitMQBrokerParameters: &api.UpdatePipeSourceRabbitMQBrokerParameters{}}}); err == nil {
		t.Error("a broker is accepted")
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(`{"a": <$.body.x>}`, `{"body":"{}"}`)
	f.Add(`<aws.pipes.event>`, `{"data":"eA=="}`)
	flow, err := newFlow(home, pipe(`{}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, record string) {
		tr, err := newTemplate(text)
		if err != nil || tr == nil {
			return
		}
		if got := tr.render(flow, []byte(record), time.Time{}); len(got) > 3*(len(text)+1)*(len(record)+200)*8 {
			t.Errorf("%q grew to %d bytes", text, len(got))
		}
	})
}
