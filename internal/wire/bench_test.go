package wire_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"lambent.dev/lambent/internal/awsapi/dynamodb"
	"lambent.dev/lambent/internal/wire"
)

// item is a DynamoDB item of about 1 KB in JSON.
func item() string {
	attrs := []string{`"pk":{"S":"board#0123456789"}`, `"sk":{"S":"picture#2026-11-25T10:00:00Z"}`, `"size":{"N":"123456"}`}
	for i := range 9 {
		attrs = append(attrs, fmt.Sprintf(`"attribute%d":{"S":%q}`, i, strings.Repeat("x", 70)))
	}
	return "{" + strings.Join(attrs, ",") + "}"
}

func BenchmarkDecodePutItem(b *testing.B) {
	body := []byte(`{"TableName":"Boards","Item":` + item() + `,"ReturnConsumedCapacity":"TOTAL"}`)
	a := dynamoAPI()
	header := http.Header{"X-Amz-Target": {"DynamoDB_20120810.PutItem"}, "Content-Type": {"application/x-amz-json-1.0"}}
	reader := bytes.NewReader(body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		req := &wire.Request{Method: "POST", RawPath: "/", Header: header, Body: reader, ContentLength: int64(len(body))}
		op, err := a.Match(req)
		if err != nil {
			b.Fatal(err)
		}
		in := op.Binding.New()
		if err := op.Decode(req, in); err != nil {
			b.Fatal(err)
		}
		if err := op.Validate(req, in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecodePutItemEncodingJSON is encoding/json on the same body, into the
// maps that an SDK's types come down to.
func BenchmarkDecodePutItemEncodingJSON(b *testing.B) {
	body := []byte(`{"TableName":"Boards","Item":` + item() + `,"ReturnConsumedCapacity":"TOTAL"}`)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var in struct {
			TableName, ReturnConsumedCapacity string
			Item                              map[string]map[string]any
		}
		if err := json.Unmarshal(body, &in); err != nil {
			b.Fatal(err)
		}
	}
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func BenchmarkEncodeGetItem(b *testing.B) {
	a := dynamoAPI()
	req := jsonRequest("DynamoDB_20120810.GetItem", "")
	op, err := a.Match(req)
	if err != nil {
		b.Fatal(err)
	}
	out := &dynamodb.GetItemOutput{}
	if _, err := out.Item.DecodeJSON([]byte(item())); err != nil {
		b.Fatal(err)
	}
	w := discard{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		if err := op.WriteResponse(b.Context(), w, req, out); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeGetItemEncodingJSON(b *testing.B) {
	var out struct{ Item map[string]map[string]any }
	if err := json.Unmarshal([]byte(`{"Item":`+item()+`}`), &out); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := json.Marshal(out); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkErrorAnswer(b *testing.B) {
	a := dynamoAPI()
	req := jsonRequest("DynamoDB_20120810.GetItem", "")
	op, err := a.Match(req)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := op.WriteError(httptest.NewRecorder(), req, op.NotImplemented()); err != nil {
			b.Fatal(err)
		}
	}
}
